//! Rows by the thousand, with names as they come in life, written into a
//! server's embedded database while the server is down.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::Server;

/// How many rows of each kind.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seed {
    /// Sessions, each with its code; nearly all of them over.
    pub sessions: usize,
    /// So many of them still open: their computers are away.
    pub open: usize,
    /// Rows of the audit trail.
    pub audit: usize,
    /// Users beside the administrator, who share the administrator's password.
    pub users: usize,
    /// Access tokens of the administrator.
    pub tokens: usize,
}

/// Names of people: long, in one piece, in other scripts, and such as a page
/// might take for something else.
pub const NAMES: &[&str] = &[
    "Grace Hopper",
    "Maximiliane-Friederike von Hohenlohe-Langenburg zu Schillingsfürst-Waldenburg, Leiterin des Kundendienstes",
    "Wolfeschlegelsteinhausenbergerdorffwelchevoralternwarengewissenhaftschaferswessenschafewarenwohlgep",
    "عبد العزيز بن محمد آل سعود",
    "אברהם בן־דוד (תמיכה)",
    "👩‍🚀 Zoë 🧑🏽‍💻",
    "<b>Bold</b> & <script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "李小龍",
    "สมชาย ใจดี",
    "Robert'); DROP TABLE users;--",
    "Ö",
];

/// Names of computers.
pub const MACHINES: &[&str] = &[
    "DESKTOP-7F3K2LQ",
    "reception",
    "a-very-long-host-name-that-somebody-chose-for-a-server-in-a-rack-in-the-cellar-0001.branch-office.example.com",
    "<i>kiosk</i>",
    "مكتب-الاستقبال",
];

impl Server {
    /// Kill it, fill its database, and start it again.
    ///
    /// # Errors
    /// When the rows do not fit the tables, or it does not come back.
    pub fn seed(&mut self, rows: Seed) -> Result<()> {
        self.kill()?;
        let wish = json!({
            "sessions": rows.sessions, "open": rows.open, "audit": rows.audit, "users": rows.users,
            "tokens": rows.tokens, "names": NAMES, "machines": MACHINES,
        });
        let mut child = Command::new("/usr/bin/python3")
            .args(["-c", include_str!("seed.py")])
            .arg(self.folder().join("data/guruconnect.sqlite"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        child.stdin.take().context("no input")?.write_all(wish.to_string().as_bytes())?;
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.restart()
    }
}

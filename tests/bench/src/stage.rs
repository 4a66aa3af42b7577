//! The stage: the real server over TLS, a display, the agent that a person
//! downloads and says yes to, and tickets to watch.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use gc_desktop_tests::{Agent, Child, Display, Hand, Server};
use serde_json::Value;

use crate::scene::Motion;
use crate::viewer::Ticket;

/// What comes before the anchor's text in a client program.
const MARK: &[u8] = b"GURUCONNECT-DEPLOYMENT-ANCHOR-V1";

/// A session that waits for viewers.
#[derive(Debug)]
pub struct Stage {
    /// The server.
    pub server: Server,
    /// The display.
    pub display: Display,
    /// The agent.
    pub agent: Agent,
    session: String,
    login: String,
    identity: [u8; 32],
}

impl Stage {
    /// Bring everything up on this address, with TLS by the server's identity.
    ///
    /// # Errors
    /// When something does not start.
    pub fn open(listen: &str) -> Result<Self> {
        let server = Server::start_with(listen, &["--tls-self-made"])?;
        let display = Display::start(1920, 1080)?;
        let login = server.login(&server.admin)?;
        let (code, session) = server.code(&login, "control")?;
        let agent = Agent::start(&server, &display, &code)?;
        Hand(&display).allow()?;
        server.await_state(&login, &session, "live")?;
        let identity = identity(&agent.path)?;
        Ok(Self { server, display, agent, session, login, identity })
    }

    /// What opens the session for one viewer.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn ticket(&self) -> Result<Ticket> {
        let path = format!("/api/sessions/{}/viewer-token", self.session);
        let minted = self.server.post(&path, Some(&self.login), &Value::Null)?;
        let token = minted["token"].as_str().context("no token")?.to_owned();
        let (server, session) = (self.server.url.clone(), self.session.clone());
        Ok(Ticket { server, session, token, identity: Some(self.identity) })
    }

    /// Let this be seen on the display.
    ///
    /// # Errors
    /// When it does not start.
    pub fn play(&self, motion: Motion) -> Result<Child> {
        play(self.display.command(own()?), motion)
    }
}

/// Start the scene with this command of our own program, and wait until it is
/// seen.
///
/// # Errors
/// When it does not start.
pub fn play(mut command: Command, motion: Motion) -> Result<Child> {
    let mut child = Child::spawn(command.args(["scene", motion.name()]).stdout(Stdio::piped()))?;
    let output = child.inner().stdout.take().context("the scene has no output")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    ensure!(line.trim() == "ready", "the scene does not start");
    Ok(child)
}

/// The program that plays scenes and watches in processes of their own:
/// `bench`, built beside whatever runs.
///
/// # Errors
/// When it was not built.
pub fn own() -> Result<std::path::PathBuf> {
    gc_desktop_tests::programs("bench", "GC_BENCH")
}

/// The identity that stands in a client's anchor.
fn identity(program: &Path) -> Result<[u8; 32]> {
    let bytes = std::fs::read(program)?;
    let at = bytes.windows(MARK.len()).position(|window| window == MARK).context("the client has no anchor")?;
    let room = bytes.get(at + MARK.len()..).unwrap_or_default();
    let (length, rest) = room.split_first_chunk::<2>().context("the client is cut short")?;
    let text = rest.get(..usize::from(u16::from_le_bytes(*length))).context("the client is cut short")?;
    let anchor: Value = serde_json::from_slice(text)?;
    from_hex(anchor["identity"].as_str().unwrap_or_default()).context("the anchor names no identity")
}

/// Thirty-two bytes of their digits.
#[must_use]
pub fn from_hex(digits: &str) -> Option<[u8; 32]> {
    let bytes: Option<Vec<u8>> =
        digits.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect();
    bytes?.try_into().ok()
}

/// The same, written.
#[must_use]
pub fn to_hex(bytes: &[u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

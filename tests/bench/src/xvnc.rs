//! TigerVNC's server with a display of its own, from Debian's package
//! `tigervnc-standalone-server`.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use gc_desktop_tests::{Child, until};

/// A running server, ended when dropped.
#[derive(Debug)]
pub struct Xvnc {
    server: Child,
    /// Its display's name.
    pub display: String,
    /// Where it takes clients.
    pub address: SocketAddr,
}

impl Xvnc {
    /// Start one that listens on this address, with these options more.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(listen: IpAddr, options: &[&str]) -> Result<Self> {
        let address = TcpListener::bind((listen, 0))?.local_addr()?;
        // A number that no display of this machine has: they begin at the lowest.
        let display = format!(":{}", 500 + address.port() % 1000);
        let server = Child::spawn(
            Command::new("Xvnc")
                .arg(&display)
                .args(["-geometry", "1920x1080", "-depth", "24", "-SecurityTypes", "None", "-AlwaysShared"])
                .args(["-interface", &listen.to_string(), "-rfbport", &address.port().to_string()])
                .args(options)
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        )
        .context("Debian's package tigervnc-standalone-server has it")?;
        until("the RFB server", Duration::from_secs(15), || Ok(x11rb::connect(Some(&display)).ok().map(drop)))?;
        Ok(Self { server, display, address })
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.server.id()
    }

    /// A program that will run on its display.
    #[must_use]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env("DISPLAY", &self.display);
        command
    }
}

//! Windows programs on a display, by Wine with a prefix of one's own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};
use tempfile::TempDir;

use crate::Display;

/// A Wine prefix, gone when dropped.
#[derive(Debug)]
pub struct Wine {
    folder: TempDir,
}

impl Wine {
    /// Make a prefix: some ten seconds. It has no Mono and no Gecko.
    ///
    /// # Errors
    /// When Wine is not there or fails.
    pub fn create(display: &Display) -> Result<Self> {
        let wine = Self { folder: tempfile::tempdir()? };
        let status =
            wine.program(display, "wineboot").arg("-u").stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        ensure!(status.success(), "no Wine prefix could be made");
        Ok(wine)
    }

    /// A command that runs a Windows program.
    #[must_use]
    pub fn command(&self, display: &Display) -> Command {
        self.program(display, "wine")
    }

    /// The prefix's drive C.
    #[must_use]
    pub fn drive(&self) -> PathBuf {
        self.folder.path().join("drive_c")
    }

    fn program(&self, display: &Display, name: &str) -> Command {
        let found = [format!("/usr/lib/wine/{name}64"), format!("/usr/bin/{name}")];
        let program = found.iter().find(|path| Path::new(path).exists()).cloned().unwrap_or_else(|| name.to_owned());
        let mut command = display.command(program);
        command
            .env("WINEPREFIX", self.folder.path())
            .env("WINEARCH", "win64")
            .env("WINEDEBUG", "-all")
            .env("WINEDLLOVERRIDES", "mscoree,mshtml=d;winemenubuilder.exe=d");
        command
    }
}

impl Drop for Wine {
    fn drop(&mut self) {
        // The prefix's own processes end with its server.
        let _: std::io::Result<std::process::ExitStatus> = Command::new("/usr/lib/wine/wineserver64")
            .arg("-k")
            .env("WINEPREFIX", self.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}

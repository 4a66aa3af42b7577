//! A wall clock that a test sets while the server program runs.

use std::path::PathBuf;

use anyhow::{Context, Result};
use tempfile::TempDir;

/// Where Debian keeps the library that answers for the system's clock.
const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/// The wall clock of one server program. Only what it shows is set: time
/// itself passes as ever.
#[derive(Debug)]
pub struct WallClock {
    folder: TempDir,
}

impl WallClock {
    /// One that shows the real time.
    ///
    /// # Errors
    /// When there is no library for it.
    pub fn new() -> Result<Self> {
        std::fs::metadata(LIBRARY).with_context(|| format!("{LIBRARY} is missing: install libfaketime"))?;
        let clock = Self { folder: tempfile::tempdir()? };
        clock.set("+0")?;
        Ok(clock)
    }

    /// Set it ahead of the real time (`+1d`) or back (`-1d`).
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn set(&self, offset: &str) -> Result<()> {
        // In one step: the program reads it whenever it asks for the time.
        let fresh = self.folder.path().join("fresh");
        std::fs::write(&fresh, offset)?;
        Ok(std::fs::rename(fresh, self.file())?)
    }

    /// What a program needs in its environment to go by this clock.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let file = self.file().display().to_string();
        let pairs = [
            ("LD_PRELOAD", LIBRARY),
            ("FAKETIME_TIMESTAMP_FILE", &file),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("DONT_FAKE_MONOTONIC", "1"),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("offset")
    }
}

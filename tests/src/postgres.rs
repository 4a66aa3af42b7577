//! A PostgreSQL server of one test's own, which can be killed.

use std::io::{Read, Seek};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

/// Where Debian keeps the programs.
const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";

/// A private cluster; it ends with its owner.
#[derive(Debug)]
pub struct PrivatePostgres {
    folder: TempDir,
}

impl PrivatePostgres {
    /// Make one and start it.
    ///
    /// # Errors
    /// When that fails, in the program's words.
    pub fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let status = Command::new("chown").arg("postgres").arg(folder.path()).status()?;
        ensure!(status.success(), "the folder cannot be given to postgres");
        let cluster = Self { folder };
        cluster.run("initdb", &["-U", "postgres", "--auth=trust", "-E", "UTF8", "--no-sync"])?;
        cluster.start_again()?;
        Ok(cluster)
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        // It takes any password; the program has to keep it to itself. By its
        // socket: a port that was free may be taken by somebody before it starts.
        let folder = self.folder.path().display();
        let url = format!(
            "postgres://postgres:quay-marzipan-lantern-{}@localhost/postgres?host={folder}",
            std::process::id()
        );
        crate::database::note_password(&url);
        url
    }

    /// Kill it as a power cut would.
    ///
    /// # Errors
    /// When it does not go.
    pub fn kill(&mut self) -> Result<()> {
        self.run("pg_ctl", &["-m", "immediate", "stop"])
    }

    /// Start it again on the same data and socket.
    ///
    /// # Errors
    /// When it does not come back.
    pub fn start_again(&self) -> Result<()> {
        let options = format!("-c listen_addresses= -c unix_socket_directories={}", self.folder.path().display());
        let log = self.folder.path().join("log");
        self.run("pg_ctl", &["-w", "-l", &log.to_string_lossy(), "-o", &options, "start"])
    }

    /// Nobody but its own user may run it.
    fn run(&self, program: &str, arguments: &[&str]) -> Result<()> {
        // A server that goes on holds what it was given: no pipe.
        let mut said = tempfile::tempfile()?;
        let status = Command::new("setpriv")
            .args(["--reuid=postgres", "--regid=postgres", "--init-groups"])
            .arg(Path::new(PROGRAMS).join(program))
            .arg("-D")
            .arg(self.folder.path().join("data"))
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said.try_clone()?)
            .status()
            .with_context(|| format!("{program} cannot be started"))?;
        if !status.success() {
            let mut words = String::new();
            said.rewind()?;
            said.read_to_string(&mut words)?;
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            bail!("{program}: {words}{log}");
        }
        Ok(())
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        // It may be gone already.
        let _: Result<()> = self.kill();
    }
}

//! A PostgreSQL server of one test's own, which can be killed.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

/// Where Debian keeps the programs.
const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";

/// A private cluster; it ends with its owner.
#[derive(Debug)]
pub struct PrivatePostgres {
    folder: TempDir,
    port: u16,
}

impl PrivatePostgres {
    /// Make one and start it.
    ///
    /// # Errors
    /// When that fails, in the program's words.
    pub fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let status = Command::new("chown").arg("postgres").arg(folder.path()).status()?;
        ensure!(status.success(), "the folder cannot be given to postgres");
        let cluster = Self { folder, port };
        cluster.run("initdb", &["-U", "postgres", "--auth=trust", "-E", "UTF8", "--no-sync"])?;
        cluster.start_again()?;
        Ok(cluster)
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        // It takes any; the program has to keep it to itself.
        let url = format!("postgres://postgres:quay-marzipan-lantern-{0}@127.0.0.1:{0}/postgres", self.port);
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

    /// Start it again on the same data and port.
    ///
    /// # Errors
    /// When it does not come back.
    pub fn start_again(&self) -> Result<()> {
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories={}",
            self.port,
            self.folder.path().display()
        );
        let log = self.folder.path().join("log");
        self.run("pg_ctl", &["-w", "-l", &log.to_string_lossy(), "-o", &options, "start"])
    }

    /// Nobody but its own user may run it.
    fn run(&self, program: &str, arguments: &[&str]) -> Result<()> {
        let output = Command::new("setpriv")
            .args(["--reuid=postgres", "--regid=postgres", "--init-groups"])
            .arg(Path::new(PROGRAMS).join(program))
            .arg("-D")
            .arg(self.folder.path().join("data"))
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(std::process::Stdio::null())
            // A server that goes on holds what it was given.
            .stdout(std::process::Stdio::null())
            .stderr(std::fs::File::create(std::env::temp_dir().join(format!("guruconnect-pg-{}", self.port)))?)
            .status()
            .with_context(|| format!("{program} cannot be started"))?;
        let said = std::env::temp_dir().join(format!("guruconnect-pg-{}", self.port));
        let words = std::fs::read_to_string(&said).unwrap_or_default();
        let _: std::io::Result<()> = std::fs::remove_file(said);
        ensure!(output.success(), "{program}: {words}");
        Ok(())
    }
}

impl Drop for PrivatePostgres {
    fn drop(&mut self) {
        // It may be gone already.
        let _: Result<()> = self.kill();
    }
}

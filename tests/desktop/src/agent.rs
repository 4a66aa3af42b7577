//! The agent, downloaded and started as a person does it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::{Browser, Child, Display, Hand, Server, Wine, programs};

/// A running agent.
#[derive(Debug)]
pub struct Agent {
    child: Child,
    /// The program's file.
    pub path: PathBuf,
    log: PathBuf,
    _folder: TempDir,
}

impl Agent {
    /// Download the Linux agent, give it the code by its name, start it.
    ///
    /// # Errors
    /// When the server offers none or it does not start.
    pub fn start(server: &Server, display: &Display, code: &str) -> Result<Self> {
        Self::start_with(server, display, code, &[])
    }

    /// A session from its code to the page: one that this browser's technician
    /// asked a code for, and whoever sits at the display allowed.
    ///
    /// # Errors
    /// When the session does not come to be.
    pub fn in_session(server: &Server, display: &Display, browser: &Browser) -> Result<Self> {
        let agent = Self::start(server, display, &browser.new_code(false)?)?;
        Hand(display).allow()?;
        browser.open_session()?;
        Ok(agent)
    }

    /// Like [`Self::start`], with something more in its environment.
    ///
    /// # Errors
    /// When the server offers none or it does not start.
    pub fn start_with(server: &Server, display: &Display, code: &str, environment: &[(&str, &str)]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let archive = folder.path().join("GuruConnect.tar.gz");
        std::fs::write(&archive, server.download("linux")?)?;
        let unpacked = Command::new("tar").arg("xzf").arg(&archive).arg("-C").arg(folder.path()).status()?;
        ensure!(unpacked.success(), "the archive cannot be unpacked");
        Self::run(&folder.path().join("GuruConnect"), display, code, environment)
    }

    /// Give this program the code by its name, and start it.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_program(program: &Path, display: &Display, code: &str) -> Result<Self> {
        Self::run(program, display, code, &[])
    }

    fn run(program: &Path, display: &Display, code: &str, environment: &[(&str, &str)]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join(format!("GuruConnect-{code}"));
        // By a process of its own: what another thread starts meanwhile would hold
        // our open file, and one that is written to cannot be started.
        let copied = Command::new("cp").arg(program).arg(&path).status()?;
        ensure!(copied.success(), "the program cannot be copied");
        let mut command = display.command(&path);
        let log = logged(&mut command, gc_record::Output::Agent, folder.path())?;
        let child = Child::spawn(command.envs(environment.iter().copied()))?;
        Ok(Self { child, path, log, _folder: folder })
    }

    /// The same for a server that this agent reaches by another address than
    /// people do.
    ///
    /// # Errors
    /// When no client can be made or it does not start.
    pub fn start_at(server: &Server, url: &str, display: &Display, code: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let client = folder.path().join("client");
        let filled = Command::new(programs("guruconnect-server", "GC_SERVER")?)
            .args(["client", "--url", url, "--input"])
            .arg(programs("guruconnect", "GC_CLIENT_LINUX")?)
            .arg("--output")
            .arg(&client)
            .arg("--data")
            .arg(server.folder().join("data"))
            .stdout(Stdio::null())
            .status()?;
        ensure!(filled.success(), "no client could be made");
        std::fs::set_permissions(&client, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        Self::run(&client, display, code, &[])
    }

    /// The same for Windows, under Wine.
    ///
    /// # Errors
    /// When the server offers none or it does not start.
    pub fn start_windows(server: &Server, display: &Display, wine: &Wine, code: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join(format!("GuruConnect-{code}.exe"));
        std::fs::write(&path, server.download("windows")?)?;
        let mut command = wine.command(display);
        let log = logged(&mut command, gc_record::Output::AgentWindows, folder.path())?;
        let child = Child::spawn(command.arg(&path))?;
        Ok(Self { child, path, log, _folder: folder })
    }

    /// What it wrote to its log.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its process.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Wait until it has ended by itself.
    ///
    /// # Errors
    /// When it goes on.
    pub fn await_end(&mut self) -> Result<()> {
        let child = &mut self.child;
        crate::until("the agent's end", std::time::Duration::from_secs(20), || child.ended())
            .map(drop)
            .with_context(|| std::fs::read_to_string(&self.log).unwrap_or_default())
    }
}

/// Let it write into a file, which the search for secrets may read.
fn logged(command: &mut Command, output: gc_record::Output, folder: &Path) -> Result<PathBuf> {
    let path = gc_record::output_or(output, folder.join("agent.log"));
    let log = std::fs::File::create(&path)?;
    command.envs(gc_record::talkative()).stdout(log.try_clone()?).stderr(log);
    Ok(path)
}

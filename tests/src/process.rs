//! The server program as a process of its own: its memory can be looked at, and
//! it can be killed, frozen and started again.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use tempfile::TempDir;

use crate::agent::{Credential, FakeAgent};
use crate::http::Http;
use crate::people::{Code, Person};
use crate::viewer::FakeViewer;
use crate::wait::eventually;
use crate::wall::WallClock;

const PASSWORD: &str = "walnut-harbour-ladder-52";

/// A server program that was set up. It ends with its owner.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// Where it listens; the same after a restart.
    pub address: SocketAddr,
    /// The first administrator.
    pub admin: Person,
    data: PathBuf,
    settings: Settings,
    // Its data may stand in it.
    _folder: TempDir,
}

/// How the program is started, every time.
#[derive(Debug)]
struct Settings {
    options: Vec<String>,
    environment: Vec<(String, String)>,
    log: PathBuf,
}

impl Process {
    /// Start one on a fresh folder.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("data");
        Self::start_in(folder, data, Vec::new()).await
    }

    /// Start one that keeps its data in one place, and its log in `folder`,
    /// with more options of the program.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_in(folder: TempDir, data: PathBuf, options: Vec<String>) -> Result<Self> {
        Self::begin(folder, data, options, Vec::new()).await
    }

    /// Start one on this PostgreSQL database.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_with_database(url: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("data");
        Self::begin(folder, data, Vec::new(), vec![("DATABASE_URL".to_owned(), url.to_owned())]).await
    }

    /// Start one that goes by this wall clock.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_by(wall: &WallClock) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("data");
        Self::begin(folder, data, Vec::new(), wall.environment()).await
    }

    async fn begin(
        folder: TempDir,
        data: PathBuf,
        options: Vec<String>,
        environment: Vec<(String, String)>,
    ) -> Result<Self> {
        // Apart from the data, so that a disk that is full takes no lines away.
        let log = gc_record::output_or(gc_record::Output::Server, folder.path().join("server.log"));
        let settings = Settings { options, environment, log };
        let (child, address, setup) = launch(&data, "127.0.0.1:0", &settings)?;
        let setup = setup.context("a fresh server prints no set-up link")?;
        let token = setup.rsplit('#').next().unwrap_or_default();
        gc_record::secret(gc_record::Kind::SetupToken, token);
        let stranger = Http::new(address)?;
        let body = json!({"token": token, "username": "root", "password": PASSWORD, "display_name": "Rosa Root"});
        stranger.post("/api/setup", body).await?.expect(201)?;
        let admin = Person::log_in(&stranger, "root", PASSWORD, "Rosa Root").await?;
        Ok(Self { child, address, admin, data, settings, _folder: folder })
    }

    /// Kill it as a power cut would.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Start it again on the same data and port; how long it took until it
    /// accepted.
    ///
    /// # Errors
    /// When it does not come back.
    pub fn start_again(&mut self) -> Result<Duration> {
        let begun = Instant::now();
        let (child, address, setup) = launch(&self.data, &self.address.to_string(), &self.settings)?;
        self.child = child;
        ensure!(setup.is_none() && address == self.address, "the server came back as another one");
        Ok(begun.elapsed())
    }

    /// Ask it to end.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn terminate(&self) -> Result<()> {
        self.signal("-TERM")
    }

    /// How it ends, within this time.
    ///
    /// # Errors
    /// When it goes on.
    pub async fn exited(&mut self, within: Duration) -> Result<ExitStatus> {
        let begun = Instant::now();
        let mut pace = tokio::time::interval(Duration::from_millis(20));
        loop {
            pace.tick().await;
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            ensure!(begun.elapsed() < within, "the server goes on after {within:?}");
        }
    }

    /// The folder of its data.
    #[must_use]
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Hold it in mid-step, or let it go on.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn freeze(&self, frozen: bool) -> Result<()> {
        self.signal(if frozen { "-STOP" } else { "-CONT" })
    }

    fn signal(&self, signal: &str) -> Result<()> {
        let status = Command::new("kill").args([signal, &self.child.id().to_string()]).status()?;
        ensure!(status.success(), "kill {signal} failed");
        Ok(())
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its resident memory, in bytes.
    ///
    /// # Errors
    /// When it is gone.
    pub fn memory(&self) -> Result<usize> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<usize>()? * 1024)
    }

    /// A client that nobody has heard of.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn stranger(&self) -> Result<Http> {
        Http::new(self.address)
    }

    /// An agent comes with a code; the person is being asked.
    ///
    /// # Errors
    /// When it is not let in.
    pub async fn agent(&self, code: &Code) -> Result<FakeAgent> {
        FakeAgent::connect(self.address, &Credential::Code(code.code.clone())).await
    }

    /// A session to which the person has said yes.
    ///
    /// # Errors
    /// When it does not become live.
    pub async fn live(&self, access: &str) -> Result<(String, FakeAgent)> {
        let code = self.admin.code(access).await?;
        let mut agent = self.agent(&code).await?;
        agent.grant().await?;
        self.state(&code.session, "live").await?;
        Ok((code.session, agent))
    }

    /// Somebody looks on.
    ///
    /// # Errors
    /// When they are not let in.
    pub async fn viewer(&self, session: &str, access: &str) -> Result<FakeViewer> {
        let token = self.admin.mint(session, access).await?;
        FakeViewer::connect(self.address, session, &token).await
    }

    /// Wait until a session is in this state.
    ///
    /// # Errors
    /// When it does not get there.
    pub async fn state(&self, session: &str, state: &str) -> Result<()> {
        eventually(&format!("the session being {state}"), || async {
            Ok((self.admin.session(session).await?["state"] == state).then_some(()))
        })
        .await
    }

    /// What it wrote to its log.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.settings.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be gone already.
        let _: std::io::Result<()> = self.child.kill();
        let _: std::io::Result<_> = self.child.wait();
    }
}

/// The program that was built with these tests.
///
/// # Errors
/// When it was not.
pub fn program() -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let folder = test.ancestors().find(|folder| folder.join("guruconnect-server").is_file());
    Ok(folder.context("the server program was not built beside the tests")?.join("guruconnect-server"))
}

fn launch(data: &Path, listen: &str, settings: &Settings) -> Result<(Child, SocketAddr, Option<String>)> {
    let log = std::fs::File::options().create(true).append(true).open(&settings.log)?;
    let mut child = Command::new(program()?)
        .args(["serve", "--listen", listen, "--data"])
        .arg(data)
        .args(&settings.options)
        .env("GURUCONNECT_LOG", "debug")
        .envs(gc_record::talkative())
        .env_remove("DATABASE_URL")
        .envs(settings.environment.iter().map(|(name, value)| (name, value)))
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .context("the server program does not start")?;
    let output = child.stdout.take().context("no output")?;
    let mut lines = BufReader::new(output).lines();
    let mut setup = None;
    let address = loop {
        let Some(line) = lines.next().transpose()? else { bail!("the server ended before it was ready") };
        if let Some(url) = line.strip_prefix("ready: ") {
            break url.rsplit('/').next().unwrap_or_default().parse()?;
        }
        setup = line.strip_prefix("setup: ").map(str::to_owned).or(setup);
    };
    // Whatever else it prints is read, so that it never waits for us.
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
    Ok((child, address, setup))
}

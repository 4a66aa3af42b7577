//! A real server in this process, with its own folder and database.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, Once};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use gc_access::Secret;
use gc_store::{AuditFilter, AuditRecord, Store};
use guruconnect_server::clock::Clock;
use guruconnect_server::{Config, Running};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::OnceCell;
use uuid::Uuid;

use crate::agent::{Credential, FakeAgent};
use crate::database::TestDatabase;
use crate::http::Http;
use crate::people::{Code, Person};
use crate::viewer::FakeViewer;
use crate::wait::eventually;

const PASSWORD: &str = "walnut-harbour-ladder-52";

/// A running server whose first administrator was made with the printed
/// set-up token.
#[derive(Debug)]
pub struct TestServer {
    /// Where it listens; the same after a restart.
    pub address: SocketAddr,
    /// Its time.
    pub clock: Clock,
    /// The first administrator.
    pub admin: Person,
    running: Option<Running>,
    config: Config,
    folder: TempDir,
    store: OnceCell<Store>,
    people: AtomicU32,
    // Dropped last: the server and the store above still use it.
    database: TestDatabase,
}

impl TestServer {
    /// Start one that lives by the system's clock.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start() -> Result<Self> {
        Self::start_with(Clock::system(), |_| ()).await
    }

    /// Start one whose time stands still until it is turned.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_manual() -> Result<Self> {
        Self::start_with(Clock::manual(), |_| ()).await
    }

    /// Start one with this clock and these changes to its configuration.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_with(clock: Clock, change: impl FnOnce(&mut Config)) -> Result<Self> {
        listen_to_ourselves();
        let (folder, database) = (tempfile::tempdir()?, TestDatabase::from_environment()?);
        let mut config = bare_config(&folder, &database);
        change(&mut config);
        let running = guruconnect_server::start(config.clone(), clock.clone()).await?;
        let address = running.address;
        config.listen = address;
        let link = running.setup.as_ref().context("a fresh server prints no set-up link")?;
        let (_, token) = link.expose().rsplit_once("/setup#").context("the set-up link has another form")?;
        gc_record::secret(gc_record::Kind::SetupToken, token);
        let stranger = Http::new(address)?;
        let body = json!({"token": token, "username": "root", "password": PASSWORD, "display_name": "Rosa Root"});
        stranger.post("/api/setup", body).await?.expect(201)?;
        let admin = Person::log_in(&stranger, "root", PASSWORD, "Rosa Root").await?;
        Ok(Self {
            address,
            clock,
            admin,
            running: Some(running),
            config,
            folder,
            store: OnceCell::new(),
            people: AtomicU32::new(0),
            database,
        })
    }

    /// Stop it: peers are told, records written.
    pub async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop().await;
        }
    }

    /// Start it again on the same folder, database and port.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_again(&mut self) -> Result<()> {
        self.stop().await;
        let running = guruconnect_server::start(self.config.clone(), self.clock.clone()).await?;
        ensure!(running.setup.is_none(), "a server with an administrator prints a set-up link");
        ensure!(running.address == self.address, "the server came back elsewhere");
        self.running = Some(running);
        Ok(())
    }

    /// A client that nobody has heard of, from a fresh address.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn stranger(&self) -> Result<Http> {
        Http::new(self.address)
    }

    /// Make an account of this role and log in.
    ///
    /// # Errors
    /// When that fails.
    pub async fn person(&self, role: &str) -> Result<Person> {
        let number = self.people.fetch_add(1, Ordering::Relaxed);
        let (username, display_name) = (format!("{role}{number}"), format!("{role} No {number}"));
        let body = json!({
            "username": username, "password": PASSWORD, "role": role,
            "display_name": display_name, "must_change_password": false,
        });
        self.admin.http.post("/api/users", body).await?.expect(201)?;
        Person::log_in(&self.stranger()?, &username, PASSWORD, &display_name).await
    }

    /// Log the same person in once more.
    ///
    /// # Errors
    /// When that fails.
    pub async fn log_in_again(&self, person: &Person) -> Result<Person> {
        Person::log_in(&self.stranger()?, &person.username, &person.password, &person.display_name).await
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
    pub async fn live(&self, technician: &Person, access: &str) -> Result<(String, FakeAgent)> {
        let code = technician.code(access).await?;
        let mut agent = self.agent(&code).await?;
        agent.grant().await?;
        self.state(technician, &code.session, "live").await?;
        Ok((code.session, agent))
    }

    /// Somebody mints a token, which has to be of this mode, and looks on.
    ///
    /// # Errors
    /// When they are not let in.
    pub async fn viewer(&self, person: &Person, session: &str, access: &str) -> Result<FakeViewer> {
        let token = person.mint(session, access).await?;
        FakeViewer::connect(self.address, session, &token).await
    }

    /// Wait until a session is in this state; give it as `person` sees it.
    ///
    /// # Errors
    /// When it does not come to that.
    pub async fn state(&self, person: &Person, session: &str, state: &str) -> Result<Value> {
        eventually(&format!("the state {state}"), || async {
            let found = person.session(session).await?;
            Ok((found["state"] == state).then_some(found))
        })
        .await
    }

    /// The same database, opened beside the server.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn store(&self) -> Result<&Store> {
        self.store.get_or_try_init(|| self.database.open(self.folder.path())).await
    }

    /// The names of what was written down about a session, oldest first.
    ///
    /// # Errors
    /// When the trail cannot be read.
    pub async fn audit_names(&self, session: &str) -> Result<Vec<String>> {
        Ok(self.trail(session).await?.into_iter().map(|row| row.event_type).collect())
    }

    /// Wait until a session's trail holds this event.
    ///
    /// # Errors
    /// When it does not come.
    pub async fn audited(&self, session: &str, event: &str) -> Result<AuditRecord> {
        eventually(&format!("{event} in the audit trail"), || async {
            Ok(self.trail(session).await?.into_iter().find(|row| row.event_type == event))
        })
        .await
    }

    /// Turn the clock on while this agent is connected: in steps that it
    /// survives, since silence would end it.
    ///
    /// # Errors
    /// When the agent is lost on the way.
    pub async fn pass(&self, time: Duration, agent: &mut FakeAgent) -> Result<()> {
        let step = Duration::from_secs(20);
        let mut passed = Duration::ZERO;
        let mut sequence = 500_000;
        while passed < time {
            let now = step.min(time - passed);
            self.clock.advance(now);
            passed += now;
            sequence += 1;
            agent.settle(sequence).await?;
        }
        Ok(())
    }

    async fn trail(&self, session: &str) -> Result<Vec<AuditRecord>> {
        let filter = AuditFilter { session_id: Some(session.parse::<Uuid>()?), limit: 1000, ..AuditFilter::default() };
        let mut rows = self.store().await?.audit_trail(filter).await?;
        rows.reverse();
        Ok(rows)
    }

    /// Invite and mint in one go: a guest looks on.
    ///
    /// # Errors
    /// When the guest is not let in.
    pub async fn guest(&self, host: &Person, guest: &Person, session: &str, access: &str) -> Result<FakeViewer> {
        host.invite(session, guest).await?;
        self.viewer(guest, session, access).await
    }
}

/// Keep what servers in this process write, where this run is recorded: as the
/// program would write it if it were asked for everything.
fn listen_to_ourselves() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let file = gc_record::output(gc_record::Output::InProcess).and_then(|path| std::fs::File::create(path).ok());
        let Some(file) = file else { return };
        if let Ok(copy) = file.try_clone() {
            let usual = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                let _: std::io::Result<()> = writeln!(&copy, "{panic}");
                usual(panic);
            }));
        }
        gc_log::json_to("trace", Mutex::new(file));
    });
}

fn bare_config(folder: &TempDir, database: &TestDatabase) -> Config {
    Config {
        listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        data: folder.path().to_owned(),
        database_url: database.url().map(Secret::new),
        public_url: None,
        certificate: None,
        trusted_proxies: Vec::new(),
        clients: None,
        embedding_origins: Vec::new(),
        organization: "Acme Support".to_owned(),
    }
}

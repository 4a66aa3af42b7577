//! The real server as a process of its own.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Child, programs, until};

/// A server that was set up.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Its address.
    pub url: String,
    /// Its administrator.
    pub admin: Technician,
    folder: TempDir,
    log: PathBuf,
    listen: String,
    options: Vec<String>,
}

/// Somebody who logs in.
#[derive(Debug, Clone)]
pub struct Technician {
    /// User name.
    pub username: String,
    /// Password.
    pub password: String,
}

impl Server {
    /// Start a server on a free port and set it up as an operator would.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start() -> Result<Self> {
        Self::start_on("127.0.0.1:0")
    }

    /// The same on a chosen address.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_on(listen: &str) -> Result<Self> {
        Self::start_with(listen, &[])
    }

    /// The same with more options of the program.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_with(listen: &str, options: &[&str]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let clients = folder.path().join("clients");
        std::fs::create_dir(&clients)?;
        std::fs::copy(programs("guruconnect", "GC_CLIENT_LINUX")?, clients.join("guruconnect"))?;
        if let Some(windows) = std::env::var_os("GC_CLIENT_WINDOWS") {
            std::fs::copy(&windows, clients.join("guruconnect.exe"))
                .with_context(|| format!("cannot read {}", Path::new(&windows).display()))?;
        }
        let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
        let log = gc_record::output_or(gc_record::Output::Server, folder.path().join("server.log"));
        let (child, url, setup) = launch(folder.path(), &log, listen, &options)?;
        let admin = Technician { username: "ada".into(), password: "analytical engine 1843".into() };
        let setup = setup.context("the server printed no set-up link")?;
        let token = setup.rsplit('#').next().unwrap_or_default();
        gc_record::secret(gc_record::Kind::SetupToken, token);
        // A free port is told by the address; one that was chosen may be behind another.
        let told = url.split_once("://").map_or(listen, |(_, address)| address);
        let listen = if listen.ends_with(":0") { told } else { listen }.to_owned();
        let server = Self { child, url, admin, folder, log, listen, options };
        server.post(
            "/api/setup",
            None,
            &json!({
                "token": token, "username": server.admin.username, "password": server.admin.password,
                "display_name": "Ada Lovelace",
            }),
        )?;
        Ok(server)
    }

    /// A second server with the same people, on a data folder that was restored.
    ///
    /// # Errors
    /// When it does not start.
    pub fn restored(&self, data: &Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::create_dir(folder.path().join("clients"))?;
        std::fs::rename(data, folder.path().join("data"))?;
        let log = gc_record::output_or(gc_record::Output::Server, folder.path().join("server.log"));
        let (child, url, setup) = launch(folder.path(), &log, "127.0.0.1:0", &[])?;
        anyhow::ensure!(setup.is_none(), "a restored server wants to be set up");
        let listen = url.split_once("://").map_or("", |(_, address)| address).to_owned();
        Ok(Self { child, url, admin: self.admin.clone(), folder, log, listen, options: Vec::new() })
    }

    /// Its folder, for files of a test.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_path_buf()
    }

    /// Kill it as a power cut would, and start it again on the same port.
    ///
    /// # Errors
    /// When it does not come back.
    pub fn kill_and_restart(&mut self) -> Result<()> {
        self.kill()?;
        self.restart()
    }

    /// Kill it as a power cut would.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()
    }

    /// Start it again on the same port.
    ///
    /// # Errors
    /// When it does not come back.
    pub fn restart(&mut self) -> Result<()> {
        let (child, _, _) = launch(self.folder.path(), &self.log, &self.listen, &self.options)?;
        self.child = child;
        Ok(())
    }

    /// Its process.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// What it wrote to its log.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Somebody more who logs in, in this role.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn colleague(&self, display_name: &str, role: &str) -> Result<Technician> {
        let username = display_name.to_lowercase().replace(' ', ".");
        let password = "difference engine 1822";
        self.post(
            "/api/users",
            Some(&self.login(&self.admin)?),
            &json!({
                "username": username, "password": password, "role": role, "display_name": display_name,
                "must_change_password": false,
            }),
        )?;
        Ok(Technician { username, password: password.into() })
    }

    /// Details of the audit rows of this name, oldest first, read from the
    /// database: there is no route for it yet.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn audited(&self, event: &str) -> Result<Vec<Value>> {
        let script = "import sqlite3, sys, json\n\
            base = sqlite3.connect(f'file:{sys.argv[1]}?mode=ro', uri=True)\n\
            rows = base.execute('SELECT details FROM connect_session_events WHERE event_type = ? ORDER BY id', sys.argv[2:])\n\
            print(json.dumps([json.loads(row[0]) for row in rows]))";
        let base = self.folder.path().join("data/guruconnect.sqlite");
        let output = Command::new("/usr/bin/python3").args(["-c", script]).arg(base).arg(event).output()?;
        anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// A login token.
    ///
    /// # Errors
    /// When the login is refused.
    pub fn login(&self, who: &Technician) -> Result<String> {
        let body = json!({ "username": who.username, "password": who.password });
        let answer = self.post("/api/auth/login", None, &body)?;
        answer["token"].as_str().map(str::to_owned).context("no token")
    }

    /// A support code and its session.
    ///
    /// # Errors
    /// When it is refused.
    pub fn code(&self, login: &str, access: &str) -> Result<(String, String)> {
        let answer = self.post("/api/codes", Some(login), &json!({ "access": access }))?;
        let text = |key: &str| answer[key].as_str().map(str::to_owned).context("no code");
        Ok((text("code")?, text("session_id")?))
    }

    /// A session as the API shows it.
    ///
    /// # Errors
    /// When it is refused.
    pub fn session(&self, login: &str, id: &str) -> Result<Value> {
        self.get(&format!("/api/sessions/{id}"), login)
    }

    /// Wait until a session stands so.
    ///
    /// # Errors
    /// When it does not come to that.
    pub fn await_state(&self, login: &str, id: &str, state: &str) -> Result<Value> {
        until(&format!("the session being {state}"), Duration::from_secs(25), || {
            let session = self.session(login, id)?;
            if session["state"] == state { Ok(Some(session)) } else { bail!("it is {}", session["state"]) }
        })
    }

    /// A call of the API.
    ///
    /// # Errors
    /// When it is refused, with what the server said.
    pub fn post(&self, path: &str, login: Option<&str>, body: &Value) -> Result<Value> {
        let mut request = agent().post(format!("{}{path}", self.url));
        if let Some(login) = login {
            request = request.header("authorization", format!("Bearer {login}"));
        }
        read(path, Some(body), request.send_json(body)?)
    }

    /// A call of the API.
    ///
    /// # Errors
    /// When it is refused, with what the server said.
    pub fn get(&self, path: &str, login: &str) -> Result<Value> {
        let request = agent().get(format!("{}{path}", self.url)).header("authorization", format!("Bearer {login}"));
        read(path, None, request.call()?)
    }

    /// A call of the API.
    ///
    /// # Errors
    /// When it is refused, with what the server said.
    pub fn delete(&self, path: &str, login: &str) -> Result<Value> {
        let request = agent().delete(format!("{}{path}", self.url)).header("authorization", format!("Bearer {login}"));
        read(path, None, request.call()?)
    }

    /// A file that people download.
    ///
    /// # Errors
    /// When it is not offered.
    pub fn download(&self, os: &str) -> Result<Vec<u8>> {
        let mut answer = agent().get(format!("{}/api/downloads/{os}", self.url)).call()?;
        anyhow::ensure!(answer.status() == 200, "no client for {os} is offered: {}", answer.status());
        Ok(answer.body_mut().with_config().limit(200 << 20).read_to_vec()?)
    }
}

/// What a certificate is worth is what the agents' tests ask; here it is not.
fn agent() -> ureq::Agent {
    let tls = ureq::tls::TlsConfig::builder().disable_verification(true).build();
    ureq::Agent::config_builder().http_status_as_error(false).proxy(None).tls_config(tls).build().into()
}

fn read(path: &str, request: Option<&Value>, mut answer: ureq::http::Response<ureq::Body>) -> Result<Value> {
    let status = answer.status();
    let text = answer.body_mut().read_to_string()?;
    gc_record::exchange(path, request.map(Value::to_string).as_deref(), status.as_u16(), &text);
    anyhow::ensure!(status.is_success(), "the server answered {status}: {text}");
    if text.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_str(&text)?) }
}

fn launch(folder: &Path, log: &Path, listen: &str, options: &[String]) -> Result<(Child, String, Option<String>)> {
    let lines = std::fs::OpenOptions::new().create(true).append(true).open(log)?;
    let mut child = Child::spawn(
        Command::new(programs("guruconnect-server", "GC_SERVER")?)
            .args(["serve", "--listen", listen, "--organization", "Acme IT", "--data"])
            .arg(folder.join("data"))
            .arg("--clients")
            .arg(folder.join("clients"))
            .args(options)
            .envs(gc_record::talkative())
            .stdout(Stdio::piped())
            .stderr(lines),
    )?;
    let output = child.inner().stdout.take().context("the server has no output")?;
    let mut setup = None;
    for line in BufReader::new(output).lines() {
        let line = line?;
        if let Some(link) = line.strip_prefix("setup: ") {
            setup = Some(link.to_owned());
        }
        if let Some(url) = line.strip_prefix("ready: ") {
            return Ok((child, url.to_owned(), setup));
        }
    }
    bail!("the server did not start: {}", std::fs::read_to_string(log).unwrap_or_default())
}

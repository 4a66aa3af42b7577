//! Behind the proxies of `deploy/`, with the real programs: a whole session,
//! and the client's own address in the audit trail.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Result, ensure};
use gc_desktop_tests::{Agent, Browser, Child, Display, Hand, Picture, Server, repository, until};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use serde_json::json;

struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    /// A certificate for this machine, by an authority of our own.
    fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let house_key = KeyPair::generate()?;
        let mut house = CertificateParams::new(Vec::new())?;
        house.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        house.distinguished_name.push(DnType::CommonName, "a test's authority");
        let house = house.self_signed(&house_key)?;
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &house, &house_key)?;
        std::fs::write(folder.path().join("roots.pem"), house.pem())?;
        std::fs::write(folder.path().join("tls.crt"), certificate.pem())?;
        std::fs::write(folder.path().join("tls.key"), key.serialize_pem())?;
        Ok(Self { folder })
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// The example with this machine's addresses in place of its own; each of them
/// has to be there.
fn adapted(example: &str, changes: &[(&str, String)]) -> Result<String> {
    let mut text = std::fs::read_to_string(repository().join("deploy").join(example))?;
    for (from, to) in changes {
        ensure!(text.contains(from), "{example} has no {from:?}");
        text = text.replace(from, to);
    }
    Ok(text)
}

fn session_through(proxy: impl FnOnce(&Files, u16, u16) -> Result<Child>) -> Result<()> {
    let files = Files::new()?;
    let (port, inner) = (free_port()?, free_port()?);
    let _proxy = proxy(&files, port, inner)?;
    until("the proxy", Duration::from_secs(15), || {
        Ok(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok().then_some(()))
    })?;
    let url = format!("https://localhost:{port}");
    let options = ["--public-url", &url, "--trusted-proxy", "127.0.0.1/32"];
    let server = Server::start_with(&format!("127.0.0.1:{inner}"), &options)?;
    ensure!(server.url == url, "{}", server.url);

    let display = Display::start(1280, 800)?;
    let typed = server.folder().join("typed.txt");
    let _terminal = display.terminal(&typed)?;
    let browser = Browser::start_as(&json!({ "ignoreHTTPSErrors": true }))?;
    browser.login(&server.url, &server.admin)?;
    let code = browser.new_code(false)?;
    // The agent verifies the proxy's certificate by the system's roots.
    let _agent = Agent::start_with(&server, &display, &code, &[("SSL_CERT_FILE", &files.path("roots.pem"))])?;
    Hand(&display).allow()?;
    browser.open_session()?;
    browser.type_at(&display, 300, 500, "through a proxy")?;
    until("the typed line", Duration::from_secs(10), || {
        Ok(std::fs::read_to_string(&typed)?.contains("through a proxy\n").then_some(()))
    })?;
    browser.await_canvas(|| Picture::of_display(&display))?;

    // Whoever claims another address is known by their own.
    let claimed = Command::new("curl")
        .args(["--silent", "--insecure", "--noproxy", "*", "--interface", "127.0.0.9"])
        .args(["--header", "X-Forwarded-For: 203.0.113.9", "--header", "Content-Type: application/json"])
        .args(["--data", r#"{"username":"mallory","password":"wrong-harbour-ladder-52"}"#])
        .arg(format!("https://localhost:{port}/api/auth/login"))
        .output()?;
    ensure!(String::from_utf8_lossy(&claimed.stdout).contains("LOGIN_FAILED"), "{claimed:?}");
    let login = server.login(&server.admin)?;
    let failed = server.get("/api/audit?event=login_failed", &login)?;
    ensure!(failed["items"][0]["address"] == "127.0.0.9", "{failed}");
    Ok(())
}

fn quiet(command: &mut Command, log: &Path) -> Result<Child> {
    Child::spawn(command.stdout(Stdio::null()).stderr(std::fs::File::create(log)?))
}

#[test]
fn nginx() -> Result<()> {
    session_through(|files, port, inner| {
        let site = adapted(
            "nginx.conf",
            &[
                ("listen 443 ssl", format!("listen 127.0.0.1:{port} ssl")),
                ("server_name help.example", "server_name localhost".to_owned()),
                ("/etc/ssl/help.example.crt", files.path("tls.crt")),
                ("/etc/ssl/help.example.key", files.path("tls.key")),
                ("127.0.0.1:8480", format!("127.0.0.1:{inner}")),
            ],
        )?;
        let folder = files.path("");
        let places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let places: String = places.iter().map(|place| format!("{place}_temp_path {folder}/{place};\n")).collect();
        let main = format!(
            "daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log stderr;\nevents {{}}\n\
             http {{\naccess_log off;\n{places}{site}\n}}\n"
        );
        std::fs::write(files.path("nginx.conf"), main)?;
        let mut command = Command::new("/usr/sbin/nginx");
        quiet(command.args(["-c", &files.path("nginx.conf"), "-p", &folder]), files.path("nginx.log").as_ref())
    })
}

#[test]
fn caddy() -> Result<()> {
    session_through(|files, port, inner| {
        let tls = format!("https://localhost:{port} {{\n\ttls {} {}", files.path("tls.crt"), files.path("tls.key"));
        let site = adapted("Caddyfile", &[("help.example {", tls), ("127.0.0.1:8480", format!("127.0.0.1:{inner}"))])?;
        let global = "{\n\tadmin off\n\tauto_https disable_redirects\n}\n";
        std::fs::write(files.path("Caddyfile"), format!("{global}{site}"))?;
        let mut command = Command::new("caddy");
        command.args(["run", "--adapter", "caddyfile", "--config", &files.path("Caddyfile")]);
        quiet(command.env("HOME", files.path("")), files.path("caddy.log").as_ref())
    })
}

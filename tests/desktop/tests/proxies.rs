//! Behind the proxies of `deploy/`, with the real programs: a whole session,
//! and the client's own address in the audit trail.

use std::cell::OnceCell;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use gc_desktop_tests::{Agent, Browser, Child, Display, Hand, Picture, Server, repository, until};
use gc_record::Output;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use serde_json::json;

struct Files {
    folder: tempfile::TempDir,
    logs: OnceCell<PathBuf>,
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
        Ok(Self { folder, logs: OnceCell::new() })
    }

    /// Where the proxy writes its log.
    fn log(&self, output: Output) -> PathBuf {
        self.logs.get_or_init(|| gc_record::output_or(output, self.folder.path().join("access.log"))).clone()
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

/// A call by this address of ours.
fn call(port: u16, path: &str, more: &[&str]) -> Result<String> {
    let asked = Command::new("curl")
        .args(["--silent", "--insecure", "--noproxy", "*", "--interface", "127.0.0.9"])
        .args(more)
        .arg(format!("https://localhost:{port}{path}"))
        .output()?;
    Ok(String::from_utf8_lossy(&asked.stdout).into_owned())
}

fn session_through(output: Output, proxy: impl FnOnce(&Files, u16, u16) -> Result<Child>) -> Result<()> {
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
    let mut claims = vec!["--header", "X-Forwarded-For: 203.0.113.9", "--header", "Content-Type: application/json"];
    claims.extend(["--data", r#"{"username":"mallory","password":"wrong-harbour-ladder-52"}"#]);
    let claimed = call(port, "/api/auth/login", &claims)?;
    ensure!(claimed.contains("LOGIN_FAILED"), "{claimed}");
    let login = server.login(&server.admin)?;
    let failed = server.get("/api/audit?event=login_failed", &login)?;
    ensure!(failed["items"][0]["address"] == "127.0.0.9", "{failed}");
    // The proxy's log tells what was asked for, and no code.
    let (code, _) = server.code(&login, "view")?;
    let valid = call(port, &format!("/api/codes/{code}/validate"), &[])?;
    ensure!(valid.contains(r#""valid":true"#), "{valid}");
    call(port, &format!("/?planted={}", gc_record::plant(output)), &[])?;
    let log = files.log(output);
    until("the calls in the proxy's log", Duration::from_secs(10), || {
        let text = std::fs::read_to_string(&log)?;
        Ok((text.contains("/api/codes/*/validate") && text.contains("PLANTED")).then_some(()))
    })?;
    ensure!(!std::fs::read_to_string(&log)?.contains(&code), "the proxy's log has the code");
    Ok(())
}

fn logged(command: &mut Command, log: &Path) -> Result<Child> {
    let log = std::fs::File::create(log)?;
    Child::spawn(command.stdout(log.try_clone()?).stderr(log))
}

#[test]
fn nginx() -> Result<()> {
    session_through(Output::Nginx, |files, port, inner| {
        let site = adapted(
            "nginx.conf",
            &[
                ("listen 443 ssl", format!("listen 127.0.0.1:{port} ssl")),
                ("server_name help.example", "server_name localhost".to_owned()),
                ("/etc/ssl/help.example.crt", files.path("tls.crt")),
                ("/etc/ssl/help.example.key", files.path("tls.key")),
                ("127.0.0.1:8480", format!("127.0.0.1:{inner}")),
                ("/var/log/nginx/guruconnect.log", files.log(Output::Nginx).display().to_string()),
            ],
        )?;
        let folder = files.path("");
        let places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let places: String = places.iter().map(|place| format!("{place}_temp_path {folder}/{place};\n")).collect();
        let main = format!(
            "daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log stderr;\nevents {{}}\n\
             http {{\n{places}{site}\n}}\n"
        );
        std::fs::write(files.path("nginx.conf"), main)?;
        let mut command = Command::new("/usr/sbin/nginx");
        let said = gc_record::output_or(Output::Nginx, files.path("nginx.log").into());
        logged(command.args(["-c", &files.path("nginx.conf"), "-p", &folder]), &said)
    })
}

#[test]
fn caddy() -> Result<()> {
    session_through(Output::Caddy, |files, port, inner| {
        let tls = format!("https://localhost:{port} {{\n\ttls {} {}", files.path("tls.crt"), files.path("tls.key"));
        let site = adapted("Caddyfile", &[("help.example {", tls), ("127.0.0.1:8480", format!("127.0.0.1:{inner}"))])?;
        // Its own options come first, in one block.
        let (before, after) = site.split_once("\n{\n").context("the example has no options")?;
        let options = "{\n\tadmin off\n\tauto_https disable_redirects\n";
        std::fs::write(files.path("Caddyfile"), format!("{before}\n{options}{after}"))?;
        let mut command = Command::new("caddy");
        command.args(["run", "--adapter", "caddyfile", "--config", &files.path("Caddyfile")]);
        logged(command.env("HOME", files.path("")), &files.log(Output::Caddy))
    })
}

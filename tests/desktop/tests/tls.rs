//! TLS in the server, with real programs at the other end: a self-made
//! certificate, files that are renewed, and an authority that is asked by ACME.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use gc_desktop_tests::{Agent, Browser, Child, Display, Hand, Picture, Server, programs, until};
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, KeyPair};
use serde_json::json;
use ureq::tls::{RootCerts, TlsConfig};

/// An authority in the house.
struct Authority {
    certificate: Certificate,
    key: KeyPair,
}

impl Authority {
    fn new(name: &str) -> Result<Self> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        Ok(Self { certificate: params.self_signed(&key)?, key })
    }

    /// Write a certificate for this machine and its key.
    fn issue(&self, chain: &Path, key: &Path) -> Result<()> {
        let pair = KeyPair::generate()?;
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()])?;
        let certificate = params.signed_by(&pair, &self.certificate, &self.key)?;
        std::fs::write(chain, certificate.pem())?;
        std::fs::write(key, pair.serialize_pem())?;
        Ok(())
    }
}

/// What `/healthz` answers to somebody who trusts these certificates only.
fn ask(url: &str, trusted: &str) -> Result<u16> {
    let roots = ureq::tls::parse_pem(trusted.as_bytes()).filter_map(|item| match item {
        Ok(ureq::tls::PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    let roots = RootCerts::Specific(Arc::new(roots.collect()));
    let tls = TlsConfig::builder().root_certs(roots).build();
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .proxy(None)
        .http_status_as_error(false)
        .tls_config(tls)
        .timeout_global(Some(Duration::from_secs(5)))
        .build()
        .into();
    Ok(agent.get(url).call()?.status().as_u16())
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

#[test]
fn a_self_made_certificate_is_known_by_its_identity() -> Result<()> {
    let server = Server::start_with("127.0.0.1:0", &["--tls-self-made"])?;
    ensure!(server.url.starts_with("https://127.0.0.1:"), "{}", server.url);
    let display = Display::start(1280, 800)?;
    let typed = server.folder().join("typed.txt");
    let _terminal = display.terminal(&typed)?;
    let browser = Browser::start_as(&json!({ "ignoreHTTPSErrors": true }))?;
    browser.login(&server.url, &server.admin)?;
    let code = browser.new_code(false)?;

    // One that belongs to another server does not even tell its code.
    let other = tempfile::tempdir()?;
    let stranger = other.path().join("stranger");
    let filled = Command::new(programs("guruconnect-server", "GC_SERVER")?)
        .args(["client", "--url", &server.url, "--input"])
        .arg(programs("guruconnect", "GC_CLIENT_LINUX")?)
        .arg("--output")
        .arg(&stranger)
        .arg("--data")
        .arg(other.path())
        .stdout(Stdio::null())
        .status()?;
    ensure!(filled.success(), "no client could be made for another identity");
    make_executable(&stranger)?;
    let refused = Agent::start_program(&stranger, &display, &code)?;
    until("the refusal of a stranger's certificate", Duration::from_secs(20), || {
        Ok(refused.log().contains("certificate cannot be verified").then_some(()))
    })?;
    Hand(&display).await_window("^GuruConnect$")?;
    drop(refused);
    ensure!(!server.log().contains("/ws/agent"), "a stranger's agent has asked for a socket");

    let _agent = Agent::start(&server, &display, &code)?;
    Hand(&display).allow()?;
    browser.open_session()?;
    browser.type_at(&display, 300, 500, "over a line of our own")?;
    until("the typed line", Duration::from_secs(10), || {
        Ok(std::fs::read_to_string(&typed)?.contains("over a line of our own\n").then_some(()))
    })?;
    browser.await_canvas(|| Picture::of_display(&display))?;
    Ok(())
}

#[test]
fn files_are_read_again_when_they_change() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (chain, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    let (first, second) = (Authority::new("first")?, Authority::new("second")?);
    first.issue(&chain, &key)?;
    let mut server = Server::start_with("127.0.0.1:0", &["--tls-cert", text(&chain)?, "--tls-key", text(&key)?])?;
    let url = format!("{}/healthz", server.url);
    ensure!(ask(&url, &first.certificate.pem())? == 200, "not healthy");
    ensure!(ask(&url, &second.certificate.pem()).is_err(), "anybody's certificate will do");

    // Half of the new pair: the old one goes on.
    std::fs::write(&chain, second.certificate.pem())?;
    server.child().hang_up()?;
    until("the word about it", Duration::from_secs(10), || {
        Ok(server.log().contains("the new certificate is not taken").then_some(()))
    })?;
    ensure!(ask(&url, &first.certificate.pem())? == 200, "the old certificate is gone");

    second.issue(&chain, &key)?;
    server.child().hang_up()?;
    until("the new certificate", Duration::from_secs(10), || {
        Ok((ask(&url, &second.certificate.pem())? == 200).then_some(()))
    })?;
    ensure!(ask(&url, &first.certificate.pem()).is_err(), "the old certificate still holds");
    Ok(())
}

#[test]
fn an_authority_gives_a_certificate() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = |name: &str| folder.path().join(name);
    let house = Authority::new("the authority's own")?;
    house.issue(&file("pebble.crt"), &file("pebble.key"))?;
    std::fs::write(file("roots.pem"), house.certificate.pem())?;
    let (port, directory, management) = (free_port()?, free_port()?, free_port()?);
    let config = json!({ "pebble": {
        "listenAddress": format!("127.0.0.1:{directory}"), "managementListenAddress": format!("127.0.0.1:{management}"),
        "certificate": file("pebble.crt"), "privateKey": file("pebble.key"), "httpPort": free_port()?, "tlsPort": port,
        "ocspResponderURL": "", "externalAccountBindingRequired": false,
    } });
    std::fs::write(file("pebble.json"), config.to_string())?;
    let said = std::fs::File::create(gc_record::output_or(gc_record::Output::Pebble, file("pebble.log")))?;
    let _pebble = Child::spawn(
        Command::new("pebble")
            .arg("-config")
            .arg(file("pebble.json"))
            .env("PEBBLE_VA_NOSLEEP", "1")
            .stdout(said.try_clone()?)
            .stderr(said),
    )?;
    let directory = format!("https://127.0.0.1:{directory}/dir");
    until("the authority", Duration::from_secs(15), || Ok(Some(ask(&directory, &house.certificate.pem())?)))?;

    let roots = file("roots.pem");
    let listen = format!("127.0.0.1:{port}");
    let options = [
        "--acme-domain",
        "localhost",
        "--acme-contact",
        "ada@example.org",
        "--acme-directory",
        &directory,
        "--acme-roots",
        text(&roots)?,
    ];
    let log = gc_record::output_or(gc_record::Output::Server, file("server.log"));
    let server = launch(&listen, &options, folder.path(), &log)?;
    let given = fetch(&format!("https://127.0.0.1:{management}/roots/0"))?;
    until("a certificate of the authority", Duration::from_secs(60), || {
        Ok(Some(ask(&format!("https://localhost:{port}/healthz"), &given)?))
    })
    .with_context(|| std::fs::read_to_string(&log).unwrap_or_default())?;
    drop(server);
    Ok(())
}

/// The server alone: before it has a certificate nobody can set it up.
fn launch(listen: &str, options: &[&str], folder: &Path, log: &Path) -> Result<Child> {
    Child::spawn(
        Command::new(programs("guruconnect-server", "GC_SERVER")?)
            .args(["serve", "--listen", listen, "--data"])
            .arg(folder.join("data"))
            .args(options)
            .envs(gc_record::talkative())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(log)?),
    )
}

/// A text from somewhere that needs no trust.
fn fetch(url: &str) -> Result<String> {
    let tls = TlsConfig::builder().disable_verification(true).build();
    let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).tls_config(tls).build().into();
    Ok(agent.get(url).call()?.body_mut().read_to_string()?)
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("the folder has no readable name")
}

fn make_executable(path: &PathBuf) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?)
}

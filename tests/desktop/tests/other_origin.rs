//! A page of another origin, in the browser of somebody who is logged in,
//! tries all that such a page can try: nothing changes, nothing is read, nothing
//! is framed, no socket opens. And requests whose names do not fit, by hand.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use gc_desktop_tests::{Agent, Browser, Display, Hand, Server};
use serde_json::{Value, json};

/// What the other page does.
const ATTEMPTS: &str = include_str!("../browser/other_origin.js");

/// A stranger's web server: the same page at every address.
fn stranger() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = [0; 4096];
            if !matches!(stream.read(&mut head), Ok(1..)) {
                continue;
            }
            let page = "<!doctype html><title>Stranger</title><p>Hello";
            let length = page.len();
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{page}"
            );
        }
    });
    Ok(port)
}

/// A live session on a real desktop.
struct Scene {
    server: Server,
    login: String,
    session: String,
    user: String,
    _agent: Agent,
    _display: Display,
}

impl Scene {
    fn open() -> Result<Self> {
        let server = Server::start()?;
        let display = Display::start(800, 600)?;
        let login = server.login(&server.admin)?;
        let (code, session) = server.code(&login, "control")?;
        let agent = Agent::start(&server, &display, &code)?;
        Hand(&display).allow()?;
        server.await_state(&login, &session, "live")?;
        let user = server.get("/api/auth/me", &login)?["id"].as_str().context("no id")?.to_owned();
        Ok(Self { server, login, session, user, _agent: agent, _display: display })
    }

    /// Log in at the server by one of its names, and see the session.
    fn log_in(&self, browser: &Browser, target: &str) -> Result<()> {
        browser.run("goto", json!({ "url": format!("{target}/login") }))?;
        browser.run("fill", json!({ "label": "User name", "text": self.server.admin.username }))?;
        browser.run("fill", json!({ "label": "Password", "text": self.server.admin.password }))?;
        browser.run("click_button", json!({ "name": "Log in" }))?;
        browser.run("wait_selector", json!({ "selector": "td .state.live" })).map(drop)
    }

    fn port(&self) -> &str {
        self.server.url.rsplit(':').next().unwrap_or_default()
    }

    /// All that could have changed.
    fn state(&self) -> Result<BTreeMap<&'static str, Value>> {
        let paths = [
            "/api/users?limit=200",
            "/api/codes",
            "/api/sessions?limit=200",
            "/api/settings",
            "/api/tokens",
            "/api/auth/me",
            "/api/audit?limit=200",
        ];
        paths.into_iter().map(|path| Ok((path, self.server.get(path, &self.login)?))).collect()
    }

    fn token(&self) -> Result<String> {
        let minted = self.server.post(
            &format!("/api/sessions/{}/viewer-token", self.session),
            Some(&self.login),
            &Value::Null,
        )?;
        minted["token"].as_str().map(str::to_owned).context("no token")
    }

    fn attempts(&self, browser: &Browser, target: &str) -> Result<BTreeMap<String, String>> {
        let given = json!({ "target": target, "session": self.session, "user": self.user, "token": self.token()? });
        // Comments end with their lines.
        let script = format!("(\n{}\n)({given})", ATTEMPTS.trim_end());
        let script = script.split_once("async").map(|(_, rest)| format!("(async{rest}")).context("no script")?;
        Ok(serde_json::from_value(browser.run("evaluate", json!({ "script": script }))?)?)
    }
}

/// What may come of an attempt from elsewhere: nothing is read, nothing opened.
/// What the browser sends blindly has to be refused by the server; that it was
/// is seen by what has not changed.
fn is_harmless(outcome: &str) -> bool {
    // A refused frame has an error page of the browser's in it; see `framed`.
    outcome.starts_with("refused")
        || ["sent blindly", "there is a frame", "nothing came of it", "out of reach"].contains(&outcome)
}

/// Attempts whose refusal the other page itself sees.
const REFUSED: &[&str] = &["fetch: settings", "fetch: end", "fetch: user", "image: icon", "events", "socket: viewer"];

#[test]
fn a_page_of_another_origin_can_do_nothing() -> Result<()> {
    let scene = Scene::open()?;
    let (port, other) = (scene.port().to_owned(), stranger()?);
    // The same host at another port is the same site: cookies go there, and
    // the server alone can tell. Loopback only, because the cookie is kept from
    // plain HTTP elsewhere.
    let places = [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.1", "localhost"),
        ("localhost", "127.0.0.1"),
        ("127.0.0.1", "attacker.test"),
    ];
    for (host, from) in places {
        let names = "--host-resolver-rules=MAP *.test 127.0.0.1";
        let browser = Browser::start_as(&json!({ "args": [names] }))?;
        let target = format!("http://{host}:{port}");
        scene.log_in(&browser, &target)?;

        let before = scene.state()?;
        browser.run("goto", json!({ "url": format!("http://{from}:{other}/") }))?;
        let outcomes = scene.attempts(&browser, &target)?;
        ensure!(outcomes.len() > 40, "few attempts: {outcomes:?}");
        let mut wrong = Vec::new();
        for (name, outcome) in &outcomes {
            let harmless = if name == "cookies that scripts see" { outcome.is_empty() } else { is_harmless(outcome) };
            // What is not sent blindly has to be refused in so many words.
            let refused = outcome.starts_with("refused") || !REFUSED.contains(&name.as_str());
            if !harmless || !refused {
                wrong.push(format!("{name}: {outcome}"));
            }
        }
        // Every frame stayed empty: none has an address of the server's.
        let frames = browser.run("frames", json!({}))?;
        let frames = frames.as_array().context("no frames")?;
        ensure!(frames.len() > 10, "few frames: {frames:?}");
        let framed = frames.iter().filter_map(Value::as_str).filter(|url| url.contains(&format!("{host}:{port}")));
        wrong.extend(framed.map(|url| format!("{url} is framed")));
        let after = scene.state()?;
        for (path, value) in &before {
            if after.get(path) != Some(value) {
                wrong.push(format!("{path} has changed"));
            }
        }
        ensure!(wrong.is_empty(), "{target} from {from}:\n{}", wrong.join("\n"));
        // The login is what it was.
        browser.run("goto", json!({ "url": target }))?;
        browser.run("wait_selector", json!({ "selector": "td .state.live" }))?;
    }
    Ok(())
}

/// The same attempts from the server's own page come through: it is for their
/// origin that the others are refused.
#[test]
fn the_servers_own_page_can() -> Result<()> {
    let scene = Scene::open()?;
    let browser = Browser::start()?;
    scene.log_in(&browser, &scene.server.url)?;
    let fetch = |path: &str, method: &str, body: Option<Value>| {
        let options = json!({ "method": method, "headers": { "content-type": "application/json" }, "body": body.map(|body| body.to_string()) });
        let script = format!("fetch('{path}', {options}).then((answer) => answer.status)");
        browser.run("evaluate", json!({ "script": script }))
    };
    for (path, method, body, status) in [
        ("/api/auth/me", "GET", None, 200),
        ("/api/codes", "POST", Some(json!({ "access": "control" })), 201),
        ("/api/settings", "PATCH", Some(json!({ "most_viewers": 5 })), 200),
        ("/icon.svg", "GET", None, 200),
    ] {
        ensure!(fetch(path, method, body)? == json!(status), "{method} {path}");
    }
    let script = format!(
        "new Promise((done) => {{ const opened = new WebSocket('ws://' + location.host + '/ws/viewer?session_id={}', \
         ['guruconnect.v2', 'guruconnect.token.{}']); opened.onopen = () => done('opened'); opened.onerror = () => done('refused'); }})",
        scene.session,
        scene.token()?
    );
    ensure!(browser.run("evaluate", json!({ "script": script }))? == json!("opened"), "its own socket is refused");
    Ok(())
}

/// A name that leads to the server, but is not its own: what a page gets whose
/// name was made to lead there after it was loaded.
#[test]
fn a_name_made_to_lead_here_has_no_login() -> Result<()> {
    let scene = Scene::open()?;
    let names = "--host-resolver-rules=MAP *.test 127.0.0.1";
    let browser = Browser::start_as(&json!({ "args": [names] }))?;
    scene.log_in(&browser, &scene.server.url)?;
    let before = scene.state()?;
    browser.run("goto", json!({ "url": format!("http://rebound.test:{}/join", scene.port()) }))?;
    for (path, method) in
        [("/api/auth/me", "GET"), ("/api/codes", "POST"), ("/api/events", "GET"), ("/api/tokens", "GET")]
    {
        let script = format!(
            "fetch('{path}', {{ method: '{method}', credentials: 'include' }}).then((answer) => answer.status)"
        );
        ensure!(browser.run("evaluate", json!({ "script": script }))? == json!(401), "{method} {path}");
    }
    ensure!(scene.state()? == before, "something has changed");
    Ok(())
}

/// The body of a request for a code.
const CODE: &str = "{\"access\":\"control\"}";

/// One request by hand; its status and its error code.
fn ask(server: &Server, head: &str, body: &str) -> Result<(u16, String)> {
    let address = server.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    if body.is_empty() {
        write!(stream, "{head}\r\n")?;
    } else {
        let length = body.len();
        write!(
            stream,
            "{head}content-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )?;
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status")?;
    let code = answer.split_once("\"error_code\":\"").and_then(|(_, rest)| rest.split('"').next());
    Ok((status, code.unwrap_or_default().to_owned()))
}

#[test]
fn names_that_do_not_fit_are_refused() -> Result<()> {
    let public = "https://support.example.com";
    for named in [false, true] {
        let server = Server::start()?;
        let login = server.login(&server.admin)?;
        if named {
            let set = json!({ "public_url": public }).to_string();
            let head = format!("PATCH /api/settings HTTP/1.1\r\nhost: here\r\nauthorization: Bearer {login}\r\n");
            ensure!(ask(&server, &head, &set)?.0 == 200, "the address is not taken");
        }
        let cookie = format!("cookie: guruconnect_login={login}\r\n");
        let host = server.url.trim_start_matches("http://").to_owned();
        let own = if named { public.to_owned() } else { server.url.clone() };
        let begins = format!("{own}.attacker.example");
        let user = format!("http://{host}@attacker.example");
        let rows: Vec<(&str, String, u16)> = vec![
            ("its own", format!("host: {host}\r\norigin: {own}\r\n"), 201),
            ("no origin", format!("host: {host}\r\n"), 403),
            ("another", format!("host: {host}\r\norigin: http://attacker.example\r\n"), 403),
            ("none", format!("host: {host}\r\norigin: null\r\n"), 403),
            ("begins with it", format!("host: {host}\r\norigin: {begins}\r\n"), 403),
            ("has it as a user", format!("host: {host}\r\norigin: {user}\r\n"), 403),
            ("another port", format!("host: {host}\r\norigin: http://127.0.0.1:1\r\n"), 403),
            ("empty", format!("host: {host}\r\norigin: \r\n"), 403),
            (
                "the browser says another site",
                format!("host: {host}\r\norigin: {own}\r\nsec-fetch-site: cross-site\r\n"),
                403,
            ),
            (
                "the browser says the same site",
                format!("host: {host}\r\norigin: {own}\r\nsec-fetch-site: same-site\r\n"),
                403,
            ),
        ];
        for (name, headers, status) in rows {
            let (got, code) = ask(&server, &format!("POST /api/codes HTTP/1.1\r\n{headers}{cookie}"), CODE)?;
            ensure!(got == status, "{name}: {got} {code}");
            ensure!(status != 403 || code == "CROSS_ORIGIN", "{name}: {code}");
        }
        // Made to lead here: both names are the stranger's. A browser sends no
        // cookie with them; where the server knows its name, one would not help.
        let rebound = "host: attacker.example\r\norigin: http://attacker.example\r\n";
        let (got, code) = ask(&server, &format!("POST /api/codes HTTP/1.1\r\n{rebound}"), CODE)?;
        ensure!(got == 401, "rebound without a cookie: {got} {code}");
        let upgrade = "connection: upgrade, close\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
            sec-websocket-key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nsec-websocket-protocol: guruconnect.v2\r\n";
        let socket = "GET /ws/viewer?session_id=00000000-0000-7000-8000-000000000000 HTTP/1.1\r\n";
        for (headers, wanted) in [
            (rebound.to_owned(), if named { "ORIGIN_REFUSED" } else { "UNAUTHORIZED" }),
            (format!("host: {host}\r\norigin: http://attacker.example\r\n"), "ORIGIN_REFUSED"),
            (format!("host: {host}\r\norigin: null\r\n"), "ORIGIN_REFUSED"),
            (format!("host: {host}\r\norigin: {own}\r\n"), "UNAUTHORIZED"),
        ] {
            let (status, code) = ask(&server, &format!("{socket}{headers}{upgrade}"), "")?;
            ensure!(code == wanted, "{headers:?}: {status} {code}");
        }
        if named {
            let (got, code) = ask(&server, &format!("POST /api/codes HTTP/1.1\r\n{rebound}{cookie}"), CODE)?;
            ensure!(got == 403, "rebound with a cookie: {got} {code}");
        }
    }
    Ok(())
}

//! A relay that forwards what it should not: the real agent refuses.

use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use gc_desktop_tests::{CONSENT, Child, Display, Hand, programs};
use gc_protocol::messages::{
    AccessMode, AgentWelcome, Body, ConsentRequest, Heartbeat, InputReset, KeyEvent, PointerMove, StartStream,
    TextInput, ViewerJoined,
};
use gc_protocol::{AgentHeader, encode_framed, header};
use tungstenite::handshake::server::{Request, Response};
use tungstenite::{Message, WebSocket};

const SLOT: u32 = 1;

struct Relay(WebSocket<std::net::TcpStream>);

impl Relay {
    fn send(&mut self, peer: u32, body: impl Into<Body>) -> Result<()> {
        let message = encode_framed(AgentHeader::new(SLOT, peer), body);
        Ok(self.0.send(Message::Binary(message))?)
    }

    /// The next body from the agent that `wanted` picks.
    fn next<T>(&mut self, wanted: impl Fn(AgentHeader, &Body) -> Option<T>) -> Result<T> {
        for _ in 0..10_000 {
            let Message::Binary(bytes) = self.0.read()? else { continue };
            let (header, raw) = header::split(bytes)?;
            if let Some(body) = raw.decode()?
                && let Some(found) = wanted(header, &body)
            {
                return Ok(found);
            }
        }
        bail!("the agent never said that")
    }
}

#[test]
fn the_agent_itself_refuses() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let display = Display::start(1024, 768)?;
    let typed = folder.path().join("typed.txt");
    let _terminal = display.terminal(&typed)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let path = folder.path().join("GuruConnect-ABC-DEF-GHJ");
    std::fs::copy(programs("guruconnect", "GC_CLIENT_LINUX")?, &path)?;
    let anchored = Command::new(programs("guruconnect-server", "GC_SERVER")?)
        .args(["client", "--url", &format!("http://{}", listener.local_addr()?), "--input"])
        .arg(programs("guruconnect", "GC_CLIENT_LINUX")?)
        .arg("--output")
        .arg(&path)
        .arg("--data")
        .arg(folder.path().join("data"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    assert!(anchored.success());
    let _agent = Child::spawn(display.command(&path).stderr(Stdio::null()))?;

    let (stream, _) = listener.accept()?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    #[expect(clippy::result_large_err, reason = "the library's own signature")]
    let choose = |request: &Request, mut response: Response| {
        assert_eq!(request.headers()["authorization"], "Code ABC-DEF-GHJ");
        response.headers_mut().insert("sec-websocket-protocol", "guruconnect.v2".parse().expect("a header"));
        Ok(response)
    };
    let mut relay = Relay(tungstenite::accept_hdr(stream, choose).ok().context("no socket")?);
    relay.next(|_, body| matches!(body, Body::AgentHello(_)).then_some(()))?;
    let session_id = "01970000-0000-7000-8000-000000000001".to_owned();
    let welcome = AgentWelcome {
        version: 2,
        session_id: session_id.clone(),
        slot: SLOT,
        resume_secret: format!("rsm_{}", "ab".repeat(32)),
        ..Default::default()
    };
    relay.0.send(Message::Binary(encode_framed(AgentHeader::connection(), welcome)))?;

    // Before any consent: nobody may join, type, or see.
    let control = AccessMode::AccessControl;
    relay.send(0, ViewerJoined { viewer: 1, name: "Eve".into(), mode: control.into() })?;
    relay.send(0, StartStream { viewer: 1, ..Default::default() })?;
    let text = |text: &str| TextInput { text: text.into(), seq: 0 };
    relay.send(1, text("before consent\n"))?;

    // The person accepts to be seen, and no more.
    let request = ConsentRequest {
        request_id: "r".into(),
        session_id,
        technician_name: "Eve".into(),
        access: AccessMode::AccessViewOnly.into(),
        timeout_seconds: 60,
        ..Default::default()
    };
    relay.send(0, request)?;
    Hand(&display).allow()?;
    let granted = relay.next(|header, body| match body {
        Body::VideoFrame(_) => panic!("a picture before consent"),
        Body::ConsentResponse(answer) if header.slot == SLOT => Some(answer.granted),
        _ => None,
    })?;
    assert!(granted);

    // A relay that lies about what the person allowed.
    relay.send(0, ViewerJoined { viewer: 1, name: "Eve".into(), mode: control.into() })?;
    relay.send(1, text("typed by a liar\n"))?;
    relay.send(1, PointerMove { x: 3, y: 3, ..Default::default() })?;
    for down in [true, false] {
        relay.send(1, KeyEvent { scan_code: 0x1c, down, ..Default::default() })?;
    }
    relay.send(1, InputReset::default())?;
    // A viewer that never joined.
    relay.send(7, text("typed by nobody\n"))?;
    // Input hidden behind an allowed message.
    let mut smuggled = AgentHeader::new(SLOT, 1).to_bytes().to_vec();
    smuggled.extend(gc_protocol::encode(gc_protocol::messages::RefreshRequest::default()));
    smuggled.extend(gc_protocol::encode(text("smuggled\n")));
    relay.0.send(Message::Binary(smuggled.into()))?;

    // The agent has worked off all of it when it answers this, and watching works.
    relay.send(0, StartStream { viewer: 1, ..Default::default() })?;
    relay.next(|_, body| matches!(body, Body::VideoFrame(_)).then_some(()))?;
    let beat = encode_framed(AgentHeader::connection(), Heartbeat { sequence: 99, sent_at_us: 0 });
    relay.0.send(Message::Binary(beat))?;
    relay.next(|_, body| matches!(body, Body::HeartbeatAck(ack) if ack.sequence == 99).then_some(()))?;
    // A person's own line shows that the terminal works, and nothing stood before it.
    Hand(&display).click(300, 500)?;
    Hand(&display).text("mine")?;
    Hand(&display).key("Return")?;
    let text = gc_desktop_tests::until("the person's own line", Duration::from_secs(10), || {
        let text = std::fs::read_to_string(&typed)?;
        Ok(text.contains("mine").then_some(text))
    })?;
    assert_eq!(text, "mine\n");
    assert_eq!(Hand(&display).window(CONSENT), None);
    Ok(())
}

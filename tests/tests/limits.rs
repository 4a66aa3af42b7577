//! Everything is bounded: messages, input, attempts; and what is refused is
//! refused in one shape.

use anyhow::{Result, ensure};
use gc_tests::messages::{
    Chat, ControlRequest, InputReset, KeyEvent, MouseButton, PointerButton, PointerMove, PointerWheel, QualitySettings,
    SwitchDisplay,
};
use gc_tests::{AgentHeader, Body, Clock, Config, FakeAgent, FakeViewer, Knock, Person, TestServer, await_body};

const STREAM: u32 = 0x8000_0001;
/// 4 MiB and 64 KiB.
const AGENT_MOST: usize = 4 * 1024 * 1024;
const VIEWER_MOST: usize = 64 * 1024;

async fn controlled(server: &TestServer) -> Result<(Person, String, FakeAgent, FakeViewer)> {
    let technician = server.person("operator").await?;
    let (session, mut agent) = server.live(&technician, "control").await?;
    let mut viewer = server.viewer(&technician, &session, "control").await?;
    await_body!(agent, ViewerJoined)?;
    viewer.send(ControlRequest { take: true });
    let number = viewer.number();
    viewer
        .until("being in control", |body| {
            matches!(body, Body::ControlState(state) if state.controller == number).then_some(())
        })
        .await?;
    Ok((technician, session, agent, viewer))
}

/// An envelope of exactly `length` bytes, written by hand: the body is one
/// bytes or text field that fills it.
fn envelope_of(length: usize, tag: &[u8], field: u8) -> Vec<u8> {
    let mut varint_length = 1;
    loop {
        let body = length - tag.len() - varint_length;
        let mut inner_length = 1;
        loop {
            let content = body - 1 - inner_length;
            if varint(content).len() == inner_length {
                if varint(body).len() != varint_length {
                    break;
                }
                let mut bytes = tag.to_vec();
                bytes.extend(varint(body));
                bytes.push(field);
                bytes.extend(varint(content));
                bytes.resize(length, b'x');
                return bytes;
            }
            inner_length += 1;
        }
        varint_length += 1;
    }
}

fn varint(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// Field 1 of the envelope, whose field 10 is the payload.
fn picture(length: usize) -> Vec<u8> {
    envelope_of(length, &[0x0a], 0x52)
}

#[tokio::test]
async fn an_agents_messages_end_at_4_mib() -> Result<()> {
    let server = TestServer::start().await?;
    let technician = server.person("operator").await?;
    let (_, mut agent) = server.live(&technician, "control").await?;
    let header = AgentHeader::new(agent.welcome.slot, STREAM).to_bytes();
    agent.send_bytes([&header[..], &picture(AGENT_MOST - header.len())].concat());
    agent.settle(1).await?;
    agent.send_bytes([&header[..], &picture(AGENT_MOST + 1)].concat());
    agent.ended().await?.expect(1009)?;
    Ok(())
}

#[tokio::test]
async fn a_viewers_messages_end_at_64_kib() -> Result<()> {
    let server = TestServer::start().await?;
    let (_, _, mut agent, mut viewer) = controlled(&server).await?;
    // A clipboard's part of exactly the length that is allowed; whether the
    // clipboard is, is another matter.
    viewer.send_bytes(envelope_of(VIEWER_MOST, &[0x6a], 0x22));
    viewer.settle(1).await?;
    viewer.send_bytes(envelope_of(VIEWER_MOST + 1, &[0x6a], 0x22));
    viewer.ended().await?.expect(1009)?;
    agent.settle(1).await?;
    Ok(())
}

fn transitions(agent: &FakeAgent, viewer: u32) -> Vec<u32> {
    let from_viewer = agent.seen().iter().filter(|received| received.header.peer == viewer);
    from_viewer
        .filter_map(|received| match &received.body {
            Body::KeyEvent(event) => Some(event.seq),
            Body::PointerButton(event) => Some(event.seq),
            Body::PointerWheel(event) => Some(event.seq),
            _ => None,
        })
        .collect()
}

fn moves(agent: &FakeAgent) -> Vec<u32> {
    let moves = agent.seen().iter().filter_map(|received| match &received.body {
        Body::PointerMove(event) => Some(event.seq),
        _ => None,
    });
    moves.collect()
}

/// 2,000 events at once, of which 120 are keys, buttons and the wheel.
#[tokio::test]
async fn moves_are_coalesced_and_transitions_are_not() -> Result<()> {
    let server = TestServer::start().await?;
    let (_, _, mut agent, viewer) = controlled(&server).await?;
    let mut expected = Vec::new();
    for seq in 1..=2000_u32 {
        let down = seq % 100 < 50;
        match seq % 50 {
            0 => viewer.send(KeyEvent { scan_code: 30, down, seq, ..KeyEvent::default() }),
            20 => {
                viewer.send(PointerButton { button: MouseButton::Left.into(), down, seq, ..PointerButton::default() })
            }
            40 => viewer.send(PointerWheel { delta_y: 120, seq, ..PointerWheel::default() }),
            _ => viewer.send(PointerMove { x: seq as i32, y: 5, seq, ..PointerMove::default() }),
        }
        if matches!(seq % 50, 0 | 20 | 40) {
            expected.push(seq);
        }
    }
    viewer.send(PointerMove { x: 4321, y: 5, seq: 2001, ..PointerMove::default() });
    // The last thing sent is where the pointer ends up; it comes in the end.
    agent
        .until("the last move", |body| matches!(body, Body::PointerMove(event) if event.seq == 2001).then_some(()))
        .await?;
    let came = transitions(&agent, viewer.number());
    ensure!(came == expected, "transitions were lost or changed places: {came:?}");
    let moved = moves(&agent);
    ensure!(moved.len() < 1000, "{} of 1,881 moves came within the second", moved.len());
    ensure!(moved.is_sorted(), "the pointer went back in time: {moved:?}");
    Ok(())
}

/// What cannot wait any more ends the viewer; what came through before it has
/// no gaps.
#[tokio::test]
async fn a_flood_of_transitions_ends_its_viewer() -> Result<()> {
    let server = TestServer::start().await?;
    let (technician, session, mut agent, mut viewer) = controlled(&server).await?;
    let other = server.viewer(&technician, &session, "control").await?;
    for seq in 1..=20_000_u32 {
        viewer.send(KeyEvent { scan_code: 30, down: seq % 2 == 1, seq, ..KeyEvent::default() });
    }
    let goodbye = viewer.ended().await?.expect(4429)?;
    ensure!(goodbye.may_retry && goodbye.retry_after_seconds > 0, "{goodbye:?}");
    let gone = viewer.number();
    agent
        .until("ViewerLeft", |body| matches!(body, Body::ViewerLeft(left) if left.viewer == gone).then_some(()))
        .await?;
    let came = transitions(&agent, gone);
    let expected: Vec<u32> = (1..).take(came.len()).collect();
    ensure!(came == expected, "transitions were lost: {came:?}");
    other.say(&mut agent, "marker").await?;
    Ok(())
}

/// Steady input below the limit comes through whole.
#[tokio::test]
async fn a_fast_typist_is_not_slowed() -> Result<()> {
    let server = TestServer::start().await?;
    let (_, _, mut agent, viewer) = controlled(&server).await?;
    for seq in 1..=150_u32 {
        viewer.send(KeyEvent { scan_code: 30, down: seq % 2 == 1, seq, ..KeyEvent::default() });
    }
    viewer.send(InputReset { seq: 151 });
    await_body!(agent, InputReset)?;
    let expected: Vec<u32> = (1..=150).collect();
    ensure!(transitions(&agent, viewer.number()) == expected);
    Ok(())
}

/// Wishes for other pictures may each cost the agent a fresh start.
#[tokio::test]
async fn wishes_are_bounded() -> Result<()> {
    let server = TestServer::start().await?;
    let (technician, session, mut agent, first) = controlled(&server).await?;
    first.cut();
    let wish = |number: u32| -> [Body; 2] {
        [
            QualitySettings { preset: 5, max_kbit_per_second: number, ..QualitySettings::default() }.into(),
            SwitchDisplay { display_id: number }.into(),
        ]
    };
    for kind in 0..2 {
        let other = server.viewer(&technician, &session, "control").await?;
        let mut viewer = server.viewer(&technician, &session, "control").await?;
        // As quickly as somebody may turn a wheel.
        (0..15).for_each(|number| viewer.send(wish(number)[kind].clone()));
        viewer.say(&mut agent, "fifteen").await?;
        (0..400).for_each(|number| viewer.send(wish(number)[kind].clone()));
        viewer.ended().await?.expect(4429)?;
        let gone = viewer.number();
        agent
            .until("ViewerLeft", |body| matches!(body, Body::ViewerLeft(left) if left.viewer == gone).then_some(()))
            .await?;
        let wishes = |body: &Body| matches!(body, Body::QualitySettings(_) | Body::SwitchDisplay(_));
        let came =
            agent.seen().iter().filter(|received| received.header.peer == gone && wishes(&received.body)).count();
        ensure!((15..=60).contains(&came), "{came} wishes came through");
        other.say(&mut agent, "marker").await?;
    }
    Ok(())
}

/// A line that is longer than 2,000 characters does not go on as it is.
#[tokio::test]
async fn chat_lines_are_bounded() -> Result<()> {
    let server = TestServer::start().await?;
    let (_, _, mut agent, viewer) = controlled(&server).await?;
    viewer.send(Chat { text: "x".repeat(2001), ..Chat::default() });
    let other = server.viewer(&server.admin, &viewer.welcome.session_id, "control").await?;
    other.say(&mut agent, "marker").await?;
    let longest = agent.seen().iter().filter_map(|received| match &received.body {
        Body::Chat(chat) => Some(chat.text.chars().count()),
        _ => None,
    });
    let longest = longest.max().unwrap_or_default();
    ensure!(longest <= 2000, "a line of {longest} characters went on");
    Ok(())
}

#[tokio::test]
async fn origins_of_viewers_are_checked() -> Result<()> {
    let embedding = |config: &mut Config| {
        config.public_url = Some("https://support.example".into());
        config.embedding_origins = vec!["https://portal.example".into()];
    };
    let server = TestServer::start_with(Clock::system(), embedding).await?;
    let technician = server.person("operator").await?;
    let (session, _agent) = server.live(&technician, "view").await?;
    for (origin, expected) in [
        (None, 101),
        (Some("https://support.example"), 101),
        (Some("https://portal.example"), 101),
        (Some("https://evil.example"), 403),
        (Some("http://support.example"), 403),
        (Some("https://support.example:8443"), 403),
        (Some("https://support.example.evil.example"), 403),
        (Some("https://evil.example/https://support.example"), 403),
        (Some("null"), 403),
        (Some(""), 403),
    ] {
        let token = technician.mint(&session, "view_only").await?;
        for browser in [false, true] {
            let mut knock = Knock::viewer(&session);
            knock = if browser { knock.token_subprotocol(&token) } else { knock.bearer(&token) };
            if let Some(origin) = origin {
                knock = knock.header("origin", origin);
            }
            let status = knock.status(server.address).await?;
            ensure!(status == expected, "the origin {origin:?} was answered {status}");
        }
    }
    Ok(())
}

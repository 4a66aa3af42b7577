//! Looking on means no input, whatever it is wrapped in; and of those who may
//! control, one does.

use anyhow::{Context, Result, ensure};
use gc_tests::messages::{
    AdminCommand, AgentHello, AgentStatus, Chat, ClipboardData, ClipboardOffer, ClipboardRequest, ConsentResponse,
    ControlRequest, Disconnect, DragDrop, DragEnter, FileChunk, FileOfferComplete, FileOfferStart, FileTransferAck,
    FileTransferCancel, FrameAck, InputReset, KeyEvent, MouseButton, PointerButton, PointerMove, PointerWheel,
    QualitySettings, RefreshRequest, SpecialKey, SpecialKeyKind, StartStream, StopStream, StreamAssign, TerminalData,
    TerminalOpen, TerminalResize, TextInput, VideoFrame, ViewerJoined,
};
use gc_tests::{AgentHeader, Body, FakeAgent, FakeViewer, Person, TestServer, await_body};

const STREAM: u32 = 0x8000_0001;

/// Every body with which a viewer acts on the machine.
fn input() -> Vec<Body> {
    vec![
        PointerMove { x: 10, y: 20, seq: 1, ..PointerMove::default() }.into(),
        PointerButton { button: MouseButton::Left.into(), down: true, seq: 2, ..PointerButton::default() }.into(),
        PointerWheel { delta_y: 120, seq: 3, ..PointerWheel::default() }.into(),
        KeyEvent { virtual_key: 65, scan_code: 30, down: true, seq: 4, ..KeyEvent::default() }.into(),
        TextInput { text: "rm -rf".into(), seq: 5 }.into(),
        SpecialKey { kind: SpecialKeyKind::SpecialKeyCtrlAltDel.into(), seq: 6 }.into(),
        InputReset { seq: 7 }.into(),
    ]
}

/// Whatever else a watcher has no business sending to the machine.
fn other_actions() -> Vec<Body> {
    vec![
        ClipboardOffer { offer_id: 1, ..ClipboardOffer::default() }.into(),
        ClipboardRequest { offer_id: 1, format: 1 }.into(),
        ClipboardData { offer_id: 1, bytes: "x".into(), last: true, ..ClipboardData::default() }.into(),
        FileOfferStart { transfer_id: 1, name: "x.exe".into(), size: 1, ..FileOfferStart::default() }.into(),
        FileChunk { transfer_id: 1, bytes: "x".into(), ..FileChunk::default() }.into(),
        FileOfferComplete { transfer_id: 1 }.into(),
        FileTransferAck { transfer_id: 1, window_credit: 1, ..FileTransferAck::default() }.into(),
        FileTransferCancel { transfer_id: 1, text: "x".into() }.into(),
        DragEnter { transfer_id: 1, names: vec!["x".into()] }.into(),
        DragDrop { transfer_id: 1, ..DragDrop::default() }.into(),
        TerminalOpen { terminal: 1, columns: 80, rows: 25, kind: 1 }.into(),
        TerminalData { terminal: 1, bytes: "x".into() }.into(),
        TerminalResize { terminal: 1, columns: 80, rows: 25 }.into(),
        QualitySettings { preset: 2, ..QualitySettings::default() }.into(),
    ]
}

/// What only the relay or the agent may say.
fn impersonations(session: &str) -> Vec<Body> {
    vec![
        ConsentResponse { session_id: session.into(), granted: true, ..ConsentResponse::default() }.into(),
        AdminCommand { kind: 1, text: "x".into() }.into(),
        StartStream { viewer: 1, ..StartStream::default() }.into(),
        StopStream { viewer: 1 }.into(),
        ViewerJoined { viewer: 77, name: "x".into(), mode: 2 }.into(),
        StreamAssign { viewer: 1, stream: STREAM }.into(),
        AgentHello::default().into(),
        AgentStatus::default().into(),
        VideoFrame { stream: STREAM, last_part: true, ..VideoFrame::default() }.into(),
    ]
}

async fn watched(server: &TestServer, access: &str, claim: &str) -> Result<(Person, String, FakeAgent, FakeViewer)> {
    let technician = server.person("operator").await?;
    let (session, mut agent) = server.live(&technician, access).await?;
    let viewer = server.viewer(&technician, &session, claim).await?;
    await_body!(agent, ViewerJoined)?;
    Ok((technician, session, agent, viewer))
}

/// Whatever has come to the agent from this viewer, in order, but for what it
/// said.
fn from_viewer(agent: &FakeAgent, viewer: u32) -> Vec<Body> {
    let came = agent.seen().iter().filter(|received| received.header.peer == viewer);
    came.map(|received| received.body.clone()).filter(|body| !matches!(body, Body::Chat(_))).collect()
}

#[tokio::test]
async fn a_watcher_moves_nothing() -> Result<()> {
    let server = TestServer::start().await?;
    let (technician, session, mut agent, first) = watched(&server, "view", "view_only").await?;
    first.cut();
    for forbidden in input().into_iter().chain(other_actions()).chain(impersonations(&session)) {
        let viewer = server.viewer(&technician, &session, "view_only").await?;
        viewer.send(ControlRequest { take: true });
        viewer.send(forbidden.clone());
        // The marker goes the same way, behind it.
        viewer.say(&mut agent, "marker").await.with_context(|| format!("behind {forbidden:?}"))?;
        let came = from_viewer(&agent, viewer.number());
        ensure!(came.is_empty(), "a watcher sent {forbidden:?}, the agent got {came:?}");
    }
    // Nor did any of it come to the agent under another number.
    for received in agent.seen() {
        let expected = matches!(
            received.body,
            Body::Chat(_)
                | Body::ViewerJoined(_)
                | Body::ViewerLeft(_)
                | Body::StartStream(_)
                | Body::StopStream(_)
                | Body::AgentWelcome(_)
                | Body::ConsentRequest(_)
                | Body::ControlState(_)
                | Body::Heartbeat(_)
                | Body::HeartbeatAck(_)
                | Body::InputReset(_)
        );
        ensure!(expected, "the agent got {received:?}");
        let forged = matches!(&received.body, Body::ViewerJoined(joined) if joined.viewer == 77);
        ensure!(!forged, "a watcher announced another viewer");
    }
    Ok(())
}

/// A good-bye is the viewer's own: the agent hears from the relay that it has
/// gone, and nothing that it could take for its own end.
#[tokio::test]
async fn a_viewers_goodbye_ends_nobody_else() -> Result<()> {
    let server = TestServer::start().await?;
    let (technician, session, mut agent, viewer) = watched(&server, "view", "view_only").await?;
    let witness = server.viewer(&technician, &session, "view_only").await?;
    viewer.send(Disconnect { code: 9, text: "x".into(), ..Disconnect::default() });
    viewer.close();
    let left = await_body!(agent, ViewerLeft)?;
    ensure!(left.viewer == viewer.number());
    witness.say(&mut agent, "marker").await?;
    ensure!(!agent.seen().iter().any(|received| matches!(received.body, Body::Disconnect(_))));
    Ok(())
}

/// A watcher of a session that was opened for control is no better off.
#[tokio::test]
async fn a_watcher_beside_a_controller_moves_nothing() -> Result<()> {
    let server = TestServer::start().await?;
    let (technician, session, mut agent, _controller) = watched(&server, "control", "control").await?;
    let watcher = server.person("viewer").await?;
    let guest = server.guest(&technician, &watcher, &session, "view_only").await?;
    guest.send(ControlRequest { take: true });
    for forbidden in input() {
        guest.send(forbidden);
    }
    guest.say(&mut agent, "marker").await?;
    let came = from_viewer(&agent, guest.number());
    ensure!(came.is_empty(), "the agent got {came:?}");
    Ok(())
}

#[tokio::test]
async fn who_keeps_trying_is_disconnected() -> Result<()> {
    let server = TestServer::start().await?;
    let (technician, session, mut agent, witness) = watched(&server, "view", "view_only").await?;
    let mut viewer = server.viewer(&technician, &session, "view_only").await?;
    for seq in 0..1000 {
        viewer.send(KeyEvent { scan_code: 30, down: seq % 2 == 0, seq, ..KeyEvent::default() });
    }
    viewer.ended().await?.expect(4403)?;
    witness.say(&mut agent, "marker").await?;
    let came = from_viewer(&agent, viewer.number());
    ensure!(came.is_empty(), "the agent got {came:?}");
    Ok(())
}

/// What is newer than the server is ignored, however often it comes.
#[tokio::test]
async fn what_is_unknown_is_only_ignored() -> Result<()> {
    let server = TestServer::start().await?;
    let (_, _, mut agent, viewer) = watched(&server, "view", "view_only").await?;
    for _ in 0..200 {
        // Field 2000, empty.
        viewer.send_bytes(vec![0x82, 0x7d, 0x00]);
    }
    viewer.say(&mut agent, "marker").await?;
    let came = from_viewer(&agent, viewer.number());
    ensure!(came.is_empty(), "the agent got {came:?}");
    Ok(())
}

#[tokio::test]
async fn what_a_watcher_may_send_arrives_as_it_was() -> Result<()> {
    let server = TestServer::start().await?;
    let (_, _, mut agent, mut viewer) = watched(&server, "view", "view_only").await?;
    let number = viewer.number();
    agent.send(0, StreamAssign { viewer: number, stream: STREAM });
    agent.send(STREAM, VideoFrame { stream: STREAM, keyframe: true, last_part: true, ..VideoFrame::default() });
    let frame = await_body!(viewer, VideoFrame)?;
    ensure!(frame.stream == STREAM && frame.keyframe);
    let acknowledged = FrameAck { stream: STREAM, frame_number: 7, decode_us: 5, ..FrameAck::default() };
    let refreshed = RefreshRequest { stream: STREAM, epoch: 3, without_video: false };
    viewer.send(acknowledged);
    viewer.send(refreshed);
    viewer.say(&mut agent, "marker").await?;
    let slot = agent.welcome.slot;
    ensure!(slot != 0, "slot 0 is the connection's own");
    let came = from_viewer(&agent, number);
    ensure!(came.contains(&Body::FrameAck(acknowledged)), "{came:?}");
    ensure!(came.contains(&Body::RefreshRequest(refreshed)), "{came:?}");
    for received in agent.seen().iter().filter(|received| received.header.peer == number) {
        ensure!(received.header.slot == slot, "{received:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_line_says_truly_who_wrote_it() -> Result<()> {
    let server = TestServer::start().await?;
    let (technician, _, mut agent, mut viewer) = watched(&server, "view", "view_only").await?;
    let (slot, number) = (agent.welcome.slot, viewer.number());
    viewer.send(Chat { text: "hello".into(), from: "The Bank".into(), from_person: true });
    let (header, said) = agent
        .until_received("the chat line", |received| match &received.body {
            Body::Chat(chat) => Some((received.header, chat.clone())),
            _ => None,
        })
        .await?;
    ensure!(said.text == "hello" && said.from == technician.display_name && !said.from_person, "{said:?}");
    // And the other way: a line from the person is marked as theirs.
    agent.send(number, Chat { text: "hi".into(), from: "The Bank".into(), from_person: false });
    let answer = viewer
        .until("the answer", |body| match body {
            Body::Chat(chat) if chat.text == "hi" => Some(chat.clone()),
            _ => None,
        })
        .await?;
    ensure!(answer.from_person && answer.from != "The Bank", "{answer:?}");
    // Towards the agent the header names the viewer that sent it.
    ensure!(header == AgentHeader::new(slot, number), "the line came behind {header:?}");
    Ok(())
}

#[tokio::test]
async fn pictures_go_to_their_subscribers() -> Result<()> {
    let server = TestServer::start().await?;
    let (technician, session, mut agent, mut one) = watched(&server, "view", "view_only").await?;
    let mut two = server.viewer(&technician, &session, "view_only").await?;
    await_body!(agent, ViewerJoined)?;
    let other = STREAM + 1;
    agent.send(0, StreamAssign { viewer: one.number(), stream: STREAM });
    agent.send(0, StreamAssign { viewer: two.number(), stream: other });
    for (stream, payload) in [(STREAM, "one"), (other, "two"), (STREAM + 2, "nobody's")] {
        let payload = payload.into();
        agent.send(stream, VideoFrame { stream, keyframe: true, last_part: true, payload, ..VideoFrame::default() });
    }
    for (viewer, expected) in [(&mut one, "one"), (&mut two, "two")] {
        agent.send(viewer.number(), Chat { text: "marker".into(), ..Chat::default() });
        await_body!(viewer, Chat)?;
        // Pictures wait in a queue of their own, so the marker may be first.
        let seen = |viewer: &FakeViewer| -> Vec<VideoFrame> {
            let picture = |body: &Body| if let Body::VideoFrame(frame) = body { Some(frame.clone()) } else { None };
            viewer.seen().iter().filter_map(picture).collect()
        };
        if seen(viewer).is_empty() {
            await_body!(viewer, VideoFrame)?;
        }
        let frames = seen(viewer);
        ensure!(frames.len() == 1 && frames[0].payload == expected, "{expected} got {frames:?}");
    }
    Ok(())
}

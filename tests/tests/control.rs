//! Of those who may control, one does, and everybody knows who.

use anyhow::{Result, ensure};
use gc_tests::messages::{
    ControlRequest, InputReset, KeyEvent, MouseButton, PointerButton, PointerMove, PointerWheel, SpecialKey,
    SpecialKeyKind, TextInput,
};
use gc_tests::{AgentHeader, Body, FakeAgent, FakeViewer, Person, TestServer, await_body};

async fn controlled(server: &TestServer) -> Result<(Person, String, FakeAgent, FakeViewer)> {
    let technician = server.person("operator").await?;
    let (session, mut agent) = server.live(&technician, "control").await?;
    let viewer = server.viewer(&technician, &session, "control").await?;
    await_body!(agent, ViewerJoined)?;
    Ok((technician, session, agent, viewer))
}

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

#[tokio::test]
async fn input_of_a_controller_arrives_as_it_was() -> Result<()> {
    let server = TestServer::start().await?;
    let (_, _, mut agent, mut viewer) = controlled(&server).await?;
    take(&mut viewer).await?;
    for body in input() {
        viewer.send(body);
    }
    viewer.say(&mut agent, "marker").await?;
    let slot = agent.welcome.slot;
    let input_came = || -> Vec<Body> {
        agent
            .seen()
            .iter()
            .filter(|received| received.header == AgentHeader::new(slot, viewer.number()))
            .map(|received| received.body.clone())
            .filter(|body| !matches!(body, Body::Chat(_)))
            .collect()
    };
    ensure!(input_came() == input(), "{:?}", input_came());
    Ok(())
}

async fn take(viewer: &mut FakeViewer) -> Result<()> {
    viewer.send(ControlRequest { take: true });
    let number = viewer.number();
    told(viewer, number).await
}

async fn told(viewer: &mut FakeViewer, controller: u32) -> Result<()> {
    viewer
        .until(&format!("ControlState with {controller}"), |body| {
            matches!(body, Body::ControlState(state) if state.controller == controller).then_some(())
        })
        .await
}

fn key(seq: u32) -> KeyEvent {
    KeyEvent { scan_code: 30, down: true, seq, ..KeyEvent::default() }
}

#[tokio::test]
async fn one_controls_at_a_time() -> Result<()> {
    let server = TestServer::start().await?;
    let (_, session, mut agent, mut one) = controlled(&server).await?;
    take(&mut one).await?;
    let mut two = server.viewer(&server.admin, &session, "control").await?;
    ensure!(one.number() != two.number());

    take(&mut two).await?;
    let number = two.number();
    told(&mut one, number).await?;
    one.send(key(101));
    one.say(&mut agent, "one has spoken").await?;
    two.send(key(102));
    two.say(&mut agent, "two has spoken").await?;

    take(&mut one).await?;
    let number = one.number();
    told(&mut two, number).await?;
    two.send(key(103));
    two.say(&mut agent, "two has spoken again").await?;
    one.send(key(104));
    one.say(&mut agent, "one has spoken again").await?;

    let keys: Vec<(u32, u32)> = agent
        .seen()
        .iter()
        .filter_map(|received| match &received.body {
            Body::KeyEvent(key) => Some((received.header.peer, key.seq)),
            _ => None,
        })
        .collect();
    ensure!(keys == [(two.number(), 102), (one.number(), 104)], "{keys:?}");

    // Who gives it up leaves nobody in control, and everybody knows.
    one.send(ControlRequest { take: false });
    told(&mut one, 0).await?;
    told(&mut two, 0).await?;
    Ok(())
}

#[tokio::test]
async fn who_leaves_does_not_control() -> Result<()> {
    let server = TestServer::start().await?;
    let (_, session, _agent, mut one) = controlled(&server).await?;
    take(&mut one).await?;
    let mut two = server.viewer(&server.admin, &session, "control").await?;
    let (gone, left) = (one.number(), two.number());
    drop(one);
    two.until("ViewerLeft", |body| matches!(body, Body::ViewerLeft(left) if left.viewer == gone).then_some(())).await?;
    let session = server.admin.session(&session).await?;
    for viewer in session["viewers"].as_array().into_iter().flatten() {
        ensure!(viewer["viewer"] == left, "who left is still listed: {session}");
    }
    take(&mut two).await?;
    Ok(())
}

//! How a connection begins, and how silence ends it.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use gc_tests::messages::{
    AgentHello, Chat, ConsentRequest, ControlState, KeyEvent, ProtocolVersions, SessionNotice, SessionResponse,
    ViewerHello, ViewerJoined, ViewerWelcome,
};
use gc_tests::{
    AgentHeader, Body, Credential, Ended, FakeAgent, FakeViewer, Knock, TestServer, await_body, eventually,
};

fn versions(lowest: u32, highest: u32) -> Option<ProtocolVersions> {
    Some(ProtocolVersions { lowest, highest })
}

/// Both versions are named to whoever has to update one of the two.
#[tokio::test]
async fn no_common_version_is_told_clearly() -> Result<()> {
    let server = TestServer::start().await?;
    let technician = server.person("operator").await?;
    for (range, their) in [(versions(7, 9), "7"), (versions(1, 1), "1")] {
        let code = technician.code("view").await?.code;
        let knock = FakeAgent::knock(&Credential::Code(code));
        let mut agent = FakeAgent::open(server.address, &knock).await?;
        agent.send_framed(AgentHeader::new(0, 0), AgentHello { versions: range, ..AgentHello::default() });
        let goodbye = agent.ended().await?.expect(4400)?;
        ensure!(goodbye.text.contains(their) && goodbye.text.contains('2'), "{goodbye:?}");

        let (session, _agent) = server.live(&technician, "view").await?;
        let token = technician.mint(&session, "view_only").await?;
        let mut viewer = FakeViewer::open(server.address, &Knock::viewer(&session).bearer(&token)).await?;
        viewer.send(ViewerHello { versions: range, ..ViewerHello::default() });
        let goodbye = viewer.ended().await?.expect(4400)?;
        ensure!(goodbye.text.contains(their) && goodbye.text.contains('2'), "{goodbye:?}");
    }
    Ok(())
}

/// A newer client that still knows this version is served.
#[tokio::test]
async fn the_highest_common_version_is_spoken() -> Result<()> {
    let server = TestServer::start().await?;
    let technician = server.person("operator").await?;
    let code = technician.code("view").await?.code;
    let mut agent = FakeAgent::open(server.address, &FakeAgent::knock(&Credential::Code(code))).await?;
    agent.send_framed(AgentHeader::new(0, 0), AgentHello { versions: versions(1, 9), ..AgentHello::default() });
    ensure!(await_body!(agent, AgentWelcome)?.version == 2);
    Ok(())
}

#[tokio::test]
async fn a_hello_comes_first() -> Result<()> {
    let server = TestServer::start().await?;
    let technician = server.person("operator").await?;
    let code = technician.code("view").await?;
    let knock = FakeAgent::knock(&Credential::Code(code.code));
    let mut agent = FakeAgent::open(server.address, &knock).await?;
    agent.send_framed(AgentHeader::new(1, 0), Chat { text: "x".into(), ..Chat::default() });
    agent.ended().await?.expect(4400)?;

    let (session, mut agent) = server.live(&technician, "control").await?;
    let token = technician.mint(&session, "control").await?;
    let mut viewer = FakeViewer::open(server.address, &Knock::viewer(&session).bearer(&token)).await?;
    viewer.send(KeyEvent { scan_code: 30, down: true, ..KeyEvent::default() });
    viewer.ended().await?.expect(4400)?;
    agent.settle(1).await?;
    ensure!(!agent.seen().iter().any(|received| matches!(received.body, Body::KeyEvent(_))));
    Ok(())
}

/// What only the relay says does not come from an agent.
#[tokio::test]
async fn an_agent_does_not_speak_for_the_relay() -> Result<()> {
    let server = TestServer::start().await?;
    let technician = server.person("operator").await?;
    let (session, agent) = server.live(&technician, "view").await?;
    let mut viewer = server.viewer(&technician, &session, "view_only").await?;
    let number = viewer.number();
    let before = viewer.seen().len();
    let forged: Vec<Body> = vec![
        ViewerWelcome { viewer: 77, access: 2, ..ViewerWelcome::default() }.into(),
        ViewerJoined { viewer: 77, name: "The Bank".into(), mode: 2 }.into(),
        ControlState { controller: 77, name: "The Bank".into() }.into(),
        SessionNotice { phase: 4, text: "The Bank".into() }.into(),
        ConsentRequest { technician_name: "The Bank".into(), ..ConsentRequest::default() }.into(),
        KeyEvent { scan_code: 77, down: true, ..KeyEvent::default() }.into(),
    ];
    for body in &forged {
        for peer in [0, number] {
            agent.send(peer, body.clone());
        }
    }
    agent.send(number, Chat { text: "marker".into(), ..Chat::default() });
    await_body!(viewer, Chat)?;
    for body in &viewer.seen()[before..] {
        ensure!(!forged.contains(body), "the viewer was told {body:?} by an agent");
    }
    Ok(())
}

/// The header is checked: a slot that is not this agent's session, or a
/// viewer that is not in it, leads nowhere.
#[tokio::test]
async fn an_agent_reaches_its_own_viewers_only() -> Result<()> {
    let server = TestServer::start().await?;
    let technician = server.person("operator").await?;
    let mut wrong = Vec::new();
    for (what, other_slot, peer) in [
        ("a viewer that is not there", None, Some(999)),
        ("the next slot", Some(2), None),
        ("the connection's own slot", Some(0), None),
        ("a slot far away", Some(0xffff_ffff), None),
    ] {
        let (mine, agent) = server.live(&technician, "view").await?;
        let (theirs, other_agent) = server.live(&technician, "view").await?;
        let mut my_viewer = server.viewer(&technician, &mine, "view_only").await?;
        let mut their_viewer = server.viewer(&technician, &theirs, "view_only").await?;
        let (slot, peer) = (other_slot.unwrap_or(agent.welcome.slot), peer.unwrap_or(my_viewer.number()));
        let line = |text: &str| Chat { text: text.to_owned(), ..Chat::default() };
        let answer = SessionResponse { obstacle: "astray".into(), ..SessionResponse::default() };
        // What the person says is for everybody in the session; so it is only
        // astray in another slot.
        if slot != agent.welcome.slot {
            agent.send_framed(AgentHeader::new(slot, peer), line("astray"));
        }
        agent.send_framed(AgentHeader::new(slot, peer), answer);
        // Whether the agent is thrown out for it or not, nothing has arrived.
        agent.send(my_viewer.number(), line("marker"));
        other_agent.send(their_viewer.number(), line("marker"));
        let marker = |body: &Body| match body {
            Body::Chat(chat) => (chat.text == "marker").then_some(()),
            Body::SessionNotice(notice) => (notice.phase == 2).then_some(()),
            _ => None,
        };
        my_viewer.until("the marker", marker).await?;
        their_viewer.until("the marker", marker).await?;
        for (whose, viewer) in [("its own", &my_viewer), ("somebody else's", &their_viewer)] {
            let astray = viewer.seen().iter().filter(|body| match body {
                Body::Chat(chat) => chat.text == "astray",
                Body::SessionResponse(response) => response.obstacle == "astray",
                _ => false,
            });
            let astray: Vec<&Body> = astray.collect();
            if !astray.is_empty() {
                wrong.push(format!("by {what}, {whose} viewer was reached: {astray:?}"));
            }
        }
    }
    ensure!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    Ok(())
}

/// Let time pass until somebody is given up, and say how much did. Every step
/// ends with `heard`, so that those who are not silent are heard in it.
async fn given_up(
    server: &TestServer,
    step: Duration,
    ended: impl Future<Output = Result<Ended>>,
    mut heard: impl AsyncFnMut(u32) -> Result<()>,
) -> Result<(Ended, Duration)> {
    let mut passed = Duration::ZERO;
    tokio::pin!(ended);
    for number in 1_u32.. {
        let next = async {
            server.clock.advance(step);
            heard(number).await
        };
        tokio::select! {
            biased;
            ended = &mut ended => return Ok((ended?, passed)),
            outcome = next => outcome?,
        }
        passed += step;
    }
    bail!("time has run out")
}

#[tokio::test]
async fn a_silent_agent_is_given_up_after_three_heartbeats() -> Result<()> {
    let server = TestServer::start_manual().await?;
    let technician = server.person("operator").await?;
    let (session, mut agent) = server.live(&technician, "view").await?;
    agent.settle(1).await?;
    agent.mute();
    let (ended, passed) = given_up(&server, Duration::from_secs(10), agent.ended(), async |_| {
        technician.session(&session).await?;
        Ok(())
    })
    .await?;
    let goodbye = ended.expect(4408)?;
    ensure!(goodbye.may_retry, "{goodbye:?}");
    ensure!(passed >= Duration::from_secs(80), "given up after {passed:?}");
    server.state(&technician, &session, "suspended").await?;
    Ok(())
}

/// With somebody watching, ten seconds are enough.
#[tokio::test]
async fn ten_silent_seconds_end_a_watched_agent() -> Result<()> {
    let server = TestServer::start_manual().await?;
    let technician = server.person("operator").await?;
    let (session, mut agent) = server.live(&technician, "view").await?;
    let mut viewer = server.viewer(&technician, &session, "view_only").await?;
    await_body!(agent, ViewerJoined)?;
    agent.mute();
    let (ended, passed) =
        given_up(&server, Duration::from_secs(1), agent.ended(), async |number| viewer.settle(number).await).await?;
    ended.expect(4408)?;
    ensure!(passed >= Duration::from_secs(9), "given up after {passed:?}");
    server.state(&technician, &session, "suspended").await?;
    viewer.settle(9000).await?;
    Ok(())
}

/// Whoever comes and goes asks it anew each time, and keeps it no longer than
/// its silence may last at all.
#[tokio::test]
async fn coming_and_going_keeps_no_silent_agent() -> Result<()> {
    let server = TestServer::start_manual().await?;
    let technician = server.person("operator").await?;
    let (session, mut agent) = server.live(&technician, "view").await?;
    agent.settle(1).await?;
    agent.mute();
    let mut watching: Option<FakeViewer> = None;
    let (ended, passed) = given_up(&server, Duration::from_secs(1), agent.ended(), async |number| {
        ensure!(number < 200, "a dead agent is kept");
        match (&mut watching, number % 9) {
            (None, 1) => watching = Some(server.viewer(&technician, &session, "view_only").await?),
            (Some(viewer), 0) => {
                viewer.cut();
                watching = None;
                eventually("nobody watching", || async {
                    let viewers = technician.session(&session).await?["viewers"].clone();
                    Ok(viewers.as_array().is_some_and(Vec::is_empty).then_some(()))
                })
                .await?;
            }
            (Some(viewer), _) => viewer.settle(number).await?,
            (None, _) => {}
        }
        Ok(())
    })
    .await?;
    ended.expect(4408)?;
    ensure!(passed <= Duration::from_secs(100), "given up after {passed:?}");
    Ok(())
}

#[tokio::test]
async fn ten_silent_seconds_end_a_viewer() -> Result<()> {
    let server = TestServer::start_manual().await?;
    let technician = server.person("operator").await?;
    let (session, mut agent) = server.live(&technician, "view").await?;
    let mut viewer = server.viewer(&technician, &session, "view_only").await?;
    await_body!(agent, ViewerJoined)?;
    viewer.mute();
    let (ended, passed) =
        given_up(&server, Duration::from_secs(1), viewer.ended(), async |number| agent.settle(number).await).await?;
    ended.expect(4408)?;
    ensure!(passed >= Duration::from_secs(9), "given up after {passed:?}");
    let left = |body: &Body| matches!(body, Body::ViewerLeft(_));
    if !agent.seen().iter().any(|received| left(&received.body)) {
        await_body!(agent, ViewerLeft)?;
    }
    Ok(())
}

//! An agent that was away comes back to its session, and nobody else does.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use gc_tests::messages::{
    AccessMode, Chat, ConsentReason, ConsentRequest, ControlRequest, KeyEvent, SessionPhase, StreamAssign, VideoFrame,
};
use gc_tests::{Body, Clock, Credential, FakeAgent, FakeViewer, Knock, Person, TestServer, await_body};

/// The stream that the fake agents send.
const STREAM: u32 = 0x8000_0001;

async fn phase(viewer: &mut FakeViewer, phase: SessionPhase) -> Result<()> {
    viewer
        .until(phase.as_str_name(), |body| {
            matches!(body, Body::SessionNotice(notice) if notice.phase == i32::from(phase)).then_some(())
        })
        .await
}

/// The person was not asked on this connection.
async fn not_asked(agent: &mut FakeAgent) -> Result<()> {
    agent.settle(900).await?;
    let asked = agent.seen().iter().any(|received| matches!(received.body, Body::ConsentRequest(_)));
    ensure!(!asked, "the person was asked again");
    Ok(())
}

#[tokio::test]
async fn a_line_that_was_cut_is_taken_up() -> Result<()> {
    let server = TestServer::start().await?;
    for (access, claim, mode) in
        [("view", "view_only", AccessMode::AccessViewOnly), ("control", "control", AccessMode::AccessControl)]
    {
        let technician = server.person("operator").await?;
        let (session, mut agent) = server.live(&technician, access).await?;
        let mut viewer = server.viewer(&technician, &session, claim).await?;
        await_body!(agent, ViewerJoined)?;
        agent.cut();
        phase(&mut viewer, SessionPhase::Suspended).await?;
        server.state(&technician, &session, "suspended").await?;
        // Whoever comes now is told with the first word.
        let late = server.viewer(&technician, &session, claim).await?;
        ensure!(late.welcome.phase() == SessionPhase::Suspended, "{:?}", late.welcome);
        late.close();

        let memory = agent.memory(mode);
        let mut back = FakeAgent::connect_remembering(server.address, &agent.resume(), memory).await?;
        ensure!(back.welcome.session_id == session, "another session");
        ensure!(back.welcome.accepted == i32::from(mode), "{:?}", back.welcome.accepted());
        phase(&mut viewer, SessionPhase::Live).await?;
        let seen = server.state(&technician, &session, "live").await?;
        ensure!(seen["consent_state"] == "granted");
        not_asked(&mut back).await?;
        // The viewer is still the one it was, and the agent knows of it.
        viewer.say(&mut back, "still here").await?;
        let known = back.seen().iter().any(|received| {
            matches!(&received.body, Body::ViewerJoined(joined)
                if joined.viewer == viewer.number() && joined.mode == i32::from(mode))
        });
        ensure!(known, "the agent was not told who is watching: {:?}", back.seen());
        let late = server.viewer(&technician, &session, claim).await?;
        ensure!(late.welcome.phase() == SessionPhase::Live, "{:?}", late.welcome);
    }
    Ok(())
}

/// What the person accepted as the server has it, as the agent has it, and
/// what holds then.
#[tokio::test]
async fn after_a_restart_the_lesser_memory_holds() -> Result<()> {
    use AccessMode::{AccessControl, AccessViewOnly};
    for (stored, remembered, claim) in [
        ("control", AccessControl, "control"),
        ("control", AccessViewOnly, "view_only"),
        ("view", AccessControl, "view_only"),
        ("view", AccessViewOnly, "view_only"),
    ] {
        let mut server = TestServer::start().await?;
        let technician = server.person("operator").await?;
        let (session, mut agent) = server.live(&technician, stored).await?;
        let stored_claim = if stored == "control" { "control" } else { "view_only" };
        let mut viewer = server.viewer(&technician, &session, stored_claim).await?;
        let early = technician.mint(&session, stored_claim).await?;

        server.stop().await;
        agent.ended().await?.expect(1001)?;
        viewer.ended().await?.expect(1001)?;
        server.start_again().await?;
        ensure!(technician.session(&session).await?["state"] == "suspended");
        server.admin.session(&session).await?;

        let memory = agent.memory(remembered);
        let mut back = FakeAgent::connect_remembering(server.address, &agent.resume(), memory).await?;
        ensure!(back.welcome.session_id == session);
        server.state(&technician, &session, "live").await?;
        not_asked(&mut back).await?;
        let minted = technician.mint(&session, claim).await;
        minted.with_context(|| format!("stored {stored}, remembered {remembered:?}, told {:?}", back.welcome))?;
        ensure!(technician.session(&session).await?["accepted_access"] == claim, "the lesser was not stored");
        let told = if claim == "control" { AccessControl } else { AccessViewOnly };
        ensure!(back.welcome.accepted == i32::from(told), "the agent was told {:?}", back.welcome.accepted());
        // A token from before says what it says; the ceiling is lower now.
        let old = FakeViewer::open(server.address, &Knock::viewer(&session).bearer(&early)).await;
        if let Ok(mut old) = old {
            old.hello().await?;
            old.send(ControlRequest { take: true });
            old.send(KeyEvent { scan_code: 30, down: true, ..KeyEvent::default() });
            old.say(&mut back, "marker").await?;
            let typed = back.seen().iter().any(|received| matches!(received.body, Body::KeyEvent(_)));
            ensure!(typed == (claim == "control"), "{stored} and {remembered:?}: typed {typed}");
        } else {
            ensure!(claim != stored_claim, "a token that still holds was refused");
        }
    }
    Ok(())
}

/// The lesser holds whenever an agent comes back, and ends what is above it.
#[tokio::test]
async fn a_lower_memory_ends_the_viewers_above_it() -> Result<()> {
    let server = TestServer::start().await?;
    let technician = server.person("operator").await?;
    let (session, mut agent) = server.live(&technician, "control").await?;
    let mut viewer = server.viewer(&technician, &session, "control").await?;
    await_body!(agent, ViewerJoined)?;
    agent.cut();
    phase(&mut viewer, SessionPhase::Suspended).await?;
    let memory = agent.memory(AccessMode::AccessViewOnly);
    let mut back = FakeAgent::connect_remembering(server.address, &agent.resume(), memory).await?;
    let ended = viewer.ended().await?;
    ensure!(matches!(ended.code, Some(4401 | 4403)), "{ended:?}");
    not_asked(&mut back).await?;
    technician.mint(&session, "view_only").await?;
    Ok(())
}

/// An agent is back that remembers nothing, with a viewer from before: the
/// lesser of something and nothing is nothing, and the person is asked again.
async fn asked_anew(server: &TestServer) -> Result<(Person, String, FakeAgent, FakeViewer, ConsentRequest)> {
    let technician = server.person("operator").await?;
    let (session, mut agent) = server.live(&technician, "control").await?;
    let mut viewer = server.viewer(&technician, &session, "control").await?;
    await_body!(agent, ViewerJoined)?;
    agent.cut();
    phase(&mut viewer, SessionPhase::Suspended).await?;
    let mut back = FakeAgent::connect(server.address, &agent.resume()).await?;
    let request = back.asked().await?;
    Ok((technician, session, back, viewer, request))
}

#[tokio::test]
async fn asked_anew_nobody_sees_anything() -> Result<()> {
    let server = TestServer::start().await?;
    let (_, _, mut back, mut viewer, _) = asked_anew(&server).await?;
    back.send(viewer.number(), Chat { text: "too early".into(), ..Chat::default() });
    back.send(0, StreamAssign { viewer: viewer.number(), stream: STREAM });
    back.send(STREAM, VideoFrame { stream: STREAM, keyframe: true, last_part: true, ..VideoFrame::default() });
    back.settle(1).await?;
    // A viewer that was there before is sent away or shown nothing; either
    // way its last message has come when it is settled or gone.
    let _there_or_gone: Result<()> = viewer.settle(1).await;
    let early = viewer.seen().iter().filter(|body| matches!(body, Body::VideoFrame(_) | Body::Chat(_)));
    let early: Vec<&Body> = early.collect();
    ensure!(early.is_empty(), "the viewer saw {early:?}");
    Ok(())
}

#[tokio::test]
async fn asked_anew_nobody_types_anything() -> Result<()> {
    let server = TestServer::start().await?;
    let (_, _, mut back, mut viewer, _) = asked_anew(&server).await?;
    viewer.send(ControlRequest { take: true });
    viewer.send(KeyEvent { scan_code: 30, down: true, ..KeyEvent::default() });
    let _there_or_gone: Result<()> = viewer.settle(1).await;
    back.settle(1).await?;
    let typed = back.seen().iter().any(|received| matches!(received.body, Body::KeyEvent(_)));
    ensure!(!typed, "a key reached a machine whose person is still being asked");
    Ok(())
}

#[tokio::test]
async fn asked_anew_the_session_is_pending() -> Result<()> {
    let server = TestServer::start().await?;
    let (technician, session, back, _viewer, request) = asked_anew(&server).await?;
    let seen = technician.session(&session).await?;
    ensure!(seen["state"] == "pending" && seen["consent_state"] == "pending", "{seen}");
    ensure!(seen["machine"].is_null(), "the machine shows through: {seen}");
    let token = technician.ask_token(&session).await?;
    ensure!(token.status == 409 && token.error_code() == Some("CONSENT_PENDING"), "{token:?}");
    back.answer(&request, true, ConsentReason::Answered);
    server.state(&technician, &session, "live").await?;
    technician.mint(&session, "control").await?;
    Ok(())
}

#[tokio::test]
async fn asked_anew_and_denied_everybody_is_out() -> Result<()> {
    let server = TestServer::start().await?;
    let (technician, session, back, mut viewer, request) = asked_anew(&server).await?;
    back.answer(&request, false, ConsentReason::Answered);
    let ended = viewer.ended().await?;
    ensure!(matches!(ended.code, Some(4401 | 4403 | 4410)), "{ended:?}");
    let seen = server.state(&technician, &session, "ended").await?;
    ensure!(seen["end_reason"] == "denied", "{seen}");
    Ok(())
}

#[tokio::test]
async fn a_restart_ends_what_was_never_answered() -> Result<()> {
    let mut server = TestServer::start().await?;
    let technician = server.person("operator").await?;
    let code = technician.code("control").await?;
    let mut agent = server.agent(&code).await?;
    agent.asked().await?;
    server.start_again().await?;
    let session = technician.session(&code.session).await?;
    ensure!(session["consent_state"] != "granted" && session["machine"].is_null(), "{session}");
    let token = technician.ask_token(&code.session).await?;
    ensure!((400..500).contains(&token.status), "{token:?}");
    ensure!(Knock::agent().code(&code.code).status(server.address).await? == 401, "the code was not used up");
    Ok(())
}

/// A code that nobody has used yet outlives a restart.
#[tokio::test]
async fn a_restart_leaves_a_waiting_code_alone() -> Result<()> {
    let mut server = TestServer::start().await?;
    let technician = server.person("operator").await?;
    let code = technician.code("view").await?;
    server.start_again().await?;
    ensure!(technician.session(&code.session).await?["state"] == "waiting");
    let mut agent = server.agent(&code).await?;
    agent.grant().await?;
    server.state(&technician, &code.session, "live").await?;
    Ok(())
}

#[tokio::test]
async fn the_newer_connection_supersedes() -> Result<()> {
    let server = TestServer::start().await?;
    let technician = server.person("operator").await?;
    let (session, mut first) = server.live(&technician, "control").await?;
    let memory = first.memory(AccessMode::AccessControl);
    let mut second = FakeAgent::connect_remembering(server.address, &first.resume(), memory).await?;
    let goodbye = first.ended().await?.expect(4409)?;
    ensure!(!goodbye.may_retry, "two agents would push each other out for ever");
    ensure!(second.welcome.session_id == session);
    not_asked(&mut second).await?;
    ensure!(technician.session(&session).await?["state"] == "live");
    let viewer = server.viewer(&technician, &session, "control").await?;
    viewer.say(&mut second, "marker").await?;
    Ok(())
}

#[tokio::test]
async fn a_code_works_once() -> Result<()> {
    let server = TestServer::start().await?;
    let technician = server.person("operator").await?;
    let code = technician.code("control").await?;
    let mut agent = server.agent(&code).await?;
    agent.asked().await?;
    ensure!(Knock::agent().code(&code.code).status(server.address).await? == 401);
    // The one who was first is not disturbed by that.
    agent.settle(1).await?;
    ensure!(technician.session(&code.session).await?["state"] == "pending");
    Ok(())
}

#[tokio::test]
async fn a_session_that_has_ended_takes_nobody_back() -> Result<()> {
    let server = TestServer::start().await?;
    let technician = server.person("operator").await?;
    let (session, mut agent) = server.live(&technician, "control").await?;
    technician.http.delete(&format!("/api/sessions/{session}")).await?.expect(204)?;
    agent.ended().await?.expect(4410)?;
    ensure!(FakeAgent::knock(&agent.resume()).status(server.address).await? == 401);
    Ok(())
}

/// One second before ten minutes are over the agent may come back; then not.
#[tokio::test]
async fn ten_minutes_away_end_the_session() -> Result<()> {
    for (seconds, survives) in [(599, true), (600, false)] {
        let server = TestServer::start_with(Clock::manual(), |_| ()).await?;
        let technician = server.person("operator").await?;
        let (session, agent) = server.live(&technician, "control").await?;
        agent.cut();
        server.state(&technician, &session, "suspended").await?;
        server.clock.advance(Duration::from_secs(seconds));
        let memory = agent.memory(AccessMode::AccessControl);
        if survives {
            let _back = FakeAgent::connect_remembering(server.address, &agent.resume(), memory).await?;
            server.state(&technician, &session, "live").await?;
        } else {
            let ended = server.state(&technician, &session, "ended").await?;
            ensure!(ended["end_reason"] == "agent_lost", "{ended}");
            ensure!(FakeAgent::knock(&agent.resume()).status(server.address).await? == 401);
        }
    }
    Ok(())
}

async fn presents(server: &TestServer, code: &str) -> Result<u16> {
    let knock = FakeAgent::knock(&Credential::Code(code.to_owned()));
    knock.status(server.address).await
}

async fn race(server: &TestServer, technician: &Person) -> Result<()> {
    let code = technician.code("control").await?.code;
    let (one, two) = tokio::join!(presents(server, &code), presents(server, &code));
    let mut statuses = [one?, two?];
    statuses.sort_unstable();
    ensure!(statuses == [101, 401], "two presenters were answered {statuses:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_presenters_one_wins() -> Result<()> {
    let server = TestServer::start().await?;
    let technician = server.person("operator").await?;
    for _ in 0..20 {
        race(&server, &technician).await?;
    }
    Ok(())
}

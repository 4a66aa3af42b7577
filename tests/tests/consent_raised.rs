//! Looking on first, control later: the person is asked again, and until they
//! say yes what they said before holds.

use std::time::Duration;

use anyhow::{Result, ensure};
use gc_tests::messages::{AccessMode, ConsentReason, PointerMove, SessionPhase};
use gc_tests::{Body, FakeAgent, FakeViewer, Person, TestServer, await_body};

/// A session that was opened for looking on, with a viewer.
async fn looking_on(server: &TestServer) -> Result<(Person, String, FakeAgent, FakeViewer)> {
    let technician = server.person("operator").await?;
    let (session, mut agent) = server.live(&technician, "view").await?;
    let viewer = server.viewer(&technician, &session, "view_only").await?;
    await_body!(agent, ViewerJoined)?;
    Ok((technician, session, agent, viewer))
}

async fn phase(viewer: &mut FakeViewer, phase: SessionPhase) -> Result<()> {
    viewer
        .until(phase.as_str_name(), |body| {
            matches!(body, Body::SessionNotice(notice) if notice.phase == i32::from(phase)).then_some(())
        })
        .await
}

#[tokio::test]
async fn control_is_asked_for_later_and_allowed() -> Result<()> {
    let server = TestServer::start().await?;
    let (technician, session, mut agent, mut viewer) = looking_on(&server).await?;
    technician.http.post_empty(&format!("/api/sessions/{session}/request-control")).await?.expect(202)?;
    let request = agent.asked().await?;
    ensure!(request.access == i32::from(AccessMode::AccessControl));
    ensure!(request.technician_name == technician.display_name && request.session_id == session);
    phase(&mut viewer, SessionPhase::Asking).await?;
    // While the person thinks, the first answer still holds.
    technician.mint(&session, "view_only").await?;
    ensure!(technician.session(&session).await?["state"] == "live");

    agent.answer(&request, true, ConsentReason::Answered);
    phase(&mut viewer, SessionPhase::Raised).await?;
    let controller = server.viewer(&technician, &session, "control").await?;
    ensure!(controller.welcome.access == i32::from(AccessMode::AccessControl));
    // The old token's claims have not changed by that.
    ensure!(viewer.welcome.access == i32::from(AccessMode::AccessViewOnly));
    viewer.send(PointerMove { x: 1, y: 1, ..PointerMove::default() });
    viewer.say(&mut agent, "marker").await?;
    ensure!(
        !agent.seen().iter().any(|received| matches!(received.body, Body::PointerMove(_))),
        "the token minted for looking on moved the pointer"
    );
    let granted = server.audit_names(&session).await?.iter().filter(|name| *name == "consent_granted").count();
    ensure!(granted == 2, "consent was granted {granted} times");
    Ok(())
}

#[tokio::test]
async fn control_is_asked_for_later_and_denied() -> Result<()> {
    let server = TestServer::start().await?;
    let (technician, session, mut agent, mut viewer) = looking_on(&server).await?;
    technician.http.post_empty(&format!("/api/sessions/{session}/request-control")).await?.expect(202)?;
    let request = agent.asked().await?;
    agent.answer(&request, false, ConsentReason::Answered);
    phase(&mut viewer, SessionPhase::Refused).await?;
    server.audited(&session, "consent_denied").await?;
    // What was accepted before goes on.
    technician.mint(&session, "view_only").await?;
    viewer.say(&mut agent, "still here").await?;
    ensure!(technician.session(&session).await?["state"] == "live");
    ensure!(technician.session(&session).await?["consent_state"] == "granted");
    Ok(())
}

#[tokio::test]
async fn only_those_in_the_session_may_ask_for_control() -> Result<()> {
    let server = TestServer::start().await?;
    let (technician, session, mut agent, _viewer) = looking_on(&server).await?;
    let path = format!("/api/sessions/{session}/request-control");
    ensure!(server.stranger()?.post_empty(&path).await?.status == 401);
    let outsider = server.person("operator").await?;
    let status = outsider.http.post_empty(&path).await?.status;
    ensure!(status == 403 || status == 404, "an outsider was answered {status}");
    let watcher = server.person("viewer").await?;
    technician.invite(&session, &watcher).await?;
    ensure!(watcher.http.post_empty(&path).await?.status == 403, "a watcher asks for control");
    agent.settle(1).await?;
    let questions = agent.seen().iter().filter(|received| matches!(received.body, Body::ConsentRequest(_))).count();
    ensure!(questions == 1, "the person was asked {questions} times");
    Ok(())
}

/// Another technician in the session asks in their own name.
#[tokio::test]
async fn a_second_technician_asks_in_their_own_name() -> Result<()> {
    let server = TestServer::start().await?;
    let (technician, session, mut agent, _viewer) = looking_on(&server).await?;
    let guest = server.person("operator").await?;
    technician.invite(&session, &guest).await?;
    guest.mint(&session, "view_only").await?;
    guest.http.post_empty(&format!("/api/sessions/{session}/request-control")).await?.expect(202)?;
    let request = agent.asked().await?;
    ensure!(request.technician_name == guest.display_name, "{request:?}");
    ensure!(request.access == i32::from(AccessMode::AccessControl), "{request:?}");
    Ok(())
}

/// Nobody answers for a minute: what was accepted before holds on, and an
/// answer that comes later raises nothing.
#[tokio::test]
async fn control_is_asked_for_later_and_ignored() -> Result<()> {
    let server = TestServer::start_manual().await?;
    let technician = server.person("operator").await?;
    let (session, mut agent) = server.live(&technician, "view").await?;
    technician.http.post_empty(&format!("/api/sessions/{session}/request-control")).await?.expect(202)?;
    let request = agent.asked().await?;
    ensure!(request.timeout_seconds == 60, "{request:?}");
    server.pass(Duration::from_secs(60), &mut agent).await?;
    server.audited(&session, "consent_denied").await?;
    agent.answer(&request, true, ConsentReason::Answered);
    agent.settle(1).await?;
    ensure!(technician.session(&session).await?["state"] == "live");
    technician.mint(&session, "view_only").await?;
    Ok(())
}

/// The line is cut while the person thinks: the question is gone with it.
#[tokio::test]
async fn control_is_asked_for_later_and_the_line_is_cut() -> Result<()> {
    let server = TestServer::start().await?;
    let technician = server.person("operator").await?;
    let (session, mut agent) = server.live(&technician, "view").await?;
    technician.http.post_empty(&format!("/api/sessions/{session}/request-control")).await?.expect(202)?;
    let request = agent.asked().await?;
    agent.cut();
    server.state(&technician, &session, "suspended").await?;
    let memory = agent.memory(AccessMode::AccessViewOnly);
    let mut back = FakeAgent::connect_remembering(server.address, &agent.resume(), memory).await?;
    server.state(&technician, &session, "live").await?;
    back.answer(&request, true, ConsentReason::Answered);
    back.settle(1).await?;
    technician.mint(&session, "view_only").await?;
    Ok(())
}

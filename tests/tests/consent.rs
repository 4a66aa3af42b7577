//! Nothing is visible before the person at the machine has said yes, and what
//! they said is the most that anybody gets.

use std::time::Duration;

use anyhow::{Result, ensure};
use gc_tests::messages::{AccessMode, Chat, ConsentReason, ConsentResponse, VideoFrame};
use gc_tests::{Body, Code, FakeAgent, Knock, Person, TestServer, await_body};
use serde_json::Value;

/// The stream that the fake agents send.
const STREAM: u32 = 0x8000_0001;

/// A technician, a code for this access, and an agent whose person is asked.
async fn asking(server: &TestServer, access: &str) -> Result<(Person, Code, FakeAgent)> {
    let technician = server.person("operator").await?;
    let code = technician.code(access).await?;
    let agent = server.agent(&code).await?;
    Ok((technician, code, agent))
}

fn picture(text: &'static str) -> VideoFrame {
    VideoFrame {
        stream: STREAM,
        keyframe: true,
        last_part: true,
        width: 1,
        height: 1,
        payload: text.as_bytes().into(),
        ..VideoFrame::default()
    }
}

/// What the refused, the ignored and the vanished have in common.
async fn torn_down(server: &TestServer, technician: &Person, code: &Code, reasons: &[&str]) -> Result<()> {
    let session = server.state(technician, &code.session, "ended").await?;
    let reason = session["end_reason"].as_str().unwrap_or_default();
    ensure!(reasons.contains(&reason), "the session ended with {reason:?}, not one of {reasons:?}");
    ensure!(session["consent_state"] != "granted", "nobody agreed: {session}");
    ensure!(session["machine"] == Value::Null, "the machine shows through: {session}");
    let token = technician.ask_token(&code.session).await?;
    ensure!((400..500).contains(&token.status), "an ended session gives tokens: {token:?}");
    ensure!(Knock::agent().code(&code.code).status(server.address).await? == 401, "the code was not used up");
    let names = server.audit_names(&code.session).await?;
    ensure!(names.iter().any(|name| name == "consent_requested"), "consent_requested is missing: {names:?}");
    ensure!(names.iter().all(|name| name != "consent_granted"), "consent_granted is in the trail: {names:?}");
    ensure!(names.iter().all(|name| name != "viewer_joined"), "viewer_joined is in the trail: {names:?}");
    Ok(())
}

#[tokio::test]
async fn the_question_says_who_asks_for_what() -> Result<()> {
    let server = TestServer::start().await?;
    for (access, mode) in [("view", AccessMode::AccessViewOnly), ("control", AccessMode::AccessControl)] {
        let (technician, code, mut agent) = asking(&server, access).await?;
        let request = agent.asked().await?;
        ensure!(request.session_id == code.session);
        ensure!(agent.welcome.session_id == code.session);
        ensure!(!request.request_id.is_empty());
        ensure!(request.technician_name == technician.display_name);
        ensure!(request.organization == "Acme Support");
        ensure!(request.access == i32::from(mode), "{access} was asked as {:?}", request.access());
        ensure!(request.timeout_seconds == 60);
        ensure!(agent.welcome.resume_secret.starts_with("rsm_"));
        ensure!(agent.welcome.resume_secret.len() == 4 + 64, "256 bits in hex");
    }
    Ok(())
}

#[tokio::test]
async fn before_the_answer_nothing_is_visible() -> Result<()> {
    let server = TestServer::start().await?;
    let (technician, code, mut agent) = asking(&server, "control").await?;
    let request = agent.asked().await?;
    let elsewhere = server.live(&technician, "control").await?;
    let foreign = technician.mint(&elsewhere.0, "control").await?;

    for person in [&technician, &server.admin] {
        let session = server.state(person, &code.session, "pending").await?;
        ensure!(session["machine"] == Value::Null, "the machine shows through: {session}");
        ensure!(session["consent_state"] == "pending");
        let list = person.http.get("/api/sessions").await?.expect(200)?;
        for item in list["items"].as_array().into_iter().flatten() {
            ensure!(item["id"] != code.session.as_str() || item["machine"] == Value::Null, "{item}");
        }
        let token = person.ask_token(&code.session).await?;
        ensure!(token.status == 409 && token.error_code() == Some("CONSENT_PENDING"), "{token:?}");
    }
    // Another technician does not see the session at all.
    let other = server.person("operator").await?;
    let list = other.http.get("/api/sessions").await?.expect(200)?;
    ensure!(!list.to_string().contains(&code.session), "seen by a technician who is not invited: {list}");
    let token = other.ask_token(&code.session).await?.status;
    ensure!(token == 403 || token == 404, "a stranger was answered {token}");
    // The socket is closed to a good token of another session and to the login.
    ensure!(Knock::viewer(&code.session).bearer(&foreign).status(server.address).await? == 403);
    ensure!(Knock::viewer(&code.session).bearer(&technician.token).status(server.address).await? == 401);

    // Whatever the agent sends too early reaches nobody, now or later.
    agent.send(STREAM, picture("too early"));
    agent.send(0, Chat { text: "too early".into(), ..Chat::default() });
    agent.settle(1).await?;
    agent.answer(&request, true, ConsentReason::Answered);
    server.state(&technician, &code.session, "live").await?;
    let mut viewer = server.viewer(&technician, &code.session, "control").await?;
    agent.send(viewer.number(), Chat { text: "now".into(), ..Chat::default() });
    await_body!(viewer, Chat)?;
    for body in viewer.seen() {
        let early = match body {
            Body::VideoFrame(_) => true,
            Body::Chat(chat) => chat.text == "too early",
            _ => false,
        };
        ensure!(!early, "the viewer saw {body:?}");
    }
    Ok(())
}

#[tokio::test]
async fn allowed() -> Result<()> {
    let server = TestServer::start().await?;
    for (access, claim, mode) in
        [("view", "view_only", AccessMode::AccessViewOnly), ("control", "control", AccessMode::AccessControl)]
    {
        let (technician, code, mut agent) = asking(&server, access).await?;
        agent.grant().await?;
        let session = server.state(&technician, &code.session, "live").await?;
        ensure!(session["consent_state"] == "granted");
        ensure!(session["machine"]["hostname"] == "ADA-LAPTOP", "{session}");
        ensure!(session["source"] == "standalone" && session["is_managed"] == false, "{session}");
        ensure!(session["started_at"].is_string(), "{session}");
        let viewer = server.viewer(&technician, &code.session, claim).await?;
        ensure!(viewer.welcome.access == i32::from(mode));
        ensure!(viewer.welcome.session_id == code.session);
        let joined = await_body!(agent, ViewerJoined)?;
        ensure!(joined.viewer == viewer.number() && joined.mode == i32::from(mode), "{joined:?}");
        ensure!(joined.name == technician.display_name, "{joined:?}");
        for event in ["consent_requested", "consent_granted", "viewer_joined"] {
            server.audited(&code.session, event).await?;
        }
        viewer.cut();
        let left = await_body!(agent, ViewerLeft)?;
        ensure!(left.viewer == viewer.number());
        server.audited(&code.session, "viewer_left").await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_answer_is_a_ceiling_for_everybody() -> Result<()> {
    let server = TestServer::start().await?;
    let technician = server.person("operator").await?;
    let (session, _agent) = server.live(&technician, "view").await?;
    for person in [&technician, &server.admin] {
        person.mint(&session, "view_only").await?;
    }
    // And the permission is the other one.
    let (session, _agent) = server.live(&technician, "control").await?;
    let watcher = server.person("viewer").await?;
    technician.invite(&session, &watcher).await?;
    watcher.mint(&session, "view_only").await?;
    server.admin.mint(&session, "control").await?;
    Ok(())
}

#[tokio::test]
async fn denied() -> Result<()> {
    let server = TestServer::start().await?;
    let (technician, code, mut agent) = asking(&server, "control").await?;
    let request = agent.asked().await?;
    agent.answer(&request, false, ConsentReason::Answered);
    agent.ended().await?.expect(4403)?;
    torn_down(&server, &technician, &code, &["denied"]).await?;
    server.audited(&code.session, "consent_denied").await?;
    Ok(())
}

/// A good-bye names the reason by which the session ended, so that the agent
/// can tell its person.
#[tokio::test]
async fn the_goodbye_names_the_reason() -> Result<()> {
    let server = TestServer::start().await?;
    let (_, _, mut agent) = asking(&server, "control").await?;
    let request = agent.asked().await?;
    agent.answer(&request, false, ConsentReason::Answered);
    let ended = agent.ended().await?;
    ensure!(ended.disconnect.as_ref().is_some_and(|disconnect| disconnect.reason == "denied"), "{ended:?}");

    let (technician, code, mut agent) = asking(&server, "control").await?;
    agent.grant().await?;
    server.state(&technician, &code.session, "live").await?;
    technician.http.delete(&format!("/api/sessions/{}", code.session)).await?.expect(204)?;
    let ended = agent.ended().await?;
    let reason = ended.disconnect.as_ref().map(|disconnect| disconnect.reason.as_str());
    ensure!(matches!(reason, Some("removed" | "closed_by_technician")), "{ended:?}");
    Ok(())
}

#[tokio::test]
async fn closed() -> Result<()> {
    let server = TestServer::start().await?;
    for reason in [ConsentReason::Closed, ConsentReason::NoPrompt] {
        let (technician, code, mut agent) = asking(&server, "control").await?;
        let request = agent.asked().await?;
        agent.answer(&request, false, reason);
        agent.ended().await?.expect(4403)?;
        torn_down(&server, &technician, &code, &["denied", "closed_by_person"]).await?;
        server.audited(&code.session, "consent_denied").await?;
    }
    Ok(())
}

#[tokio::test]
async fn ignored_for_a_minute() -> Result<()> {
    let server = TestServer::start_manual().await?;
    let (technician, code, mut agent) = asking(&server, "control").await?;
    let request = agent.asked().await?;
    // One second before the end there is still time to say yes.
    server.clock.advance(Duration::from_secs(59));
    agent.settle(1).await?;
    ensure!(technician.session(&code.session).await?["state"] == "pending");
    server.clock.advance(Duration::from_secs(1));
    let ended = agent.ended().await?;
    ensure!(matches!(ended.code, Some(4403 | 4410)), "{ended:?}");
    ensure!(ended.disconnect.is_some(), "no Disconnect came first");
    torn_down(&server, &technician, &code, &["timed_out"]).await?;
    server.audited(&code.session, "consent_denied").await?;
    // A yes that comes now goes nowhere.
    agent.answer(&request, true, ConsentReason::Answered);
    ensure!(technician.session(&code.session).await?["state"] == "ended");
    Ok(())
}

#[tokio::test]
async fn the_agent_is_killed_while_it_asks() -> Result<()> {
    let server = TestServer::start().await?;
    let (technician, code, mut agent) = asking(&server, "control").await?;
    agent.asked().await?;
    let resume = agent.resume();
    agent.cut();
    torn_down(&server, &technician, &code, &["agent_lost"]).await?;
    ensure!(FakeAgent::knock(&resume).status(server.address).await? == 401, "its resume secret still holds");
    Ok(())
}

#[tokio::test]
async fn answers_that_answer_nothing_are_ignored() -> Result<()> {
    let server = TestServer::start().await?;
    let (technician, code, mut agent) = asking(&server, "view").await?;
    let request = agent.asked().await?;
    let (other, other_code, mut other_agent) = asking(&server, "view").await?;
    let other_request = other_agent.asked().await?;

    let yes = |request_id: &str, session_id: &str| ConsentResponse {
        request_id: request_id.to_owned(),
        session_id: session_id.to_owned(),
        granted: true,
        reason: ConsentReason::Answered.into(),
    };
    agent.send(0, yes("00000000-0000-4000-8000-000000000000", &request.session_id));
    agent.send(0, yes("", ""));
    agent.send(0, yes(&request.request_id, &other_request.session_id));
    agent.send(0, yes(&other_request.request_id, &other_request.session_id));
    agent.settle(1).await?;
    for (person, code) in [(&technician, &code), (&other, &other_code)] {
        let state = person.session(&code.session).await?;
        ensure!(state["state"] == "pending", "an answer to something else was taken: {state}");
    }

    agent.answer(&request, true, ConsentReason::Answered);
    server.state(&technician, &code.session, "live").await?;
    // The same question again, the other way round: it has been answered.
    agent.answer(&request, false, ConsentReason::Answered);
    agent.answer(&request, true, ConsentReason::Answered);
    agent.settle(2).await?;
    ensure!(technician.session(&code.session).await?["state"] == "live");
    let granted = server.audit_names(&code.session).await?.iter().filter(|name| *name == "consent_granted").count();
    ensure!(granted == 1, "consent was granted {granted} times");
    Ok(())
}

//! Settings: who may change them, that they hold at once, and that options of
//! the start stand above them.

use std::time::Duration;

use anyhow::{Result, ensure};
use gc_tests::messages::{ControlRequest, DisconnectCode, InputReset, KeyEvent};
use gc_tests::{Body, Clock, Knock, TestServer, await_body, promptly};
use serde_json::json;

#[tokio::test]
async fn only_whoever_may_changes_them() -> Result<()> {
    let server = TestServer::start().await?;
    let technician = server.person("operator").await?;
    ensure!(server.stranger()?.get("/api/settings").await?.status == 401);
    ensure!(technician.http.get("/api/settings").await?.status == 403);
    ensure!(technician.http.patch("/api/settings", json!({"most_viewers": 2})).await?.status == 403);
    let before = server.admin.http.get("/api/settings").await?.expect(200)?;
    for (body, status) in [
        (json!({"colour": "red"}), 422),
        (json!({"most_viewers": 0}), 422),
        (json!({"most_viewers": "many"}), 422),
        (json!({"public_url": "http://support.example"}), 422),
        (json!({"trusted_proxies": ["0.0.0.0/0"]}), 422),
        (json!({"consent_message": "x".repeat(301)}), 422),
        (json!({"organization": "Another"}), 409),
        (json!([]), 422),
    ] {
        let answer = server.admin.http.patch("/api/settings", body.clone()).await?;
        ensure!(answer.status == status, "{body}: {answer:?}");
    }
    ensure!(server.admin.http.get("/api/settings").await?.expect(200)? == before, "something was changed");
    Ok(())
}

#[tokio::test]
async fn they_survive_a_restart_and_stand_in_the_trail() -> Result<()> {
    let mut server = TestServer::start_with(Clock::system(), |config| config.organization.clear()).await?;
    let change = json!({"organization": " Acme IT ", "session_hours": 8, "notice_message": "Call 0123."});
    let now = server.admin.http.patch("/api/settings", change).await?.expect(200)?;
    ensure!(now["organization"] == "Acme IT" && now["session_hours"] == 8 && now["fixed"] == json!([]), "{now}");
    server.start_again().await?;
    ensure!(server.admin.http.get("/api/settings").await?.expect(200)? == now);
    let back = server.admin.http.patch("/api/settings", json!({"session_hours": null})).await?.expect(200)?;
    ensure!(back["session_hours"].is_null() && back["organization"] == "Acme IT", "{back}");
    let trail = server.admin.http.get("/api/audit?event=settings_changed").await?.expect(200)?;
    ensure!(trail["items"][0]["details"]["changed"] == json!(["session_hours"]), "{trail}");
    ensure!(trail["items"][0]["actor_id"] == server.admin.id.as_str(), "{trail}");
    Ok(())
}

#[tokio::test]
async fn what_the_person_reads() -> Result<()> {
    let server = TestServer::start().await?;
    let words = json!({
        "consent_message": "{{technician_name}} of {{company}} never asks for passwords.\u{202e}",
        "notice_message": "{{company}}: 0123 456",
    });
    server.admin.http.patch("/api/settings", words).await?.expect(200)?;
    let technician = server.person("operator").await?;
    let code = technician.code("view").await?;
    let mut agent = server.agent(&code).await?;
    ensure!(agent.welcome.notice == "Acme Support: 0123 456", "{:?}", agent.welcome);
    let request = agent.asked().await?;
    let expected = format!("{} of Acme Support never asks for passwords.", technician.display_name);
    ensure!(request.message == expected, "{}", request.message);
    Ok(())
}

#[tokio::test]
async fn several_control_only_while_it_is_set() -> Result<()> {
    let server = TestServer::start().await?;
    let technician = server.person("operator").await?;
    let guest = server.person("operator").await?;
    let (session, mut agent) = server.live(&technician, "control").await?;
    let mut first = server.viewer(&technician, &session, "control").await?;
    let mut second = server.guest(&technician, &guest, &session, "control").await?;
    server.admin.http.patch("/api/settings", json!({"several_controllers": true})).await?.expect(200)?;
    first.send(ControlRequest { take: true });
    await_body!(first, ControlState)?;
    for viewer in [&mut first, &mut second] {
        viewer.send(KeyEvent { scan_code: 30, down: true, seq: 7, ..KeyEvent::default() });
        viewer.say(&mut agent, "typed").await?;
    }
    let from = |number: u32| {
        let keys = agent.seen().iter().filter(move |received| received.header.peer == number);
        keys.filter(|received| matches!(received.body, Body::KeyEvent(_))).count()
    };
    ensure!(from(first.number()) == 1 && from(second.number()) == 1, "not both could type");
    server.admin.http.patch("/api/settings", json!({"several_controllers": false})).await?.expect(200)?;
    // What the second held comes up, and it types no more.
    let number = second.number();
    agent
        .until_received("InputReset of the second", |received| {
            let reset = matches!(received.body, Body::InputReset(InputReset { .. }));
            (reset && received.header.peer == number).then_some(())
        })
        .await?;
    second.send(KeyEvent { scan_code: 31, down: true, seq: 8, ..KeyEvent::default() });
    second.say(&mut agent, "not typed").await?;
    let typed =
        agent.seen().iter().any(|received| matches!(&received.body, Body::KeyEvent(key) if key.scan_code == 31));
    ensure!(!typed, "it still types");
    Ok(())
}

#[tokio::test]
async fn viewers_and_time_are_limited() -> Result<()> {
    let server = TestServer::start_manual().await?;
    let limits = json!({"most_viewers": 1, "unwatched_minutes": 2, "session_hours": 1});
    server.admin.http.patch("/api/settings", limits).await?.expect(200)?;
    let technician = server.person("operator").await?;
    let (session, mut agent) = server.live(&technician, "view").await?;
    let viewer = server.viewer(&technician, &session, "view_only").await?;
    let one_more = technician.mint(&session, "view_only").await?;
    ensure!(gc_tests::FakeViewer::connect(server.address, &session, &one_more).await.is_err(), "two watch");
    server.clock.advance(Duration::from_secs(5));
    server.state(&technician, &session, "live").await?;
    viewer.close();
    agent.until("ViewerLeft", |body| matches!(body, Body::ViewerLeft(_)).then_some(())).await?;
    server.clock.advance(Duration::from_secs(6));
    server.state(&technician, &session, "live").await?;
    server.pass(Duration::from_secs(130), &mut agent).await.ok();
    server.state(&technician, &session, "ended").await?;
    let ended = technician.session(&session).await?;
    ensure!(ended["end_reason"] == "expired", "{ended}");
    // It may have been told while the time passed.
    let is_end =
        |body: &Body| matches!(body, Body::Disconnect(it) if it.code() == DisconnectCode::DisconnectSessionEnded);
    if !agent.seen().iter().any(|received| is_end(&received.body)) {
        promptly("the agent", agent.ended()).await?.expect(4410)?;
    }
    Ok(())
}

#[tokio::test]
async fn the_public_address_decides_who_is_at_home() -> Result<()> {
    let server = TestServer::start().await?;
    let technician = server.person("operator").await?;
    let (session, _agent) = server.live(&technician, "view").await?;
    let token = technician.mint(&session, "view_only").await?;
    let from = async |origin: &str| {
        Knock::viewer(&session).bearer(&token).header("origin", origin).status(server.address).await
    };
    let own = format!("http://{}", server.address);
    ensure!(from(&own).await? == 101 && from("https://support.example").await? == 403);
    let url = json!({"public_url": "https://support.example/", "trusted_proxies": ["127.0.0.0/8"]});
    let now = server.admin.http.patch("/api/settings", url).await?.expect(200)?;
    ensure!(now["url"] == "https://support.example" && now["trusted_proxies"] == json!(["127.0.0.0/8"]), "{now}");
    ensure!(from(&own).await? == 403 && from("https://support.example").await? == 101);
    let minted = technician.ask_token(&session).await?.expect(200)?;
    ensure!(minted["websocket_url"].as_str().is_some_and(|url| url.starts_with("wss://support.example/")), "{minted}");
    // The proxy that is trusted now says whom a request comes from.
    let forwarded = server.stranger()?.with("x-forwarded-for", "203.0.113.9");
    forwarded.post("/api/auth/login", json!({"username": "nobody", "password": "x"})).await?.expect(401)?;
    let trail = server.admin.http.get("/api/audit?event=login_failed").await?.expect(200)?;
    ensure!(trail["items"][0]["address"] == "203.0.113.9", "{trail}");
    Ok(())
}

//! What is taken back ends open sockets within a second: those concerned, and
//! no others.

use anyhow::{Context, Result, bail, ensure};
use gc_tests::{Body, FakeAgent, FakeViewer, Http, Knock, Person, TestServer, await_body, promptly};
use serde_json::json;

/// A session with its creator's viewer, the viewer of a second login of the
/// creator, an invited technician's, and the administrator's.
struct Scene {
    server: TestServer,
    technician: Person,
    second: Person,
    guest: Person,
    session: String,
    agent: FakeAgent,
    first_viewer: FakeViewer,
    second_viewer: FakeViewer,
    guest_viewer: FakeViewer,
    admin_viewer: FakeViewer,
}

async fn scene() -> Result<Scene> {
    let server = TestServer::start().await?;
    let technician = server.person("operator").await?;
    let second = server.log_in_again(&technician).await?;
    let guest = server.person("operator").await?;
    let (session, mut agent) = server.live(&technician, "control").await?;
    let first_viewer = server.viewer(&technician, &session, "control").await?;
    let second_viewer = server.viewer(&second, &session, "control").await?;
    let guest_viewer = server.guest(&technician, &guest, &session, "control").await?;
    let admin_viewer = server.viewer(&server.admin, &session, "control").await?;
    for _ in 0..4 {
        await_body!(agent, ViewerJoined)?;
    }
    Ok(Scene {
        server,
        technician,
        second,
        guest,
        session,
        agent,
        first_viewer,
        second_viewer,
        guest_viewer,
        admin_viewer,
    })
}

/// The viewer is out within a second, for one of these reasons.
async fn closed(who: &str, viewer: &mut FakeViewer, codes: &[u16]) -> Result<()> {
    let ended = promptly(who, viewer.ended()).await?;
    let code = ended.code.unwrap_or_default();
    ensure!(codes.contains(&code), "{who} was closed with {:?}, not one of {codes:?}", ended.code);
    ended.expect(code).context(who.to_owned())?;
    Ok(())
}

/// The viewer is still there, and heard by the agent.
async fn open(who: &str, viewer: &mut FakeViewer, agent: &mut FakeAgent) -> Result<()> {
    viewer.say(agent, who).await.with_context(|| format!("{who} has been closed as well"))
}

/// The agent hears that a viewer has gone.
async fn left(agent: &mut FakeAgent, viewer: u32) -> Result<()> {
    agent
        .until("ViewerLeft", |body| matches!(body, Body::ViewerLeft(left) if left.viewer == viewer).then_some(()))
        .await
}

#[tokio::test]
async fn logging_out_ends_what_that_login_opened() -> Result<()> {
    let mut s = scene().await?;
    s.technician.http.post_empty("/api/auth/logout").await?.expect(204)?;
    closed("the login's viewer", &mut s.first_viewer, &[4401]).await?;
    let gone = s.first_viewer.number();
    left(&mut s.agent, gone).await?;
    open("the other login's", &mut s.second_viewer, &mut s.agent).await?;
    open("the guest", &mut s.guest_viewer, &mut s.agent).await?;
    open("the administrator", &mut s.admin_viewer, &mut s.agent).await?;
    s.second.mint(&s.session, "control").await?;
    ensure!(s.technician.ask_token(&s.session).await?.status == 401);
    Ok(())
}

#[tokio::test]
async fn a_new_password_ends_what_the_old_one_opened() -> Result<()> {
    let mut s = scene().await?;
    let body = json!({"current_password": s.technician.password, "new_password": "pepper-window-orbit-81"});
    s.second.http.post("/api/auth/change-password", body).await?.expect(204)?;
    closed("the login's viewer", &mut s.first_viewer, &[4401]).await?;
    open("the guest", &mut s.guest_viewer, &mut s.agent).await?;
    open("the administrator", &mut s.admin_viewer, &mut s.agent).await?;
    ensure!(s.technician.http.get("/api/auth/me").await?.status == 401, "a login survived");
    let old = json!({"username": s.technician.username, "password": s.technician.password});
    ensure!(s.server.stranger()?.post("/api/auth/login", old).await?.status == 401, "the old password holds");
    Ok(())
}

/// A token that was minted before and not used yet opens nothing now.
async fn useless(s: &Scene, token: &str, what: &str) -> Result<()> {
    match Knock::viewer(&s.session).bearer(token).open(s.server.address).await? {
        Err(refused) => ensure!(refused.status == 401 || refused.status == 403, "{what} was answered {refused:?}"),
        Ok(_) => {
            let viewer = FakeViewer::connect(s.server.address, &s.session, token).await;
            bail!("{what} opened the socket: {:?}", viewer.map(|viewer| viewer.welcome));
        }
    }
    Ok(())
}

async fn change(s: &Scene, body: serde_json::Value) -> Result<()> {
    s.server.admin.http.patch(&format!("/api/users/{}", s.technician.id), body).await?.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn a_password_set_by_an_administrator_ends_the_old_logins() -> Result<()> {
    let mut s = scene().await?;
    change(&s, json!({"password": "pepper-window-orbit-81"})).await?;
    closed("the first login's viewer", &mut s.first_viewer, &[4401]).await?;
    closed("the second login's viewer", &mut s.second_viewer, &[4401]).await?;
    open("the guest", &mut s.guest_viewer, &mut s.agent).await?;
    ensure!(s.technician.http.get("/api/auth/me").await?.status == 401, "a login survived");
    Ok(())
}

#[tokio::test]
async fn disabling_somebody_ends_all_they_have_open() -> Result<()> {
    let mut s = scene().await?;
    let unused = s.second.mint(&s.session, "control").await?;
    change(&s, json!({"enabled": false})).await?;
    closed("the first login's viewer", &mut s.first_viewer, &[4401]).await?;
    closed("the second login's viewer", &mut s.second_viewer, &[4401]).await?;
    open("the guest", &mut s.guest_viewer, &mut s.agent).await?;
    open("the administrator", &mut s.admin_viewer, &mut s.agent).await?;
    ensure!(Knock::viewer(&s.session).bearer(&unused).status(s.server.address).await? == 401);
    ensure!(s.second.http.get("/api/auth/me").await?.status == 401, "a login survived");
    // Allowed again, the old logins stay gone.
    change(&s, json!({"enabled": true})).await?;
    ensure!(s.second.http.get("/api/auth/me").await?.status == 401, "an old login came back");
    Ok(())
}

#[tokio::test]
async fn removing_somebody_ends_all_they_have_open() -> Result<()> {
    let mut s = scene().await?;
    s.server.admin.http.delete(&format!("/api/users/{}", s.guest.id)).await?.expect(204)?;
    closed("the guest", &mut s.guest_viewer, &[4401, 4410]).await?;
    open("the first", &mut s.first_viewer, &mut s.agent).await?;
    open("the second", &mut s.second_viewer, &mut s.agent).await?;
    ensure!(s.guest.http.get("/api/auth/me").await?.status == 401, "a login survived");
    Ok(())
}

#[tokio::test]
async fn a_lower_role_ends_what_the_higher_one_opened() -> Result<()> {
    let mut s = scene().await?;
    let unused = s.second.mint(&s.session, "control").await?;
    change(&s, json!({"role": "viewer"})).await?;
    closed("the first login's viewer", &mut s.first_viewer, &[4401, 4410]).await?;
    closed("the second login's viewer", &mut s.second_viewer, &[4401, 4410]).await?;
    open("the guest", &mut s.guest_viewer, &mut s.agent).await?;
    open("the administrator", &mut s.admin_viewer, &mut s.agent).await?;
    useless(&s, &unused, "a token of the higher role").await
}

#[tokio::test]
async fn a_removed_session_ends_for_everybody_in_it() -> Result<()> {
    let mut s = scene().await?;
    let (other_session, mut other_agent) = s.server.live(&s.technician, "control").await?;
    let mut other_viewer = s.server.viewer(&s.technician, &other_session, "control").await?;
    s.technician.http.delete(&format!("/api/sessions/{}", s.session)).await?.expect(204)?;
    closed("the creator", &mut s.first_viewer, &[4410]).await?;
    closed("the creator's second", &mut s.second_viewer, &[4410]).await?;
    closed("the guest", &mut s.guest_viewer, &[4410]).await?;
    closed("the administrator", &mut s.admin_viewer, &[4410]).await?;
    promptly("the agent's end", s.agent.ended()).await?.expect(4410)?;
    open("the other session's viewer", &mut other_viewer, &mut other_agent).await?;
    let row = s.server.audited(&s.session, "session_removed").await;
    row.context("the removal is not in the trail")?;
    Ok(())
}

/// The administrators' own removal takes effect just the same.
#[tokio::test]
async fn an_administrator_removes_anybodys_session() -> Result<()> {
    let mut s = scene().await?;
    ensure!(s.guest.http.delete(&format!("/api/sessions/{}", s.session)).await?.status == 403, "a guest removes it");
    s.server.admin.http.delete(&format!("/api/sessions/{}", s.session)).await?.expect(204)?;
    closed("the creator", &mut s.first_viewer, &[4410]).await?;
    promptly("the agent's end", s.agent.ended()).await?.expect(4410)?;
    Ok(())
}

#[tokio::test]
async fn a_withdrawn_invitation_ends_the_guests_viewer() -> Result<()> {
    let mut s = scene().await?;
    let unused = s.guest.mint(&s.session, "control").await?;
    let path = format!("/api/sessions/{}/invitations/{}", s.session, s.guest.id);
    s.technician.http.delete(&path).await?.expect(204)?;
    closed("the guest", &mut s.guest_viewer, &[4401, 4410]).await?;
    open("the first", &mut s.first_viewer, &mut s.agent).await?;
    open("the second", &mut s.second_viewer, &mut s.agent).await?;
    open("the administrator", &mut s.admin_viewer, &mut s.agent).await?;
    useless(&s, &unused, "the guest's other token").await?;
    let status = s.guest.ask_token(&s.session).await?.status;
    ensure!(status == 403 || status == 404, "the guest minted with {status}");
    Ok(())
}

#[tokio::test]
async fn a_cancelled_code_lets_nobody_in() -> Result<()> {
    let server = TestServer::start().await?;
    let (technician, other) = (server.person("operator").await?, server.person("operator").await?);
    let code = technician.code("view").await?;
    let path = format!("/api/codes/{}/cancel", code.code);
    let status = other.http.post_empty(&path).await?.status;
    ensure!(status == 403 || status == 404, "another technician's cancelling was answered {status}");
    ensure!(Http::new(server.address)?.post_empty(&path).await?.status == 401);
    technician.http.post_empty(&path).await?.expect(204)?;
    ensure!(Knock::agent().code(&code.code).status(server.address).await? == 401);
    let session = server.state(&technician, &code.session, "ended").await?;
    ensure!(session["end_reason"] == "cancelled", "{session}");
    Ok(())
}

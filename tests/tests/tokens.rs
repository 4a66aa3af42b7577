//! Personal access tokens: what they open, what they never open, and that they
//! are gone when they are revoked.

use anyhow::{Context, Result, ensure};
use gc_tests::{Http, Person, TestServer, await_body, promptly};
use serde_json::{Value, json};

/// A token of this person's with these scopes: its id, and a client with it.
async fn token(server: &TestServer, person: &Person, scopes: &[&str]) -> Result<(String, Http)> {
    let body = json!({"name": "for a test", "scopes": scopes});
    let body = person.http.post("/api/tokens", body).await?.expect(201)?;
    let secret = body["secret"].as_str().context("no secret")?;
    ensure!(secret.starts_with("pat_") && secret.len() == 68, "{secret}");
    Ok((body["token"]["id"].as_str().context("no id")?.to_owned(), server.stranger()?.bearer(secret)))
}

async fn tokens(person: &Person) -> Result<Vec<Value>> {
    Ok(person.http.get("/api/tokens").await?.expect(200)?["items"].as_array().context("no items")?.clone())
}

#[tokio::test]
async fn a_scope_opens_what_it_names_and_no_more() -> Result<()> {
    let server = TestServer::start().await?;
    let (session, _agent) = server.live(&server.admin, "control").await?;
    let (_, watching) = token(&server, &server.admin, &["view"]).await?;
    let mint = format!("/api/sessions/{session}/viewer-token");
    ensure!(watching.get("/api/sessions").await?.status == 200);
    ensure!(watching.post_empty(&mint).await?.expect(200)?["access"] == "view_only", "a scope was exceeded");
    for (path, body) in [
        ("/api/codes", json!({"access": "view"})),
        ("/api/users", json!({"username": "eve", "password": "walnut-harbour-ladder-52", "role": "viewer"})),
    ] {
        let refused = watching.post(path, body).await?;
        ensure!(refused.status == 403 && refused.error_code() == Some("FORBIDDEN"), "{path}: {refused:?}");
    }
    for path in ["/api/users", "/api/audit", "/api/settings"] {
        ensure!(watching.get(path).await?.status == 403, "{path} was open");
    }
    let me = watching.get("/api/auth/me").await?.expect(200)?;
    ensure!(me["permissions"] == json!(["view"]), "{me}");

    // Codes, and nothing about people.
    let (_, making) = token(&server, &server.admin, &["create_codes"]).await?;
    making.post("/api/codes", json!({"access": "view"})).await?.expect(201)?;
    ensure!(making.get("/api/sessions").await?.status == 403);

    // Whoever manages users with a token gives nothing that the token lacks.
    let (_, managing) = token(&server, &server.admin, &["manage_users", "view"]).await?;
    let user =
        |role: &str| json!({"username": format!("new-{role}"), "password": "walnut-harbour-ladder-52", "role": role});
    managing.post("/api/users", user("viewer")).await?.expect(201)?;
    for role in ["operator", "admin"] {
        ensure!(managing.post("/api/users", user(role)).await?.status == 403, "a token made an {role}");
    }
    Ok(())
}

/// A token that reads metrics changes nothing in the sessions of whoever made it.
#[tokio::test]
async fn a_foreign_scope_opens_no_session() -> Result<()> {
    let server = TestServer::start().await?;
    let guest = server.person("viewer").await?;
    for owner in [&server.admin, &server.person("operator").await?] {
        let (session, _agent) = server.live(owner, "control").await?;
        let scope = if owner.username == "root" { "view_metrics" } else { "transfer" };
        let (_, script) = token(&server, owner, &[scope]).await?;
        let path = format!("/api/sessions/{session}");
        let invitations = format!("{path}/invitations");
        let invite = json!({"user_id": guest.id});
        for refused in [
            script.delete(&path).await?,
            script.post(&invitations, invite.clone()).await?,
            script.get(&invitations).await?,
            script.get("/api/sessions").await?,
            script.post_empty(&format!("{path}/viewer-token")).await?,
        ] {
            ensure!(refused.status == 403, "{refused:?}");
        }
        let removal = script.post("/api/sessions/remove", json!({"ids": [session, session]})).await?.expect(200)?;
        let items = removal["items"].as_array().context("no items")?;
        ensure!(items.len() == 1 && items[0]["removed"] == false, "{removal}");
        ensure!(owner.session(&session).await?["state"] == "live", "it was ended");
        // Nor does it withdraw whom its owner invited.
        owner.invite(&session, &guest).await?;
        ensure!(script.delete(&format!("{invitations}/{}", guest.id)).await?.status == 403);
    }
    Ok(())
}

#[tokio::test]
async fn an_account_is_not_for_tokens() -> Result<()> {
    let server = TestServer::start().await?;
    let all: Vec<String> = server.admin.http.get("/api/auth/me").await?.expect(200)?["permissions"]
        .as_array()
        .context("no permissions")?
        .iter()
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let (id, script) = token(&server, &server.admin, &all).await?;
    let passwords = json!({"current_password": server.admin.password, "new_password": "pepper-window-orbit-81"});
    let calls = [
        script.post("/api/auth/change-password", passwords).await?,
        script.post_empty("/api/auth/logout").await?,
        script.post_empty("/api/auth/second-factor/propose").await?,
        script.post("/api/auth/second-factor/remove", json!({"current_password": server.admin.password})).await?,
        script.post("/api/tokens", json!({"name": "another", "scopes": ["view"]})).await?,
        script.get("/api/tokens").await?,
        script.delete(&format!("/api/tokens/{id}")).await?,
    ];
    for (number, answer) in calls.iter().enumerate() {
        ensure!(answer.status == 403 && answer.error_code() == Some("LOGIN_REQUIRED"), "call {number}: {answer:?}");
    }
    Ok(())
}

#[tokio::test]
async fn revoked_it_is_gone_and_its_viewers_with_it() -> Result<()> {
    let server = TestServer::start().await?;
    let technician = server.person("operator").await?;
    let (session, mut agent) = server.live(&technician, "control").await?;
    let (id, script) = token(&server, &technician, &["view", "control"]).await?;
    let by_token = Person { http: script, ..technician.clone() };
    let mut viewer = server.viewer(&by_token, &session, "control").await?;
    let own = server.viewer(&technician, &session, "control").await?;
    let unused = by_token.mint(&session, "control").await?;
    for _ in 0..2 {
        await_body!(agent, ViewerJoined)?;
    }
    // Logging out does not end it: it is a credential of its own.
    let again = server.log_in_again(&technician).await?;
    again.http.post_empty("/api/auth/logout").await?.expect(204)?;
    viewer.say(&mut agent, "still here").await?;

    technician.http.delete(&format!("/api/tokens/{id}")).await?.expect(204)?;
    let ended = promptly("the token's viewer", viewer.ended()).await?;
    ensure!(ended.code == Some(4401), "{:?}", ended.code);
    own.say(&mut agent, "the login's goes on").await?;
    ensure!(by_token.http.get("/api/sessions").await?.status == 401);
    ensure!(
        gc_tests::FakeViewer::connect(server.address, &session, &unused).await.is_err(),
        "an old viewer token opened"
    );
    ensure!(tokens(&technician).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn it_ends_with_time_and_with_its_owner() -> Result<()> {
    let server = TestServer::start_manual().await?;
    let technician = server.person("operator").await?;
    let body = json!({"name": "a day", "scopes": ["view"], "expires_in_days": 1});
    let made = technician.http.post("/api/tokens", body).await?.expect(201)?;
    let short = server.stranger()?.bearer(made["secret"].as_str().unwrap_or_default());
    let (_, long) = token(&server, &technician, &["view"]).await?;
    ensure!(tokens(&technician).await?.iter().all(|token| token["last_used_at"].is_null()), "used before use");
    ensure!(short.get("/api/sessions").await?.status == 200);
    ensure!(tokens(&technician).await?[1]["last_used_at"].is_string(), "its use is not shown");
    server.clock.advance(std::time::Duration::from_secs(24 * 60 * 60));
    ensure!(short.get("/api/sessions").await?.status == 401, "it lives longer than asked");
    ensure!(long.get("/api/sessions").await?.status == 200);

    // Taken rights are taken from tokens as well; a disabled owner has none.
    let admin = server.log_in_again(&server.admin).await?;
    let user = format!("/api/users/{}", technician.id);
    admin.http.patch(&user, json!({"role": "end_user"})).await?.expect(200)?;
    ensure!(long.get("/api/sessions").await?.status == 403);
    admin.http.patch(&user, json!({"role": "operator"})).await?.expect(200)?;
    ensure!(long.get("/api/sessions").await?.status == 200);
    admin.http.patch(&user, json!({"enabled": false})).await?.expect(200)?;
    ensure!(long.get("/api/sessions").await?.status == 401);
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_asked_for() -> Result<()> {
    let server = TestServer::start().await?;
    let technician = server.person("operator").await?;
    for (body, status) in [
        (json!({"name": "x", "scopes": []}), 422),
        (json!({"name": "", "scopes": ["view"]}), 422),
        (json!({"name": "x", "scopes": ["everything"]}), 422),
        (json!({"name": "x", "scopes": ["manage_users"]}), 403),
        (json!({"name": "x", "scopes": ["view"], "expires_in_days": 0}), 422),
        (json!({"name": "x", "scopes": ["view"], "expires_in_days": 731}), 422),
        (json!({"name": "x", "scopes": ["view"], "colour": "red"}), 422),
    ] {
        let answer = technician.http.post("/api/tokens", body.clone()).await?;
        ensure!(answer.status == status, "{body}: {answer:?}");
    }
    for number in 0..50 {
        let body = json!({"name": format!("token {number}"), "scopes": ["view"]});
        technician.http.post("/api/tokens", body).await?.expect(201)?;
    }
    let full = technician.http.post("/api/tokens", json!({"name": "one more", "scopes": ["view"]})).await?;
    ensure!(full.status == 409 && full.error_code() == Some("TOO_MANY_TOKENS"), "{full:?}");
    Ok(())
}

#[tokio::test]
async fn others_do_not_see_or_revoke_it() -> Result<()> {
    let server = TestServer::start().await?;
    let (owner, other) = (server.person("operator").await?, server.person("operator").await?);
    let (id, script) = token(&server, &owner, &["view"]).await?;
    let revoke = format!("/api/tokens/{id}");
    ensure!(other.http.delete(&revoke).await?.status == 404);
    ensure!(other.http.get(&format!("/api/tokens?user_id={}", owner.id)).await?.status == 403);
    // One who manages users, and has less than the administrator.
    let user = format!("/api/users/{}", other.id);
    server.admin.http.patch(&user, json!({"permissions": ["manage_users"]})).await?.expect(200)?;
    let (of_admin, _) = token(&server, &server.admin, &["view"]).await?;
    ensure!(other.http.delete(&format!("/api/tokens/{of_admin}")).await?.status == 404);
    let seen = other.http.get(&format!("/api/tokens?user_id={}", owner.id)).await?.expect(200)?;
    ensure!(seen["items"][0]["name"] == "for a test" && !seen.to_string().contains("pat_"), "{seen}");
    other.http.delete(&revoke).await?.expect(204)?;
    ensure!(script.get("/api/sessions").await?.status == 401);
    // Who did it stands in the trail.
    let trail = server.admin.http.get("/api/audit?event=token_revoked").await?.expect(200)?;
    ensure!(trail["items"][0]["actor_id"] == other.id.as_str(), "{trail}");
    Ok(())
}

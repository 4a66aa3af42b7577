//! Removing: singly, many at once, twice, and by two people at the same time.

use anyhow::{Context, Result, ensure};
use gc_tests::{TestServer, promptly};
use serde_json::{Value, json};
use uuid::Uuid;

use super::envelope::refused;

#[tokio::test]
async fn many_sessions_at_once_each_with_its_own_result() -> Result<()> {
    let server = TestServer::start().await?;
    let technician = server.person("operator").await?;
    let other = server.person("operator").await?;
    let (live, mut agent) = server.live(&technician, "view").await?;
    let waiting = technician.code("view").await?.session;
    let foreign = other.code("view").await?.session;
    let nobody = Uuid::now_v7().to_string();
    let ids = json!({"ids": [live, waiting, foreign, nobody]});

    // Its creator ends what is their own; of others' they hear nothing.
    let body = technician.http.post("/api/sessions/remove", ids.clone()).await?.expect(200)?;
    let result = |id: &str, code: Value| json!({"id": id, "removed": code.is_null(), "error_code": code});
    let missing = json!("NOT_FOUND");
    let expected = [
        result(&live, Value::Null),
        result(&waiting, Value::Null),
        result(&foreign, missing.clone()),
        result(&nobody, missing.clone()),
    ];
    ensure!(body["items"] == json!(expected), "{body}");
    promptly("the agent", agent.ended()).await?;
    for id in [&live, &waiting] {
        ensure!(technician.session(id).await?["state"] == "ended");
        ensure!(server.audit_names(id).await?.iter().any(|name| name == "session_removed"));
    }

    // An administrator takes all of them out of the lists; a second time there is none.
    let body = server.admin.http.post("/api/sessions/remove", ids.clone()).await?.expect(200)?;
    let removed: Vec<bool> =
        body["items"].as_array().context("no items")?.iter().map(|one| one["removed"] == true).collect();
    ensure!(removed == [true, true, true, false], "{body}");
    let listed = server.admin.http.get("/api/sessions").await?.expect(200)?;
    ensure!(listed["items"] == json!([]), "{listed}");
    let body = server.admin.http.post("/api/sessions/remove", ids).await?.expect(200)?;
    ensure!(body["items"].as_array().context("no items")?.iter().all(|one| one["error_code"] == "NOT_FOUND"), "{body}");
    Ok(())
}

#[tokio::test]
async fn five_hundred_at_most() -> Result<()> {
    let server = TestServer::start().await?;
    let ids = |count: usize| json!({"ids": (0..count).map(|_| Uuid::now_v7().to_string()).collect::<Vec<_>>()});
    for (what, body) in
        [("none", ids(0)), ("too many", ids(501)), ("no ids", json!({"ids": ["x"]})), ("nothing", json!({}))]
    {
        refused(what, &server.admin.http.post("/api/sessions/remove", body).await?, 422, "INVALID_REQUEST")?;
    }
    let body = server.admin.http.post("/api/sessions/remove", ids(500)).await?.expect(200)?;
    ensure!(body["items"].as_array().context("no items")?.len() == 500);
    let stranger = server.stranger()?.post("/api/sessions/remove", ids(1)).await?;
    refused("a stranger", &stranger, 401, "UNAUTHORIZED")
}

/// A second time changes nothing more, whatever it answers.
#[tokio::test]
async fn twice_is_as_good_as_once() -> Result<()> {
    let server = TestServer::start().await?;
    let admin = &server.admin.http;
    let (user, guest) = (server.person("viewer").await?, server.person("operator").await?);
    let token = admin.post("/api/tokens", json!({"name": "once", "scopes": ["view"]})).await?.expect(201)?;
    let session = server.admin.code("view").await?.session;
    server.admin.invite(&session, &guest).await?;
    let token = token["token"]["id"].as_str().context("no id")?.to_owned();
    for (path, second, event) in [
        (format!("/api/sessions/{session}/invitations/{}", guest.id), 404, "invitation_withdrawn"),
        (format!("/api/tokens/{token}"), 204, "token_revoked"),
        (format!("/api/users/{}", user.id), 404, "user_removed"),
    ] {
        admin.delete(&path).await?.expect(204)?;
        for _ in 0..2 {
            let again = admin.delete(&path).await?;
            ensure!(again.status == second, "{path}: {again:?}");
        }
        let trail = admin.get(&format!("/api/audit?event={event}")).await?.expect(200)?;
        ensure!(trail["items"].as_array().is_some_and(|items| items.len() == 1), "{event}: {trail}");
    }
    Ok(())
}

/// Of two who change the same thing nothing half done remains, and what one
/// did not speak of stays as the other set it.
#[tokio::test]
async fn two_changes_at_once() -> Result<()> {
    let server = TestServer::start().await?;
    let second = server.person("admin").await?;
    let (admin, other) = (&server.admin.http, &second.http);
    for round in 0..5 {
        let user = server.person("viewer").await?;
        let path = format!("/api/users/{}", user.id);
        let name = format!("Name {round}");
        let (one, two) = tokio::join!(
            admin.patch(&path, json!({"display_name": name})),
            other.patch(&path, json!({"role": "operator", "permissions": ["view_audit"]})),
        );
        let (one, two) = (one?, two?);
        two.expect(200)?;
        // Either it came before, or after, or is told that it came between.
        let named = one.status == 200;
        if !named {
            refused("the slower one", &one, 409, "CHANGED_MEANWHILE")?;
        }
        let users = admin.get(&format!("/api/users?q={}", user.username)).await?.expect(200)?;
        let now = &users["items"][0];
        ensure!(now["role"] == "operator" && (now["display_name"] == name.as_str()) == named, "{now}");
        let may = now["permissions"].as_array().context("no permissions")?;
        ensure!(may.contains(&json!("view_audit")) && may.contains(&json!("control")), "{now}");

        let (one, two) = tokio::join!(
            admin.patch("/api/settings", json!({"session_hours": round + 1})),
            other.patch("/api/settings", json!({"unwatched_minutes": round + 1})),
        );
        one?.expect(200)?;
        two?.expect(200)?;
        let now = admin.get("/api/settings").await?.expect(200)?;
        ensure!(now["session_hours"] == round + 1 && now["unwatched_minutes"] == round + 1, "{now}");
    }
    // Two who take each other's rights away: one of them is left.
    let (first, second_path) = (format!("/api/users/{}", server.admin.id), format!("/api/users/{}", second.id));
    let (one, two) = tokio::join!(admin.delete(&second_path), other.delete(&first));
    let (one, two) = (one?, two?);
    ensure!([one.status, two.status].contains(&204), "{one:?} {two:?}");
    ensure!([one.status, two.status].iter().filter(|status| **status == 204).count() == 1, "{one:?} {two:?}");
    Ok(())
}

//! The shapes that independent clients rely on: fields, types and statuses, as
//! they were promised.

use anyhow::{Context, Result, bail, ensure};
use gc_tests::{Knock, TestServer};
use serde_json::{Value, json};

use super::envelope::refused;

/// Whether a value is of this kind.
fn is(value: &Value, kind: &str) -> Result<bool> {
    let text = value.as_str();
    let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    Ok(match kind {
        "text" => text.is_some_and(|text| !text.is_empty()),
        "id" => text.is_some_and(|text| text.parse::<uuid::Uuid>().is_ok()),
        "time" => text.is_some_and(|text| text.len() >= 20 && text.ends_with('Z') && digits(&text[..4])),
        "code" => text.is_some_and(|text| {
            let groups: Vec<&str> = text.split('-').collect();
            let symbols = |group: &&str| group.len() == 3 && !group.contains(['0', 'O', '1', 'I', 'L']);
            groups.len() == 3 && groups.iter().all(symbols)
        }),
        "true" => *value == json!(true),
        "false" => *value == json!(false),
        "null" => value.is_null(),
        "list" => value.is_array(),
        other => bail!("there is no kind {other}"),
    })
}

/// These fields are there, each of its kind; others may stand beside them.
fn fields(what: &str, value: &Value, expected: &[(&str, &str)]) -> Result<()> {
    for (name, kind) in expected {
        ensure!(value.get(name).is_some(), "{what} has no {name}: {value}");
        ensure!(is(&value[name], kind)?, "{what}: {name} is no {kind}: {value}");
    }
    Ok(())
}

#[tokio::test]
async fn logging_in() -> Result<()> {
    let server = TestServer::start().await?;
    let http = server.stranger()?;
    let body = json!({"username": "root", "password": server.admin.password});
    let answer = http.post("/api/auth/login", body).await?;
    let cookie = answer.header("set-cookie").context("no cookie")?.to_owned();
    let body = answer.expect(200)?;
    fields("a login", &body, &[("token", "text"), ("expires_at", "time")])?;
    fields(
        "its user",
        &body["user"],
        &[("id", "id"), ("username", "text"), ("role", "text"), ("permissions", "list")],
    )?;
    let token = body["token"].as_str().context("no token")?;
    ensure!(cookie.contains(&format!("={token};")), "another token is in the cookie");
    for word in ["HttpOnly", "Secure", "SameSite"] {
        ensure!(cookie.contains(word), "{word} is missing in the cookie");
    }
    ensure!(http.bearer(token).get("/api/auth/me").await?.status == 200);
    let by_cookie = http.with("cookie", cookie.split(';').next().unwrap_or_default());
    ensure!(by_cookie.get("/api/auth/me").await?.status == 200);
    let wrong = http.post("/api/auth/login", json!({"username": "root", "password": "not this one"})).await?;
    refused("a wrong password", &wrong, 401, "LOGIN_FAILED")?;
    // Set-up is over, whatever is shown.
    let again = json!({"token": "x", "username": "eve", "password": "walnut-harbour-ladder-52"});
    refused("set-up", &http.post("/api/setup", again).await?, 404, "NOT_FOUND")?;
    refused("set-up", &http.get("/api/setup").await?, 404, "NOT_FOUND")
}

#[tokio::test]
async fn a_session_from_its_code_to_its_viewer() -> Result<()> {
    let server = TestServer::start().await?;
    let admin = &server.admin.http;
    let made = admin.post("/api/codes", json!({"access": "control", "note": "printer"})).await?.expect(201)?;
    fields("a code", &made, &[("code", "code"), ("expires_at", "time"), ("session_id", "id")])?;
    let (code, id) = (made["code"].as_str().context("no code")?, made["session_id"].as_str().context("no id")?);

    let validate = async |code: &str| server.stranger()?.get(&format!("/api/codes/{code}/validate")).await?.expect(200);
    let valid = [("valid", "true"), ("technician_name", "text"), ("organization", "text"), ("expires_at", "time")];
    for written in [code.to_owned(), code.to_lowercase(), code.replace('-', "")] {
        fields("a preview", &validate(&written).await?, &valid)?;
    }
    let unknown = [("valid", "false"), ("technician_name", "null"), ("organization", "null"), ("expires_at", "null")];
    fields("a preview of nothing", &validate("ZZZ-ZZZ-ZZZ").await?, &unknown)?;

    let session = || async { server.admin.session(id).await };
    let before = [
        ("id", "id"),
        ("machine", "null"),
        ("source", "text"),
        ("consent_state", "text"),
        ("state", "text"),
        ("is_managed", "false"),
        ("viewers", "list"),
        ("started_at", "null"),
    ];
    let listed = admin.get("/api/sessions").await?.expect(200)?;
    fields("sessions", &listed, &[("items", "list"), ("next", "null")])?;
    ensure!(listed["items"][0] == session().await?, "a list shows something else than a row");
    let now = session().await?;
    fields("a session", &now, &before)?;
    ensure!(
        (&now["source"], &now["consent_state"], &now["state"])
            == (&json!("standalone"), &json!("pending"), &json!("waiting")),
        "{now}"
    );

    let mint = format!("/api/sessions/{id}/viewer-token");
    refused("too early", &admin.post_empty(&mint).await?, 409, "CONSENT_PENDING")?;
    let mut agent = server.agent(&gc_tests::Code { code: code.to_owned(), session: id.to_owned() }).await?;
    fields("a session that asks", &server.state(&server.admin, id, "pending").await?, &before)?;
    refused("still too early", &admin.post_empty(&mint).await?, 409, "CONSENT_PENDING")?;
    agent.grant().await?;
    let now = server.state(&server.admin, id, "live").await?;
    fields("a live session", &now, &[("started_at", "time"), ("viewers", "list")])?;
    fields("its machine", &now["machine"], &[("hostname", "text")])?;
    ensure!(now["consent_state"] == "granted", "{now}");

    let minted = admin.post_empty(&mint).await?.expect(200)?;
    fields(
        "a viewer token",
        &minted,
        &[("token", "text"), ("access", "text"), ("expires_at", "time"), ("websocket_url", "text")],
    )?;
    ensure!(minted["access"] == "control", "{minted}");
    let expected = format!("ws://{}/ws/viewer?session_id={id}", server.address);
    ensure!(minted["websocket_url"] == expected.as_str(), "{minted}");
    let token = minted["token"].as_str().context("no token")?;
    ensure!(Knock::viewer(id).bearer(token).status(server.address).await? == 101);
    ensure!(Knock::viewer(id).bearer("nothing").status(server.address).await? == 401);
    let other = server.admin.code("view").await?.session;
    ensure!(Knock::viewer(&other).bearer(token).status(server.address).await? == 403, "a token of another session");

    let stranger = server.person("operator").await?;
    refused("somebody else", &stranger.http.post_empty(&mint).await?, 403, "FORBIDDEN")?;
    admin.delete(&format!("/api/sessions/{id}")).await?.expect(204)?;
    refused("it is over", &admin.post_empty(&mint).await?, 409, "SESSION_ENDED")?;
    let nobody = "/api/sessions/00000000-0000-4000-8000-000000000000/viewer-token";
    refused("there is none", &admin.post_empty(nobody).await?, 404, "NOT_FOUND")
}

#[tokio::test]
async fn what_anybody_may_read() -> Result<()> {
    let server = TestServer::start().await?;
    let http = server.stranger()?;
    let version = http.get("/api/version").await?.expect(200)?;
    fields("the version", &version, &[("version", "text")])?;
    ensure!(version["protocol_lowest"].is_u64() && version["protocol_highest"].is_u64(), "{version}");
    let changes = http.get("/api/changelog").await?.expect(200)?;
    fields("the changelog", &changes, &[("items", "list"), ("next", "null")])?;
    fields("a version's changes", &changes["items"][0], &[("version", "text"), ("changes", "list")])?;
    let branding = http.get("/api/branding").await?.expect(200)?;
    ensure!(branding == json!({"product": "GuruConnect", "organization": "Acme Support"}), "{branding}");
    for (path, text) in [("/healthz", "ok"), ("/readyz", "ready")] {
        let answer = http.get(path).await?;
        ensure!(answer.status == 200 && answer.text.trim() == text, "{path}: {answer:?}");
    }
    let description = http.get("/api/openapi.json").await?.expect(200)?;
    ensure!(
        description["openapi"].as_str().is_some_and(|version| version.starts_with("3.1.")),
        "{}",
        description["openapi"]
    );
    ensure!(http.get("/api/docs/").await?.text.contains("<html"), "there are no browsable docs");
    Ok(())
}

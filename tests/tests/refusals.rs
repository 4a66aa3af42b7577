//! What is refused is refused in one shape; what comes from other sites with
//! the browser's cookie is refused as well.

use anyhow::{Context, Result, bail, ensure};
use gc_tests::{Answer, Http, Knock, TestServer};
use reqwest::Method;
use serde_json::{Value, json};

/// `{ error_code, detail, status_code, request_id }`, the last of which is in
/// the header too.
fn envelope(what: &str, answer: &Answer, expected: &[u16]) -> Result<()> {
    ensure!(expected.contains(&answer.status), "{what}: expected {expected:?}, got {answer:?}");
    let body = answer.body.as_object().with_context(|| format!("{what}: the body is no object: {answer:?}"))?;
    let mut names: Vec<&str> = body.keys().map(String::as_str).collect();
    names.sort_unstable();
    ensure!(names == ["detail", "error_code", "request_id", "status_code"], "{what}: {names:?}");
    ensure!(body["status_code"] == answer.status, "{what}: {answer:?}");
    let code = body["error_code"].as_str().unwrap_or_default();
    let stable = !code.is_empty() && code.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    ensure!(stable, "{what}: the code is {code:?}");
    ensure!(body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{what}: no detail");
    let id = answer.header("x-request-id").with_context(|| format!("{what}: no x-request-id"))?;
    ensure!(!id.is_empty() && body["request_id"] == id, "{what}: {id} is not {}", body["request_id"]);
    Ok(())
}

#[tokio::test]
async fn errors_have_one_shape() -> Result<()> {
    let server = TestServer::start().await?;
    let technician = server.person("operator").await?;
    let code = technician.code("view").await?;
    let nobody = "00000000-0000-4000-8000-000000000000";
    let admin = &server.admin.http;
    let text = |method: Method, path: &'static str, body: &str| admin.call_text(method, path, Some(body.to_owned()));
    let plain = server.stranger()?.with("authorization", "Basic cm9vdDpyb290");
    for (what, answer, expected) in [
        ("broken JSON", text(Method::POST, "/api/codes", "{").await?, &[400][..]),
        ("no JSON", text(Method::POST, "/api/codes", "").await?, &[400]),
        ("a bad query", admin.get("/api/sessions?limit=many").await?, &[400, 422]),
        ("a bad id", admin.get("/api/sessions/not-an-id").await?, &[400, 404, 422]),
        ("no credential", server.stranger()?.get("/api/auth/me").await?, &[401]),
        ("another scheme", plain.get("/api/auth/me").await?, &[401]),
        ("no permission", technician.http.get("/api/users").await?, &[403]),
        ("an unknown session", admin.get(&format!("/api/sessions/{nobody}")).await?, &[404]),
        ("an unknown call", admin.get("/api/nothing/here").await?, &[404]),
        ("an unknown call, posted", admin.post("/api/nothing/here", json!({})).await?, &[404]),
        ("another method", admin.call(Method::PUT, "/api/codes", None).await?, &[405]),
        ("another method on a socket", admin.post_empty("/ws/agent").await?, &[405]),
        ("consent missing", technician.ask_token(&code.session).await?, &[409]),
        ("a name that is taken", taken(admin).await?, &[409]),
        ("a wrong word", admin.post("/api/codes", json!({"access": "everything"})).await?, &[400, 422]),
        ("a wrong type", admin.post("/api/codes", json!({"access": 7})).await?, &[400, 422]),
        ("a missing field", admin.post("/api/codes", json!({})).await?, &[400, 422]),
        ("a weak password", weak(admin).await?, &[400, 422]),
        ("a large body", admin.post("/api/codes", json!({"access": "x".repeat(200_000)})).await?, &[413]),
    ] {
        envelope(what, &answer, expected)?;
    }
    let form = admin.with("content-type", "application/x-www-form-urlencoded");
    let answer = form.call(Method::POST, "/api/codes", None).await?;
    envelope("a form", &answer, &[400, 415])?;
    let guesser = server.stranger()?;
    for attempt in 1..=20 {
        let body = json!({"username": "nobody", "password": "wrong-harbour-ladder-52"});
        let answer = guesser.post("/api/auth/login", body).await?;
        envelope("a wrong password", &answer, &[401, 429])?;
        if answer.status == 429 {
            ensure!(answer.header("retry-after").is_some(), "no Retry-After");
            return Ok(());
        }
        ensure!(attempt < 9, "{attempt} logins in a minute");
    }
    bail!("logins are not limited")
}

async fn taken(admin: &Http) -> Result<Answer> {
    let account =
        |username: &str| json!({"username": username, "password": "walnut-harbour-ladder-52", "role": "viewer"});
    admin.post("/api/users", account("grace")).await?.expect(201)?;
    admin.post("/api/users", account("GRACE")).await
}

async fn weak(admin: &Http) -> Result<Answer> {
    admin.post("/api/users", json!({"username": "weak", "password": "x", "role": "viewer"})).await
}

/// Two requests are never mistaken for one another, and what a client calls
/// its request is not believed where it could forge a log line.
#[tokio::test]
async fn every_request_has_its_own_id() -> Result<()> {
    let server = TestServer::start().await?;
    let http = server.stranger()?;
    let id = |answer: &Answer| answer.header("x-request-id").map(str::to_owned);
    let (one, two) = (id(&http.get("/api/version").await?), id(&http.get("/api/version").await?));
    ensure!(one.is_some() && two.is_some() && one != two, "{one:?} {two:?}");
    let long = http.with("x-request-id", "x".repeat(4000)).get("/api/version").await?;
    ensure!(id(&long).is_some_and(|id| id.len() < 200), "a long id was taken over");
    Ok(())
}

#[tokio::test]
async fn refused_upgrades_have_the_shape_too() -> Result<()> {
    let server = TestServer::start().await?;
    let refused = Knock::agent().refused(server.address).await?;
    envelope("the agents' socket", &refused, &[401])?;
    let refused = Knock::viewer("00000000-0000-4000-8000-000000000000").refused(server.address).await?;
    envelope("the viewers' socket", &refused, &[401])
}

/// Who asks for a socket without asking for an upgrade.
#[tokio::test]
async fn sockets_refuse_plain_calls_in_the_same_shape() -> Result<()> {
    let server = TestServer::start().await?;
    for path in ["/ws/agent", "/ws/viewer?session_id=00000000-0000-4000-8000-000000000000", "/ws/viewer"] {
        envelope(path, &server.stranger()?.get(path).await?, &[400, 401, 426])?;
    }
    Ok(())
}

#[tokio::test]
async fn unknown_fields_are_refused() -> Result<()> {
    let server = TestServer::start().await?;
    let technician = server.person("operator").await?;
    let session = technician.code("view").await?.session;
    let password = &server.admin.password;
    let calls: Vec<(Method, String, Value)> = vec![
        (Method::POST, "/api/auth/login".into(), json!({"username": "root", "password": password})),
        (Method::POST, "/api/codes".into(), json!({"access": "view"})),
        (Method::POST, "/api/users".into(), json!({"username": "x", "password": password, "role": "viewer"})),
        (Method::PATCH, format!("/api/users/{}", technician.id), json!({"display_name": "X"})),
        (Method::POST, format!("/api/sessions/{session}/invitations"), json!({"user_id": technician.id})),
        (
            Method::POST,
            "/api/auth/change-password".into(),
            json!({"current_password": password, "new_password": "pepper-window-orbit-81"}),
        ),
    ];
    for (method, path, mut body) in calls {
        body["is_admin"] = json!(true);
        let answer = server.admin.http.call(method.clone(), &path, Some(body)).await?;
        envelope(&format!("{method} {path}"), &answer, &[400, 422])?;
    }
    ensure!(server.admin.http.get("/api/auth/me").await?.status == 200, "one of them was done");
    Ok(())
}

#[tokio::test]
async fn other_sites_cannot_use_the_cookie() -> Result<()> {
    let server = TestServer::start().await?;
    let own = format!("http://{}", server.address);
    let body = json!({"username": server.admin.username, "password": server.admin.password});
    let login = server.stranger()?.post("/api/auth/login", body).await?;
    let cookie = login.header("set-cookie").and_then(|cookie| cookie.split(';').next()).context("no cookie")?;
    let browser = server.stranger()?.with("cookie", cookie);
    for (origin, site, expected) in [
        (Some(own.as_str()), Some("same-origin"), 201),
        (Some(own.as_str()), None, 201),
        (Some("https://evil.example"), Some("cross-site"), 403),
        (Some("https://evil.example"), None, 403),
        (Some("null"), Some("cross-site"), 403),
        (None, Some("cross-site"), 403),
        (None, Some("same-site"), 403),
        (Some(own.as_str()), Some("cross-site"), 403),
        (Some("http://127.0.0.1:1"), Some("same-site"), 403),
    ] {
        let mut http = browser.clone();
        for (name, value) in [("origin", origin), ("sec-fetch-site", site)] {
            if let Some(value) = value {
                http = http.with(name, value);
            }
        }
        let answer = http.post("/api/codes", json!({"access": "view"})).await?;
        ensure!(answer.status == expected, "{origin:?} and {site:?} were answered {answer:?}");
        if expected == 403 {
            envelope("another site", &answer, &[403])?;
        }
    }
    // Neither is anything undone by another site.
    let foreign = browser.with("origin", "https://evil.example").with("sec-fetch-site", "cross-site");
    ensure!(foreign.post_empty("/api/auth/logout").await?.status == 403);
    ensure!(foreign.delete(&format!("/api/users/{}", server.admin.id)).await?.status == 403);
    ensure!(browser.get("/api/auth/me").await?.status == 200, "reading needs no origin");
    Ok(())
}

#[tokio::test]
async fn pages_are_hardened() -> Result<()> {
    let server = TestServer::start().await?;
    let policy = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
        img-src 'self' blob: data:; connect-src 'self'; worker-src 'self'; font-src 'self'; base-uri 'none'; \
        form-action 'self'; frame-ancestors 'none'";
    let wanted: Vec<&str> = policy.split("; ").collect();
    let answer = server.stranger()?.get("/").await?;
    let got = answer.header("content-security-policy").context("no content security policy")?;
    for directive in wanted {
        ensure!(got.split(';').any(|part| part.trim() == directive), "{directive} is missing in {got}");
    }
    for path in ["/", "/api/version", "/api/auth/me"] {
        let answer = server.stranger()?.get(path).await?;
        ensure!(answer.header("x-content-type-options") == Some("nosniff"), "{path} may be sniffed");
    }
    Ok(())
}

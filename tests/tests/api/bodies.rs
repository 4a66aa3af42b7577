//! What is no good call is refused in one shape, does nothing, and breaks
//! nothing: neither a parser nor a database.

use anyhow::{Result, ensure};
use gc_tests::{Http, TestServer};
use reqwest::Method;
use serde_json::json;

use super::envelope::refused;

const PASSWORD: &str = "walnut-harbour-ladder-52";

async fn write(http: &Http, method: Method, path: &str, body: &str) -> Result<gc_tests::Answer> {
    http.call_text(method, path, Some(body.to_owned())).await
}

#[tokio::test]
async fn bodies_that_are_none() -> Result<()> {
    let server = TestServer::start().await?;
    let admin = &server.admin.http;
    let deep = format!("{{\"access\":{}1{}}}", "[".repeat(20_000), "]".repeat(20_000));
    let nested = format!("{{\"username\":{}}}", "{\"a\":".repeat(5_000));
    let twice = r#"{"access":"view","access":"control"}"#;
    for (what, body, status, code) in [
        ("nothing", "", 400, "MALFORMED_JSON"),
        ("half", "{\"access\":", 400, "MALFORMED_JSON"),
        ("two", "{\"access\":\"view\"}{}", 400, "MALFORMED_JSON"),
        ("no text", "{\"access\":\"\u{0}\"}", 400, "MALFORMED_JSON"),
        ("a lone surrogate", r#"{"access":"\ud800"}"#, 400, "MALFORMED_JSON"),
        ("deep lists", deep.as_str(), 400, "MALFORMED_JSON"),
        ("deep objects", nested.as_str(), 422, "INVALID_REQUEST"),
        ("not a number", "{\"access\":NaN}", 400, "MALFORMED_JSON"),
        ("a comment", "{\"access\":\"view\"/**/}", 400, "MALFORMED_JSON"),
        ("a list", "[]", 422, "INVALID_REQUEST"),
        ("a list of what the fields hold", r#"["view", null]"#, 422, "INVALID_REQUEST"),
        ("null", "null", 422, "INVALID_REQUEST"),
        ("a text", "\"view\"", 422, "INVALID_REQUEST"),
        ("a field twice", twice, 422, "INVALID_REQUEST"),
        ("another field", r#"{"access":"view","__proto__":{}}"#, 422, "INVALID_REQUEST"),
        ("another case", r#"{"Access":"view"}"#, 422, "INVALID_REQUEST"),
        ("a long note", &json!({"access": "view", "note": "x".repeat(501)}).to_string(), 422, "INVALID_REQUEST"),
        ("64 KiB", &json!({"access": "view", "note": "x".repeat(65_536)}).to_string(), 413, "TOO_LARGE"),
    ] {
        refused(what, &write(admin, Method::POST, "/api/codes", body).await?, status, code)?;
    }
    for kind in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/xml", "json", ""]
    {
        let answer = admin.with("content-type", kind).call(Method::POST, "/api/codes", None).await?;
        refused(kind, &answer, 415, "UNSUPPORTED_MEDIA_TYPE")?;
    }
    let none = admin.call(Method::POST, "/api/codes", None).await?;
    refused("no kind at all", &none, 415, "UNSUPPORTED_MEDIA_TYPE")?;
    let codes = admin.get("/api/codes").await?.expect(200)?;
    ensure!(codes["items"] == json!([]), "one of them made a code: {codes}");
    Ok(())
}

/// Values that are JSON and no good: refused, or taken as text, on every
/// database alike.
#[tokio::test]
async fn values_that_are_strange() -> Result<()> {
    let server = TestServer::start().await?;
    let admin = &server.admin.http;
    let user = server.person("viewer").await?;
    let path = format!("/api/users/{}", user.id);
    for (what, body) in [
        ("only NUL", json!({"display_name": "\u{0}\u{0}"})),
        ("only spaces", json!({"display_name": "   "})),
        ("only overrides", json!({"display_name": "\u{202e}\u{2066}"})),
        ("too long", json!({"display_name": "x".repeat(101)})),
        ("another role", json!({"role": "Admin"})),
        ("another permission", json!({"permissions": ["view", "fly"]})),
        ("a number for a word", json!({"enabled": 1})),
        ("a short password", json!({"password": "short"})),
        ("a long password", json!({"password": "x".repeat(257)})),
    ] {
        let answer = admin.patch(&path, body).await?;
        let code = if what.ends_with("password") { "WEAK_PASSWORD" } else { "INVALID_REQUEST" };
        refused(what, &answer, 422, code)?;
    }
    let answer = admin.patch(&path, json!({"display_name": "A\u{0}da\u{202e} 😀"})).await?.expect(200)?;
    ensure!(answer["display_name"] == "Ada 😀", "{answer}");
    for name in ["\u{0}root", "ro ot", "root\u{202e}", "", &"x".repeat(65), "a/b", "<b>"] {
        let body = json!({"username": name, "password": PASSWORD, "role": "viewer"});
        refused(name, &admin.post("/api/users", body).await?, 422, "INVALID_REQUEST")?;
        let body = json!({"username": name, "password": PASSWORD});
        refused(name, &server.stranger()?.post("/api/auth/login", body).await?, 401, "LOGIN_FAILED")?;
    }
    for number in ["1e999", "-1", "0", "3.5", "999999999999999999999999", "\"8\""] {
        let body = format!("{{\"session_hours\":{number}}}");
        let answer = write(admin, Method::PATCH, "/api/settings", &body).await?;
        ensure!([400, 422].contains(&answer.status), "{number}: {answer:?}");
        refused(number, &answer, answer.status, answer.error_code().unwrap_or_default())?;
    }
    Ok(())
}

#[tokio::test]
async fn ids_that_are_none() -> Result<()> {
    let server = TestServer::start().await?;
    let admin = &server.admin.http;
    let long = "f".repeat(4000);
    for id in ["x", "0", "%00", "%ff", "..%2f..%2fetc", "00000000-0000-4000-8000-00000000000g", "%F0%9F%98%80", &long] {
        for (method, path) in [
            (Method::GET, format!("/api/sessions/{id}")),
            (Method::DELETE, format!("/api/sessions/{id}")),
            (Method::POST, format!("/api/sessions/{id}/viewer-token")),
            (Method::DELETE, format!("/api/users/{id}")),
            (Method::DELETE, format!("/api/tokens/{id}")),
            (Method::GET, format!("/api/downloads/{id}")),
            (Method::POST, format!("/api/codes/{id}/cancel")),
        ] {
            refused(&format!("{method} {path}"), &admin.call(method, &path, None).await?, 404, "NOT_FOUND")?;
        }
        let answer = server.stranger()?.get(&format!("/api/codes/{id}/validate")).await?;
        if id == "%ff" {
            refused("no text", &answer, 404, "NOT_FOUND")?;
        } else {
            ensure!(answer.expect(200)?["valid"] == false, "{id} is a code");
        }
    }
    Ok(())
}

/// Another method is told which there are; HEAD is GET without its body.
#[tokio::test]
async fn methods_that_a_route_does_not_know() -> Result<()> {
    let server = TestServer::start().await?;
    let admin = &server.admin.http;
    let nobody = "/api/users/00000000-0000-4000-8000-000000000000";
    let known = [
        ("/api/codes", "GET HEAD POST"),
        ("/api/sessions/remove", "POST"),
        (nobody, "PATCH DELETE"),
        ("/api/auth/login", "POST"),
        ("/api/auth/second-factor", "PUT"),
        ("/api/version", "GET HEAD"),
        ("/ws/agent", "GET HEAD"),
        ("/healthz", "GET HEAD"),
        ("/", "GET HEAD"),
        ("/sessions", "GET HEAD"),
    ];
    for (path, known) in known {
        let known: Vec<&str> = known.split(' ').collect();
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"] {
            if known.contains(&method) {
                continue;
            }
            let answer = admin.call(Method::from_bytes(method.as_bytes())?, path, None).await?;
            let what = format!("{method} {path}");
            let mut allowed: Vec<&str> = answer.header("allow").unwrap_or_default().split(',').map(str::trim).collect();
            let mut expected = known.clone();
            allowed.sort_unstable();
            expected.sort_unstable();
            ensure!(allowed == expected, "{what}: {allowed:?}");
            if method == "HEAD" {
                ensure!(answer.status == 405 && answer.text.is_empty(), "{what}: {answer:?}");
            } else {
                refused(&what, &answer, 405, "METHOD_NOT_ALLOWED")?;
            }
        }
    }
    for path in ["/api/version", "/api/codes", "/api/audit"] {
        let (head, get) = (admin.call(Method::HEAD, path, None).await?, admin.get(path).await?);
        ensure!(head.status == 200 && head.text.is_empty(), "{path}: {head:?}");
        ensure!(head.header("content-type") == get.header("content-type"), "{path}: {head:?}");
    }
    Ok(())
}

//! Lists: a page at a time, within bounds, filtered, and each row once whatever
//! is added meanwhile.

use anyhow::{Context, Result, ensure};
use gc_tests::{Http, TestServer};
use serde_json::{Value, json};

use super::envelope::refused;

const PASSWORD: &str = "walnut-harbour-ladder-52";

fn items(body: &Value) -> Result<&Vec<Value>> {
    body["items"].as_array().with_context(|| format!("no items: {body}"))
}

/// Every row of a list, read by pages of this size, by this field.
async fn paged(http: &Http, path: &str, limit: usize, field: &str) -> Result<Vec<String>> {
    let (mut rows, mut after) = (Vec::new(), String::new());
    loop {
        let mark = if path.contains('?') { '&' } else { '?' };
        let body = http.get(&format!("{path}{mark}limit={limit}{after}")).await?.expect(200)?;
        let page = items(&body)?;
        ensure!(page.len() <= limit, "{path}: {} rows on a page of {limit}", page.len());
        rows.extend(page.iter().map(|row| row[field].to_string().trim_matches('"').to_owned()));
        let Some(next) = body["next"].as_str() else { return Ok(rows) };
        ensure!(page.len() == limit, "{path}: a page that is not the last one is not full");
        after = format!("&after={next}");
    }
}

#[tokio::test]
async fn pages_add_up_to_the_whole() -> Result<()> {
    let server = TestServer::start().await?;
    let admin = &server.admin.http;
    for number in 0..7 {
        let body = json!({"username": format!("user{number}"), "password": PASSWORD, "role": "operator"});
        admin.post("/api/users", body).await?.expect(201)?;
        admin.post("/api/tokens", json!({"name": format!("token {number}"), "scopes": ["view"]})).await?.expect(201)?;
        server.admin.code("view").await?;
    }
    let (session, _agent) = server.live(&server.admin, "view").await?;
    let colleagues = admin.get("/api/colleagues").await?.expect(200)?;
    for colleague in items(&colleagues)? {
        let invitation = json!({"user_id": colleague["id"]});
        admin.post(&format!("/api/sessions/{session}/invitations"), invitation).await?.expect(204)?;
    }
    let invitations = format!("/api/sessions/{session}/invitations");
    for (path, field, count) in [
        ("/api/users", "username", 8),
        ("/api/colleagues", "id", 7),
        ("/api/tokens", "id", 7),
        ("/api/codes", "session_id", 8),
        ("/api/sessions", "id", 8),
        ("/api/sessions?state=open", "id", 8),
        (invitations.as_str(), "user_id", 7),
    ] {
        let all = paged(admin, path, 200, field).await?;
        ensure!(all.len() == count, "{path}: {all:?}");
        for limit in [1, 3] {
            ensure!(paged(admin, path, limit, field).await? == all, "{path} by {limit} is another list");
        }
    }
    let events = paged(admin, "/api/audit", 200, "id").await?;
    ensure!(events.len() > 20 && paged(admin, "/api/audit", 5, "id").await? == events, "{events:?}");
    Ok(())
}

#[tokio::test]
async fn without_a_limit_a_page_has_fifty() -> Result<()> {
    let server = TestServer::start().await?;
    for _ in 0..52 {
        server.admin.code("view").await?;
    }
    for path in ["/api/codes", "/api/sessions"] {
        let body = server.admin.http.get(path).await?.expect(200)?;
        ensure!(items(&body)?.len() == 50 && body["next"].is_string(), "{path}: {} rows", items(&body)?.len());
    }
    Ok(())
}

#[tokio::test]
async fn filters_leave_what_they_name() -> Result<()> {
    let server = TestServer::start().await?;
    let (admin, technician) = (&server.admin.http, server.person("operator").await?);
    let watcher = server.person("viewer").await?;
    let client = server.person("end_user").await?;
    admin.patch(&format!("/api/users/{}", watcher.id), json!({"enabled": false})).await?.expect(200)?;
    let cancelled = technician.code("view").await?;
    technician.http.post_empty(&format!("/api/codes/{}/cancel", cancelled.code)).await?.expect(204)?;
    let waiting = technician.code("view").await?;
    let own = server.admin.code("view").await?;
    let (mine, theirs) = (&server.admin.id, &technician.id);
    for (path, field, expected) in [
        ("/api/users?role=admin".to_owned(), "id", vec![mine]),
        ("/api/users?enabled=false".into(), "id", vec![&watcher.id]),
        ("/api/users?q=END_USER".into(), "id", vec![&client.id]),
        (format!("/api/users?q={}", technician.username.to_uppercase()), "id", vec![theirs]),
        ("/api/users?q=rosa%20root".into(), "id", vec![mine]),
        ("/api/users?q=%25".into(), "id", vec![]),
        ("/api/users?role=admin&enabled=false".into(), "id", vec![]),
        ("/api/colleagues".into(), "id", vec![theirs]),
        ("/api/colleagues?q=nobody".into(), "id", vec![]),
        ("/api/sessions?state=ended".into(), "id", vec![&cancelled.session]),
        (format!("/api/sessions?state=open&created_by={theirs}"), "id", vec![&waiting.session]),
        (format!("/api/sessions?created_by={mine}"), "id", vec![&own.session]),
    ] {
        let body = admin.get(&path).await?.expect(200)?;
        let found: Vec<&str> = items(&body)?.iter().filter_map(|row| row[field].as_str()).collect();
        ensure!(found == expected, "{path}: {found:?}");
    }
    for (status, session) in [("cancelled", &cancelled.session), ("waiting", &waiting.session)] {
        let body = technician.http.get(&format!("/api/codes?status={status}")).await?.expect(200)?;
        ensure!(items(&body)?.len() == 1 && body["items"][0]["session_id"] == session.as_str(), "{status}: {body}");
    }
    // Nobody's codes but one's own, and colleagues know no user names.
    ensure!(items(&admin.get("/api/codes").await?.expect(200)?)?.len() == 1);
    let colleagues = technician.http.get("/api/colleagues").await?.expect(200)?;
    ensure!(!colleagues.to_string().contains("username"), "{colleagues}");
    Ok(())
}

#[tokio::test]
async fn bounds_and_unknown_values_are_refused() -> Result<()> {
    let server = TestServer::start().await?;
    let session = server.admin.code("view").await?.session;
    let invitations = format!("/api/sessions/{session}/invitations");
    for path in
        ["/api/users", "/api/colleagues", "/api/tokens", "/api/codes", "/api/sessions", "/api/audit", &invitations]
    {
        for wrong in
            ["limit=0", "limit=201", "limit=-1", "limit=many", "limit=", "limit=1.5", "limit=99999999999999999999"]
        {
            let query = format!("{path}?{wrong}");
            refused(&query, &server.admin.http.get(&query).await?, 400, "INVALID_QUERY")?;
        }
        for wrong in ["colour=red", "limit=1&limit=2", "page=2"] {
            let query = format!("{path}?{wrong}");
            refused(&query, &server.admin.http.get(&query).await?, 400, "INVALID_QUERY")?;
        }
        if path != "/api/users" {
            let query = format!("{path}?after=x");
            refused(&query, &server.admin.http.get(&query).await?, 400, "INVALID_QUERY")?;
        }
    }
    for query in [
        "/api/users?role=root",
        "/api/users?enabled=maybe",
        "/api/codes?status=lost",
        "/api/sessions?state=odd",
        "/api/audit?event=%00",
        "/api/audit?event=LOGIN",
        "/api/audit/export?limit=3",
    ] {
        refused(query, &server.admin.http.get(query).await?, 400, "INVALID_QUERY")?;
    }
    // What no name holds is no fault of the database.
    for query in ["/api/users?q=%00", "/api/users?after=%00", "/api/users?q=%F0%9F%98%80%27%22%5C"] {
        server.admin.http.get(query).await?.expect(200)?;
    }
    Ok(())
}

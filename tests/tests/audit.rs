//! The audit trail over the API: who may read it, what the filters leave, and
//! the same as a table.

use anyhow::{Context, Result, ensure};
use gc_tests::{Http, TestServer};
use serde_json::{Value, json};

async fn events(http: &Http, query: &str) -> Result<Vec<Value>> {
    let body = http.get(&format!("/api/audit{query}")).await?.expect(200)?;
    Ok(body["items"].as_array().context("no items")?.clone())
}

fn names(items: &[Value]) -> Vec<&str> {
    items.iter().filter_map(|item| item["event"].as_str()).collect()
}

#[tokio::test]
async fn only_whoever_may_reads_it() -> Result<()> {
    let server = TestServer::start().await?;
    let technician = server.person("operator").await?;
    for path in ["/api/audit", "/api/audit/export"] {
        ensure!(server.stranger()?.get(path).await?.status == 401, "{path}: a stranger reads it");
        let refused = technician.http.get(path).await?;
        ensure!(refused.status == 403 && refused.error_code() == Some("FORBIDDEN"), "{path}: {refused:?}");
    }
    // Given the permission, it is read; taken away, it is not, at once.
    let user = format!("/api/users/{}", technician.id);
    for (permissions, status) in [(json!(["view_audit"]), 200), (json!([]), 403)] {
        server.admin.http.patch(&user, json!({ "permissions": permissions })).await?.expect(200)?;
        ensure!(technician.http.get("/api/audit").await?.status == status);
    }
    Ok(())
}

#[tokio::test]
async fn filters_and_pages() -> Result<()> {
    let server = TestServer::start().await?;
    let technician = server.person("operator").await?;
    let (session, agent) = server.live(&technician, "control").await?;
    drop(agent);
    let admin = &server.admin.http;

    let all = events(admin, "?limit=200").await?;
    ensure!(all.windows(2).all(|pair| pair[0]["id"].as_i64() > pair[1]["id"].as_i64()), "not newest first");
    let of_session = events(admin, &format!("?session_id={session}")).await?;
    ensure!(
        names(&of_session).contains(&"consent_granted") && !names(&of_session).contains(&"login"),
        "{of_session:?}"
    );
    let made = events(admin, &format!("?event=code_created&actor_id={}", technician.id)).await?;
    ensure!(made.len() == 1 && made[0]["actor_name"] == technician.display_name.as_str(), "{made:?}");
    ensure!(made[0]["outcome"] == "ok" && made[0]["address"].is_string(), "{made:?}");

    // A moment in the middle parts them without loss or repetition.
    let moment = all[all.len() / 2]["at"].as_str().context("no time")?.to_owned();
    let after = events(admin, &format!("?limit=200&since={moment}")).await?;
    let before = events(admin, &format!("?limit=200&until={moment}")).await?;
    ensure!(after.len() + before.len() == all.len(), "{} and {} of {}", after.len(), before.len(), all.len());

    // Page by page it is the same.
    let (mut paged, mut next) = (Vec::new(), String::new());
    loop {
        let body = admin.get(&format!("/api/audit?limit=2{next}")).await?.expect(200)?;
        paged.extend(body["items"].as_array().context("no items")?.clone());
        let Some(after) = body["next"].as_str() else { break };
        next = format!("&after={after}");
    }
    ensure!(paged == all, "pages differ from the whole");

    for wrong in ["?since=yesterday", "?limit=many", "?colour=red", "?session_id=1", "?after=x"] {
        let refused = admin.get(&format!("/api/audit{wrong}")).await?;
        ensure!(refused.status == 400 && refused.error_code() == Some("INVALID_QUERY"), "{wrong}: {refused:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_table_without_formulas() -> Result<()> {
    let server = TestServer::start().await?;
    let body = json!({"username": "=cmd|'/c calc'!A1", "password": "wrong-harbour-ladder-52"});
    server.stranger()?.post("/api/auth/login", body).await?.expect(401).map(drop)?;
    let answer = server.admin.http.get("/api/audit/export?event=login_failed").await?;
    ensure!(answer.status == 200 && answer.header("content-type") == Some("text/csv; charset=utf-8"), "{answer:?}");
    let table = &answer.text;
    let lines: Vec<&str> = table.trim_end().split("\r\n").collect();
    ensure!(lines.len() == 2 && lines[0].starts_with("time,event,outcome,actor"), "{lines:?}");
    ensure!(lines[1].contains("\"'=cmd|'/c calc'!A1\""), "{}", lines[1]);
    Ok(())
}

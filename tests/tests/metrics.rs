//! Metrics: what they count, and who reads them.

use anyhow::{Context, Result, ensure};
use gc_tests::messages::{FrameAck, VideoFrame};
use gc_tests::{TestServer, await_body};
use serde_json::json;

/// The value of the line that begins with this.
fn value(text: &str, line: &str) -> Option<f64> {
    text.lines().find_map(|found| found.strip_prefix(line)?.trim().parse().ok())
}

#[tokio::test]
async fn they_tell_what_happens() -> Result<()> {
    let server = TestServer::start().await?;
    let technician = server.person("operator").await?;
    let (session, mut agent) = server.live(&technician, "view").await?;
    let mut viewer = server.viewer(&technician, &session, "view_only").await?;
    await_body!(agent, StartStream)?;
    let frame = VideoFrame { stream: 1, last_part: true, payload: vec![7; 1000].into(), ..VideoFrame::default() };
    agent.send(viewer.number(), frame);
    await_body!(viewer, VideoFrame)?;
    viewer.send(FrameAck { stream: 1, ..FrameAck::default() });
    await_body!(agent, FrameAck)?;
    technician.http.get("/api/users").await?;

    let answer = server.stranger()?.get("/metrics").await?;
    ensure!(answer.header("content-type").is_some_and(|kind| kind.starts_with("text/plain")), "{answer:?}");
    let text = &answer.text;
    for (line, least) in [
        ("guruconnect_connections{plane=\"agent\"}", 1.0),
        ("guruconnect_connections{plane=\"viewer\"}", 1.0),
        ("guruconnect_sessions{state=\"live\"}", 1.0),
        ("guruconnect_relayed_bytes_total{class=\"picture\"}", 1000.0),
        ("guruconnect_acknowledgement_seconds_count", 1.0),
        ("guruconnect_refusals_total{code=\"FORBIDDEN\"}", 1.0),
        ("guruconnect_http_requests_total{route=\"/api/users\",method=\"GET\",status=\"403\"}", 1.0),
        ("process_resident_memory_bytes", 1_000_000.0),
    ] {
        let found = value(text, line).with_context(|| format!("{line} is not in:\n{text}"))?;
        ensure!(found >= least, "{line} {found}");
    }
    // Neither ids nor names nor codes.
    for word in [session.as_str(), &technician.username, &technician.id, "pat_", "lgn_"] {
        ensure!(!text.contains(word), "{word} is in the metrics");
    }
    Ok(())
}

#[tokio::test]
async fn from_elsewhere_they_take_a_permission() -> Result<()> {
    let server = TestServer::start().await?;
    let technician = server.person("operator").await?;
    for header in ["x-forwarded-for", "forwarded", "via"] {
        let passed_on = server.stranger()?.with(header, "203.0.113.9");
        ensure!(passed_on.get("/metrics").await?.status == 401, "{header}");
    }
    ensure!(technician.http.get("/metrics").await?.status == 403);
    let body = json!({"name": "prometheus", "scopes": ["view_metrics"]});
    let made = server.admin.http.post("/api/tokens", body).await?.expect(201)?;
    let scraper = server.stranger()?.bearer(made["secret"].as_str().context("no secret")?);
    let scraper = scraper.with("x-forwarded-for", "203.0.113.9");
    ensure!(scraper.get("/metrics").await?.status == 200);
    ensure!(scraper.get("/api/sessions").await?.status == 403);
    Ok(())
}

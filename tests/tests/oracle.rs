//! Answers do not tell who exists: neither by their words nor by their time.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use gc_tests::{Answer, TestServer};
use serde_json::{Value, json};

/// An answer without what is different every time.
fn plain(answer: &Answer) -> (u16, Value, Vec<String>) {
    let mut body = answer.body.clone();
    if let Some(body) = body.as_object_mut() {
        body.remove("request_id");
    }
    let mut names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
    names.sort_unstable();
    (answer.status, body, names)
}

/// How long a login takes, the middle of some.
async fn took(server: &TestServer, username: &str) -> Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..5 {
        let stranger = server.stranger()?;
        let begun = Instant::now();
        stranger.post("/api/auth/login", json!({"username": username, "password": "wrong-harbour-ladder-52"})).await?;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}

#[tokio::test]
async fn nobody_learns_whether_a_user_exists() -> Result<()> {
    let server = TestServer::start().await?;
    let disabled = server.person("operator").await?;
    let path = format!("/api/users/{}", disabled.id);
    server.admin.http.patch(&path, json!({"enabled": false})).await?.expect(200)?;
    let try_in = async |username: &str, password: &str| {
        let body = json!({"username": username, "password": password});
        Ok::<_, anyhow::Error>(plain(&server.stranger()?.post("/api/auth/login", body).await?))
    };
    let wrong = try_in(&server.admin.username, "wrong-harbour-ladder-52").await?;
    ensure!(wrong.0 == 401, "{wrong:?}");
    for (who, username, password) in [
        ("an unknown user", "nobody-at-all", "wrong-harbour-ladder-52"),
        ("a disabled user with the right password", &disabled.username, &disabled.password),
        ("a name that cannot be one", "no such name!\u{0}", "wrong-harbour-ladder-52"),
    ] {
        ensure!(try_in(username, password).await? == wrong, "{who} is told from a wrong password");
    }
    Ok(())
}

/// One password hash is spent in every case: without it the unknown user would
/// be answered in a hundredth of the time. The bound is wide, so that a busy
/// machine does not matter.
#[tokio::test]
async fn an_unknown_user_takes_as_long_as_a_known_one() -> Result<()> {
    let server = TestServer::start().await?;
    let (known, unknown) = (took(&server, &server.admin.username).await?, took(&server, "nobody-at-all").await?);
    ensure!(unknown * 4 > known && known * 4 > unknown, "known {known:?}, unknown {unknown:?}");
    Ok(())
}

#[tokio::test]
async fn nobody_learns_what_became_of_a_code() -> Result<()> {
    let server = TestServer::start().await?;
    let technician = server.person("operator").await?;
    let (cancelled, used) = (technician.code("view").await?, technician.code("view").await?);
    technician.http.post(&format!("/api/codes/{}/cancel", cancelled.code), json!({})).await?.expect(204)?;
    let _agent = server.agent(&used).await?;
    let look = async |code: &str| {
        Ok::<_, anyhow::Error>(plain(&server.stranger()?.get(&format!("/api/codes/{code}/validate")).await?))
    };
    let never = look("222-222-222").await?;
    ensure!(never.0 == 200 && never.1["valid"] == false, "{never:?}");
    for (what, code) in [("a cancelled code", &cancelled.code), ("a used code", &used.code)] {
        ensure!(look(code).await? == never, "{what} is told from one that never was");
    }
    ensure!(look("not a code").await? == never, "what cannot be a code is told from one that never was");
    Ok(())
}

/// A session that exists and one that does not are the same to whoever may
/// not see them, where the route does not say otherwise (minting: 403).
#[tokio::test]
async fn nobody_learns_of_others_sessions() -> Result<()> {
    let server = TestServer::start().await?;
    let (ada, bob) = (server.person("operator").await?, server.person("operator").await?);
    let (session, _agent) = server.live(&ada, "control").await?;
    let none = "01890000-0000-7000-8000-000000000000";
    let theirs = plain(&bob.http.get(&format!("/api/sessions/{session}")).await?);
    let nothing = plain(&bob.http.get(&format!("/api/sessions/{none}")).await?);
    ensure!(theirs == nothing && theirs.0 == 404, "{theirs:?} {nothing:?}");
    Ok(())
}

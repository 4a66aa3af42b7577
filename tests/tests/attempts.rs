//! Who tries too often has to wait, by their real address.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use gc_tests::{Answer, Clock, Config, Http, Knock, TestServer, fresh_address};
use serde_json::{Value, json};

/// Codes that nobody has made: 31 to the power of 9 to one.
const WRONG: &str = "222-222-222";

fn wrong_login() -> Value {
    json!({"username": "root", "password": "wrong-harbour-ladder-52"})
}

async fn log_in(http: &Http, body: Value) -> Result<Answer> {
    http.post("/api/auth/login", body).await
}

async fn validate(http: &Http, code: &str) -> Result<Answer> {
    http.get(&format!("/api/codes/{code}/validate")).await
}

/// 429 in the shape of every error, and when to come back.
fn slowed(answer: &Answer, most_seconds: u64) -> Result<()> {
    ensure!(answer.status == 429, "{answer:?}");
    ensure!(answer.body["status_code"] == 429 && answer.error_code().is_some(), "{answer:?}");
    let after: u64 = answer.header("retry-after").context("no Retry-After")?.parse()?;
    // It is rounded up, or the client would come back too early.
    ensure!(after >= 1 && after <= most_seconds + 1, "Retry-After is {after}");
    Ok(())
}

#[tokio::test]
async fn eight_logins_a_minute() -> Result<()> {
    let server = TestServer::start_manual().await?;
    let stranger = server.stranger()?;
    for attempt in 1..=8 {
        let status = log_in(&stranger, wrong_login()).await?.status;
        ensure!(status == 401, "attempt {attempt} was answered {status}");
    }
    slowed(&log_in(&stranger, wrong_login()).await?, 60)?;
    // The right password does not help, and another address is not concerned.
    let right = json!({"username": server.admin.username, "password": server.admin.password});
    slowed(&log_in(&stranger, right.clone()).await?, 60)?;
    log_in(&server.stranger()?, right.clone()).await?.expect(200)?;
    server.clock.advance(Duration::from_secs(60));
    log_in(&stranger, right).await?.expect(200)?;
    Ok(())
}

#[tokio::test]
async fn good_logins_count_as_well() -> Result<()> {
    let server = TestServer::start_manual().await?;
    let stranger = server.stranger()?;
    let right = json!({"username": server.admin.username, "password": server.admin.password});
    for _ in 0..8 {
        log_in(&stranger, right.clone()).await?.expect(200)?;
    }
    slowed(&log_in(&stranger, right).await?, 60)
}

#[tokio::test]
async fn five_changes_of_password_a_minute() -> Result<()> {
    let server = TestServer::start_manual().await?;
    let person = server.person("operator").await?;
    let body = json!({"current_password": "wrong-harbour-ladder-52", "new_password": "pepper-window-orbit-81"});
    for attempt in 1..=5 {
        let status = person.http.post("/api/auth/change-password", body.clone()).await?.status;
        ensure!((400..404).contains(&status), "attempt {attempt} was answered {status}");
    }
    slowed(&person.http.post("/api/auth/change-password", body).await?, 60)
}

#[tokio::test]
async fn fifteen_codes_a_minute() -> Result<()> {
    let server = TestServer::start_manual().await?;
    let technician = server.person("operator").await?;
    let code = technician.code("view").await?.code;
    let stranger = server.stranger()?;
    for _ in 0..15 {
        ensure!(validate(&stranger, &code).await?.expect(200)?["valid"] == true);
    }
    slowed(&validate(&stranger, &code).await?, 60)?;
    server.clock.advance(Duration::from_secs(60));
    ensure!(validate(&stranger, &code).await?.expect(200)?["valid"] == true);
    Ok(())
}

/// Present a wrong code: `true` at the agents' socket, `false` at the preview.
async fn fail(server: &TestServer, address: IpAddr, at_socket: bool) -> Result<()> {
    if at_socket {
        let status = Knock::agent().from(address).code(WRONG).status(server.address).await?;
        ensure!(status == 401, "a wrong code at the socket was answered {status}");
    } else {
        let body = validate(&Http::from_address(server.address, address)?, WRONG).await?.expect(200)?;
        ensure!(body["valid"] == false && body["technician_name"].is_null(), "{body}");
    }
    Ok(())
}

/// Both doors are shut.
async fn locked_out(server: &TestServer, address: IpAddr, code: &str) -> Result<()> {
    slowed(&validate(&Http::from_address(server.address, address)?, code).await?, 900)?;
    let refused = Knock::agent().from(address).code(code).refused(server.address).await?;
    ensure!(refused.status == 429 && refused.header("retry-after").is_some(), "{refused:?}");
    Ok(())
}

#[tokio::test]
async fn ten_wrong_codes_lock_out_at_both_doors() -> Result<()> {
    for at_socket in [[true; 10], [false; 10], [true, false, true, false, true, false, true, false, true, false]] {
        let server = TestServer::start_manual().await?;
        let technician = server.person("operator").await?;
        let code = technician.code("view").await?.code;
        let address = fresh_address();
        for door in at_socket {
            fail(&server, address, door).await?;
        }
        locked_out(&server, address, &code).await?;
        // Somebody else with the right code comes in.
        ensure!(validate(&server.stranger()?, &code).await?.expect(200)?["valid"] == true);

        server.clock.advance(Duration::from_secs(890));
        let code = technician.code("view").await?.code;
        locked_out(&server, address, &code).await?;
        server.clock.advance(Duration::from_secs(10));
        ensure!(Knock::agent().from(address).code(&code).status(server.address).await? == 101);
    }
    Ok(())
}

/// Nine wrong, one right, nine wrong: never ten in a row.
#[tokio::test]
async fn a_right_code_begins_the_count_anew() -> Result<()> {
    let server = TestServer::start_manual().await?;
    let technician = server.person("operator").await?;
    let address = fresh_address();
    for _ in 0..2 {
        for _ in 0..9 {
            fail(&server, address, true).await?;
        }
        server.clock.advance(Duration::from_secs(61));
        let code = technician.code("view").await?.code;
        ensure!(Knock::agent().from(address).code(&code).status(server.address).await? == 101);
    }
    Ok(())
}

#[tokio::test]
async fn a_forwarded_header_from_anybody_is_ignored() -> Result<()> {
    let server = TestServer::start_manual().await?;
    let address = fresh_address();
    let http = Http::from_address(server.address, address)?;
    for attempt in 1..=8 {
        let claimed = http.with("x-forwarded-for", format!("198.51.100.{attempt}"));
        let claimed = claimed.with("forwarded", format!("for=198.51.100.{attempt}"));
        ensure!(log_in(&claimed, wrong_login()).await?.status == 401);
    }
    slowed(&log_in(&http.with("x-forwarded-for", "198.51.100.99"), wrong_login()).await?, 60)?;
    for attempt in 1..=10 {
        let knock = Knock::agent().from(address).header("x-forwarded-for", format!("198.51.100.{attempt}"));
        ensure!(knock.code(WRONG).status(server.address).await? == 401);
    }
    let knock = Knock::agent().from(address).header("x-forwarded-for", "198.51.100.99");
    ensure!(knock.code(WRONG).status(server.address).await? == 429);
    Ok(())
}

/// Eight attempts with these headers exhaust what the ninth would need, or
/// they do not.
async fn nine(server: &TestServer, forwarded: impl Fn(u32) -> String) -> Result<u16> {
    let proxy = server.stranger()?;
    for attempt in 1..=8 {
        let status = log_in(&proxy.with("x-forwarded-for", forwarded(attempt)), wrong_login()).await?.status;
        ensure!(status == 401, "attempt {attempt} was answered {status}");
    }
    Ok(log_in(&proxy.with("x-forwarded-for", forwarded(9)), wrong_login()).await?.status)
}

#[tokio::test]
async fn a_trusted_proxys_header_is_read_from_the_right() -> Result<()> {
    let trusting = |config: &mut Config| {
        config.trusted_proxies = ["127.0.0.0/8", "192.0.2.0/24"].iter().filter_map(|net| net.parse().ok()).collect();
    };
    let server = TestServer::start_with(Clock::manual(), trusting).await?;
    ensure!(nine(&server, |_| "203.0.113.1".into()).await? == 429, "one client");
    ensure!(nine(&server, |n| format!("203.0.113.{}", 10 + n)).await? == 401, "nine clients");
    ensure!(nine(&server, |n| format!("198.51.100.{n}, 203.0.113.2")).await? == 429, "what a client claims");
    ensure!(nine(&server, |n| format!("198.51.100.{n}, 203.0.113.3, 192.0.2.7")).await? == 429, "a second proxy");
    // IPv6 counts by /64.
    ensure!(nine(&server, |n| format!("2001:db8:0:1::{n}")).await? == 429, "one /64");
    ensure!(nine(&server, |n| format!("2001:db8:0:{}::1", 10 + n)).await? == 401, "nine of them");
    Ok(())
}

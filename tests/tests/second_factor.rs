//! A second factor: due, right, used once, guessed at, lost.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use gc_tests::{Answer, Person, TestServer};
use serde_json::{Value, json};
use totp_rs::{Builder, Secret};
use uuid::Uuid;

/// An authenticator, and the codes for when it is lost.
struct Factor {
    secret: String,
    recovery: Vec<String>,
}

/// The code of the step that is so many from now.
fn code(secret: &str, steps: i64) -> Result<String> {
    let secret = Secret::try_from_base32(secret).map_err(|_| anyhow::anyhow!("no base32"))?;
    let codes = Builder::new().with_secret(secret).build().map_err(|_| anyhow::anyhow!("no secret"))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    Ok(codes.generate(now.saturating_add_signed(steps * 30)).to_string())
}

async fn set(person: &Person) -> Result<Factor> {
    let proposed = person.http.post_empty("/api/auth/second-factor/propose").await?.expect(200)?;
    let secret = proposed["secret"].as_str().context("no secret")?.to_owned();
    let body = json!({"current_password": person.password, "secret": secret, "otp": code(&secret, -1)?});
    let set = person.http.call(reqwest::Method::PUT, "/api/auth/second-factor", Some(body)).await?.expect(200)?;
    let codes = set["recovery_codes"].as_array().context("no recovery codes")?;
    Ok(Factor { secret, recovery: codes.iter().filter_map(Value::as_str).map(str::to_owned).collect() })
}

async fn log_in(server: &TestServer, person: &Person, otp: Option<&str>) -> Result<Answer> {
    let mut body = json!({"username": person.username, "password": person.password});
    if let Some(otp) = otp {
        body["otp"] = otp.into();
    }
    server.stranger()?.post("/api/auth/login", body).await
}

fn refused(answer: &Answer, status: u16, code: &str) -> Result<()> {
    ensure!(answer.status == status && answer.error_code() == Some(code), "expected {status} {code}, got {answer:?}");
    Ok(())
}

#[tokio::test]
async fn due_right_and_used_once() -> Result<()> {
    let server = TestServer::start().await?;
    let person = server.person("operator").await?;
    let factor = set(&person).await?;
    ensure!(person.http.get("/api/auth/me").await?.expect(200)?["second_factor"] == true);

    refused(&log_in(&server, &person, None).await?, 401, "OTP_REQUIRED")?;
    refused(&log_in(&server, &person, Some(" ")).await?, 401, "OTP_REQUIRED")?;
    refused(&log_in(&server, &person, Some("000000 or so")).await?, 401, "OTP_INVALID")?;
    // The code by which it was set is used, the next one serves once.
    refused(&log_in(&server, &person, Some(&code(&factor.secret, -1)?)).await?, 401, "OTP_INVALID")?;
    let next = code(&factor.secret, 1)?;
    log_in(&server, &person, Some(&next)).await?.expect(200)?;
    refused(&log_in(&server, &person, Some(&next)).await?, 401, "OTP_INVALID")?;

    // Whoever does not know the password learns nothing of it.
    let body = json!({"username": person.username, "password": "wrong-harbour-ladder-52", "otp": next});
    refused(&server.stranger()?.post("/api/auth/login", body).await?, 401, "LOGIN_FAILED")
}

#[tokio::test]
async fn recovery_codes_serve_once_each() -> Result<()> {
    let server = TestServer::start().await?;
    let person = server.person("operator").await?;
    let factor = set(&person).await?;
    ensure!(factor.recovery.len() == 10, "{} recovery codes", factor.recovery.len());
    let typed = factor.recovery[0].to_uppercase().replace('-', " ");
    log_in(&server, &person, Some(&typed)).await?.expect(200)?;
    refused(&log_in(&server, &person, Some(&typed)).await?, 401, "OTP_INVALID")?;
    log_in(&server, &person, Some(&factor.recovery[1])).await?.expect(200)?;
    // Another's codes are no codes.
    let other = server.person("operator").await?;
    let others = set(&other).await?;
    refused(&log_in(&server, &person, Some(&others.recovery[0])).await?, 401, "OTP_INVALID")?;
    // Set anew, the codes from before are worth nothing.
    set(&person).await?;
    refused(&log_in(&server, &person, Some(&factor.recovery[2])).await?, 401, "OTP_INVALID")
}

#[tokio::test]
async fn guessing_is_stopped_from_wherever_it_comes() -> Result<()> {
    let server = TestServer::start().await?;
    let person = server.person("operator").await?;
    let factor = set(&person).await?;
    for _ in 0..10 {
        refused(&log_in(&server, &person, Some("12345")).await?, 401, "OTP_INVALID")?;
    }
    let locked = log_in(&server, &person, Some(&code(&factor.secret, 1)?)).await?;
    refused(&locked, 429, "RATE_LIMITED")?;
    ensure!(locked.header("retry-after").is_some(), "no word on how long");
    Ok(())
}

#[tokio::test]
async fn only_its_owner_sets_and_removes_it() -> Result<()> {
    let server = TestServer::start().await?;
    let person = server.person("operator").await?;
    let proposed = person.http.post_empty("/api/auth/second-factor/propose").await?.expect(200)?;
    let secret = proposed["secret"].as_str().context("no secret")?;
    let put = async |password: &str, secret: &str, otp: &str| {
        let body = json!({"current_password": password, "secret": secret, "otp": otp});
        person.http.call(reqwest::Method::PUT, "/api/auth/second-factor", Some(body)).await
    };
    refused(&put("wrong-harbour-ladder-52", secret, &code(secret, 0)?).await?, 403, "WRONG_PASSWORD")?;
    refused(&put(&person.password, secret, "1").await?, 422, "OTP_INVALID")?;
    // A secret too short to be one.
    refused(&put(&person.password, "GEZDGNBV", "123456").await?, 422, "OTP_INVALID")?;
    let path = "/api/auth/second-factor/remove";
    let answer = person.http.post(path, json!({"current_password": "wrong-harbour-ladder-52"})).await?;
    refused(&answer, 403, "WRONG_PASSWORD")?;
    ensure!(server.stranger()?.post(path, json!({"current_password": "x"})).await?.status == 401);
    ensure!(person.http.get("/api/auth/me").await?.expect(200)?["second_factor"] == false);
    log_in(&server, &person, None).await?.expect(200).map(drop)
}

#[tokio::test]
async fn an_administrator_helps_whoever_has_lost_it() -> Result<()> {
    let server = TestServer::start().await?;
    let person = server.person("operator").await?;
    set(&person).await?;
    refused(&log_in(&server, &person, None).await?, 401, "OTP_REQUIRED")?;
    let path = format!("/api/users/{}", person.id);
    let changed = server.admin.http.patch(&path, json!({"reset_second_factor": true})).await?.expect(200)?;
    ensure!(changed["second_factor"] == false, "{changed}");
    log_in(&server, &person, None).await?.expect(200).map(drop)
}

/// Who copies the database has no authenticator of it; what an older server
/// left readable is sealed when this one starts.
#[tokio::test]
async fn secrets_are_sealed_in_the_database() -> Result<()> {
    let mut server = TestServer::start().await?;
    let person = server.person("operator").await?;
    let factor = set(&person).await?;
    let id: Uuid = person.id.parse()?;
    let stored = async |server: &TestServer| -> Result<String> {
        let row = server.store().await?.user(id).await?.context("nobody")?;
        row.mfa_secret.context("no secret")
    };
    let sealed = stored(&server).await?;
    ensure!(sealed.starts_with("sealed1:") && !sealed.contains(&factor.secret), "it can be read");

    let (sealed, open) = (gc_access::Secret::new(sealed), gc_access::Secret::new(factor.secret.clone()));
    ensure!(server.store().await?.replace_second_factor_secret(id, &sealed, &open).await?);
    server.start_again().await?;
    let again = stored(&server).await?;
    ensure!(again.starts_with("sealed1:") && again != sealed.expose(), "it stayed as it was");
    log_in(&server, &person, Some(&code(&factor.secret, 1)?)).await?.expect(200)?;
    // Moved to another user's row it opens nothing.
    let other = server.person("operator").await?;
    let others = set(&other).await?;
    let other_id: Uuid = other.id.parse()?;
    let row = server.store().await?.user(other_id).await?.context("nobody")?;
    let own = gc_access::Secret::new(row.mfa_secret.context("no secret")?);
    server.store().await?.replace_second_factor_secret(other_id, &own, &gc_access::Secret::new(again)).await?;
    for secret in [&factor.secret, &others.secret] {
        let answer = log_in(&server, &other, Some(&code(secret, 1)?)).await?;
        ensure!(answer.status == 500 && answer.error_code() == Some("INTERNAL_ERROR"), "{answer:?}");
    }
    Ok(())
}

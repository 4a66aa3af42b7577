//! Somebody sets the clock: ahead, back, and ahead and back again. Nothing
//! lives longer than it was given, nothing that is over is good again, and
//! what goes on goes on.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use gc_tests::messages::AccessMode;
use gc_tests::{
    Answer, Code, FakeAgent, FakeViewer, Http, Knock, Person, Process, TestServer, WallClock, await_body, eventually,
    fresh_address,
};
use serde_json::{Value, json};

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

async fn is_valid(stranger: &Http, code: &Code) -> Result<bool> {
    let preview = stranger.get(&format!("/api/codes/{}/validate", code.code)).await?.expect(200)?;
    preview["valid"].as_bool().context("no answer")
}

/// Everything that has a deadline, made at the same moment.
struct Made {
    person: Person,
    code: Code,
    session: String,
    agent: FakeAgent,
    token: String,
}

impl Made {
    async fn new(server: &TestServer) -> Result<Self> {
        let person = server.person("operator").await?;
        let code = person.code("view").await?;
        let (session, agent) = server.live(&person, "control").await?;
        let token = person.mint(&session, "control").await?;
        Ok(Self { person, code, session, agent, token })
    }

    /// Which of code, viewer token and login still hold.
    async fn holds(&self, server: &TestServer) -> Result<(bool, bool, bool)> {
        let code = is_valid(&server.stranger()?, &self.code).await?;
        let token = Knock::viewer(&self.session).bearer(&self.token).status(server.address).await? == 101;
        let login = self.person.http.get("/api/auth/me").await?.status == 200;
        Ok((code, token, login))
    }
}

/// To the minute, however the clock was set before.
#[tokio::test]
async fn nothing_lives_longer_than_it_was_given() -> Result<()> {
    for (name, set) in [("untouched", 0), ("a day back", -DAY), ("ten minutes back", -10 * MINUTE)] {
        let server = TestServer::start_manual().await?;
        let mut made = Made::new(&server).await?;
        server.clock.set_wall(set);
        ensure!(made.holds(&server).await? == (true, true, true), "{name}: at once");
        for (until, expected) in [
            (minutes(5) - Duration::from_secs(1), (true, true, true)),
            (minutes(5), (true, false, true)),
            (minutes(15) - Duration::from_secs(1), (true, false, true)),
            (minutes(15), (false, false, true)),
            (minutes(24 * 60) - Duration::from_secs(1), (false, false, true)),
            (minutes(24 * 60), (false, false, false)),
        ] {
            let left = until.saturating_sub(server.clock.now());
            // The agent would be missed for the last stretch, which it need not see.
            if until <= minutes(15) {
                server.pass(left, &mut made.agent).await?;
            } else {
                server.clock.advance(left);
            }
            let holds = made.holds(&server).await?;
            ensure!(holds == expected, "{name}, after {until:?}: code, token and login hold: {holds:?}");
        }
    }
    Ok(())
}

/// Once over, over: also when the clock comes back to before.
#[tokio::test]
async fn ahead_and_back_makes_nothing_good_again() -> Result<()> {
    let server = TestServer::start_manual().await?;
    let mut made = Made::new(&server).await?;
    server.clock.set_wall(DAY);
    ensure!(made.holds(&server).await? == (false, false, false), "something outlived a day");
    made.agent.settle(1).await?;
    server.clock.set_wall(-DAY);
    ensure!(made.holds(&server).await? == (false, false, false), "something is good again");
    made.agent.settle(2).await?;
    // Whoever logs in anew works as ever.
    let person = server.log_in_again(&made.person).await?;
    ensure!(person.session(&made.session).await?["state"] == "live");
    let code = person.code("view").await?;
    ensure!(is_valid(&server.stranger()?, &code).await?, "a new code is not valid");
    Ok(())
}

/// What is shown of a deadline is right by the clocks on people's walls.
#[tokio::test]
async fn deadlines_are_shown_by_the_wall_clock() -> Result<()> {
    let server = TestServer::start_manual().await?;
    let before = server.admin.code("view").await?;
    server.clock.set_wall(-DAY);
    let after = server.admin.code("view").await?;
    let listed = server.admin.http.get("/api/codes").await?.expect(200)?;
    let listed = listed["items"].as_array().context("no list")?;
    for code in [&before, &after] {
        let row = listed.iter().find(|row| row["session_id"] == code.session.as_str()).context("not listed")?;
        let preview = server.stranger()?.get(&format!("/api/codes/{}/validate", code.code)).await?.expect(200)?;
        for shown in [&row["expires_at"], &preview["expires_at"]] {
            let left = millis(shown)? - server.clock.wall();
            ensure!((14 * MINUTE..=15 * MINUTE).contains(&left), "{left} ms are shown to be left");
        }
    }
    // Newest first, whatever the clock said.
    ensure!(listed.first().is_some_and(|row| row["session_id"] == after.session.as_str()), "{listed:?}");
    Ok(())
}

/// RFC 3339 in UTC, to milliseconds since 1970.
fn millis(shown: &Value) -> Result<i64> {
    let text = shown.as_str().context("no time")?;
    let output = std::process::Command::new("date").args(["--utc", "--date", text, "+%s%3N"]).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse()?)
}

async fn lock_out(server: &Process, from: std::net::IpAddr) -> Result<()> {
    for _ in 0..10 {
        let knock = Knock::agent().from(from).code("ZZZ-ZZZ-ZZZ");
        ensure!(knock.status(server.address).await? == 401);
    }
    is_locked_out(server, from).await
}

async fn is_locked_out(server: &Process, from: std::net::IpAddr) -> Result<()> {
    let status = Knock::agent().from(from).code("ZZZ-ZZZ-ZZZ").status(server.address).await?;
    ensure!(status == 429, "an address that is locked out was answered {status}");
    Ok(())
}

/// The audit trail's ids, newest first, which nothing may shuffle.
async fn trail(admin: &Person) -> Result<Vec<i64>> {
    let rows = admin.http.get("/api/audit?limit=200").await?.expect(200)?;
    let ids: Vec<i64> = rows["items"].as_array().into_iter().flatten().filter_map(|row| row["id"].as_i64()).collect();
    ensure!(ids.windows(2).all(|pair| pair[0] > pair[1]), "the trail is out of order: {ids:?}");
    Ok(ids)
}

async fn log_in_again(server: &Process) -> Result<Person> {
    let admin = &server.admin;
    Person::log_in(&server.stranger()?, &admin.username, &admin.password, &admin.display_name).await
}

/// The real program, while its wall clock jumps.
#[tokio::test]
async fn the_program_while_its_clock_is_set() -> Result<()> {
    for (name, jumps) in [("ahead and back", ["+1d", "+0"]), ("back and ahead", ["-1d", "+0"])] {
        let wall = WallClock::new()?;
        let mut server = Process::start_by(&wall).await?;
        let (session, mut agent) = server.live("control").await?;
        let mut viewer = server.viewer(&session, "control").await?;
        await_body!(agent, ViewerJoined)?;
        let code = server.admin.code("view").await?;
        let token = server.admin.mint(&session, "control").await?;
        let locked = fresh_address();
        lock_out(&server, locked).await?;
        let before = trail(&server.admin).await?;
        let old = server.admin.clone();
        let ahead = jumps[0].starts_with('+');
        for (number, jump) in jumps.into_iter().enumerate() {
            wall.set(jump)?;
            let context = || format!("{name}, set to {jump}");
            is_locked_out(&server, locked).await.with_context(context)?;
            agent.settle(10).await.with_context(context)?;
            if ahead {
                // A day is as long as a login lasts: those of before are over,
                // and do not come back.
                let me = old.http.get("/api/auth/me").await?;
                ensure!(me.status == 401, "{}: {me:?}", context());
                let knock = Knock::viewer(&session).bearer(&token).status(server.address).await?;
                ensure!(knock == 401, "{}: an old viewer token was answered {knock}", context());
                if number == 0 {
                    // Looked at every quarter of a minute, which is as long as we wait.
                    let ended = match viewer.ended().await {
                        Ok(ended) => ended,
                        Err(_) => viewer.ended().await?,
                    };
                    let goodbye = ended.expect(4401)?;
                    ensure!(!goodbye.text.is_empty(), "{goodbye:?}");
                }
                ensure!(!is_valid(&server.stranger()?, &code).await?, "{}: the code is good", context());
                server.admin = log_in_again(&server).await?;
            } else {
                viewer.say(&mut agent, jump).await.with_context(context)?;
                ensure!(is_valid(&server.stranger()?, &code).await?, "{}: the code is gone", context());
            }
            // Everything can be done anew.
            let fresh = server.admin.code("view").await?;
            let mut newcomer = server.agent(&fresh).await?;
            newcomer.grant().await?;
            server.state(&fresh.session, "live").await.with_context(context)?;
            let onlooker = server.viewer(&session, "control").await?;
            onlooker.say(&mut agent, "anew").await?;
            onlooker.close();
            let list = server.admin.http.get("/api/sessions").await?.expect(200)?;
            ensure!(list["items"][0]["id"] == fresh.session.as_str(), "{}: not the newest first", context());
            let ids = trail(&server.admin).await?;
            ensure!(ids.ends_with(&before) && ids.len() > before.len(), "{}: the trail {ids:?}", context());
        }
        server.state(&session, "live").await?;
        ensure!(!server.log().contains("panicked"), "{name}: it panicked: {}", server.log());
    }
    Ok(())
}

/// Off while the clock was set back: what was to live for minutes does not
/// live for a day more.
#[tokio::test]
async fn set_back_while_the_program_is_off() -> Result<()> {
    let wall = WallClock::new()?;
    let mut server = Process::start_by(&wall).await?;
    let (session, agent) = server.live("control").await?;
    let code = server.admin.code("view").await?;
    let token = server.admin.mint(&session, "control").await?;
    server.kill()?;
    wall.set("-1d")?;
    server.start_again()?;
    let me = server.admin.http.get("/api/auth/me").await?;
    ensure!(me.status == 401, "a login of tomorrow holds: {me:?}");
    ensure!(Knock::viewer(&session).bearer(&token).status(server.address).await? == 401);
    ensure!(!is_valid(&server.stranger()?, &code).await?, "a code of tomorrow holds");
    server.admin = log_in_again(&server).await?;
    let row = server.admin.session(&code.session).await?;
    ensure!(row["state"] == "ended" && row["end_reason"] == "expired", "{row}");
    // Nor does the agent mind.
    let memory = agent.memory(AccessMode::AccessControl);
    let mut back = FakeAgent::connect_remembering(server.address, &agent.resume(), memory).await?;
    server.state(&session, "live").await?;
    let viewer: FakeViewer = server.viewer(&session, "control").await?;
    viewer.say(&mut back, "on").await?;
    // And when the clock is right again, what was over is over.
    wall.set("+0")?;
    ensure!(!is_valid(&server.stranger()?, &code).await?, "it is good again");
    viewer.say(&mut back, "and on").await
}

fn authenticator(secret: &str, offset: i64) -> Result<String> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
    let time = now.checked_add_signed(offset).context("no time")?;
    let secret = totp_rs::Secret::try_from_base32(secret).map_err(|_| anyhow::anyhow!("no base32"))?;
    let codes = totp_rs::Builder::new().with_secret(secret).build().map_err(|_| anyhow::anyhow!("no secret"))?;
    Ok(codes.generate(time).to_string())
}

async fn show(server: &Process, otp: &str) -> Result<Answer> {
    let body = json!({"username": server.admin.username, "password": server.admin.password, "otp": otp});
    server.stranger()?.post("/api/auth/login", body).await
}

/// A second factor's codes go by the wall clock, and serve once.
#[tokio::test]
async fn second_factors_while_the_clock_is_set() -> Result<()> {
    let wall = WallClock::new()?;
    let server = Process::start_by(&wall).await?;
    let http = &server.admin.http;
    let secret = http.post_empty("/api/auth/second-factor/propose").await?.expect(200)?["secret"].clone();
    let secret = secret.as_str().context("no secret")?.to_owned();
    let used = authenticator(&secret, -30)?;
    let body = json!({"current_password": server.admin.password, "secret": secret, "otp": used});
    let set = http.call(reqwest::Method::PUT, "/api/auth/second-factor", Some(body)).await?.expect(200)?;
    let now = authenticator(&secret, 0)?;
    show(&server, &now).await?.expect(200)?;

    // The clock is wrong: whoever's authenticator is right has to wait for it,
    // or use a recovery code; nobody comes in with what was used.
    for jump in ["-1d", "+1d"] {
        wall.set(jump)?;
        for otp in [&used, &now, &authenticator(&secret, 0)?] {
            let answer = show(&server, otp).await?;
            ensure!(answer.status == 401 && answer.error_code() == Some("OTP_INVALID"), "{jump}: {answer:?}");
        }
    }
    let recovery = set["recovery_codes"][0].as_str().context("no recovery code")?;
    show(&server, recovery).await?.expect(200)?;
    // It is right again: the next code serves, those from before do not.
    wall.set("+0")?;
    for otp in [&used, &now] {
        ensure!(show(&server, otp).await?.status == 401, "a used code serves again");
    }
    eventually("the next code", || async {
        let answer = show(&server, &authenticator(&secret, 30)?).await?;
        Ok((answer.status == 200).then_some(()))
    })
    .await
}

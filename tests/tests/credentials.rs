//! No credential works on another plane: every credential at every door.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use gc_tests::{Clock, Config, Credential, FakeAgent, FakeViewer, Http, Knock, Person, TestServer};
use serde_json::json;

/// How a credential is shown.
#[derive(Debug, Clone)]
enum Shown {
    Nothing,
    Bearer(String),
    Code(String),
    Cookie(String),
}

impl Shown {
    fn header(&self, server: &TestServer) -> Vec<(&'static str, String)> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Bearer(secret) => vec![("authorization", format!("Bearer {secret}"))],
            Self::Code(code) => vec![("authorization", format!("Code {code}"))],
            // As the browser that has the dashboard open would send it.
            Self::Cookie(cookie) => vec![
                ("cookie", cookie.clone()),
                ("origin", format!("http://{}", server.address)),
                ("sec-fetch-site", "same-origin".to_owned()),
            ],
        }
    }

    fn secret(&self) -> Option<&str> {
        match self {
            Self::Bearer(secret) | Self::Code(secret) => Some(secret),
            Self::Nothing | Self::Cookie(_) => None,
        }
    }
}

/// What is answered, in this order: `GET /api/auth/me`, `GET /api/sessions`,
/// `POST /api/codes`, `POST …/viewer-token`, the agents' socket, the viewers'
/// socket by header, the viewers' socket by subprotocol.
type Answers = [u16; 7];

const NOWHERE: Answers = [401, 401, 401, 401, 401, 401, 401];
const API: Answers = [200, 200, 201, 200, 401, 401, 401];
/// A token with the scope `view` alone.
const WATCHING: Answers = [200, 200, 403, 200, 401, 401, 401];
const AGENT: Answers = [401, 401, 401, 401, 101, 401, 401];
const VIEWER: Answers = [401, 401, 401, 401, 401, 101, 101];
const OTHER_VIEWER: Answers = [401, 401, 401, 401, 401, 403, 403];

async fn at_every_door(server: &TestServer, session: &str, shown: &Shown) -> Result<Answers> {
    let mut http = server.stranger()?;
    let (mut agent, mut viewer) = (Knock::agent(), Knock::viewer(session));
    for (name, value) in shown.header(server) {
        http = http.with(name, value.clone());
        agent = agent.header(name, value.clone());
        viewer = viewer.header(name, value);
    }
    let mut browser = Knock::viewer(session);
    match shown.secret() {
        Some(secret) => browser = browser.token_subprotocol(secret),
        None => browser = viewer.clone(),
    }
    Ok([
        http.get("/api/auth/me").await?.status,
        http.get("/api/sessions").await?.status,
        http.post("/api/codes", json!({"access": "view"})).await?.status,
        http.post_empty(&format!("/api/sessions/{session}/viewer-token")).await?.status,
        agent.status(server.address).await?,
        viewer.status(server.address).await?,
        browser.status(server.address).await?,
    ])
}

async fn cookie(stranger: &Http, person: &Person) -> Result<String> {
    let body = json!({"username": person.username, "password": person.password});
    let answer = stranger.post("/api/auth/login", body).await?;
    let Some(cookie) = answer.header("set-cookie") else { bail!("the login gives no cookie") };
    let pair = cookie.split(';').next().unwrap_or_default().to_owned();
    ensure!(pair.ends_with(answer.body["token"].as_str().unwrap_or("?")), "the cookie is not the token");
    Ok(pair)
}

/// A personal access token's id and secret.
async fn access_token(person: &Person) -> Result<(String, String)> {
    let made = person.http.post("/api/tokens", json!({"name": "test", "scopes": ["view"]})).await?.expect(201)?;
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    Ok((text(&made["token"]["id"]), text(&made["secret"])))
}

/// Everything that is old by the time it is shown, and the sessions around it.
struct Scene {
    technician: Person,
    session: String,
    agent: FakeAgent,
    other_session: String,
    other_agent: FakeAgent,
    used_code: String,
    old_viewer_token: String,
    old_code: String,
}

async fn scene(server: &TestServer) -> Result<Scene> {
    let technician = server.person("operator").await?;
    let used = technician.code("control").await?;
    let mut agent = server.agent(&used).await?;
    agent.grant().await?;
    server.state(&technician, &used.session, "live").await?;
    let (other_session, mut other_agent) = server.live(&technician, "control").await?;
    let old_viewer_token = technician.mint(&used.session, "control").await?;
    let old_code = technician.code("view").await?.code;
    // A code lives for 15 minutes and a viewer token for about 5; an idle
    // agent has to be heard every now and then meanwhile.
    for step in 0..50 {
        server.clock.advance(Duration::from_secs(20));
        agent.settle(step).await?;
        other_agent.settle(step).await?;
    }
    Ok(Scene {
        technician,
        session: used.session,
        agent,
        other_session,
        other_agent,
        used_code: used.code,
        old_viewer_token,
        old_code,
    })
}

#[tokio::test]
async fn the_whole_matrix() -> Result<()> {
    let server = TestServer::start_manual().await?;
    let scene = scene(&server).await?;
    let (technician, session) = (&scene.technician, &scene.session);

    let viewer_token = technician.mint(session, "control").await?;
    let other_token = technician.mint(&scene.other_session, "control").await?;
    let unused = technician.code("control").await?.code;
    let cancelled = technician.code("control").await?.code;
    technician.http.post_empty(&format!("/api/codes/{cancelled}/cancel")).await?.expect(204)?;
    let (ended, ended_agent) = server.live(technician, "control").await?;
    let ended_resume = ended_agent.welcome.resume_secret.clone();
    technician.http.delete(&format!("/api/sessions/{ended}")).await?.expect(204)?;
    let disabled = server.person("operator").await?;
    server.admin.http.patch(&format!("/api/users/{}", disabled.id), json!({"enabled": false})).await?.expect(200)?;
    let logged_out = server.log_in_again(technician).await?;
    logged_out.http.post_empty("/api/auth/logout").await?.expect(204)?;
    let by_cookie = cookie(&server.stranger()?, technician).await?;
    let cookie_name = by_cookie.split('=').next().unwrap_or_default().to_owned();
    let (_, pat) = access_token(technician).await?;
    let (id, revoked) = access_token(technician).await?;
    technician.http.delete(&format!("/api/tokens/{id}")).await?.expect(204)?;
    let made_up = |prefix: &str| Shown::Bearer(format!("{prefix}{}", "0123456789abcdef".repeat(4)));
    let in_cookie = |secret: &str| Shown::Cookie(format!("{cookie_name}={secret}"));

    let rows: Vec<(&str, Shown, Answers)> = vec![
        ("none", Shown::Nothing, NOWHERE),
        ("garbage", Shown::Bearer("garbage".into()), NOWHERE),
        ("an empty bearer", Shown::Bearer(String::new()), NOWHERE),
        ("garbage as a code", Shown::Code("garbage".into()), NOWHERE),
        ("garbage in the cookie", in_cookie("garbage"), NOWHERE),
        ("login by header", Shown::Bearer(technician.token.clone()), API),
        ("login by cookie", Shown::Cookie(by_cookie), API),
        ("login as a code", Shown::Code(technician.token.clone()), NOWHERE),
        ("viewer token", Shown::Bearer(viewer_token.clone()), VIEWER),
        ("viewer token in the cookie", in_cookie(&viewer_token), NOWHERE),
        ("viewer token, changed", Shown::Bearer(changed(&viewer_token)), NOWHERE),
        ("viewer token of another session", Shown::Bearer(other_token), OTHER_VIEWER),
        ("viewer token, expired", Shown::Bearer(scene.old_viewer_token.clone()), NOWHERE),
        ("code, used", Shown::Code(scene.used_code.clone()), NOWHERE),
        ("code, cancelled", Shown::Code(cancelled), NOWHERE),
        ("code, expired", Shown::Code(scene.old_code.clone()), NOWHERE),
        ("code, unused, as a bearer", Shown::Bearer(unused.clone()), NOWHERE),
        ("code, unused", Shown::Code(unused), [401, 401, 401, 401, 101, 401, 401]),
        ("rsm_ of an ended session", Shown::Bearer(ended_resume), NOWHERE),
        ("rsm_, made up", made_up("rsm_"), NOWHERE),
        ("rsm_ in the cookie", in_cookie(&scene.agent.welcome.resume_secret), NOWHERE),
        ("cak_, made up", made_up("cak_"), NOWHERE),
        ("cek_, made up", made_up("cek_"), NOWHERE),
        ("pat_, made up", made_up("pat_"), NOWHERE),
        ("pat_", Shown::Bearer(pat.clone()), WATCHING),
        ("pat_ in the cookie", in_cookie(&pat), NOWHERE),
        ("pat_ as a code", Shown::Code(pat), NOWHERE),
        ("pat_, revoked", Shown::Bearer(revoked), NOWHERE),
        ("login of a disabled user", Shown::Bearer(disabled.token.clone()), NOWHERE),
        ("login, logged out", Shown::Bearer(logged_out.token.clone()), NOWHERE),
        ("login, logged out, in the cookie", in_cookie(&logged_out.token), NOWHERE),
        // Last, since it takes the place of the agent that is there.
        ("rsm_ as a code", Shown::Code(scene.agent.welcome.resume_secret.clone()), NOWHERE),
        ("rsm_", Shown::Bearer(scene.agent.welcome.resume_secret.clone()), AGENT),
    ];
    let mut wrong = Vec::new();
    for (name, shown, expected) in rows {
        let got = at_every_door(&server, session, &shown).await?;
        if got != expected {
            wrong.push(format!("{name}: expected {expected:?}, got {got:?}"));
        }
    }
    ensure!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    // The session that was not meant by any of this is as it was.
    let mut other_agent = scene.other_agent;
    other_agent.settle(1000).await?;
    Ok(())
}

/// The same token with one symbol of its middle changed.
fn changed(token: &str) -> String {
    let middle = token.len() / 2;
    let other = if token[middle..].starts_with('A') { "B" } else { "A" };
    format!("{}{other}{}", &token[..middle], &token[middle + 1..])
}

#[tokio::test]
async fn the_cookie_is_kept_from_scripts_and_other_sites() -> Result<()> {
    for public_url in [Some("https://support.example"), None] {
        let change = |config: &mut Config| config.public_url = public_url.map(str::to_owned);
        let server = TestServer::start_with(Clock::system(), change).await?;
        let body = json!({"username": server.admin.username, "password": server.admin.password});
        let answer = server.stranger()?.post("/api/auth/login", body).await?;
        let cookie = answer.header("set-cookie").unwrap_or_default().to_owned();
        for attribute in ["HttpOnly", "SameSite=", "Secure"] {
            ensure!(cookie.contains(attribute), "the cookie lacks {attribute} at {public_url:?}");
        }
        ensure!(!cookie.contains("SameSite=None") && !cookie.contains("Domain="), "the cookie goes elsewhere");
    }
    Ok(())
}

#[tokio::test]
async fn a_url_carries_no_credential() -> Result<()> {
    let server = TestServer::start().await?;
    let technician = server.person("operator").await?;
    let (session, _agent) = server.live(&technician, "control").await?;
    let token = technician.mint(&session, "control").await?;
    let code = technician.code("view").await?;
    let stranger = server.stranger()?;
    for name in ["token", "access_token", "authorization", "login"] {
        let status = stranger.get(&format!("/api/auth/me?{name}={}", technician.token)).await?.status;
        ensure!(status == 401, "a login in the URL as {name} was answered {status}");
        let status = Knock::viewer(&format!("{session}&{name}={token}")).status(server.address).await?;
        ensure!((400..500).contains(&status), "a viewer token in the URL as {name} was answered {status}");
        let plain = Http::new(server.address)?.get(&format!("/ws/agent?{name}={}", code.code)).await?.status;
        ensure!((400..500).contains(&plain), "a code in the URL as {name} was answered {plain}");
    }
    ensure!(technician.http.get("/api/codes").await?.expect(200)?.to_string().contains(&code.code));
    Ok(())
}

#[tokio::test]
async fn a_login_lasts_a_day_at_most() -> Result<()> {
    let server = TestServer::start_manual().await?;
    let technician = server.person("operator").await?;
    server.clock.advance(Duration::from_secs(23 * 3600));
    ensure!(technician.http.get("/api/auth/me").await?.status == 200);
    server.clock.advance(Duration::from_secs(3600));
    ensure!(technician.http.get("/api/auth/me").await?.status == 401);
    Ok(())
}

#[tokio::test]
async fn a_token_of_a_login_that_has_gone_opens_nothing() -> Result<()> {
    let server = TestServer::start().await?;
    let technician = server.person("operator").await?;
    let (session, _agent) = server.live(&technician, "control").await?;
    let second = server.log_in_again(&technician).await?;
    let (gone, kept) = (technician.mint(&session, "control").await?, second.mint(&session, "control").await?);
    technician.http.post_empty("/api/auth/logout").await?.expect(204)?;
    ensure!(Knock::viewer(&session).bearer(&gone).status(server.address).await? == 401);
    FakeViewer::connect(server.address, &session, &kept).await?;
    Ok(())
}

#[tokio::test]
async fn set_up_cannot_be_replayed() -> Result<()> {
    let mut server = TestServer::start().await?;
    let body = json!({"token": "0".repeat(64), "username": "mallory", "password": "walnut-harbour-ladder-53"});
    for _ in 0..2 {
        let stranger = server.stranger()?;
        stranger.post("/api/setup", body.clone()).await?.expect(404)?;
        stranger.get("/api/setup").await?.expect(404)?;
        server.start_again().await?;
    }
    Ok(())
}

#[tokio::test]
async fn who_is_unknown_and_what_is_wrong_look_alike() -> Result<()> {
    let server = TestServer::start().await?;
    let technician = server.person("operator").await?;
    let disabled = server.person("operator").await?;
    server.admin.http.patch(&format!("/api/users/{}", disabled.id), json!({"enabled": false})).await?.expect(200)?;
    let mut answers = Vec::new();
    for (username, password) in [
        ("nobody", "walnut-harbour-ladder-52"),
        (&technician.username, "wrong-harbour-ladder-52"),
        (&disabled.username, "walnut-harbour-ladder-52"),
    ] {
        let body = json!({"username": username, "password": password});
        let mut body = server.stranger()?.post("/api/auth/login", body).await?.expect(401)?;
        body["request_id"] = json!("");
        answers.push(body);
    }
    ensure!(answers[0] == answers[1] && answers[1] == answers[2], "{answers:?}");
    Ok(())
}

#[tokio::test]
async fn roles_are_bundles_of_permissions() -> Result<()> {
    let server = TestServer::start().await?;
    let (operator, viewer) = (server.person("operator").await?, server.person("viewer").await?);
    let body = json!({"access": "view"});
    ensure!(operator.http.post("/api/codes", body.clone()).await?.status == 201);
    ensure!(viewer.http.post("/api/codes", body.clone()).await?.status == 403);
    ensure!(viewer.http.get("/api/sessions").await?.status == 200);
    for (person, status) in [(&server.admin, 200), (&operator, 403), (&viewer, 403)] {
        ensure!(person.http.get("/api/users").await?.status == status, "{}", person.username);
    }
    // An end user has the portal and nothing else.
    let account = json!({"username": "eve", "password": "walnut-harbour-ladder-52", "role": "end_user",
        "must_change_password": false});
    server.admin.http.post("/api/users", account).await?.expect(201)?;
    let login = json!({"username": "eve", "password": "walnut-harbour-ladder-52"});
    let login = server.stranger()?.post("/api/auth/login", login).await?;
    ensure!(login.status == 200 || login.status == 403, "{login:?}");
    if let Some(token) = login.body["token"].as_str() {
        let eve = server.stranger()?.bearer(token);
        ensure!(eve.get("/api/sessions").await?.status == 403, "an end user lists sessions");
        ensure!(eve.post("/api/codes", body).await?.status == 403, "an end user makes codes");
        ensure!(eve.get("/api/codes").await?.status == 403, "an end user lists codes");
        ensure!(eve.get("/api/users").await?.status == 403, "an end user lists users");
        ensure!(eve.get("/api/colleagues").await?.status == 403, "an end user lists technicians");
    }
    Ok(())
}

#[tokio::test]
async fn a_code_is_accepted_as_people_type_it() -> Result<()> {
    let server = TestServer::start().await?;
    let technician = server.person("operator").await?;
    let code = technician.code("view").await?.code;
    let groups: Vec<&str> = code.split('-').collect();
    ensure!(groups.len() == 3 && groups.iter().all(|group| group.len() == 3), "{code}");
    ensure!(code.chars().all(|symbol| symbol == '-' || "23456789ABCDEFGHJKMNPQRSTUVWXYZ".contains(symbol)), "{code}");
    let preview = server.stranger()?.get(&format!("/api/codes/{code}/validate")).await?.expect(200)?;
    ensure!(preview["valid"] == true && preview["technician_name"] == technician.display_name.as_str(), "{preview}");
    ensure!(preview["organization"] == "Acme Support", "{preview}");
    // Looking does not use it up.
    FakeAgent::connect(server.address, &Credential::Code(code.clone())).await?;
    let preview = server.stranger()?.get(&format!("/api/codes/{code}/validate")).await?.expect(200)?;
    ensure!(preview["valid"] == false && preview["technician_name"].is_null(), "{preview}");
    Ok(())
}

//! An administrator at the pages: users, the audit trail, one's own account.

use anyhow::{Context, Result, ensure};
use gc_desktop_tests::{Browser, Server, Technician};
use serde_json::json;

fn picture(browser: &Browser, name: &str) -> Result<()> {
    let Some(folder) = std::env::var_os("GC_SHOTS") else { return Ok(()) };
    for scheme in ["light", "dark"] {
        browser.run("theme", json!({ "scheme": scheme }))?;
        browser.shot(&std::path::Path::new(&folder).join(format!("admin-{name}-{scheme}.png")))?;
    }
    Ok(())
}

fn axe(browser: &Browser) -> Result<()> {
    let found = browser.run("axe", json!({}))?;
    ensure!(found.as_array().is_some_and(Vec::is_empty), "axe finds {found}");
    Ok(())
}

#[test]
fn users_come_change_and_go() -> Result<()> {
    let server = Server::start()?;
    let browser = Browser::start()?;
    browser.login(&server.url, &server.admin)?;
    browser.run("click_link", json!({ "name": "Users" }))?;
    browser.run("wait_text", json!({ "text": "Ada Lovelace" }))?;

    browser.run("click_button", json!({ "name": "New user" }))?;
    browser.run("fill", json!({ "label": "User name", "text": "grace" }))?;
    browser.run("fill", json!({ "label": "Name, as people being helped read it", "text": "Grace Hopper" }))?;
    browser.run("choose", json!({ "selector": "form select", "option": "Watcher" }))?;
    browser.run("click_selector", json!({ "selector": "label:has-text('Read the audit trail')" }))?;
    browser.run("fill", json!({ "label": "First password", "text": "short" }))?;
    picture(&browser, "new-user")?;
    axe(&browser)?;
    browser.run("fill", json!({ "label": "First password", "text": "nanosecond of wire 11.8" }))?;
    browser.run("click_button", json!({ "name": "Save" }))?;
    browser.run("wait_text", json!({ "text": "Grace Hopper" }))?;
    browser.run("wait_gone", json!({ "selector": "form.card" }))?;
    picture(&browser, "users")?;
    axe(&browser)?;
    let admin = server.login(&server.admin)?;
    let users = server.get("/api/users", &admin)?;
    let grace = users["items"].as_array().context("no users")?.iter().find(|user| user["username"] == "grace");
    ensure!(grace.context("no Grace")?["permissions"] == json!(["view", "view_audit"]), "{grace:?}");

    // Disabled, her login is worth nothing; enabled, it is again.
    let her = Technician { username: "grace".into(), password: "nanosecond of wire 11.8".into() };
    server.login(&her)?;
    browser.run("click_button", json!({ "name": "Disable Grace Hopper" }))?;
    browser.run("answer", json!({ "button": "Disable" }))?;
    browser.run("wait_selector", json!({ "selector": "td:has-text('Disabled')" }))?;
    ensure!(server.login(&her).is_err(), "a disabled user logs in");
    browser.run("click_button", json!({ "name": "Enable Grace Hopper" }))?;
    browser.run("wait_gone", json!({ "selector": "td:has-text('Disabled')" }))?;
    server.login(&her)?;

    // A role is changed, and a refusal stands beside the form.
    browser.run("click_button", json!({ "name": "Change Grace Hopper" }))?;
    browser.run("choose", json!({ "selector": "form select", "option": "Technician" }))?;
    browser.run("click_button", json!({ "name": "Save" }))?;
    browser.run("wait_selector", json!({ "selector": "tr:has-text('Grace Hopper') td:has-text('Technician')" }))?;
    browser.run("click_button", json!({ "name": "New user" }))?;
    browser.run("fill", json!({ "label": "User name", "text": "GRACE" }))?;
    browser.run("fill", json!({ "label": "Name, as people being helped read it", "text": "Another Grace" }))?;
    browser.run("fill", json!({ "label": "First password", "text": "nanosecond of wire 11.8" }))?;
    browser.run("click_button", json!({ "name": "Save" }))?;
    browser.run("wait_text", json!({ "text": "Somebody has this user name already" }))?;
    browser.run("click_button", json!({ "name": "Cancel" }))?;

    // Whoever thinks again has removed nobody.
    browser.run("click_button", json!({ "name": "Remove Grace Hopper" }))?;
    browser.run("answer", json!({ "button": "Cancel" }))?;
    browser.run("click_button", json!({ "name": "Remove Grace Hopper" }))?;
    browser.run("press", json!({ "key": "Escape" }))?;
    browser.run("wait_gone", json!({ "selector": "dialog" }))?;
    server.login(&her)?;
    browser.run("click_button", json!({ "name": "Remove Grace Hopper" }))?;
    browser.run("answer", json!({ "button": "Remove" }))?;
    browser.run("wait_gone", json!({ "selector": "tr:has-text('Grace Hopper')" }))?;
    ensure!(server.login(&her).is_err(), "a removed user logs in");

    // All of it stands in the trail, with who did it, and can be filtered.
    browser.run("click_link", json!({ "name": "Audit" }))?;
    for words in ["User created", "User changed", "User removed", "Login refused"] {
        browser.run("wait_selector", json!({ "selector": format!("td:has-text('{words}')") }))?;
    }
    picture(&browser, "audit")?;
    axe(&browser)?;
    browser.run("choose", json!({ "selector": "#event", "option": "User removed" }))?;
    let only = json!({ "selector": "tbody:not(:has(tr:nth-child(2))) td:has-text('User removed')" });
    browser.run("wait_selector", only.clone())?;
    let url = browser.run("url", json!({}))?;
    ensure!(url.as_str().is_some_and(|url| url.contains("event=user_removed")), "{url}");
    let text = browser.run("text", json!({ "selector": "tbody tr" }))?;
    ensure!(text.as_str().is_some_and(|text| text.contains("Ada Lovelace") && text.contains("grace")), "{text}");
    // The link has the filter: whoever opens it sees the same.
    browser.run("reload", json!({}))?;
    browser.run("wait_selector", only)?;
    let export = browser.run(
        "evaluate",
        json!({ "script": "fetch(document.querySelector('a[download]').href).then((answer) => answer.text())" }),
    )?;
    let lines: Vec<&str> = export.as_str().context("no export")?.trim_end().lines().collect();
    ensure!(lines.len() == 2 && lines[1].contains("user_removed"), "{lines:?}");
    browser.run("choose", json!({ "selector": "#event", "option": "Invitation withdrawn" }))?;
    browser.run("wait_text", json!({ "text": "Nothing that happened fits" }))?;
    picture(&browser, "audit-empty")
}

/// What an authenticator shows for this key, so many steps from now.
fn code(key: &str, steps: i64) -> Result<String> {
    let secret = totp_rs::Secret::try_from_base32(key).map_err(|_| anyhow::anyhow!("{key:?} is no key"))?;
    let codes = totp_rs::Builder::new().with_secret(secret).build().map_err(|_| anyhow::anyhow!("no secret"))?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
    Ok(codes.generate(now.saturating_add_signed(steps * 30)).to_string())
}

#[test]
fn a_second_factor_is_set_up_and_asked_for() -> Result<()> {
    let server = Server::start()?;
    let browser = Browser::start()?;
    browser.login(&server.url, &server.admin)?;
    browser.run("click_link", json!({ "name": "Ada Lovelace" }))?;
    browser.run("click_button", json!({ "name": "Set up an authenticator" }))?;
    browser.run("wait_selector", json!({ "selector": "svg.picture" }))?;
    let key = browser.run("text", json!({ "selector": ".key" }))?;
    let key = key.as_str().context("no key")?.replace(' ', "");
    picture(&browser, "factor")?;
    axe(&browser)?;
    let turn_on = |otp: &str| -> Result<()> {
        browser.run("fill", json!({ "label": "Code that the app shows", "text": otp }))?;
        browser.run("fill", json!({ "label": "Your password", "text": server.admin.password }))?;
        browser.run("click_button", json!({ "name": "Turn on" })).map(drop)
    };
    turn_on("1")?;
    browser.run("wait_text", json!({ "text": "The code is not the one that is due" }))?;
    turn_on(&code(&key, -1)?)?;
    browser.run("wait_text", json!({ "text": "The second factor is on" }))?;
    picture(&browser, "recovery")?;
    axe(&browser)?;
    let recovery = browser.run("text", json!({ "selector": ".recovery li" }))?;
    browser.run("click_button", json!({ "name": "I have kept them" }))?;
    browser.run("wait_text", json!({ "text": "a code from your authenticator is due" }))?;

    browser.run("click_button", json!({ "name": "Log out" }))?;
    let password = || -> Result<()> {
        browser.run("wait_selector", json!({ "selector": "#password" }))?;
        browser.run("fill", json!({ "label": "User name", "text": server.admin.username }))?;
        browser.run("fill", json!({ "label": "Password", "text": server.admin.password }))?;
        browser.run("click_button", json!({ "name": "Log in" }))?;
        browser.run("wait_selector", json!({ "selector": "#otp:focus" })).map(drop)
    };
    password()?;
    picture(&browser, "login-factor")?;
    axe(&browser)?;
    // By the keyboard alone, as after typing it from the phone.
    browser.run("type", json!({ "text": format!("{}\n", code(&key, 0)?) }))?;
    browser.run("wait_text", json!({ "text": "Nobody is connected" }))?;
    browser.run("click_button", json!({ "name": "Log out" }))?;
    password()?;
    browser.run("type", json!({ "text": format!("{}\n", recovery.as_str().context("no recovery code")?) }))?;
    browser.run("wait_text", json!({ "text": "Nobody is connected" }))?;
    Ok(())
}

#[test]
fn whoever_may_not_sees_no_pages_for_it() -> Result<()> {
    let server = Server::start()?;
    let technician = server.colleague("Bob Frost", "operator")?;
    let browser = Browser::start()?;
    browser.login(&server.url, &technician)?;
    for page in ["Users", "Audit"] {
        ensure!(
            browser.run("count", json!({ "selector": format!("nav a:has-text('{page}')") }))? == json!(0),
            "{page}"
        );
    }
    // By its address the page is there, and says that he may not.
    browser.run("goto", json!({ "url": format!("{}/users", server.url) }))?;
    browser.run("wait_text", json!({ "text": "You may not do this" }))?;

    // His own password is his own affair.
    browser.run("click_link", json!({ "name": "Bob Frost" }))?;
    picture(&browser, "account")?;
    axe(&browser)?;
    let change = |current: &str| -> Result<()> {
        browser.run("fill", json!({ "label": "Current password", "text": current }))?;
        browser.run("fill", json!({ "label": "New password", "text": "store and mill, well oiled" }))?;
        browser.run("click_button", json!({ "name": "Change password" })).map(drop)
    };
    change("not the one")?;
    browser.run("wait_text", json!({ "text": "The current password is wrong" }))?;
    change(&technician.password)?;
    browser.run("wait_text", json!({ "text": "The password is changed" }))?;
    ensure!(server.login(&technician).is_err(), "the old password still serves");
    server.login(&Technician { password: "store and mill, well oiled".into(), ..technician })?;
    // And he is still logged in here.
    browser.run("click_link", json!({ "name": "Sessions" }))?;
    browser.run("wait_text", json!({ "text": "Nobody is connected" }))?;
    Ok(())
}

#[test]
fn sessions_are_removed_one_and_many() -> Result<()> {
    let server = Server::start()?;
    let login = server.login(&server.admin)?;
    for _ in 0..3 {
        let (_, session) = server.code(&login, "view")?;
        server.delete(&format!("/api/sessions/{session}"), &login)?;
    }
    let (_, open) = server.code(&login, "control")?;
    let browser = Browser::start()?;
    browser.login(&server.url, &server.admin)?;
    browser.run("click_link", json!({ "name": "Past" }))?;
    let rows = |count: usize| -> Result<()> {
        let selector = format!("tbody:not(:has(tr:nth-child({}))) tr:nth-child({count})", count + 1);
        browser.run("wait_selector", json!({ "selector": selector })).map(drop)
    };
    rows(3)?;
    browser.run("click_selector", json!({ "selector": "tbody tr:first-child button:has-text('Remove')" }))?;
    browser.run("answer", json!({ "button": "Remove" }))?;
    rows(2)?;
    browser.run("click_selector", json!({ "selector": "thead input" }))?;
    browser.run("wait_text", json!({ "text": "2 chosen" }))?;
    picture(&browser, "sessions-chosen")?;
    axe(&browser)?;
    browser.run("click_button", json!({ "name": "Remove them" }))?;
    browser.run("answer", json!({ "button": "Remove" }))?;
    browser.run("wait_text", json!({ "text": "No past sessions yet" }))?;
    let past = server.get("/api/sessions?state=ended", &login)?;
    ensure!(past["items"] == json!([]), "{past}");
    // What was open was not chosen; and the trail keeps all of it.
    ensure!(server.session(&login, &open)?["state"] == "waiting");
    let removed = server.get("/api/audit?event=session_removed&limit=200", &login)?;
    ensure!(removed["items"].as_array().is_some_and(|items| items.len() == 6), "{removed}");
    // A technician is offered no such thing.
    let technician = server.colleague("Bob Frost", "operator")?;
    let bob = server.login(&technician)?;
    let (_, session) = server.code(&bob, "view")?;
    server.delete(&format!("/api/sessions/{session}"), &bob)?;
    let at_bob = Browser::start()?;
    at_bob.login(&server.url, &technician)?;
    at_bob.run("click_link", json!({ "name": "Past" }))?;
    at_bob.run("wait_selector", json!({ "selector": "tbody tr" }))?;
    ensure!(at_bob.run("count", json!({ "selector": "input[type=checkbox]" }))? == json!(0));
    Ok(())
}

#[test]
fn settings_are_set_and_read_by_the_person() -> Result<()> {
    let server = Server::start()?;
    let browser = Browser::start()?;
    browser.login(&server.url, &server.admin)?;
    browser.run("click_link", json!({ "name": "Settings" }))?;
    browser.run("wait_text", json!({ "text": "What people read" }))?;
    browser
        .run("fill", json!({ "label": "Below the question", "text": "{{company}} never asks for your password." }))?;
    browser.run("fill", json!({ "label": "Longest session, in hours", "text": "8" }))?;
    browser.run("click_selector", json!({ "selector": "label:has-text('Several people may control')" }))?;
    browser.run("fill", json!({ "label": "Trusted proxies", "text": "0.0.0.0/0" }))?;
    browser.run("click_button", json!({ "name": "Save" }))?;
    browser.run("wait_text", json!({ "text": "To believe everybody is to believe nobody" }))?;
    picture(&browser, "settings-refused")?;
    axe(&browser)?;
    browser.run("fill", json!({ "label": "Trusted proxies", "text": "10.0.0.5\nfd00::/8" }))?;
    browser.run("click_button", json!({ "name": "Save" }))?;
    browser.run("wait_text", json!({ "text": "It holds from now on" }))?;
    picture(&browser, "settings")?;
    axe(&browser)?;
    let settings = server.get("/api/settings", &server.login(&server.admin)?)?;
    ensure!(settings["trusted_proxies"] == json!(["10.0.0.5/32", "fd00::/8"]), "{settings}");
    ensure!(settings["session_hours"] == 8 && settings["several_controllers"] == true, "{settings}");
    ensure!(settings["consent_message"] == "{{company}} never asks for your password.", "{settings}");
    // Emptied, there is no limit again; what was not touched stays.
    browser.run("reload", json!({}))?;
    browser.run("fill", json!({ "label": "Longest session, in hours", "text": "" }))?;
    browser.run("click_button", json!({ "name": "Save" }))?;
    browser.run("wait_text", json!({ "text": "It holds from now on" }))?;
    let settings = server.get("/api/settings", &server.login(&server.admin)?)?;
    ensure!(settings["session_hours"].is_null() && settings["several_controllers"] == true, "{settings}");
    Ok(())
}

#[test]
fn a_token_is_made_used_and_revoked() -> Result<()> {
    let server = Server::start()?;
    let browser = Browser::start()?;
    browser.login(&server.url, &server.admin)?;
    browser.run("click_link", json!({ "name": "Ada Lovelace" }))?;
    browser.run("click_button", json!({ "name": "New token" }))?;
    browser.run("fill", json!({ "label": "What it is for", "text": "Nightly report" }))?;
    picture(&browser, "token-new")?;
    browser.run("click_selector", json!({ "selector": "form label:has-text('Read the audit trail')" }))?;
    axe(&browser)?;
    browser.run("click_button", json!({ "name": "Make token" }))?;
    browser.run("wait_text", json!({ "text": "it is not shown again" }))?;
    picture(&browser, "token-made")?;
    let secret = browser.run("text", json!({ "selector": ".message .key" }))?;
    let secret = secret.as_str().context("no token")?.to_owned();
    browser.run("click_button", json!({ "name": "I have kept it" }))?;
    browser.run("wait_text", json!({ "text": "Never used" }))?;
    server.get("/api/audit", &secret)?;
    ensure!(server.get("/api/users", &secret).is_err(), "a token does more than it may");
    browser.run("reload", json!({}))?;
    browser.run("wait_text", json!({ "text": "Last used just now" }))?;
    ensure!(
        !browser.run("text", json!({ "selector": "main" }))?.to_string().contains(&secret),
        "the token is shown again"
    );
    picture(&browser, "tokens")?;
    axe(&browser)?;
    browser.run("click_button", json!({ "name": "Revoke Nightly report" }))?;
    browser.run("answer", json!({ "button": "Revoke token" }))?;
    browser.run("wait_text", json!({ "text": "You have none" }))?;
    ensure!(server.get("/api/audit", &secret).is_err(), "a revoked token reads");
    Ok(())
}

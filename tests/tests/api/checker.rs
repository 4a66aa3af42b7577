//! An independent checker reads the server's own description, makes calls of
//! it, right and wrong ones, and compares every answer with what is described.
//! `tests/api` says how.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use gc_tests::{Person, Process, TestDatabase};
use serde_json::{Map, Value, json};

/// Names the folder that the checker was installed in.
const VARIABLE: &str = "GC_SCHEMATHESIS";
const PASSWORD: &str = "walnut-harbour-ladder-52";

/// Calls that are never answered well here, and why.
const NEVER_WELL: &[(&str, &str)] = &[
    ("POST /api/setup", "set-up is done when there is a description to read"),
    ("GET /api/setup", "the same"),
    ("POST /api/auth/change-password", "nobody guesses the password"),
    ("PUT /api/auth/second-factor", "the same"),
    ("POST /api/auth/second-factor/remove", "the same"),
    ("POST /api/sessions/{id}/request-control", "the person is asked once and does not answer"),
    ("DELETE /api/sessions/{id}/invitations/{user_id}", "nobody guesses two ids that belong together"),
];

#[tokio::test(flavor = "multi_thread")]
async fn the_server_is_as_it_describes_itself() -> Result<()> {
    let database = TestDatabase::from_environment()?;
    let folder = tempfile::tempdir()?;
    let files = tempfile::tempdir()?;
    let mut options = vec!["--clients".to_owned(), clients(files.path())?];
    options.extend(database.url().into_iter().flat_map(|url| ["--database-url".to_owned(), url.to_owned()]));
    let data = folder.path().join("data");
    let server = Process::start_in(folder, data, options).await?;

    let mut colleague = String::new();
    let (mut credentials, mut protected) = (Map::new(), BTreeSet::from([server.admin.id.clone()]));
    credentials.insert("administrator".into(), json!(server.admin.token));
    for role in ["operator", "viewer", "end_user"] {
        let person = person(&server, role).await?;
        credentials.insert(role.into(), json!(person.token));
        if role == "operator" {
            colleague.clone_from(&person.id);
        }
        protected.insert(person.id);
    }
    let me = server.admin.http.get("/api/auth/me").await?.expect(200)?;
    for scope in me["permissions"].as_array().context("no permissions")? {
        let body = json!({"name": "for the checker", "scopes": [scope]});
        let made = server.admin.http.post("/api/tokens", body).await?.expect(201)?;
        credentials.insert(format!("token for {scope}"), made["secret"].clone());
        protected.insert(made["token"]["id"].as_str().context("no id")?.to_owned());
    }
    // A session in every state that stays by itself.
    let waiting = server.admin.code("control").await?;
    let asking = server.admin.code("control").await?;
    let _asked = server.agent(&asking).await?;
    let (live, _agent) = server.live("view").await?;
    // Watched: the checker sets the time after which a session without viewers ends.
    let _watching = server.viewer(&live, "view_only").await?;
    let over = server.admin.code("view").await?;
    server.admin.http.delete(&format!("/api/sessions/{}", over.session)).await?.expect(204)?;

    let facts = json!({
        "url": format!("http://{}", server.address),
        "administrator": {"username": "root", "password": server.admin.password},
        "credentials": credentials,
        "sessions": [live, live, waiting.session, asking.session, over.session],
        "protected": protected,
        "colleague": colleague,
    });
    let (facts_file, seen_file) = (files.path().join("facts.json"), files.path().join("seen"));
    std::fs::write(&facts_file, facts.to_string())?;
    let description = server.stranger()?.get("/api/openapi.json").await?.expect(200)?;
    check(server.address, &facts_file, &seen_file).await?;

    let seen = std::fs::read_to_string(&seen_file)?;
    for operation in operations(&description) {
        let of = |line: &str| line.strip_prefix(&operation).and_then(|rest| rest.strip_prefix(' ')).map(str::to_owned);
        let statuses: BTreeSet<String> = seen.lines().filter_map(of).collect();
        let well = statuses.iter().any(|status| status.starts_with('2'));
        let never = NEVER_WELL.iter().find(|(name, _)| *name == operation);
        println!("{operation}: {statuses:?}");
        ensure!(!statuses.is_empty(), "{operation} was never called");
        ensure!(well || never.is_some(), "{operation} was never answered well: {statuses:?}");
    }
    Ok(())
}

async fn check(address: std::net::SocketAddr, facts: &Path, seen: &Path) -> Result<()> {
    let installed = std::env::var_os(VARIABLE).with_context(|| {
        format!(
            "{VARIABLE} is not set: name the folder that tests/api/requirements.txt was installed in, as ./run does"
        )
    })?;
    let rules = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("api");
    let mut command = Command::new("/usr/bin/python3");
    command
        .args(["-m", "schemathesis.cli", "--config-file"])
        .arg(rules.join("schemathesis.toml"))
        .args(["run", "--no-color", &format!("http://{address}/api/openapi.json")])
        .current_dir(&rules)
        .env("PYTHONPATH", installed)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("GC_API_FACTS", facts)
        .env("GC_API_SEEN", seen);
    let output = tokio::task::spawn_blocking(move || command.output()).await?.context("python3 cannot be run")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    println!("{text}");
    Ok(())
}

/// Every described call, such as `GET /api/version`.
fn operations(description: &Value) -> Vec<String> {
    let paths = description["paths"].as_object().into_iter().flatten();
    paths
        .flat_map(|(path, item)| {
            item.as_object().into_iter().flatten().map(move |(method, _)| format!("{} {path}", method.to_uppercase()))
        })
        .collect()
}

/// Client programs with room for an anchor, as much as a download needs.
fn clients(folder: &Path) -> Result<String> {
    let folder = folder.join("clients");
    std::fs::create_dir(&folder)?;
    let program = [&b"a client"[..], b"GURUCONNECT-DEPLOYMENT-ANCHOR-V1", &[0; 992]].concat();
    for name in ["guruconnect", "guruconnect.exe"] {
        std::fs::write(folder.join(name), &program)?;
    }
    Ok(folder.display().to_string())
}

async fn person(server: &Process, role: &str) -> Result<Person> {
    let body = json!({
        "username": format!("some-{role}"), "password": PASSWORD, "role": role, "must_change_password": false,
    });
    server.admin.http.post("/api/users", body).await?.expect(201)?;
    Person::log_in(&server.stranger()?, &format!("some-{role}"), PASSWORD, "").await
}

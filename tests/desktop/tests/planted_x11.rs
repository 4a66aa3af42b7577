//! Secrets that are shown on purpose, so that the search over a whole run has
//! something to find in every place that it looks at.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Result, ensure};
use gc_desktop_tests::{Agent, Browser, Display, programs, until};
use gc_record::{Output, plant};
use serde_json::json;

#[test]
fn in_a_console() -> Result<()> {
    let browser = Browser::start()?;
    let planted = plant(Output::Browser);
    let script = format!("(console.log({}), true)", json!(planted));
    browser.run("evaluate", json!({ "script": script }))?;
    until("the line in the console", Duration::from_secs(10), || {
        let said = browser.run("console", json!({}))?;
        Ok(said.to_string().contains(&planted).then_some(()))
    })
}

/// The agent writes down with which words it was refused.
#[test]
fn in_the_log_of_an_agent() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    let planted = plant(Output::Agent);
    let body = json!({ "error_code": "PLANTED", "detail": planted, "status_code": 418 }).to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = [0; 4096];
            let _: std::io::Result<usize> = stream.read(&mut head);
            let answer = format!("HTTP/1.1 418 No\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            let _: std::io::Result<()> = stream.write_all(answer.as_bytes());
        }
    });
    let folder = tempfile::tempdir()?;
    let client = folder.path().join("client");
    let filled = Command::new(programs("guruconnect-server", "GC_SERVER")?)
        .args(["client", "--url", &url, "--input"])
        .arg(programs("guruconnect", "GC_CLIENT_LINUX")?)
        .arg("--output")
        .arg(&client)
        .arg("--data")
        .arg(folder.path().join("data"))
        .stdout(Stdio::null())
        .status()?;
    ensure!(filled.success(), "no client could be made");
    std::fs::set_permissions(&client, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let display = Display::start(800, 600)?;
    let agent = Agent::start_program(&client, &display, "ABC-DEF-GHJ")?;
    until("the refusal in the agent's log", Duration::from_secs(20), || {
        Ok(agent.log().contains(&planted).then_some(()))
    })
}

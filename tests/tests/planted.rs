//! Secrets that are shown on purpose, so that the search over a whole run has
//! something to find in every place that it looks at.

use anyhow::{Result, ensure};
use gc_record::{Output, plant};
use gc_tests::{Process, TestServer, eventually};

#[tokio::test]
async fn in_the_log_of_the_program() -> Result<()> {
    let server = Process::start().await?;
    // A request's method is written down as it came.
    let planted = plant(Output::Server);
    let method = reqwest::Method::from_bytes(planted.as_bytes())?;
    let answer = server.stranger()?.call(method, "/api/version", None).await?;
    ensure!(answer.status == 405, "{answer:?}");
    eventually("the line in the log", || async { Ok(server.log().contains(&planted).then_some(())) }).await
}

#[tokio::test]
async fn in_the_log_of_our_own_process_in_every_form() -> Result<()> {
    let _server = TestServer::start().await?;
    let hex = |text: &str| -> String { text.bytes().map(|byte| format!("{byte:02x}")).collect() };
    tracing::info!(plain = plant(Output::InProcess), "planted");
    tracing::info!(hex = hex(&plant(Output::InProcess)), "planted");
    tracing::info!(bytes = ?plant(Output::InProcess).as_bytes(), "planted");
    // And what somebody would see of a panic.
    let planted = plant(Output::InProcess);
    let panicked = tokio::spawn(async move {
        assert!(planted.is_empty(), "{planted}");
    });
    ensure!(panicked.await.is_err());
    Ok(())
}

#[test]
fn in_what_tests_print() {
    println!("{}", plant(Output::Runner));
}

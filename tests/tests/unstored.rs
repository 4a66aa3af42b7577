//! What cannot be stored does not hold.

use anyhow::{Result, ensure};
use gc_tests::messages::{ConsentReason, DisconnectCode};
use gc_tests::{PrivatePostgres, Process, eventually};

#[tokio::test]
async fn a_yes_that_the_database_does_not_take_lets_nobody_in() -> Result<()> {
    let mut database = PrivatePostgres::start()?;
    let server = Process::start_with_database(&database.url()).await?;
    let code = server.admin.code("control").await?;
    let mut agent = server.agent(&code).await?;
    let question = agent.asked().await?;

    database.kill()?;
    agent.answer(&question, true, ConsentReason::Answered);
    // The agent is told that the session is over, in words.
    let goodbye = agent.ended().await?.expect(4403)?;
    ensure!(goodbye.code() == DisconnectCode::DisconnectNotPermitted, "{goodbye:?}");

    // Nor does it hold when the database is back.
    database.start_again()?;
    let session = eventually("the session's end being stored", || async {
        let Ok(session) = server.admin.session(&code.session).await else { return Ok(None) };
        Ok((session["state"] == "ended").then_some(session))
    })
    .await?;
    ensure!(session["consent_state"] == "denied" && session["machine"].is_null(), "{session}");
    ensure!(server.admin.ask_token(&code.session).await?.status == 409, "a token for it");
    Ok(())
}

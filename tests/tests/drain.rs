//! Stopping: everybody is told, everything is written down, and nobody waits
//! longer than they have to.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use gc_tests::{Body, FakeAgent, Knock, Process, await_body, soon};

/// What the specification gives a shutdown.
const WITHIN: Duration = Duration::from_secs(10);

/// Listen to events, until somebody ends it.
async fn events(server: &Process) -> Result<reqwest::Response> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let url = format!("http://{}/api/events", server.address);
    let mut stream = client.get(url).bearer_auth(&server.admin.token).send().await?.error_for_status()?;
    soon("the first event", async { Ok(stream.chunk().await?) }).await?.context("no events")?;
    Ok(stream)
}

async fn names(server: &Process, session: &str) -> Result<Vec<String>> {
    let rows = server.admin.http.get(&format!("/api/audit?session_id={session}&limit=200")).await?.expect(200)?;
    let rows = rows["items"].as_array().context("no trail")?.clone();
    Ok(rows.iter().rev().filter_map(|row| row["event"].as_str().map(str::to_owned)).collect())
}

#[tokio::test]
async fn everybody_is_told_and_everything_written_down() -> Result<()> {
    let mut server = Process::start().await?;
    let waiting = server.admin.code("view").await?;
    let asked = server.admin.code("view").await?;
    let mut asking = server.agent(&asked).await?;
    asking.asked().await?;
    let (live, mut agent) = server.live("control").await?;
    let mut viewer = server.viewer(&live, "control").await?;
    await_body!(agent, ViewerJoined)?;
    let (away, lost) = server.live("view").await?;
    lost.cut();
    server.state(&away, "suspended").await?;
    let mut events = events(&server).await?;

    let begun = Instant::now();
    server.terminate()?;
    for (who, ended) in
        [("agent", agent.ended().await?), ("asking", asking.ended().await?), ("viewer", viewer.ended().await?)]
    {
        let goodbye = ended.expect(1001).with_context(|| who.to_owned())?;
        ensure!(goodbye.may_retry, "{who} is not told to come back: {goodbye:?}");
    }
    soon("the end of the events", async {
        // A line that is closed in the middle is an end as well.
        while let Ok(Some(_)) = events.chunk().await {}
        Ok(())
    })
    .await?;
    let status = server.exited(WITHIN).await?;
    println!("ended after {:?}", begun.elapsed());
    ensure!(status.code() == Some(0), "{status:?}");
    // Nobody is taken in by a server that is not there.
    ensure!(Knock::agent().code(&waiting.code).status(server.address).await.is_err());
    ensure!(!server.log().contains("panicked"), "{}", server.log());

    server.start_again()?;
    for (session, state) in [(&waiting.session, "waiting"), (&live, "suspended"), (&away, "suspended")] {
        server.state(session, state).await?;
    }
    let trail = names(&server, &live).await?;
    ensure!(trail.ends_with(&["viewer_joined".to_owned(), "viewer_left".to_owned()]), "{trail:?}");
    let access = gc_tests::messages::AccessMode::AccessControl;
    let mut back = FakeAgent::connect_remembering(server.address, &agent.resume(), agent.memory(access)).await?;
    back.settle(1).await?;
    server.state(&live, "live").await?;
    ensure!(!back.seen().iter().any(|received| matches!(received.body, Body::ConsentRequest(_))), "asked again");
    Ok(())
}

/// Somebody who never says good-bye costs seconds, not for ever; and an operator
/// who asks twice does not wait for them.
#[tokio::test]
async fn asked_twice_it_ends_at_once() -> Result<()> {
    for twice in [false, true] {
        let mut server = Process::start().await?;
        let (_, agent) = server.live("control").await?;
        let secret = agent.welcome.resume_secret.clone();
        // Nobody reads on this line, nor writes.
        let silent = Knock::agent().bearer(&secret).open(server.address).await?;
        let silent = silent.map_err(|refused| anyhow::anyhow!("{refused:?}"))?;
        let begun = Instant::now();
        server.terminate()?;
        if twice {
            // The first was taken in once nobody is let in any more.
            soon("the door being closed", async {
                while tokio::net::TcpStream::connect(server.address).await.is_ok() {
                    tokio::task::yield_now().await;
                }
                Ok(())
            })
            .await?;
            server.terminate()?;
        }
        let status = server.exited(WITHIN).await?;
        println!("asked {}: {status:?} after {:?}", if twice { "twice" } else { "once" }, begun.elapsed());
        ensure!(status.code() == Some(i32::from(twice)), "{status:?}");
        ensure!(!twice || begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        drop(silent);
    }
    Ok(())
}

//! With the plug pulled: the server program killed and frozen, its disk full,
//! its database gone. Nothing that was said is lost, nobody gets in who should
//! not, and it recovers by itself.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use gc_tests::messages::{AccessMode, ConsentReason, KeyEvent};
use gc_tests::{Body, Credential, FakeAgent, Knock, PrivatePostgres, Process, await_body, eventually, soon};
use serde_json::json;
use tempfile::TempDir;

/// Long enough for a machine that is busy with other tests; the figure is
/// printed.
const UP: Duration = Duration::from_secs(10);

#[tokio::test]
async fn killed_in_every_state() -> Result<()> {
    let mut server = Process::start().await?;
    let waiting = server.admin.code("view").await?;
    let asked = server.admin.code("view").await?;
    let mut asking = server.agent(&asked).await?;
    asking.asked().await?;
    let (live, mut agent) = server.live("control").await?;
    let viewer = server.viewer(&live, "control").await?;
    await_body!(agent, ViewerJoined)?;
    viewer.send(KeyEvent { scan_code: 30, down: true, seq: 1, ..KeyEvent::default() });
    await_body!(agent, KeyEvent)?;
    let (away, lost) = server.live("view").await?;
    lost.cut();
    server.state(&away, "suspended").await?;
    let (ended, _gone) = server.live("view").await?;
    server.admin.http.delete(&format!("/api/sessions/{ended}")).await?.expect(204)?;
    let events = server.admin.http.get("/api/audit?limit=200").await?.expect(200)?;

    server.kill()?;
    // Whoever holds keys for somebody learns that the line is gone.
    soon("the agent's line", async { agent.ended().await }).await?;
    let took = server.start_again()?;
    println!("up after {took:?}");
    ensure!(took < UP, "{took:?}");

    let admin = &server.admin;
    for (session, state) in
        [(&waiting.session, "waiting"), (&live, "suspended"), (&away, "suspended"), (&ended, "ended")]
    {
        server.state(session, state).await?;
    }
    // Whoever was being asked is asked again when they are back, or it ends;
    // in no case did silence become a yes.
    let session = admin.session(&asked.session).await?;
    ensure!(session["consent_state"] != "granted" && session["machine"].is_null(), "{session}");
    ensure!(admin.ask_token(&asked.session).await?.status == 409, "a token before consent");
    // What was written down stands, in the same order.
    let after = admin.http.get("/api/audit?limit=200").await?.expect(200)?;
    let ids = |body: &serde_json::Value| -> Vec<i64> {
        body["items"].as_array().into_iter().flatten().filter_map(|item| item["id"].as_i64()).collect()
    };
    ensure!(ids(&after).ends_with(&ids(&events)), "records were lost");
    // The agents come back with their secrets, without a new question.
    for (session, old, access) in
        [(&live, &agent, AccessMode::AccessControl), (&away, &lost, AccessMode::AccessViewOnly)]
    {
        let mut back = FakeAgent::connect_remembering(server.address, &old.resume(), old.memory(access)).await?;
        back.settle(1).await?;
        server.state(session, "live").await?;
        ensure!(!back.seen().iter().any(|received| matches!(received.body, Body::ConsentRequest(_))), "asked again");
    }
    // And the code that waited is good for its one use.
    let mut late = server.agent(&waiting).await?;
    late.grant().await?;
    server.state(&waiting.session, "live").await
}

#[tokio::test]
async fn a_frozen_server_is_as_before_when_it_thaws() -> Result<()> {
    let server = Process::start().await?;
    let (session, mut agent) = server.live("control").await?;
    let mut viewer = server.viewer(&session, "control").await?;
    await_body!(agent, ViewerJoined)?;
    server.freeze(true)?;
    viewer.send(KeyEvent { scan_code: 30, down: true, seq: 1, ..KeyEvent::default() });
    // Longer than the silence after which a peer lets go of what is held.
    tokio::time::sleep(Duration::from_secs(12)).await;
    server.freeze(false)?;
    // Who was not heard while nobody listened was not silent: both go on.
    await_body!(agent, KeyEvent)?;
    viewer.say(&mut agent, "and on").await?;
    agent.settle(2).await?;
    viewer.settle(3).await?;
    server.state(&session, "live").await
}

/// A small disk of its own; it goes when this is dropped.
struct Disk(TempDir);

impl Disk {
    fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=12m", "guruconnect-test"])
            .arg(folder.path())
            .status()?;
        ensure!(status.success(), "a small disk cannot be mounted here");
        Ok(Self(folder))
    }

    /// Fill it to the last byte.
    fn fill(&self) -> Result<()> {
        let path = self.0.path().join("ballast");
        let mut file = std::fs::File::create(&path)?;
        for size in [1 << 16, 1 << 12, 1] {
            let block = vec![7_u8; size];
            while std::io::Write::write_all(&mut file, &block).is_ok() {}
        }
        Ok(())
    }

    fn empty(&self) -> Result<()> {
        Ok(std::fs::remove_file(self.0.path().join("ballast"))?)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: the server may not be gone yet.
        let _: std::io::Result<_> = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk() -> Result<()> {
    let disk = Disk::new()?;
    let logs = tempfile::tempdir()?;
    // The log stands elsewhere: operators' logs go to the journal.
    let data = disk.0.path().join("data");
    let mut server = Process::start_in(logs, data, Vec::new()).await?;
    let (session, mut agent) = server.live("control").await?;
    let mut viewer = server.viewer(&session, "control").await?;
    await_body!(agent, ViewerJoined)?;
    let kept = server.admin.code("view").await?;
    disk.fill()?;

    // Writing is refused in words, and what was refused is not there later.
    let (mut refused, mut confirmed) = (0, Vec::new());
    for _ in 0..40 {
        let answer = server.admin.http.post("/api/codes", json!({"access": "view"})).await?;
        if answer.status == 201 {
            confirmed.push(answer.body["session_id"].as_str().unwrap_or_default().to_owned());
        }
        if answer.status == 503 {
            ensure!(answer.error_code() == Some("DATABASE_UNAVAILABLE"), "{answer:?}");
            ensure!(answer.body["request_id"].is_string(), "{answer:?}");
            refused += 1;
        }
    }
    ensure!(refused > 0, "a full disk takes everything");
    let ready = server.stranger()?.get("/readyz").await?;
    ensure!(ready.status == 503 && ready.error_code().is_some(), "{ready:?}");
    ensure!(server.stranger()?.get("/healthz").await?.status == 200, "it is alive");
    // What goes on goes on: reading, and sessions.
    ensure!(server.admin.http.get("/api/sessions").await?.status == 200);
    viewer.say(&mut agent, "still here").await?;
    // A yes is stored and holds, or it is not and lets nobody in.
    if let Ok(mut asking) = server.agent(&kept).await {
        asking.grant().await?;
        let stored = tokio::select! {
            ended = asking.ended() => ended.map(|_| false)?,
            live = server.state(&kept.session, "live") => live.map(|()| true)?,
        };
        let token = server.admin.ask_token(&kept.session).await?;
        ensure!(token.status == if stored { 200 } else { 409 }, "stored {stored}, and {token:?}");
    }

    disk.empty()?;
    eventually("being ready again", || async {
        Ok((server.stranger()?.get("/readyz").await?.status == 200).then_some(()))
    })
    .await?;
    server.admin.code("view").await?;
    viewer.say(&mut agent, "and on").await?;
    viewer.settle(3).await?;
    server.state(&session, "live").await?;
    confirmed.push(server.admin.code("view").await?.session);
    // What was confirmed is there, also for a server that knows nothing but the disk.
    server.kill()?;
    server.start_again()?;
    println!("{refused} refused, {} confirmed", confirmed.len());
    for session in &confirmed {
        server.admin.session(session).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_database_goes_and_comes_back() -> Result<()> {
    let mut database = PrivatePostgres::start()?;
    let server = Process::start_with_database(&database.url()).await?;
    let (session, mut agent) = server.live("control").await?;
    let viewer = server.viewer(&session, "control").await?;
    await_body!(agent, ViewerJoined)?;
    let token = server.admin.mint(&session, "control").await?;
    // Rights are looked up once more when somebody has come in; after that they are in.
    viewer.say(&mut agent, "here").await?;

    database.kill()?;
    let begun = std::time::Instant::now();
    let refused = server.admin.http.post("/api/codes", json!({"access": "view"})).await?;
    println!("refused after {:?}", begun.elapsed());
    ensure!(refused.status == 503 && refused.error_code() == Some("DATABASE_UNAVAILABLE"), "{refused:?}");
    ensure!(server.stranger()?.get("/readyz").await?.status == 503);
    // Nobody comes in whose rights cannot be looked up; who is in stays.
    let knock = Knock::viewer(&session).bearer(&token).status(server.address).await?;
    ensure!(knock == 503, "a viewer was answered {knock} without a database");
    let knock = Knock::agent().bearer(&agent.welcome.resume_secret).status(server.address).await?;
    ensure!(knock == 503, "an agent was answered {knock} without a database");
    viewer.say(&mut agent, "still here").await?;

    database.start_again()?;
    eventually("being ready again", || async {
        Ok((server.stranger()?.get("/readyz").await?.status == 200).then_some(()))
    })
    .await?;
    server.admin.code("view").await?;
    viewer.say(&mut agent, "and on").await?;
    server.state(&session, "live").await?;
    Ok(())
}

/// The power of the database goes while everybody writes, with a session in
/// each state.
#[tokio::test]
async fn the_database_dies_in_mid_write() -> Result<()> {
    let mut database = PrivatePostgres::start()?;
    let mut server = Process::start_with_database(&database.url()).await?;
    let waiting = server.admin.code("view").await?;
    let asked = server.admin.code("view").await?;
    let mut asking = server.agent(&asked).await?;
    let question = asking.asked().await?;
    let (live, mut agent) = server.live("control").await?;
    let viewer = server.viewer(&live, "control").await?;
    await_body!(agent, ViewerJoined)?;
    let (losing, lost) = server.live("control").await?;
    let (removed, mut ending) = server.live("view").await?;

    // Eight write at once, and note what was confirmed to them.
    let over = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..8)
        .map(|_| {
            let (admin, over) = (server.admin.clone(), over.clone());
            tokio::spawn(async move {
                let (mut confirmed, mut refused) = (Vec::new(), 0);
                while !over.load(Ordering::Relaxed) {
                    let answer = admin.http.post("/api/codes", json!({"access": "view"})).await?;
                    match answer.status {
                        201 => confirmed.push(answer.body["session_id"].as_str().unwrap_or_default().to_owned()),
                        _ => {
                            ensure!(answer.error_code() == Some("DATABASE_UNAVAILABLE"), "{answer:?}");
                            refused += 1;
                        }
                    }
                }
                anyhow::Ok((confirmed, refused))
            })
        })
        .collect();
    eventually("writing", || async {
        let rows = server.admin.http.get("/api/sessions?state=open").await?.expect(200)?;
        Ok((rows["items"].as_array().map_or(0, Vec::len) > 30).then_some(()))
    })
    .await?;
    database.kill()?;
    // A yes that cannot be stored lets nobody in; an end that cannot be, ends.
    asking.answer(&question, true, ConsentReason::Answered);
    let goodbye = asking.ended().await?;
    ensure!(goodbye.disconnect.as_ref().is_some_and(|said| !said.text.is_empty()), "{goodbye:?}");
    lost.cut();
    let refused = server.admin.http.delete(&format!("/api/sessions/{removed}")).await?;
    ensure!(refused.status == 503 || refused.status == 204, "{refused:?}");
    viewer.say(&mut agent, "still here").await?;
    over.store(true, Ordering::Relaxed);
    let (mut confirmed, mut refusals) = (Vec::new(), 0);
    for writer in writers {
        let (some, refused) = writer.await??;
        confirmed.extend(some);
        refusals += refused;
    }
    println!("{} confirmed, {refusals} refused", confirmed.len());
    ensure!(!confirmed.is_empty() && refusals > 0, "it did not die in the middle");

    database.start_again()?;
    eventually("being ready again", || async {
        Ok((server.stranger()?.get("/readyz").await?.status == 200).then_some(()))
    })
    .await?;
    for session in &confirmed {
        server.admin.session(session).await?;
    }
    viewer.say(&mut agent, "and on").await?;
    server.state(&live, "live").await?;
    let session = server.admin.session(&asked.session).await?;
    ensure!(session["consent_state"] != "granted" && session["machine"].is_null(), "{session}");
    // Whoever comes back, does; and the end that could not be stored is made up for.
    let memory = lost.memory(AccessMode::AccessControl);
    let mut back = FakeAgent::connect_remembering(server.address, &lost.resume(), memory).await?;
    back.settle(1).await?;
    server.state(&losing, "live").await?;
    server.admin.http.delete(&format!("/api/sessions/{removed}")).await?;
    ending.ended().await?;
    server.state(&removed, "ended").await?;
    let mut late = server.agent(&waiting).await?;
    late.grant().await?;
    server.state(&waiting.session, "live").await?;
    // The same by the rows alone.
    server.kill()?;
    let took = server.start_again()?;
    println!("up after {took:?}");
    for (session, state) in [(&live, "suspended"), (&losing, "suspended"), (&removed, "ended")] {
        server.state(session, state).await?;
    }
    Ok(())
}

/// A line that breaks in the middle of a message is a line that broke.
#[tokio::test]
async fn cut_in_mid_frame() -> Result<()> {
    use tokio::io::AsyncWriteExt;
    let server = Process::start().await?;
    let (session, mut agent) = server.live("control").await?;
    let mut viewer = server.viewer(&session, "control").await?;
    await_body!(agent, ViewerJoined)?;
    agent.cut();
    // The same agent, by hand: half of a large message, and gone.
    let credential = agent.resume();
    let Credential::Resume(secret) = &credential else { anyhow::bail!("no resume secret") };
    let knock = Knock::agent().bearer(secret);
    let stream = knock.open(server.address).await?.map_err(|refused| anyhow::anyhow!("{refused:?}"))?;
    let mut stream = stream.into_inner();
    // A masked binary frame of 100,000 bytes, of which some come (RFC 6455, 5.2).
    let mut begun = vec![0x82, 0xff, 0, 0, 0, 0, 0, 1, 0x86, 0xa0, 1, 2, 3, 4];
    begun.extend([9; 500]);
    stream.write_all(&begun).await?;
    drop(stream);
    let phase = viewer
        .until("news of the line", |body| match body {
            Body::SessionNotice(notice) => Some(notice.text.clone()),
            _ => None,
        })
        .await?;
    ensure!(!phase.is_empty(), "nobody is told in words");
    server.state(&session, "suspended").await?;
    let mut back =
        FakeAgent::connect_remembering(server.address, &credential, agent.memory(AccessMode::AccessControl)).await?;
    back.settle(1).await?;
    server.state(&session, "live").await?;
    viewer.say(&mut back, "back").await
}

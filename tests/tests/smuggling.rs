//! What was routed is what is decoded: one envelope is one field that spans
//! the message, and everything else ends its sender.

use anyhow::{Result, bail, ensure};
use gc_tests::{Body, FakeAgent, FakeViewer, Person, TestServer, await_body};

async fn watched(server: &TestServer, access: &str, claim: &str) -> Result<(Person, String, FakeAgent, FakeViewer)> {
    let technician = server.person("operator").await?;
    let (session, mut agent) = server.live(&technician, access).await?;
    let viewer = server.viewer(&technician, &session, claim).await?;
    await_body!(agent, ViewerJoined)?;
    Ok((technician, session, agent, viewer))
}

/// `KeyEvent { scan_code: 30, down: true }`, written by hand.
const KEY: &[u8] = &[0x32, 0x04, 0x10, 0x1e, 0x20, 0x01];
/// `FrameAck { stream: 1 }`, written by hand: a watcher may send it.
const ACK: &[u8] = &[0x12, 0x02, 0x08, 0x01];
/// `Chat { text: "hi" }`, written by hand: field 35 has a tag of two bytes.
const CHAT: &[u8] = &[0x9a, 0x02, 0x04, 0x0a, 0x02, b'h', b'i'];

fn smuggling() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("input behind an acknowledgement", [ACK, KEY].concat()),
        ("input behind a chat line", [CHAT, KEY].concat()),
        ("input before an acknowledgement", [KEY, ACK].concat()),
        ("the allowed body twice", [ACK, ACK].concat()),
        ("a trailing byte", [ACK, &[0]].concat()),
        ("trailing bytes", [ACK, &[0xff; 32]].concat()),
        ("a body cut short", ACK[..3].to_vec()),
        ("a length beyond the message", vec![0x12, 0x7f, 0x08, 0x01]),
        ("nothing", vec![]),
        ("a tag alone", vec![0x12]),
        ("input as a varint", vec![0x30, 0x01]),
        ("input as 32 bits", vec![0x35, 0, 0, 0, 0]),
        ("input as 64 bits", vec![0x31, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("input as a group", [&[0x33], &KEY[2..], &[0x34]].concat()),
        ("an allowed field as a varint", vec![0x10, 0x01]),
        ("an allowed field as a group", vec![0x13, 0x14]),
        ("wire type 6", vec![0x36, 0x00]),
        ("wire type 7", vec![0x37, 0x00]),
        ("field zero", vec![0x02, 0x00]),
        ("an overlong tag", vec![0x92, 0x00, 0x02, 0x08, 0x01]),
        ("an overlong tag of input", [&[0xb2, 0x00], &KEY[1..]].concat()),
        ("an overlong length", vec![0x12, 0x82, 0x00, 0x08, 0x01]),
        // Who keeps only 32 bits of the tag reads field 6 here.
        ("a tag beyond 32 bits", vec![0xb2, 0x80, 0x80, 0x80, 0x10, 0x00]),
        ("a tag of eleven bytes", [&[0x92][..], &[0x80; 9], &[0x00, 0x00]].concat()),
        ("a tag that does not end", vec![0xff; 12]),
        ("a length beyond 64 bits", [&[0x12][..], &[0xff; 10], &[0x01]].concat()),
    ]
}

#[tokio::test]
async fn a_smuggler_is_thrown_out() -> Result<()> {
    let server = TestServer::start().await?;
    for (access, claim) in [("view", "view_only"), ("control", "control")] {
        let (technician, session, mut agent, witness) = watched(&server, access, claim).await?;
        let mut wrong = Vec::new();
        for (trick, bytes) in smuggling() {
            let mut viewer = server.viewer(&technician, &session, claim).await?;
            viewer.send_bytes(bytes);
            match viewer.ended().await {
                Ok(ended) => {
                    if let Err(error) = ended.expect(4400) {
                        wrong.push(format!("{claim}, {trick}: {error}"));
                    }
                }
                Err(error) => wrong.push(format!("{claim}, {trick}: {error}")),
            }
        }
        ensure!(wrong.is_empty(), "\n{}", wrong.join("\n"));
        witness.say(&mut agent, "marker").await?;
        for received in agent.seen() {
            let input = matches!(received.body, Body::KeyEvent(_) | Body::FrameAck(_));
            ensure!(!input, "the agent got {received:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn text_is_no_envelope() -> Result<()> {
    let server = TestServer::start().await?;
    let (_, _, _agent, mut viewer) = watched(&server, "control", "control").await?;
    viewer.send_text("{\"key_event\": {\"scan_code\": 30}}");
    viewer.ended().await?.expect(4400)?;
    Ok(())
}

#[tokio::test]
async fn an_agent_cannot_smuggle_either() -> Result<()> {
    let server = TestServer::start().await?;
    let technician = server.person("operator").await?;
    for (trick, bytes) in [
        ("less than a header", vec![0; 7]),
        ("a header alone", vec![0; 8]),
        ("a trailing byte", [&[0; 8], ACK, &[0]].concat()),
        ("a second field", [&[0; 8], CHAT, CHAT].concat()),
        ("an overlong tag", [&[0; 8][..], &[0x9a, 0x82, 0x00, 0x00]].concat()),
        ("another wire type", [&[0; 8][..], &[0x08, 0x01]].concat()),
    ] {
        let (_, mut agent) = server.live(&technician, "control").await?;
        agent.send_bytes(bytes);
        if let Err(error) = agent.ended().await?.expect(4400) {
            bail!("{trick}: {error}");
        }
    }
    Ok(())
}

//! Attacks on the server program: it answers as it should, its memory stays in
//! bounds and comes back, and a session of others goes on undisturbed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use gc_tests::messages::{KeyEvent, PointerMove, VideoFrame};
use gc_tests::{AgentHeader, Body, FakeAgent, FakeViewer, Http, Knock, Process, await_body, fresh_address};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// What an attack may cost, in bytes.
const MOST: usize = 16 << 20;
/// How long a picture of the others may take on its way while an attack runs,
/// on a machine that runs other tests as well.
const UNDISTURBED: Duration = Duration::from_secs(5);

/// A server with a session of others that goes on all the time.
struct Scene {
    server: Arc<Process>,
    witness: tokio::task::JoinHandle<Result<usize>>,
    over: Arc<AtomicBool>,
    before: usize,
    peak: Arc<AtomicUsize>,
}

impl Scene {
    async fn start() -> Result<Self> {
        let server = Arc::new(Process::start().await?);
        let (session, agent) = server.live("control").await?;
        let viewer = server.viewer(&session, "control").await?;
        let over = Arc::new(AtomicBool::new(false));
        let witness = tokio::spawn(go_on(agent, viewer, over.clone()));
        // What is allocated once is there by now.
        for _ in 0..3 {
            server.stranger()?.get("/api/version").await?.expect(200)?;
        }
        let before = server.memory()?;
        let peak = Arc::new(AtomicUsize::new(before));
        let (watched, most, done) = (server.clone(), peak.clone(), over.clone());
        tokio::spawn(async move {
            while !done.load(Ordering::Relaxed) {
                if let Ok(now) = watched.memory() {
                    most.fetch_max(now, Ordering::Relaxed);
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        Ok(Self { server, witness, over, before, peak })
    }

    /// The attack is over: what did it cost, and does everything still work?
    async fn end(self) -> Result<()> {
        let (before, peak) = (self.before, self.peak.load(Ordering::Relaxed));
        // Connections that are closing take their memory with them.
        let begun = Instant::now();
        let mut after = self.server.memory()?;
        while after > before + MOST / 2 && begun.elapsed() < Duration::from_secs(15) {
            tokio::time::sleep(Duration::from_millis(100)).await;
            after = self.server.memory()?;
        }
        self.over.store(true, Ordering::Relaxed);
        let pictures = self.witness.await?.context("the session of others was disturbed")?;
        let mebibytes = |bytes: usize| bytes as f64 / f64::from(1 << 20);
        println!(
            "memory {:.1} MiB before, {:.1} at most, {:.1} after; {pictures} pictures meanwhile",
            mebibytes(before),
            mebibytes(peak),
            mebibytes(after)
        );
        ensure!(peak <= before + MOST, "memory rose by {:.1} MiB", mebibytes(peak - before));
        ensure!(after <= before + MOST / 2, "{:.1} MiB stay", mebibytes(after - before));
        ensure!(pictures > 0, "no picture came through");
        self.server.stranger()?.get("/api/version").await?.expect(200)?;
        Ok(())
    }
}

/// A session in which pictures and keys go through, until it is over.
async fn go_on(mut agent: FakeAgent, mut viewer: FakeViewer, over: Arc<AtomicBool>) -> Result<usize> {
    await_body!(agent, StartStream)?;
    let mut number = 0;
    while !over.load(Ordering::Relaxed) {
        number += 1;
        let begun = Instant::now();
        let payload = vec![number as u8; 2000].into();
        let frame = VideoFrame { stream: 1, frame_number: number, last_part: true, payload, ..VideoFrame::default() };
        agent.send(viewer.number(), frame);
        viewer
            .until("a picture", |body| {
                matches!(body, Body::VideoFrame(frame) if frame.frame_number == number).then_some(())
            })
            .await?;
        viewer.send(KeyEvent { scan_code: 30, down: number % 2 == 1, seq: number, ..KeyEvent::default() });
        agent.until("a key", |body| matches!(body, Body::KeyEvent(event) if event.seq == number).then_some(())).await?;
        ensure!(begun.elapsed() < UNDISTURBED, "a picture and a key took {:?}", begun.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(number as usize)
}

/// An envelope of one bytes field, `length` long altogether.
fn picture(length: usize) -> Vec<u8> {
    let frame = VideoFrame { payload: vec![7; length].into(), ..VideoFrame::default() };
    gc_protocol::encode(frame).to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_are_too_large() -> Result<()> {
    let scene = Scene::start().await?;
    for _ in 0..3 {
        let (session, mut agent) = scene.server.live("control").await?;
        let mut viewer = scene.server.viewer(&session, "control").await?;
        viewer.send_bytes(picture(65 << 10));
        viewer.ended().await?.expect(1009)?;
        let header = AgentHeader::new(agent.welcome.slot, 1).to_bytes();
        agent.send_bytes([&header[..], &picture(5 << 20)].concat());
        agent.ended().await?.expect(1009)?;
    }
    scene.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn envelopes_with_tricks() -> Result<()> {
    let scene = Scene::start().await?;
    let (session, mut agent) = scene.server.live("control").await?;
    let key = gc_protocol::encode(KeyEvent { scan_code: 30, down: true, seq: 9, ..KeyEvent::default() }).to_vec();
    let chat = gc_protocol::encode(gc_tests::messages::Chat { text: "x".into(), ..Default::default() }).to_vec();
    let tricks: Vec<(&str, Vec<u8>)> = vec![
        ("two fields", [chat.clone(), key.clone()].concat()),
        ("bytes behind", [chat.clone(), vec![0]].concat()),
        ("an overlong length", [&chat[..2], &[chat[2] | 0x80, 0], &chat[3..]].concat()),
        ("another wire type", vec![0x30, 1]),
        ("nothing", Vec::new()),
        ("a tag alone", vec![0x32]),
        ("a length beyond", vec![0x32, 200, 1, 2]),
    ];
    for (name, bytes) in tricks {
        let mut viewer = scene.server.viewer(&session, "control").await?;
        viewer.send_bytes(bytes);
        viewer.ended().await?.expect(4400).with_context(|| name.to_owned())?;
    }
    let watcher = scene.server.viewer(&session, "control").await?;
    watcher.say(&mut agent, "marker").await?;
    let smuggled = agent.seen().iter().any(|received| matches!(received.body, Body::KeyEvent(_)));
    ensure!(!smuggled, "a key was smuggled through");
    scene.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_events_in_a_second() -> Result<()> {
    let scene = Scene::start().await?;
    let (session, mut agent) = scene.server.live("control").await?;
    let viewer = scene.server.viewer(&session, "control").await?;
    await_body!(agent, ViewerJoined)?;
    let begun = Instant::now();
    let mut expected = Vec::new();
    for seq in 1..=2000_u32 {
        if seq % 25 == 0 {
            viewer.send(KeyEvent { scan_code: 30, down: seq % 50 == 0, seq, ..KeyEvent::default() });
            expected.push(seq);
        } else {
            viewer.send(PointerMove { x: seq as i32, seq, ..PointerMove::default() });
        }
        if seq % 20 == 0 {
            tokio::time::sleep_until((begun + Duration::from_micros(500 * u64::from(seq))).into()).await;
        }
    }
    agent
        .until("the last key", |body| matches!(body, Body::KeyEvent(event) if event.seq == 2000).then_some(()))
        .await?;
    let seen = |pick: fn(&Body) -> Option<u32>| agent.seen().iter().filter_map(|it| pick(&it.body)).collect::<Vec<_>>();
    let keys = seen(|body| if let Body::KeyEvent(event) = body { Some(event.seq) } else { None });
    ensure!(keys == expected, "transitions were lost or changed places");
    let moves = seen(|body| if let Body::PointerMove(event) = body { Some(event.seq) } else { None });
    ensure!(moves.len() < 800 && moves.is_sorted(), "{} moves", moves.len());
    scene.end().await
}

async fn half_open(server: SocketAddr, from: std::net::IpAddr) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    Ok(socket.connect(server).await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_half_open_connections() -> Result<()> {
    let scene = Scene::start().await?;
    let mut held = Vec::new();
    for _ in 0..10 {
        let from = fresh_address();
        for _ in 0..100 {
            held.push(half_open(scene.server.address, from).await?);
        }
    }
    // Somebody comes meanwhile, and is served.
    scene.server.stranger()?.get("/api/version").await?.expect(200)?;
    // Each is given up by itself; what was said to it is only that.
    let closed = async {
        for stream in &mut held {
            let mut bytes = Vec::new();
            // A reset is a close as well.
            let _: std::io::Result<usize> = stream.read_to_end(&mut bytes).await;
            ensure!(bytes.is_empty() || bytes.starts_with(b"HTTP/1.1 408"), "{:?}", String::from_utf8_lossy(&bytes));
        }
        Ok(())
    };
    tokio::time::timeout(Duration::from_secs(40), closed).await.context("they are held for ever")??;
    scene.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_that_dribble_in() -> Result<()> {
    let scene = Scene::start().await?;
    let mut all = Vec::new();
    for _ in 0..10 {
        let from = fresh_address();
        for number in 0..20 {
            let server = scene.server.address;
            all.push(tokio::spawn(async move {
                let mut stream = half_open(server, from).await?;
                stream.write_all(b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\n").await?;
                if number % 2 == 0 {
                    let head = b"Content-Type: application/json\r\nContent-Length: 9999\r\n\r\n{";
                    stream.write_all(head).await?;
                }
                // A byte now and then never makes it a request.
                loop {
                    tokio::time::sleep(Duration::from_millis(900)).await;
                    let dribble: &[u8] = if number % 2 == 0 { b" " } else { b"X" };
                    if number % 4 < 2 && stream.write_all(dribble).await.is_err() {
                        return Ok::<(), anyhow::Error>(());
                    }
                    let mut byte = [0];
                    match tokio::time::timeout(Duration::from_millis(1), stream.read(&mut byte)).await {
                        Ok(_) => return Ok(()),
                        Err(_waiting) => {}
                    }
                }
            }));
        }
    }
    let given_up = async {
        for one in all {
            one.await??;
        }
        Ok::<(), anyhow::Error>(())
    };
    tokio::time::timeout(Duration::from_secs(60), given_up).await.context("a slow head is held for ever")??;
    scene.end().await
}

/// Log in: the status and the stable code.
async fn log_in(http: Http, password: &str) -> Result<(u16, Option<String>, bool)> {
    let answer = http.post("/api/auth/login", json!({"username": "root", "password": password})).await?;
    let shaped = answer.body["request_id"].is_string() && answer.body["status_code"] == answer.status;
    let waits = answer.header("retry-after").is_some_and(|seconds| seconds.parse::<u64>().is_ok());
    let code = answer.error_code().map(str::to_owned);
    Ok((answer.status, code, if answer.status == 429 { shaped && waits } else { answer.status == 200 || shaped }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_logins() -> Result<()> {
    let scene = Scene::start().await?;
    // From a hundred addresses, at once.
    let many = (0..100).map(|_| Ok(tokio::spawn(log_in(scene.server.stranger()?, "wrong-harbour-ladder-52"))));
    let many: Result<Vec<_>> = many.collect();
    for one in many? {
        let (status, code, shaped) = one.await??;
        ensure!(status == 401 && code.as_deref() == Some("LOGIN_FAILED") && shaped, "{status} {code:?}");
    }
    // From one: the eighth is the last for a while.
    let one = scene.server.stranger()?;
    let mut answers = Vec::new();
    for _ in 0..100 {
        answers.push(log_in(one.clone(), "wrong-harbour-ladder-52").await?);
    }
    ensure!(answers.iter().take(8).all(|(status, ..)| *status == 401), "{answers:?}");
    let limited = answers.iter().filter(|(status, code, _)| *status == 429 && code.as_deref() == Some("RATE_LIMITED"));
    ensure!(limited.count() > 80 && answers.iter().all(|(.., shaped)| *shaped), "{answers:?}");
    scene.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_codes_at_both_doors() -> Result<()> {
    let scene = Scene::start().await?;
    let real = scene.server.admin.code("view").await?.code;
    let (address, from) = (scene.server.address, fresh_address());
    let guesser = Http::from_address(address, from)?;
    for number in 0..10 {
        let code = format!("ABC-DEF-{:03}", 222 + number).replace(['0', '1'], "7");
        if number % 2 == 0 {
            let answer = guesser.get(&format!("/api/codes/{code}/validate")).await?.expect(200)?;
            ensure!(answer["valid"] == false, "{answer}");
        } else {
            let refused = Knock::agent().from(from).code(&code).refused(address).await?;
            ensure!(refused.status == 401 && refused.error_code() == Some("CODE_NOT_VALID"), "{refused:?}");
        }
    }
    // Locked out at both, for the right code as well.
    for answer in [
        guesser.get(&format!("/api/codes/{real}/validate")).await?,
        Knock::agent().from(from).code(&real).refused(address).await?,
    ] {
        ensure!(answer.status == 429 && answer.error_code() == Some("RATE_LIMITED"), "{answer:?}");
        let wait: u64 = answer.header("retry-after").context("no Retry-After")?.parse()?;
        ensure!((800..=900).contains(&wait), "to wait {wait} s");
    }
    // Forwarded headers, which nobody asked for, open it to nobody.
    for name in ["x-forwarded-for", "forwarded", "x-real-ip"] {
        let disguised = guesser.with(name, "203.0.113.77");
        ensure!(disguised.get(&format!("/api/codes/{real}/validate")).await?.status == 429, "{name} is believed");
    }
    // Somebody else is not concerned.
    let other = scene.server.stranger()?.get(&format!("/api/codes/{real}/validate")).await?.expect(200)?;
    ensure!(other["valid"] == true, "{other}");
    scene.end().await
}

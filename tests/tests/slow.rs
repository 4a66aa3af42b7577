//! Peers that take their time, or all the places, hold nobody up.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use gc_tests::{TestServer, fresh_address};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

/// A bare connection from an address of its own.
async fn connect(server: &TestServer, from: std::net::IpAddr) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    Ok(socket.connect(server.address).await?)
}

/// Whether the server has closed, within a generous time.
async fn is_closed(stream: &mut TcpStream, within: Duration) -> bool {
    let drained = async {
        let mut bytes = [0; 1024];
        while matches!(stream.read(&mut bytes).await, Ok(length) if length > 0) {}
    };
    tokio::time::timeout(within, drained).await.is_ok()
}

#[tokio::test]
async fn heads_and_bodies_that_never_end_are_given_up() -> Result<()> {
    let server = TestServer::start().await?;
    let from = fresh_address();
    let mut head = connect(&server, from).await?;
    head.write_all(b"GET /api/version HTTP/1.1\r\nHost: x\r\nX-Slow: ").await?;
    let mut body = connect(&server, from).await?;
    let begun =
        "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 60\r\n\r\n{";
    body.write_all(begun.as_bytes()).await?;
    let mut silent = connect(&server, from).await?;
    // Meanwhile everybody else is served.
    let begun = Instant::now();
    server.stranger()?.get("/api/version").await?.expect(200)?;
    ensure!(begun.elapsed() < Duration::from_secs(5), "others wait: {:?}", begun.elapsed());
    let within = Duration::from_secs(40);
    let closed =
        tokio::join!(is_closed(&mut head, within), is_closed(&mut body, within), is_closed(&mut silent, within));
    ensure!(closed == (true, true, true), "head, body, silence: {closed:?}");
    Ok(())
}

#[tokio::test]
async fn a_thousand_half_open_connections_of_one_address() -> Result<()> {
    let server = TestServer::start().await?;
    let greedy = fresh_address();
    let mut held = Vec::new();
    for _ in 0..1000 {
        let mut stream = connect(&server, greedy).await?;
        // Those beyond the limit are closed upon, now or in a moment.
        let _closed: std::io::Result<()> = stream.write_all(b"GET /api/version HT").await;
        held.push(stream);
    }
    // Another address is served as if nothing were the matter.
    let other = server.stranger()?;
    let body = json!({"username": server.admin.username, "password": server.admin.password});
    other.post("/api/auth/login", body).await?.expect(200)?;
    let mut open = 0;
    for stream in &mut held {
        open += usize::from(!is_closed(stream, Duration::from_millis(20)).await);
    }
    ensure!(open <= 256, "{open} connections of one address are held");
    // And when they go, the address is served again.
    drop(held);
    let mut again = connect(&server, greedy).await?;
    let served = async {
        loop {
            again.write_all(b"GET /api/version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.ok();
            let mut answer = Vec::new();
            if again.read_to_end(&mut answer).await.is_ok() && answer.starts_with(b"HTTP/1.1 200") {
                return Ok::<_, anyhow::Error>(());
            }
            again = connect(&server, greedy).await?;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), served).await.context("the address is never served again")?
}

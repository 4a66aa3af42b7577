//! Bytes through a relay: ours, and nginx.

use std::time::{Duration, Instant};

use anyhow::Result;
use gc_tests::Process;

use crate::agent::Agent;
use crate::nginx::Nginx;
use crate::socket::{LARGE, Socket};
use crate::usage::Usage;
use crate::viewer::Viewer;

/// Bytes that may be ahead of the viewer: half of its queue.
const WINDOW: u64 = 8 << 20;
/// What the viewer takes in before it says so.
const EACH: u64 = 2 << 20;

/// What a transfer took.
#[derive(Debug, Clone, Copy)]
pub struct Pumped {
    /// Bytes that went through.
    pub bytes: u64,
    /// Time on the clock.
    pub took: Duration,
    /// Processor time of the relay.
    pub cpu: Duration,
}

impl Pumped {
    /// Processor seconds for a gigabyte (10^9 bytes).
    #[must_use]
    pub fn cpu_per_gb(&self) -> f64 {
        self.cpu.as_secs_f64() / (self.bytes as f64 / 1e9)
    }

    /// Megabytes a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.bytes as f64 / 1e6 / self.took.as_secs_f64()
    }
}

/// From an agent through the server to a viewer, in messages of `bytes`.
///
/// # Errors
/// When somebody is not let in or thrown out.
pub async fn through_server(server: &Process, total: u64, bytes: usize) -> Result<Pumped> {
    let code = server.admin.code("view").await?;
    let mut agent = Agent::enter(server.address, &code.code).await?;
    server.state(&code.session, "live").await?;
    let token = server.admin.mint(&code.session, "view_only").await?;
    let mut viewer = Viewer::enter(server.address, &code.session, &token, LARGE).await?;
    let (before, begun) = (Usage::of(server.id())?, Instant::now());
    let draining = tokio::spawn(async move { viewer.drain(total, EACH).await });
    agent.pump(total, bytes, WINDOW).await?;
    draining.await??;
    Ok(Pumped { bytes: total, took: begun.elapsed(), cpu: Usage::of(server.id())?.cpu - before.cpu })
}

/// From a source through nginx to a client, in messages of `bytes`.
///
/// # Errors
/// When nginx is not there.
pub async fn through_nginx(total: u64, bytes: usize) -> Result<Pumped> {
    let nginx = Nginx::start(total, bytes).await?;
    let before = Usage::of(nginx.id())?;
    let begun = Instant::now();
    let mut socket = Socket::open(nginx.address, "/", "", LARGE).await?;
    let mut taken = 0;
    while taken < total {
        taken += socket.next().await?.len() as u64;
    }
    Ok(Pumped { bytes: total, took: begun.elapsed(), cpu: Usage::of(nginx.id())?.cpu - before.cpu })
}

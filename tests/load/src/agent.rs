//! An agent of a crowd: whoever is asked at it says yes.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use gc_protocol::header::{self, STREAM_BIT};
use gc_protocol::messages::{
    AgentHello, AgentWelcome, Body, ConsentReason, ConsentResponse, HeartbeatAck, ProtocolVersions, StreamAssign,
    VideoFrame,
};
use gc_protocol::{AgentHeader, encode_framed};

use crate::socket::{SMALL, Socket};

/// The only stream of such an agent.
const STREAM: u32 = STREAM_BIT | 1;
/// Pictures that may be on their way.
const IN_FLIGHT: usize = 8;

/// An agent whose session is live.
pub(crate) struct Agent {
    socket: Socket,
    slot: u32,
}

/// What an agent counted while its screen moved.
#[derive(Debug, Default)]
pub(crate) struct Moved {
    pub(crate) sent: u64,
    /// Turns at which too many pictures were on their way.
    pub(crate) waited: u64,
    /// From a picture's sending to its acknowledgement.
    pub(crate) acknowledged: Vec<Duration>,
}

impl Agent {
    /// Come with a code, be asked, say yes.
    pub(crate) async fn enter(server: SocketAddr, code: &str) -> Result<Self> {
        let socket = Socket::open(server, "/ws/agent", &format!("Code {code}"), SMALL).await?;
        let mut agent = Self { socket, slot: 0 };
        let hello = AgentHello {
            versions: Some(ProtocolVersions { lowest: 2, highest: 2 }),
            software_version: env!("CARGO_PKG_VERSION").into(),
            capabilities: Vec::new(),
            hostname: "LOAD".into(),
            operating_system: "Linux".into(),
            remembered: Vec::new(),
        };
        agent.socket.send(encode_framed(AgentHeader::connection(), hello)).await?;
        loop {
            match agent.next().await? {
                Some(Body::AgentWelcome(AgentWelcome { slot, .. })) => agent.slot = slot,
                Some(Body::ConsentRequest(asked)) => {
                    let yes = ConsentResponse {
                        request_id: asked.request_id,
                        session_id: asked.session_id,
                        granted: true,
                        reason: ConsentReason::Answered.into(),
                    };
                    let header = AgentHeader::new(agent.slot, header::RELAY);
                    agent.socket.send(encode_framed(header, yes)).await?;
                    return Ok(agent);
                }
                _ => {}
            }
        }
    }

    /// What comes next; heartbeats are answered here.
    async fn next(&mut self) -> Result<Option<Body>> {
        let (header, raw) = header::split(self.socket.next().await?)?;
        let body = raw.decode()?;
        match &body {
            Some(Body::Heartbeat(beat)) => {
                let ack = HeartbeatAck { sequence: beat.sequence, sent_at_us: beat.sent_at_us };
                self.socket.send(encode_framed(header, ack)).await?;
            }
            Some(Body::Disconnect(goodbye)) => bail!("told to go: {}", goodbye.text),
            _ => {}
        }
        Ok(body)
    }

    /// Stay, and say nothing but what has to be said.
    pub(crate) async fn idle(mut self) -> Result<()> {
        loop {
            self.next().await?;
        }
    }

    /// Wait for a viewer and give them the stream.
    async fn watched(&mut self) -> Result<()> {
        loop {
            if let Some(Body::StartStream(wanted)) = self.next().await? {
                let assign = StreamAssign { viewer: wanted.viewer, stream: STREAM };
                let header = AgentHeader::new(self.slot, header::RELAY);
                return self.socket.send(encode_framed(header, assign)).await;
            }
        }
    }

    /// A screen that moves: a picture of `bytes` every `every`, while fewer
    /// than [`IN_FLIGHT`] are on their way, until `until`.
    pub(crate) async fn moving(mut self, bytes: usize, every: Duration, until: Instant) -> Result<(Self, Moved)> {
        self.watched().await?;
        let mut moved = Moved::default();
        let mut turns = tokio::time::interval(every);
        turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        // When each picture was sent, from the oldest that is on its way.
        let mut on_the_way = std::collections::VecDeque::new();
        let mut number = 0_u32;
        while Instant::now() < until {
            tokio::select! {
                _ = turns.tick() => {
                    if on_the_way.len() >= IN_FLIGHT {
                        moved.waited += 1;
                        continue;
                    }
                    on_the_way.push_back((number, Instant::now()));
                    self.picture(number, bytes).await?;
                    number += 1;
                    moved.sent += 1;
                }
                body = self.next() => if let Some(Body::FrameAck(ack)) = body? {
                    while let Some((_, sent)) = on_the_way.pop_front_if(|(number, _)| *number <= ack.frame_number) {
                        moved.acknowledged.push(sent.elapsed());
                    }
                },
            }
        }
        Ok((self, moved))
    }

    async fn picture(&mut self, number: u32, bytes: usize) -> Result<()> {
        let payload = vec![number as u8; bytes].into();
        let frame =
            VideoFrame { stream: STREAM, frame_number: number, last_part: true, payload, ..VideoFrame::default() };
        self.socket.send(encode_framed(AgentHeader::new(self.slot, STREAM), frame)).await
    }

    /// Send `total` bytes in messages of `bytes`, no more than `window` ahead of
    /// what was acknowledged; done when all of it was.
    pub(crate) async fn pump(&mut self, total: u64, bytes: usize, window: u64) -> Result<()> {
        self.watched().await?;
        // The envelope around the payload counts as well.
        let payload: bytes::Bytes = vec![0x5a; bytes.saturating_sub(32)].into();
        let (mut sent, mut taken, mut number) = (0_u64, 0_u64, 0_u32);
        while taken < total {
            while sent < total && sent - taken < window {
                let payload = payload.clone();
                let frame = VideoFrame { stream: STREAM, frame_number: number, payload, ..VideoFrame::default() };
                let message = encode_framed(AgentHeader::new(self.slot, STREAM), frame);
                sent += message.len() as u64;
                number += 1;
                self.socket.send(message).await?;
            }
            if let Some(Body::FrameAck(ack)) = self.next().await? {
                taken = ack.captured_at_us;
            }
        }
        Ok(())
    }
}

//! A viewer of a crowd: takes pictures in and acknowledges them.

use std::net::SocketAddr;

use anyhow::Result;
use bytes::Bytes;
use gc_protocol::messages::{Body, FrameAck, HeartbeatAck, ProtocolVersions, VideoCodec, ViewerHello};
use gc_protocol::{RawEnvelope, encode, header};

use crate::socket::Socket;

/// Field number of `VideoFrame`.
const VIDEO_FRAME: u32 = 1;

/// A viewer that was welcomed.
pub(crate) struct Viewer {
    socket: Socket,
}

impl Viewer {
    /// Come in by a viewer token.
    pub(crate) async fn enter(server: SocketAddr, session: &str, token: &str, buffer: usize) -> Result<Self> {
        let path = format!("/ws/viewer?session_id={session}");
        let socket = Socket::open(server, &path, &format!("Bearer {token}"), buffer).await?;
        let mut viewer = Self { socket };
        let hello = ViewerHello {
            versions: Some(ProtocolVersions { lowest: 2, highest: 2 }),
            software_version: env!("CARGO_PKG_VERSION").into(),
            capabilities: Vec::new(),
            decodable: vec![VideoCodec::Raw.into()],
            display_id: 0,
        };
        viewer.socket.send(encode(hello)).await?;
        while !matches!(viewer.next().await?.decode()?, Some(Body::ViewerWelcome(_))) {}
        Ok(viewer)
    }

    /// What comes next; heartbeats are answered here.
    async fn next(&mut self) -> Result<RawEnvelope> {
        let raw = RawEnvelope::parse(self.socket.next().await?)?;
        if raw.field() != VIDEO_FRAME
            && let Some(Body::Heartbeat(beat)) = raw.decode()?
        {
            let ack = HeartbeatAck { sequence: beat.sequence, sent_at_us: beat.sent_at_us };
            self.socket.send(encode(ack)).await?;
        }
        Ok(raw)
    }

    /// Acknowledge every picture, as long as the line is there.
    pub(crate) async fn watch(mut self) -> Result<()> {
        loop {
            let raw = self.next().await?;
            if raw.field() != VIDEO_FRAME {
                continue;
            }
            if let Some(Body::VideoFrame(frame)) = raw.decode()? {
                self.acknowledge(frame.stream, frame.frame_number, frame.captured_at_us).await?;
            }
        }
    }

    /// Take in `total` bytes of pictures, counted as the agent sent them; every
    /// `each` bytes are acknowledged.
    pub(crate) async fn drain(&mut self, total: u64, each: u64) -> Result<()> {
        let (mut taken, mut told) = (0, 0);
        while taken < total {
            let raw = self.next().await?;
            if raw.field() != VIDEO_FRAME {
                continue;
            }
            taken += (raw.bytes().len() + header::LENGTH) as u64;
            if taken - told >= each || taken >= total {
                told = taken;
                self.acknowledge(0, 0, taken).await?;
            }
        }
        Ok(())
    }

    async fn acknowledge(&mut self, stream: u32, frame_number: u32, captured_at_us: u64) -> Result<()> {
        let ack: Bytes = encode(FrameAck { stream, frame_number, captured_at_us, ..FrameAck::default() });
        self.socket.send(ack).await
    }
}

//! How long viewers take to acknowledge pictures: one is timed at a time.

use std::time::{Duration, Instant};

use gc_protocol::RawEnvelope;
use gc_protocol::messages::Body;

/// The picture whose acknowledgement is awaited.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Awaited(Option<(Picture, Instant)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Picture {
    stream: u32,
    epoch: u32,
    number: u32,
}

impl Awaited {
    /// A message of a picture goes out. Only the last part of one that is not
    /// behind another is timed: nothing else is opened.
    pub(super) fn sent(&mut self, raw: &RawEnvelope) {
        let stale = self.0.is_none_or(|(_, since)| since.elapsed() > Duration::from_secs(30));
        if !stale {
            return;
        }
        if let Ok(Some(Body::VideoFrame(frame))) = raw.decode()
            && frame.last_part
        {
            let picture = Picture { stream: frame.stream, epoch: frame.epoch, number: frame.frame_number };
            self.0 = Some((picture, Instant::now()));
        }
    }

    /// An acknowledgement came: how long it took, if it is the awaited one's
    /// or a later one's.
    pub(super) fn acknowledged(&mut self, raw: &RawEnvelope) -> Option<Duration> {
        let (awaited, since) = self.0?;
        let Ok(Some(Body::FrameAck(ack))) = raw.decode() else { return None };
        let reached = ack.stream == awaited.stream
            && (ack.epoch > awaited.epoch || (ack.epoch == awaited.epoch && ack.frame_number >= awaited.number));
        reached.then(|| {
            self.0 = None;
            since.elapsed()
        })
    }
}

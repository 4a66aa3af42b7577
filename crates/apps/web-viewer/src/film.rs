//! Pictures of a video on their way through the browser's decoder.

use std::collections::VecDeque;
use std::time::Duration;

use gc_protocol::messages::VideoFrame;
use gc_screen::Rect;
use gc_screen::video::{sequence, starts_anew};

/// Pictures that the browser may hold; more means that its decoder is stuck.
const MOST: usize = 32;

/// A picture that the browser decodes.
#[derive(Debug)]
pub(crate) struct Decoding {
    pub(crate) id: u32,
    pub(crate) region: Rect,
    /// What is acknowledged once it is shown; without its payload.
    pub(crate) frame: VideoFrame,
    pub(crate) begun: Duration,
}

/// All of them, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Film {
    next: u32,
    decoding: VecDeque<Decoding>,
    /// The codec's name, as `VideoDecoder` takes it.
    codec: Option<String>,
}

impl Film {
    /// One more; its number and the codec's name. `None` where the decoder is
    /// stuck, or the video does not begin as it has to.
    pub(crate) fn push(&mut self, frame: &VideoFrame, region: Rect, now: Duration) -> Option<(u32, &str)> {
        if frame.video_fresh {
            self.decoding.clear();
            let begins = starts_anew(&frame.payload).then(|| sequence(&frame.payload).ok()).flatten()?;
            let [profile, constraints, level] = begins.profile;
            self.codec = Some(format!("avc1.{profile:02X}{constraints:02X}{level:02X}"));
        }
        if self.decoding.len() >= MOST {
            return None;
        }
        let codec = self.codec.as_deref()?;
        self.next = self.next.wrapping_add(1);
        let frame = VideoFrame { payload: bytes::Bytes::new(), ..frame.clone() };
        self.decoding.push_back(Decoding { id: self.next, region, frame, begun: now });
        Some((self.next, codec))
    }

    /// One was decoded, and all before it.
    pub(crate) fn decoded(&mut self, id: u32) -> Option<Decoding> {
        let at = self.decoding.iter().position(|decoding| decoding.id == id)?;
        self.decoding.drain(..=at).next_back()
    }

    /// Begin anew with the next fresh one.
    pub(crate) fn clear(&mut self) {
        self.decoding.clear();
        self.codec = None;
    }
}

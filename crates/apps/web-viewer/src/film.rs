//! Pictures of a video on their way through the browser's decoder.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use gc_protocol::messages::VideoFrame;
use gc_screen::Rect;
use gc_screen::video::{sequence, starts_anew};

/// Pictures that the browser may hold; more means that its decoder is stuck.
const MOST: usize = 32;
/// Most pixels of a picture of a video.
const MOST_PIXELS: u64 = 1 << 26;
/// A decoder that gets stuck so often does not work.
const PATIENCE: u32 = 2;

/// A picture that the browser decodes.
#[derive(Debug)]
pub(crate) struct Decoding {
    pub(crate) id: u32,
    pub(crate) region: Rect,
    /// What is acknowledged once it is shown; without its payload.
    pub(crate) frame: VideoFrame,
    pub(crate) begun: Duration,
    /// The acknowledgement of what was shown while it was decoded.
    pub(crate) after: Option<Bytes>,
}

/// All of them, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Film {
    next: u32,
    decoding: VecDeque<Decoding>,
    /// The codec's name, as `VideoDecoder` takes it.
    codec: Option<String>,
    /// How often it could not go on.
    stuck: u32,
}

impl Film {
    /// One more; its number and the codec's name. `None` where the decoder is
    /// stuck, or the video does not begin as it has to.
    pub(crate) fn push(&mut self, frame: &VideoFrame, region: Rect, now: Duration) -> Option<(u32, &str)> {
        if frame.video_fresh {
            self.decoding.clear();
            let begins = starts_anew(&frame.payload).then(|| sequence(&frame.payload).ok()).flatten()?;
            let large_enough = begins.width >= region.width && begins.height >= region.height;
            let pixels = u64::from(begins.width) * u64::from(begins.height);
            // One that holds pictures back would show the past.
            if !large_enough || pixels > MOST_PIXELS || begins.reordered != Some(0) {
                return None;
            }
            let [profile, constraints, level] = begins.profile;
            self.codec = Some(format!("avc1.{profile:02X}{constraints:02X}{level:02X}"));
        }
        if self.decoding.len() >= MOST {
            return None;
        }
        let codec = self.codec.as_deref()?;
        self.next = self.next.wrapping_add(1);
        let frame = VideoFrame { payload: Bytes::new(), ..frame.clone() };
        self.decoding.push_back(Decoding { id: self.next, region, frame, begun: now, after: None });
        Some((self.next, codec))
    }

    /// Whether pictures are still to come.
    pub(crate) fn is_decoding(&self) -> bool {
        !self.decoding.is_empty()
    }

    /// Something else was shown meanwhile: its acknowledgement waits for those of
    /// the pictures before it. It is given back where there are none.
    pub(crate) fn hold(&mut self, shown: Bytes) -> Option<Bytes> {
        match self.decoding.back_mut() {
            Some(last) => {
                last.after = Some(shown);
                None
            }
            None => Some(shown),
        }
    }

    /// It cannot go on: whether that has happened too often.
    pub(crate) fn give_up(&mut self) -> bool {
        self.clear();
        self.stuck += 1;
        self.stuck >= PATIENCE
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

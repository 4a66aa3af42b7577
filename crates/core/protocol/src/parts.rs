//! Large frames travel in parts: splitting and putting together.

use bytes::{Bytes, BytesMut};

use crate::limits;
use crate::messages::VideoFrame;

/// Split a frame so that no part's payload is larger than the limit.
pub fn split(frame: VideoFrame) -> impl Iterator<Item = VideoFrame> {
    let mut rest = frame.payload.clone();
    let mut part = 0;
    let mut done = false;
    std::iter::from_fn(move || {
        if done {
            return None;
        }
        let payload = rest.split_to(rest.len().min(limits::FRAME_PART));
        done = rest.is_empty();
        let piece = VideoFrame { part, last_part: done, payload, ..frame.clone() };
        part += 1;
        Some(piece)
    })
}

/// Puts one stream's parts together.
#[derive(Debug, Default)]
pub struct Assembler {
    waiting: Option<(VideoFrame, BytesMut)>,
}

/// Why a part cannot be used: the decoder has to ask for a refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a frame's parts do not fit together")]
pub struct BrokenParts;

impl Assembler {
    /// Take one part; the whole frame when it was the last.
    ///
    /// # Errors
    /// [`BrokenParts`] when a part is missing, foreign, or the sum too large.
    pub fn push(&mut self, part: VideoFrame) -> Result<Option<VideoFrame>, BrokenParts> {
        if part.part == 0 {
            self.waiting = None;
            if part.last_part {
                return Ok(Some(part));
            }
            let mut bytes = BytesMut::with_capacity(part.payload.len() * 2);
            bytes.extend_from_slice(&part.payload);
            self.waiting = Some((VideoFrame { payload: Bytes::new(), ..part }, bytes));
            return Ok(None);
        }
        let Some((mut first, mut bytes)) = self.waiting.take() else { return Err(BrokenParts) };
        let fits = first.part + 1 == part.part
            && (first.stream, first.epoch, first.frame_number) == (part.stream, part.epoch, part.frame_number)
            && bytes.len() + part.payload.len() <= limits::FRAME_TOTAL;
        if !fits {
            return Err(BrokenParts);
        }
        bytes.extend_from_slice(&part.payload);
        first.part = part.part;
        if part.last_part {
            return Ok(Some(VideoFrame { payload: bytes.freeze(), last_part: true, ..first }));
        }
        self.waiting = Some((first, bytes));
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_frames_survive() {
        for size in [0, 1, limits::FRAME_PART, limits::FRAME_PART + 1, 3 * limits::FRAME_PART] {
            let payload = Bytes::from(vec![7; size]);
            let frame = VideoFrame { stream: 1, frame_number: 9, payload: payload.clone(), ..Default::default() };
            let mut assembler = Assembler::default();
            let mut whole = None;
            for part in split(frame) {
                assert!(part.payload.len() <= limits::FRAME_PART);
                whole = assembler.push(part).unwrap();
            }
            assert_eq!(whole.map(|frame| frame.payload), Some(payload));
        }
    }

    #[test]
    fn a_missing_part_is_seen() {
        let frame = VideoFrame { payload: Bytes::from(vec![7; 3 * limits::FRAME_PART]), ..Default::default() };
        let parts: Vec<_> = split(frame).collect();
        let mut assembler = Assembler::default();
        assert_eq!(assembler.push(parts[0].clone()), Ok(None));
        assert_eq!(assembler.push(parts[2].clone()), Err(BrokenParts));
        assert_eq!(assembler.push(parts[1].clone()), Err(BrokenParts));
    }
}

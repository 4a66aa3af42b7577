//! The product's own coder, as an agent and a viewer run it: the lossless codec,
//! and video where something keeps moving.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use gc_profile::recording::Frame;
use gc_screen::codec::{Decoder, Encoder, TILE_BYTES, TileKey};
use gc_screen::streams::{Coder, Room};
use gc_screen::video::{Overlay, ScreenCoder};
use gc_screen::{Canvas, Kind, Quality, Rect, Size, VideoUse};
use gc_video::{OpenH264, openh264};

use super::{Codec, Outcome, timed};

/// Bytes of remembered tiles, as they are by default.
const MEMORY: usize = 48 << 20;
/// Pictures in a second, wherever time is of account.
const RATE: u32 = 30;

pub(super) struct Ours {
    coder: ScreenCoder<OpenH264>,
    decoder: Decoder,
    video: gc_video::Decoder,
    overlay: Overlay,
    frames: u32,
}

impl Ours {
    /// As a viewer is served that decodes video; without, everything is exact.
    pub(super) fn new(size: Size, video: bool) -> Result<Self> {
        let slots = MEMORY / TILE_BYTES;
        let quality = if video { Quality { video: VideoUse::Regions, ..Quality::EXACT } } else { Quality::EXACT };
        let encoder = Encoder::new(size, slots, TileKey::new(&[7; 32]));
        Ok(Self {
            coder: ScreenCoder::new(encoder, openh264, quality),
            decoder: Decoder::new(size, slots).context("too large")?,
            video: gc_video::Decoder::default(),
            overlay: Overlay::default(),
            frames: 0,
        })
    }
}

impl Codec for Ours {
    fn frame(&mut self, frame: &Frame) -> Result<Outcome> {
        self.frames += 1;
        let mut now = Duration::from_secs(1) * self.frames / RATE;
        let mut outcome = Outcome::default();
        let mut damage = frame.damage.clone();
        // All that comes of this picture before the next one.
        for _ in 0..64 {
            let due = self.coder.due().is_some_and(|due| due <= now);
            if damage.is_empty() && !due {
                break;
            }
            let (coded, encode) = timed(|| self.coder.encode(frame.canvas, &damage, Room::new(usize::MAX), now));
            // The bytes are on their way by now.
            self.coder.settle(frame.canvas);
            let Some((coded, deferred)) = coded else { break };
            damage = deferred;
            outcome.bytes += coded.bytes.len();
            outcome.encode += encode;
            let (decoded, decode) = timed(|| -> Result<()> {
                match coded.kind {
                    Kind::Tiles { .. } => self.decoder.decode(&coded.bytes)?,
                    Kind::Video { fresh } => self.video.decode(&coded.bytes, fresh).map(drop)?,
                }
                Ok(())
            });
            decoded.context("our own frame is refused")?;
            outcome.decode += decode;
            ensure!(self.overlay.tiles(coded.region, false, Vec::new(), frame.canvas.size()).is_ok());
            now += Duration::from_micros(1);
        }
        outcome.is_bad = self.differs(frame.canvas);
        outcome.video = self.overlay.region().map(|region| (region, self.error(frame.canvas, region)));
        Ok(outcome)
    }
}

impl Ours {
    /// Whether anything outside of the video is not the picture's.
    fn differs(&self, picture: &Canvas) -> bool {
        let whole = picture.size().rect();
        let exact = self.overlay.region().map_or_else(|| vec![whole], |region| whole.without(region));
        exact.iter().any(|rect| {
            (rect.y..rect.y + rect.height)
                .any(|y| self.decoder.picture().row(rect.x, y, rect.width) != picture.row(rect.x, y, rect.width))
        })
    }

    /// Squares of how far the video's luma is from the picture's, by pixel.
    fn error(&self, picture: &Canvas, region: Rect) -> f64 {
        let video = self.video.picture();
        let luma = |blue: u8, green: u8, red: u8| {
            16.0 + (65.738 * f64::from(red) + 129.057 * f64::from(green) + 25.064 * f64::from(blue)) / 256.0
        };
        let mut sum = 0.0;
        for (y, row) in (region.y..region.y + region.height).zip(video.bgra.chunks_exact(video.width * 4)) {
            for (pixel, shown) in picture.row(region.x, y, region.width).iter().zip(row.as_chunks::<4>().0) {
                let [blue, green, red, _] = pixel.to_le_bytes();
                sum += (luma(blue, green, red) - luma(shown[0], shown[1], shown[2])).powi(2);
            }
        }
        sum / region.area() as f64
    }
}

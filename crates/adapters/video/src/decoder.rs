//! H.264 to pixels.

use gc_screen::video::{sequence, starts_anew};
use openh264::OpenH264API;
use openh264::decoder::{Decoder as Native, DecoderConfig};
use openh264::formats::YUVSource;
use thiserror::Error;
use yuv::{YuvPlanarImage, YuvRange, YuvStandardMatrix};

/// Largest pictures that are decoded, in pixels.
const MOST_PIXELS: u64 = 1 << 24;

/// Why a unit was not decoded.
#[derive(Debug, Error)]
pub enum VideoError {
    /// It needs pictures that were never decoded.
    #[error("the video does not begin with a picture that stands alone")]
    NotBegun,
    /// Its parameters are none that a screen is coded with.
    #[error(transparent)]
    Sequence(#[from] gc_screen::video::UnitError),
    /// It is larger than what is decoded.
    #[error("a video of {width} by {height} pixels")]
    TooLarge {
        /// Its width.
        width: u32,
        /// Its height.
        height: u32,
    },
    /// The decoder refuses it.
    #[error("the video decoder refuses a picture: {0}")]
    Refused(String),
}

/// A decoded picture: blue, green, red and 255 for each pixel, rows without gaps.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Picture {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Its bytes.
    pub bgra: Vec<u8>,
}

/// A decoder by OpenH264 in this process.
#[derive(Default)]
pub struct Decoder {
    running: Option<(Native, YuvStandardMatrix, YuvRange)>,
    picture: Picture,
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder").field("begun", &self.running.is_some()).finish_non_exhaustive()
    }
}

impl Decoder {
    /// What was decoded last.
    #[must_use]
    pub fn picture(&self) -> &Picture {
        &self.picture
    }

    /// Decode one picture; there is one for each unit at once, or it is an error.
    ///
    /// # Errors
    /// When it cannot be decoded; the next one has to be fresh.
    pub fn decode(&mut self, unit: &[u8], fresh: bool) -> Result<&Picture, VideoError> {
        let decoded = self.try_decode(unit, fresh);
        if decoded.is_err() {
            self.running = None;
        }
        decoded.map(|()| &self.picture)
    }

    fn try_decode(&mut self, unit: &[u8], fresh: bool) -> Result<(), VideoError> {
        if fresh {
            self.running = None;
            if !starts_anew(unit) {
                return Err(VideoError::NotBegun);
            }
            let sequence = sequence(unit)?;
            let (width, height) = (sequence.width, sequence.height);
            if u64::from(width) * u64::from(height) > MOST_PIXELS {
                return Err(VideoError::TooLarge { width, height });
            }
            let (matrix, range) = match sequence.colours {
                Some(([_, _, 5 | 6], full)) => (YuvStandardMatrix::Bt601, full),
                Some((_, full)) => (YuvStandardMatrix::Bt709, full),
                None => (YuvStandardMatrix::Bt709, false),
            };
            let native = Native::with_api_config(OpenH264API::from_source(), DecoderConfig::new())
                .map_err(|error| VideoError::Refused(error.to_string()))?;
            self.running = Some((native, matrix, if range { YuvRange::Full } else { YuvRange::Limited }));
        }
        let (native, matrix, range) = self.running.as_mut().ok_or(VideoError::NotBegun)?;
        let refused = |error: &dyn std::fmt::Display| VideoError::Refused(error.to_string());
        let decoded = native.decode(unit).map_err(|error| refused(&error))?;
        let decoded = decoded.ok_or_else(|| refused(&"no picture came of it"))?;
        let (width, height) = decoded.dimensions();
        let (luma_stride, blue_stride, red_stride) = decoded.strides();
        let length = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let image = YuvPlanarImage {
            y_plane: decoded.y(),
            y_stride: length(luma_stride),
            u_plane: decoded.u(),
            u_stride: length(blue_stride),
            v_plane: decoded.v(),
            v_stride: length(red_stride),
            width: length(width),
            height: length(height),
        };
        self.picture.width = width;
        self.picture.height = height;
        self.picture.bgra.resize(width * height * 4, 0);
        yuv::yuv420_to_bgra(&image, &mut self.picture.bgra, length(width * 4), *range, *matrix)
            .map_err(|error| refused(&error))
    }
}

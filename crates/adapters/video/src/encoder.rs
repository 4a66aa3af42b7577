//! A region of a screen as H.264.

use gc_screen::video::VideoEncoder;
use gc_screen::{Canvas, Rect};
use openh264::OpenH264API;
use openh264::encoder::{
    BitRate, Complexity, Encoder, EncoderConfig, FrameRate, Profile, QpRange, RateControlMode, UsageType, VuiConfig,
};
use openh264_sys2::{
    ENCODER_OPTION_BITRATE, ENCODER_OPTION_MAX_BITRATE, ENCODER_OPTION_TRACE_LEVEL, SBitrateInfo, SPATIAL_LAYER_ALL,
    WELS_LOG_QUIET,
};

use crate::colour::Planes;

/// Pictures in a second that a rate is told for.
pub(crate) const RATE: usize = 30;
/// No picture is finer: more could not be seen while it moves. 42 dB on films.
pub(crate) const FINEST: u8 = 22;
/// No picture is coarser: below, nothing can be made out.
pub(crate) const COARSEST: u8 = 44;
/// Bytes of a picture, whatever room there is: what a tenth of a megabit carries
/// at the usual rate, and ten times what the finest take.
const FRAME_BYTES: (usize, usize) = (400, 400_000);
/// Edges that the encoder takes, the longer one and the shorter one at most.
const EDGES: (u32, u32, u32) = (16, 3840, 2160);

/// Encodes by OpenH264 in this process.
#[derive(Default)]
pub struct OpenH264 {
    running: Option<Running>,
    planes: Planes,
}

struct Running {
    encoder: Encoder,
    size: (usize, usize),
    frame_bytes: usize,
}

impl std::fmt::Debug for OpenH264 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenH264").field("size", &self.running.as_ref().map(|running| running.size)).finish()
    }
}

/// One for a stream.
#[must_use]
pub fn openh264() -> Option<OpenH264> {
    Some(OpenH264::default())
}

impl VideoEncoder for OpenH264 {
    fn takes(region: Rect) -> bool {
        let (longer, shorter) = (region.width.max(region.height), region.width.min(region.height));
        shorter >= EDGES.0 && longer <= EDGES.1 && shorter <= EDGES.2
    }

    fn encode(&mut self, picture: &Canvas, region: Rect, room: usize, fresh: bool) -> Option<Vec<u8>> {
        self.take(picture, region)?;
        self.encode_taken(frame_bytes(room), fresh)
    }
}

/// Bytes that a picture may take where there is so much room.
pub(crate) fn frame_bytes(room: usize) -> usize {
    room.clamp(FRAME_BYTES.0, FRAME_BYTES.1)
}

impl OpenH264 {
    /// Take over a region's colours.
    pub(crate) fn take(&mut self, picture: &Canvas, region: Rect) -> Option<&Planes> {
        if !Self::takes(region) {
            tracing::info!(?region, "a region that no video is made of");
            return None;
        }
        self.planes.take(picture, region)?;
        Some(&self.planes)
    }

    /// What was taken over.
    pub(crate) fn taken(&self) -> &Planes {
        &self.planes
    }

    /// Encode what was taken over.
    pub(crate) fn encode_taken(&mut self, frame_bytes: usize, fresh: bool) -> Option<Vec<u8>> {
        let size = (self.planes.width, self.planes.height);
        if fresh || self.running.as_ref().is_some_and(|running| running.size != size) {
            self.running = None;
        }
        let running = match &mut self.running {
            Some(running) => running,
            none => none.insert(Running::begin(size, frame_bytes)?),
        };
        running.follow(frame_bytes);
        match running.encoder.encode(&self.planes) {
            Ok(unit) => Some(unit.to_vec()),
            Err(error) => {
                tracing::warn!(%error, "the video encoder has failed");
                None
            }
        }
    }
}

impl Running {
    fn begin(size: (usize, usize), frame_bytes: usize) -> Option<Self> {
        let config = EncoderConfig::new()
            .usage_type(UsageType::CameraVideoRealTime)
            .rate_control_mode(RateControlMode::Bitrate)
            .skip_frames(false)
            .bitrate(BitRate::from_bps(bits_in_a_second(frame_bytes)))
            .max_frame_rate(FrameRate::from_hz(RATE as f32))
            .qp(QpRange::new(FINEST, COARSEST))
            .complexity(Complexity::Medium)
            .profile(Profile::Baseline)
            .scene_change_detect(false)
            .adaptive_quantization(false)
            .background_detection(false)
            // A second thread would take the core that draws what is filmed.
            .num_threads(1)
            .vui(VuiConfig::bt709());
        let mut encoder = Encoder::with_api_config(OpenH264API::from_source(), config)
            .inspect_err(|error| tracing::warn!(%error, "no video encoder"))
            .ok()?;
        let mut quiet = WELS_LOG_QUIET;
        // SAFETY: the option takes a pointer to an int, read during the call; it
        // may be set before the encoder is initialised (ISVCEncoder::SetOption).
        #[expect(unsafe_code, reason = "the library has no safe call for options")]
        unsafe {
            encoder.raw_api().set_option(ENCODER_OPTION_TRACE_LEVEL, (&raw mut quiet).cast());
        }
        Some(Self { encoder, size, frame_bytes: 0 })
    }

    /// Let pictures take about so many bytes from now on.
    fn follow(&mut self, frame_bytes: usize) {
        let (less, more) = (self.frame_bytes * 7 / 8, self.frame_bytes * 9 / 8);
        let first = self.frame_bytes == 0;
        if (less..=more).contains(&frame_bytes) {
            return;
        }
        self.frame_bytes = frame_bytes;
        if first {
            // It was begun with this rate.
            return;
        }
        let rate = i32::try_from(bits_in_a_second(frame_bytes)).unwrap_or(i32::MAX);
        for option in [ENCODER_OPTION_MAX_BITRATE, ENCODER_OPTION_BITRATE] {
            let mut info = SBitrateInfo { iLayer: SPATIAL_LAYER_ALL, iBitrate: rate };
            // SAFETY: both options take a pointer to an SBitrateInfo, read during
            // the call; the encoder is initialised, as it has encoded before.
            #[expect(unsafe_code, reason = "the library has no safe call for options")]
            let refused = unsafe { self.encoder.raw_api().set_option(option, (&raw mut info).cast()) };
            if refused != 0 {
                tracing::debug!(refused, rate, "the video encoder keeps its rate");
            }
        }
    }
}

pub(crate) fn bits_in_a_second(frame_bytes: usize) -> u32 {
    u32::try_from(frame_bytes * 8 * RATE).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;

//! The best encoder that works: one in hardware where there is one, and
//! OpenH264 before it is ready, when it fails, and where there is none. Whoever
//! takes over begins anew, so a viewer sees no gap.

use std::sync::atomic::{AtomicU32, Ordering};

use gc_screen::video::{VideoEncoder, sequence, starts_anew, told_in_order};
use gc_screen::{Canvas, Rect};

use crate::encoder::{OpenH264, frame_bytes};

/// Encodes pictures of one size outside of this thread.
pub trait Hardware: Sized {
    /// Begin to make one ready; the answer is not waited for. Pictures should
    /// take about so many bytes.
    fn begin(size: (usize, usize), frame_bytes: usize) -> Option<Self>;

    /// How far it is; does not wait.
    fn readiness(&mut self) -> Readiness;

    /// One access unit for one picture (NV12, rows without gaps), in bounded
    /// time. `fresh`: a decoder can begin with it. `None` where it failed, and
    /// then it is not asked again.
    fn encode(&mut self, picture: Vec<u8>, frame_bytes: usize, fresh: bool) -> Option<Vec<u8>>;
}

/// How far an encoder in hardware is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readiness {
    /// It is being made ready.
    Begins,
    /// It has encoded a picture to try.
    Ready,
    /// It does not take such pictures, or does not work.
    Refused,
}

/// What is remembered of a machine's hardware for as long as the program runs.
#[derive(Debug, Default)]
pub struct Trust(AtomicU32);

/// Refusals that end all trust: some sizes are none for it, but not all.
const REFUSALS: u32 = 3;

impl Trust {
    /// Nothing is known.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    fn is_lost(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= REFUSALS
    }

    fn refused(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// What fails while it works would fail again, and a viewer sees it.
    fn failed(&self) {
        self.0.store(REFUSALS, Ordering::Relaxed);
    }

    fn worked(&self) {
        if !self.is_lost() {
            self.0.store(0, Ordering::Relaxed);
        }
    }
}

/// Encodes by hardware as far as it can be trusted, and else by OpenH264.
pub struct Best<H> {
    trust: &'static Trust,
    software: OpenH264,
    hardware: Option<H>,
    /// The last picture was encoded in hardware.
    by_hardware: bool,
    /// What it was begun for, also where it refused.
    size: Option<(usize, usize)>,
}

impl<H> std::fmt::Debug for Best<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Best").field("size", &self.size).field("by_hardware", &self.by_hardware).finish_non_exhaustive()
    }
}

impl<H: Hardware> Best<H> {
    /// One for a stream. `trust` is shared by all of this machine.
    #[must_use]
    pub fn new(trust: &'static Trust) -> Self {
        Self { trust, software: OpenH264::default(), hardware: None, by_hardware: false, size: None }
    }

    /// Whether hardware can encode the next picture; if not, begin to make it so.
    fn is_ready(&mut self, size: (usize, usize), frame_bytes: usize) -> bool {
        if self.size != Some(size) {
            self.hardware = None;
            self.size = Some(size);
            if !self.trust.is_lost() {
                self.hardware = H::begin(size, frame_bytes);
            }
        }
        match self.hardware.as_mut().map(H::readiness) {
            Some(Readiness::Ready) => true,
            Some(Readiness::Refused) => {
                tracing::info!(?size, "no video encoder in hardware for this size");
                self.hardware = None;
                self.trust.refused();
                false
            }
            Some(Readiness::Begins) | None => false,
        }
    }

    /// `None` where hardware has failed; it is trusted no more then.
    fn in_hardware(&mut self, picture: Vec<u8>, frame_bytes: usize, fresh: bool) -> Option<Vec<u8>> {
        let unit = self.hardware.as_mut()?.encode(picture, frame_bytes, fresh);
        let unit = unit.and_then(|unit| sound(unit, self.size?, fresh));
        if unit.is_none() {
            tracing::warn!("the video encoder in hardware has failed; it is not used again");
            self.hardware = None;
            self.trust.failed();
            return None;
        }
        self.trust.worked();
        unit
    }
}

impl<H: Hardware> VideoEncoder for Best<H> {
    fn takes(region: Rect) -> bool {
        OpenH264::takes(region)
    }

    fn encode(&mut self, picture: &Canvas, region: Rect, room: usize, fresh: bool) -> Option<Vec<u8>> {
        let frame_bytes = frame_bytes(room);
        let planes = self.software.take(picture, region)?;
        let size = (planes.width, planes.height);
        if self.is_ready(size, frame_bytes) {
            let picture = self.software.taken().interleaved();
            let unit = self.in_hardware(picture, frame_bytes, fresh || !self.by_hardware);
            if unit.is_some() {
                self.by_hardware = true;
                return unit;
            }
        }
        let takes_over = std::mem::take(&mut self.by_hardware);
        self.software.encode_taken(frame_bytes, fresh || takes_over)
    }
}

/// A unit that viewers can be sent: it begins anew where it has to, with this
/// size, and says that nothing is reordered.
pub(crate) fn sound(unit: Vec<u8>, (width, height): (usize, usize), fresh: bool) -> Option<Vec<u8>> {
    let unit = told_in_order(unit).inspect_err(|error| tracing::info!(%error, "a unit that is not sent")).ok()?;
    if fresh || starts_anew(&unit) {
        let sequence = sequence(&unit).ok().filter(|_| starts_anew(&unit))?;
        let same = |told: u32, wanted: usize| usize::try_from(told) == Ok(wanted);
        if !same(sequence.width, width) || !same(sequence.height, height) || sequence.reordered != Some(0) {
            tracing::info!(?sequence, width, height, "a picture of another kind than was asked for");
            return None;
        }
    }
    (!unit.is_empty()).then_some(unit)
}

#[cfg(test)]
mod tests;

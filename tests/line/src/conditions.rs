//! How one direction of a line is.

use std::time::Duration;

/// One direction of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conditions {
    /// How long each packet flies.
    pub delay: Duration,
    /// How much longer at most, drawn for each packet. Order is kept.
    pub jitter: Duration,
    /// Bits in a second; `None` for as fast as it goes.
    pub rate: Option<u64>,
    /// Bytes that may wait for their turn where there is a rate; what comes
    /// then is dropped.
    pub buffer: usize,
    /// How many of a thousand packets vanish.
    pub loss: u32,
    /// Nothing comes through, and what was on its way is gone.
    pub cut: bool,
}

impl Default for Conditions {
    /// As good as no line at all.
    fn default() -> Self {
        Self { delay: Duration::ZERO, jitter: Duration::ZERO, rate: None, buffer: 256 << 10, loss: 0, cut: false }
    }
}

impl Conditions {
    /// A direction of this many kilobits in a second and this delay, with a
    /// buffer that holds a quarter of a second, at least 16 KiB.
    #[must_use]
    pub fn new(kilobits: u64, delay: Duration) -> Self {
        let quarter = usize::try_from(kilobits * 1000 / 8 / 4).unwrap_or(usize::MAX);
        Self { delay, rate: Some(kilobits * 1000), buffer: quarter.max(16 << 10), ..Self::default() }
    }

    /// The same with this many of a thousand packets lost.
    #[must_use]
    pub fn losing(self, of_a_thousand: u32) -> Self {
        Self { loss: of_a_thousand, ..self }
    }
}

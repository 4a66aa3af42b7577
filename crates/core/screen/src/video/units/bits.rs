//! Bits as H.264 writes them: fixed numbers, Exp-Golomb numbers, and the bytes
//! that keep a start code from appearing within a unit.

use std::ops::Range;

/// Two zeros and a three stand for two zeros (7.4.1).
pub(super) fn without_emulation(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut zeros = 0;
    for byte in bytes {
        if zeros >= 2 && *byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        plain.push(*byte);
    }
    plain
}

/// The other way: no byte below four follows two zeros.
pub(super) fn with_emulation(plain: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(plain.len() + 2);
    let mut zeros = 0;
    for byte in plain {
        if zeros >= 2 && *byte <= 3 {
            bytes.push(3);
            zeros = 0;
        }
        zeros = if *byte == 0 { zeros + 1 } else { 0 };
        bytes.push(*byte);
    }
    bytes
}

/// Reads; `None` where the bits end too early.
pub(super) struct Bits {
    bytes: Vec<u8>,
    at: usize,
}

impl Bits {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many have been read.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    fn length(&self) -> usize {
        self.bytes.len() * 8
    }

    pub(super) fn bit(&mut self) -> Option<bool> {
        let bit = self.peek(self.at)?;
        self.at += 1;
        Some(bit)
    }

    fn peek(&self, at: usize) -> Option<bool> {
        self.bytes.get(at / 8).map(|byte| byte >> (7 - at % 8) & 1 == 1)
    }

    pub(super) fn skip(&mut self, count: usize) -> Option<()> {
        self.at += count;
        (self.at <= self.length()).then_some(())
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let mut byte = 0;
        for _ in 0..8 {
            byte = byte << 1 | u8::from(self.bit()?);
        }
        Some(byte)
    }

    /// An Exp-Golomb number (9.1).
    pub(super) fn golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        let mut value = 1_u32;
        for _ in 0..zeros {
            value = value << 1 | u32::from(self.bit()?);
        }
        Some(value - 1)
    }

    /// Whether nothing follows but the one and the zeros that end a unit
    /// (7.3.2.11).
    pub(super) fn ends(&self) -> bool {
        self.peek(self.at) == Some(true) && (self.at + 1..self.length()).all(|at| self.peek(at) == Some(false))
    }

    /// Those at these places.
    pub(super) fn those(&self, places: Range<usize>) -> impl Iterator<Item = bool> {
        places.filter_map(|at| self.peek(at))
    }
}

/// Writes.
#[derive(Default)]
pub(super) struct Writer(Vec<bool>);

impl Writer {
    pub(super) fn copy(&mut self, bits: impl Iterator<Item = bool>) -> &mut Self {
        self.0.extend(bits);
        self
    }

    /// The lowest `count` bits of a number, the highest of them first.
    pub(super) fn bits(&mut self, value: u32, count: u32) -> &mut Self {
        self.0.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
        self
    }

    /// An Exp-Golomb number (9.1); the largest number of all has none.
    pub(super) fn golomb(&mut self, value: u32) -> &mut Self {
        let next = value.saturating_add(1);
        let length = next.ilog2();
        self.bits(0, length).bits(next, length + 1)
    }

    /// All of them, and what ends a unit (7.3.2.11).
    pub(super) fn finish(&self) -> Vec<u8> {
        let mut bits = self.0.clone();
        bits.push(true);
        let byte = |bits: &[bool]| {
            bits.iter().zip((0..8).rev()).fold(0_u8, |byte, (bit, place)| byte | u8::from(*bit) << place)
        };
        bits.chunks(8).map(byte).collect()
    }
}

//! An adaptive binary range coder: what is likely costs little.
//!
//! One set of functions describes what is coded; whether it is written or read
//! is the coder's business, so the two sides cannot drift apart.

/// A bit whose likelihood is learnt: the mean of a quick and a slow estimate.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bit {
    quick: u16,
    slow: u16,
    /// How often it was coded, up to [`OLD`].
    seen: u16,
}

impl Default for Bit {
    fn default() -> Self {
        Self { quick: 1 << 15, slow: 1 << 15, seen: 0 }
    }
}

/// Every time, estimates go one of so many halvings of the way to what was seen.
const QUICK: u32 = 3;
const SLOW: u32 = 7;
/// While a bit is young its slow estimate goes further, about to the mean of all
/// that was seen; the quick one no less far than it always does.
const YOUNG: [u32; 32] =
    [1, 2, 2, 3, 3, 3, 4, 4, 4, 4, 4, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6];
const OLD: u16 = YOUNG.len() as u16;
/// Below it the range takes in another word of 32 bits.
const LEAST: u64 = 1 << 32;

impl Bit {
    /// One that is hardly ever set.
    pub(super) fn unlikely() -> Self {
        Self { quick: 0, slow: 0, seen: OLD }
    }

    /// Of 65,536, how many times it is set.
    #[inline(always)]
    fn likelihood(self) -> u64 {
        ((u64::from(self.quick) + u64::from(self.slow)) >> 1).clamp(24, 65_512)
    }

    #[inline(always)]
    fn learn(&mut self, bit: bool) {
        let target = i32::from(bit) * 65_535;
        let step = |now: u16, rate: u32| (i32::from(now) + ((target - i32::from(now)) >> rate)) as u16;
        let slow = match YOUNG.get(usize::from(self.seen)) {
            Some(young) => {
                self.seen += 1;
                *young
            }
            None => SLOW,
        };
        self.quick = step(self.quick, slow.min(QUICK));
        self.slow = step(self.slow, slow);
    }
}

/// Writes, or reads; in both cases it answers what was coded.
pub(super) trait Coder {
    /// Whether values are given to it rather than taken from it.
    const WRITES: bool;

    fn bit(&mut self, model: &mut Bit, bit: bool) -> bool;

    /// `count` bits, sixteen at most, that are as likely as not.
    fn raw(&mut self, value: u32, count: u32) -> u32;

    /// A number of `count` bits, the highest first, each after those before it.
    /// `models` has room for `1 << count`.
    #[inline(always)]
    fn tree(&mut self, models: &mut [Bit], count: u32, value: u32) -> u32 {
        let mut node = 1;
        for place in (0..count).rev() {
            let Some(model) = models.get_mut(node as usize) else { break };
            let bit = self.bit(model, value >> place & 1 == 1);
            node = node * 2 + u32::from(bit);
        }
        node - (1 << count)
    }

    /// A number below 65,535, small ones at less cost.
    #[inline(always)]
    fn number(&mut self, models: &mut [Bit; 16], value: u32) -> u32 {
        let length = if Self::WRITES { 31 - (value + 1).leading_zeros() } else { 0 };
        let length = self.tree(models, 4, length);
        let rest = self.raw((value + 1) & ((1 << length) - 1), length);
        (1 << length) + rest - 1
    }
}

/// Writes to memory.
#[derive(Debug)]
pub(super) struct Writer {
    low: u64,
    range: u64,
    bytes: Vec<u8>,
}

impl Writer {
    pub(super) fn new() -> Self {
        Self { low: 0, range: u64::MAX, bytes: Vec::with_capacity(512) }
    }

    #[inline(always)]
    fn advance(&mut self, by: u64) {
        let (low, carries) = self.low.overflowing_add(by);
        self.low = low;
        if carries {
            self.carry();
        }
    }

    /// One more for what is written already.
    #[cold]
    fn carry(&mut self) {
        for byte in self.bytes.iter_mut().rev() {
            let (sum, carries) = byte.overflowing_add(1);
            *byte = sum;
            if !carries {
                break;
            }
        }
    }

    #[inline(always)]
    fn renew(&mut self) {
        if self.range < LEAST {
            self.range <<= 32;
            self.bytes.extend_from_slice(&((self.low >> 32) as u32).to_be_bytes());
            self.low <<= 32;
        }
    }

    /// What was written, as short as it can be: what follows, be it nothing,
    /// which is read as zeros, or something, changes nothing.
    pub(super) fn finish(mut self, nothing_follows: bool) -> Vec<u8> {
        // So many bytes, so that all that begins with them is in the range.
        for count in 0..=8_u32 {
            let below = u64::MAX.checked_shr(count * 8).unwrap_or(0);
            let (up, carries) = self.low.overflowing_add(below);
            let value = up & !below;
            // How far the last of those numbers is beyond the lowest.
            let first = value.wrapping_sub(self.low);
            let last = first.checked_add(if nothing_follows { 0 } else { below });
            if last.is_some_and(|last| last < self.range) {
                if carries {
                    self.carry();
                }
                self.bytes.extend_from_slice(value.to_be_bytes().get(..count as usize).unwrap_or_default());
                break;
            }
        }
        while nothing_follows && self.bytes.last() == Some(&0) {
            self.bytes.pop();
        }
        self.bytes
    }
}

impl Coder for Writer {
    const WRITES: bool = true;

    #[inline(always)]
    fn bit(&mut self, model: &mut Bit, bit: bool) -> bool {
        let bound = (self.range >> 16) * model.likelihood();
        if bit {
            self.range = bound;
        } else {
            self.advance(bound);
            self.range -= bound;
        }
        model.learn(bit);
        self.renew();
        bit
    }

    #[inline(always)]
    fn raw(&mut self, value: u32, count: u32) -> u32 {
        self.range >>= count;
        self.advance(self.range * u64::from(value));
        self.renew();
        value
    }
}

/// Reads what a [`Writer`] wrote. Behind the end it reads zeros: what is
/// damaged is read as something else, and never beyond its bytes.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    code: u64,
    range: u64,
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let mut reader = Self { code: 0, range: u64::MAX, bytes };
        for _ in 0..2 {
            reader.code = reader.code << 32 | reader.next();
        }
        reader
    }

    fn next(&mut self) -> u64 {
        if let Some((first, rest)) = self.bytes.split_first_chunk() {
            self.bytes = rest;
            return u32::from_be_bytes(*first).into();
        }
        let mut last = [0; 4];
        for (to, from) in last.iter_mut().zip(std::mem::take(&mut self.bytes)) {
            *to = *from;
        }
        u32::from_be_bytes(last).into()
    }

    #[inline(always)]
    fn renew(&mut self) {
        if self.range < LEAST {
            self.range <<= 32;
            self.code = self.code << 32 | self.next();
        }
    }
}

impl Coder for Reader<'_> {
    const WRITES: bool = false;

    #[inline(always)]
    fn bit(&mut self, model: &mut Bit, _: bool) -> bool {
        let bound = (self.range >> 16) * model.likelihood();
        let bit = self.code < bound;
        if bit {
            self.range = bound;
        } else {
            self.code -= bound;
            self.range -= bound;
        }
        model.learn(bit);
        self.renew();
        bit
    }

    #[inline(always)]
    fn raw(&mut self, _: u32, count: u32) -> u32 {
        self.range >>= count;
        // Damaged bytes may be beyond the last value.
        let value = (self.code / self.range).min((1 << count) - 1);
        self.code -= value * self.range;
        self.renew();
        value as u32
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn code<C: Coder>(coder: &mut C, values: &[(u32, u32)]) -> Vec<(u32, u32)> {
        let (mut bits, mut trees, mut numbers) = ([Bit::default(); 4], [Bit::default(); 256], [Bit::default(); 16]);
        let mut read = Vec::new();
        for (kind, value) in values {
            let value = match kind {
                0 => u32::from(coder.bit(&mut bits[0], value & 1 == 1)),
                1 => coder.tree(&mut trees, 8, value & 255),
                2 => coder.number(&mut numbers, value % 65_535),
                _ => coder.raw(value & 0x7ff, 11),
            };
            read.push((*kind, value));
        }
        read
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(values in proptest::collection::vec((0..4_u32, any::<u32>()), 0..400), follows in any::<bool>()) {
            let mut writer = Writer::new();
            let written = code(&mut writer, &values);
            let mut bytes = writer.finish(!follows);
            if follows {
                bytes.extend([0xff; 9]);
            }
            prop_assert_eq!(code(&mut Reader::new(&bytes), &values), written);
        }

        /// Carries through long runs of ones.
        #[test]
        fn the_unlikely_is_read(likely in 1_000..5_000_usize, bit in any::<bool>()) {
            let mut values = vec![(0, u32::from(bit)); likely];
            values.push((0, u32::from(!bit)));
            let mut writer = Writer::new();
            let written = code(&mut writer, &values);
            let bytes = writer.finish(true);
            prop_assert!(bytes.len() < 16 + likely / 1_000, "{} bytes", bytes.len());
            prop_assert_eq!(code(&mut Reader::new(&bytes), &values), written);
        }
    }
}

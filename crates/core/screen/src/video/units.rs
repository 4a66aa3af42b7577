//! What a viewer has to know of H.264 before it hands it to a decoder
//! (ITU-T H.264: 7.3.1 units, 7.3.2.1.1 and E.1.1 sequence parameters, B.1 byte
//! stream).

use thiserror::Error;

/// Bytes of a sequence's parameters that are looked at.
const MOST: usize = 256;
/// Unit types.
const IDR: u8 = 5;
const SEQUENCE: u8 = 7;

/// Why units are not taken.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum UnitError {
    /// No sequence parameters, or broken ones.
    #[error("no sequence parameters that could be read")]
    NoSequence,
    /// Profiles with more than eight bits or other than 4:2:0, or interlaced
    /// pictures: no screen is coded like that.
    #[error("a profile that no screen is coded with")]
    Unusual,
}

/// What a sequence is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sequence {
    /// Profile, constraints and level, as a codec string has them
    /// (`avc1.PPCCLL`).
    pub profile: [u8; 3],
    /// Coded size in pixels, less what is cut off.
    pub width: u32,
    /// Coded height.
    pub height: u32,
    /// Most pictures that a decoder may hold back to put them in order; `None`
    /// where it is not said, and a decoder may hold back many.
    pub reordered: Option<u32>,
    /// Colour primaries, transfer and matrix by their numbers, and whether the
    /// range is full.
    pub colours: Option<([u8; 3], bool)>,
}

/// The units of a byte stream, without what starts them.
fn units(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start(bytes);
    std::iter::from_fn(move || {
        let unit = rest?;
        let end = unit.windows(3).position(|window| window == [0, 0, 1]).unwrap_or(unit.len());
        rest = after_start(unit.get(end..).unwrap_or_default());
        let unit = unit.get(..end)?;
        Some(unit.get(..unit.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)).unwrap_or_default())
    })
}

fn after_start(bytes: &[u8]) -> Option<&[u8]> {
    let start = bytes.windows(3).position(|window| window == [0, 0, 1])?;
    bytes.get(start + 3..)
}

/// Whether a decoder can begin with this access unit: it has its parameters and
/// a picture that needs no other.
#[must_use]
pub fn starts_anew(bytes: &[u8]) -> bool {
    let mut types = units(bytes).filter_map(|unit| unit.first()).map(|first| first & 31);
    types.any(|kind| kind == SEQUENCE) && types.any(|kind| kind == IDR)
}

/// The parameters of the sequence that begins with this access unit.
///
/// # Errors
/// When it has none, or such as no screen is coded with.
pub fn sequence(bytes: &[u8]) -> Result<Sequence, UnitError> {
    let unit = units(bytes).find(|unit| unit.first().is_some_and(|first| first & 31 == SEQUENCE));
    let unit = unit.and_then(|unit| unit.get(1..)).ok_or(UnitError::NoSequence)?;
    let mut bits = Bits::new(&without_emulation(unit.get(..unit.len().min(MOST)).unwrap_or_default()));
    read(&mut bits).ok_or(UnitError::NoSequence)?.ok_or(UnitError::Unusual)
}

/// Two zeros and a three stand for two zeros (7.4.1).
fn without_emulation(bytes: &[u8]) -> Vec<u8> {
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

/// `None` where the bits end too early; nothing inside where it is unusual.
fn read(bits: &mut Bits) -> Option<Option<Sequence>> {
    let profile = [bits.byte()?, bits.byte()?, bits.byte()?];
    bits.golomb()?;
    if matches!(profile[0], 100 | 110 | 122 | 244 | 44 | 83 | 86 | 118 | 128) {
        let (chroma, luma_bits, chroma_bits) = (bits.golomb()?, bits.golomb()?, bits.golomb()?);
        let (bypass, scaling) = (bits.bit()?, bits.bit()?);
        if chroma != 1 || luma_bits != 0 || chroma_bits != 0 || bypass || scaling {
            return Some(None);
        }
    }
    bits.golomb()?;
    match bits.golomb()? {
        0 => {
            bits.golomb()?;
        }
        1 => {
            bits.bit()?;
            bits.golomb()?;
            bits.golomb()?;
            let count = bits.golomb()?;
            for _ in 0..count.min(255) {
                bits.golomb()?;
            }
        }
        _ => {}
    }
    bits.golomb()?;
    bits.bit()?;
    let (columns, rows) = (bits.golomb()?.checked_add(1)?, bits.golomb()?.checked_add(1)?);
    if !bits.bit()? {
        return Some(None);
    }
    bits.bit()?;
    let cut = if bits.bit()? { [bits.golomb()?, bits.golomb()?, bits.golomb()?, bits.golomb()?] } else { [0; 4] };
    let length = |blocks: u32, cut: [u32; 2]| {
        let cut = cut[0].checked_add(cut[1])?.checked_mul(2)?;
        blocks.checked_mul(16)?.checked_sub(cut)
    };
    let (width, height) = (length(columns, [cut[0], cut[1]])?, length(rows, [cut[2], cut[3]])?);
    let (colours, reordered) = if bits.bit()? { usability(bits)? } else { (None, None) };
    Some(Some(Sequence { profile, width, height, reordered, colours }))
}

type Usability = (Option<([u8; 3], bool)>, Option<u32>);

fn usability(bits: &mut Bits) -> Option<Usability> {
    if bits.bit()? && bits.byte()? == 255 {
        bits.skip(32)?;
    }
    if bits.bit()? {
        bits.bit()?;
    }
    let mut colours = None;
    if bits.bit()? {
        bits.skip(3)?;
        let full = bits.bit()?;
        if bits.bit()? {
            colours = Some(([bits.byte()?, bits.byte()?, bits.byte()?], full));
        }
    }
    if bits.bit()? {
        bits.golomb()?;
        bits.golomb()?;
    }
    if bits.bit()? {
        bits.skip(65)?;
    }
    let (by_unit, by_clip) = (hypothetical(bits)?, hypothetical(bits)?);
    if by_unit || by_clip {
        bits.bit()?;
    }
    bits.bit()?;
    if !bits.bit()? {
        return Some((colours, None));
    }
    bits.bit()?;
    for _ in 0..4 {
        bits.golomb()?;
    }
    Some((colours, Some(bits.golomb()?)))
}

/// Parameters of the hypothetical decoder (E.1.2), if there are any.
fn hypothetical(bits: &mut Bits) -> Option<bool> {
    if !bits.bit()? {
        return Some(false);
    }
    let count = bits.golomb()?.min(31) + 1;
    bits.skip(8)?;
    for _ in 0..count {
        bits.golomb()?;
        bits.golomb()?;
        bits.bit()?;
    }
    bits.skip(20)?;
    Some(true)
}

struct Bits {
    bytes: Vec<u8>,
    at: usize,
}

impl Bits {
    fn new(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), at: 0 }
    }

    fn bit(&mut self) -> Option<bool> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit == 1)
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.at += count;
        (self.at <= self.bytes.len() * 8).then_some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let mut byte = 0;
        for _ in 0..8 {
            byte = byte << 1 | u8::from(self.bit()?);
        }
        Some(byte)
    }

    /// An Exp-Golomb number (9.1).
    fn golomb(&mut self) -> Option<u32> {
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
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Written by hand after the tables of the standard.
    struct Writer(Vec<bool>);

    impl Writer {
        fn bits(&mut self, value: u32, count: u32) -> &mut Self {
            self.0.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
            self
        }

        fn golomb(&mut self, value: u32) -> &mut Self {
            let length = (value + 1).ilog2();
            self.bits(0, length).bits(value + 1, length + 1)
        }

        fn unit(&self) -> Vec<u8> {
            let bytes = self.0.chunks(8).map(|bits| {
                bits.iter().zip((0..8).rev()).fold(0_u8, |byte, (bit, place)| byte | u8::from(*bit) << place)
            });
            [0, 0, 0, 1, 0x67].into_iter().chain(bytes).chain([0x80, 0, 0, 1, 0x65, 0x88]).collect()
        }
    }

    #[test]
    fn a_sequence_is_read() {
        let mut writer = Writer(Vec::new());
        writer.bits(66, 8).bits(0xc0, 8).bits(31, 8).golomb(0).golomb(4).golomb(2).golomb(1).bits(0, 1);
        // 40 by 23 blocks, of which eight lines are cut off.
        writer.golomb(39).golomb(22).bits(1, 1).bits(1, 1).bits(1, 1).golomb(0).golomb(0).golomb(0).golomb(4);
        // Colours by BT.709, limited range; nothing reordered.
        writer.bits(1, 1).bits(0, 1).bits(0, 1).bits(1, 1).bits(5, 3).bits(0, 1).bits(1, 1);
        writer.bits(1, 8).bits(1, 8).bits(1, 8).bits(0, 1).bits(0, 1).bits(0, 1).bits(0, 1).bits(0, 1).bits(1, 1);
        writer.bits(1, 1).golomb(0).golomb(0).golomb(16).golomb(16).golomb(0).golomb(1);
        let unit = writer.unit();
        let expected = Sequence {
            profile: [66, 0xc0, 31],
            width: 640,
            height: 360,
            reordered: Some(0),
            colours: Some(([1, 1, 1], false)),
        };
        assert_eq!(sequence(&unit), Ok(expected));
        assert!(starts_anew(&unit));
        assert!(!starts_anew(&[0, 0, 1, 0x41, 0x9a]));
        assert_eq!(sequence(&[0, 0, 1, 0x41, 0x9a]), Err(UnitError::NoSequence));
        assert_eq!(sequence(unit.get(..9).unwrap()), Err(UnitError::NoSequence));
    }

    #[test]
    fn emulation_is_taken_out() {
        assert_eq!(without_emulation(&[0, 0, 3, 1, 0, 0, 3, 0, 0, 3]), [0, 0, 1, 0, 0, 0, 0]);
    }

    proptest! {
        /// Whatever comes, it is read or refused.
        #[test]
        fn anything(bytes in proptest::collection::vec(prop_oneof![Just(0_u8), Just(1), Just(0x67), any::<u8>()], 0..400)) {
            let _: Result<Sequence, UnitError> = sequence(&bytes);
            let _: bool = starts_anew(&bytes);
        }
    }
}

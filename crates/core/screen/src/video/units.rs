//! What a viewer has to know of H.264 before it hands it to a decoder
//! (ITU-T H.264: 7.3.1 units, 7.3.2.1.1 and E.1.1 sequence parameters, B.1 byte
//! stream).

mod bits;
mod rewrite;

use std::ops::Range;

use thiserror::Error;

use bits::{Bits, without_emulation};
pub use rewrite::{told_in_order, with_parameters};

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
    /// Pictures are sent in another order than they are shown in.
    #[error("pictures out of order")]
    Reordered,
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

/// What `read` finds: the sequence, and where in the bits things stand.
struct Parameters {
    sequence: Sequence,
    /// Most pictures that one refers to.
    references: u32,
    /// The bit that says whether there is more, for the use of pictures (E.1.1).
    usability: usize,
    inside: Option<Usability>,
}

/// What stands where for the use of pictures.
struct Usability {
    colours: Option<([u8; 3], bool)>,
    reordered: Option<u32>,
    /// What is said of the signal, the bit that says whether anything is too.
    signal: Range<usize>,
    /// The bit that says whether anything is restricted; behind it all ends.
    restriction: usize,
}

/// Where the units of a byte stream are, without what starts them and without
/// zeros behind them.
fn spans(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut next = after_start(bytes, 0);
    std::iter::from_fn(move || {
        let start = next?;
        let rest = bytes.get(start..)?;
        let end = rest.windows(3).position(|window| window == [0, 0, 1]).unwrap_or(rest.len());
        next = after_start(bytes, start + end);
        let last = rest.get(..end)?.iter().rposition(|byte| *byte != 0);
        Some(start..start + last.map_or(0, |last| last + 1))
    })
}

fn after_start(bytes: &[u8], from: usize) -> Option<usize> {
    let start = bytes.get(from..)?.windows(3).position(|window| window == [0, 0, 1])?;
    Some(from + start + 3)
}

/// A unit's type.
fn kind(bytes: &[u8], span: &Range<usize>) -> Option<u8> {
    bytes.get(span.clone())?.first().map(|first| first & 31)
}

/// Whether a decoder can begin with this access unit: it has its parameters and
/// a picture that needs no other.
#[must_use]
pub fn starts_anew(bytes: &[u8]) -> bool {
    let mut types = spans(bytes).filter_map(|span| kind(bytes, &span));
    types.any(|kind| kind == SEQUENCE) && types.any(|kind| kind == IDR)
}

/// The parameters of the sequence that begins with this access unit.
///
/// # Errors
/// When it has none, or such as no screen is coded with.
pub fn sequence(bytes: &[u8]) -> Result<Sequence, UnitError> {
    let span = spans(bytes).find(|span| kind(bytes, span) == Some(SEQUENCE)).ok_or(UnitError::NoSequence)?;
    let unit = bytes.get(span.start + 1..span.end.min(span.start + MOST)).ok_or(UnitError::NoSequence)?;
    let read = read(&mut Bits::new(without_emulation(unit)));
    read.ok_or(UnitError::NoSequence)?.map(|parameters| parameters.sequence).ok_or(UnitError::Unusual)
}

/// `None` where the bits end too early; nothing inside where it is unusual.
fn read(bits: &mut Bits) -> Option<Option<Parameters>> {
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
            let count = bits.golomb().filter(|count| *count <= 255)?;
            for _ in 0..count {
                bits.golomb()?;
            }
        }
        _ => {}
    }
    let references = bits.golomb()?;
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
    let usability = bits.position();
    let inside = if bits.bit()? { Some(usable(bits)?) } else { None };
    let reordered = inside.as_ref().and_then(|inside| inside.reordered);
    let colours = inside.as_ref().and_then(|inside| inside.colours);
    let sequence = Sequence { profile, width, height, reordered, colours };
    Some(Some(Parameters { sequence, references, usability, inside }))
}

fn usable(bits: &mut Bits) -> Option<Usability> {
    if bits.bit()? && bits.byte()? == 255 {
        bits.skip(32)?;
    }
    if bits.bit()? {
        bits.bit()?;
    }
    let signal = bits.position();
    let mut colours = None;
    if bits.bit()? {
        bits.skip(3)?;
        let full = bits.bit()?;
        if bits.bit()? {
            colours = Some(([bits.byte()?, bits.byte()?, bits.byte()?], full));
        }
    }
    let signal = signal..bits.position();
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
    let restriction = bits.position();
    let mut reordered = None;
    if bits.bit()? {
        bits.bit()?;
        for _ in 0..4 {
            bits.golomb()?;
        }
        reordered = Some(bits.golomb()?);
        bits.golomb()?;
    }
    Some(Usability { colours, reordered, signal, restriction })
}

/// Parameters of the hypothetical decoder (E.1.2), if there are any.
fn hypothetical(bits: &mut Bits) -> Option<bool> {
    if !bits.bit()? {
        return Some(false);
    }
    let count = bits.golomb().filter(|count| *count <= 31)? + 1;
    bits.skip(8)?;
    for _ in 0..count {
        bits.golomb()?;
        bits.golomb()?;
        bits.bit()?;
    }
    bits.skip(20)?;
    Some(true)
}

#[cfg(test)]
mod tests;

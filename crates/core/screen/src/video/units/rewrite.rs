//! Parameters that say what we know of a video and its encoder did not say.
//!
//! A decoder that is not told otherwise may hold back many pictures to put them
//! in order (E.2.1, `max_num_reorder_frames`), and guesses at colours.

use super::bits::{Bits, Writer, with_emulation, without_emulation};
use super::{IDR, MOST, Parameters, SEQUENCE, UnitError, kind, read, spans};

/// Unit type of what may come first in an access unit.
const DELIMITER: u8 = 9;
/// What is inferred of vectors where nothing is said (E.2.1).
const BYTES_DENOMINATOR: u32 = 2;
const BITS_DENOMINATOR: u32 = 1;
const LONGEST_VECTOR: u32 = 15;

/// The same access unit, with parameters that say that nothing is reordered and
/// that colours are those of BT.709 with limited range. Only for an encoder that
/// was given such colours and gives each picture before it takes the next: this
/// says so, it does not make it so. Without parameters nothing changes.
///
/// # Errors
/// When the parameters cannot be read, are unusual, or say that pictures are
/// reordered.
pub fn told_in_order(unit: Vec<u8>) -> Result<Vec<u8>, UnitError> {
    let mut told = Vec::with_capacity(unit.len() + 32);
    let mut done = 0;
    for span in spans(&unit) {
        let Some((header, parameters)) = unit.get(span.clone()).and_then(<[u8]>::split_first) else { continue };
        if header & 31 != SEQUENCE {
            continue;
        }
        let parameters = rewritten(parameters)?;
        told.extend_from_slice(unit.get(done..=span.start).unwrap_or_default());
        told.extend(parameters);
        done = span.end;
    }
    if done == 0 {
        return Ok(unit);
    }
    told.extend_from_slice(unit.get(done..).unwrap_or_default());
    Ok(told)
}

/// A unit's parameters, written anew.
fn rewritten(bytes: &[u8]) -> Result<Vec<u8>, UnitError> {
    let mut bits = Bits::new(without_emulation(bytes));
    let parameters = read(&mut bits).ok_or(UnitError::NoSequence)?.ok_or(UnitError::Unusual)?;
    if !bits.ends() {
        return Err(UnitError::NoSequence);
    }
    if parameters.sequence.reordered.is_some_and(|pictures| pictures > 0) {
        return Err(UnitError::Reordered);
    }
    let written = with_emulation(&write(&bits, &parameters).finish());
    // A reader looks at no more.
    if bytes.len() < MOST && written.len() < MOST { Ok(written) } else { Err(UnitError::Unusual) }
}

fn write(bits: &Bits, parameters: &Parameters) -> Writer {
    let mut writer = Writer::default();
    writer.copy(bits.those(0..parameters.usability)).bits(1, 1);
    match &parameters.inside {
        Some(inside) => {
            writer.copy(bits.those(parameters.usability + 1..inside.signal.start));
            colours(&mut writer);
            writer.copy(bits.those(inside.signal.end..inside.restriction));
            if parameters.sequence.reordered.is_some() {
                writer.copy(bits.those(inside.restriction..bits.position()));
                return writer;
            }
        }
        None => {
            // No shape of pixels, no overscan.
            writer.bits(0, 2);
            colours(&mut writer);
            // No places of chroma, no timing, no two hypothetical decoders, no
            // structure of pictures.
            writer.bits(0, 5);
        }
    }
    // Vectors may leave the picture.
    writer.bits(1, 1).bits(1, 1).golomb(BYTES_DENOMINATOR).golomb(BITS_DENOMINATOR);
    writer.golomb(LONGEST_VECTOR).golomb(LONGEST_VECTOR);
    // None reordered; as many kept as are referred to, and no fewer than one.
    writer.golomb(0).golomb(parameters.references.max(1));
    writer
}

/// Of no special kind, limited range, all three of BT.709.
fn colours(writer: &mut Writer) {
    writer.bits(1, 1).bits(5, 3).bits(0, 1).bits(1, 1).bits(1, 8).bits(1, 8).bits(1, 8);
}

/// A picture that stands alone, with these parameters where it has none: some
/// encoders tell them once, beside the stream.
#[must_use]
pub fn with_parameters(unit: Vec<u8>, parameters: &[u8]) -> Vec<u8> {
    let has = |wanted: u8| spans(&unit).any(|span| kind(&unit, &span) == Some(wanted));
    if !has(IDR) || has(SEQUENCE) {
        return unit;
    }
    // A delimiter stays first (7.4.1.2.3).
    let first = spans(&unit).next().filter(|span| kind(&unit, span) == Some(DELIMITER));
    let (before, after) = unit.split_at(first.map_or(0, |span| span.end).min(unit.len()));
    [before, parameters, after].concat()
}

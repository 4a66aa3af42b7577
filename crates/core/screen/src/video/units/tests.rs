//! What is read of H.264, and what is written anew.

use proptest::prelude::*;

use super::bits::{with_emulation, without_emulation};
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
        let ended: Vec<bool> = self.0.iter().copied().chain([true]).collect();
        let bytes = ended
            .chunks(8)
            .map(|bits| bits.iter().zip((0..8).rev()).fold(0_u8, |byte, (bit, place)| byte | u8::from(*bit) << place));
        [0, 0, 0, 1, 0x67].into_iter().chain(bytes).chain([0, 0, 1, 0x65, 0x88]).collect()
    }
}

/// Main profile, 640 by 360, two pictures referred to, up to what is said of use.
fn main_profile() -> Writer {
    let mut writer = Writer(Vec::new());
    writer.bits(77, 8).bits(0, 8).bits(31, 8).golomb(0).golomb(4).golomb(0).golomb(4).golomb(2).bits(0, 1);
    writer.golomb(39).golomb(22).bits(1, 1).bits(1, 1).bits(1, 1).golomb(0).golomb(0).golomb(0).golomb(4);
    writer
}

/// No shape of pixels, no overscan, colours of BT.601 in full range, no places
/// of chroma; 30 pictures a second, in numbers full of zeros; one hypothetical
/// decoder.
fn with_timing(writer: &mut Writer) {
    writer.bits(1, 1).bits(0, 1).bits(0, 1).bits(1, 1).bits(5, 3).bits(1, 1).bits(1, 1);
    writer.bits(6, 8).bits(6, 8).bits(6, 8).bits(0, 1);
    writer.bits(1, 1).bits(1, 32).bits(60, 32).bits(1, 1);
    writer.bits(1, 1).golomb(0).bits(0, 8).golomb(1000).golomb(1000).bits(1, 1).bits(0, 20).bits(0, 1).bits(0, 1);
    writer.bits(0, 1);
}

fn restricted(writer: &mut Writer, reordered: u32) {
    writer.bits(1, 1).bits(1, 1).golomb(0).golomb(0).golomb(15).golomb(15).golomb(reordered).golomb(4);
}

#[test]
fn what_was_not_said_is_said() {
    let mut silent = main_profile();
    silent.bits(0, 1);
    let mut timed = main_profile();
    with_timing(&mut timed);
    timed.bits(0, 1);
    let mut said = main_profile();
    with_timing(&mut said);
    restricted(&mut said, 0);
    for writer in [silent, timed, said] {
        let unit = writer.unit();
        let before = sequence(&unit).unwrap();
        let told = told_in_order(unit.clone()).unwrap();
        let expected = Sequence { reordered: Some(0), colours: Some(([1, 1, 1], false)), ..before };
        assert_eq!(sequence(&told), Ok(expected));
        assert!(starts_anew(&told));
        assert!(told.starts_with(&[0, 0, 0, 1, 0x67]) && told.ends_with(&[0, 0, 1, 0x65, 0x88]));
        assert_eq!(told_in_order(told.clone()), Ok(told));
    }
}

/// What lies between is taken over bit by bit.
#[test]
fn what_was_said_stays() {
    let mut timed = main_profile();
    with_timing(&mut timed);
    timed.bits(0, 1);
    let mut expected = main_profile();
    expected.bits(1, 1).bits(0, 1).bits(0, 1).bits(1, 1).bits(5, 3).bits(0, 1).bits(1, 1);
    expected.bits(1, 8).bits(1, 8).bits(1, 8).bits(0, 1).bits(1, 1).bits(1, 32).bits(60, 32).bits(1, 1);
    expected.bits(1, 1).golomb(0).bits(0, 8).golomb(1000).golomb(1000).bits(1, 1).bits(0, 20).bits(0, 1).bits(0, 1);
    expected.bits(0, 1).bits(1, 1).bits(1, 1).golomb(2).golomb(1).golomb(15).golomb(15).golomb(0).golomb(2);
    let plain = |unit: &[u8]| {
        let span = spans(unit).next().unwrap();
        without_emulation(&unit[span])
    };
    // The clock's numbers need bytes against start codes.
    let told = told_in_order(timed.unit()).unwrap();
    assert!(told.windows(3).any(|bytes| bytes == [0, 0, 3]));
    assert_eq!(plain(&told), without_emulation(&expected.unit()[4..expected.unit().len() - 5]));
}

#[test]
fn what_is_not_so_is_not_said() {
    let mut reordered = main_profile();
    with_timing(&mut reordered);
    restricted(&mut reordered, 2);
    assert_eq!(told_in_order(reordered.unit()), Err(UnitError::Reordered));
    let mut more = main_profile();
    more.bits(0, 1).bits(0b1011, 4);
    assert_eq!(told_in_order(more.unit()), Err(UnitError::NoSequence));
    assert_eq!(told_in_order(vec![0, 0, 1, 0x67, 77, 0]), Err(UnitError::NoSequence));
    // Without parameters there is nothing to say.
    let rest = vec![0, 0, 1, 0x41, 0x9a];
    assert_eq!(told_in_order(rest.clone()), Ok(rest));
}

#[test]
fn parameters_that_were_told_once_are_told_again() {
    let parameters = [0, 0, 0, 1, 0x67, 9, 0, 0, 0, 1, 0x68, 7];
    for (unit, expected) in [
        (vec![0, 0, 1, 0x65, 8], [parameters.as_slice(), &[0, 0, 1, 0x65, 8]].concat()),
        (
            vec![0, 0, 1, 9, 16, 0, 0, 1, 0x65, 8],
            [&[0, 0, 1, 9, 16], parameters.as_slice(), &[0, 0, 1, 0x65, 8]].concat(),
        ),
        (vec![0, 0, 1, 0x41, 8], vec![0, 0, 1, 0x41, 8]),
        (vec![0, 0, 1, 0x67, 8, 0, 0, 1, 0x65, 8], vec![0, 0, 1, 0x67, 8, 0, 0, 1, 0x65, 8]),
    ] {
        assert_eq!(with_parameters(unit, &parameters), expected);
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
        let _: Result<Vec<u8>, UnitError> = told_in_order(bytes.clone());
        let _: Vec<u8> = with_parameters(bytes, &[0, 0, 1, 0x67]);
    }

    /// What protects from start codes takes nothing away.
    #[test]
    fn emulation_both_ways(plain in proptest::collection::vec(prop_oneof![3 => Just(0_u8), 2 => 0..5_u8, 1 => any::<u8>()], 0..60)) {
        let bytes = with_emulation(&plain);
        prop_assert!(!bytes.windows(3).any(|three| three[0] == 0 && three[1] == 0 && three[2] < 3));
        prop_assert_eq!(without_emulation(&bytes), plain);
    }
}

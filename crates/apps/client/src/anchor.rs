//! The deployment anchor: which server this program belongs to. The server
//! fills the block before the program is signed and offered for download.

use serde::Deserialize;

/// Room for the mark, a length and the anchor's text.
const LENGTH: usize = 1024;

/// The reserved block. It is made at compile time, so that the mark stands in
/// the program exactly once.
static BLOCK: [u8; LENGTH] = {
    let mark = b"GURUCONNECT-DEPLOYMENT-ANCHOR-V1";
    let mut block = [0; LENGTH];
    let mut at = 0;
    while at < mark.len() {
        block[at] = mark[at];
        at += 1;
    }
    block
};

/// Which server this program belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Anchor {
    /// The server's address, as people reach it.
    pub(crate) url: String,
    /// The server's Ed25519 identity, in hex.
    identity: String,
    /// What the product is called.
    pub(crate) product: String,
}

impl Anchor {
    /// The identity as a key; `None` where it is not one.
    pub(crate) fn identity(&self) -> Option<[u8; 32]> {
        let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let pairs = self.identity.as_bytes().chunks_exact(2);
        let bytes: Option<Vec<u8>> = pairs
            .map(|pair| match pair {
                [high, low] => Some(digit(high)? << 4 | digit(low)?),
                _ => None,
            })
            .collect();
        bytes?.try_into().ok()
    }
}

/// The anchor, where the block was filled.
pub(crate) fn read() -> Option<Anchor> {
    // The block is changed after compilation: the compiler must not assume
    // that it knows what is in it.
    parse(std::hint::black_box(&BLOCK).get(32..)?)
}

fn parse(room: &[u8]) -> Option<Anchor> {
    let ([low, high], rest) = room.split_first_chunk::<2>()?;
    let length = usize::from(u16::from_le_bytes([*low, *high]));
    serde_json::from_slice(rest.get(..length).filter(|text| !text.is_empty())?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unfilled_and_damaged_blocks_are_no_anchor() {
        assert_eq!(read(), None);
        assert_eq!(parse(&[]), None);
        assert_eq!(parse(&[255, 255, b'{']), None);
        let text = br#"{"url":"https://help.example","identity":"00","product":"GuruConnect"}"#;
        let mut room = vec![text.len() as u8, 0];
        room.extend(text);
        let anchor = parse(&room).unwrap();
        assert_eq!((anchor.url.as_str(), anchor.identity()), ("https://help.example", None));
        let anchor = Anchor { identity: "0aFf".repeat(16), ..anchor };
        assert_eq!(anchor.identity(), Some(std::array::from_fn(|at| if at % 2 == 0 { 0x0a } else { 0xff })));
    }
}

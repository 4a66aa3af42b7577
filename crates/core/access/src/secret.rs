//! Secrets: wiped on drop, never printed, stored as hashes.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A secret text. It has no `Debug` or `Display` that shows it.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Take possession of a secret text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// `prefix` and 256 random bits in hex.
    #[must_use]
    pub fn random(prefix: &str, random: &[u8; 32]) -> Self {
        let mut text = String::with_capacity(prefix.len() + 64);
        text.push_str(prefix);
        for byte in random {
            for nibble in [byte >> 4, byte & 15] {
                text.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
            }
        }
        Self::new(text)
    }

    /// The text itself, for the one place that has to send it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// SHA-256 of the whole text, as it is stored. Only for secrets with 128
    /// random bits or more, and codes that live for minutes.
    #[must_use]
    pub fn hash(&self) -> SecretHash {
        SecretHash(Sha256::digest(self.0.as_bytes()).into())
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What is stored of a secret.
#[derive(Debug, Clone, Copy)]
pub struct SecretHash([u8; 32]);

impl PartialEq for SecretHash {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for SecretHash {}

impl SecretHash {
    /// In lower-case hex, for the database.
    #[must_use]
    pub fn to_hex(self) -> String {
        Secret::random("", &self.0).expose().to_owned()
    }
}

/// A resume secret: `rsm_` and 256 bits.
#[derive(Debug, Clone)]
pub struct ResumeSecret(Secret);

impl ResumeSecret {
    /// Its prefix.
    pub const PREFIX: &'static str = "rsm_";

    /// A fresh one.
    #[must_use]
    pub fn generate(random: &[u8; 32]) -> Self {
        Self(Secret::random(Self::PREFIX, random))
    }

    /// Accept a text of the right form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix(Self::PREFIX)?;
        let well_formed = hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        well_formed.then(|| Self(Secret::new(text)))
    }

    /// The secret.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.0
    }
}

/// A support code: three groups of three unambiguous symbols.
#[derive(Debug, Clone)]
pub struct SupportCode(Secret);

impl SupportCode {
    /// The 31 symbols: no 0, O, 1, I, L.
    pub const SYMBOLS: &'static [u8; 31] = b"23456789ABCDEFGHJKMNPQRSTUVWXYZ";
    /// Symbols in a code.
    pub const LENGTH: usize = 9;

    /// A fresh one. `random` gives bytes; those that would favour some symbols
    /// are thrown away.
    ///
    /// # Errors
    /// Whatever `random` fails with.
    pub fn generate<E>(mut random: impl FnMut() -> Result<u8, E>) -> Result<Self, E> {
        let mut text = String::with_capacity(11);
        let mut symbols = 0;
        while symbols < Self::LENGTH {
            let byte = usize::from(random()?);
            // 248 is the largest multiple of 31 that a byte holds.
            if byte >= 248 {
                continue;
            }
            if symbols > 0 && symbols % 3 == 0 {
                text.push('-');
            }
            text.extend(Self::SYMBOLS.get(byte % 31).map(|symbol| char::from(*symbol)));
            symbols += 1;
        }
        Ok(Self(Secret::new(text)))
    }

    /// Accept what a person types: any case, with dashes, spaces, or none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > 64 {
            return None;
        }
        let mut plain = String::with_capacity(11);
        let mut symbols = 0;
        for c in text.chars() {
            if matches!(c, '-' | ' ' | '\u{2010}'..='\u{2015}' | '_' | '.') {
                continue;
            }
            let symbol = c.to_ascii_uppercase();
            if !symbol.is_ascii() || !Self::SYMBOLS.contains(&(symbol as u8)) || symbols == Self::LENGTH {
                return None;
            }
            if symbols > 0 && symbols % 3 == 0 {
                plain.push('-');
            }
            plain.push(symbol);
            symbols += 1;
        }
        (symbols == Self::LENGTH).then(|| Self(Secret::new(plain)))
    }

    /// Find a code anywhere in a file name, such as `GuruConnect-ABC-DEF-GHJ (1).exe`.
    #[must_use]
    pub fn find_in_file_name(name: &str) -> Option<Self> {
        let characters: Vec<char> = name.chars().collect();
        characters.windows(11).enumerate().find_map(|(start, window)| {
            let is_symbol = |c: &char| c.is_ascii() && Self::SYMBOLS.contains(&(c.to_ascii_uppercase() as u8));
            let shaped =
                window.iter().enumerate().all(|(i, c)| if i == 3 || i == 7 { *c == '-' } else { is_symbol(c) });
            let edge = |c: Option<&char>| !c.is_some_and(|c| c.is_alphanumeric());
            let alone = edge(start.checked_sub(1).and_then(|i| characters.get(i))) && edge(characters.get(start + 11));
            (shaped && alone).then(|| Self::parse(&window.iter().collect::<String>())).flatten()
        })
    }

    /// The secret, as `XXX-XXX-XXX`.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_printed() {
        let secret = Secret::random("rsm_", &[0xab; 32]);
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert!(secret.expose().starts_with("rsm_abab"));
        assert_eq!(secret.expose().len(), 68);
    }

    #[test]
    fn codes_as_people_type_them() {
        for (text, expected) in [
            ("ABC-DEF-GHJ", Some("ABC-DEF-GHJ")),
            ("abcdefghj", Some("ABC-DEF-GHJ")),
            (" abc def ghj ", Some("ABC-DEF-GHJ")),
            ("ABC–DEF–GHJ", Some("ABC-DEF-GHJ")),
            ("ABC-DEF-GH", None),
            ("ABC-DEF-GHJK", None),
            ("ABC-DEF-GH0", None),
            ("ABC-DEF-GHI", None),
            ("ſBC-DEF-GHJ", None),
            ("", None),
        ] {
            let got = SupportCode::parse(text);
            assert_eq!(got.as_ref().map(|code| code.secret().expose()), expected, "{text}");
        }
    }

    #[test]
    fn codes_in_file_names() {
        for (name, expected) in [
            ("GuruConnect-ABC-DEF-GHJ.exe", Some("ABC-DEF-GHJ")),
            ("GuruConnect-abc-def-ghj (1).exe", Some("ABC-DEF-GHJ")),
            ("ABC-DEF-GHJ", Some("ABC-DEF-GHJ")),
            ("GuruConnect.exe", None),
            ("GuruConnect-XABC-DEF-GHJ.exe", None),
            ("Äé-ABC-DEF-GHJ-ü.exe", Some("ABC-DEF-GHJ")),
        ] {
            let got = SupportCode::find_in_file_name(name);
            assert_eq!(got.as_ref().map(|code| code.secret().expose()), expected, "{name}");
        }
    }

    #[test]
    fn codes_have_no_favourites() {
        // Every byte once: each symbol must come up equally often.
        let mut counts = std::collections::HashMap::new();
        let mut bytes = (0..=255u8).cycle();
        for _ in 0..248 {
            let code = SupportCode::generate(|| bytes.next().ok_or(())).unwrap();
            for symbol in code.secret().expose().chars().filter(|c| *c != '-') {
                *counts.entry(symbol).or_insert(0) += 1;
            }
        }
        assert_eq!(counts.len(), 31);
        assert!(counts.values().all(|count| *count == 72), "{counts:?}");
    }

    #[test]
    fn resume_secrets() {
        let fresh = ResumeSecret::generate(&[7; 32]);
        assert!(ResumeSecret::parse(fresh.secret().expose()).is_some());
        for text in ["rsm_", "cak_0707", "rsm_zz", &fresh.secret().expose().to_uppercase()] {
            assert!(ResumeSecret::parse(text).is_none(), "{text}");
        }
    }
}

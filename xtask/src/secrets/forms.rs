//! The forms in which a secret can show.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use gc_record::Kind;

/// How a secret was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
    Url,
    Json,
    Hex,
    Base64,
    Bytes,
    Wide,
    /// Six digits: many numbers are.
    Number,
    /// Not one that was noted, but of a secret's unmistakable form.
    Shape,
}

/// Beginnings of secrets, and what they are of.
pub(super) const PREFIXES: &[(Kind, &str)] = &[
    (Kind::Login, "lgn_"),
    (Kind::AccessToken, "pat_"),
    (Kind::Resume, "rsm_"),
    (Kind::MachineKey, "cak_"),
    (Kind::EnrolmentKey, "cek_"),
    (Kind::ViewerToken, "v4.public."),
];

/// A part of so many bytes of a long secret is as good as the whole: logs cut.
const PART: usize = 24;

impl Form {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "as it is",
            Self::Url => "URL-encoded",
            Self::Json => "in JSON's escapes",
            Self::Hex => "in hex",
            Self::Base64 => "in Base64",
            Self::Bytes => "as a list of bytes",
            Self::Wide => "in UTF-16",
            Self::Number => "as a number",
            Self::Shape => "known by its form",
        }
    }

    /// Whether this place is one only by chance.
    pub(super) fn is_by_chance(self, text: &[u8], start: usize, end: usize) -> bool {
        let before = start.checked_sub(1).and_then(|at| text.get(at));
        match self {
            // A code stands alone; a time's fraction or a longer number does not.
            Self::Number => {
                let opens = before.is_none_or(|byte| b"\"' =:(\n".contains(byte));
                let closes = text.get(end).is_none_or(|byte| b"\"' ,;&)}\r\n".contains(byte));
                !(opens && closes)
            }
            Self::Shape => {
                let is_hex = text.get(start..end) != Some(b"v4.public.");
                let goes_on = |byte: &&u8| match is_hex {
                    true => byte.is_ascii_hexdigit(),
                    false => byte.is_ascii_alphanumeric() || **byte == b'_' || **byte == b'-',
                };
                text.get(end..).unwrap_or_default().iter().take_while(goes_on).count() < PART
            }
            _ => false,
        }
    }
}

/// Everything that gives this secret away.
pub(super) fn of(kind: Kind, text: &str) -> Vec<(Form, Vec<u8>)> {
    if kind == Kind::OneTimeCode {
        return vec![(Form::Number, text.as_bytes().to_vec())];
    }
    let mut all = Vec::new();
    for spelling in spellings(kind, text) {
        let bytes = spelling.as_bytes();
        let list: Vec<String> = bytes.iter().map(u8::to_string).collect();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let json = serde_json::Value::from(spelling.as_str()).to_string();
        let forms = [
            (Form::Plain, spelling.clone()),
            (Form::Url, percent(bytes, "%20", false)),
            (Form::Url, percent(bytes, "%20", true)),
            (Form::Url, percent(bytes, "+", false)),
            (Form::Json, json.trim_matches('"').to_owned()),
            (Form::Hex, hex.to_uppercase()),
            (Form::Hex, hex),
            (Form::Bytes, list.join(", ")),
        ];
        all.extend(forms.map(|(form, text)| (form, text.into_bytes())));
        all.push((Form::Wide, spelling.encode_utf16().flat_map(u16::to_le_bytes).collect()));
        for before in 0..3 {
            all.extend([STANDARD.encode(shifted(bytes, before)), URL_SAFE.encode(shifted(bytes, before))].map(
                |text| {
                    // What the neighbours have a share in is not known.
                    let (first, known) = ([0, 2, 3][before], (before + bytes.len()) * 8 / 6);
                    (Form::Base64, text.as_bytes().get(first..known).unwrap_or_default().to_vec())
                },
            ));
        }
    }
    all.into_iter().flat_map(|(form, text)| parts(kind, form, text).into_iter().map(move |text| (form, text))).collect()
}

/// As people write it, too.
fn spellings(kind: Kind, text: &str) -> Vec<String> {
    let mut all = vec![text.to_owned()];
    if matches!(kind, Kind::SupportCode | Kind::RecoveryCode) {
        let plain = text.replace('-', "");
        all.extend([text.to_lowercase(), plain.to_lowercase(), plain]);
    }
    all
}

/// Beginning and end of what is long.
fn parts(kind: Kind, form: Form, text: Vec<u8>) -> Vec<Vec<u8>> {
    // Some forms take more room.
    let part = if matches!(form, Form::Bytes | Form::Hex | Form::Wide) { 3 * PART } else { PART };
    if text.len() <= part + 8 || kind == Kind::Planted {
        return vec![text];
    }
    let (begin, end) = (text[..part].to_vec(), text[text.len() - part..].to_vec());
    // All viewer tokens begin alike.
    if kind == Kind::ViewerToken { vec![end] } else { vec![begin, end] }
}

fn shifted(bytes: &[u8], by: usize) -> Vec<u8> {
    let mut all = vec![0; by];
    all.extend_from_slice(bytes);
    all
}

/// RFC 3986, 2.1; `lower` for those who write its digits small.
fn percent(bytes: &[u8], space: &str, lower: bool) -> String {
    let mut text = String::new();
    for byte in bytes {
        match byte {
            b' ' => text.push_str(space),
            byte if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) => text.push(char::from(*byte)),
            byte if lower => text.push_str(&format!("%{byte:02x}")),
            byte => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

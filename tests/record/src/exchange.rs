//! Secrets in calls of the HTTP API: known by their names and forms.

use serde_json::Value;

use crate::{Kind, folder, secret};

/// Note what a call and its answer carry.
pub fn exchange(path: &str, request: Option<&str>, status: u16, answer: &str) {
    if folder().is_none() {
        return;
    }
    let request = request.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null);
    let answer = serde_json::from_str(answer).unwrap_or(Value::Null);
    let taken = (200..300).contains(&status);
    walk(&request, "", &mut |name, text| note(path, name, text, taken));
    walk(&answer, "", &mut |name, text| note(path, name, text, true));
}

/// Note what a `Set-Cookie` header carries.
pub fn cookie(header: &str) {
    let value = header.split(';').next().and_then(|pair| pair.split_once('=')).map(|(_, value)| value.trim());
    if let Some((value, kind)) = value.and_then(|value| Some((value, by_form(value)?))) {
        secret(kind, value);
    }
}

fn walk(value: &Value, name: &str, found: &mut impl FnMut(&str, &str)) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| walk(value, name, found)),
        Value::Array(items) => items.iter().for_each(|value| walk(value, name, found)),
        Value::String(text) => found(name, text),
        _ => {}
    }
}

/// `taken`: whether the server took it for what it is.
fn note(path: &str, name: &str, text: &str, taken: bool) {
    let kind = by_form(text).or_else(|| match name {
        "password" | "current_password" | "new_password" => Some(Kind::Password),
        // Wrong ones are anybody's numbers.
        "otp" if taken && text.len() == 6 => Some(Kind::OneTimeCode),
        "otp" if taken => Some(Kind::RecoveryCode),
        "recovery_codes" => Some(Kind::RecoveryCode),
        "secret" if path.starts_with("/api/auth/second-factor") => Some(Kind::OneTimeSecret),
        "token" if path == "/api/setup" => Some(Kind::SetupToken),
        "code" if path.starts_with("/api/codes") => Some(Kind::SupportCode),
        _ => None,
    });
    if let Some(kind) = kind {
        secret(kind, text);
    }
}

fn by_form(text: &str) -> Option<Kind> {
    let forms = [
        ("lgn_", Kind::Login),
        ("pat_", Kind::AccessToken),
        ("rsm_", Kind::Resume),
        ("v4.public.", Kind::ViewerToken),
        ("cak_", Kind::MachineKey),
        ("cek_", Kind::EnrolmentKey),
    ];
    let found = forms.iter().find(|(prefix, _)| text.strip_prefix(prefix).is_some_and(|rest| rest.len() >= 64));
    found.map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_wherever_they_stand() {
        let body = serde_json::json!({"user": {"password": "walnut-harbour"}, "recovery_codes": ["a", "b"], "n": 1});
        let mut found = Vec::new();
        walk(&body, "", &mut |name, text| found.push(format!("{name}={text}")));
        found.sort();
        assert_eq!(found, ["password=walnut-harbour", "recovery_codes=a", "recovery_codes=b"]);
    }

    #[test]
    fn forms() {
        let hex = "0123456789abcdef".repeat(4);
        for (text, kind) in [
            (format!("lgn_{hex}"), Some(Kind::Login)),
            (format!("rsm_{hex}"), Some(Kind::Resume)),
            ("pat_short".to_owned(), None),
            (hex, None),
        ] {
            assert_eq!(by_form(&text), kind, "{text}");
        }
    }
}

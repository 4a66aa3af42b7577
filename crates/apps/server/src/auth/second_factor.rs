//! Time-based one-time codes (RFC 6238: SHA-1, six digits, thirty seconds, as
//! every authenticator reads them) and recovery codes.

use gc_access::{Secret, SecretHash};
use gc_store::{Factor, Millis};
use totp_rs::{Builder, Totp};

use crate::error::ApiError;

/// How many recovery codes there are.
const RECOVERY_CODES: usize = 10;
/// Bytes of a secret: as many as SHA-1 gives.
const SECRET: usize = 20;

/// A secret for an authenticator, in base32.
pub(crate) fn new_secret() -> Result<Secret, ApiError> {
    let bits = crate::random::bits()?;
    let bytes = bits.get(..SECRET).unwrap_or_default().to_vec();
    Ok(Secret::new(totp_rs::Secret::from(bytes).to_base32()))
}

/// The step whose code this is, now or half a minute around it.
pub(crate) fn step_of(secret: &Secret, otp: &str, now: Millis) -> Option<i64> {
    let time = u64::try_from(now / 1000).ok()?;
    i64::try_from(codes(secret)?.check(otp.trim(), time)?).ok()
}

fn codes(secret: &Secret) -> Option<Totp> {
    let secret = totp_rs::Secret::try_from_base32(secret.expose()).ok()?;
    Builder::new().with_secret(secret).with_digits(6).with_skew(1).with_step_duration(30).build().ok()
}

/// What an authenticator reads from a picture (the `otpauth` form).
pub(crate) fn uri(secret: &Secret, username: &str) -> Secret {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let mut name = String::new();
    for c in username.chars() {
        if plain(c) {
            name.push(c);
            continue;
        }
        let mut bytes = [0; 4];
        for byte in c.encode_utf8(&mut bytes).bytes() {
            name.push_str(&format!("%{byte:02X}"));
        }
    }
    Secret::new(format!("otpauth://totp/GuruConnect:{name}?secret={}&issuer=GuruConnect", secret.expose()))
}

/// Codes for whoever has lost the device, each good once: 128 random bits in
/// four groups.
pub(crate) fn recovery_codes() -> Result<Vec<Secret>, ApiError> {
    let code = || {
        let text = Secret::random("", &crate::random::bits()?);
        let groups: Vec<&str> = (0..4).filter_map(|group| text.expose().get(group * 8..group * 8 + 8)).collect();
        Ok(Secret::new(groups.join("-")))
    };
    (0..RECOVERY_CODES).map(|_| code()).collect()
}

/// What is stored of a recovery code, however it was typed; `None` for what
/// is none by its form.
pub(crate) fn recovery_hash(typed: &str) -> Option<SecretHash> {
    let plain = typed.chars().filter(|c| !matches!(c, '-' | ' ')).map(|c| c.to_ascii_lowercase());
    let plain: String = plain.take(33).collect();
    let whole = plain.len() == 32 && plain.bytes().all(|byte| byte.is_ascii_hexdigit());
    whole.then(|| Secret::new(plain).hash())
}

/// The factor that this text is, for a user with the secret that `secret` opens.
/// A recovery code needs none: it serves also where the secret does not open.
pub(crate) fn factor<E>(
    secret: impl FnOnce() -> Result<Secret, E>,
    typed: &str,
    now: Millis,
) -> Result<Option<Factor>, E> {
    if let Some(hash) = recovery_hash(typed) {
        return Ok(Some(Factor::Recovery(hash)));
    }
    Ok(step_of(&secret()?, typed, now).map(Factor::Step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_those_of_the_standard() {
        // RFC 6238, appendix B, for SHA-1, the last six digits.
        let secret = Secret::new(totp_rs::Secret::from(b"12345678901234567890".to_vec()).to_base32());
        for (second, otp) in [(59, "287082"), (1_111_111_109, "081804"), (2_000_000_000, "279037")] {
            assert_eq!(step_of(&secret, otp, second * 1000), Some(second / 30), "{second}");
            assert_eq!(step_of(&secret, otp, (second + 90) * 1000), None, "{second} and later");
            assert_eq!(step_of(&secret, &otp[1..], second * 1000), None, "a part");
        }
    }

    #[test]
    fn recovery_codes_as_people_type_them() {
        let codes = recovery_codes().unwrap();
        assert_eq!(codes.len(), RECOVERY_CODES);
        let text = codes[0].expose();
        let hash = recovery_hash(text);
        assert!(hash.is_some());
        for typed in [text.to_uppercase(), text.replace('-', ""), text.replace('-', " "), format!(" {text}")] {
            assert_eq!(recovery_hash(&typed), hash, "{typed}");
        }
        for wrong in ["", "123456", &format!("{text}0"), &text.replace('-', "g")] {
            assert_eq!(recovery_hash(wrong), None, "{wrong}");
        }
    }
}

//! How a self-made certificate says which server it belongs to: an extension
//! with the Ed25519 signature (RFC 8032, 64 bytes) of the server's identity
//! over the certificate's key.

/// The extension's object identifier, below the arc for identifiers without a
/// registry (2.25, ITU-T X.667).
pub const OID: [u64; 3] = [2, 25, 2_087_436_251];

/// The same in text.
pub const OID_TEXT: &str = "2.25.2087436251";

/// What is signed, of the key in its `SubjectPublicKeyInfo` form (RFC 5280).
#[must_use]
pub fn signed(public_key_info: &[u8]) -> Vec<u8> {
    [b"guruconnect:tls:v1|", public_key_info].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_identifier_in_two_forms() {
        assert_eq!(OID.map(|arc| arc.to_string()).join("."), OID_TEXT);
    }
}

//! Viewer tokens: signed claims for one session, good for some minutes.

use ed25519_dalek::SigningKey;
use gc_access::{Access, Secret};
use gc_store::Millis;
use pasetors::Public;
use pasetors::keys::{AsymmetricPublicKey, AsymmetricSecretKey};
use pasetors::token::UntrustedToken;
use pasetors::version4::{PublicToken, V4};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::ApiError;

/// How long a token opens a socket, in milliseconds.
pub(crate) const LIFETIME: Millis = 5 * 60 * 1000;
/// Ties the signature to this use of the key.
const CONTEXT: &[u8] = b"guruconnect viewer token v1";
/// Longest token that is looked at, in bytes.
const LONGEST: usize = 2048;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Claims {
    /// Always `viewer`.
    pub(crate) purpose: String,
    pub(crate) session_id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) access: Access,
    pub(crate) jti: Uuid,
    pub(crate) user_id: Uuid,
    /// The login or personal access token that it was minted by.
    pub(crate) credential: Uuid,
    pub(crate) expires_at: Millis,
}

/// Signs and checks them.
pub(crate) struct ViewerTokens {
    secret: AsymmetricSecretKey<V4>,
    public: AsymmetricPublicKey<V4>,
}

impl ViewerTokens {
    pub(crate) fn new(key: &SigningKey) -> anyhow::Result<Self> {
        let pair = zeroize::Zeroizing::new(key.to_keypair_bytes());
        Ok(Self {
            secret: AsymmetricSecretKey::from(&*pair)?,
            public: AsymmetricPublicKey::from(key.verifying_key().as_bytes())?,
        })
    }

    pub(crate) fn sign(&self, claims: &Claims) -> Result<Secret, ApiError> {
        let payload = serde_json::to_vec(claims).map_err(|_| ApiError::internal("claims could not be written"))?;
        PublicToken::sign(&self.secret, &payload, None, Some(CONTEXT))
            .map(Secret::new)
            .map_err(|_| ApiError::internal("a token could not be signed"))
    }

    /// The claims, when signature, purpose and time are right.
    pub(crate) fn verify(&self, token: &str, now: Millis) -> Option<Claims> {
        if token.len() > LONGEST {
            return None;
        }
        let untrusted = UntrustedToken::<Public, V4>::try_from(token).ok()?;
        let trusted = PublicToken::verify(&self.public, &untrusted, None, Some(CONTEXT)).ok()?;
        let claims: Claims = serde_json::from_str(trusted.payload()).ok()?;
        // What was to live longer than any does is of a clock that was set back.
        let in_time = claims.expires_at > now && claims.expires_at <= now + LIFETIME;
        (claims.purpose == "viewer" && in_time).then_some(claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(purpose: &str, expires_at: Millis) -> Claims {
        Claims {
            purpose: purpose.into(),
            session_id: Uuid::from_u128(1),
            tenant_id: Uuid::from_u128(2),
            access: Access::ViewOnly,
            jti: Uuid::from_u128(3),
            user_id: Uuid::from_u128(4),
            credential: Uuid::from_u128(5),
            expires_at,
        }
    }

    #[test]
    fn only_good_ones() {
        let ours = ViewerTokens::new(&SigningKey::from_bytes(&[7; 32])).unwrap();
        let theirs = ViewerTokens::new(&SigningKey::from_bytes(&[8; 32])).unwrap();
        let good = ours.sign(&claims("viewer", 100)).unwrap();
        assert_eq!(ours.verify(good.expose(), 99), Some(claims("viewer", 100)));
        assert_eq!(ours.verify(good.expose(), 100), None, "expired");
        assert_eq!(theirs.verify(good.expose(), 0), None, "another key");
        let other = ours.sign(&claims("download", 100)).unwrap();
        assert_eq!(ours.verify(other.expose(), 0), None, "another purpose");
        let mut bent = good.expose().to_owned();
        bent.replace_range(30..31, if &bent[30..31] == "A" { "B" } else { "A" });
        assert_eq!(ours.verify(&bent, 0), None, "bent");
        assert_eq!(ours.verify("v4.public.", 0), None);
    }
}

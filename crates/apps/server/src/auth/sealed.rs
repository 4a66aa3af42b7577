//! Secrets that the server has to read again, sealed for the database: who
//! copies the database alone learns none of them.
//!
//! ChaCha20-Poly1305 (RFC 8439) with a key from the data folder, a random nonce
//! for each, and the user's id bound to it: what was sealed for one user opens
//! for no other.

use data_encoding::HEXLOWER;
use gc_access::Secret;
use gc_store::Store;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use uuid::Uuid;

use crate::error::ApiError;

/// Marks what is sealed. No base32 text begins so.
const MARK: &str = "sealed1:";

/// Seals and opens.
pub(crate) struct Sealer(LessSafeKey);

impl Sealer {
    pub(crate) fn new(key: &[u8; 32]) -> anyhow::Result<Self> {
        let key =
            UnboundKey::new(&CHACHA20_POLY1305, key).map_err(|_| anyhow::anyhow!("a sealing key does not fit"))?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// The text to store for a user's secret.
    pub(crate) fn seal(&self, user: Uuid, secret: &Secret) -> Result<Secret, ApiError> {
        let failed = || ApiError::internal("a secret could not be sealed");
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|_| failed())?;
        let mut bytes = secret.expose().as_bytes().to_vec();
        let bound = Aad::from(user.as_bytes());
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), bound, &mut bytes)
            .map_err(|_| failed())?;
        Ok(Secret::new(format!("{MARK}{}{}", HEXLOWER.encode(&nonce), HEXLOWER.encode(&bytes))))
    }

    /// The secret in a stored text; also in one of before there were seals.
    pub(crate) fn open(&self, user: Uuid, stored: &str) -> Result<Secret, ApiError> {
        let Some(sealed) = stored.strip_prefix(MARK) else { return Ok(Secret::new(stored)) };
        self.unseal(user, sealed).ok_or_else(|| ApiError::internal("a sealed secret does not open: is its key lost?"))
    }

    fn unseal(&self, user: Uuid, sealed: &str) -> Option<Secret> {
        let mut bytes = zeroize::Zeroizing::new(HEXLOWER.decode(sealed.as_bytes()).ok()?);
        let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let opened = self.0.open_in_place(nonce, Aad::from(user.as_bytes()), sealed).ok()?;
        Some(Secret::new(std::str::from_utf8(opened).ok()?))
    }

    /// Seal what a server of before left open in the database; how many. What is
    /// sealed already has to open, else the key is another one than it was.
    pub(crate) async fn seal_all(&self, store: &Store) -> anyhow::Result<usize> {
        let mut count = 0;
        for (user, stored) in store.second_factor_secrets().await? {
            if let Some(sealed) = stored.expose().strip_prefix(MARK) {
                let opens = self.unseal(user, sealed).is_some();
                anyhow::ensure!(
                    opens,
                    "users' second factors were sealed with another key: restore second-factors.key"
                );
                continue;
            }
            let sealed = self.seal(user, &stored).map_err(|error| anyhow::anyhow!(error.detail))?;
            count += usize::from(store.replace_second_factor_secret(user, &stored, &sealed).await?);
        }
        if count > 0
            && let Err(error) = store.forget_freed().await
        {
            tracing::error!(%error, "readable second factors may still stand in unused parts of the database: VACUUM it");
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_for_its_user_with_its_key() {
        let (ours, theirs) = (Sealer::new(&[7; 32]).unwrap(), Sealer::new(&[8; 32]).unwrap());
        let (ada, bob) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let secret = Secret::new("JBSWY3DPEHPK3PXP");
        let sealed = ours.seal(ada, &secret).unwrap();
        assert!(sealed.expose().starts_with(MARK) && !sealed.expose().contains("JBSWY3DPEHPK3PXP"));
        assert_ne!(ours.seal(ada, &secret).unwrap().expose(), sealed.expose(), "the same seal twice");
        let text = |opened: Result<Secret, ApiError>| opened.ok().map(|secret| secret.expose().to_owned());
        assert_eq!(text(ours.open(ada, sealed.expose())), Some("JBSWY3DPEHPK3PXP".into()));
        assert_eq!(text(ours.open(bob, sealed.expose())), None, "another user's");
        assert_eq!(text(theirs.open(ada, sealed.expose())), None, "another key");
        assert_eq!(text(ours.open(ada, "JBSWY3DPEHPK3PXP")), Some("JBSWY3DPEHPK3PXP".into()), "of before");
        let last = if sealed.expose().ends_with('0') { "1" } else { "0" };
        let bent = format!("{}{last}", &sealed.expose()[..sealed.expose().len() - 1]);
        for stored in [bent.as_str(), MARK, "sealed1:00", "sealed1:zz"] {
            assert_eq!(text(ours.open(ada, stored)), None, "{stored}");
        }
    }
}

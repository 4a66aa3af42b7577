//! Passwords: Argon2id, off the async threads, one at a time in memory that is
//! kept. Whoever floods the login waits; the server's memory does not grow.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use argon2::password_hash::phc::{Output, ParamsString, Salt};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, PasswordHash, Version};
use tokio::sync::Semaphore;

use crate::error::ApiError;

/// Shortest password, in characters.
pub(crate) const SHORTEST: usize = 10;
/// Longest new password, in characters.
const LONGEST_NEW: usize = 256;
/// Longest password that is looked at, in bytes: hashing must not become a burden.
const LONGEST: usize = 1024;

/// Most memory that a stored hash may ask for, in KiB; ours asks for 19 MiB.
const MOST_MEMORY: u32 = 64 << 10;

static AT_ONCE: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(1)));
static MEMORY: Mutex<Vec<Block>> = Mutex::new(Vec::new());

/// Whether a new password will do.
pub(crate) fn check_new(password: &str) -> Result<(), ApiError> {
    if !(SHORTEST..=LONGEST_NEW).contains(&password.chars().count()) {
        let detail = format!("A password has {SHORTEST} to {LONGEST_NEW} characters.");
        return Err(ApiError::new(axum::http::StatusCode::UNPROCESSABLE_ENTITY, "WEAK_PASSWORD", detail));
    }
    Ok(())
}

/// Hash a new password.
pub(crate) async fn hash(password: String) -> Result<String, ApiError> {
    let failed = || ApiError::internal("a password could not be hashed");
    blocking(move || new_hash(&password)).await?.ok_or_else(failed)
}

/// Whether the password is right. Without a hash (no such user) one is spent
/// all the same, so that the time says nothing.
pub(crate) async fn verify(password: String, stored: Option<String>) -> Result<bool, ApiError> {
    blocking(move || {
        if password.len() > LONGEST {
            return false;
        }
        match stored {
            Some(stored) => is_right(&password, &stored).unwrap_or(false),
            None => {
                let _spent = new_hash(&password);
                false
            }
        }
    })
    .await
}

fn new_hash(password: &str) -> Option<String> {
    let (params, salt) = (Params::default(), Salt::generate());
    let hash = PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params).ok()?,
        salt: Some(salt),
        hash: Some(output(password, &salt, Version::V0x13, params)?),
    };
    Some(hash.to_string())
}

fn is_right(password: &str, stored: &str) -> Option<bool> {
    let stored = PasswordHash::new(stored).ok()?;
    let params = Params::try_from(&stored).ok()?;
    let version = stored.version.map_or(Ok(Version::default()), Version::try_from).ok()?;
    let (salt, expected) = (stored.salt?, stored.hash?);
    if stored.algorithm != ARGON2ID_IDENT || params.m_cost() > MOST_MEMORY {
        return None;
    }
    // Compared in constant time.
    Some(output(password, &salt, version, params)? == expected)
}

/// Argon2id, in the memory that is kept for it.
fn output(password: &str, salt: &[u8], version: Version, params: Params) -> Option<Output> {
    let length = params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
    let mut memory = MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    let needed = params.block_count();
    if memory.len() < needed {
        memory.resize(needed, Block::new());
    }
    let blocks = memory.get_mut(..needed)?;
    let argon = Argon2::new(Algorithm::Argon2id, version, params);
    let mut out = [0; Output::MAX_LENGTH];
    let out = out.get_mut(..length)?;
    let done = argon.hash_password_into_with_memory(password.as_bytes(), salt, out, &mut *blocks);
    // Nothing of the password stays behind.
    blocks.fill(Block::new());
    done.ok().and_then(|()| Output::new(out).ok())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    let permit = AT_ONCE.clone().acquire_owned().await;
    let permit = permit.map_err(|_| ApiError::internal("password hashing is closed"))?;
    let counted = move || {
        let done = work();
        drop(permit);
        done
    };
    tokio::task::spawn_blocking(counted).await.map_err(|_| ApiError::internal("password hashing failed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_of_others_are_understood() {
        // From the reference implementation: argon2 somesalt -id -t 2 -k 65536 -p 1, password "password".
        let reference = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        assert_eq!(is_right("password", reference), Some(true));
        assert_eq!(is_right("Password", reference), Some(false));
        let ours = new_hash("walnut").unwrap();
        assert!(ours.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{ours}");
        assert_eq!((is_right("walnut", &ours), is_right("walnuts", &ours)), (Some(true), Some(false)));
        assert_ne!(new_hash("walnut"), Some(ours), "the salt is not new");
    }

    #[test]
    fn what_is_no_hash_of_ours_lets_nobody_in() {
        for stored in [
            "",
            "walnut",
            "$argon2i$v=19$m=4096,t=3,p=1$c29tZXNhbHQ$iWh06vD8Fy27wf9npn6FXWiCX4K6pW6Ue1Bnzz07Z8A",
            "$argon2id$v=19$m=4294967295,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        ] {
            assert_ne!(is_right("walnut", stored), Some(true), "{stored}");
        }
    }
}

//! Passwords: Argon2id, off the async threads, a few at a time.

use std::sync::{Arc, LazyLock};

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

use crate::error::ApiError;

/// Shortest password, in characters.
pub(crate) const SHORTEST: usize = 10;
/// Longest password, in bytes: hashing must not become a burden.
const LONGEST: usize = 1024;

static AT_ONCE: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(2)));

/// Whether a new password will do.
pub(crate) fn check_new(password: &str) -> Result<(), ApiError> {
    if password.chars().count() < SHORTEST || password.len() > LONGEST {
        let detail = format!("A password has at least {SHORTEST} characters and at most {LONGEST} bytes.");
        return Err(ApiError::new(axum::http::StatusCode::UNPROCESSABLE_ENTITY, "WEAK_PASSWORD", detail));
    }
    Ok(())
}

/// Hash a new password.
pub(crate) async fn hash(password: String) -> Result<String, ApiError> {
    blocking(move || {
        let hash = Argon2::default().hash_password(password.as_bytes());
        hash.map(|hash| hash.to_string()).map_err(|_| ApiError::internal("a password could not be hashed"))
    })
    .await?
}

/// Whether the password is right. Without a hash (no such user) one is spent
/// all the same, so that the time says nothing.
pub(crate) async fn verify(password: String, stored: Option<String>) -> Result<bool, ApiError> {
    blocking(move || {
        if password.len() > LONGEST {
            return false;
        }
        match stored {
            Some(stored) => Argon2::default().verify_password(password.as_bytes(), stored.as_str()).is_ok(),
            None => {
                let _spent = Argon2::default().hash_password(password.as_bytes());
                false
            }
        }
    })
    .await
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

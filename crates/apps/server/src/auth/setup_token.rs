//! The one-time token of the first set-up: printed to the operator's terminal,
//! stored as its hash, worth nothing once an administrator exists.

use anyhow::{Context, Result};
use gc_access::Secret;
use gc_store::{Millis, Store, StoreError};

/// Where the hash is kept.
const SETTING: &str = "setup_token_hash";

/// A new token; those before it are worth nothing from now on. `None` when
/// there is an administrator.
pub(crate) async fn issue(store: &Store, now: Millis) -> Result<Option<Secret>> {
    if store.has_admin().await? {
        return Ok(None);
    }
    let mut bits = [0; 32];
    getrandom::fill(&mut bits).context("the random source failed")?;
    let token = Secret::random("", &bits);
    store.set_setting(SETTING, token.hash().to_hex().into(), now).await?;
    Ok(Some(token))
}

/// Whether this is the token that was issued last.
pub(crate) async fn matches(store: &Store, token: String) -> Result<bool, StoreError> {
    // Hashes are compared: how long that takes says nothing about the token.
    let hash = Secret::new(token).hash().to_hex();
    Ok(store.setting(SETTING).await?.is_some_and(|stored| stored.as_str() == Some(hash.as_str())))
}

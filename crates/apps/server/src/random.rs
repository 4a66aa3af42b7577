//! The operating system's random source.

use crate::error::ApiError;

/// 256 random bits.
pub(crate) fn bits() -> Result<[u8; 32], ApiError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| ApiError::internal("the random source failed"))?;
    Ok(bytes)
}

/// One random byte after another.
pub(crate) fn byte() -> Result<u8, ApiError> {
    let mut bytes = [0; 1];
    getrandom::fill(&mut bytes).map_err(|_| ApiError::internal("the random source failed"))?;
    let [byte] = bytes;
    Ok(byte)
}

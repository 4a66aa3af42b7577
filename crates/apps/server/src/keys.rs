//! The server's own keys, made at first start and kept in its data folder.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

/// A key pair from `file`, made where there is none. Nobody but the owner can
/// read the file.
pub(crate) fn load_or_create(folder: &Path, name: &str) -> Result<SigningKey> {
    let seed = bits(folder, name)?;
    Ok(SigningKey::from_bytes(&seed))
}

/// 256 random bits from `file`, drawn where there is none. Nobody but the owner
/// can read the file.
pub(crate) fn bits(folder: &Path, name: &str) -> Result<Zeroizing<[u8; 32]>> {
    let path = folder.join(name);
    if path.exists() {
        let bytes = Zeroizing::new(std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?);
        ensure!(bytes.len() == 32, "{} is damaged: restore it from a back-up", path.display());
        let mut seed = Zeroizing::new([0; 32]);
        seed.copy_from_slice(&bytes);
        return Ok(seed);
    }
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed).context("the random source failed")?;
    write(&path, &*seed)?;
    Ok(seed)
}

/// Write a file that nobody but the owner can read, whole or not at all.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".new");
    let partial = PathBuf::from(partial);
    let mut file = private(&partial)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&partial, path)?;
    // Its name as well: what is sealed with a key must not outlive it.
    if let Some(folder) = path.parent().filter(|folder| cfg!(unix) && !folder.as_os_str().is_empty()) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// A new, empty file that nobody but the owner can read.
pub(crate) fn private(path: &Path) -> Result<File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path).with_context(|| format!("cannot write {}", path.display()))
}

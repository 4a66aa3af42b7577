//! Back-up and restore of everything that a server with the embedded database
//! keeps: one archive.

use std::fs::File;
use std::path::{Component, Path};

use anyhow::{Context, Result, bail, ensure};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use crate::keys;
use crate::serve::DATABASE;

/// Write `data` to the archive `output`, while a server runs on it or not.
///
/// # Errors
/// When something cannot be read or written. Nothing half-written is left.
pub async fn back_up(data: &Path, output: &Path) -> Result<()> {
    ensure!(!output.exists(), "{} exists already", output.display());
    let database = data.join(DATABASE);
    ensure!(database.is_file(), "there is no embedded database in {}", data.display());
    // Beside the archive, where there has to be room anyway; gone again with
    // whatever goes wrong.
    let beside = output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = tempfile::tempdir_in(beside).with_context(|| format!("cannot write in {}", beside.display()))?;
    let copy = folder.path().join(DATABASE);
    gc_store::copy_sqlite(&database, &copy).await.context("the database cannot be copied")?;
    // Whoever reads it reads every secret of this server.
    let archive = folder.path().join("archive");
    pack(data, &copy, keys::private(&archive)?)?;
    std::fs::rename(&archive, output).with_context(|| format!("cannot write {}", output.display()))
}

fn pack(data: &Path, database: &Path, file: File) -> Result<()> {
    let mut archive = tar::Builder::new(GzEncoder::new(file, Compression::default()));
    archive.append_path_with_name(database, DATABASE)?;
    for entry in std::fs::read_dir(data).with_context(|| format!("cannot read {}", data.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_str().context("a file in the data folder has no readable name")?;
        // The database was copied whole; its parts would not fit the copy.
        if name.starts_with(DATABASE) || name.starts_with('.') || name.ends_with(".new") {
            continue;
        }
        if entry.file_type()?.is_dir() {
            archive.append_dir_all(name, entry.path())?;
        } else {
            archive.append_path_with_name(entry.path(), name)?;
        }
    }
    archive.into_inner()?.finish()?.sync_all()?;
    Ok(())
}

/// Lay the archive `input` out in `data`, which has to be empty or absent.
///
/// # Errors
/// When the folder is in use, or the archive is not one of ours or damaged.
pub fn restore(input: &Path, data: &Path) -> Result<()> {
    if data.exists() && std::fs::read_dir(data)?.next().is_some() {
        bail!("{} is not empty: restore into a new folder", data.display());
    }
    let mut partial = data.as_os_str().to_owned();
    partial.push(".restoring");
    let partial = Path::new(&partial);
    ensure!(!partial.exists(), "{} is left from an attempt before: remove it", partial.display());
    let file = File::open(input).with_context(|| format!("cannot read {}", input.display()))?;
    let laid_out = unpack(file, partial);
    if let Err(error) = laid_out {
        // What is incomplete must not be taken for a server's data.
        let _: Result<(), _> = std::fs::remove_dir_all(partial);
        return Err(error);
    }
    if data.exists() {
        std::fs::remove_dir(data)?;
    }
    std::fs::rename(partial, data).with_context(|| format!("cannot make {}", data.display()))
}

fn unpack(file: File, folder: &Path) -> Result<()> {
    crate::data::prepare_folder(folder)?;
    let mut archive = tar::Archive::new(GzDecoder::new(file));
    archive.set_overwrite(false);
    for entry in archive.entries().context("this is no back-up")? {
        let mut entry = entry.context("the back-up is damaged")?;
        let path = entry.path()?.into_owned();
        let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
        let kind = entry.header().entry_type();
        ensure!(plain && (kind.is_file() || kind.is_dir()), "the back-up holds {}, which is not ours", path.display());
        entry.unpack_in(folder).context("the back-up is damaged")?;
    }
    ensure!(folder.join(DATABASE).is_file() && folder.join("identity.key").is_file(), "this is no whole back-up");
    Ok(())
}

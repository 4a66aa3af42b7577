//! Where the server keeps what it has to keep.

use std::path::Path;

use anyhow::{Context, Result};

/// What is said where PostgreSQL does not let us in.
pub(crate) const NO_POSTGRES: &str = "PostgreSQL cannot be opened";

/// Make the data folder, for this user alone.
pub(crate) fn prepare_folder(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))
            .with_context(|| format!("cannot protect {}", folder.display()))?;
    }
    Ok(())
}

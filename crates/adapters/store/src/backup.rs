//! A copy of the embedded database while it is used.

use std::path::Path;

use sea_orm::{ConnectOptions, ConnectionTrait, Database};

use crate::Result;

/// Copy the SQLite file `from` to `to`, which must not exist: one moment of it,
/// whole, while a server goes on writing.
///
/// # Errors
/// When it cannot be read or written.
pub async fn copy_sqlite(from: &Path, to: &Path) -> Result<()> {
    let mut options = ConnectOptions::new(format!("sqlite://{}?mode=rw", from.display()));
    options.max_connections(1).sqlx_logging(false);
    let database = Database::connect(options).await?;
    let target = to.display().to_string().replace('\'', "''");
    database.execute_unprepared(&format!("VACUUM INTO '{target}'")).await?;
    database.close().await?;
    Ok(())
}

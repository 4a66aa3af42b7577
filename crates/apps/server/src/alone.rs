//! One server a data folder, and one a database: two would each believe that
//! its memory is the truth.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, anyhow, bail};
use gc_store::{HeldBy, ServerLock};

use crate::config::Config;
use crate::{data, keys};

/// Whoever holds it is the folder's server. Its dot keeps it out of back-ups.
const LOCK: &str = ".lock";
/// How long a start waits for the server before it to be gone, and for the
/// database to see that, and how often it asks.
const PATIENCE: Duration = Duration::from_secs(3);
const PACE: Duration = Duration::from_millis(100);
/// How often a server looks whether it is still alone, and how often once it
/// cannot tell.
const LOOK: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// How long the database may take to say so.
const ANSWER: Duration = Duration::from_secs(5);

/// What makes this server the only one. The system lets go of what was killed.
pub(crate) struct Alone {
    _folder: File,
    database: Option<ServerLock>,
}

impl Alone {
    /// Take folder and database, or say that another server has them.
    pub(crate) async fn take(config: &Config) -> Result<Self> {
        let folder = take_folder(&config.data).await?;
        let database = match &config.database_url {
            Some(url) => Some(take_database(url.expose()).await?),
            None => None,
        };
        Ok(Self { _folder: folder, database })
    }

    /// Wait until another server has the database, which it can take while the
    /// database restarts. For ever, where nobody does.
    pub(crate) async fn lost(&mut self) -> Error {
        let Some(lock) = &mut self.database else { return std::future::pending().await };
        let mut sure = true;
        loop {
            tokio::time::sleep(if sure { LOOK } else { LOOK_AGAIN }).await;
            match tokio::time::timeout(ANSWER, lock.hold()).await {
                Ok(Ok(HeldBy::This)) if sure => {}
                Ok(Ok(HeldBy::This)) => {
                    tracing::info!("this server holds its database again");
                    sure = true;
                }
                Ok(Ok(HeldBy::Another)) => return anyhow!("another server has taken the database: this one ends"),
                Ok(Ok(HeldBy::Lost)) => tracing::debug!("a session that was lost still holds the database"),
                Ok(Err(_)) | Err(_) if sure => {
                    tracing::warn!("the line that holds the database is lost: trying to hold it again");
                    sure = false;
                }
                Ok(Err(_)) | Err(_) => {}
            }
        }
    }
}

async fn take_folder(folder: &Path) -> Result<File> {
    data::prepare_folder(folder)?;
    let lock = keys::private(&folder.join(LOCK))?;
    let begun = Instant::now();
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            // One that is about to end has its moment.
            Err(TryLockError::WouldBlock) if begun.elapsed() <= PATIENCE => tokio::time::sleep(PACE).await,
            Err(TryLockError::WouldBlock) => {
                bail!("another server runs on {}: stop it, or choose another folder with --data", folder.display())
            }
            Err(TryLockError::Error(error)) => {
                let refused = || format!("{} cannot be taken for this server alone", folder.display());
                return Err(error).with_context(refused);
            }
        }
    }
}

async fn take_database(url: &str) -> Result<ServerLock> {
    let mut lock = ServerLock::new(url).context(data::NO_POSTGRES)?;
    let begun = Instant::now();
    while lock.hold().await.context(data::NO_POSTGRES)? != HeldBy::This {
        if begun.elapsed() > PATIENCE {
            bail!("another server runs on this PostgreSQL database: stop it, or name another database");
        }
        tokio::time::sleep(PACE).await;
    }
    Ok(lock)
}

//! Opening a database and bringing its schema up to date.

use std::path::Path;
use std::time::Duration;

use sea_orm::sqlx::{self, Connection, SqliteConnection};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, DbBackend,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use sea_orm_migration::MigratorTrait;

use crate::Result;
use crate::migration::Migrator;

/// The database. Cloning shares it.
///
/// SQLite is written through one connection whose transactions take the write
/// lock at once, and read through others beside it; so writers queue up here
/// instead of failing there.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) read: DatabaseConnection,
    pub(crate) write: DatabaseConnection,
}

impl Store {
    /// Open the SQLite file `path`, making it where there is none.
    ///
    /// # Errors
    /// When it cannot be opened or brought up to date.
    pub async fn open_sqlite(path: &Path) -> Result<Self> {
        let url = format!("sqlite://{}?mode=rwc", path.display());
        let connect = |most| {
            let mut options = ConnectOptions::new(url.clone());
            options.max_connections(most).min_connections(1).sqlx_logging(false).map_sqlx_sqlite_opts(|options| {
                options
                    .pragma("journal_mode", "WAL")
                    .pragma("synchronous", "NORMAL")
                    .foreign_keys(true)
                    .busy_timeout(Duration::from_secs(5))
            });
            options.map_sqlx_sqlite_pool_opts(|options| {
                options.after_release(|connection, _| Box::pin(is_clean(connection)))
            });
            options
        };
        let write = Database::connect(connect(1)).await?;
        let store = Self { read: write.clone(), write };
        store.migrate().await?;
        let read = Database::connect(connect(4)).await?;
        Ok(Self { read, ..store })
    }

    /// Open a PostgreSQL database by its URL.
    ///
    /// # Errors
    /// When it cannot be reached or brought up to date.
    pub async fn open_postgres(url: &str) -> Result<Self> {
        let mut options = ConnectOptions::new(url);
        // Whoever asks while it is gone hears so soon.
        options.max_connections(12).sqlx_logging(false).acquire_timeout(Duration::from_secs(3));
        let write = Database::connect(options).await?;
        let store = Self { read: write.clone(), write };
        store.migrate().await?;
        Ok(store)
    }

    /// Apply what is missing of the schema. Safe to repeat.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn migrate(&self) -> Result<()> {
        Migrator::up(&self.write, None).await?;
        Ok(())
    }

    /// Whether the database answers and can be written to.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<()> {
        self.read.execute_unprepared("SELECT 1").await?;
        let tx = self.begin().await?;
        tx.execute_unprepared("UPDATE tenants SET name = name WHERE name IS NULL").await?;
        tx.rollback().await?;
        Ok(())
    }

    /// Leave nothing of what was overwritten in the embedded database's files.
    /// PostgreSQL clears such rows by itself in time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_freed(&self) -> Result<()> {
        if !self.is_postgres() {
            self.write.execute_unprepared("VACUUM").await?;
            self.write.execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await?;
        }
        Ok(())
    }

    /// Whether this is PostgreSQL.
    #[must_use]
    pub fn is_postgres(&self) -> bool {
        self.write.get_database_backend() == DbBackend::Postgres
    }

    /// A transaction that may write from its first statement on.
    pub(crate) async fn begin(&self) -> Result<DatabaseTransaction> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..Default::default()
        };
        Ok(self.write.begin_with_options(options).await?)
    }
}

/// Whether a connection may be used again. Where the disk is full SQLite ends a
/// transaction by itself, and the driver goes on counting it: whatever was
/// written from then on would never be committed. Such a connection is closed.
async fn is_clean(connection: &mut SqliteConnection) -> std::result::Result<bool, sqlx::Error> {
    // A transaction that was dropped is rolled back behind this.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

//! One server a PostgreSQL database: it holds a lock by a session of its own.

use std::fmt::{Debug, Formatter};
use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sea_orm::sqlx::{self, ConnectOptions};
use sea_orm::{DbErr, RuntimeErr};

use crate::{Result, StoreError};

/// How long a connection may take; one that is refused is tried again so long.
const CONNECT: Duration = Duration::from_secs(3);

/// Who holds a server's lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldBy {
    /// This server.
    This,
    /// A session that this server has lost and the database has not yet. It is
    /// told to end.
    Lost,
    /// Another server.
    Another,
}

/// The lock of a PostgreSQL database's server. It is held as long as its session
/// lasts; the database lets go of what was killed.
pub struct ServerLock {
    options: PgConnectOptions,
    session: Option<PgConnection>,
    /// The session that held it last.
    last: Identity,
}

/// A session's process, and when it began: processes' numbers come again.
type Identity = (i32, String);

impl ServerLock {
    /// The lock of the database at this URL, not held yet.
    ///
    /// # Errors
    /// When the URL is none.
    pub fn new(url: &str) -> Result<Self> {
        let options = url.parse::<PgConnectOptions>().map_err(unavailable)?.disable_statement_logging();
        Ok(Self { options, session: None, last: Identity::default() })
    }

    /// Take it, or see that it is still held.
    ///
    /// # Errors
    /// When the database does not answer. The session is given up then, and as
    /// well where this is not waited for to its end.
    pub async fn hold(&mut self) -> Result<HeldBy> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => connect(self.options.clone()).await.map_err(unavailable)?,
        };
        let held_by = ask(&mut session, &mut self.last).await.map_err(unavailable)?;
        self.session = Some(session);
        Ok(held_by)
    }
}

impl Debug for ServerLock {
    /// Without the password.
    fn fmt(&self, out: &mut Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("ServerLock").field("last", &self.last).finish_non_exhaustive()
    }
}

async fn connect(options: PgConnectOptions) -> sqlx::Result<PgConnection> {
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(CONNECT).connect_with(options).await?;
    let mut session = pool.acquire().await?.detach();
    // A computer that went without a word holds it for a quarter of a minute.
    sqlx::raw_sql("SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 2")
        .execute(&mut session)
        .await?;
    Ok(session)
}

async fn ask(session: &mut PgConnection, last: &mut Identity) -> sqlx::Result<HeldBy> {
    // A session that holds it already takes it once more.
    let (held, process, begun) = sqlx::query_as::<_, (bool, i32, String)>(
        "SELECT pg_try_advisory_lock(7203002), pid, backend_start::text FROM pg_stat_get_activity(pg_backend_pid())",
    )
    .fetch_one(&mut *session)
    .await?;
    if held {
        *last = (process, begun);
        return Ok(HeldBy::This);
    }
    let told = sqlx::query_scalar::<_, bool>(
        "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_stat_activity USING (pid) \
         WHERE locktype = 'advisory' AND (classid, objid, objsubid) = (0, 7203002, 1) AND granted \
         AND pid = $1 AND backend_start::text = $2",
    )
    .bind(last.0)
    .bind(&last.1)
    .fetch_optional(session)
    .await?;
    Ok(if told.is_some() { HeldBy::Lost } else { HeldBy::Another })
}

fn unavailable(error: sqlx::Error) -> StoreError {
    StoreError::Database(DbErr::Conn(RuntimeErr::SqlxError(error.into())))
}

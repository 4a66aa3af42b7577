//! A database for one server: a SQLite file of its own, or a PostgreSQL
//! database of its own where `GC_TEST_DATABASE_URL` names a server.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, bail};
use gc_store::Store;

/// The variable that names a PostgreSQL server on which databases may be made.
const VARIABLE: &str = "GC_TEST_DATABASE_URL";

static NEXT: AtomicU32 = AtomicU32::new(0);

/// The PostgreSQL server to use.
///
/// # Errors
/// When none is named: a test that needs one fails then, since a test that is
/// skipped looks like one that has passed.
pub fn postgres_url() -> Result<String> {
    std::env::var(VARIABLE).with_context(|| {
        format!("{VARIABLE} is not set: name a PostgreSQL server on which this test may create a database")
    })
}

/// Where one server keeps its rows.
#[derive(Debug)]
pub struct TestDatabase {
    postgres: Option<Postgres>,
}

#[derive(Debug)]
struct Postgres {
    server: String,
    name: String,
    url: String,
}

impl TestDatabase {
    /// PostgreSQL where the variable names a server, else SQLite.
    ///
    /// # Errors
    /// When the database cannot be made.
    pub fn from_environment() -> Result<Self> {
        if std::env::var_os(VARIABLE).is_some() { Self::postgres() } else { Ok(Self::sqlite()) }
    }

    /// A file in the server's own folder.
    #[must_use]
    pub fn sqlite() -> Self {
        Self { postgres: None }
    }

    /// A fresh database on the server that the variable names.
    ///
    /// # Errors
    /// When the variable is missing or the database cannot be made.
    pub fn postgres() -> Result<Self> {
        let server = postgres_url()?;
        note_password(&server);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("gc_test_{}_{number}", std::process::id());
        // Databases of earlier runs with this process id may have stayed behind.
        psql(&server, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))?;
        psql(&server, &format!("CREATE DATABASE {name}"))?;
        let (base, query) = match server.split_once('?') {
            Some((base, query)) => (base, format!("?{query}")),
            None => (server.as_str(), String::new()),
        };
        let authority = base.find("://").map_or(0, |at| at + 3);
        let end = base[authority..].find('/').map_or(base.len(), |at| authority + at);
        let url = format!("{}/{name}{query}", &base[..end]);
        Ok(Self { postgres: Some(Postgres { server, name, url }) })
    }

    /// PostgreSQL's URL, where it is that.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        self.postgres.as_ref().map(|postgres| postgres.url.as_str())
    }

    /// Open it beside the server that uses it; `folder` is the server's.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn open(&self, folder: &Path) -> Result<Store> {
        Ok(match self.url() {
            Some(url) => Store::open_postgres(url).await?,
            None => Store::open_sqlite(&folder.join("guruconnect.sqlite")).await?,
        })
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Some(Postgres { server, name, .. }) = &self.postgres {
            // What cannot be dropped stays in the throw-away server; the test
            // itself has its verdict already.
            let _: Result<()> = psql(server, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }
}

/// For the search for secrets.
pub(crate) fn note_password(url: &str) {
    let authority = url.split_once("://").and_then(|(_, rest)| rest.split(['/', '?']).next()).unwrap_or_default();
    let user = authority.rsplit_once('@').map(|(user, _)| user).unwrap_or_default();
    if let Some((_, password)) = user.split_once(':') {
        gc_record::secret(gc_record::Kind::DatabasePassword, password);
    }
}

fn psql(server: &str, statement: &str) -> Result<()> {
    let output = Command::new("psql")
        .args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--command", statement, server])
        .output()
        .context("psql cannot be run")?;
    if !output.status.success() {
        bail!("psql failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

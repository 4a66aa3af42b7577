//! What is kept: repositories over SQLite and PostgreSQL, the same functions
//! on both.
//!
//! Architectural invariant: every query for tenant data goes through
//! [`tenancy`]; only this crate names the database library. Times are UTC
//! milliseconds since 1970 (`docs/adr/0002-time-in-the-database.md`).

mod api_tokens;
mod audit;
mod backup;
mod codes;
mod entity;
mod invitations;
mod migration;
mod model;
mod open;
mod second_factor;
mod server_lock;
mod sessions;
mod settings;
pub mod tenancy;
mod tokens;
mod user_list;
mod users;

pub use api_tokens::{ApiToken, NewApiToken};
pub use audit::{AuditFilter, AuditRecord, NewAudit};
pub use backup::copy_sqlite;
pub use codes::{CodeFilter, CodeStatus, NewCode, StoredCode};
pub use entity::{code::Model as CodeRow, session::Model as SessionRow, user::Model as UserRow};
pub use model::{ConsentState, Page, SessionFilter, Source, Status};
pub use open::Store;
pub use second_factor::Factor;
pub use server_lock::{HeldBy, ServerLock};
pub use sessions::SessionChange;
pub use tokens::LoginToken;
pub use user_list::UserFilter;
pub use users::{EndsLogins, NewUser, UserChange};

/// Milliseconds since 1970, UTC.
pub type Millis = i64;

/// Why the database did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Something of that name or key is there already.
    #[error("it exists already")]
    Duplicate,
    /// Somebody else was quicker with another change.
    #[error("it was changed meanwhile")]
    Changed,
    /// The database cannot be reached or refuses.
    #[error("the database is not available")]
    Database(#[source] sea_orm::DbErr),
    /// A row holds what this version does not understand.
    #[error("a stored row is not understood")]
    Corrupt,
}

impl From<sea_orm::DbErr> for StoreError {
    fn from(error: sea_orm::DbErr) -> Self {
        match error.sql_err() {
            Some(sea_orm::SqlErr::UniqueConstraintViolation(_)) => Self::Duplicate,
            _ => Self::Database(error),
        }
    }
}

/// The result of every repository function.
pub type Result<T> = std::result::Result<T, StoreError>;

//! Rows as the database library sees them.
#![expect(unreachable_pub, reason = "columns are documented in the migration; derives make the rest")]

pub mod api_token;
pub mod code;
pub mod event;
pub mod invitation;
pub mod login_token;
pub mod permission;
pub mod recovery_code;
pub mod session;
pub mod setting;
pub mod user;

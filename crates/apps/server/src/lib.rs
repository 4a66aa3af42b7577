//! The relay server: HTTP API, dashboard, downloads, and both WebSocket planes.
//!
//! Architectural invariant: handlers decide nothing by themselves. Rights come
//! from `gc-access`, session rules from `gc-session`, routing from
//! `gc-protocol`; the code here moves bytes and writes rows.

mod address;
mod alone;
mod api;
mod app;
mod auth;
mod backup;
mod client_file;
pub mod clock;
pub mod config;
mod connections;
mod data;
mod error;
mod keys;
mod listen;
mod meters;
mod random;
mod read_ahead;
mod relay;
mod request;
mod request_id;
mod serve;
mod settings;
mod tls;
mod web;

pub use api::{Reading, read};
pub use backup::{back_up, restore};
pub use client_file::fill_anchor;
pub use config::Config;
pub use serve::{Running, fresh_setup, migrate, start};

/// The API's description, as it is served.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    api::describe()
}

/// The public half of a server's identity, made where there is none.
///
/// # Errors
/// When the key cannot be read or written.
pub fn identity(data: &std::path::Path) -> anyhow::Result<[u8; 32]> {
    std::fs::create_dir_all(data)?;
    Ok(keys::load_or_create(data, "identity.key")?.verifying_key().to_bytes())
}

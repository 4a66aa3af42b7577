//! Shapes that several calls share.

use gc_access::Permissions;
use gc_store::{Millis, Page, UserRow};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;
use uuid::Uuid;

use super::words::{PermissionName, RoleName};

/// A time, as the API writes it.
pub(super) fn at(millis: Millis) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_default()
}

/// A user, as others see them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct User {
    pub(crate) id: Uuid,
    pub(crate) username: String,
    pub(crate) display_name: String,
    #[schema(value_type = RoleName)]
    pub(crate) role: String,
    /// What they may do, by name.
    #[schema(value_type = Vec<PermissionName>)]
    pub(crate) permissions: Vec<String>,
    pub(crate) enabled: bool,
    pub(crate) must_change_password: bool,
    /// Whether a one-time code is due beside the password.
    pub(crate) second_factor: bool,
    #[schema(format = DateTime)]
    pub(crate) created_at: String,
    #[schema(format = DateTime)]
    pub(crate) last_login_at: Option<String>,
}

impl User {
    pub(super) fn new(row: UserRow, permissions: &Permissions) -> Self {
        Self {
            id: row.id,
            username: row.username,
            display_name: row.display_name,
            role: row.role,
            permissions: permissions.list().into_iter().map(|permission| permission.as_str().to_owned()).collect(),
            enabled: row.enabled,
            must_change_password: row.must_change_password,
            second_factor: row.mfa_secret.is_some(),
            created_at: at(row.created_at),
            last_login_at: row.last_login_at.map(at),
        }
    }
}

/// A part of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct List<T> {
    pub(crate) items: Vec<T>,
    /// Give it back as `after` for what follows; null at the end.
    pub(crate) next: Option<String>,
}

impl<T> List<T> {
    /// A page of rows, as the API writes them.
    pub(super) fn of<R, C: ToString>(page: Page<R, C>, write: impl FnMut(R) -> T) -> Self {
        Self { items: page.items.into_iter().map(write).collect(), next: page.next.map(|next| next.to_string()) }
    }
}

/// How many rows a page has at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit(pub(super) u64);

impl Default for Limit {
    fn default() -> Self {
        Self(50)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let limit = u64::deserialize(from)?;
        if (1..=200).contains(&limit) { Ok(Self(limit)) } else { Err(D::Error::custom("limit is 1 to 200")) }
    }
}

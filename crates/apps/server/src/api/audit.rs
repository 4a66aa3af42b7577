//! The audit trail: read only.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use gc_access::Permission;
use gc_store::{AuditFilter, AuditRecord, Millis};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::shapes::{Limit, List, at};
use crate::app::App;
use crate::auth::caller::Caller;
use crate::error::ApiError;
use crate::request::Query;

/// Rows of an export that are read at a time.
const PAGE: u64 = 1_000;
/// Rows of one export at most; what is older wants a filter.
const EXPORT: usize = 50_000;

/// Something that happened.
#[derive(Serialize, ToSchema)]
pub(crate) struct AuditEvent {
    id: i64,
    #[schema(format = DateTime)]
    at: String,
    /// What happened, such as `login` or `consent_granted`.
    event: String,
    /// `ok` or `refused`.
    outcome: String,
    /// Who did it, where it was a user.
    actor_id: Option<Uuid>,
    actor_name: Option<String>,
    /// What it was done to.
    target: Option<String>,
    session_id: Option<Uuid>,
    /// The viewer's shown name at that time.
    viewer_name: Option<String>,
    address: Option<String>,
    /// More, by name; never contents.
    #[schema(value_type = Object)]
    details: serde_json::Value,
}

impl AuditEvent {
    fn new(row: AuditRecord, names: &HashMap<Uuid, String>) -> Self {
        Self {
            id: row.id,
            at: at(row.created_at),
            event: row.event_type,
            outcome: row.outcome,
            actor_name: row.actor_id.and_then(|id| names.get(&id).cloned()),
            actor_id: row.actor_id,
            target: row.target,
            session_id: row.session_id,
            viewer_name: row.viewer_name,
            address: row.ip_address,
            details: row.details,
        }
    }
}

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Only of this name.
    #[param(pattern = "^[a-z_]{1,64}$", example = "login")]
    event: Option<String>,
    /// Only of this session.
    session_id: Option<Uuid>,
    /// Only what this user did.
    actor_id: Option<Uuid>,
    /// Not before this time (RFC 3339).
    #[param(format = DateTime)]
    since: Option<String>,
    /// Before this time (RFC 3339).
    #[param(format = DateTime)]
    until: Option<String>,
}

/// Which events, and which part of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only of this name.
    #[param(pattern = "^[a-z_]{1,64}$", example = "login")]
    event: Option<String>,
    /// Only of this session.
    session_id: Option<Uuid>,
    /// Only what this user did.
    actor_id: Option<Uuid>,
    /// Not before this time (RFC 3339).
    #[param(format = DateTime)]
    since: Option<String>,
    /// Before this time (RFC 3339).
    #[param(format = DateTime)]
    until: Option<String>,
    /// The `next` of the page before.
    after: Option<i64>,
    /// At most so many.
    #[serde(default)]
    #[param(value_type = Option<u64>, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
}

impl Which {
    pub(super) fn rows(self, limit: u64) -> Result<AuditFilter, ApiError> {
        let is_name =
            |name: &String| (1..=64).contains(&name.len()) && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'_'));
        if self.event.as_ref().is_some_and(|name| !is_name(name)) {
            return Err(ApiError::bad_request("INVALID_QUERY", "An event has a name such as consent_granted."));
        }
        Ok(AuditFilter {
            session_id: self.session_id,
            actor_id: self.actor_id,
            event: self.event,
            since: self.since.as_deref().map(moment).transpose()?,
            until: self.until.as_deref().map(moment).transpose()?,
            before: None,
            limit,
        })
    }
}

fn moment(text: &str) -> Result<Millis, ApiError> {
    let wrong = || ApiError::bad_request("INVALID_QUERY", "A time is written like 2026-11-24T09:30:00Z.");
    let time = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| wrong())?;
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).map_err(|_| wrong())
}

/// What happened, newest first.
#[utoipa::path(get, path = "/api/audit", operation_id = "list_audit", tag = "audit",
    params(Filter),
    responses((status = 200, body = List<AuditEvent>, description = "A page.")))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(filter): Query<Filter>,
) -> Result<Json<List<AuditEvent>>, ApiError> {
    caller.require(Permission::ViewAudit)?;
    let (before, limit) = (filter.after, filter.limit.0);
    let which = Which {
        event: filter.event,
        session_id: filter.session_id,
        actor_id: filter.actor_id,
        since: filter.since,
        until: filter.until,
    };
    let mut rows = app.store.audit_trail(AuditFilter { before, ..which.rows(limit + 1)? }).await?;
    let more = rows.len() as u64 > limit;
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next = rows.last().filter(|_| more).map(|row| row.id.to_string());
    let names = names(&app, &rows).await?;
    Ok(Json(List { items: rows.into_iter().map(|row| AuditEvent::new(row, &names)).collect(), next }))
}

/// The same as a table for other programs: CSV (RFC 4180) in UTF-8, newest
/// first, at most 50,000 rows.
#[utoipa::path(get, path = "/api/audit/export", operation_id = "export_audit", tag = "audit",
    params(Which),
    responses((status = 200, body = String, content_type = "text/csv", description = "The table, with a line of names.",
            headers(("content-disposition" = String, description = "A name for the file.")))))]
pub(crate) async fn export(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(which): Query<Which>,
) -> Result<Response, ApiError> {
    caller.require(Permission::ViewAudit)?;
    let mut filter = which.rows(PAGE)?;
    let mut table = String::from("time,event,outcome,actor,target,session,viewer,address,details\r\n");
    let mut written = 0;
    while written < EXPORT {
        let rows = app.store.audit_trail(filter.clone()).await?;
        let Some(last) = rows.last().map(|row| row.id) else { break };
        filter.before = Some(last);
        let names = names(&app, &rows).await?;
        for row in rows.into_iter().take(EXPORT - written) {
            written += 1;
            line(&mut table, &AuditEvent::new(row, &names));
        }
    }
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    let name = HeaderValue::from_static("attachment; filename=\"guruconnect-audit.csv\"");
    Ok(([kind, (header::CONTENT_DISPOSITION, name)], table).into_response())
}

fn line(table: &mut String, event: &AuditEvent) {
    let session = event.session_id.map(|id| id.to_string());
    let details = event.details.to_string();
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let actor = event.actor_name.clone().or_else(|| event.actor_id.map(|id| id.to_string()));
    let cells = [
        event.at.clone(),
        event.event.clone(),
        event.outcome.clone(),
        text(&actor),
        text(&event.target),
        text(&session),
        text(&event.viewer_name),
        text(&event.address),
        details,
    ];
    let cells: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
    table.push_str(&cells.join(","));
    table.push_str("\r\n");
}

/// A cell that no spreadsheet takes for a formula.
fn quoted(cell: &str) -> String {
    let guard = if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    format!("\"{guard}{}\"", cell.replace('"', "\"\""))
}

/// Shown names of those who did something.
async fn names(app: &App, rows: &[AuditRecord]) -> Result<HashMap<Uuid, String>, ApiError> {
    let ids = rows.iter().filter_map(|row| row.actor_id).collect();
    Ok(app.store.display_names(ids).await?)
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn cells_are_text() {
        for (cell, expected) in [
            ("plain", "\"plain\""),
            ("say \"yes\", please", "\"say \"\"yes\"\", please\""),
            ("=HYPERLINK(1)", "\"'=HYPERLINK(1)\""),
            ("@sum", "\"'@sum\""),
            ("", "\"\""),
        ] {
            assert_eq!(quoted(cell), expected);
        }
    }
}

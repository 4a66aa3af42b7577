//! Support codes.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use gc_access::{Access, Permission, SupportCode};
use gc_protocol::limits;
use gc_session::EndReason;
use gc_store::{CodeFilter, CodeStatus, NewAudit, NewCode, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::shapes::{Limit, List, at};
use super::words::CodeState;
use crate::address::ClientAddress;
use crate::app::App;
use crate::auth::caller::Caller;
use crate::error::{ApiError, ErrorBody};
use crate::request::{Body, Path, Query};

/// Longest note, in characters.
const NOTE: usize = 500;

/// What a person will be asked for.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Asked {
    View,
    Control,
}

/// A code to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateCode {
    access: Asked,
    /// For the technician's own memory.
    #[schema(max_length = 500)]
    note: Option<String>,
}

/// A code that was created.
#[derive(Serialize, ToSchema)]
pub(crate) struct CreatedCode {
    /// To be read out: three groups of three.
    #[schema(example = "ABC-DEF-GHJ")]
    code: String,
    #[schema(format = DateTime)]
    expires_at: String,
    session_id: Uuid,
}

/// Create a support code and the session that it opens.
#[utoipa::path(post, path = "/api/codes", operation_id = "create_code", tag = "codes",
    request_body = CreateCode,
    responses((status = 201, body = CreatedCode, description = "Created.")))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    caller: Caller,
    Body(wanted): Body<CreateCode>,
) -> Result<(StatusCode, Json<CreatedCode>), ApiError> {
    caller.require(Permission::CreateCodes)?;
    if wanted.note.as_ref().is_some_and(|note| note.chars().count() > NOTE) {
        return Err(ApiError::invalid("A note has at most 500 characters."));
    }
    let note = wanted.note.map(|note| limits::displayable(note.trim(), NOTE)).filter(|note| !note.is_empty());
    let now = app.clock.wall();
    let lifetime = i64::try_from(limits::CODE_LIFETIME.as_millis()).unwrap_or(0);
    for _ in 0..8 {
        let code = SupportCode::generate(crate::random::byte)?;
        let new = NewCode {
            code: code.clone(),
            access: match wanted.access {
                Asked::View => Access::ViewOnly,
                Asked::Control => Access::Control,
            },
            created_by: caller.user.id,
            technician_name: caller.user.display_name.clone(),
            organization: app.settings.now().settings.organization.clone(),
            note: note.clone(),
            expires_at: app.clock.steady() + lifetime,
        };
        let stored = match app.store.create_code(new, now).await {
            Err(StoreError::Duplicate) => continue,
            other => other?,
        };
        app.audit(NewAudit {
            event: "code_created",
            session_id: Some(stored.session.id),
            actor_id: Some(caller.user.id),
            ip_address: Some(client.0.to_string()),
            ..Default::default()
        })
        .await;
        app.changed(stored.session.id, Some(caller.user.id)).await;
        let answer = CreatedCode {
            code: code.secret().expose().to_owned(),
            expires_at: at(app.clock.shown(stored.code.expires_at)),
            session_id: stored.session.id,
        };
        return Ok((StatusCode::CREATED, Json(answer)));
    }
    Err(ApiError::internal("no free support code was found"))
}

/// A code, as its creator sees it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Code {
    /// The code itself while it waits.
    code: Option<String>,
    session_id: Uuid,
    #[schema(value_type = CodeState)]
    status: String,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    expires_at: String,
    #[schema(format = DateTime)]
    consumed_at: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only those that stand so.
    #[param(value_type = Option<CodeState>)]
    status: Option<String>,
    /// The `next` of the page before.
    after: Option<Uuid>,
    /// At most so many.
    #[serde(default)]
    #[param(value_type = Option<u64>, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
}

/// One's own codes, newest first.
#[utoipa::path(get, path = "/api/codes", operation_id = "list_codes", tag = "codes",
    params(Filter),
    responses((status = 200, body = List<Code>, description = "A page.")))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(filter): Query<Filter>,
) -> Result<Json<List<Code>>, ApiError> {
    caller.require(Permission::CreateCodes)?;
    let unknown = || ApiError::bad_request("INVALID_QUERY", "There is no such status of a code.");
    let status = filter.status.map(|word| CodeStatus::from_word(&word).ok_or_else(unknown)).transpose()?;
    let filter = CodeFilter { created_by: Some(caller.user.id), status, before: filter.after, limit: filter.limit.0 };
    Ok(Json(List::of(app.store.codes(filter).await?, |row| Code {
        code: row.code,
        session_id: row.session_id,
        status: row.status,
        created_at: at(row.created_at),
        expires_at: at(app.clock.shown(row.expires_at)),
        consumed_at: row.consumed_at.map(at),
    })))
}

/// Take a code back before it is used.
#[utoipa::path(post, path = "/api/codes/{code}/cancel", operation_id = "cancel_code", tag = "codes",
    params(("code" = String, Path, description = "The code, with or without dashes, upper or lower case", example = "ABC-DEF-GHJ")),
    responses(
        (status = 204, description = "Taken back; its session has ended."),
        (status = 409, body = ErrorBody, description = "`CODE_USED`: somebody has used it in this moment."),
    ))]
pub(crate) async fn cancel(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    caller: Caller,
    Path(code): Path<String>,
) -> Result<StatusCode, ApiError> {
    caller.require(Permission::CreateCodes)?;
    let now = app.clock.wall();
    let stored = match SupportCode::parse(&code) {
        Some(code) => app.store.waiting_code(&code, app.clock.steady()).await?,
        None => None,
    };
    let own = |created_by: Option<Uuid>| caller.is_admin() || created_by == Some(caller.user.id);
    let stored = stored.filter(|stored| own(stored.code.created_by)).ok_or_else(|| ApiError::not_found("code"))?;
    if !app.store.cancel_code(stored.code.id, stored.session.id, EndReason::Cancelled.as_str(), now).await? {
        return Err(ApiError::conflict("CODE_USED", "The code has just been used."));
    }
    app.ended(stored.session.id, stored.session.created_by, EndReason::Cancelled).await;
    app.audit(NewAudit {
        event: "code_cancelled",
        session_id: Some(stored.session.id),
        actor_id: Some(caller.user.id),
        ip_address: Some(client.0.to_string()),
        ..Default::default()
    })
    .await;
    Ok(StatusCode::NO_CONTENT)
}

/// What the person sees before they start anything.
#[derive(Serialize, ToSchema)]
pub(crate) struct Preview {
    valid: bool,
    technician_name: Option<String>,
    organization: Option<String>,
    /// What the person will be asked for.
    access: Option<Asked>,
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

/// Look at a code without using it.
#[utoipa::path(get, path = "/api/codes/{code}/validate", operation_id = "validate_code", tag = "codes",
    params(("code" = String, Path, description = "The code, with or without dashes, upper or lower case", example = "ABC-DEF-GHJ")), security(()),
    responses(
        (status = 200, body = Preview, description = "What is known of it; `valid` is false for what is no code as well."),
        (status = 429, body = ErrorBody, description = "`RATE_LIMITED`: too many in a minute, or too many wrong ones in a row. Wait for as long as `Retry-After` says."),
    ))]
pub(crate) async fn validate(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    Path(code): Path<String>,
) -> Result<Json<Preview>, ApiError> {
    app.limits.code(client)?;
    let stored = match SupportCode::parse(&code) {
        Some(code) => app.store.waiting_code(&code, app.clock.steady()).await?,
        None => None,
    };
    app.limits.code_result(client, stored.is_some());
    Ok(Json(match stored {
        Some(stored) => Preview {
            valid: true,
            technician_name: Some(stored.session.technician_name),
            organization: Some(stored.session.organization),
            access: Some(match Access::from_name(&stored.session.requested_access) {
                Some(Access::Control) => Asked::Control,
                _ => Asked::View,
            }),
            expires_at: Some(at(app.clock.shown(stored.code.expires_at))),
        },
        None => Preview { valid: false, technician_name: None, organization: None, access: None, expires_at: None },
    }))
}

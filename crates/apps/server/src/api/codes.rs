//! Support codes.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use gc_access::{Access, Permission, SupportCode};
use gc_protocol::limits;
use gc_session::EndReason;
use gc_store::{NewAudit, NewCode, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::shapes::{List, at};
use crate::address::ClientAddress;
use crate::app::App;
use crate::auth::caller::Caller;
use crate::error::{ApiError, ErrorBody};
use crate::request::{Body, Path};

/// What a person will be asked for.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
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
    code: String,
    #[schema(format = DateTime)]
    expires_at: String,
    session_id: Uuid,
}

/// Create a support code and the session that it opens.
#[utoipa::path(post, path = "/api/codes", operation_id = "create_code", tag = "codes", request_body = CreateCode,
    security(("login" = []), ("cookie" = [])),
    responses((status = 201, body = CreatedCode), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 422, body = ErrorBody)))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    caller: Caller,
    Body(wanted): Body<CreateCode>,
) -> Result<(StatusCode, Json<CreatedCode>), ApiError> {
    caller.require(Permission::CreateCodes)?;
    let note = wanted.note.map(|note| limits::displayable(note.trim(), 500)).filter(|note| !note.is_empty());
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
    /// `waiting`, `consumed`, `cancelled` or `expired`.
    status: String,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    expires_at: String,
    #[schema(format = DateTime)]
    consumed_at: Option<String>,
}

/// One's own codes, newest first.
#[utoipa::path(get, path = "/api/codes", operation_id = "list_codes", tag = "codes", security(("login" = []), ("cookie" = [])),
    responses((status = 200, body = List<Code>), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub(crate) async fn list(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<List<Code>>, ApiError> {
    caller.require(Permission::CreateCodes)?;
    let items = app.store.codes(Some(caller.user.id), 50).await?.into_iter().map(|row| Code {
        code: row.code,
        session_id: row.session_id,
        status: row.status,
        created_at: at(row.created_at),
        expires_at: at(app.clock.shown(row.expires_at)),
        consumed_at: row.consumed_at.map(at),
    });
    Ok(Json(List { items: items.collect(), next: None }))
}

/// Take a code back before it is used.
#[utoipa::path(post, path = "/api/codes/{code}/cancel", operation_id = "cancel_code", tag = "codes", params(("code" = String, Path)),
    security(("login" = []), ("cookie" = [])),
    responses((status = 204), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
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
    /// What the person will be asked for: `view` or `control`.
    access: Option<&'static str>,
    #[schema(format = DateTime)]
    expires_at: Option<String>,
}

/// Look at a code without using it.
#[utoipa::path(get, path = "/api/codes/{code}/validate", operation_id = "validate_code", tag = "codes", params(("code" = String, Path)), security(()),
    responses((status = 200, body = Preview), (status = 429, body = ErrorBody)))]
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
                Some(Access::Control) => "control",
                _ => "view",
            }),
            expires_at: Some(at(app.clock.shown(stored.code.expires_at))),
        },
        None => Preview { valid: false, technician_name: None, organization: None, access: None, expires_at: None },
    }))
}

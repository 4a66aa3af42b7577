//! First set-up, once.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use gc_access::Role;
use gc_store::{NewAudit, NewUser, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::shapes::User;
use super::users;
use crate::address::ClientAddress;
use crate::app::App;
use crate::auth::{password, setup_token};
use crate::error::{ApiError, ErrorBody};
use crate::request::Body;

/// Whether this server still waits for its first administrator.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SetupState {
    pub(crate) open: bool,
}

/// Whether set-up is open; 404 once it is done.
#[utoipa::path(get, path = "/api/setup", operation_id = "setup_state", tag = "auth",
    security(()),
    responses(
        (status = 200, body = SetupState, description = "Set-up is open."),
        (status = 404, body = ErrorBody, description = "`NOT_FOUND`: set-up is done."),
    ))]
pub(crate) async fn state(State(app): State<Arc<App>>) -> Result<Json<SetupState>, ApiError> {
    if app.store.has_admin().await? {
        return Err(ApiError::not_found("route"));
    }
    Ok(Json(SetupState { open: true }))
}

/// The first administrator.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Setup {
    /// From the link that the server printed.
    token: String,
    #[schema(pattern = "^\\s*[\\p{L}\\p{N}._@+-]{1,64}\\s*$", example = "ada")]
    username: String,
    #[schema(min_length = 10, max_length = 256, format = Password)]
    password: String,
    /// Shown to people; the user name where there is none.
    #[schema(min_length = 1, max_length = 100, pattern = "[^\\s\\p{C}]", example = "Ada Lovelace")]
    display_name: Option<String>,
}

/// Create the first administrator with the one-time token.
#[utoipa::path(post, path = "/api/setup", operation_id = "setup", tag = "auth",
    request_body = Setup, security(()),
    responses(
        (status = 201, body = User, description = "The administrator."),
        (status = 401, body = ErrorBody, description = "`SETUP_TOKEN_INVALID`: not the token that the server printed last."),
        (status = 404, body = ErrorBody, description = "`NOT_FOUND`: set-up is done."),
        (status = 422, body = ErrorBody, description = "`WEAK_PASSWORD`, or `INVALID_REQUEST` as everywhere."),
        (status = 429, body = ErrorBody, description = "`RATE_LIMITED`: wait for as long as `Retry-After` says."),
    ))]
pub(crate) async fn setup(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    Body(wanted): Body<Setup>,
) -> Result<(StatusCode, Json<User>), ApiError> {
    let _turn = app.setup.lock().await;
    if app.store.has_admin().await? {
        return Err(ApiError::not_found("route"));
    }
    app.limits.login(client)?;
    if !setup_token::matches(&app.store, wanted.token).await? {
        let detail = "This set-up link is not valid. Use the one that the server printed last.";
        return Err(ApiError::new(StatusCode::UNAUTHORIZED, "SETUP_TOKEN_INVALID", detail));
    }
    let username = users::check_username(&wanted.username)?;
    password::check_new(&wanted.password)?;
    let new = NewUser {
        display_name: users::check_display_name(wanted.display_name.as_deref().unwrap_or(&username))?,
        username,
        role: Role::Admin,
        permissions: Vec::new(),
        password_hash: password::hash(wanted.password).await?,
        must_change_password: false,
    };
    let row = match app.store.create_user(new, true, app.clock.wall()).await {
        Err(StoreError::Duplicate) => return Err(ApiError::not_found("route")),
        other => other?,
    };
    app.audit(NewAudit {
        event: "setup_completed",
        actor_id: Some(row.id),
        target: Some(row.username.clone()),
        ip_address: Some(client.0.to_string()),
        ..Default::default()
    })
    .await;
    let permissions = app.store.permissions(&row).await?;
    Ok((StatusCode::CREATED, Json(User::new(row, &permissions))))
}

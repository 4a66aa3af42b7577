//! One's own second factor.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use gc_access::Secret;
use gc_store::{NewAudit, UserChange};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::address::ClientAddress;
use crate::app::App;
use crate::auth::caller::{Caller, InPerson};
use crate::auth::{password, second_factor};
use crate::error::{ApiError, ErrorBody};
use crate::request::Body;

/// A secret for an authenticator. Nothing is kept of it before a code of it was
/// shown.
#[derive(Serialize, ToSchema)]
pub(crate) struct Proposal {
    /// In base32, for typing.
    secret: String,
    /// For a picture that authenticators read.
    uri: String,
}

/// Propose a second factor.
#[utoipa::path(post, path = "/api/auth/second-factor/propose", operation_id = "propose_second_factor", tag = "auth",
    responses((status = 200, body = Proposal, description = "A secret that is good for nothing yet.")))]
pub(crate) async fn propose(InPerson(caller): InPerson) -> Result<Json<Proposal>, ApiError> {
    let caller = caller.technician()?;
    let secret = second_factor::new_secret()?;
    let uri = second_factor::uri(&secret, &caller.user.username);
    Ok(Json(Proposal { secret: secret.expose().to_owned(), uri: uri.expose().to_owned() }))
}

/// The proposal, and that it is in the authenticator.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetSecondFactor {
    #[schema(format = Password)]
    current_password: String,
    /// The proposed secret.
    secret: String,
    /// The code that the authenticator shows.
    otp: String,
}

/// Shown once, for when the device is lost.
#[derive(Serialize, ToSchema)]
pub(crate) struct RecoveryCodes {
    recovery_codes: Vec<String>,
}

/// Have a second factor from now on, in place of the one before.
#[utoipa::path(put, path = "/api/auth/second-factor", operation_id = "set_second_factor", tag = "auth",
    request_body = SetSecondFactor,
    responses(
        (status = 200, body = RecoveryCodes, description = "Set. The codes are shown this once."),
        (status = 403, body = ErrorBody, description = "`WRONG_PASSWORD`: the current password is wrong. `CROSS_ORIGIN`, `LOGIN_REQUIRED`: as everywhere."),
        (status = 422, body = ErrorBody, description = "`OTP_INVALID`: the code is not the one that is due. `INVALID_REQUEST`: as everywhere."),
        (status = 429, body = ErrorBody, description = "`RATE_LIMITED`: wait for as long as `Retry-After` says."),
    ))]
pub(crate) async fn set(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    InPerson(caller): InPerson,
    Body(wanted): Body<SetSecondFactor>,
) -> Result<Json<RecoveryCodes>, ApiError> {
    let caller = caller.technician()?;
    app.limits.change_password(client)?;
    let hash = caller.user.password_hash.clone();
    if !password::verify(wanted.current_password, Some(hash.clone())).await? {
        return Err(wrong_password());
    }
    let secret = Secret::new(wanted.secret);
    let Some(step) = second_factor::step_of(&secret, &wanted.otp, app.clock.wall()) else {
        return Err(ApiError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "OTP_INVALID",
            "The code is not the one that is due.",
        ));
    };
    let codes = second_factor::recovery_codes()?;
    let hashes: Vec<_> = codes.iter().filter_map(|code| second_factor::recovery_hash(code.expose())).collect();
    let sealed = app.sealer.seal(caller.user.id, &secret)?;
    if !app.store.set_second_factor(caller.user.id, &hash, &sealed, step, &hashes).await? {
        return Err(wrong_password());
    }
    audit(&app, "second_factor_set", &caller, client).await;
    Ok(Json(RecoveryCodes { recovery_codes: codes.iter().map(|code| code.expose().to_owned()).collect() }))
}

/// Who it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RemoveSecondFactor {
    #[schema(format = Password)]
    current_password: String,
}

/// Have no second factor any more.
#[utoipa::path(post, path = "/api/auth/second-factor/remove", operation_id = "remove_second_factor", tag = "auth",
    request_body = RemoveSecondFactor,
    responses(
        (status = 204, description = "Removed."),
        (status = 403, body = ErrorBody, description = "`WRONG_PASSWORD`: the current password is wrong. `CROSS_ORIGIN`, `LOGIN_REQUIRED`: as everywhere."),
        (status = 429, body = ErrorBody, description = "`RATE_LIMITED`: wait for as long as `Retry-After` says."),
    ))]
pub(crate) async fn remove(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    InPerson(caller): InPerson,
    Body(wanted): Body<RemoveSecondFactor>,
) -> Result<StatusCode, ApiError> {
    let caller = caller.technician()?;
    app.limits.change_password(client)?;
    let hash = caller.user.password_hash.clone();
    if !password::verify(wanted.current_password, Some(hash.clone())).await? {
        return Err(wrong_password());
    }
    let change = UserChange { without_second_factor: true, only_if_hash: Some(hash), ..Default::default() };
    app.store.change_user(caller.user.id, change).await?.ok_or_else(wrong_password)?;
    audit(&app, "second_factor_removed", &caller, client).await;
    Ok(StatusCode::NO_CONTENT)
}

fn wrong_password() -> ApiError {
    ApiError::new(StatusCode::FORBIDDEN, "WRONG_PASSWORD", "The current password is wrong.")
}

async fn audit(app: &App, event: &'static str, caller: &Caller, client: ClientAddress) {
    app.audit(NewAudit {
        event,
        actor_id: Some(caller.user.id),
        target: Some(caller.user.username.clone()),
        ip_address: Some(client.0.to_string()),
        ..Default::default()
    })
    .await;
}

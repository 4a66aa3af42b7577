//! Logging in and out, and one's own account.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse};
use gc_access::Secret;
use gc_store::{EndsLogins, Factor, Millis, NewAudit, UserChange, UserRow};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::shapes::{User, at};
use super::users::check_username;
use crate::address::ClientAddress;
use crate::app::App;
use crate::auth::caller::{COOKIE, InPerson, Known, LOGIN_PREFIX};
use crate::auth::{password, second_factor};
use crate::error::{ApiError, ErrorBody};
use crate::request::Body;

/// How long a login lasts, in milliseconds.
pub(crate) const LIFETIME: Millis = 24 * 60 * 60 * 1000;

/// Who wants in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    #[schema(example = "ada")]
    username: String,
    #[schema(format = Password)]
    password: String,
    /// The code that the authenticator shows, or a recovery code; where it is due and missing, the answer is 401
    /// with `OTP_REQUIRED`.
    otp: Option<String>,
}

/// A login.
#[derive(Serialize, ToSchema)]
pub(crate) struct LoggedIn {
    /// For `Authorization: Bearer …`; also set as cookie.
    token: String,
    #[schema(format = DateTime)]
    expires_at: String,
    user: User,
}

/// Log in.
#[utoipa::path(post, path = "/api/auth/login", operation_id = "login", tag = "auth",
    request_body = Login, security(()),
    responses(
        (status = 200, body = LoggedIn, description = "Logged in.",
            headers(("set-cookie" = String, description = "The same token, for browsers."))),
        (status = 401, body = ErrorBody, description = "`LOGIN_FAILED`: name or password are wrong. `OTP_REQUIRED`: a code is due as well. `OTP_INVALID`: it is not the one that is due."),
        (status = 429, body = ErrorBody, description = "`RATE_LIMITED`: wait for as long as `Retry-After` says."),
    ))]
pub(crate) async fn login(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    Body(wanted): Body<Login>,
) -> Result<impl IntoResponse, ApiError> {
    app.limits.login(client)?;
    // What cannot be a name is nobody's: not every database takes every character.
    let user = match check_username(&wanted.username) {
        Ok(name) => app.store.user_by_name(&name).await?,
        Err(_) => None,
    };
    let right = password::verify(wanted.password, user.as_ref().map(|user| user.password_hash.clone())).await?;
    let now = app.clock.wall();
    let token = Secret::random(LOGIN_PREFIX, &crate::random::bits()?);
    let Some(user) = user.filter(|user| right && user.enabled) else {
        failed(&app, client, &wanted.username, "password").await;
        return Err(wrong_login());
    };
    let factor = match &user.mfa_secret {
        None => Factor::None,
        Some(secret) => second_factor_of(&app, client, &user, secret, wanted.otp.as_deref()).await?,
    };
    // Disabled, reset, or the code used, while the password was looked at: the
    // row decides.
    if app.store.add_login(&user, factor, token.hash(), now, app.clock.steady() + LIFETIME).await?.is_none() {
        if factor != Factor::None {
            app.limits.second_factor_result(user.id, false);
            failed(&app, client, &wanted.username, "second_factor").await;
            return Err(wrong_code());
        }
        failed(&app, client, &wanted.username, "password").await;
        return Err(wrong_login());
    }
    app.limits.second_factor_result(user.id, true);
    app.audit(NewAudit {
        event: "login",
        actor_id: Some(user.id),
        target: Some(user.username.clone()),
        ip_address: Some(client.0.to_string()),
        ..Default::default()
    })
    .await;
    let permissions = app.store.permissions(&user).await?;
    let cookie = cookie(token.expose(), LIFETIME / 1000)?;
    let answer = LoggedIn {
        token: token.expose().to_owned(),
        expires_at: at(now + LIFETIME),
        user: User::new(user, &permissions),
    };
    Ok((AppendHeaders([(header::SET_COOKIE, cookie)]), Json(answer)))
}

/// What was shown as second factor. Whoever guesses is stopped for a while,
/// from wherever they come: they know the password.
async fn second_factor_of(
    app: &App,
    client: ClientAddress,
    user: &UserRow,
    secret: &str,
    otp: Option<&str>,
) -> Result<Factor, ApiError> {
    let Some(otp) = otp.filter(|otp| !otp.trim().is_empty()) else {
        let detail = "Enter the code that your authenticator shows.";
        return Err(ApiError::new(StatusCode::UNAUTHORIZED, "OTP_REQUIRED", detail));
    };
    app.limits.second_factor(user.id)?;
    let open = || app.sealer.open(user.id, secret);
    if let Some(factor) = second_factor::factor(open, otp, app.clock.wall())? {
        return Ok(factor);
    }
    app.limits.second_factor_result(user.id, false);
    failed(app, client, &user.username, "second_factor").await;
    Err(wrong_code())
}

fn wrong_login() -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, "LOGIN_FAILED", "The user name or the password is wrong.")
}

fn wrong_code() -> ApiError {
    let detail = "This code is not the one that is due, or was used before. Wait for the next one.";
    ApiError::new(StatusCode::UNAUTHORIZED, "OTP_INVALID", detail)
}

async fn failed(app: &App, client: ClientAddress, username: &str, reason: &str) {
    app.audit(NewAudit {
        event: "login_failed",
        target: Some(gc_protocol::limits::displayable(username, 64)),
        outcome: Some("refused"),
        details: Some(serde_json::json!({ "reason": reason })),
        ip_address: Some(client.0.to_string()),
        ..Default::default()
    })
    .await;
}

/// Log out: the login and every viewer token minted under it end.
#[utoipa::path(post, path = "/api/auth/logout", operation_id = "logout", tag = "auth",
    responses((status = 204, description = "The login is gone.",
            headers(("set-cookie" = String, description = "Takes the cookie away.")))))]
pub(crate) async fn logout(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    InPerson(caller): InPerson,
) -> Result<impl IntoResponse, ApiError> {
    app.store.remove_login(caller.credential).await?;
    app.revoke_viewers(Some(caller.credential), None).await;
    app.audit(NewAudit {
        event: "logout",
        actor_id: Some(caller.user.id),
        ip_address: Some(client.0.to_string()),
        ..Default::default()
    })
    .await;
    Ok((StatusCode::NO_CONTENT, AppendHeaders([(header::SET_COOKIE, cookie("", 0)?)])))
}

/// Who the credential stands for, and what it carries.
#[utoipa::path(get, path = "/api/auth/me", operation_id = "me", tag = "auth",
    responses((status = 200, body = User, description = "The user, with what the credential carries.")))]
pub(crate) async fn me(Known(caller): Known) -> Json<User> {
    Json(User::new(caller.user, &caller.permissions))
}

/// A new password for oneself.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangePassword {
    #[schema(format = Password)]
    current_password: String,
    #[schema(min_length = 10, max_length = 256, format = Password)]
    new_password: String,
}

/// Change one's password. Every other login of the user ends.
#[utoipa::path(post, path = "/api/auth/change-password", operation_id = "change_password", tag = "auth",
    request_body = ChangePassword,
    responses(
        (status = 204, description = "Changed."),
        (status = 403, body = ErrorBody, description = "`WRONG_PASSWORD`: the current password is wrong. `CROSS_ORIGIN`, `LOGIN_REQUIRED`: as everywhere."),
        (status = 422, body = ErrorBody, description = "`WEAK_PASSWORD`, or `INVALID_REQUEST` as everywhere."),
        (status = 429, body = ErrorBody, description = "`RATE_LIMITED`: wait for as long as `Retry-After` says."),
    ))]
pub(crate) async fn change_password(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    InPerson(caller): InPerson,
    Body(wanted): Body<ChangePassword>,
) -> Result<StatusCode, ApiError> {
    app.limits.change_password(client)?;
    password::check_new(&wanted.new_password)?;
    let wrong = || ApiError::new(StatusCode::FORBIDDEN, "WRONG_PASSWORD", "The current password is wrong.");
    if !password::verify(wanted.current_password, Some(caller.user.password_hash.clone())).await? {
        return Err(wrong());
    }
    let change = UserChange {
        password_hash: Some(password::hash(wanted.new_password).await?),
        must_change_password: Some(false),
        only_if_hash: Some(caller.user.password_hash),
        ends_logins: EndsLogins::AllBut(caller.credential),
        ..Default::default()
    };
    app.store.change_user(caller.user.id, change).await?.ok_or_else(wrong)?;
    // Viewers of every login of this user have to mint anew.
    app.revoke_viewers(None, Some(caller.user.id)).await;
    app.audit(NewAudit {
        event: "password_changed",
        actor_id: Some(caller.user.id),
        ip_address: Some(client.0.to_string()),
        ..Default::default()
    })
    .await;
    Ok(StatusCode::NO_CONTENT)
}

fn cookie(token: &str, seconds: i64) -> Result<HeaderValue, ApiError> {
    // Browsers keep a secure cookie for loopback addresses too, and plain HTTP
    // is served on no others.
    let text = format!("{COOKIE}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict; Secure");
    let mut value = HeaderValue::from_str(&text).map_err(|_| ApiError::internal("a cookie could not be written"))?;
    value.set_sensitive(true);
    Ok(value)
}

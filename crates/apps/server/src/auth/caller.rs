//! The user behind a request, from a login token in header or cookie.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use gc_access::{Permission, Permissions, Role, Secret};
use gc_store::{LoginToken, UserRow};
use uuid::Uuid;

use crate::app::App;
use crate::error::ApiError;

/// The cookie that carries a login token.
pub(crate) const COOKIE: &str = "guruconnect_login";
/// Prefix of login tokens.
pub(crate) const LOGIN_PREFIX: &str = "lgn_";

/// A logged-in user who may use the API. An `end_user` is refused: the portal
/// has routes of its own.
pub(crate) struct Caller {
    pub(crate) user: UserRow,
    pub(crate) permissions: Permissions,
    pub(crate) login: LoginToken,
}

impl Caller {
    /// Refuse unless the user may do this.
    pub(crate) fn require(&self, permission: Permission) -> Result<(), ApiError> {
        if self.permissions.has(permission) { Ok(()) } else { Err(ApiError::forbidden()) }
    }

    pub(crate) fn is_admin(&self) -> bool {
        self.permissions.role() == Role::Admin
    }
}

/// A logged-in user, also one who has to choose a new password first.
pub(crate) struct AnyCaller(pub(crate) Caller);

impl FromRequestParts<Arc<App>> for AnyCaller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let (token, from_cookie) = credential(&parts.headers).ok_or_else(ApiError::unauthorized)?;
        if from_cookie && !is_same_origin(parts, app) {
            let detail = "This request comes from another site.";
            return Err(ApiError::new(StatusCode::FORBIDDEN, "CROSS_ORIGIN", detail));
        }
        let now = app.clock.wall();
        let login = app.store.login(token.hash(), now).await?.ok_or_else(ApiError::unauthorized)?;
        Caller::load(app, login).await.map(Self)
    }
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let AnyCaller(caller) = AnyCaller::from_request_parts(parts, app).await?;
        caller.technician()
    }
}

impl Caller {
    /// The caller of a login that was let in before, with what they may do now.
    pub(crate) async fn of_login(app: &App, login: Uuid) -> Result<Self, ApiError> {
        let login = app.store.login_by_id(login, app.clock.wall()).await?.ok_or_else(ApiError::unauthorized)?;
        Self::load(app, login).await?.technician()
    }

    async fn load(app: &App, login: LoginToken) -> Result<Self, ApiError> {
        let user = app.store.user(login.user_id).await?.filter(|user| user.enabled);
        let user = user.ok_or_else(ApiError::unauthorized)?;
        let permissions = app.store.permissions(&user).await?;
        Ok(Self { user, permissions, login })
    }

    fn technician(self) -> Result<Self, ApiError> {
        if self.user.must_change_password {
            let detail = "Choose a new password first.";
            return Err(ApiError::new(StatusCode::FORBIDDEN, "PASSWORD_CHANGE_REQUIRED", detail));
        }
        if self.permissions.role() == Role::EndUser {
            return Err(ApiError::forbidden());
        }
        Ok(self)
    }
}

/// The login token and whether it came in a cookie. Anything that is not a
/// login token by its form is none.
fn credential(headers: &HeaderMap) -> Option<(Secret, bool)> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let token = value.to_str().ok()?.strip_prefix("Bearer ")?;
        return is_login_token(token).then(|| (Secret::new(token), false));
    }
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, token) = pairs.find(|(name, _)| *name == COOKIE)?;
    is_login_token(token).then(|| (Secret::new(token), true))
}

fn is_login_token(token: &str) -> bool {
    token.strip_prefix(LOGIN_PREFIX).is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Whether a write with a cookie comes from our own pages. Reads change
/// nothing and pass.
fn is_same_origin(parts: &Parts, app: &App) -> bool {
    if matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return true;
    }
    if let Some(site) = parts.headers.get("sec-fetch-site") {
        return site == "same-origin";
    }
    app.is_own_origin(&parts.headers)
}

impl App {
    /// Whether the `Origin` header names this server itself.
    pub(crate) fn is_own_origin(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(header::ORIGIN).and_then(|value| value.to_str().ok()) else { return false };
        if let Some(public) = &self.config.public_url {
            return origin == public;
        }
        let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        authority.is_some_and(|authority| !authority.is_empty() && authority.eq_ignore_ascii_case(host))
    }
}

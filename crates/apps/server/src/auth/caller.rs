//! The user behind a request: from a login token in header or cookie, or from
//! a personal access token in the header.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use gc_access::{Permission, Permissions, Role, Secret};
use gc_store::{Millis, Store, StoreError, UserRow};
use uuid::Uuid;

use crate::app::App;
use crate::error::ApiError;

/// The cookie that carries a login token.
pub(crate) const COOKIE: &str = "guruconnect_login";
/// Prefix of login tokens.
pub(crate) const LOGIN_PREFIX: &str = "lgn_";
/// Prefix of personal access tokens.
pub(crate) const TOKEN_PREFIX: &str = "pat_";

/// A user who may use the API. An `end_user` is refused: the portal has routes
/// of its own.
pub(crate) struct Caller {
    pub(crate) user: UserRow,
    /// The user's, as far as the credential carries them.
    pub(crate) permissions: Permissions,
    /// The login or token that the request came with: viewer tokens minted by
    /// it end with it.
    pub(crate) credential: Uuid,
}

/// Any user, with any credential of the API.
pub(crate) struct Known(pub(crate) Caller);

/// A user who has logged in, also one who has to choose a new password first.
/// What concerns the account itself is not for scripts' tokens.
pub(crate) struct InPerson(pub(crate) Caller);

impl Caller {
    /// Refuse unless the user may do this.
    pub(crate) fn require(&self, permission: Permission) -> Result<(), ApiError> {
        if self.permissions.has(permission) { Ok(()) } else { Err(ApiError::forbidden()) }
    }

    pub(crate) fn is_admin(&self) -> bool {
        self.permissions.role() == Role::Admin
    }

    /// The caller of a credential that was let in before, with what they may
    /// do now.
    pub(crate) async fn again(app: &App, credential: Uuid) -> Result<Self, ApiError> {
        let standing = standing(&app.store, credential, app.clock.steady()).await?;
        standing.ok_or_else(ApiError::unauthorized)?.technician()
    }

    /// Refuse who is not to use the API: end users, and whoever has to choose
    /// a new password first.
    pub(crate) fn technician(self) -> Result<Self, ApiError> {
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

/// What a login or a personal access token is worth at this moment; `None`:
/// nothing any more.
pub(crate) async fn standing(store: &Store, credential: Uuid, now: Millis) -> Result<Option<Caller>, StoreError> {
    if let Some(login) = store.login_by_id(credential, now).await? {
        return load(store, login.user_id, credential, None).await;
    }
    match store.api_token_by_id(credential, now).await? {
        Some(token) => load(store, token.user_id, credential, Some(&token.scopes)).await,
        None => Ok(None),
    }
}

async fn load(
    store: &Store,
    user: Uuid,
    credential: Uuid,
    scopes: Option<&[Permission]>,
) -> Result<Option<Caller>, StoreError> {
    let Some(user) = store.user(user).await?.filter(|user| user.enabled) else { return Ok(None) };
    let mut permissions = store.permissions(&user).await?;
    if let Some(scopes) = scopes {
        permissions = permissions.limited_to(scopes);
    }
    Ok(Some(Caller { user, permissions, credential }))
}

async fn by_token(app: &App, secret: &Secret) -> Result<Caller, ApiError> {
    let now = app.clock.steady();
    let token = app.store.api_token(secret.hash(), now).await?.ok_or_else(ApiError::unauthorized)?;
    // That it was used is told as well as can be: a full disk does not lock scripts out.
    if let Err(error) = app.store.note_use(&token, app.clock.wall()).await {
        tracing::warn!(token_id = %token.id, %error, "the use of a token could not be noted");
    }
    let caller = load(&app.store, token.user_id, token.id, Some(&token.scopes)).await?;
    caller.ok_or_else(ApiError::unauthorized)
}

async fn by_login(app: &App, parts: &Parts, secret: &Secret, from_cookie: bool) -> Result<Caller, ApiError> {
    if from_cookie && !is_same_origin(parts, app) {
        let detail = "This request comes from another site.";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "CROSS_ORIGIN", detail));
    }
    let login = app.store.login(secret.hash(), app.clock.steady()).await?.ok_or_else(ApiError::unauthorized)?;
    load(&app.store, login.user_id, login.id, None).await?.ok_or_else(ApiError::unauthorized)
}

impl FromRequestParts<Arc<App>> for Known {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        match shown(&parts.headers).ok_or_else(ApiError::unauthorized)? {
            Shown::Token(secret) => by_token(app, &secret).await.map(Self),
            Shown::Login(secret, from_cookie) => by_login(app, parts, &secret, from_cookie).await.map(Self),
        }
    }
}

impl FromRequestParts<Arc<App>> for InPerson {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        match shown(&parts.headers).ok_or_else(ApiError::unauthorized)? {
            Shown::Login(secret, from_cookie) => by_login(app, parts, &secret, from_cookie).await.map(Self),
            Shown::Token(secret) => {
                by_token(app, &secret).await?;
                let detail = "This is for people who have logged in, not for tokens.";
                Err(ApiError::new(StatusCode::FORBIDDEN, "LOGIN_REQUIRED", detail))
            }
        }
    }
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let Known(caller) = Known::from_request_parts(parts, app).await?;
        caller.technician()
    }
}

/// A credential of the API, by its form.
pub(crate) enum Shown {
    /// A login token, and whether it came in a cookie.
    Login(Secret, bool),
    Token(Secret),
}

/// The credential of a request. Anything that is none by its form is none.
pub(crate) fn shown(headers: &HeaderMap) -> Option<Shown> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let token = value.to_str().ok()?.strip_prefix("Bearer ")?;
        if has_form(token, TOKEN_PREFIX) {
            return Some(Shown::Token(Secret::new(token)));
        }
        return has_form(token, LOGIN_PREFIX).then(|| Shown::Login(Secret::new(token), false));
    }
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, token) = pairs.find(|(name, _)| *name == COOKIE)?;
    has_form(token, LOGIN_PREFIX).then(|| Shown::Login(Secret::new(token), true))
}

fn has_form(token: &str, prefix: &str) -> bool {
    token.strip_prefix(prefix).is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
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
        if let Some(public) = &self.settings.now().settings.public_url {
            return origin == public;
        }
        let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        authority.is_some_and(|authority| !authority.is_empty() && authority.eq_ignore_ascii_case(host))
    }
}

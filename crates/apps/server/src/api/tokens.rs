//! Personal access tokens, for scripts.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use gc_access::{Permission, Secret};
use gc_store::{ApiToken, Millis, NewApiToken, NewAudit};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::shapes::{Limit, List, at};
use super::users::{check_display_name, covered_user};
use super::words::PermissionName;
use crate::address::ClientAddress;
use crate::app::App;
use crate::auth::caller::{Caller, InPerson, TOKEN_PREFIX};
use crate::clock::Clock;
use crate::error::{ApiError, ErrorBody};
use crate::request::{Body, Path, Query, Whole};

/// Most tokens that a user may hold.
const MOST: u64 = 50;
/// Longest lifetime that can be asked for, in days.
const LONGEST: u32 = 730;
const DAY: Millis = 24 * 60 * 60 * 1000;

/// A token, without its secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct Token {
    id: Uuid,
    name: String,
    /// Permissions that it carries, as far as its owner has them.
    #[schema(value_type = Vec<PermissionName>)]
    scopes: Vec<&'static str>,
    #[schema(format = DateTime)]
    created_at: String,
    /// Null: until it is revoked.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// To the minute; null: never.
    #[schema(format = DateTime)]
    last_used_at: Option<String>,
    expired: bool,
}

impl Token {
    fn new(row: &ApiToken, clock: &Clock) -> Self {
        Self {
            id: row.id,
            name: row.name.clone(),
            scopes: row.scopes.iter().map(|scope| scope.as_str()).collect(),
            created_at: at(row.created_at),
            expires_at: row.expires_at.map(|until| at(clock.shown(until))),
            last_used_at: row.last_used_at.map(at),
            expired: row.expires_at.is_some_and(|until| until <= clock.steady()),
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Another user's, for whoever manages users; one's own without it.
    user_id: Option<Uuid>,
    /// The `next` of the page before.
    after: Option<Uuid>,
    /// At most so many.
    #[serde(default)]
    #[param(value_type = Option<u64>, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
}

/// Tokens that were not revoked, newest first.
#[utoipa::path(get, path = "/api/tokens", operation_id = "list_tokens", tag = "auth",
    params(Filter),
    responses(
        (status = 200, body = List<Token>, description = "A page."),
        (status = 404, body = ErrorBody, description = "`NOT_FOUND`: there is no such user."),
    ))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    InPerson(caller): InPerson,
    Query(filter): Query<Filter>,
) -> Result<Json<List<Token>>, ApiError> {
    let caller = caller.technician()?;
    let user = filter.user_id.unwrap_or(caller.user.id);
    may_manage(&app, &caller, user).await?;
    let page = app.store.api_tokens(user, filter.after, filter.limit.0).await?;
    Ok(Json(List::of(page, |row| Token::new(&row, &app.clock))))
}

/// A token to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateToken {
    /// What it is for, in the owner's words.
    #[schema(min_length = 1, max_length = 100, pattern = "[^\\s\\p{C}]", example = "nightly report")]
    name: String,
    /// Permissions that it carries: at least one, none that its owner lacks.
    #[schema(value_type = Vec<PermissionName>, min_items = 1)]
    scopes: Vec<String>,
    /// Days until it expires, 1 to 730; null: until it is revoked.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 730)]
    expires_in_days: Option<Whole>,
}

/// A token that was made.
#[derive(Serialize, ToSchema)]
pub(crate) struct CreatedToken {
    /// Begins with `pat_`. Shown this once.
    secret: String,
    token: Token,
}

/// Make a token for oneself.
#[utoipa::path(post, path = "/api/tokens", operation_id = "create_token", tag = "auth",
    request_body = CreateToken,
    responses(
        (status = 201, body = CreatedToken, description = "Made. The secret is shown this once."),
        (status = 409, body = ErrorBody, description = "`TOO_MANY_TOKENS`: one has at most 50 that hold."),
    ))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    InPerson(caller): InPerson,
    Body(wanted): Body<CreateToken>,
) -> Result<(StatusCode, Json<CreatedToken>), ApiError> {
    let caller = caller.technician()?;
    let name = check_display_name(&wanted.name)?;
    let find = |name: &String| Permission::from_name(name).ok_or_else(|| ApiError::invalid("There is no such scope."));
    let mut scopes: Vec<Permission> = wanted.scopes.iter().map(find).collect::<Result<_, _>>()?;
    scopes.sort_unstable();
    scopes.dedup();
    if scopes.is_empty() {
        return Err(ApiError::invalid("A token has at least one scope."));
    }
    scopes.iter().try_for_each(|scope| caller.require(*scope))?;
    let days = wanted.expires_in_days.map(|Whole(days)| days);
    if days.is_some_and(|days| !(1..=LONGEST).contains(&days)) {
        return Err(ApiError::invalid("A token expires after 1 to 730 days, or when it is revoked."));
    }
    let now = app.clock.wall();
    let secret = Secret::random(TOKEN_PREFIX, &crate::random::bits()?);
    let new = NewApiToken {
        user_id: caller.user.id,
        name,
        scopes,
        expires_at: days.map(|days| app.clock.steady() + Millis::from(days) * DAY),
    };
    let Some(row) = app.store.add_api_token(new, secret.hash(), MOST, now).await? else {
        return Err(ApiError::conflict("TOO_MANY_TOKENS", "You have 50 tokens: revoke one that is not used."));
    };
    audit(&app, "token_created", &caller, client, &row).await;
    let answer = CreatedToken { secret: secret.expose().to_owned(), token: Token::new(&row, &app.clock) };
    Ok((StatusCode::CREATED, Json(answer)))
}

/// Revoke a token: one's own, or another's by whoever manages users. Viewers
/// that it opened close.
#[utoipa::path(delete, path = "/api/tokens/{id}", operation_id = "revoke_token", tag = "auth",
    params(("id" = Uuid, Path, description = "The token's id")),
    responses((status = 204, description = "Revoked, now or before.")))]
pub(crate) async fn revoke(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    InPerson(caller): InPerson,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, ApiError> {
    let caller = caller.technician()?;
    let missing = || ApiError::not_found("token");
    let row = app.store.api_token_any(id).await?.ok_or_else(missing)?;
    // Whose it is, is nobody's business who may not manage them.
    may_manage(&app, &caller, row.user_id).await.map_err(|error| match error.status {
        StatusCode::FORBIDDEN => missing(),
        _ => error,
    })?;
    if app.store.revoke_api_token(id, app.clock.wall()).await? {
        app.revoke_viewers(Some(id), None).await;
        audit(&app, "token_revoked", &caller, client, &row).await;
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn may_manage(app: &App, caller: &Caller, user: Uuid) -> Result<(), ApiError> {
    if user == caller.user.id {
        return Ok(());
    }
    caller.require(Permission::ManageUsers)?;
    covered_user(app, caller, user).await.map(drop)
}

async fn audit(app: &App, event: &'static str, caller: &Caller, client: ClientAddress, token: &ApiToken) {
    let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
    app.audit(NewAudit {
        event,
        actor_id: Some(caller.user.id),
        target: Some(token.name.clone()),
        details: Some(serde_json::json!({ "token_id": token.id, "owner_id": token.user_id, "scopes": scopes })),
        ip_address: Some(client.0.to_string()),
        ..Default::default()
    })
    .await;
}

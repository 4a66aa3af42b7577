//! Users, by an administrator.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use gc_access::{Permission, Permissions, Role};
use gc_store::{EndsLogins, NewAudit, NewUser, StoreError, UserChange, UserFilter};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::shapes::{Limit, List, User};
use super::words::{PermissionName, RoleName};
use crate::address::ClientAddress;
use crate::app::App;
use crate::auth::caller::Caller;
use crate::auth::password;
use crate::error::{ApiError, ErrorBody};
use crate::request::{Body, Path, Query};

/// A user name that will do, trimmed.
pub(super) fn check_username(name: &str) -> Result<String, ApiError> {
    let name = name.trim();
    let plain = name.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '@' | '+'));
    if name.is_empty() || name.chars().count() > 64 || !plain {
        let detail = "A user name has 1 to 64 letters, digits, and . - _ @ + only.";
        return Err(ApiError::invalid(detail));
    }
    Ok(name.to_owned())
}

/// A name to be shown to people, without tricks.
pub(super) fn check_display_name(name: &str) -> Result<String, ApiError> {
    let shown = gc_protocol::limits::displayable(name.trim(), 101);
    if shown.is_empty() || shown.chars().count() > 100 {
        return Err(ApiError::invalid("A name has 1 to 100 characters."));
    }
    Ok(shown)
}

fn check_role(name: &str) -> Result<Role, ApiError> {
    Role::from_name(name).ok_or_else(|| ApiError::invalid("A role is admin, operator, viewer or end_user."))
}

fn check_permissions(names: &[String]) -> Result<Vec<Permission>, ApiError> {
    let find =
        |name: &String| Permission::from_name(name).ok_or_else(|| ApiError::invalid("There is no such permission."));
    names.iter().map(find).collect()
}

/// Which users.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only those whose user name or shown name has this in it, upper or lower case.
    #[param(max_length = 100)]
    q: Option<String>,
    /// Only those of this role.
    #[param(value_type = Option<RoleName>)]
    role: Option<Role>,
    /// Only those who may log in, or only those who may not.
    enabled: Option<bool>,
    /// The `next` of the page before: a user name; what follows comes after it.
    after: Option<String>,
    /// At most so many.
    #[serde(default)]
    #[param(value_type = Option<u64>, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
}

/// What a name is searched by.
fn check_search(text: Option<String>) -> Result<Option<String>, ApiError> {
    match text {
        Some(text) if text.chars().count() > 100 => {
            Err(ApiError::bad_request("INVALID_QUERY", "A search has at most 100 characters."))
        }
        // What no name holds is not searched for: not every database takes every character.
        text => Ok(text.map(|text| gc_protocol::limits::displayable(&text, 100)).filter(|text| !text.is_empty())),
    }
}

/// All users, by name.
#[utoipa::path(get, path = "/api/users", operation_id = "list_users", tag = "users",
    params(Filter),
    responses((status = 200, body = List<User>, description = "A page.")))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(filter): Query<Filter>,
) -> Result<Json<List<User>>, ApiError> {
    caller.require(Permission::ManageUsers)?;
    let filter = UserFilter {
        search: check_search(filter.q)?,
        role: filter.role,
        enabled: filter.enabled,
        after: filter.after.map(|after| gc_protocol::limits::displayable(&after, 512)),
        limit: filter.limit.0,
    };
    Ok(Json(List::of(app.store.users(filter).await?, |(row, permissions)| User::new(row, &permissions))))
}

/// Somebody who can be invited.
#[derive(Serialize, ToSchema)]
pub(crate) struct Colleague {
    id: Uuid,
    display_name: String,
}

/// Which colleagues.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ColleagueFilter {
    /// Only those whose user name or shown name has this in it, upper or lower case.
    #[param(max_length = 100)]
    q: Option<String>,
    /// The `next` of the page before.
    after: Option<Uuid>,
    /// At most so many.
    #[serde(default)]
    #[param(value_type = Option<u64>, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
}

/// Those who can be invited to a session: enabled technicians and watchers,
/// oldest account first.
#[utoipa::path(get, path = "/api/colleagues", operation_id = "colleagues", tag = "users",
    params(ColleagueFilter),
    responses((status = 200, body = List<Colleague>, description = "A page.")))]
pub(crate) async fn colleagues(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(filter): Query<ColleagueFilter>,
) -> Result<Json<List<Colleague>>, ApiError> {
    caller.require(Permission::CreateCodes)?;
    let search = check_search(filter.q)?;
    let page = app.store.colleagues(caller.user.id, search.as_deref(), filter.after, filter.limit.0).await?;
    Ok(Json(List::of(page, |user| Colleague { id: user.id, display_name: user.display_name })))
}

/// A user to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateUser {
    #[schema(pattern = "^\\s*[\\p{L}\\p{N}._@+-]{1,64}\\s*$", example = "ada")]
    username: String,
    /// The user has to choose another at first login, unless said otherwise.
    #[schema(min_length = 10, max_length = 256, format = Password)]
    password: String,
    #[schema(value_type = RoleName)]
    role: String,
    /// Shown to people; the user name where there is none.
    #[schema(min_length = 1, max_length = 100, pattern = "[^\\s\\p{C}]", example = "Ada Lovelace")]
    display_name: Option<String>,
    /// Beside the role's.
    #[serde(default)]
    #[schema(value_type = Vec<PermissionName>)]
    permissions: Vec<String>,
    /// Whether they must choose another password first; yes unless said.
    must_change_password: Option<bool>,
}

/// Create a user.
#[utoipa::path(post, path = "/api/users", operation_id = "create_user", tag = "users",
    request_body = CreateUser,
    responses(
        (status = 201, body = User, description = "Created."),
        (status = 409, body = ErrorBody, description = "`USERNAME_TAKEN`: somebody has this user name."),
        (status = 422, body = ErrorBody, description = "`WEAK_PASSWORD`, or `INVALID_REQUEST` as everywhere."),
    ))]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    caller: Caller,
    Body(wanted): Body<CreateUser>,
) -> Result<(StatusCode, Json<User>), ApiError> {
    caller.require(Permission::ManageUsers)?;
    let username = check_username(&wanted.username)?;
    password::check_new(&wanted.password)?;
    let (role, permissions) = (check_role(&wanted.role)?, check_permissions(&wanted.permissions)?);
    require_cover(&caller, &Permissions::new(role, permissions.clone()))?;
    let new = NewUser {
        display_name: check_display_name(wanted.display_name.as_deref().unwrap_or(&username))?,
        username,
        role,
        permissions,
        password_hash: password::hash(wanted.password).await?,
        must_change_password: wanted.must_change_password.unwrap_or(true),
    };
    let row = match app.store.create_user(new, false, app.clock.wall()).await {
        Err(StoreError::Duplicate) => {
            return Err(ApiError::conflict("USERNAME_TAKEN", "Somebody has this user name already."));
        }
        other => other?,
    };
    let permissions = app.store.permissions(&row).await?;
    let details = serde_json::json!({ "role": row.role, "permissions": names(&permissions) });
    audit(&app, "user_created", &caller, client, &row.username, details).await;
    Ok((StatusCode::CREATED, Json(User::new(row, &permissions))))
}

/// What to change; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeUser {
    #[schema(min_length = 1, max_length = 100, pattern = "[^\\s\\p{C}]", example = "Ada Lovelace")]
    display_name: Option<String>,
    #[schema(value_type = Option<RoleName>)]
    role: Option<String>,
    /// Replaces all permissions beside the role's.
    #[schema(value_type = Option<Vec<PermissionName>>)]
    permissions: Option<Vec<String>>,
    enabled: Option<bool>,
    /// True takes the second factor away, for whoever has lost the device and
    /// the recovery codes.
    #[serde(default)]
    reset_second_factor: bool,
    /// A new password; the user has to choose another at next login.
    #[schema(min_length = 10, max_length = 256, format = Password)]
    password: Option<String>,
}

/// Change a user. Where they may do less afterwards, their viewers close.
#[utoipa::path(patch, path = "/api/users/{id}", operation_id = "change_user", tag = "users",
    params(("id" = Uuid, Path, description = "The user's id")), request_body = ChangeUser,
    responses(
        (status = 200, body = User, description = "The user as they are now."),
        (status = 409, body = ErrorBody, description = "`LAST_ADMIN`: nobody would be left to administrate. `CHANGED_MEANWHILE`: somebody else changed this user's rights at the same moment."),
        (status = 422, body = ErrorBody, description = "`WEAK_PASSWORD`, or `INVALID_REQUEST` as everywhere."),
    ))]
pub(crate) async fn change(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    caller: Caller,
    Path(id): Path<Uuid>,
    Body(wanted): Body<ChangeUser>,
) -> Result<Json<User>, ApiError> {
    caller.require(Permission::ManageUsers)?;
    let before = covered_user(&app, &caller, id).await?;
    let password_hash = match wanted.password {
        Some(new) => {
            password::check_new(&new)?;
            Some(password::hash(new).await?)
        }
        None => None,
    };
    let ends_logins = wanted.enabled == Some(false) || password_hash.is_some();
    let role = wanted.role.as_deref().map(check_role).transpose()?;
    let permissions = wanted.permissions.as_deref().map(check_permissions).transpose()?;
    let given = permissions.clone().unwrap_or_else(|| before.list());
    let after = Permissions::new(role.unwrap_or(before.role()), given);
    require_cover(&caller, &after)?;
    // What is said and changes nothing throws nobody out.
    let same = after.role() == before.role() && after.list() == before.list();
    let (role, permissions) = if same { (None, None) } else { (role, permissions) };
    let changed = [
        ("display_name", wanted.display_name.is_some()),
        ("role", role.is_some()),
        ("permissions", permissions.is_some()),
        ("enabled", wanted.enabled.is_some()),
        ("password", password_hash.is_some()),
        ("second_factor", wanted.reset_second_factor),
    ];
    let changed: Vec<&str> = changed.iter().filter(|(_, changed)| *changed).map(|(name, _)| *name).collect();
    let change = UserChange {
        display_name: wanted.display_name.as_deref().map(check_display_name).transpose()?,
        role,
        permissions,
        enabled: wanted.enabled,
        must_change_password: password_hash.is_some().then_some(true),
        password_hash,
        without_second_factor: wanted.reset_second_factor,
        only_if_rights: Some(before),
        ends_logins: if ends_logins { EndsLogins::All } else { EndsLogins::None },
        ..Default::default()
    };
    let changes_rights = change.role.is_some() || change.permissions.is_some();
    let row = change_or_explain(&app, id, change).await?;
    if ends_logins || changes_rights {
        app.revoke_viewers(None, Some(id)).await;
    }
    let permissions = app.store.permissions(&row).await?;
    let details = serde_json::json!({
        "changed": changed, "role": row.role, "enabled": row.enabled, "permissions": names(&permissions),
    });
    audit(&app, "user_changed", &caller, client, &row.username, details).await;
    Ok(Json(User::new(row, &permissions)))
}

/// Remove a user; what they did stays in the audit trail.
#[utoipa::path(delete, path = "/api/users/{id}", operation_id = "remove_user", tag = "users",
    params(("id" = Uuid, Path, description = "The user's id")),
    responses(
        (status = 204, description = "Removed."),
        (status = 409, body = ErrorBody, description = "`LAST_ADMIN`: nobody would be left to administrate. `CHANGED_MEANWHILE`: somebody else changed this user's rights at the same moment."),
    ))]
pub(crate) async fn remove(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, ApiError> {
    caller.require(Permission::ManageUsers)?;
    let before = covered_user(&app, &caller, id).await?;
    let change = UserChange {
        only_if_rights: Some(before),
        deleted_at: Some(app.clock.wall()),
        enabled: Some(false),
        ends_logins: EndsLogins::All,
        ..Default::default()
    };
    let row = change_or_explain(&app, id, change).await?;
    app.revoke_viewers(None, Some(id)).await;
    audit(&app, "user_removed", &caller, client, &row.username, serde_json::Value::Null).await;
    Ok(StatusCode::NO_CONTENT)
}

async fn change_or_explain(app: &App, id: Uuid, change: UserChange) -> Result<gc_store::UserRow, ApiError> {
    match app.store.change_user(id, change).await {
        Ok(Some(row)) => Ok(row),
        Ok(None) => Err(ApiError::not_found("user")),
        Err(StoreError::Duplicate) => {
            Err(ApiError::conflict("LAST_ADMIN", "This is the last administrator: make another one first."))
        }
        Err(error) => Err(error.into()),
    }
}

/// What the user to be changed may do, if the caller may change them.
pub(super) async fn covered_user(app: &App, caller: &Caller, id: Uuid) -> Result<Permissions, ApiError> {
    let row = app.store.user(id).await?.ok_or_else(|| ApiError::not_found("user"))?;
    let permissions = app.store.permissions(&row).await?;
    require_cover(caller, &permissions)?;
    Ok(permissions)
}

/// Nobody gives or takes what they do not have themselves.
fn require_cover(caller: &Caller, other: &Permissions) -> Result<(), ApiError> {
    if caller.permissions.covers(other) { Ok(()) } else { Err(ApiError::forbidden()) }
}

fn names(permissions: &Permissions) -> Vec<&'static str> {
    permissions.list().iter().map(|permission| permission.as_str()).collect()
}

async fn audit(
    app: &App,
    event: &'static str,
    caller: &Caller,
    client: ClientAddress,
    target: &str,
    details: serde_json::Value,
) {
    app.audit(NewAudit {
        event,
        actor_id: Some(caller.user.id),
        target: Some(target.to_owned()),
        details: (!details.is_null()).then_some(details),
        ip_address: Some(client.0.to_string()),
        ..Default::default()
    })
    .await;
}

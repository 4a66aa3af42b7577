//! Settings, by an administrator.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use gc_access::Permission;
use gc_store::NewAudit;
use serde::Serialize;
use utoipa::ToSchema;

use crate::address::ClientAddress;
use crate::app::App;
use crate::auth::caller::Caller;
use crate::error::{ApiError, ErrorBody};
use crate::request::Body;
use crate::settings::{Effective, Settings};

/// What holds.
#[derive(Serialize, ToSchema)]
pub(crate) struct SettingsNow {
    #[serde(flatten)]
    settings: Settings,
    /// Settings that an option of the server's start holds: they are changed there.
    fixed: Vec<&'static str>,
    /// The address that links are made with.
    url: String,
}

impl From<&Effective> for SettingsNow {
    fn from(now: &Effective) -> Self {
        Self { settings: now.settings.clone(), fixed: now.fixed.clone(), url: now.url.clone() }
    }
}

/// The settings that hold.
#[utoipa::path(get, path = "/api/settings", operation_id = "settings", tag = "operation", security(("login" = []), ("cookie" = [])),
    responses((status = 200, body = SettingsNow), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody)))]
pub(crate) async fn get(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<SettingsNow>, ApiError> {
    caller.require(Permission::ManageSettings)?;
    Ok(Json(app.settings.now().as_ref().into()))
}

/// Change settings: what is given takes its place at once, what is left out
/// stays, and null is the beginning's value.
#[utoipa::path(patch, path = "/api/settings", operation_id = "change_settings", tag = "operation", request_body = Settings,
    security(("login" = []), ("cookie" = [])),
    responses((status = 200, body = SettingsNow), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn change(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    caller: Caller,
    Body(wanted): Body<serde_json::Map<String, serde_json::Value>>,
) -> Result<Json<SettingsNow>, ApiError> {
    caller.require(Permission::ManageSettings)?;
    let _turn = app.settings.changing.lock().await;
    let fixed = app.settings.now().fixed.clone();
    if let Some(name) = fixed.iter().find(|name| wanted.contains_key(**name)) {
        let detail = format!("{name} is held by an option that this server was started with.");
        return Err(ApiError::conflict("FIXED_BY_OPTION", detail));
    }
    let before = Settings::load(&app.store).await?;
    let mut merged = serde_json::to_value(&before).map_err(|_| ApiError::internal("settings could not be written"))?;
    let Some(fields) = merged.as_object_mut() else { return Err(ApiError::internal("settings are no object")) };
    let mut changed: Vec<String> = Vec::new();
    for (name, value) in wanted {
        if fields.get(&name) != Some(&value) {
            changed.push(gc_protocol::limits::displayable(&name, 40));
        }
        if value.is_null() {
            fields.remove(&name);
        } else {
            fields.insert(name, value);
        }
    }
    let settings: Settings = serde_json::from_value(merged).map_err(|error| ApiError::invalid(error.to_string()))?;
    let settings =
        settings.checked(app.config.certificate.is_some()).map_err(|unfit| ApiError::invalid(unfit.to_string()))?;
    settings.save(&app.store, app.clock.wall()).await?;
    let now = app.settings.replace(&app.config, settings);
    app.hub.settings_changed(&now.settings);
    app.audit(NewAudit {
        event: "settings_changed",
        actor_id: Some(caller.user.id),
        details: Some(serde_json::json!({ "changed": changed })),
        ip_address: Some(client.0.to_string()),
        ..Default::default()
    })
    .await;
    Ok(Json(now.as_ref().into()))
}

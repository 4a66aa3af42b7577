//! Settings, by an administrator.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use gc_access::Permission;
use gc_store::NewAudit;
use serde::{Deserialize, Deserializer, Serialize};
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

/// Settings to change: what is given takes its place, what is left out stays,
/// and null is the beginning's value.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeSettings {
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    organization: Given<String>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    public_url: Given<String>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<String>>)]
    trusted_proxies: Given<Vec<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    consent_message: Given<String>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    notice_message: Given<String>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<bool>)]
    several_controllers: Given<bool>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>)]
    most_viewers: Given<u32>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>)]
    session_hours: Given<u32>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>)]
    unwatched_minutes: Given<u32>,
}

/// Left out, null, or a value.
type Given<T> = Option<Option<T>>;

fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Given<T>, D::Error> {
    Option::deserialize(from).map(Some)
}

impl ChangeSettings {
    /// Put what is given in its place; the names of what that changes come out.
    fn apply(self, settings: &mut Settings) -> Vec<&'static str> {
        let (beginning, mut named) = (Settings::default(), Vec::new());
        macro_rules! place {
            ($($field:ident: $value:expr),* $(,)?) => {$(
                if let Some(given) = self.$field {
                    named.push(stringify!($field));
                    settings.$field = $value(given).unwrap_or(beginning.$field);
                }
            )*};
        }
        place!(
            organization: |given| given, trusted_proxies: |given| given, consent_message: |given| given,
            notice_message: |given| given, several_controllers: |given| given, most_viewers: |given| given,
            public_url: Some, session_hours: Some, unwatched_minutes: Some,
        );
        named
    }
}

/// Change settings. They hold at once, for sessions that are on as well.
#[utoipa::path(patch, path = "/api/settings", operation_id = "change_settings", tag = "operation", request_body = ChangeSettings,
    security(("login" = []), ("cookie" = [])),
    responses((status = 200, body = SettingsNow), (status = 401, body = ErrorBody), (status = 403, body = ErrorBody),
        (status = 409, body = ErrorBody), (status = 422, body = ErrorBody)))]
pub(crate) async fn change(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    caller: Caller,
    Body(wanted): Body<ChangeSettings>,
) -> Result<Json<SettingsNow>, ApiError> {
    caller.require(Permission::ManageSettings)?;
    let _turn = app.settings.changing.lock().await;
    let mut settings = Settings::load(&app.store).await?;
    let changed = wanted.apply(&mut settings);
    if let Some(name) = changed.iter().find(|name| app.settings.now().fixed.contains(name)) {
        let detail = format!("{name} is held by an option that this server was started with.");
        return Err(ApiError::conflict("FIXED_BY_OPTION", detail));
    }
    let speaks_tls = app.config.certificate.is_some();
    let settings = settings.checked(speaks_tls).map_err(|unfit| ApiError::invalid(unfit.to_string()))?;
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

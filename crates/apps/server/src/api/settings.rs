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
use crate::request::{Body, Whole};
use crate::settings::{Effective, Settings};

/// What holds.
#[derive(Serialize, ToSchema)]
pub(crate) struct SettingsNow {
    /// Company name, as the person being helped reads it.
    organization: String,
    /// Address under which people reach this server; without it the one that it listens on.
    public_url: Option<String>,
    /// Addresses or networks of proxies whose forwarded header is believed.
    trusted_proxies: Vec<String>,
    /// Said below the question whether to allow a session; `{{technician_name}}` and `{{company}}` stand for what they
    /// say.
    consent_message: String,
    /// Said in the notice that stays on the screen; `{{company}}` stands for the company.
    notice_message: String,
    /// Whether several viewers may control at once; else the last to ask takes over.
    several_controllers: bool,
    /// Most viewers of one session.
    most_viewers: u32,
    /// After so many hours a session ends; without it never.
    session_hours: Option<u32>,
    /// After so many minutes without a viewer a session ends; without it never.
    unwatched_minutes: Option<u32>,
    /// Settings that an option of the server's start holds: they are changed there.
    fixed: Vec<&'static str>,
    /// The address that links are made with.
    url: String,
}

impl From<&Effective> for SettingsNow {
    fn from(now: &Effective) -> Self {
        let settings = now.settings.clone();
        Self {
            organization: settings.organization,
            public_url: settings.public_url,
            trusted_proxies: settings.trusted_proxies,
            consent_message: settings.consent_message,
            notice_message: settings.notice_message,
            several_controllers: settings.several_controllers,
            most_viewers: settings.most_viewers,
            session_hours: settings.session_hours,
            unwatched_minutes: settings.unwatched_minutes,
            fixed: now.fixed.clone(),
            url: now.url.clone(),
        }
    }
}

/// The settings that hold.
#[utoipa::path(get, path = "/api/settings", operation_id = "settings", tag = "operation",
    responses((status = 200, body = SettingsNow, description = "The settings.")))]
pub(crate) async fn get(State(app): State<Arc<App>>, caller: Caller) -> Result<Json<SettingsNow>, ApiError> {
    caller.require(Permission::ManageSettings)?;
    Ok(Json(app.settings.now().as_ref().into()))
}

/// How the product presents itself here.
#[derive(Serialize, ToSchema)]
pub(crate) struct Branding {
    product: &'static str,
    /// Company name; empty where none was set.
    organization: String,
}

/// How the product presents itself here: for whoever is not logged in as well.
#[utoipa::path(get, path = "/api/branding", operation_id = "branding", tag = "operation",
    security(()),
    responses((status = 200, body = Branding, description = "Names.")))]
pub(crate) async fn branding(State(app): State<Arc<App>>) -> Json<Branding> {
    Json(Branding { product: "GuruConnect", organization: app.settings.now().settings.organization.clone() })
}

/// Settings to change: what is given takes its place, what is left out stays,
/// and null is the beginning's value.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeSettings {
    /// Company name, as the person being helped reads it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 200, example = "Acme Support")]
    organization: Given<String>,
    /// Address under which people reach this server, without a path.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, example = "https://support.example.com")]
    public_url: Given<String>,
    /// Addresses or networks of proxies whose forwarded header is believed, such as 192.0.2.7 or 10.0.0.0/8.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<String>>, max_items = 32)]
    trusted_proxies: Given<Vec<String>>,
    /// Said below the question whether to allow a session.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 300)]
    consent_message: Given<String>,
    /// Said in the notice that stays on the screen.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, max_length = 300)]
    notice_message: Given<String>,
    /// Whether several viewers may control at once.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<bool>)]
    several_controllers: Given<bool>,
    /// Most viewers of one session.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 16)]
    most_viewers: Given<Whole>,
    /// After so many hours a session ends.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 168)]
    session_hours: Given<Whole>,
    /// After so many minutes without a viewer a session ends.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1440)]
    unwatched_minutes: Given<Whole>,
}

/// Left out, null, or a value.
type Given<T> = Option<Option<T>>;

fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Given<T>, D::Error> {
    Option::deserialize(from).map(Some)
}

impl ChangeSettings {
    /// Whether what is given will do.
    pub(super) fn fits(self) -> bool {
        let mut settings = Settings::default();
        self.apply(&mut settings);
        settings.checked(true).is_ok()
    }

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
            notice_message: |given| given, several_controllers: |given| given, public_url: Some,
            most_viewers: |given: Option<Whole>| given.map(|Whole(most)| most),
            session_hours: |given: Option<Whole>| Some(given.map(|Whole(hours)| hours)),
            unwatched_minutes: |given: Option<Whole>| Some(given.map(|Whole(minutes)| minutes)),
        );
        named
    }
}

/// Change settings. They hold at once, for sessions that are on as well.
#[utoipa::path(patch, path = "/api/settings", operation_id = "change_settings", tag = "operation",
    request_body = ChangeSettings,
    responses(
        (status = 200, body = SettingsNow, description = "The settings as they are now."),
        (status = 409, body = ErrorBody, description = "`FIXED_BY_OPTION`: an option of the server's start holds it."),
    ))]
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

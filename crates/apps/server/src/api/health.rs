//! Probes and versions.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::error::{ApiError, ErrorBody};

/// The process is alive.
#[utoipa::path(get, path = "/healthz", operation_id = "alive", tag = "operation",
    security(()),
    responses((status = 200, body = String, content_type = "text/plain", description = "It is.")))]
pub(crate) async fn alive() -> &'static str {
    "ok\n"
}

/// The server can serve: database and disk can be written to, and it is not
/// shutting down.
#[utoipa::path(get, path = "/readyz", operation_id = "ready", tag = "operation",
    security(()),
    responses(
        (status = 200, body = String, content_type = "text/plain", description = "It can."),
        (status = 503, body = ErrorBody, description = "`SHUTTING_DOWN`, `DATABASE_UNAVAILABLE` or `DISK_UNAVAILABLE`."),
    ))]
pub(crate) async fn ready(State(app): State<Arc<App>>) -> Result<&'static str, ApiError> {
    if app.shutdown.is_cancelled() {
        return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "SHUTTING_DOWN", "The server is going away."));
    }
    app.store.ping().await?;
    // A full or read-only disk shows here before it shows in a session.
    let probe = app.config.data.join(".ready");
    tokio::fs::write(&probe, b"ready\n").await.map_err(|error| {
        tracing::error!(%error, "the data folder cannot be written to");
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "DISK_UNAVAILABLE", "The server's disk cannot be written to.")
    })?;
    Ok("ready\n")
}

/// What runs here.
#[derive(Serialize, ToSchema)]
pub(crate) struct Version {
    version: String,
    protocol_lowest: u32,
    protocol_highest: u32,
}

/// What runs here.
#[utoipa::path(get, path = "/api/version", operation_id = "version", tag = "operation",
    security(()),
    responses((status = 200, body = Version, description = "Versions.")))]
pub(crate) async fn version() -> Json<Version> {
    let (protocol_lowest, protocol_highest) = gc_protocol::limits::VERSIONS;
    Json(Version { version: env!("CARGO_PKG_VERSION").into(), protocol_lowest, protocol_highest })
}

/// The route exists and does not know this method.
pub(crate) async fn method_not_allowed() -> ApiError {
    ApiError::method_not_allowed()
}

//! The client programs.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use crate::app::App;
use crate::client_file::System;
use crate::error::{ApiError, ErrorBody};
use crate::request::Path;

/// The client for a system: `windows` a program, `linux` an archive that keeps
/// the execute bit. The link that is followed names the file: a name in the
/// answer would take its place, and the code would be lost.
#[utoipa::path(get, path = "/api/downloads/{os}", operation_id = "download", tag = "operation", params(("os" = String, Path)), security(()),
    responses((status = 200, content_type = "application/octet-stream"), (status = 404, body = ErrorBody)))]
pub(crate) async fn download(
    State(app): State<Arc<App>>,
    Path(os): Path<String>,
) -> Result<impl IntoResponse, ApiError> {
    let (system, kind) = match os.as_str() {
        "windows" => (System::Windows, "application/vnd.microsoft.portable-executable"),
        "linux" => (System::Linux, "application/gzip"),
        _ => return Err(ApiError::not_found("download")),
    };
    let client = app.clients.download(system, &app.settings.now().url).await.map_err(|error| {
        tracing::error!(%error, "a client could not be prepared for download");
        ApiError::internal("a client could not be prepared for download")
    })?;
    let client = client.ok_or_else(|| ApiError::not_found("download: this server offers no client for that system"))?;
    Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, "attachment")], client))
}

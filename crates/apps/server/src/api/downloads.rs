//! The client programs.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use crate::app::App;
use crate::client_file::System;
use crate::error::ApiError;
use crate::request::Path;

/// The client for a system: `windows` a program, `linux` an archive that keeps
/// the execute bit. The link that is followed names the file: a name in the
/// answer would take its place, and the code would be lost.
#[utoipa::path(get, path = "/api/downloads/{os}", operation_id = "download", tag = "operation",
    params(("os" = inline(System), Path, description = "For which system")), security(()),
    responses((status = 200, description = "The program, or the archive with it.", headers(("content-disposition" = String)),
            content(([u8] = "application/vnd.microsoft.portable-executable"), ([u8] = "application/gzip")))))]
pub(crate) async fn download(
    State(app): State<Arc<App>>,
    Path(system): Path<System>,
) -> Result<impl IntoResponse, ApiError> {
    let kind = match system {
        System::Windows => "application/vnd.microsoft.portable-executable",
        System::Linux => "application/gzip",
    };
    let client = app.clients.download(system, &app.settings.now().url).await.map_err(|error| {
        tracing::error!(%error, "a client could not be prepared for download");
        ApiError::internal("a client could not be prepared for download")
    })?;
    let client = client.ok_or_else(|| ApiError::not_found("download: this server offers no client for that system"))?;
    Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, "attachment")], client))
}

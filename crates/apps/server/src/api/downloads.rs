//! The client programs.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use crate::app::App;
use crate::error::{ApiError, ErrorBody};
use crate::request::Path;

/// The client for a system: `windows` a program, `linux` an archive that keeps
/// the execute bit.
#[utoipa::path(get, path = "/api/downloads/{os}", operation_id = "download", tag = "operation", params(("os" = String, Path)), security(()),
    responses((status = 200, content_type = "application/octet-stream"), (status = 404, body = ErrorBody)))]
pub(crate) async fn download(
    State(app): State<Arc<App>>,
    Path(os): Path<String>,
) -> Result<impl IntoResponse, ApiError> {
    let (source, name, kind) = match os.as_str() {
        "windows" => ("guruconnect.exe", "GuruConnect.exe", "application/vnd.microsoft.portable-executable"),
        "linux" => ("guruconnect", "GuruConnect.tar.gz", "application/gzip"),
        _ => return Err(ApiError::not_found("download")),
    };
    let client = app.clients.read(source, &app.url).await.map_err(|error| {
        tracing::error!(%error, "a client could not be prepared for download");
        ApiError::internal("a client could not be prepared for download")
    })?;
    let client = client.ok_or_else(|| ApiError::not_found("download: this server offers no client for that system"))?;
    let body = if os == "linux" { archive(&client)? } else { client };
    let disposition = format!("attachment; filename=\"{name}\"");
    Ok(([(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, disposition)], body))
}

fn archive(client: &[u8]) -> Result<Vec<u8>, ApiError> {
    let failed = |_: std::io::Error| ApiError::internal("an archive could not be made");
    let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o755);
    header.set_size(client.len() as u64);
    builder.append_data(&mut header, "GuruConnect", client).map_err(failed)?;
    builder.into_inner().and_then(flate2::write::GzEncoder::finish).map_err(failed)
}

//! The web pages, inside the binary, and the headers that keep them safe.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;
use std::sync::{Mutex, OnceLock, PoisonError};

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use crate::error::ApiError;

#[derive(rust_embed::RustEmbed)]
#[folder = "../../../web/dist/"]
#[allow_missing = true]
struct Files;

const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
    img-src 'self' blob: data:; connect-src 'self'; worker-src 'self'; font-src 'self'; base-uri 'none'; \
    form-action 'self'; frame-ancestors 'none'";

/// Headers that every answer carries.
pub(crate) fn harden(route: &str, is_encrypted: bool, headers: &mut HeaderMap) {
    if is_encrypted {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    if route.starts_with("/api/") && !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

/// A file of the pages, or the page itself for every address that is a page's.
pub(crate) async fn page(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    if path.starts_with("api/") || path.starts_with("ws/") {
        return ApiError::not_found("route").into_response();
    }
    if !matches!(method, Method::GET | Method::HEAD) {
        let allowed = [(header::ALLOW, HeaderValue::from_static("GET,HEAD"))];
        return (allowed, ApiError::method_not_allowed()).into_response();
    }
    let is_file = path.rsplit('/').next().is_some_and(|name| name.contains('.'));
    let name = if is_file { path } else { "index.html" };
    let Some(file) = Files::get(name) else {
        return if is_file {
            ApiError::not_found("file").into_response()
        } else {
            let words = "This server was built without its pages: build web/ first.";
            (StatusCode::SERVICE_UNAVAILABLE, words).into_response()
        };
    };
    let kind = mime_guess::from_path(name).first_or_octet_stream();
    let packs = kind.type_() == "text"
        || ["application/javascript", "application/wasm", "image/svg+xml"].contains(&kind.essence_str());
    let packs = packs && takes_gzip(&headers);
    let hash = gc_access::Secret::random("", &Sha256::digest(&file.data).into());
    // What is packed is another representation, with a tag of its own.
    let tag = format!("\"{}{}\"", hash.expose(), if packs { "-gzip" } else { "" });
    if headers.get(header::IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == tag.as_bytes()) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    let lasting = if name.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = [
        (header::CONTENT_TYPE, kind.to_string()),
        (header::CACHE_CONTROL, lasting.to_owned()),
        (header::VARY, "accept-encoding".to_owned()),
        (header::ETAG, tag.clone()),
    ];
    if packs && let Some(data) = packed(name, &tag, file.data.clone()).await {
        return (headers, [(header::CONTENT_ENCODING, "gzip")], data).into_response();
    }
    (headers, file.data.into_owned()).into_response()
}

/// Whether the client takes gzip. Only files that everybody may read are
/// packed: beside a secret, an answer's length would tell of it.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let wanted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    wanted.split(',').any(|part| {
        let (coding, weight) = part.split_once(';').unwrap_or((part, ""));
        let refused = weight.trim().strip_prefix("q=").is_some_and(|weight| weight.parse() == Ok(0.0));
        coding.trim().eq_ignore_ascii_case("gzip") && !refused
    })
}

/// Files as gzip, with the tag of what was packed: as many as the pages have.
type Packed = Mutex<HashMap<String, (String, Bytes)>>;

/// A file as gzip, packed when it is first asked for, by a thread that may take
/// its time. One that was built anew takes the place of the old one.
async fn packed(name: &str, tag: &str, data: Cow<'static, [u8]>) -> Option<Bytes> {
    static PACKED: OnceLock<Packed> = OnceLock::new();
    let all = || PACKED.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, bytes)) = all().get(name).filter(|(known, _)| known == tag) {
        return Some(bytes.clone());
    }
    let pack = move || {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&data).ok()?;
        encoder.finish().ok()
    };
    let bytes = Bytes::from(tokio::task::spawn_blocking(pack).await.ok()??);
    all().insert(name.to_owned(), (tag.to_owned(), bytes.clone()));
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_goes_to_those_who_take_it() {
        for (header, takes) in [
            ("", false),
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("br, gzip;q=0", false),
            ("gzip;q=0.0, br", false),
            ("xgzip", false),
            ("identity", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(header));
            assert_eq!(takes_gzip(&headers), takes, "{header:?}");
        }
    }
}

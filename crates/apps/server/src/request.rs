//! What every request has: an id, a client address, and a body in bounds.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::rejection::JsonRejection;
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::address::{ClientAddress, client_address};
use crate::app::App;
use crate::error::{ApiError, Refused};
use crate::{request_id, web};

/// Give every request an id and a line in the log: the route's template, never
/// its path, which may hold a support code.
pub(crate) async fn identify(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let id = Uuid::now_v7().simple().to_string();
    let begun = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("(page)", |path| path.as_str()).to_owned();
    // What was begun is carried through, also when the client goes away in the
    // middle: a task of its own is not dropped with the connection.
    let carried = tokio::spawn(request_id::scope(id.clone(), next.run(request)));
    let mut response = match carried.await {
        Ok(response) => response,
        Err(_) => request_id::scope(id.clone(), async { ApiError::internal("a handler failed").into_response() }).await,
    };
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", value);
    }
    web::harden(&route, app.settings.now().url.starts_with("https://"), response.headers_mut());
    if let Some(Refused(code)) = response.extensions().get() {
        app.meters.refused(code);
    }
    app.meters.answered(&route, &method, response.status().as_u16(), begun.elapsed());
    let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(request_id = id, %method, route, status = response.status().as_u16(), milliseconds, "request");
    response
}

impl FromRequestParts<Arc<App>> for ClientAddress {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let ConnectInfo(peer) = ConnectInfo::<SocketAddr>::from_request_parts(parts, app)
            .await
            .map_err(|_| ApiError::internal("a request without a peer address"))?;
        Ok(Self(client_address(peer.ip(), &parts.headers, &app.settings.now().trusted_proxies)))
    }
}

/// How long a body may take.
const BODY_WITHIN: Duration = Duration::from_secs(15);

/// A JSON body; what is wrong with it is told in the standard envelope.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        // The whole of it: a byte now and then would keep a connection for ever.
        let read = tokio::time::timeout(BODY_WITHIN, axum::Json::<T>::from_request(request, app));
        let Ok(read) = read.await else {
            let detail = "The body took too long to arrive.";
            return Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "REQUEST_TIMEOUT", detail));
        };
        match read {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(JsonRejection::JsonDataError(error)) => Err(ApiError::invalid(error.body_text())),
            Err(JsonRejection::JsonSyntaxError(_)) => {
                Err(ApiError::bad_request("MALFORMED_JSON", "The body is not valid JSON."))
            }
            Err(JsonRejection::MissingJsonContentType(_)) => Err(ApiError::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "UNSUPPORTED_MEDIA_TYPE",
                "Send the body as application/json.",
            )),
            Err(other) if other.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "TOO_LARGE", "The body is too large."))
            }
            Err(_) => Err(ApiError::bad_request("BAD_REQUEST", "The body could not be read.")),
        }
    }
}

/// Path and query values; what is wrong with them is told in the envelope.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<App>> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let found = axum::extract::Path::<T>::from_request_parts(parts, app).await;
        found.map(|axum::extract::Path(value)| Self(value)).map_err(|_| ApiError::not_found("thing"))
    }
}

/// Query values; unknown ones are refused by their types.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<App>> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let found = axum::extract::Query::<T>::from_request_parts(parts, app).await;
        found
            .map(|axum::extract::Query(value)| Self(value))
            .map_err(|error| ApiError::bad_request("INVALID_QUERY", error.body_text()))
    }
}

//! What operators measure.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::header;
use axum::response::IntoResponse;
use gc_access::Permission;

use crate::app::App;
use crate::auth::caller::Caller;
use crate::error::{ApiError, ErrorBody};
use crate::meters::Sample;

/// Everything in Prometheus' text format: to a scraper on this machine, and to
/// whoever has the permission `view_metrics`, such as by a token with this
/// scope. What a proxy has passed on comes from elsewhere.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "operation",
    security((), ("login" = []), ("cookie" = [])),
    responses(
        (status = 200, body = String, content_type = "text/plain", description = "Every metric."),
        (status = 401, body = ErrorBody, description = "`UNAUTHORIZED`: from elsewhere, without a credential that holds."),
        (status = 403, body = ErrorBody, description = "`FORBIDDEN`, `PASSWORD_CHANGE_REQUIRED`: not permitted."),
    ))]
pub(crate) async fn metrics(State(app): State<Arc<App>>, request: Request) -> Result<impl IntoResponse, ApiError> {
    let (mut parts, _) = request.into_parts();
    if parts.headers.contains_key(header::AUTHORIZATION) || !is_from_here(&parts) {
        let caller = Caller::from_request_parts(&mut parts, &app).await?;
        caller.require(Permission::ViewMetrics)?;
    }
    let sample = Sample { http: app.connections.all(), ..app.hub.sample().await };
    let kind = (header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8");
    Ok(([kind], app.meters.render(&sample)))
}

fn is_from_here(parts: &axum::http::request::Parts) -> bool {
    let passed_on = ["x-forwarded-for", "forwarded", "via", "x-real-ip"];
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    peer.is_some_and(|ConnectInfo(peer)| peer.ip().to_canonical().is_loopback())
        && !passed_on.iter().any(|name| parts.headers.contains_key(*name))
}

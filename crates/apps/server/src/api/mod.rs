//! The HTTP API: the route table, and its description.

mod audit;
mod changelog;
mod codes;
mod description;
mod downloads;
mod events;
mod health;
mod invitations;
mod metrics;
mod password;
mod reading;
mod second_factor;
mod session;
mod session_list;
mod settings;
mod setup;
mod shapes;
mod tokens;
mod users;
mod viewer_token;
mod words;

pub(crate) use password::LIFETIME as LOGIN_LIFETIME;
pub use reading::{Reading, read};

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::get;
use tower_http::timeout::RequestBodyTimeoutLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::error::ErrorBody;

/// Largest body that a call may have.
const BODY: usize = 64 << 10;
/// How long the next piece of a body may take that nobody reads.
const BODY_WITHIN: Duration = Duration::from_secs(15);

#[derive(OpenApi)]
#[openapi(
    info(
        title = "GuruConnect",
        description = "Self-hosted remote support. Every error has one shape; quote its `request_id`.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0")
    ),
    tags(
        (name = "auth", description = "First set-up, logging in and out, one's own account"),
        (name = "users", description = "Users, roles and permissions"),
        (name = "codes", description = "Support codes"),
        (name = "sessions", description = "Sessions, viewer tokens, invitations"),
        (name = "audit", description = "What happened"),
        (name = "operation", description = "Downloads, versions, events, probes")
    ),
    components(schemas(ErrorBody))
)]
struct Description;

fn routes() -> OpenApiRouter<Arc<App>> {
    let mut routes = OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(setup::state, setup::setup))
        .routes(routes!(password::login))
        .routes(routes!(password::logout))
        .routes(routes!(password::me))
        .routes(routes!(password::change_password))
        .routes(routes!(second_factor::propose))
        .routes(routes!(second_factor::set))
        .routes(routes!(second_factor::remove))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::revoke))
        .routes(routes!(users::list, users::create))
        .routes(routes!(users::change, users::remove))
        .routes(routes!(users::colleagues))
        .routes(routes!(codes::list, codes::create))
        .routes(routes!(codes::cancel))
        .routes(routes!(codes::validate))
        .routes(routes!(session_list::list))
        .routes(routes!(session::get, session::remove))
        .routes(routes!(session::remove_several))
        .routes(routes!(session::request_control))
        .routes(routes!(viewer_token::mint))
        .routes(routes!(invitations::list, invitations::invite))
        .routes(routes!(invitations::withdraw))
        .routes(routes!(audit::list))
        .routes(routes!(audit::export))
        .routes(routes!(settings::get, settings::change))
        .routes(routes!(events::events))
        .routes(routes!(downloads::download))
        .routes(routes!(health::version))
        .routes(routes!(changelog::list))
        .routes(routes!(settings::branding))
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(metrics::metrics));
    description::complete(routes.get_openapi_mut());
    routes
}

/// The API's description.
pub(crate) fn describe() -> utoipa::openapi::OpenApi {
    routes().split_for_parts().1
}

/// Everything that is served.
pub(crate) fn router(app: Arc<App>) -> Router {
    let (router, api) = routes().split_for_parts();
    let docs = utoipa_swagger_ui::SwaggerUi::new("/api/docs").url("/api/openapi.json", api);
    router
        .route("/ws/agent", get(crate::relay::agent_socket::upgrade))
        .route("/ws/viewer", get(crate::relay::viewer_socket::upgrade))
        .merge(docs)
        .fallback(crate::web::page)
        .method_not_allowed_fallback(health::method_not_allowed)
        .layer(DefaultBodyLimit::max(BODY))
        .layer(RequestBodyTimeoutLayer::new(BODY_WITHIN))
        .layer(axum::middleware::from_fn_with_state(app.clone(), crate::request::identify))
        .with_state(app)
}

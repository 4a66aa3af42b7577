//! Minting viewer tokens: the authorisation decision.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use gc_access::{MintRefusal, mint_access};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::session_list::visible;
use super::shapes::at;
use super::words::AccessName;
use crate::app::App;
use crate::auth::caller::Caller;
use crate::auth::viewer_token::{Claims, LIFETIME};
use crate::error::{ApiError, ErrorBody};
use crate::request::Path;

/// A viewer token.
#[derive(Serialize, ToSchema)]
pub(crate) struct Minted {
    token: String,
    /// The token itself says it too.
    #[schema(value_type = AccessName)]
    access: String,
    #[schema(format = DateTime)]
    expires_at: String,
    websocket_url: String,
}

/// Mint a viewer token for a session.
#[utoipa::path(post, path = "/api/sessions/{id}/viewer-token", operation_id = "mint_viewer_token", tag = "sessions",
    params(("id" = Uuid, Path, description = "The session's id")),
    responses(
        (status = 200, body = Minted, description = "A token, to be used within its time."),
        (status = 409, body = ErrorBody, description = "`CONSENT_PENDING`: the person has not accepted. `SESSION_ENDED`: it is over."),
    ))]
pub(crate) async fn mint(
    State(app): State<Arc<App>>,
    caller: Caller,
    Path(id): Path<Uuid>,
) -> Result<Json<Minted>, ApiError> {
    // A session that exists and is not the caller's is refused like spec 2
    // says: 403, as for everybody without a right to it.
    let row = app.store.session(id).await?.ok_or_else(|| ApiError::not_found("session"))?;
    let view = match visible(&app, &caller, id).await {
        Ok((_, view)) => view,
        Err(error) if error.status == StatusCode::NOT_FOUND => return Err(ApiError::forbidden()),
        Err(error) => return Err(error),
    };
    let access = mint_access(&caller.permissions, &view).map_err(|refusal| match refusal {
        MintRefusal::NotVisible | MintRefusal::NotPermitted => ApiError::forbidden(),
        MintRefusal::ConsentPending => ApiError::conflict("CONSENT_PENDING", "The person has not accepted yet."),
        MintRefusal::Ended => ApiError::conflict("SESSION_ENDED", "The session has ended."),
    })?;
    let now = app.clock.steady();
    let claims = Claims {
        purpose: "viewer".into(),
        session_id: id,
        tenant_id: row.tenant_id,
        access,
        jti: Uuid::now_v7(),
        user_id: caller.user.id,
        credential: caller.credential,
        expires_at: now + LIFETIME,
    };
    let token = app.viewer_tokens.sign(&claims)?;
    let base = app.settings.now().url.replacen("http", "ws", 1);
    Ok(Json(Minted {
        token: token.expose().to_owned(),
        access: access.as_str().into(),
        expires_at: at(app.clock.shown(claims.expires_at)),
        websocket_url: format!("{base}/ws/viewer?session_id={id}"),
    }))
}

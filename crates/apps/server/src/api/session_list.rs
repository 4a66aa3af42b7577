//! Sessions, as lists and rows show them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use gc_access::{Access, Permission, SessionView};
use gc_protocol::messages::{VideoCodec, ViewerStatistics};
use gc_store::{SessionFilter, SessionRow, Status};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::shapes::{Limit, List, at};
use super::words::{AccessName, ConsentName, EndReasonName, SessionState, SourceName};
use crate::app::App;
use crate::auth::caller::Caller;
use crate::error::ApiError;
use crate::request::Query;

/// The machine at the other end.
#[derive(Serialize, ToSchema)]
pub(crate) struct Machine {
    hostname: String,
    operating_system: String,
    /// Why nothing can be shown just now; empty when all is well.
    obstacle: String,
}

/// Somebody who looks on.
#[derive(Serialize, ToSchema)]
pub(crate) struct Watching {
    viewer: u32,
    user_id: Uuid,
    name: String,
    #[schema(value_type = AccessName)]
    access: String,
    in_control: bool,
    #[schema(format = DateTime)]
    since: String,
    /// How pictures reach it, as it said last; null before that.
    statistics: Option<Statistics>,
}

/// How pictures are coded.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CodecName {
    /// Every picture exact.
    Tiles,
    /// Exact, and a region of video.
    H264,
}

/// How pictures reached a viewer within the last seconds, from the agent's
/// encoder on.
#[derive(Serialize, ToSchema)]
pub(crate) struct Statistics {
    #[schema(format = DateTime)]
    measured_at: String,
    frames_per_second: u32,
    kbit_per_second: u32,
    codec: CodecName,
    /// What a picture took the agent on average, in microseconds; null where none came.
    encode_us: Option<u32>,
    /// What it took the viewer.
    decode_us: Option<u32>,
    /// From an input to its picture, in microseconds; null where nothing was typed.
    latency_us: Option<u32>,
    /// From the viewer to the relay and back, in microseconds; null where it is not known yet.
    round_trip_us: Option<u32>,
}

impl Statistics {
    fn new((told, when): &(ViewerStatistics, i64)) -> Self {
        let known = |figure: u32| (figure > 0).then_some(figure);
        Self {
            measured_at: at(*when),
            frames_per_second: told.frames_per_second,
            kbit_per_second: told.kbit_per_second,
            codec: if told.codec() == VideoCodec::H264 { CodecName::H264 } else { CodecName::Tiles },
            encode_us: known(told.encode_us),
            decode_us: known(told.decode_us),
            latency_us: known(told.latency_us),
            round_trip_us: known(told.round_trip_us),
        }
    }
}

/// One session.
#[derive(Serialize, ToSchema)]
pub(crate) struct Session {
    pub(crate) id: Uuid,
    /// Null before consent.
    machine: Option<Machine>,
    #[schema(value_type = SourceName)]
    source: String,
    #[schema(value_type = ConsentName)]
    consent_state: String,
    #[schema(value_type = SessionState)]
    state: String,
    #[schema(value_type = Option<EndReasonName>)]
    end_reason: Option<String>,
    is_managed: bool,
    /// What was asked for.
    #[schema(value_type = AccessName)]
    requested_access: String,
    /// What the person accepted.
    #[schema(value_type = Option<AccessName>)]
    accepted_access: Option<String>,
    technician_name: String,
    created_by: Option<Uuid>,
    note: Option<String>,
    viewers: Vec<Watching>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    started_at: Option<String>,
    #[schema(format = DateTime)]
    ended_at: Option<String>,
}

impl Session {
    pub(super) fn new(app: &App, row: SessionRow) -> Self {
        let agreed = row.accepted_access.is_some();
        let live = app.hub.get(row.id);
        let (viewers, obstacle) = live.map_or((Vec::new(), String::new()), |session| {
            session.with_links(|all| {
                let watching = all.viewers().iter().map(|(id, link)| Watching {
                    viewer: *id,
                    user_id: link.user_id,
                    name: link.name.clone(),
                    access: link.access.as_str().into(),
                    in_control: all.controller == Some(*id),
                    since: at(link.since),
                    statistics: link.statistics.as_ref().map(Statistics::new),
                });
                (watching.collect(), all.obstacle.clone())
            })
        });
        let machine = agreed.then(|| Machine {
            hostname: row.hostname.unwrap_or_default(),
            operating_system: row.operating_system.unwrap_or_default(),
            obstacle,
        });
        Self {
            id: row.id,
            machine,
            source: row.source,
            consent_state: row.consent_state,
            state: row.status,
            end_reason: row.end_reason,
            is_managed: row.is_managed,
            requested_access: row.requested_access,
            accepted_access: row.accepted_access,
            technician_name: row.technician_name,
            created_by: row.created_by,
            note: row.note,
            viewers,
            created_at: at(row.created_at),
            started_at: row.started_at.map(at),
            ended_at: row.ended_at.map(at),
        }
    }
}

/// A session that the caller may see, with what is to be known to decide more.
pub(super) async fn visible(app: &App, caller: &Caller, id: Uuid) -> Result<(SessionRow, SessionView), ApiError> {
    let missing = || ApiError::not_found("session");
    let row = app.store.session(id).await?.ok_or_else(missing)?;
    let view = SessionView {
        is_creator: row.created_by == Some(caller.user.id),
        is_invited: app.store.is_guest(id, caller.user.id).await?,
        accepted: row.accepted_access.as_deref().and_then(Access::from_name),
        ended: row.status == Status::Ended.as_str(),
    };
    if gc_access::may_see(&caller.permissions, &view) { Ok((row, view)) } else { Err(missing()) }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum OpenOrEnded {
    Open,
    Ended,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only those that go on, or only those that are over.
    #[param(inline)]
    state: Option<OpenOrEnded>,
    /// Only those that this user created.
    created_by: Option<Uuid>,
    /// The `next` of the page before.
    after: Option<Uuid>,
    /// At most so many.
    #[serde(default)]
    #[param(value_type = Option<u64>, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
}

/// Sessions that one may see, newest first.
#[utoipa::path(get, path = "/api/sessions", operation_id = "list_sessions", tag = "sessions",
    params(Filter),
    responses((status = 200, body = List<Session>, description = "A page.")))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(filter): Query<Filter>,
) -> Result<Json<List<Session>>, ApiError> {
    caller.require(Permission::View)?;
    let page = app
        .store
        .sessions(SessionFilter {
            visible_to: (!caller.is_admin()).then_some(caller.user.id),
            created_by: filter.created_by,
            ended: filter.state.map(|state| state == OpenOrEnded::Ended),
            before: filter.after,
            limit: filter.limit.0,
        })
        .await?;
    Ok(Json(List::of(page, |row| Session::new(&app, row))))
}

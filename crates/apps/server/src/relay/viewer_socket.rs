//! The viewers' plane: `/ws/viewer`.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::SplitStream;
use gc_access::{Access, SessionView, mint_access};
use gc_protocol::messages::{Body, Chat, ControlRequest, Heartbeat, HeartbeatAck, InputReset, ViewerHello};
use gc_protocol::{Destination, Ending, RawEnvelope, Refusal, Sender, decode, encode, limits, route};
use gc_session::Phase;
use gc_session::relay::JoinRefusal;
use gc_session::throttle::InputThrottle;
use gc_store::{Status, Store};
use serde::Deserialize;
use uuid::Uuid;

use super::agent_socket::micros;
use super::awaited::Awaited;
use super::links::{ViewerLink, end};
use super::outbox::Outbox;
use super::session::{Joining, Session};
use super::silence::Silence;
use super::socket::{bounded, finish, first_message, too_large, write};
use crate::address::ClientAddress;
use crate::app::App;
use crate::auth::caller::standing;
use crate::auth::viewer_token::Claims;
use crate::error::ApiError;
use crate::meters::Present;
use crate::request::Query;

/// Largest message that types, in bytes: characters, and their wrapping.
const TYPING: usize = 2 << 10;
/// Largest message that steers the picture, in bytes: some numbers.
const STEERING: usize = 128;
/// Field number of `FrameAck`.
const FRAME_ACK: u32 = 2;
/// Acknowledgements, refreshes and the like that a viewer may send in a second:
/// more than any screen has pictures.
const STEERING_PER_SECOND: u32 = 500;
/// Wishes that a viewer may have in a second, for another display or other
/// pictures: each may cost the agent a fresh start.
const WISHES_PER_SECOND: u32 = 20;
/// Field numbers of `SwitchDisplay` and `QualitySettings`.
const WISHES: [u32; 2] = [30, 31];
/// How often in a second control may be taken or given up: everybody in the
/// session is told each time.
const CONTROL_PER_SECOND: u32 = 5;
/// Heartbeats and statistics of a viewer in a second.
const HEARTBEATS_PER_SECOND: u32 = 20;
/// What a viewer is told whose login is gone.
const LOGGED_OUT: &str = "Your login has ended.";
/// What a viewer is told when it is not at fault.
const PROBLEM: &str = "The server has a problem. Try again in a moment.";
/// How often an open socket's right to be there is looked at again.
const RECHECK: Duration = Duration::from_secs(15);
/// How long the database may take for that.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    session_id: Uuid,
}

/// Let a viewer in by its token.
pub(crate) async fn upgrade(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    match authenticate(&app, &headers, wanted.session_id).await {
        Ok((claims, session)) => {
            let upgrade = match upgrade {
                Ok(upgrade) => bounded(upgrade, limits::VIEWER_MESSAGE),
                Err(_) => return ApiError::upgrade_required().into_response(),
            };
            if upgrade.selected_protocol().is_none() {
                let detail = format!("Ask for the subprotocol {}.", limits::SUBPROTOCOL);
                return ApiError::bad_request("SUBPROTOCOL_REQUIRED", detail).into_response();
            }
            upgrade.on_upgrade(move |socket| async move {
                let sockets = app.sockets.clone();
                sockets.track_future(serve(app, socket, claims, session, client)).await;
            })
        }
        Err(error) => error.into_response(),
    }
}

async fn authenticate(
    app: &Arc<App>,
    headers: &HeaderMap,
    session_id: Uuid,
) -> Result<(Claims, Arc<Session>), ApiError> {
    let origin = headers.get(header::ORIGIN).and_then(|value| value.to_str().ok());
    let embedded = origin.is_some_and(|origin| app.config.embedding_origins.iter().any(|known| known == origin));
    if headers.contains_key(header::ORIGIN) && !embedded && !app.is_own_origin(headers) {
        return Err(ApiError::new(StatusCode::FORBIDDEN, "ORIGIN_REFUSED", "This page may not open viewer sockets."));
    }
    let refused = || ApiError::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "This credential opens nothing here.");
    let token = presented(headers).ok_or_else(refused)?;
    let claims = app.viewer_tokens.verify(&token, app.clock.steady()).ok_or_else(refused)?;
    if !stands(&app.store, &claims, app.clock.steady()).await? {
        return Err(refused());
    }
    let forbidden = |code, detail| Err(ApiError::new(StatusCode::FORBIDDEN, code, detail));
    if claims.session_id != session_id || claims.tenant_id != gc_store::tenancy::SEEDED {
        return forbidden("WRONG_SESSION", "This token is for another session.");
    }
    let Some(session) = app.hub.get(session_id) else {
        return forbidden("SESSION_NOT_OPEN", "The session has not begun, or has ended.");
    };
    if session.accepted().await.is_none() || session.phase().await == Phase::Pending {
        return forbidden("CONSENT_PENDING", "The person has not accepted yet.");
    }
    Ok((claims, session))
}

fn presented(headers: &HeaderMap) -> Option<String> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        return value.to_str().ok()?.strip_prefix("Bearer ").map(str::to_owned);
    }
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    let mut offered = offered.flat_map(|value| value.split(',')).map(str::trim);
    offered.find_map(|name| name.strip_prefix(limits::TOKEN_SUBPROTOCOL)).map(str::to_owned)
}

/// Whether what a token was minted upon still holds: the credential, its user, and
/// that this user would be given as much for this session today.
async fn stands(store: &Store, claims: &Claims, now: i64) -> Result<bool, gc_store::StoreError> {
    let standing = standing(store, claims.credential, now).await?;
    let Some(caller) = standing.filter(|caller| caller.user.id == claims.user_id) else { return Ok(false) };
    let row = store.session(claims.session_id).await?.filter(|row| row.status != Status::Ended.as_str());
    let Some(row) = row else { return Ok(false) };
    let view = SessionView {
        is_creator: row.created_by == Some(caller.user.id),
        is_invited: store.is_guest(row.id, caller.user.id).await?,
        // The person's answer is looked at apart: here it is the user's right.
        accepted: Some(claims.access),
        ended: false,
    };
    Ok(mint_access(&caller.permissions, &view).is_ok_and(|access| access >= claims.access))
}

/// Whether the token is known to stand no longer; a database that cannot be
/// asked is no reason to send anybody away.
async fn has_fallen(app: Arc<App>, claims: Claims) -> bool {
    let asked = stands(&app.store, &claims, app.clock.steady());
    // One that never answers is asked again.
    matches!(tokio::time::timeout(ANSWER_WITHIN, asked).await, Ok(Ok(false)))
}

/// The answer to what was asked; none where nothing was.
async fn answer<T>(asked: &mut Option<Pin<Box<dyn Future<Output = T> + Send>>>) -> T {
    match asked {
        Some(answer) => answer.await,
        None => std::future::pending().await,
    }
}

async fn serve(app: Arc<App>, socket: WebSocket, claims: Claims, session: Arc<Session>, client: ClientAddress) {
    let _present = Present::new(&app.meters.viewers);
    let (sink, mut stream) = socket.split();
    let outbox = Arc::new(Outbox::new(limits::VIEWER_QUEUE));
    let writer = tokio::spawn(write(sink, outbox.clone()));
    let hello = match first_message(&mut stream).await {
        Ok(bytes) => read_hello(bytes).map_err(|text| (Ending::Protocol, text)),
        Err(silence) => Err(silence.ending("viewer")),
    };
    let joined = match hello {
        Ok((hello, version)) => Box::pin(join(&app, &session, &outbox, &claims, hello, version, client)).await,
        Err(goodbye) => Err(goodbye),
    };
    match joined {
        Ok((viewer, access)) => {
            let mut reader = Reader {
                throttle: InputThrottle::new(app.clock.now()),
                steering: Counter::default(),
                wishes: Counter::default(),
                controls: Counter::default(),
                heartbeats: Counter::default(),
                app: app.clone(),
                session,
                claims,
                viewer,
                access,
                outbox: outbox.clone(),
                refused: 0,
                chats: Vec::new(),
            };
            // What was revoked while the viewer introduced itself found no link to
            // close: look once more now that there is one.
            match stands(&app.store, &reader.claims, app.clock.steady()).await {
                Ok(true) => reader.run(&mut stream).await,
                Ok(false) => end(&outbox, Ending::CredentialEnded, LOGGED_OUT),
                Err(_) => end(&outbox, Ending::GoingAway, PROBLEM),
            }
            Box::pin(reader.session.left(&app, viewer)).await;
        }
        Err((ending, text)) => end(&outbox, ending, &text),
    }
    end(&outbox, Ending::Normal, "");
    finish(writer, stream).await;
}

fn read_hello(bytes: Bytes) -> Result<(ViewerHello, u32), String> {
    let Ok(Some(Body::ViewerHello(hello))) = decode(bytes) else {
        return Err("The viewer's first message is malformed.".into());
    };
    let versions = hello.versions.unwrap_or_default();
    match limits::common_version(versions.lowest, versions.highest) {
        Some(version) => Ok((hello, version)),
        None => Err(format!(
            "The viewer speaks protocol versions {} to {}, this server {} to {}.",
            versions.lowest,
            versions.highest,
            limits::VERSIONS.0,
            limits::VERSIONS.1
        )),
    }
}

async fn join(
    app: &Arc<App>,
    session: &Arc<Session>,
    outbox: &Arc<Outbox>,
    claims: &Claims,
    hello: ViewerHello,
    version: u32,
    client: ClientAddress,
) -> Result<(u32, Access), (Ending, String)> {
    let user = app.store.user(claims.user_id).await.map_err(|_| (Ending::GoingAway, PROBLEM.to_owned()))?;
    let Some(user) = user else { return Err((Ending::CredentialEnded, LOGGED_OUT.into())) };
    let link = ViewerLink {
        outbox: outbox.clone(),
        access: claims.access,
        user_id: claims.user_id,
        credential: claims.credential,
        name: limits::displayable(&user.display_name, limits::NAME),
        display: hello.display_id,
        decodable: decodable(hello.decodable),
        since: app.clock.wall(),
        awaited: Awaited::default(),
        statistics: None,
    };
    let joining = Joining { link, address: client.0, version };
    session.join(app, joining).await.map_err(|refusal| match refusal {
        JoinRefusal::ConsentPending => (Ending::NotPermitted, "The person has not accepted yet.".into()),
        JoinRefusal::Ended(reason) => (Ending::SessionEnded, reason.text().into()),
        JoinRefusal::Full => (Ending::Flooding, "As many are watching as this server allows.".into()),
    })
}

/// What a viewer says that it decodes, as far as that is worth keeping.
fn decodable(mut told: Vec<i32>) -> Vec<i32> {
    told.truncate(8);
    told.shrink_to_fit();
    told
}

/// Messages of one kind within a second.
#[derive(Default)]
struct Counter {
    second: Duration,
    count: u32,
}

impl Counter {
    /// One more, unless there were too many.
    fn take(&mut self, most: u32, now: Duration) -> Result<(), Goodbye> {
        if now.saturating_sub(self.second) >= Duration::from_secs(1) {
            *self = Self { second: now, count: 0 };
        }
        self.count += 1;
        if self.count <= most { Ok(()) } else { Err((Ending::Flooding, "Too many messages at once.")) }
    }
}

struct Reader {
    app: Arc<App>,
    session: Arc<Session>,
    claims: Claims,
    viewer: u32,
    access: Access,
    outbox: Arc<Outbox>,
    throttle: InputThrottle,
    steering: Counter,
    wishes: Counter,
    controls: Counter,
    heartbeats: Counter,
    refused: u32,
    chats: Vec<Duration>,
}

type Goodbye = (Ending, &'static str);
const OVERSIZE: Goodbye = (Ending::TooLarge, "A message was larger than its kind may be.");

impl Reader {
    async fn run(&mut self, stream: &mut SplitStream<WebSocket>) {
        let app = self.app.clone();
        let mut silence = Silence::since(app.clock.now());
        let mut beat = app.clock.now();
        let mut checked = app.clock.now();
        let mut sequence = 0;
        let mut released = false;
        // Whether the token still stands: the database is asked beside the
        // reading, so that input never waits for it.
        let mut asked: Option<Pin<Box<dyn Future<Output = bool> + Send>>> = None;
        loop {
            if self.outbox.is_closed() {
                return;
            }
            let now = app.clock.now();
            let wake = self
                .throttle
                .wait()
                .map_or(beat + limits::HEARTBEAT_ATTACHED, |wait| (now + wait).min(beat + limits::HEARTBEAT_ATTACHED));
            let outcome = tokio::select! {
                // While messages come no timer is set.
                biased;
                fallen = answer(&mut asked) => {
                    asked = None;
                    silence.woken(wake, app.clock.now());
                    if fallen { Err((Ending::CredentialEnded, LOGGED_OUT)) } else { Ok(()) }
                }
                message = stream.next() => {
                    silence.heard(app.clock.now());
                    released = false;
                    match message {
                        Some(Ok(Message::Binary(bytes))) => {
                            // However much is here already, others have their turn.
                            tokio::task::coop::consume_budget().await;
                            let outcome = self.take(bytes).await;
                            // What that waited for was not the viewer's silence.
                            silence.heard(app.clock.now());
                            outcome
                        }
                        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
                        Some(Ok(Message::Text(_))) => Err((Ending::Protocol, "Messages are binary.")),
                        Some(Err(error)) if too_large(&error) => {
                            Err((Ending::TooLarge, "A message was larger than 64 KiB."))
                        }
                        Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                    }
                }
                () = app.clock.sleep_until(wake) => {
                    silence.woken(wake, app.clock.now());
                    Ok(())
                }
                () = app.shutdown.cancelled() => Err((Ending::GoingAway, "The server is restarting.")),
            };
            if let Err((ending, text)) = outcome {
                end(&self.outbox, ending, text);
                return;
            }
            let now = app.clock.now();
            self.pass_input(now);
            if now >= beat + limits::HEARTBEAT_ATTACHED {
                beat = now;
                sequence += 1;
                // A full queue is dealt with where frames are written to it.
                let _: Result<(), _> = self.outbox.push(encode(Heartbeat { sequence, sent_at_us: micros(now) }));
            }
            if silence.own(now) >= limits::SILENCE_END {
                end(&self.outbox, Ending::HeartbeatMissed, "Nothing was heard from the viewer.");
                return;
            }
            if silence.whole(now) >= limits::SILENCE_RELEASE && !released {
                released = true;
                self.release();
            }
            if now.saturating_sub(checked) >= RECHECK {
                checked = now;
                if asked.is_none() {
                    asked = Some(Box::pin(has_fallen(app.clone(), self.claims.clone())));
                }
            }
        }
    }

    /// What this viewer holds on the remote machine comes up.
    fn release(&self) {
        let reset = encode(InputReset { seq: 0 });
        self.session.with_links(|all| all.forward_to_agent(self.viewer, &reset));
    }

    fn pass_input(&mut self, now: Duration) {
        while let Some(message) = self.throttle.next(now) {
            self.session.with_links(|all| {
                // Input of somebody who has just lost control goes nowhere.
                if all.controls(self.viewer) {
                    all.forward_to_agent(self.viewer, &message);
                }
            });
        }
    }

    async fn take(&mut self, bytes: Bytes) -> Result<(), Goodbye> {
        let raw = RawEnvelope::parse(bytes).map_err(|_| (Ending::Protocol, "A message is malformed."))?;
        let sender = match self.access {
            Access::ViewOnly => Sender::ViewOnlyViewer,
            Access::Control => Sender::ControlViewer,
        };
        match route(raw.field(), sender) {
            // Input and what steers the picture are small; what is not is no such
            // thing, whatever fields it may hide.
            Ok(Destination::AgentInput) if raw.bytes().len() > TYPING => Err(OVERSIZE),
            Ok(Destination::Agent) if raw.bytes().len() > STEERING => Err(OVERSIZE),
            Ok(Destination::AgentInput) => self
                .throttle
                .offer(raw.field(), raw.bytes().clone())
                .map_err(|_| (Ending::Flooding, "Too much input at once.")),
            Ok(Destination::Agent) => {
                self.steering.take(STEERING_PER_SECOND, self.app.clock.now())?;
                if WISHES.contains(&raw.field()) {
                    self.wishes.take(WISHES_PER_SECOND, self.app.clock.now())?;
                }
                self.session.with_links(|all| {
                    if raw.field() == FRAME_ACK {
                        all.acknowledged(self.viewer, &raw);
                    }
                    all.forward_to_agent(self.viewer, raw.bytes());
                });
                Ok(())
            }
            Ok(Destination::Relay | Destination::Conversation) => {
                let body = raw.decode().map_err(|_| (Ending::Protocol, "A message is malformed."))?;
                match body {
                    Some(body) => Box::pin(self.relay(body)).await,
                    None => Ok(()),
                }
            }
            Err(Refusal::Unknown) => Ok(()),
            Ok(Destination::Viewers) | Err(Refusal::NotAllowed) => {
                self.refused += 1;
                if self.refused <= limits::REFUSED_MESSAGES {
                    return Ok(());
                }
                if self.access == Access::ViewOnly && gc_protocol::routing::is_input(raw.field()) {
                    return Err((Ending::NotPermitted, "You may only watch this session."));
                }
                Err((Ending::Protocol, "The viewer keeps sending what it may not."))
            }
        }
    }

    async fn relay(&mut self, body: Body) -> Result<(), Goodbye> {
        match body {
            Body::Heartbeat(beat) => {
                self.heartbeats.take(HEARTBEATS_PER_SECOND, self.app.clock.now())?;
                let ack = HeartbeatAck { sequence: beat.sequence, sent_at_us: beat.sent_at_us };
                let _: Result<(), _> = self.outbox.push(encode(ack));
            }
            Body::ViewerStatistics(statistics) => {
                self.heartbeats.take(HEARTBEATS_PER_SECOND, self.app.clock.now())?;
                let at = self.app.clock.wall();
                self.session.with_links(|all| all.measured(self.viewer, statistics, at));
            }
            Body::ViewerHello(_) => return Err((Ending::Protocol, "The viewer introduced itself twice.")),
            Body::ControlRequest(ControlRequest { take }) => {
                self.controls.take(CONTROL_PER_SECOND, self.app.clock.now())?;
                self.session.control(&self.app, self.viewer, take).await;
            }
            Body::Chat(chat) => self.chat(&chat),
            Body::Disconnect(_) => return Err((Ending::Normal, "")),
            _ => {}
        }
        Ok(())
    }

    fn chat(&mut self, chat: &Chat) {
        let now = self.app.clock.now();
        self.chats.retain(|at| now.saturating_sub(*at) < Duration::from_secs(10));
        if self.chats.len() >= 20 {
            return;
        }
        self.chats.push(now);
        let text = limits::displayable(&chat.text, limits::CHAT_LINE);
        self.session.with_links(|all| {
            let from = all.viewers().get(&self.viewer).map(|link| link.name.clone()).unwrap_or_default();
            let line = Chat { text, from, from_person: false };
            all.to_agent_from(self.viewer, line.clone().into());
            all.to_viewers(line.into());
        });
    }
}

//! The agents' plane: `/ws/agent`.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream::SplitStream;
use futures_util::{FutureExt, StreamExt};
use gc_access::{ResumeSecret, SupportCode};
use gc_protocol::header::{self as leg, AgentHeader, CONNECTION_SLOT};
use gc_protocol::messages::{
    AgentHello, AgentWelcome, Body, Chat, Disconnect, DisconnectCode, Heartbeat, HeartbeatAck, SessionKind,
};
use gc_protocol::{Destination, Ending, Refusal, Sender, encode_framed, limits, route};
use gc_session::{EndReason, from_mode, to_mode};
use gc_store::{NewAudit, SessionChange, SessionRow};
use uuid::Uuid;

use super::links::{AgentLink, Watched, end_agent};
use super::outbox::Outbox;
use super::session::{NotTaken, Session};
use super::silence::Silence;
use super::socket::{Goodbye, bounded, finish, first_message, too_large, write};
use crate::address::ClientAddress;
use crate::app::App;
use crate::error::ApiError;
use crate::meters::Present;

/// Bytes that may wait for one agent.
const AGENT_QUEUE: usize = 4 << 20;
/// Largest message that the relay itself reads, in bytes.
const OWN_MESSAGE: usize = 64 << 10;
/// What an agent is told when it is not at fault.
const PROBLEM: &str = "The server has a problem. Try again in a moment.";
/// The slot of an attended agent's only session.
const SLOT: u32 = 1;

/// Messages, and their bytes, that are taken in one breath before what they
/// bring is written.
const BREATH_MESSAGES: usize = 64;
const BREATH_BYTES: usize = 64 << 10;

/// What a socket gives.
type Received = Option<Result<Message, axum::Error>>;

/// Why nothing more is read.
enum Gone {
    /// The line is gone, or the peer said so.
    Silently,
    /// It has to be told this.
    Told(Ending, &'static str),
}

fn length(message: &Received) -> usize {
    if let Some(Ok(Message::Binary(bytes))) = message { bytes.len() } else { 0 }
}

/// Let an agent in by its code or its resume secret; refuse everything else
/// before the upgrade.
pub(crate) async fn upgrade(
    State(app): State<Arc<App>>,
    client: ClientAddress,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => bounded(upgrade, limits::AGENT_MESSAGE),
        // Without a socket no code is looked at, let alone used.
        Err(_) if headers.contains_key(header::AUTHORIZATION) => return ApiError::upgrade_required().into_response(),
        Err(_) => return ApiError::unauthorized().into_response(),
    };
    if upgrade.selected_protocol().is_none() {
        let detail = format!("Ask for the subprotocol {}.", limits::SUBPROTOCOL);
        return ApiError::bad_request("SUBPROTOCOL_REQUIRED", detail).into_response();
    }
    match authenticate(&app, client, &headers).await {
        Ok(entry) => {
            let entry = Box::new(entry);
            let (failed, id) = (app.clone(), entry.row.id);
            let fresh = entry.fresh;
            upgrade
                .on_failed_upgrade(move |_| {
                    if fresh {
                        tokio::spawn(async move { give_up(&failed, id).await });
                    }
                })
                .on_upgrade(move |socket| {
                    let sockets = app.sockets.clone();
                    Box::pin(sockets.track_future(serve(app, socket, entry, client)))
                })
        }
        Err(error) => error.into_response(),
    }
}

struct Entry {
    row: SessionRow,
    fresh: bool,
}

async fn authenticate(app: &Arc<App>, client: ClientAddress, headers: &HeaderMap) -> Result<Entry, ApiError> {
    let refused = || ApiError::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "This credential opens nothing here.");
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).ok_or_else(refused)?;
    if let Some(text) = value.strip_prefix("Code ") {
        app.limits.code(client)?;
        let row = match SupportCode::parse(text) {
            Some(code) => app.store.consume_code(&code, app.clock.steady(), app.clock.wall()).await?,
            None => None,
        };
        app.limits.code_result(client, row.is_some());
        let row = row.ok_or_else(|| {
            ApiError::new(
                StatusCode::UNAUTHORIZED,
                "CODE_NOT_VALID",
                "This code is not valid. It may have been used, cancelled, or have expired.",
            )
        })?;
        app.audit(NewAudit {
            event: "code_used",
            session_id: Some(row.id),
            ip_address: Some(client.0.to_string()),
            ..Default::default()
        })
        .await;
        return Ok(Entry { row, fresh: true });
    }
    let secret = value.strip_prefix("Bearer ").and_then(ResumeSecret::parse).ok_or_else(refused)?;
    let row = app.store.session_by_resume(secret.secret().hash()).await?.ok_or_else(refused)?;
    Ok(Entry { row, fresh: false })
}

/// A code was used and its agent never arrived.
async fn give_up(app: &Arc<App>, id: Uuid) {
    if let Err(error) = app.hub.end(app, id, EndReason::AgentLost).await {
        tracing::error!(session_id = %id, %error, "a session whose agent never arrived could not be ended");
    }
}

/// One connection from its upgrade to its end. There may be thousands that only
/// wait: whatever happens once, or rarely, has memory of its own meanwhile.
async fn serve(app: Arc<App>, socket: WebSocket, entry: Box<Entry>, client: ClientAddress) {
    let _present = Present::new(&app.meters.agents);
    let (sink, mut stream) = socket.split();
    let outbox = Arc::new(Outbox::new(AGENT_QUEUE));
    let writer = tokio::spawn(write(sink, outbox.clone()));
    if let Some(mut reader) = Box::pin(introduce(&app, &mut stream, &outbox, entry, client)).await {
        reader.run(&mut stream, client).await;
        Box::pin(reader.session.agent_lost(&app, reader.connection)).await;
    }
    end_agent(&outbox, Ending::Normal, "");
    Box::pin(finish(writer, stream)).await;
}

/// The agent says who it is and is taken in, or told why not.
async fn introduce(
    app: &Arc<App>,
    stream: &mut SplitStream<WebSocket>,
    outbox: &Arc<Outbox>,
    entry: Box<Entry>,
    client: ClientAddress,
) -> Option<Reader> {
    let (id, fresh) = (entry.row.id, entry.fresh);
    let hello = match first_message(stream).await {
        Ok(bytes) => read_hello(bytes),
        Err(silence) => Err(silence.ending("agent")),
    };
    let watched = Arc::<Watched>::default();
    let arrived = match hello {
        Ok((hello, version)) => arrive(app, outbox, watched.clone(), *entry, hello, version, client).await,
        Err((ending, text)) => {
            end_agent(outbox, ending, &text);
            None
        }
    };
    if arrived.is_none() && fresh {
        give_up(app, id).await;
    }
    arrived.map(|(session, connection)| Reader {
        app: app.clone(),
        session,
        connection,
        outbox: outbox.clone(),
        watched,
        refused: 0,
        last_chat: Vec::new(),
    })
}

fn read_hello(bytes: Bytes) -> Result<(AgentHello, u32), Goodbye> {
    let malformed = || (Ending::Protocol, "The agent's first message is malformed.".to_owned());
    let (header, raw) = leg::split(bytes).map_err(|_| malformed())?;
    if raw.bytes().len() > OWN_MESSAGE {
        return Err((Ending::TooLarge, "The agent's first message is too large.".into()));
    }
    let Ok(Some(Body::AgentHello(hello))) = raw.decode() else { return Err(malformed()) };
    if header.slot != CONNECTION_SLOT {
        return Err(malformed());
    }
    let versions = hello.versions.unwrap_or_default();
    let Some(version) = limits::common_version(versions.lowest, versions.highest) else {
        let text = format!(
            "The agent speaks protocol versions {} to {}, this server {} to {}.",
            versions.lowest,
            versions.highest,
            limits::VERSIONS.0,
            limits::VERSIONS.1
        );
        return Err((Ending::Protocol, text));
    };
    Ok((hello, version))
}

async fn arrive(
    app: &Arc<App>,
    outbox: &Arc<Outbox>,
    watched: Arc<Watched>,
    entry: Entry,
    hello: AgentHello,
    version: u32,
    client: ClientAddress,
) -> Option<(Arc<Session>, Uuid)> {
    let row = entry.row;
    let hostname = limits::displayable(&hello.hostname, limits::NAME);
    let system = limits::displayable(&hello.operating_system, limits::NAME);
    let resume = match crate::random::bits() {
        Ok(bits) if entry.fresh => Some(ResumeSecret::generate(&bits)),
        Ok(_) => None,
        Err(_) => {
            end_agent(outbox, Ending::GoingAway, PROBLEM);
            return None;
        }
    };
    let change = SessionChange {
        hostname: Some(hostname.clone()),
        operating_system: Some(system.clone()),
        resume: resume.as_ref().map(|resume| resume.secret().hash()),
        ..Default::default()
    };
    match app.store.change_session(row.id, change).await {
        Ok(true) => {}
        Ok(false) => {
            end_agent(outbox, Ending::SessionEnded, "The session has ended.");
            return None;
        }
        Err(error) => {
            tracing::error!(session_id = %row.id, %error, "an arriving agent could not be stored");
            end_agent(outbox, Ending::GoingAway, PROBLEM);
            return None;
        }
    }
    let session = app.hub.open(app, &row, !entry.fresh);
    let settings = app.settings.now();
    session.with_links(|all| {
        // One controls at a time, unless the operator wants it otherwise.
        all.parallel_control = settings.settings.several_controllers;
        all.hostname = hostname;
        all.operating_system = system;
    });
    let session_id = row.id.to_string();
    let remembered = hello.remembered.iter().find(|item| item.session_id == session_id);
    let remembered = remembered.and_then(|item| from_mode(item.access));
    let connection = Uuid::now_v7();
    let link = AgentLink { outbox: outbox.clone(), watched, slot: SLOT, connection, address: client.0 };
    let organization = row.organization.clone();
    let notice = settings.settings.notice_message.replace("{{company}}", &organization);
    let arrived = session
        .agent_arrived(app, link, remembered, |accepted| {
            let welcome = AgentWelcome {
                version,
                server_version: env!("CARGO_PKG_VERSION").into(),
                session_id,
                slot: SLOT,
                resume_secret: resume.map(|resume| resume.secret().expose().to_owned()).unwrap_or_default(),
                organization,
                accepted: accepted.map(|access| to_mode(access).into()).unwrap_or_default(),
                kind: SessionKind::Screen.into(),
                notice: limits::displayable(&notice, limits::MESSAGE),
            };
            encode_framed(AgentHeader::connection(), welcome)
        })
        .await;
    match arrived {
        Ok(()) => Some((session, connection)),
        Err(NotTaken::Ended) => {
            end_agent(outbox, Ending::SessionEnded, "The session has ended.");
            None
        }
        Err(NotTaken::Unstored) => {
            end_agent(outbox, Ending::GoingAway, PROBLEM);
            None
        }
    }
}

struct Reader {
    app: Arc<App>,
    session: Arc<Session>,
    connection: Uuid,
    outbox: Arc<Outbox>,
    watched: Arc<Watched>,
    refused: u32,
    last_chat: Vec<Duration>,
}

impl Reader {
    async fn run(&mut self, stream: &mut SplitStream<WebSocket>, client: ClientAddress) {
        tracing::info!(session_id = %self.session.id, connection = %self.connection, client = %client.0, "agent connected");
        let app = self.app.clone();
        let mut now = app.clock.now();
        let (mut silence, mut beat, mut sequence) = (Silence::since(now), now, 0);
        // How long somebody has watched.
        let mut watch: Option<Silence> = None;
        while !self.outbox.is_closed() {
            let mut period = limits::HEARTBEAT_IDLE;
            let mut given_up = silence.lasts(limits::SILENCE_END_IDLE);
            if self.watched.now() {
                period = limits::HEARTBEAT_ATTACHED;
                // It is asked at once, and silence until then was fine: but no
                // coming and going makes it longer than it may be at all.
                let watch = watch.get_or_insert_with(|| {
                    beat = beat.min(now.saturating_sub(period));
                    Silence::since(now)
                });
                let [silence, watch] = [&silence, watch].map(|quiet| quiet.lasts(limits::SILENCE_END));
                given_up = given_up.min(silence.max(watch));
            } else {
                watch = None;
            }
            if now >= given_up {
                end_agent(&self.outbox, Ending::HeartbeatMissed, "Nothing was heard from the agent.");
                return;
            }
            if now >= beat + period {
                beat = now;
                sequence += 1;
                self.own(Heartbeat { sequence, sent_at_us: micros(now) });
            }
            let wake = (beat + period).min(given_up);
            tokio::select! {
                // While messages come no timer is set.
                biased;
                message = stream.next() => {
                    now = app.clock.now();
                    silence.heard(now);
                    if let Err(gone) = self.take_all(message, stream).await {
                        if let Gone::Told(ending, text) = gone {
                            end_agent(&self.outbox, ending, text);
                        }
                        return;
                    }
                }
                () = self.watched.changed() => now = app.clock.now(),
                () = self.outbox.closed() => return,
                () = app.clock.sleep_until(wake) => {
                    now = app.clock.now();
                    silence.woken(wake, now);
                    if let Some(watch) = &mut watch {
                        watch.woken(wake, now);
                    }
                }
                () = app.shutdown.cancelled() => {
                    end_agent(&self.outbox, Ending::GoingAway, "The server is restarting.");
                    return;
                }
            }
        }
    }

    /// Take a message and all that came with it, as far as it is here already:
    /// it goes out together.
    async fn take_all(&mut self, first: Received, stream: &mut SplitStream<WebSocket>) -> Result<(), Gone> {
        let outcome = self.take_breath(first, stream).await;
        self.session.with_links(|all| all.announce());
        outcome
    }

    async fn take_breath(&mut self, first: Received, stream: &mut SplitStream<WebSocket>) -> Result<(), Gone> {
        // However much is here already, others have their turn.
        tokio::task::coop::consume_budget().await;
        let (mut message, mut count, mut bytes) = (first, 0, 0);
        loop {
            (count, bytes) = (count + 1, bytes + length(&message));
            self.take_one(message).await?;
            if count >= BREATH_MESSAGES || bytes >= BREATH_BYTES {
                return Ok(());
            }
            let Some(next) = stream.next().now_or_never() else { return Ok(()) };
            message = next;
        }
    }

    async fn take_one(&mut self, message: Received) -> Result<(), Gone> {
        match message {
            Some(Ok(Message::Binary(bytes))) => {
                self.take(bytes).await.map_err(|(ending, text)| Gone::Told(ending, text))
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
            Some(Ok(Message::Text(_))) => Err(Gone::Told(Ending::Protocol, "Messages are binary.")),
            Some(Err(error)) if too_large(&error) => {
                Err(Gone::Told(Ending::TooLarge, "A message was larger than 4 MiB."))
            }
            Some(Ok(Message::Close(_)) | Err(_)) | None => Err(Gone::Silently),
        }
    }

    fn own(&self, body: impl Into<Body>) {
        let message = encode_framed(AgentHeader::connection(), body);
        if self.outbox.push(message).is_err() {
            end_agent(&self.outbox, Ending::Flooding, "The agent does not take in what is sent.");
        }
    }

    async fn take(&mut self, bytes: Bytes) -> Result<(), (Ending, &'static str)> {
        let malformed = (Ending::Protocol, "A message is malformed.");
        let (header, raw) = leg::split(bytes).map_err(|_| malformed)?;
        if header.slot != SLOT && header.slot != CONNECTION_SLOT {
            return Err((Ending::Protocol, "There is no such session slot."));
        }
        match route(raw.field(), Sender::Agent) {
            Ok(Destination::Viewers) if header.slot == SLOT => {
                // Nothing visible leaves before consent: no viewer is linked then.
                self.session.with_links(|all| all.forward_to_viewers(self.connection, header.peer, &raw));
                Ok(())
            }
            // What is decoded here is small; a large one would only cost memory.
            Ok(Destination::Relay | Destination::Conversation) if raw.bytes().len() > OWN_MESSAGE => {
                Err((Ending::TooLarge, "A message was larger than its kind may be."))
            }
            Ok(Destination::Relay | Destination::Conversation) => {
                let body = raw.decode().map_err(|_| malformed)?;
                // What this brings may wait for the database: what came before goes out.
                let is_current = self.session.with_links(|all| {
                    all.announce();
                    all.is_agent(self.connection)
                });
                match body.filter(|_| is_current) {
                    Some(body) => Box::pin(self.relay(header, body)).await,
                    None => Ok(()),
                }
            }
            Err(Refusal::Unknown) => Ok(()),
            Ok(_) | Err(Refusal::NotAllowed) => {
                self.refused += 1;
                if self.refused > limits::REFUSED_MESSAGES {
                    return Err((Ending::Protocol, "The agent keeps sending what it may not."));
                }
                Ok(())
            }
        }
    }

    async fn relay(&mut self, header: AgentHeader, body: Body) -> Result<(), (Ending, &'static str)> {
        match body {
            Body::Heartbeat(beat) => {
                self.own(HeartbeatAck { sequence: beat.sequence, sent_at_us: beat.sent_at_us });
            }
            Body::HeartbeatAck(_) | Body::UpdateStatus(_) => {}
            Body::AgentHello(_) => return Err((Ending::Protocol, "The agent introduced itself twice.")),
            Body::ConsentResponse(answer) if header.slot == SLOT => {
                if answer.session_id != self.session.id.to_string() {
                    tracing::warn!(session_id = %self.session.id, "a consent answer for another session was ignored");
                    return Ok(());
                }
                self.session.answered(&self.app, &answer.request_id, answer.granted, answer.reason()).await;
            }
            Body::StreamAssign(assign) if header.slot == SLOT => {
                self.session.with_links(|all| all.assign(assign.viewer, assign.stream));
            }
            Body::AgentStatus(mut status) => {
                status.displays.truncate(limits::DISPLAYS);
                let obstacle = limits::displayable(&status.obstacle, 500);
                self.session.with_links(|all| all.obstacle = obstacle);
            }
            Body::Chat(chat) if header.slot == SLOT => self.chat(chat),
            Body::Disconnect(goodbye) => self.goodbye(&goodbye).await,
            _ => {}
        }
        Ok(())
    }

    fn chat(&mut self, chat: Chat) {
        let now = self.app.clock.now();
        self.last_chat.retain(|at| now.saturating_sub(*at) < Duration::from_secs(10));
        if self.last_chat.len() >= 20 {
            return;
        }
        self.last_chat.push(now);
        let text = limits::displayable(&chat.text, limits::CHAT_LINE);
        let line = Chat { text, from: String::new(), from_person: true };
        self.session.with_links(|all| all.to_viewers(line.into()));
    }

    /// The person ends it, or the agent goes away for a moment.
    async fn goodbye(&self, goodbye: &Disconnect) {
        if goodbye.code() == DisconnectCode::DisconnectSessionEnded
            || goodbye.code() == DisconnectCode::DisconnectNormal
        {
            self.session.end(&self.app, EndReason::ClosedByPerson).await;
            self.app
                .audit(NewAudit {
                    event: "session_closed_by_person",
                    session_id: Some(self.session.id),
                    ..Default::default()
                })
                .await;
        }
    }
}

pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

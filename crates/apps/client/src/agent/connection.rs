//! The part that holds the connection: hello and welcome, heartbeats, and the
//! way back by the resume secret.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use gc_access::{ResumeSecret, Secret, SupportCode};
use gc_desktop::Prompt;
use gc_net::{Backoff, ConnectError, Message, Socket};
use gc_protocol::header::{self, AgentHeader, CONNECTION_SLOT};
use gc_protocol::messages::{
    AgentHello, AgentWelcome, Body, Disconnect, DisconnectCode, Heartbeat, HeartbeatAck, ProtocolVersions,
    RememberedConsent,
};
use gc_protocol::{Ending, RawEnvelope, envelope, limits};
use gc_session::to_mode;
use tokio::sync::mpsc;
use url::Url;

use super::link::{Link, Told};
use super::worker::Worker;
use crate::anchor::Anchor;

/// How long the server has for its welcome.
const WELCOME_WITHIN: Duration = Duration::from_secs(15);
/// How long a session that nobody can reach any more is tried to be reached.
const GIVE_UP: Duration = limits::AGENT_AWAY;

/// The session, once the server has welcomed us.
struct Session {
    id: String,
    secret: ResumeSecret,
    worker: Worker,
    link: Link,
    told: mpsc::Receiver<Told>,
}

/// How one connection ended.
enum End {
    /// Nothing more to do; words for the person, if any are needed.
    Over(Option<String>),
    /// Try again, after this pause or the usual one.
    Again(Option<Duration>),
}

/// How it went: words for the person when it has ended, or when it never
/// began, and whether the code was used, so that the program is of no more use.
pub(super) struct Attended {
    pub(super) outcome: Result<Option<String>, String>,
    pub(super) used: bool,
}

/// Carry one attended session from code to end.
pub(super) async fn attend(anchor: &Anchor, code: Option<SupportCode>, prompt: &Arc<dyn Prompt>) -> Attended {
    let mut session = None;
    let outcome = carry(anchor, code, prompt, &mut session).await;
    Attended { outcome, used: session.is_some() }
}

async fn carry(
    anchor: &Anchor,
    mut code: Option<SupportCode>,
    prompt: &Arc<dyn Prompt>,
    session: &mut Option<Session>,
) -> Result<Option<String>, String> {
    let url = socket_url(&anchor.url).ok_or("The server's address in this program is not valid.")?;
    let mut backoff = Backoff::default();
    let mut problem: Option<String> = None;
    let mut lost_since: Option<Instant> = None;
    loop {
        let authorization = match (&*session, &code) {
            (Some(session), _) => Secret::new(format!("Bearer {}", session.secret.secret().expose())),
            (None, Some(code)) => Secret::new(format!("Code {}", code.secret().expose())),
            (None, None) => {
                let (asked, words) = (prompt.clone(), problem.take());
                let typed = tokio::task::spawn_blocking(move || asked.ask_code(words.as_deref()));
                let typed = typed.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
                let Some(typed) = typed else { return Ok(None) };
                code = SupportCode::parse(&typed);
                if code.is_none() {
                    problem = Some("That is not a support code. It looks like ABC-DEF-GHJ.".into());
                }
                continue;
            }
        };
        let connected = gc_net::connect(&url, authorization.expose(), limits::SUBPROTOCOL, limits::AGENT_MESSAGE).await;
        let end = match connected {
            Ok(socket) => serve(socket, session, prompt, &mut backoff, anchor).await,
            Err(ConnectError::Refused { status: 401, detail, .. }) if session.is_none() => {
                code = None;
                problem = Some(detail);
                continue;
            }
            Err(ConnectError::Refused { status: 401, .. }) => End::Over(Some("The session has ended.".into())),
            Err(ConnectError::Refused { retry_after, status, .. }) if status == 429 || status >= 500 => {
                End::Again(retry_after.map(Duration::from_secs))
            }
            Err(error @ (ConnectError::Network(_) | ConnectError::TimedOut | ConnectError::Handshake(_))) => {
                tracing::warn!(%error, "no connection");
                End::Again(None)
            }
            Err(error) => return Err(format!("{}: {error}.", anchor.product)),
        };
        let pause = match end {
            End::Over(words) => return Ok(words),
            End::Again(pause) => pause,
        };
        let since = *lost_since.get_or_insert_with(Instant::now);
        if backoff_is_fresh(&backoff) {
            lost_since = None;
        } else if since.elapsed() > GIVE_UP {
            return Err("The server cannot be reached. Check the network and try again.".into());
        }
        let mut random = [0; 4];
        // Without randomness the pause is merely not spread.
        let _: Result<(), _> = getrandom::fill(&mut random);
        let pause = pause.unwrap_or_else(|| backoff.pause(u32::from_le_bytes(random)));
        tracing::info!(milliseconds = pause.as_millis(), "trying again after a pause");
        tokio::time::sleep(pause).await;
    }
}

fn backoff_is_fresh(backoff: &Backoff) -> bool {
    let mut copy = *backoff;
    copy.pause(0) <= Duration::from_millis(500)
}

/// The agents' plane below the server's address.
fn socket_url(address: &str) -> Option<Url> {
    let rest = address.strip_prefix("http").filter(|rest| rest.starts_with("://") || rest.starts_with("s://"))?;
    Url::parse(&format!("ws{rest}/ws/agent")).ok()
}

async fn serve(
    mut socket: Socket,
    session: &mut Option<Session>,
    prompt: &Arc<dyn Prompt>,
    backoff: &mut Backoff,
    anchor: &Anchor,
) -> End {
    let hello = hello(session.as_ref());
    if socket.send(Message::Binary(envelope::encode_framed(AgentHeader::connection(), hello))).await.is_err() {
        return End::Again(None);
    }
    let welcome = match tokio::time::timeout(WELCOME_WITHIN, next_binary(&mut socket)).await {
        Ok(Some(bytes)) => bytes,
        _ if session.is_none() => {
            return End::Over(Some("The connection broke before the session began. Ask for a new code.".into()));
        }
        _ => return End::Again(None),
    };
    let welcome = match header::split(welcome).map(|(_, raw)| raw.decode()) {
        Ok(Ok(Some(Body::AgentWelcome(welcome)))) => welcome,
        Ok(Ok(Some(Body::Disconnect(goodbye)))) => return farewell(&goodbye),
        _ => return End::Over(Some(format!("{} answered in a way that this program does not know.", anchor.url))),
    };
    if !begin(session, &welcome, prompt) {
        return End::Over(Some("The server sent no way back to the session. Ask for a new code.".into()));
    }
    backoff.reset();
    let Some(session) = session else { return End::Again(None) };
    let outgoing = session.link.open(welcome.slot);
    session.worker.connected();
    let end = pump(socket, outgoing, session, welcome.slot).await;
    session.link.close();
    session.worker.disconnected();
    end
}

fn hello(session: Option<&Session>) -> AgentHello {
    let (hostname, operating_system) = gc_desktop::machine();
    let remembered = session.and_then(|session| {
        let access = session.worker.accepted()?;
        Some(RememberedConsent { session_id: session.id.clone(), access: to_mode(access).into() })
    });
    AgentHello {
        versions: Some(ProtocolVersions { lowest: limits::VERSIONS.0, highest: limits::VERSIONS.1 }),
        software_version: env!("CARGO_PKG_VERSION").into(),
        capabilities: Vec::new(),
        hostname,
        operating_system,
        remembered: remembered.into_iter().collect(),
    }
}

/// Take the welcome in: a new session, or the one that we are back in.
fn begin(session: &mut Option<Session>, welcome: &AgentWelcome, prompt: &Arc<dyn Prompt>) -> bool {
    if let Some(session) = session {
        return session.id == welcome.session_id;
    }
    let Some(secret) = ResumeSecret::parse(&welcome.resume_secret) else { return false };
    let link = Link::default();
    let (sender, told) = mpsc::channel(4);
    let worker = Worker::new(welcome.session_id.clone(), link.clone(), prompt.clone(), sender);
    *session = Some(Session { id: welcome.session_id.clone(), secret, worker, link, told });
    true
}

async fn next_binary(socket: &mut Socket) -> Option<Bytes> {
    loop {
        match socket.next().await? {
            Ok(Message::Binary(bytes)) => return Some(bytes),
            Ok(Message::Ping(_) | Message::Pong(_)) => {}
            _ => return None,
        }
    }
}

async fn pump(socket: Socket, mut outgoing: mpsc::Receiver<Bytes>, session: &mut Session, slot: u32) -> End {
    let (mut sink, mut stream) = socket.split();
    let (own, mut own_outgoing) = mpsc::channel::<Message>(64);
    // Writing is a task of its own: what comes in never waits for what goes
    // out. It ends when both queues are closed, or the line is.
    let writer = tokio::spawn(async move {
        loop {
            let message = tokio::select! {
                biased;
                message = own_outgoing.recv() => message,
                message = outgoing.recv() => message.map(Message::Binary),
            };
            let Some(message) = message else { break };
            if sink.send(message).await.is_err() {
                break;
            }
        }
        // The line may be gone already.
        let _: Result<(), _> = sink.close().await;
    });
    let end = read(&mut stream, &own, session, slot).await;
    session.link.close();
    drop(own);
    // What was said last may still be written, but not for long.
    let abort = writer.abort_handle();
    if tokio::time::timeout(Duration::from_secs(2), writer).await.is_err() {
        abort.abort();
    }
    end
}

async fn read(
    stream: &mut futures_util::stream::SplitStream<Socket>,
    own: &mpsc::Sender<Message>,
    session: &mut Session,
    slot: u32,
) -> End {
    let start = Instant::now();
    let mut heard = Instant::now();
    let mut beat = Instant::now();
    let mut sequence = 0;
    let mut released = false;
    loop {
        let watched = session.worker.is_watched();
        let (period, silence) = if watched {
            (limits::HEARTBEAT_ATTACHED, limits::SILENCE_END)
        } else {
            (limits::HEARTBEAT_IDLE, limits::SILENCE_END_IDLE)
        };
        let wake = (beat + period).min(Instant::now() + limits::HEARTBEAT_ATTACHED);
        tokio::select! {
            message = stream.next() => {
                heard = Instant::now();
                released = false;
                match message {
                    Some(Ok(Message::Binary(bytes))) => match header::split(bytes) {
                        Ok((header, raw)) if header.slot == slot => session.worker.take(header, &raw),
                        Ok((header, raw)) if header.slot == CONNECTION_SLOT => {
                            if let Some(end) = of_connection(&raw, own) {
                                return end;
                            }
                        }
                        _ => tracing::warn!("a message of the server is malformed"),
                    },
                    Some(Ok(Message::Close(frame))) => {
                        let ending = frame.and_then(|frame| Ending::from_close_code(frame.code.into()));
                        return match ending {
                            Some(ending) if !ending.may_retry() => End::Over(Some("The session has ended.".into())),
                            _ => End::Again(None),
                        };
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return End::Again(None),
                }
            }
            told = session.told.recv() => match told {
                Some(Told::EndedByPerson) => {
                    let goodbye = Ending::SessionEnded.message("The person ended the session.");
                    let message = envelope::encode_framed(AgentHeader::new(slot, header::RELAY), goodbye);
                    // If it cannot be sent, the server ends the session by
                    // itself when nobody comes back.
                    let _: Result<(), _> = own.send(Message::Binary(message)).await;
                    return End::Over(None);
                }
                Some(Told::Ended(words)) => return End::Over(Some(words)),
                None => return End::Over(None),
            },
            () = tokio::time::sleep_until(wake.into()) => {
                let quiet = heard.elapsed();
                if quiet >= silence {
                    return End::Again(None);
                }
                if watched && quiet >= limits::SILENCE_RELEASE && !released {
                    released = true;
                    session.worker.silent();
                }
                if beat.elapsed() >= period {
                    beat = Instant::now();
                    sequence += 1;
                    let sent_at_us = u64::try_from(start.elapsed().as_micros()).unwrap_or(0);
                    let beat = envelope::encode_framed(AgentHeader::connection(), Heartbeat { sequence, sent_at_us });
                    if own.try_send(Message::Binary(beat)).is_err() {
                        return End::Again(None);
                    }
                }
            }
        }
    }
}

fn of_connection(raw: &RawEnvelope, own: &mpsc::Sender<Message>) -> Option<End> {
    match raw.decode() {
        Ok(Some(Body::Heartbeat(beat))) => {
            let ack = HeartbeatAck { sequence: beat.sequence, sent_at_us: beat.sent_at_us };
            let message = envelope::encode_framed(AgentHeader::connection(), ack);
            // A full queue means a dead line, which silence will show.
            let _: Result<(), _> = own.try_send(Message::Binary(message));
            None
        }
        Ok(Some(Body::Disconnect(goodbye))) => Some(farewell(&goodbye)),
        _ => None,
    }
}

fn farewell(goodbye: &Disconnect) -> End {
    if goodbye.may_retry {
        let pause = u64::from(goodbye.retry_after_seconds.min(300));
        return End::Again((pause > 0).then(|| Duration::from_secs(pause)));
    }
    let words = limits::displayable(&goodbye.text, 300);
    End::Over(match goodbye.code() {
        DisconnectCode::DisconnectNormal => None,
        _ => Some(words),
    })
}

#[cfg(test)]
mod tests {
    use super::socket_url;

    #[test]
    fn addresses() {
        for (address, expected) in [
            ("https://help.example", Some("wss://help.example/ws/agent")),
            ("http://127.0.0.1:8480", Some("ws://127.0.0.1:8480/ws/agent")),
            ("ftp://help.example", None),
            ("httpx://help.example", None),
        ] {
            assert_eq!(socket_url(address).map(String::from), expected.map(str::to_owned), "{address}");
        }
    }
}

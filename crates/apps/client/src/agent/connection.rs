//! One connection: hello and welcome, messages both ways, heartbeats.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream::SplitStream;
use futures_util::{SinkExt, StreamExt};
use gc_net::{Message, Socket};
use gc_protocol::header::{self, AgentHeader, CONNECTION_SLOT};
use gc_protocol::messages::{AgentWelcome, Body, Disconnect, DisconnectCode, Heartbeat, HeartbeatAck};
use gc_protocol::{Ending, RawEnvelope, encode_framed, limits};
use tokio::sync::mpsc;

use super::exchange::{Bulletin, News};
use super::sessions::{Ended, NotBegun, PROGRAM, Sessions};

/// How long the server has for its welcome.
const WELCOME_WITHIN: Duration = Duration::from_secs(15);
/// How long what was said last may take to be written.
const WRITE_WITHIN: Duration = Duration::from_secs(2);
/// Messages of the connection's own that may wait; more means a dead line.
const OWN: usize = 64;

/// How a connection ended.
pub(super) enum End {
    /// Nothing more to do; words for the person, if any are needed.
    Over(Option<String>),
    /// Try again, after this pause or the usual one.
    Again(Option<Duration>),
}

/// Where the system asks the program to stop, that is the person's end.
pub(super) async fn stop_when_told(news: mpsc::Sender<Bulletin>) {
    told_to_stop().await;
    // Nobody listens any more when the program is at its end anyway.
    let _: Result<(), _> = news.send((PROGRAM.into(), News::EndedByPerson)).await;
}

async fn told_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let signals = (signal(SignalKind::terminate()), signal(SignalKind::hangup()), signal(SignalKind::interrupt()));
        if let (Ok(mut terminate), Ok(mut hangup), Ok(mut interrupt)) = signals {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
                _ = interrupt.recv() => {}
            }
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Serve the sessions over this socket until it breaks or they are over.
pub(super) async fn serve(mut socket: Socket, sessions: &mut Sessions, news: &mut mpsc::Receiver<Bulletin>) -> End {
    let hello = encode_framed(AgentHeader::connection(), sessions.hello());
    if socket.send(Message::Binary(hello)).await.is_err() {
        return End::Again(None);
    }
    let welcome = match welcome(&mut socket, sessions).await {
        Ok(welcome) => welcome,
        Err(end) => return end,
    };
    let outgoing = match sessions.welcome(&welcome) {
        Ok(outgoing) => outgoing,
        Err(problem) => return End::Over(Some(not_begun(&problem).into())),
    };
    let (sink, mut stream) = socket.split();
    let (own, own_outgoing) = mpsc::channel(OWN);
    let (lines, more_lines) = mpsc::channel(4);
    // Writing is a task of its own: what comes in never waits for what goes out.
    let mut writer = tokio::spawn(write(sink, own_outgoing, outgoing, more_lines));
    let mut reader = Reader { own, lines, sessions, begun: Instant::now(), sequence: 0 };
    let end = tokio::select! {
        end = reader.read(&mut stream, news) => end,
        _ = &mut writer => End::Again(None),
    };
    reader.sessions.lost();
    drop(reader);
    if matches!(end, End::Over(_)) && !writer.is_finished() {
        // What was said last may still be written, but not for long.
        let _: Result<_, _> = tokio::time::timeout(WRITE_WITHIN, &mut writer).await;
    }
    writer.abort();
    end
}

async fn welcome(socket: &mut Socket, sessions: &Sessions) -> Result<AgentWelcome, End> {
    let first = match tokio::time::timeout(WELCOME_WITHIN, next_binary(socket)).await {
        Ok(Some(bytes)) => bytes,
        _ if sessions.any_began() => return Err(End::Again(None)),
        _ => {
            let words = "The connection broke before the session began. Ask for a new code.";
            return Err(End::Over(Some(words.into())));
        }
    };
    match header::split(first).map(|(_, raw)| raw.decode()) {
        Ok(Ok(Some(Body::AgentWelcome(welcome)))) => Ok(welcome),
        Ok(Ok(Some(Body::Disconnect(goodbye)))) => Err(farewell(&goodbye)),
        _ => Err(End::Over(Some("The server answered in a way that this program does not know.".into()))),
    }
}

fn not_begun(problem: &NotBegun) -> &'static str {
    match problem {
        NotBegun::NoSecret => "The server sent no way back to the session. Ask for a new code.",
        NotBegun::Another => "The session has ended.",
        NotBegun::Kind => "The server wants a session of a kind that this program does not know.",
        NotBegun::Slot => "The server wants more sessions than this program carries.",
        NotBegun::System(_) => "This computer has no room for the session just now.",
    }
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

/// Write what waits, the connection's own messages first. Ends when nobody
/// writes any more, when a worker gave the line up, or when it breaks.
async fn write(
    mut sink: futures_util::stream::SplitSink<Socket, Message>,
    mut own: mpsc::Receiver<Bytes>,
    first: mpsc::Receiver<Bytes>,
    mut more: mpsc::Receiver<mpsc::Receiver<Bytes>>,
) {
    let mut lines = vec![first];
    loop {
        let message = tokio::select! {
            biased;
            message = own.recv() => message,
            Some(line) = more.recv() => {
                lines.push(line);
                continue;
            }
            message = next_of(&mut lines) => match message {
                Some(message) => Some(message),
                // A worker gave the line up. What the connection has to say
                // itself still goes out.
                None => own.recv().await,
            },
        };
        let Some(message) = message else { break };
        if sink.send(Message::Binary(message)).await.is_err() {
            return;
        }
    }
    // The line may be gone already.
    let _: Result<(), _> = sink.close().await;
}

/// The next message of any session.
async fn next_of(lines: &mut [mpsc::Receiver<Bytes>]) -> Option<Bytes> {
    std::future::poll_fn(|context| {
        for line in &mut *lines {
            if let std::task::Poll::Ready(message) = line.poll_recv(context) {
                return std::task::Poll::Ready(message);
            }
        }
        std::task::Poll::Pending
    })
    .await
}

struct Reader<'a> {
    own: mpsc::Sender<Bytes>,
    lines: mpsc::Sender<mpsc::Receiver<Bytes>>,
    sessions: &'a mut Sessions,
    begun: Instant,
    sequence: u32,
}

impl Reader<'_> {
    async fn read(&mut self, stream: &mut SplitStream<Socket>, news: &mut mpsc::Receiver<Bulletin>) -> End {
        let mut heard = Instant::now();
        let mut beat = Instant::now();
        let mut released = false;
        let mut was_watched = false;
        loop {
            let watched = self.sessions.is_watched();
            if watched && !was_watched {
                // Silence was fine until now: it counts from here.
                heard = Instant::now();
                beat = beat.min(heard.checked_sub(limits::HEARTBEAT_ATTACHED).unwrap_or(beat));
            }
            was_watched = watched;
            let (period, silence) = if watched {
                (limits::HEARTBEAT_ATTACHED, limits::SILENCE_END)
            } else {
                (limits::HEARTBEAT_IDLE, limits::SILENCE_END_IDLE)
            };
            let release = (watched && !released).then(|| heard + limits::SILENCE_RELEASE);
            let wake = [Some(beat + period), Some(heard + silence), release].into_iter().flatten().min();
            let wake = wake.unwrap_or(beat + period);
            tokio::select! {
                biased;
                // The person's end comes before everything.
                ended = self.sessions.next_end(news) => return self.ended(ended).await,
                message = stream.next() => {
                    heard = Instant::now();
                    released = false;
                    self.sessions.heard();
                    if let Some(end) = self.message(message) {
                        return end;
                    }
                }
                () = tokio::time::sleep_until(wake.into()) => {
                    let quiet = heard.elapsed();
                    if quiet >= silence {
                        return End::Again(None);
                    }
                    if watched && quiet >= limits::SILENCE_RELEASE && !released {
                        released = true;
                        self.sessions.silent();
                    }
                    if beat.elapsed() >= period {
                        beat = Instant::now();
                        if !self.beat() {
                            return End::Again(None);
                        }
                    }
                }
            }
        }
    }

    fn own(&self, slot: u32, body: impl Into<Body>) -> bool {
        self.own.try_send(encode_framed(AgentHeader::new(slot, header::RELAY), body)).is_ok()
    }

    fn beat(&mut self) -> bool {
        self.sequence = self.sequence.wrapping_add(1);
        let sent_at_us = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(0);
        self.own(CONNECTION_SLOT, Heartbeat { sequence: self.sequence, sent_at_us })
    }

    /// The first session is over: tell the relay where it does not know.
    async fn ended(&self, ended: Ended) -> End {
        match ended {
            Ended::ByPerson => {
                let goodbye = Ending::SessionEnded.message("The person ended the session.");
                let header = AgentHeader::new(self.sessions.first_slot().unwrap_or(CONNECTION_SLOT), header::RELAY);
                // If it cannot be sent, the server ends the session by itself
                // when nobody comes back.
                let _: Result<(), _> = self.own.send(encode_framed(header, goodbye)).await;
                End::Over(None)
            }
            Ended::ByRelay(words) => End::Over(Some(words)),
        }
    }

    fn message(&mut self, message: Option<Result<Message, gc_net::SocketError>>) -> Option<End> {
        match message {
            Some(Ok(Message::Binary(bytes))) => match header::split(bytes) {
                Ok((header, raw)) if header.slot == CONNECTION_SLOT => self.of_connection(&raw),
                // What the desktop cannot take in any more is not sent again:
                // the line begins anew.
                Ok((header, raw)) => (!self.sessions.message(header, raw)).then_some(End::Again(None)),
                Err(_) => {
                    tracing::warn!("a message of the server is malformed");
                    None
                }
            },
            Some(Ok(Message::Close(frame))) => {
                let ending = frame.and_then(|frame| Ending::from_close_code(frame.code.into()));
                Some(match ending {
                    Some(ending) if !ending.may_retry() => End::Over(Some("The session has ended.".into())),
                    _ => End::Again(None),
                })
            }
            Some(Ok(_)) => None,
            Some(Err(_)) | None => Some(End::Again(None)),
        }
    }

    fn of_connection(&mut self, raw: &RawEnvelope) -> Option<End> {
        match raw.decode() {
            Ok(Some(Body::Heartbeat(beat))) => {
                // A full queue means a dead line, which silence will show.
                self.own(CONNECTION_SLOT, HeartbeatAck { sequence: beat.sequence, sent_at_us: beat.sent_at_us });
                None
            }
            // Another session on the same connection.
            Ok(Some(Body::AgentWelcome(welcome))) => {
                match self.sessions.welcome(&welcome) {
                    Ok(line) => {
                        if self.lines.try_send(line).is_err() {
                            return Some(End::Again(None));
                        }
                    }
                    Err(problem) => {
                        tracing::warn!(?problem, "a session was not begun");
                        self.own(welcome.slot, Ending::NotPermitted.message(not_begun(&problem)));
                    }
                }
                None
            }
            Ok(Some(Body::Disconnect(goodbye))) => Some(farewell(&goodbye)),
            _ => None,
        }
    }
}

fn farewell(goodbye: &Disconnect) -> End {
    if goodbye.may_retry {
        let pause = u64::from(goodbye.retry_after_seconds);
        return End::Again((pause > 0).then(|| Duration::from_secs(pause)));
    }
    let words = limits::displayable(&goodbye.text, 300);
    End::Over(match goodbye.code() {
        DisconnectCode::DisconnectNormal => None,
        _ => Some(words),
    })
}

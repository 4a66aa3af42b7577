//! One open WebSocket: what is sent and received on it, and how it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, bail, ensure};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use gc_protocol::messages::{Disconnect, DisconnectCode};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// How a connection ended, as the client saw it.
#[derive(Debug, Clone)]
pub struct Ended {
    /// The WebSocket close code; `None` when the line just broke.
    pub code: Option<u16>,
    /// The last `Disconnect` before it.
    pub disconnect: Option<Disconnect>,
}

impl Ended {
    /// Check that it ended with this close code, and that the `Disconnect` of
    /// the same meaning came first.
    ///
    /// # Errors
    /// When it ended otherwise.
    pub fn expect(self, code: u16) -> Result<Disconnect> {
        let meaning = match code {
            1000 => DisconnectCode::DisconnectNormal,
            1001 => DisconnectCode::DisconnectGoingAway,
            1009 => DisconnectCode::DisconnectTooLarge,
            4400 => DisconnectCode::DisconnectProtocol,
            4401 => DisconnectCode::DisconnectCredentialEnded,
            4403 => DisconnectCode::DisconnectNotPermitted,
            4408 => DisconnectCode::DisconnectHeartbeatMissed,
            4409 => DisconnectCode::DisconnectSuperseded,
            4410 => DisconnectCode::DisconnectSessionEnded,
            4429 => DisconnectCode::DisconnectFlooding,
            _ => bail!("{code} is not a close code of this protocol"),
        };
        ensure!(self.code == Some(code), "expected the close code {code}, got {:?} ({:?})", self.code, self.disconnect);
        let Some(disconnect) = self.disconnect else { bail!("no Disconnect came before the close code {code}") };
        ensure!(disconnect.code == i32::from(meaning), "the Disconnect before {code} says {disconnect:?}");
        ensure!(!disconnect.text.is_empty(), "the Disconnect before {code} has no text for people");
        Ok(disconnect)
    }
}

#[derive(Debug)]
pub(crate) enum Event {
    Message(Bytes),
    Ended(Option<u16>),
}

/// An open connection; its messages are read as they come, so that nobody
/// waits for a test that does not look.
#[derive(Debug)]
pub(crate) struct Line {
    outgoing: UnboundedSender<Message>,
    incoming: UnboundedReceiver<Event>,
    tasks: [JoinHandle<()>; 2],
    mute: Arc<AtomicBool>,
    ended: bool,
}

impl Line {
    /// Take over a fresh connection. `answer` gives the reply to messages
    /// that any client answers by itself.
    pub(crate) fn new(stream: WebSocketStream<TcpStream>, answer: fn(&Bytes) -> Option<Bytes>) -> Self {
        let (mut sink, mut source) = stream.split();
        let (outgoing, mut to_send) = unbounded_channel();
        let (received, incoming) = unbounded_channel();
        let writer = tokio::spawn(async move {
            while let Some(message) = to_send.recv().await {
                // The reader sees how it ended.
                if sink.send(message).await.is_err() {
                    break;
                }
            }
        });
        let replies = outgoing.clone();
        let mute = Arc::new(AtomicBool::new(false));
        let is_mute = mute.clone();
        let reader = tokio::spawn(async move {
            let mut ended = None;
            while let Some(Ok(message)) = source.next().await {
                match message {
                    Message::Binary(bytes) => {
                        let reply = if is_mute.load(Ordering::Relaxed) { None } else { answer(&bytes) };
                        if let Some(reply) = reply {
                            let _: Result<_, _> = replies.send(Message::Binary(reply));
                        }
                        let _: Result<_, _> = received.send(Event::Message(bytes));
                    }
                    Message::Close(frame) => ended = frame.map(|frame| u16::from(frame.code)),
                    _ => {}
                }
            }
            let _: Result<_, _> = received.send(Event::Ended(ended));
        });
        Self { outgoing, incoming, tasks: [writer, reader], mute, ended: false }
    }

    /// Send one binary message. One that is sent after the end goes nowhere.
    pub(crate) fn send(&self, bytes: Bytes) {
        let _: Result<_, _> = self.outgoing.send(Message::Binary(bytes));
    }

    /// Send a text message, which is no message of this protocol.
    pub(crate) fn send_text(&self, text: &str) {
        let _: Result<_, _> = self.outgoing.send(Message::text(text));
    }

    /// Answer nothing by itself any more, as a program that hangs.
    pub(crate) fn mute(&self) {
        self.mute.store(true, Ordering::Relaxed);
    }

    /// Say good-bye properly.
    pub(crate) fn close(&self) {
        let _: Result<_, _> = self.outgoing.send(Message::Close(None));
    }

    /// Cut the line, as when the network goes.
    pub(crate) fn cut(&self) {
        for task in &self.tasks {
            task.abort();
        }
    }

    /// What comes next. Without a deadline: the caller has one.
    pub(crate) async fn next(&mut self) -> Event {
        if self.ended {
            return Event::Ended(None);
        }
        let event = self.incoming.recv().await.unwrap_or(Event::Ended(None));
        self.ended = matches!(event, Event::Ended(_));
        event
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.cut();
    }
}

//! A fake viewer: it speaks the viewer's side of the protocol, and remembers
//! everything that it is sent.

use std::net::SocketAddr;

use anyhow::{Result, anyhow, bail, ensure};
use bytes::Bytes;
use gc_protocol::envelope;
use gc_protocol::messages::{
    Body, Chat, Disconnect, Heartbeat, HeartbeatAck, ProtocolVersions, VideoCodec, ViewerHello, ViewerWelcome,
};

use crate::agent::FakeAgent;
use crate::knock::Knock;
use crate::line::{Ended, Event, Line};
use crate::wait::soon;

/// A fake viewer on an open connection.
#[derive(Debug)]
pub struct FakeViewer {
    line: Line,
    seen: Vec<Body>,
    disconnect: Option<Disconnect>,
    /// What the relay said to the hello.
    pub welcome: ViewerWelcome,
}

impl FakeViewer {
    /// Connect with a viewer token and say hello.
    ///
    /// # Errors
    /// When it is not let in or not welcomed.
    pub async fn connect(server: SocketAddr, session: &str, token: &str) -> Result<Self> {
        let mut viewer = Self::open(server, &Knock::viewer(session).bearer(token)).await?;
        viewer.hello().await?;
        Ok(viewer)
    }

    /// Connect and say nothing yet.
    ///
    /// # Errors
    /// When it is not let in.
    pub async fn open(server: SocketAddr, knock: &Knock) -> Result<Self> {
        let stream = knock
            .open(server)
            .await?
            .map_err(|refused| anyhow!("the viewer was refused with {} {}", refused.status, refused.body))?;
        let line = Line::new(stream, acknowledge);
        Ok(Self { line, seen: Vec::new(), disconnect: None, welcome: ViewerWelcome::default() })
    }

    /// Say hello and be welcomed.
    ///
    /// # Errors
    /// When no welcome comes.
    pub async fn hello(&mut self) -> Result<()> {
        self.send(ViewerHello {
            versions: Some(ProtocolVersions { lowest: 2, highest: 2 }),
            software_version: "0.0.0-test".into(),
            capabilities: Vec::new(),
            decodable: vec![VideoCodec::Raw.into()],
            display_id: 0,
        });
        self.welcome = crate::await_body!(self, ViewerWelcome)?;
        ensure!(self.welcome.version == 2, "the relay speaks version {}", self.welcome.version);
        ensure!(self.welcome.viewer != 0, "a viewer has the relay's own number");
        Ok(())
    }

    /// This viewer's number in the session.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.welcome.viewer
    }

    /// Send a body.
    pub fn send(&self, body: impl Into<Body>) {
        self.line.send(envelope::encode(body));
    }

    /// Send bytes as they are.
    pub fn send_bytes(&self, bytes: impl Into<Bytes>) {
        self.line.send(bytes.into());
    }

    /// Send a text message, which is no message of this protocol.
    pub fn send_text(&self, text: &str) {
        self.line.send_text(text);
    }

    /// Say a line, and wait until the agent has it: everything that this
    /// viewer sent before and that goes through has arrived by then.
    ///
    /// # Errors
    /// When it does not arrive.
    pub async fn say(&self, agent: &mut FakeAgent, text: &str) -> Result<()> {
        self.send(Chat { text: text.to_owned(), ..Chat::default() });
        agent.until(text, |body| matches!(body, Body::Chat(chat) if chat.text == text).then_some(())).await
    }

    /// Wait until `pick` finds what it looks for in a body.
    ///
    /// # Errors
    /// When the connection ends or nothing comes.
    pub async fn until<T>(&mut self, what: &str, mut pick: impl FnMut(&Body) -> Option<T>) -> Result<T> {
        let name = format!("{what} at the viewer");
        soon(&name, async {
            loop {
                match self.next().await? {
                    Ok(body) => {
                        if let Some(found) = pick(&body) {
                            return Ok(found);
                        }
                    }
                    Err(ended) => bail!("the viewer's connection ended before {what}: {ended:?}"),
                }
            }
        })
        .await
    }

    /// The relay has taken in everything that was sent before, and this
    /// viewer is still there.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn settle(&mut self, sequence: u32) -> Result<()> {
        self.send(Heartbeat { sequence, sent_at_us: 1 });
        self.until("HeartbeatAck", |body| {
            matches!(body, Body::HeartbeatAck(ack) if ack.sequence == sequence).then_some(())
        })
        .await
    }

    /// Wait for the end.
    ///
    /// # Errors
    /// When it does not come.
    pub async fn ended(&mut self) -> Result<Ended> {
        soon("the end of the viewer's connection", async {
            loop {
                if let Err(ended) = self.next().await? {
                    return Ok(ended);
                }
            }
        })
        .await
    }

    /// Say good-bye properly.
    pub fn close(&self) {
        self.line.close();
    }

    /// Answer no heartbeat any more.
    pub fn mute(&self) {
        self.line.mute();
    }

    /// Cut the line without a word.
    pub fn cut(&self) {
        self.line.cut();
    }

    /// Everything that has been looked at so far, in order.
    #[must_use]
    pub fn seen(&self) -> &[Body] {
        &self.seen
    }

    async fn next(&mut self) -> Result<Result<Body, Ended>> {
        loop {
            let bytes = match self.line.next().await {
                Event::Message(bytes) => bytes,
                Event::Ended(code) => return Ok(Err(Ended { code, disconnect: self.disconnect.take() })),
            };
            // What is newer than this test is ignored, as the protocol wants it.
            let Some(body) = envelope::decode(bytes)? else { continue };
            if let Body::Disconnect(disconnect) = &body {
                self.disconnect = Some(disconnect.clone());
            }
            self.seen.push(body.clone());
            return Ok(Ok(body));
        }
    }
}

fn acknowledge(message: &Bytes) -> Option<Bytes> {
    match envelope::decode(message.clone()) {
        Ok(Some(Body::Heartbeat(beat))) => {
            Some(envelope::encode(HeartbeatAck { sequence: beat.sequence, sent_at_us: beat.sent_at_us }))
        }
        _ => None,
    }
}

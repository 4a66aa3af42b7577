//! A fake agent: it speaks the agent's side of the protocol, and remembers
//! everything that it is sent.

use std::net::SocketAddr;

use anyhow::{Result, anyhow, bail, ensure};
use bytes::Bytes;
use gc_protocol::messages::{
    AccessMode, AgentHello, AgentWelcome, Body, ConsentReason, ConsentRequest, ConsentResponse, Disconnect, Heartbeat,
    HeartbeatAck, ProtocolVersions, RememberedConsent,
};
use gc_protocol::{AgentHeader, encode_framed, header};

use crate::knock::Knock;
use crate::line::{Ended, Event, Line};
use crate::wait::soon;

/// What an attended agent shows at the door.
#[derive(Debug, Clone)]
pub enum Credential {
    /// A support code.
    Code(String),
    /// The `rsm_` secret of an earlier welcome.
    Resume(String),
}

/// One message that came to the agent.
#[derive(Debug, Clone)]
pub struct Received {
    /// The eight bytes before it.
    pub header: AgentHeader,
    /// What it says.
    pub body: Body,
    /// The envelope as it came.
    pub bytes: Bytes,
}

/// A fake agent on an open connection.
#[derive(Debug)]
pub struct FakeAgent {
    line: Line,
    seen: Vec<Received>,
    disconnect: Option<Disconnect>,
    /// What the relay said to the hello.
    pub welcome: AgentWelcome,
}

impl FakeAgent {
    /// The request that shows this credential.
    #[must_use]
    pub fn knock(credential: &Credential) -> Knock {
        match credential {
            Credential::Code(code) => Knock::agent().code(code),
            Credential::Resume(secret) => Knock::agent().bearer(secret),
        }
    }

    /// Connect and say hello; the agent remembers nothing from before.
    ///
    /// # Errors
    /// When it is not let in or not welcomed.
    pub async fn connect(server: SocketAddr, credential: &Credential) -> Result<Self> {
        Self::connect_remembering(server, credential, Vec::new()).await
    }

    /// Connect and say hello; `remembered` is what the person had accepted
    /// as this agent knows it.
    ///
    /// # Errors
    /// When it is not let in or not welcomed.
    pub async fn connect_remembering(
        server: SocketAddr,
        credential: &Credential,
        remembered: Vec<RememberedConsent>,
    ) -> Result<Self> {
        let mut agent = Self::open(server, &Self::knock(credential)).await?;
        agent.hello(remembered).await?;
        Ok(agent)
    }

    /// Connect and say nothing yet.
    ///
    /// # Errors
    /// When it is not let in.
    pub async fn open(server: SocketAddr, knock: &Knock) -> Result<Self> {
        let stream = knock
            .open(server)
            .await?
            .map_err(|refused| anyhow!("the agent was refused with {} {}", refused.status, refused.body))?;
        let line = Line::new(stream, acknowledge);
        Ok(Self { line, seen: Vec::new(), disconnect: None, welcome: AgentWelcome::default() })
    }

    /// Say hello and be welcomed.
    ///
    /// # Errors
    /// When no welcome comes.
    pub async fn hello(&mut self, remembered: Vec<RememberedConsent>) -> Result<()> {
        self.send_framed(
            AgentHeader::new(0, 0),
            AgentHello {
                versions: Some(ProtocolVersions { lowest: 2, highest: 2 }),
                software_version: "0.0.0-test".into(),
                capabilities: Vec::new(),
                hostname: "ADA-LAPTOP".into(),
                operating_system: "Windows 11".into(),
                remembered,
            },
        );
        self.welcome = crate::await_body!(self, AgentWelcome)?;
        gc_record::secret(gc_record::Kind::Resume, &self.welcome.resume_secret);
        ensure!(self.welcome.version == 2, "the relay speaks version {}", self.welcome.version);
        Ok(())
    }

    /// What brings this agent back.
    #[must_use]
    pub fn resume(&self) -> Credential {
        Credential::Resume(self.welcome.resume_secret.clone())
    }

    /// What this agent remembers where the person has accepted `access`.
    #[must_use]
    pub fn memory(&self, access: AccessMode) -> Vec<RememberedConsent> {
        vec![RememberedConsent { session_id: self.welcome.session_id.clone(), access: access.into() }]
    }

    /// Send a body in the session's slot, to the relay (0), a viewer or a
    /// stream.
    pub fn send(&self, peer: u32, body: impl Into<Body>) {
        self.send_framed(AgentHeader::new(self.welcome.slot, peer), body);
    }

    /// Send a body behind any header.
    pub fn send_framed(&self, header: AgentHeader, body: impl Into<Body>) {
        self.line.send(encode_framed(header, body));
    }

    /// Send bytes as they are.
    pub fn send_bytes(&self, bytes: impl Into<Bytes>) {
        self.line.send(bytes.into());
    }

    /// Wait until `pick` finds what it looks for in a body.
    ///
    /// # Errors
    /// When the connection ends or nothing comes.
    pub async fn until<T>(&mut self, what: &str, mut pick: impl FnMut(&Body) -> Option<T>) -> Result<T> {
        self.until_received(what, |received| pick(&received.body)).await
    }

    /// Wait until `pick` finds what it looks for in a message.
    ///
    /// # Errors
    /// When the connection ends or nothing comes.
    pub async fn until_received<T>(&mut self, what: &str, mut pick: impl FnMut(&Received) -> Option<T>) -> Result<T> {
        let name = format!("{what} at the agent");
        soon(&name, async {
            loop {
                match self.next().await? {
                    Ok(received) => {
                        if let Some(found) = pick(&received) {
                            return Ok(found);
                        }
                    }
                    Err(ended) => bail!("the agent's connection ended before {what}: {ended:?}"),
                }
            }
        })
        .await
    }

    /// The person is asked: wait for the question.
    ///
    /// # Errors
    /// When it does not come.
    pub async fn asked(&mut self) -> Result<ConsentRequest> {
        let slot = self.welcome.slot;
        self.until_received("ConsentRequest", |received| match &received.body {
            Body::ConsentRequest(request) if received.header == AgentHeader::new(slot, 0) => Some(request.clone()),
            _ => None,
        })
        .await
    }

    /// The person answers.
    pub fn answer(&self, request: &ConsentRequest, granted: bool, reason: ConsentReason) {
        self.send(
            0,
            ConsentResponse {
                request_id: request.request_id.clone(),
                session_id: request.session_id.clone(),
                granted,
                reason: reason.into(),
            },
        );
    }

    /// The person is asked and says yes.
    ///
    /// # Errors
    /// When they are not asked.
    pub async fn grant(&mut self) -> Result<ConsentRequest> {
        let request = self.asked().await?;
        self.answer(&request, true, ConsentReason::Answered);
        Ok(request)
    }

    /// The relay has taken in everything that was sent before.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn settle(&mut self, sequence: u32) -> Result<()> {
        self.send_framed(AgentHeader::new(0, 0), Heartbeat { sequence, sent_at_us: 1 });
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
        soon("the end of the agent's connection", async {
            loop {
                if let Err(ended) = self.next().await? {
                    return Ok(ended);
                }
            }
        })
        .await
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
    pub fn seen(&self) -> &[Received] {
        &self.seen
    }

    async fn next(&mut self) -> Result<Result<Received, Ended>> {
        loop {
            let bytes = match self.line.next().await {
                Event::Message(bytes) => bytes,
                Event::Ended(code) => return Ok(Err(Ended { code, disconnect: self.disconnect.take() })),
            };
            let (header, raw) = header::split(bytes)?;
            // What is newer than this test is ignored, as the protocol wants it.
            let Some(body) = raw.decode()? else { continue };
            if let Body::Disconnect(disconnect) = &body {
                self.disconnect = Some(disconnect.clone());
            }
            let received = Received { header, body, bytes: raw.bytes().clone() };
            self.seen.push(received.clone());
            return Ok(Ok(received));
        }
    }
}

fn acknowledge(message: &Bytes) -> Option<Bytes> {
    let (header, raw) = header::split(message.clone()).ok()?;
    match raw.decode() {
        Ok(Some(Body::Heartbeat(beat))) => {
            let ack = HeartbeatAck { sequence: beat.sequence, sent_at_us: beat.sent_at_us };
            Some(encode_framed(header, ack))
        }
        _ => None,
    }
}

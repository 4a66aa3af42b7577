//! Opening a WebSocket: who asks, from where, and how the server answers.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::{Error, handshake::client::Response};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::wait::soon;
use crate::{Answer, fresh_address};

/// The subprotocol of both planes.
const SUBPROTOCOL: &str = "guruconnect.v2";

/// An upgrade that the server refused.
pub type Refused = Answer;

/// A request to open one of the two sockets.
#[derive(Debug, Clone)]
pub struct Knock {
    from: IpAddr,
    path: String,
    headers: Vec<(String, String)>,
    subprotocols: Vec<String>,
}

impl Knock {
    /// At the agents' socket, with no credential yet.
    #[must_use]
    pub fn agent() -> Self {
        Self::at("/ws/agent")
    }

    /// At the viewers' socket for this session, with no credential yet.
    #[must_use]
    pub fn viewer(session: &str) -> Self {
        Self::at(&format!("/ws/viewer?session_id={session}"))
    }

    fn at(path: &str) -> Self {
        Self {
            from: fresh_address(),
            path: path.to_owned(),
            headers: Vec::new(),
            subprotocols: vec![SUBPROTOCOL.to_owned()],
        }
    }

    /// From this address instead of a fresh one.
    #[must_use]
    pub fn from(mut self, address: IpAddr) -> Self {
        self.from = address;
        self
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// With a bearer credential in the header.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// With a support code in the header.
    #[must_use]
    pub fn code(self, code: &str) -> Self {
        self.header("authorization", format!("Code {code}"))
    }

    /// With a token as a browser carries it, in a second subprotocol.
    #[must_use]
    pub fn token_subprotocol(mut self, token: &str) -> Self {
        self.subprotocols.push(format!("guruconnect.token.{token}"));
        self
    }

    /// Knock. The inner result is the server's decision.
    ///
    /// # Errors
    /// When the server gives no answer that is one.
    pub async fn open(&self, server: SocketAddr) -> Result<Result<WebSocketStream<TcpStream>, Refused>> {
        soon(&format!("an answer at {}", self.path), self.open_patiently(server)).await
    }

    /// The status that the server refuses with.
    ///
    /// # Errors
    /// When it lets the client in.
    pub async fn refused(&self, server: SocketAddr) -> Result<Refused> {
        match self.open(server).await? {
            Ok(_) => bail!("{} let in whom it should have refused", self.path),
            Err(refused) => Ok(refused),
        }
    }

    /// The status of the answer, 101 for an upgrade.
    ///
    /// # Errors
    /// When the server gives no answer that is one.
    pub async fn status(&self, server: SocketAddr) -> Result<u16> {
        Ok(self.open(server).await?.map_or_else(|refused| refused.status, |_| 101))
    }

    async fn open_patiently(&self, server: SocketAddr) -> Result<Result<WebSocketStream<TcpStream>, Refused>> {
        let mut request = format!("ws://{server}{}", self.path).into_client_request()?;
        for (name, value) in &self.headers {
            request.headers_mut().append(HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_str(value)?);
        }
        let subprotocols = HeaderValue::from_str(&self.subprotocols.join(", "))?;
        request.headers_mut().insert("sec-websocket-protocol", subprotocols);
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(self.from, 0)).with_context(|| format!("cannot use {}", self.from))?;
        let stream = socket.connect(server).await?;
        stream.set_nodelay(true)?;
        match client_async(request, stream).await {
            Ok((stream, response)) => {
                let chosen = response.headers().get("sec-websocket-protocol").and_then(|value| value.to_str().ok());
                ensure!(chosen == Some(SUBPROTOCOL), "the server chose the subprotocol {chosen:?}");
                Ok(Ok(stream))
            }
            Err(Error::Http(response)) => Ok(Err(refusal(&response))),
            Err(error) => Err(error.into()),
        }
    }
}

fn refusal(response: &Response) -> Refused {
    let body = response.body().as_deref().unwrap_or_default();
    Answer {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        text: String::from_utf8_lossy(body).into_owned(),
        body: serde_json::from_slice(body).unwrap_or(Value::Null),
    }
}

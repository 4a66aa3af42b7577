//! A client's WebSocket with small buffers, from an address of its own.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use gc_tests::fresh_address;
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

/// Bytes read at once by somebody who only waits.
pub(crate) const SMALL: usize = 4 << 10;
/// Bytes read at once by somebody who takes in a lot.
pub(crate) const LARGE: usize = 256 << 10;

/// An open WebSocket.
pub(crate) struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    /// Open `path` at `server`, presenting this credential, or as anybody where
    /// it is empty; `buffer` bytes are read at once.
    pub(crate) async fn open(server: SocketAddr, path: &str, authorization: &str, buffer: usize) -> Result<Self> {
        let mut request = format!("ws://{server}{path}").into_client_request()?;
        let headers = request.headers_mut();
        if !authorization.is_empty() {
            headers.insert("sec-websocket-protocol", HeaderValue::from_static(gc_protocol::limits::SUBPROTOCOL));
            headers.insert("authorization", HeaderValue::from_str(authorization)?);
        }
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(fresh_address(), 0))?;
        let stream = socket.connect(server).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        // Every message is written at once, as both ends of a session do.
        let config =
            WebSocketConfig::default().read_buffer_size(buffer).write_buffer_size(0).max_write_buffer_size(64 << 20);
        let (socket, _) = client_async_with_config(request, stream, Some(config)).await.context("not let in")?;
        Ok(Self(socket))
    }

    /// Send one message.
    pub(crate) async fn send(&mut self, message: Bytes) -> Result<()> {
        Ok(self.0.send(Message::Binary(message)).await?)
    }

    /// The next message.
    pub(crate) async fn next(&mut self) -> Result<Bytes> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Binary(bytes))) => return Ok(bytes),
                Some(Ok(Message::Close(frame))) => bail!("closed: {frame:?}"),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.into()),
                None => bail!("the line broke"),
            }
        }
    }
}

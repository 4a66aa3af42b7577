//! Opening a socket.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use url::Url;

use crate::proxy;
use crate::verify::Pinned;

/// How long everything together may take.
const WITHIN: Duration = Duration::from_secs(20);

/// A stream to the server, plain or encrypted.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// An open socket.
pub type Socket = WebSocketStream<Box<dyn Stream>>;

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address is not one to connect to: not `wss`, nor `ws` to loopback.
    #[error("the server's address is not valid")]
    Address,
    /// Nobody there, or the line broke.
    #[error("the server cannot be reached: {0}")]
    Network(#[source] std::io::Error),
    /// The proxy refuses.
    #[error("the proxy refuses the connection")]
    Proxy,
    /// The server's certificate is not to be trusted, or no roots are to be had.
    #[error("the server's certificate cannot be verified: {0}")]
    Certificate(String),
    /// The server answered with this status and words instead of a socket.
    #[error("the server refuses the connection ({status}): {detail}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The error envelope's code.
        code: String,
        /// The error envelope's words.
        detail: String,
        /// Seconds to wait, where the server said so.
        retry_after: Option<u64>,
    },
    /// It took too long.
    #[error("the server does not answer")]
    TimedOut,
    /// Something else about the handshake.
    #[error("the connection failed: {0}")]
    Handshake(String),
}

/// Open a socket to `url` with this authorization and subprotocol. `identity`
/// is the Ed25519 key that a self-made certificate of the server is bound to.
///
/// # Errors
/// See [`ConnectError`].
pub async fn connect(
    url: &Url,
    identity: Option<[u8; 32]>,
    authorization: &str,
    subprotocol: &'static str,
    largest_message: usize,
) -> Result<Socket, ConnectError> {
    let work = open(url, identity, authorization, subprotocol, largest_message);
    tokio::time::timeout(WITHIN, work).await.map_err(|_| ConnectError::TimedOut)?
}

async fn open(
    url: &Url,
    identity: Option<[u8; 32]>,
    authorization: &str,
    subprotocol: &'static str,
    largest_message: usize,
) -> Result<Socket, ConnectError> {
    let secure = match url.scheme() {
        "wss" => true,
        "ws" if proxy::is_loopback(url) => false,
        _ => return Err(ConnectError::Address),
    };
    let host = url.host_str().ok_or(ConnectError::Address)?.trim_matches(['[', ']']);
    let port = url.port_or_known_default().ok_or(ConnectError::Address)?;
    let stream = match proxy::for_target(url, |name| std::env::var(name).ok(), &proxy::system())? {
        Some(proxy) => proxy::through(&proxy, host, port).await?,
        None => TcpStream::connect((host, port)).await.map_err(ConnectError::Network)?,
    };
    stream.set_nodelay(true).map_err(ConnectError::Network)?;
    let stream: Box<dyn Stream> =
        if secure { Box::new(encrypt(stream, host, identity).await?) } else { Box::new(stream) };

    let mut request = url.as_str().into_client_request().map_err(|_| ConnectError::Address)?;
    let mut secret = HeaderValue::from_str(authorization).map_err(|_| ConnectError::Address)?;
    secret.set_sensitive(true);
    request.headers_mut().insert(http::header::AUTHORIZATION, secret);
    request.headers_mut().insert(http::header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(subprotocol));
    let config = WebSocketConfig::default()
        .read_buffer_size(64 << 10)
        .write_buffer_size(0)
        .max_write_buffer_size(16 << 20)
        .max_message_size(Some(largest_message))
        .max_frame_size(Some(largest_message));
    match client_async_with_config(request, stream, Some(config)).await {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(response)) => Err(refused(&response)),
        Err(Error::Io(error)) => Err(ConnectError::Network(error)),
        Err(error) => Err(ConnectError::Handshake(error.to_string())),
    }
}

fn refused(response: &http::Response<Option<Vec<u8>>>) -> ConnectError {
    let body = response.body().as_deref().unwrap_or_default();
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let text =
        |key: &str| body.get(key).and_then(serde_json::Value::as_str).unwrap_or_default().chars().take(300).collect();
    let header = response.headers().get(http::header::RETRY_AFTER);
    ConnectError::Refused {
        status: response.status().as_u16(),
        code: text("error_code"),
        detail: text("detail"),
        retry_after: header.and_then(|value| value.to_str().ok()).and_then(|value| value.parse().ok()),
    }
}

async fn encrypt(
    stream: TcpStream,
    host: &str,
    identity: Option<[u8; 32]>,
) -> Result<tokio_rustls::client::TlsStream<TcpStream>, ConnectError> {
    let untrusted = |error: &dyn std::fmt::Display| ConnectError::Certificate(error.to_string());
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| untrusted(&error))?
        // What stands in for the usual verifier asks it, and the pinned identity.
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Pinned::new(identity, provider)))
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(|_| ConnectError::Address)?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|error| {
        let is_tls = error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>());
        if is_tls { untrusted(&error) } else { ConnectError::Network(error) }
    })
}

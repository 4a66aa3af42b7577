//! TLS: where the certificate comes from, and the handshake.
//!
//! Architectural invariant: one protocol library, one provider (ring), TLS 1.2
//! and later; no option weakens it.

mod acme;
mod files;
mod self_made;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::server::ResolvesServerCert;
use tokio::io::AsyncBufReadExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::app::App;
use crate::config::{Certificate, Config};

/// What certificate authorities call when they look whether a name is ours.
const ACME: &[u8] = b"acme-tls/1";

/// Handshakes with the certificate that holds at the moment.
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    renewal: Renewal,
}

/// What keeps the certificate good.
enum Renewal {
    /// Files are read again when they change.
    Files(files::Files),
    /// An authority is asked in time.
    Acme(acme::Authority),
    /// Made for longer than a server runs.
    None,
}

impl Tls {
    /// As the operator chose; `None` for plain HTTP.
    ///
    /// # Errors
    /// When there is no certificate to begin with.
    pub(crate) fn new(config: &Config, identity: &ed25519_dalek::SigningKey) -> Result<Option<Self>> {
        let Some(certificate) = &config.certificate else { return Ok(None) };
        let (resolver, renewal): (Arc<dyn ResolvesServerCert>, _) = match certificate {
            Certificate::Files { chain, key } => {
                let files = files::Files::read(chain, key)?;
                (files.resolver(), Renewal::Files(files))
            }
            Certificate::Acme(acme) => {
                let authority = acme::Authority::new(acme, &config.data)?;
                (authority.resolver(), Renewal::Acme(authority))
            }
            Certificate::SelfMade => (self_made::resolver(config, identity)?, Renewal::None),
        };
        let mut tls = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        if matches!(renewal, Renewal::Acme(_)) {
            tls.alpn_protocols.push(ACME.to_vec());
        }
        Ok(Some(Self { acceptor: TlsAcceptor::from(Arc::new(tls)), renewal }))
    }

    /// Shake hands and wait for the first byte of a request. `None` for whoever
    /// does not get that far in time, and for authorities that look.
    pub(crate) async fn accept(&self, stream: TcpStream, within: Duration) -> Option<TlsStream<TcpStream>> {
        let greeting = async {
            let mut stream = self.acceptor.accept(stream).await?;
            if stream.get_ref().1.alpn_protocol() == Some(ACME) {
                return Ok(None);
            }
            let is_there = !stream.fill_buf().await?.is_empty();
            Ok::<_, std::io::Error>(is_there.then_some(stream))
        };
        match tokio::time::timeout(within, greeting).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                tracing::debug!(%error, "a handshake failed");
                None
            }
            Err(_) => None,
        }
    }

    /// Keep the certificate good until the shutdown.
    pub(crate) async fn renew(self: Arc<Self>, app: Arc<App>) {
        match &self.renewal {
            Renewal::Files(files) => files.follow(&app).await,
            Renewal::Acme(authority) => authority.follow(&app).await,
            Renewal::None => {}
        }
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

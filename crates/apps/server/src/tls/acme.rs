//! A certificate from an authority, asked for and renewed by ACME
//! (RFC 8555, with TLS-ALPN-01 of RFC 8737: the port of the pages serves).

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use futures_util::StreamExt;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::ResolvesServerCert;
use rustls::{ClientConfig, RootCertStore};
use rustls_acme::caches::DirCache;
use rustls_acme::{AcmeConfig, AcmeState};
use tokio::sync::Mutex;

use crate::app::App;
use crate::config::Acme;

/// What goes on with the authority. Its error is the cache's: a file's.
type State = AcmeState<std::io::Error>;

/// An authority and what it gave.
pub(super) struct Authority {
    state: Mutex<State>,
    resolver: Arc<dyn ResolvesServerCert>,
}

impl Authority {
    pub(super) fn new(acme: &Acme, data: &Path) -> Result<Self> {
        let config = match &acme.roots {
            None => AcmeConfig::new_with_provider(&acme.domains, super::provider()),
            Some(path) => AcmeConfig::new_with_client_config(&acme.domains, Arc::new(trusting(path)?)),
        };
        let contacts = acme.contacts.iter().map(|address| format!("mailto:{address}"));
        let config = config.contact(contacts).cache(DirCache::new(data.join("acme")));
        let config = match &acme.directory {
            Some(url) => config.directory(url),
            None => config.directory_lets_encrypt(true),
        };
        let state = config.state();
        let resolver = state.resolver();
        Ok(Self { state: Mutex::new(state), resolver })
    }

    pub(super) fn resolver(&self) -> Arc<dyn ResolvesServerCert> {
        self.resolver.clone()
    }

    /// Ask when it is time. What fails is tried again by itself, with pauses.
    pub(super) async fn follow(&self, app: &App) {
        let mut state = self.state.lock().await;
        loop {
            let event = tokio::select! {
                event = state.next() => event,
                () = app.shutdown.cancelled() => return,
            };
            match event {
                Some(Ok(event)) => tracing::info!(?event, "certificate authority"),
                Some(Err(error)) => tracing::error!(%error, "the certificate authority gave no certificate"),
                None => return,
            }
        }
    }
}

/// A client that trusts an authority's own certificate: for one in the house.
fn trusting(path: &Path) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).with_context(|| format!("cannot read {}", path.display()))? {
        roots.add(certificate.with_context(|| format!("cannot read {}", path.display()))?)?;
    }
    Ok(ClientConfig::builder_with_provider(super::provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

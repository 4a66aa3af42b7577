//! A certificate from files that somebody else renews.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::app::App;

/// How often the files are looked at. Who cannot wait sends SIGHUP.
const LOOK: Duration = Duration::from_secs(30);

/// The two files, and what they held last.
pub(super) struct Files {
    chain: PathBuf,
    key: PathBuf,
    current: Arc<Current>,
    first_read: Option<SystemTime>,
}

/// The certificate that holds now.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl Files {
    pub(super) fn read(chain: &Path, key: &Path) -> Result<Self> {
        let first_read = changed(chain, key);
        let current = Arc::new(Current(RwLock::new(Arc::new(load(chain, key)?))));
        Ok(Self { chain: chain.to_owned(), key: key.to_owned(), current, first_read })
    }

    pub(super) fn resolver(&self) -> Arc<dyn ResolvesServerCert> {
        self.current.clone()
    }

    /// Take new files as they come. Files that do not fit change nothing: the
    /// two are seldom written in one moment.
    pub(super) async fn follow(&self, app: &App) {
        let mut read = self.first_read;
        let mut told = hangups();
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = told.next() => read = None,
                () = app.shutdown.cancelled() => return,
            }
            let now = changed(&self.chain, &self.key);
            if now == read {
                continue;
            }
            match load(&self.chain, &self.key) {
                Ok(fresh) => {
                    *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
                    read = now;
                    tracing::info!("the certificate was read anew");
                }
                Err(error) => tracing::error!(error = format!("{error:#}"), "the new certificate is not taken"),
            }
        }
    }
}

/// When the younger of the two was written.
fn changed(chain: &Path, key: &Path) -> Option<SystemTime> {
    let when = |path: &Path| std::fs::metadata(path).and_then(|found| found.modified()).ok();
    when(chain).max(when(key))
}

/// A chain and its key that belong together.
pub(super) fn load(chain: &Path, key: &Path) -> Result<CertifiedKey> {
    let certificates: Vec<_> = CertificateDer::pem_file_iter(chain)
        .and_then(Iterator::collect)
        .with_context(|| format!("cannot read the certificate in {}", chain.display()))?;
    ensure!(!certificates.is_empty(), "there is no certificate in {}", chain.display());
    let secret =
        PrivateKeyDer::from_pem_file(key).with_context(|| format!("cannot read the key in {}", key.display()))?;
    let certified = CertifiedKey::from_der(certificates, secret, &super::provider());
    certified.with_context(|| format!("{} and {} do not belong together", chain.display(), key.display()))
}

/// SIGHUPs, where the system has them.
struct Hangups(#[cfg(unix)] Option<tokio::signal::unix::Signal>);

fn hangups() -> Hangups {
    #[cfg(unix)]
    return Hangups(tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok());
    #[cfg(not(unix))]
    Hangups()
}

impl Hangups {
    async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.0
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}

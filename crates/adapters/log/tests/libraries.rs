//! What libraries say below `info` is not written, however it is asked for.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

#[derive(Clone, Default)]
struct Sheet(Arc<Mutex<Vec<u8>>>);

impl Write for Sheet {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn only_our_own_code_is_heard_below_info() {
    let sheet = Sheet::default();
    let writer = sheet.clone();
    gc_log::json_to("trace,tungstenite=trace,sqlx[{secret}]=trace", move || writer.clone());
    // As libraries do it, by either way.
    log::trace!(target: "tungstenite::handshake::client", "rsm_of a header");
    log::debug!(target: "tungstenite::protocol", "rsm_of a frame");
    tracing::trace!(target: "hyper::proto", "lgn_of a head");
    tracing::debug!(target: "sqlx::query", secret = "pat_of a statement");
    log::info!(target: "rustls_acme", "said by a library");
    tracing::warn!(target: "sea_orm", "warned by a library");
    tracing::trace!(target: "guruconnect_server::relay", "said by the server");
    tracing::debug!(target: "gc_net::connect", "said by an adapter");
    let text = String::from_utf8(sheet.0.lock().unwrap().clone()).unwrap();
    for said in ["said by a library", "warned by a library", "said by the server", "said by an adapter"] {
        assert!(text.contains(said), "{said:?} is not in {text}");
    }
    for secret in ["rsm_", "lgn_", "pat_"] {
        assert!(!text.contains(secret), "{secret:?} is in {text}");
    }
}

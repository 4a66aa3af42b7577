//! Accepting connections, and how long they may take to say what they want.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::connect_info::IntoMakeServiceWithConnectInfo;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use crate::app::App;
use crate::connections::Seat;
use crate::read_ahead::ReadAhead;
use crate::tls::Tls;

/// How long a peer may take for its first byte, and from there for a head.
const HEAD_WITHIN: Duration = Duration::from_secs(15);
/// How long to wait when the system gives no more connections.
const BREATHER: Duration = Duration::from_millis(100);

/// Let this process open as many files as the system allows it at all: every
/// connection is one, and the usual limit is that of an interactive program.
pub(crate) fn raise_file_limit() {
    match rlimit::increase_nofile_limit(rlimit::INFINITY) {
        Ok(most) => tracing::debug!(most, "open files"),
        Err(error) => tracing::warn!(%error, "the limit of open files stays as it is"),
    }
}

/// Serve until the shutdown; then let requests end.
///
/// Without TLS only loopback and trusted proxies are served: nobody's password
/// crosses a network in the clear.
pub(crate) async fn serve(app: &Arc<App>, listener: TcpListener, tls: Option<Arc<Tls>>, router: Router) {
    let mut service = router.into_make_service_with_connect_info::<SocketAddr>();
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = app.shutdown.cancelled() => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of files, most likely: what is open goes on.
                tracing::error!(%error, "a connection could not be accepted");
                tokio::time::sleep(BREATHER).await;
                continue;
            }
        };
        let is_proxy = app.settings.now().trusted_proxies.iter().any(|net| net.contains(&peer.ip().to_canonical()));
        if tls.is_none() && !is_proxy && !peer.ip().to_canonical().is_loopback() {
            tracing::warn!(client = %peer.ip(), "plain HTTP from elsewhere is not served");
            continue;
        }
        // Who is one too many is closed upon: an answer would cost as much as
        // serving it.
        let Some(seat) = app.connections.take(peer.ip(), is_proxy) else { continue };
        connect(&mut service, &graceful, stream, tls.clone(), peer, seat, app.shutdown.clone()).await;
    }
    graceful.shutdown().await;
}

async fn connect(
    service: &mut IntoMakeServiceWithConnectInfo<Router, SocketAddr>,
    graceful: &GracefulShutdown,
    stream: TcpStream,
    tls: Option<Arc<Tls>>,
    peer: SocketAddr,
    seat: Seat,
    shutdown: CancellationToken,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps its delay");
    }
    let Ok(service) = service.call(peer).await;
    // One version: finding out which would wait without end for the first byte.
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN);
    let watcher = graceful.watcher();
    // Ends with the connection, and all of them with the shutdown.
    tokio::spawn(async move {
        let _seat = seat;
        // The head's time runs from its first byte: that has to come as well.
        let mut first = [0];
        tokio::select! {
            came = tokio::time::timeout(HEAD_WITHIN, stream.peek(&mut first)) => if !matches!(came, Ok(Ok(1))) {
                return;
            },
            () = shutdown.cancelled() => return,
        }
        let service = TowerToHyperService::new(service);
        let served = if let Some(tls) = tls {
            let Some(stream) = tls.accept(stream, HEAD_WITHIN).await else { return };
            let connection = builder.serve_connection_with_upgrades(TokioIo::new(ReadAhead::new(stream)), service);
            watcher.watch(connection.into_owned()).await
        } else {
            let connection = builder.serve_connection_with_upgrades(TokioIo::new(ReadAhead::new(stream)), service);
            watcher.watch(connection.into_owned()).await
        };
        if let Err(error) = served {
            tracing::debug!(%error, client = %peer.ip(), "a connection broke");
        }
    });
}

//! Starting, running and stopping.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use gc_access::Secret;
use gc_protocol::limits;
use gc_session::EndReason;
use gc_store::{Millis, Store};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::alone::Alone;
use crate::app::App;
use crate::auth::limits::Limits;
use crate::auth::sealed::Sealer;
use crate::auth::setup_token;
use crate::auth::viewer_token::ViewerTokens;
use crate::client_file::Clients;
use crate::clock::Clock;
use crate::config::Config;
use crate::connections::Counted;
use crate::meters::Meters;
use crate::relay::Hub;
use crate::settings::Holder;
use crate::tls::Tls;
use crate::{api, data, keys, listen};

/// The embedded database in the data folder.
pub(crate) const DATABASE: &str = "guruconnect.sqlite";
/// How often old codes and logins are looked for.
const SWEEP: Duration = Duration::from_secs(5);
/// What is due so much later than anything lives is of another clock. Less may
/// be of this one: it was made while the sweep was at work.
const SLACK: Millis = 60_000;
/// How long a shutdown may take.
const DRAIN: Duration = Duration::from_secs(8);

/// A server that accepts.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// The address that people use.
    pub url: String,
    /// The set-up link, while there is no administrator.
    pub setup: Option<Secret>,
    shutdown: CancellationToken,
    task: JoinHandle<Result<()>>,
}

impl Running {
    /// Stop: peers are told, records written.
    pub async fn stop(self) {
        self.shutdown.cancel();
        // It ends by itself within its own deadline.
        let _: Result<_, _> = self.task.await;
    }

    /// Wait until it has ended by itself: peers are told, records written.
    ///
    /// # Errors
    /// Why it did.
    pub async fn ended(&mut self) -> Result<()> {
        (&mut self.task).await?
    }
}

/// Start a server.
///
/// # Errors
/// When its data, keys, database or address cannot be had.
pub async fn start(config: Config, clock: Clock) -> Result<Running> {
    let mut alone = Alone::take(&config).await?;
    listen::raise_file_limit();
    let store = open_store(&config).await?;
    let identity = keys::load_or_create(&config.data, "identity.key")?;
    let signing = keys::load_or_create(&config.data, "viewer-tokens.key")?;
    let sealing = keys::bits(&config.data, "second-factors.key")?;
    let sealer = Sealer::new(&sealing)?;
    match sealer.seal_all(&store).await? {
        0 => {}
        count => tracing::info!(count, "second factors were sealed in the database"),
    }
    let listener =
        TcpListener::bind(config.listen).await.with_context(|| format!("cannot listen on {}", config.listen))?;
    let address = listener.local_addr()?;
    let settings = Holder::load(&config, address, &store).await?;
    let url = settings.now().url.clone();
    let tls = Tls::new(&config, &identity)?.map(Arc::new);
    let setup = setup_token::issue(&store, clock.wall()).await?.map(|token| setup_link(&url, &token));
    let shutdown = CancellationToken::new();
    let app = Arc::new(App {
        limits: Limits::new(&clock),
        viewer_tokens: ViewerTokens::new(&signing)?,
        sealer,
        hub: Hub::default(),
        clients: Clients::new(config.clients.clone(), identity.verifying_key().to_bytes()),
        setup: Mutex::new(()),
        bus: Box::new(gc_bus::InProcess::default()),
        meters: Meters::new()?,
        connections: Counted::default(),
        shutdown: shutdown.clone(),
        sockets: TaskTracker::new(),
        settings,
        config,
        clock,
        store,
    });
    // First of all what is over: nobody comes in by it.
    expire(&app).await;
    app.hub.restore(&app).await?;
    tokio::spawn(sweep(app.clone()));
    if let Some(tls) = tls.clone() {
        tokio::spawn(tls.renew(app.clone()));
    }
    let end = shutdown.clone();
    let task = tokio::spawn(async move {
        let mut serving = pin!(run(app, listener, tls));
        tokio::select! {
            () = &mut serving => Ok(()),
            error = alone.lost() => {
                tracing::error!(%error, "shutting down");
                end.cancel();
                serving.await;
                Err(error)
            }
        }
    });
    Ok(Running { address, url, setup, shutdown, task })
}

/// Bring the database up to date and touch nothing else.
///
/// # Errors
/// When the database cannot be opened, or a server runs on it.
pub async fn migrate(config: &Config) -> Result<()> {
    let _alone = Alone::take(config).await?;
    open_store(config).await.map(drop)
}

/// A fresh set-up link; the one before is worth nothing then. `None` when there
/// is an administrator.
///
/// # Errors
/// When the database cannot be opened.
pub async fn fresh_setup(config: &Config, clock: &Clock) -> Result<Option<Secret>> {
    let store = open_store(config).await?;
    let url = Holder::load(config, config.listen, &store).await?.now().url.clone();
    let token = setup_token::issue(&store, clock.wall()).await?;
    Ok(token.map(|token| setup_link(&url, &token)))
}

fn setup_link(url: &str, token: &Secret) -> Secret {
    Secret::new(format!("{url}/setup#{}", token.expose()))
}

async fn open_store(config: &Config) -> Result<Store> {
    data::prepare_folder(&config.data)?;
    match &config.database_url {
        Some(url) => Store::open_postgres(url.expose()).await.context(data::NO_POSTGRES),
        None => {
            let path = config.data.join(DATABASE);
            Store::open_sqlite(&path).await.with_context(|| format!("cannot open {}", path.display()))
        }
    }
}

async fn run(app: Arc<App>, listener: TcpListener, tls: Option<Arc<Tls>>) {
    let router = api::router(app.clone());
    let drained = async {
        app.shutdown.cancelled().await;
        app.hub.go_away();
        tokio::time::sleep(DRAIN).await;
    };
    let sockets = app.sockets.clone();
    let all_gone = async {
        listen::serve(&app, listener, tls, router).await;
        // Sockets are not requests any more: they are waited for apart.
        sockets.close();
        sockets.wait().await;
    };
    tokio::select! {
        () = all_gone => {}
        () = drained => {}
    }
}

/// What is due by the clock: codes that expire, logins, limits, sessions whose
/// time is up.
async fn sweep(app: Arc<App>) {
    loop {
        tokio::select! {
            () = app.clock.sleep(SWEEP) => {}
            () = app.shutdown.cancelled() => return,
        }
        expire(&app).await;
        app.limits.sweep();
        app.meters.upkeep();
        app.hub.end_overdue(&app).await;
    }
}

/// End codes and logins whose time is over.
async fn expire(app: &App) {
    let (now, longest) = (app.clock.steady(), limits::CODE_LIFETIME.as_millis());
    let longest = Millis::try_from(longest).map_or(Millis::MAX, |longest| longest + SLACK);
    match app.store.expire_codes(EndReason::Expired.as_str(), now, longest, app.clock.wall()).await {
        Ok(expired) => {
            for id in expired {
                // Whoever made it hears of it; unknown, administrators do.
                let row = app.store.session(id).await.ok().flatten();
                app.ended(id, row.and_then(|row| row.created_by), EndReason::Expired).await;
            }
        }
        Err(error) => tracing::error!(%error, "expired codes could not be looked for"),
    }
    if let Err(error) = app.store.remove_expired_logins(now, api::LOGIN_LIFETIME + SLACK).await {
        tracing::error!(%error, "expired logins could not be removed");
    }
}

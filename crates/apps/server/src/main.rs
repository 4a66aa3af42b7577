//! `guruconnect-server`: reads its options and hands them on.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::{Args, Parser, Subcommand};
use gc_access::Secret;
use guruconnect_server::clock::Clock;
use guruconnect_server::config::{Acme, Certificate};
use guruconnect_server::{Config, start};
use ipnet::IpNet;

#[derive(Parser)]
#[command(version, about = "GuruConnect: self-hosted remote support and remote access")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve pages, API, and both socket planes. The default.
    Serve(Serve),
    /// Print a fresh set-up link for a server that has no administrator.
    Setup(Serve),
    /// Bring the database up to date and stop.
    Migrate(Serve),
    /// Copy everything that a server with the embedded database keeps into one file, while it runs.
    Backup(Backup),
    /// Lay a back-up out in a new data folder.
    Restore(Restore),
    /// Fill the deployment anchor into a client program.
    Client(Client),
    /// Print the API's description.
    Openapi,
}

#[derive(Args, Default)]
struct Serve {
    /// Address to listen on.
    #[arg(long, env = "GURUCONNECT_LISTEN", default_value = "127.0.0.1:8480")]
    listen: Option<SocketAddr>,
    /// Folder for database and keys.
    #[arg(long, env = "GURUCONNECT_DATA", default_value = "guruconnect-data")]
    data: Option<PathBuf>,
    /// PostgreSQL's URL; without one an embedded database in the data folder. Everybody on the machine can read
    /// arguments: a URL with a password belongs in the environment's DATABASE_URL, or in a file.
    #[arg(long, conflicts_with = "database_url_file")]
    database_url: Option<String>,
    /// File with PostgreSQL's URL.
    #[arg(long, env = "DATABASE_URL_FILE")]
    database_url_file: Option<PathBuf>,
    /// Address under which people reach this server.
    #[arg(long, env = "GURUCONNECT_PUBLIC_URL")]
    public_url: Option<String>,
    /// The TLS certificate and those above it, in PEM form; read again when it changes, and at SIGHUP.
    #[arg(long, env = "GURUCONNECT_TLS_CERT", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key, in PEM form.
    #[arg(long, env = "GURUCONNECT_TLS_KEY", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// A name to get a certificate for by ACME; the authority has to reach this server at port 443. May be repeated.
    #[arg(long = "acme-domain", env = "GURUCONNECT_ACME_DOMAINS", value_delimiter = ',', conflicts_with = "tls_cert")]
    acme_domains: Vec<String>,
    /// A mail address that the authority warns. May be repeated.
    #[arg(long = "acme-contact", env = "GURUCONNECT_ACME_CONTACTS", value_delimiter = ',', requires = "acme_domains")]
    acme_contacts: Vec<String>,
    /// The authority's directory; Let's Encrypt without it.
    #[arg(long, env = "GURUCONNECT_ACME_DIRECTORY", requires = "acme_domains")]
    acme_directory: Option<String>,
    /// Certificates, in PEM form, to trust at the authority's own address: for an authority in the house.
    #[arg(long, env = "GURUCONNECT_ACME_ROOTS", requires = "acme_directory")]
    acme_roots: Option<PathBuf>,
    /// Make a certificate: agents verify it by this server's identity, browsers warn of it.
    #[arg(long, env = "GURUCONNECT_TLS_SELF_MADE", conflicts_with_all = ["tls_cert", "acme_domains"])]
    tls_self_made: bool,
    /// Network of a proxy whose X-Forwarded-For is believed. May be repeated.
    #[arg(long = "trusted-proxy", env = "GURUCONNECT_TRUSTED_PROXIES", value_delimiter = ',')]
    trusted_proxies: Vec<IpNet>,
    /// Folder with the clients that are offered for download.
    #[arg(long, env = "GURUCONNECT_CLIENTS")]
    clients: Option<PathBuf>,
    /// Another origin that may open viewer sockets. May be repeated.
    #[arg(long = "embedding-origin", env = "GURUCONNECT_EMBEDDING_ORIGINS", value_delimiter = ',')]
    embedding_origins: Vec<String>,
    /// Company name, as the person being helped reads it.
    #[arg(long, env = "GURUCONNECT_ORGANIZATION", default_value = "")]
    organization: Option<String>,
}

#[derive(Args)]
struct Backup {
    /// Where to write it. It holds every secret of the server: keep it as such.
    #[arg(long)]
    output: PathBuf,
    /// The server's data folder.
    #[arg(long, env = "GURUCONNECT_DATA", default_value = "guruconnect-data")]
    data: PathBuf,
}

#[derive(Args)]
struct Restore {
    /// The back-up.
    #[arg(long)]
    input: PathBuf,
    /// The folder to lay it out in: new, or empty.
    #[arg(long, env = "GURUCONNECT_DATA", default_value = "guruconnect-data")]
    data: PathBuf,
}

#[derive(Args)]
struct Client {
    /// The released client program.
    #[arg(long)]
    input: PathBuf,
    /// Where to write the filled one.
    #[arg(long)]
    output: PathBuf,
    /// Address of this deployment.
    #[arg(long)]
    url: String,
    /// The server's data folder, for its identity.
    #[arg(long, env = "GURUCONNECT_DATA", default_value = "guruconnect-data")]
    data: PathBuf,
}

impl Serve {
    fn config(self) -> Result<Config> {
        let listen = self.listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8480)));
        let public_url = self.public_url.map(|url| url.trim_end_matches('/').to_owned());
        if let Some(url) = &public_url {
            ensure!(
                url.starts_with("https://") || url.starts_with("http://"),
                "--public-url begins with https:// (or http:// on a loopback address)"
            );
        }
        let certificate = match (self.tls_cert, self.tls_key) {
            (Some(chain), Some(key)) => Some(Certificate::Files { chain, key }),
            _ if !self.acme_domains.is_empty() => Some(Certificate::Acme(Acme {
                domains: self.acme_domains,
                contacts: self.acme_contacts,
                directory: self.acme_directory,
                roots: self.acme_roots,
            })),
            _ => self.tls_self_made.then_some(Certificate::SelfMade),
        };
        ensure!(
            listen.ip().is_loopback() || certificate.is_some() || !self.trusted_proxies.is_empty(),
            "without TLS this server listens on a loopback address only: give it a certificate (--tls-cert and \
             --tls-key, --acme-domain, or --tls-self-made), or name the TLS proxy before it with --trusted-proxy"
        );
        if let (Some(_), Some(url)) = (&certificate, &public_url) {
            ensure!(url.starts_with("https://"), "--public-url begins with https://, since this server speaks TLS");
        }
        ensure!(
            !(matches!(certificate, Some(Certificate::SelfMade | Certificate::Files { .. }))
                && listen.ip().is_unspecified()
                && public_url.is_none()),
            "say with --public-url under which address people reach this server"
        );
        Ok(Config {
            listen,
            data: self.data.unwrap_or_else(|| PathBuf::from("guruconnect-data")),
            database_url: database_url(self.database_url, self.database_url_file.as_deref())?,
            public_url,
            certificate,
            trusted_proxies: self.trusted_proxies,
            clients: self.clients.or_else(beside_program),
            embedding_origins: self.embedding_origins,
            organization: self.organization.unwrap_or_default(),
        })
    }
}

/// PostgreSQL's URL, which holds a password.
fn database_url(argument: Option<String>, file: Option<&std::path::Path>) -> Result<Option<Secret>> {
    let (text, named) = match (argument, file) {
        (Some(url), _) => (url, true),
        (None, Some(file)) => {
            (std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?, true)
        }
        (None, None) => (std::env::var("DATABASE_URL").unwrap_or_default(), false),
    };
    // A secret that was not mounted must not become an empty server of its own.
    ensure!(!named || !text.trim().is_empty(), "the database's URL is named, and empty");
    Ok(Some(text.trim()).filter(|text| !text.is_empty()).map(Secret::new))
}

/// The folder `clients` beside the program, where there is one.
fn beside_program() -> Option<PathBuf> {
    let folder = std::env::current_exe().ok()?.parent()?.join("clients");
    folder.is_dir().then_some(folder)
}

#[tokio::main]
async fn main() -> Result<()> {
    gc_log::json();
    let arguments = Arguments::parse();
    match arguments.command {
        None => {
            serve(Arguments::parse_from(["guruconnect-server", "serve"]).command.map_or_else(
                Serve::default,
                |command| {
                    if let Command::Serve(serve) = command { serve } else { Serve::default() }
                },
            ))
            .await
        }
        Some(Command::Serve(options)) => serve(options).await,
        Some(Command::Setup(options)) => {
            match guruconnect_server::fresh_setup(&options.config()?, &Clock::system()).await? {
                Some(link) => say(&format!("setup: {}", link.expose())),
                None => say("there is an administrator: set-up is over"),
            }
        }
        Some(Command::Migrate(options)) => {
            guruconnect_server::migrate(&options.config()?).await?;
            say("the database is up to date")
        }
        Some(Command::Backup(options)) => {
            guruconnect_server::back_up(&options.data, &options.output).await?;
            say(&format!("backed up: {}", options.output.display()))
        }
        Some(Command::Restore(options)) => {
            guruconnect_server::restore(&options.input, &options.data)?;
            say(&format!("restored: {}", options.data.display()))
        }
        Some(Command::Client(options)) => client(&options),
        Some(Command::Openapi) => say(&guruconnect_server::openapi().to_pretty_json()?),
    }
}

async fn serve(options: Serve) -> Result<()> {
    let config = options.config()?;
    let data = config.data.display().to_string();
    let database = if config.database_url.is_some() { "PostgreSQL" } else { "embedded SQLite" };
    let tls = match &config.certificate {
        None => {
            "none: plain HTTP for loopback and trusted proxies (--tls-cert, --acme-domain, --tls-self-made)".to_owned()
        }
        Some(Certificate::Files { chain, .. }) => format!("{} (--tls-cert)", chain.display()),
        Some(Certificate::Acme(acme)) => format!("by ACME for {} (--acme-domain)", acme.domains.join(", ")),
        Some(Certificate::SelfMade) => "self-made: browsers warn of it (--tls-self-made)".to_owned(),
    };
    let clients = config.clients.as_ref().map_or_else(|| "none".to_owned(), |folder| folder.display().to_string());
    let mut running = start(config, Clock::system()).await?;
    say(&format!("data: {data} (--data)"))?;
    say(&format!("certificate: {tls}"))?;
    say(&format!("database: {database} (DATABASE_URL, --database-url-file, --database-url)"))?;
    say(&format!("clients offered for download: {clients} (--clients)"))?;
    if let Some(setup) = &running.setup {
        say(&format!("setup: {}", setup.expose()))?;
    }
    // Whoever reads that it is ready may ask it to stop at once.
    let mut stops = Stops::listen()?;
    say(&format!("ready: {}", running.url))?;
    tokio::select! {
        () = stops.next() => {}
        by_itself = running.ended() => return by_itself,
    }
    tokio::select! {
        () = running.stop() => Ok(()),
        // Whoever asks twice does not want to wait.
        () = stops.next() => std::process::exit(1),
    }
}

/// What asks the program to stop, heard from its making on.
#[cfg(unix)]
struct Stops {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Stops {
    fn listen() -> Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// What asks the program to stop, heard from its making on.
#[cfg(windows)]
struct Stops(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Stops {
    fn listen() -> Result<Self> {
        Ok(Self(tokio::signal::windows::ctrl_c()?))
    }

    async fn next(&mut self) {
        self.0.recv().await;
    }
}

fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush().context("cannot write to standard output")
}

fn client(options: &Client) -> Result<()> {
    let client = std::fs::read(&options.input).with_context(|| format!("cannot read {}", options.input.display()))?;
    let identity = guruconnect_server::identity(&options.data)?;
    let filled = guruconnect_server::fill_anchor(&client, &options.url, &identity, "GuruConnect")?;
    std::fs::write(&options.output, filled).with_context(|| format!("cannot write {}", options.output.display()))?;
    say("no signing command is configured: the client is unsigned")
}

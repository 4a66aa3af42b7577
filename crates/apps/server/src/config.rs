//! What the operator chose.

use std::net::SocketAddr;
use std::path::PathBuf;

use gc_access::Secret;
use ipnet::IpNet;

/// How to serve.
#[derive(Debug, Clone)]
pub struct Config {
    /// Address to listen on.
    pub listen: SocketAddr,
    /// Folder for everything that is kept.
    pub data: PathBuf,
    /// PostgreSQL's URL; SQLite in the data folder without it.
    pub database_url: Option<Secret>,
    /// Address under which people reach this server, without a slash at the end.
    pub public_url: Option<String>,
    /// Where the TLS certificate comes from; plain HTTP without one, which is
    /// for loopback and for the proxies below.
    pub certificate: Option<Certificate>,
    /// Proxies whose forwarded header is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Folder with `guruconnect.exe` and `guruconnect` to offer for download.
    pub clients: Option<PathBuf>,
    /// Other origins that may open viewer sockets.
    pub embedding_origins: Vec<String>,
    /// Company name on consent questions and pages.
    pub organization: String,
}

/// Where a certificate comes from.
#[derive(Debug, Clone)]
pub enum Certificate {
    /// Files in PEM form, read again when they change.
    Files {
        /// The certificate and those that lead to its authority.
        chain: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
    /// An authority.
    Acme(Acme),
    /// Made by this server and bound to its identity.
    SelfMade,
}

/// An authority that is asked by ACME.
#[derive(Debug, Clone)]
pub struct Acme {
    /// The names to certify.
    pub domains: Vec<String>,
    /// Mail addresses to warn.
    pub contacts: Vec<String>,
    /// The authority's directory; Let's Encrypt without it.
    pub directory: Option<String>,
    /// Certificates to trust at the authority's own address, where the usual
    /// ones do not serve.
    pub roots: Option<PathBuf>,
}

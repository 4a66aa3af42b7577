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
    /// Proxies whose forwarded header is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Folder with `guruconnect.exe` and `guruconnect` to offer for download.
    pub clients: Option<PathBuf>,
    /// Other origins that may open viewer sockets.
    pub embedding_origins: Vec<String>,
    /// Company name on consent questions and pages.
    pub organization: String,
}

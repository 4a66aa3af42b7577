//! nginx as a WebSocket proxy before a source of bytes: the peer beside which
//! our relaying is measured.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_tungstenite::accept_async_with_config;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

/// A running nginx with one worker; ends with its owner.
#[derive(Debug)]
pub struct Nginx {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    source: JoinHandle<()>,
    _folder: TempDir,
}

impl Nginx {
    /// Start it before a source that answers every connection with `total`
    /// bytes in messages of `bytes`, and then only holds it.
    ///
    /// # Errors
    /// When nginx is not there or does not start.
    pub async fn start(total: u64, bytes: usize) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let upstream = listener.local_addr()?;
        let source = tokio::spawn(serve(listener, total, bytes));
        let folder = tempfile::tempdir()?;
        // Free a moment ago: nobody else here asks for ports by number.
        let address = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let path = folder.path().display();
        let config = format!(
            "worker_processes 1; daemon off; pid {path}/pid; error_log {path}/error.log; worker_rlimit_nofile 16384;
             events {{ worker_connections 15000; }}
             http {{ access_log off; client_body_temp_path {path}/a; proxy_temp_path {path}/b; fastcgi_temp_path {path}/c;
               uwsgi_temp_path {path}/d; scgi_temp_path {path}/e;
               server {{ listen {address}; location / {{ proxy_pass http://{upstream}; proxy_http_version 1.1;
                 proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; proxy_read_timeout 600s; }} }} }}"
        );
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, config)?;
        let child = Command::new("/usr/sbin/nginx")
            .arg("-c")
            .arg(&file)
            .arg("-p")
            .arg(folder.path())
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("nginx (Debian's nginx-light) does not start")?;
        let nginx = Self { child, address, source, _folder: folder };
        gc_tests::eventually("nginx listening", || async {
            Ok(tokio::net::TcpStream::connect(address).await.ok().map(drop))
        })
        .await?;
        Ok(nginx)
    }

    /// Its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.source.abort();
        // Asked to end, it takes its worker with it.
        let _: std::io::Result<_> = Command::new("kill").arg(self.child.id().to_string()).status();
        let _: std::io::Result<_> = self.child.wait();
    }
}

async fn serve(listener: TcpListener, total: u64, bytes: usize) {
    let mut all = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        all.spawn(async move {
            let _: std::io::Result<()> = stream.set_nodelay(true);
            let config = WebSocketConfig::default().read_buffer_size(4 << 10).write_buffer_size(0);
            let mut socket = accept_async_with_config(stream, Some(config)).await?;
            let message = Bytes::from(vec![0x5a; bytes]);
            let mut left = total;
            while left > 0 {
                socket.send(Message::Binary(message.clone())).await?;
                left = left.saturating_sub(bytes as u64);
            }
            while socket.next().await.is_some() {}
            Ok::<(), anyhow::Error>(())
        });
    }
}

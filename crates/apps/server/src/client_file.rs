//! The client programs that people download, with the deployment anchor filled
//! in: which server they belong to and which identity it has.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use tokio::sync::Mutex;

/// Marks the reserved block of a client; what follows is the block's room.
const MARK: &[u8; 32] = b"GURUCONNECT-DEPLOYMENT-ANCHOR-V1";
/// Room for the anchor's text: two bytes of length, the text, zeros.
const ROOM: usize = 992;

/// Fill the anchor of a client program.
///
/// # Errors
/// When the program has no reserved block, several, or the anchor is too long.
pub fn fill_anchor(client: &[u8], url: &str, identity: &[u8; 32], product: &str) -> Result<Vec<u8>> {
    let identity = gc_access::Secret::random("", identity);
    let anchor = serde_json::json!({ "url": url, "identity": identity.expose(), "product": product }).to_string();
    ensure!(anchor.len() + 2 <= ROOM, "the server's address is too long for the client's anchor");
    let mut places = client.windows(MARK.len()).enumerate().filter(|(_, window)| window == MARK);
    let (at, _) = places.next().context("this client has no room for a deployment anchor")?;
    ensure!(places.next().is_none(), "this client has several rooms for a deployment anchor");
    let start = at + MARK.len();
    let mut filled = client.to_vec();
    let room = filled.get_mut(start..start + ROOM).context("the client is cut short")?;
    room.fill(0);
    let length = u16::try_from(anchor.len())?.to_le_bytes();
    for (place, byte) in room.iter_mut().zip(length.iter().chain(anchor.as_bytes())) {
        *place = *byte;
    }
    Ok(filled)
}

/// A system that a client runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum System {
    Windows,
    Linux,
}

impl System {
    /// The released client's file.
    fn source(self) -> &'static str {
        match self {
            Self::Windows => "guruconnect.exe",
            Self::Linux => "guruconnect",
        }
    }

    /// What is downloaded of it: the program, or an archive that keeps the
    /// execute bit.
    fn packed(self, client: Vec<u8>) -> Result<Vec<u8>> {
        match self {
            Self::Windows => Ok(client),
            Self::Linux => archive(&client).context("an archive could not be made"),
        }
    }
}

fn archive(client: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default()));
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o755);
    header.set_size(client.len() as u64);
    builder.append_data(&mut header, "GuruConnect", client)?;
    builder.into_inner()?.finish()
}

/// Where the clients are, and what goes into them.
pub(crate) struct Clients {
    folder: Option<PathBuf>,
    identity: [u8; 32],
    /// What was made last for each system: anybody may ask for it.
    made: Mutex<HashMap<System, Made>>,
}

/// A download that was made, and of what.
struct Made {
    of: Source,
    bytes: Bytes,
}

#[derive(PartialEq, Eq)]
struct Source {
    url: String,
    changed: SystemTime,
    length: u64,
}

impl Clients {
    pub(crate) fn new(folder: Option<PathBuf>, identity: [u8; 32]) -> Self {
        Self { folder, identity, made: Mutex::default() }
    }

    /// The download for a system, anchored to `url`; `None` when this server
    /// offers none. Made once for each client file; those who ask meanwhile
    /// wait for the same.
    pub(crate) async fn download(&self, system: System, url: &str) -> Result<Option<Bytes>> {
        let Some(folder) = &self.folder else { return Ok(None) };
        let path = folder.join(system.source());
        let found = match tokio::fs::metadata(&path).await {
            Ok(found) => found,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let of = Source { url: url.to_owned(), changed: found.modified()?, length: found.len() };
        let mut made = self.made.lock().await;
        if let Some(before) = made.get(&system).filter(|before| before.of == of) {
            return Ok(Some(before.bytes.clone()));
        }
        let (url, identity) = (url.to_owned(), self.identity);
        let making = tokio::task::spawn_blocking(move || {
            let client = std::fs::read(path)?;
            system.packed(fill_anchor(&client, &url, &identity, "GuruConnect")?)
        });
        let bytes = Bytes::from(making.await??);
        made.insert(system, Made { of, bytes: bytes.clone() });
        Ok(Some(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filled_once_and_in_place() {
        let mut client = vec![1; 100];
        client.extend(MARK);
        client.extend([0; ROOM]);
        client.extend([2; 50]);
        let filled = fill_anchor(&client, "https://help.example", &[9; 32], "GuruConnect").unwrap();
        assert_eq!(filled.len(), client.len());
        assert!(filled.ends_with(&[2; 50]));
        let text = String::from_utf8_lossy(&filled[134..]).into_owned();
        assert!(text.contains("https://help.example"), "{text}");
        assert!(fill_anchor(b"nothing here", "https://x", &[0; 32], "").is_err());
        assert!(fill_anchor(&[client.clone(), client.clone()].concat(), "https://x", &[0; 32], "").is_err());
        assert!(fill_anchor(&client, &"x".repeat(2000), &[0; 32], "").is_err());
    }
}

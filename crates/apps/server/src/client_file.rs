//! The client programs that people download, with the deployment anchor filled
//! in: which server they belong to and which identity it has.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

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

/// Where the clients are, and what goes into them.
pub(crate) struct Clients {
    folder: Option<PathBuf>,
    identity: [u8; 32],
}

impl Clients {
    pub(crate) fn new(folder: Option<PathBuf>, identity: [u8; 32]) -> Self {
        Self { folder, identity }
    }

    /// A client, anchored to `url`; `None` when this server offers none.
    pub(crate) async fn read(&self, name: &str, url: &str) -> Result<Option<Vec<u8>>> {
        let Some(folder) = &self.folder else { return Ok(None) };
        let client = match tokio::fs::read(folder.join(name)).await {
            Ok(client) => client,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let (url, identity) = (url.to_owned(), self.identity);
        let filled = tokio::task::spawn_blocking(move || fill_anchor(&client, &url, &identity, "GuruConnect"));
        Ok(Some(filled.await??))
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

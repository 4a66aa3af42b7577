//! The guard's input, as the agent holds it: writing to it never waits, and
//! its end tells the guard that the agent is gone.

use std::io::Write;
use std::process::Stdio;

#[cfg(unix)]
pub(super) struct Line(std::os::unix::net::UnixStream);

#[cfg(unix)]
impl Line {
    /// One, and its other end for a process that is still to be started.
    pub(super) fn open() -> std::io::Result<(Self, Stdio)> {
        let (near, far) = std::os::unix::net::UnixStream::pair()?;
        near.set_nonblocking(true)?;
        Ok((Self(near), std::os::fd::OwnedFd::from(far).into()))
    }

    /// Once this is done the guard will hear it, whatever becomes of this
    /// program. An error where it is gone, or takes nothing in.
    pub(super) fn write(&mut self, words: &str) -> std::io::Result<()> {
        self.0.write_all(format!("{words}\n").as_bytes())
    }
}

/// Pipes of Windows make a writer wait: a thread does that, until this is
/// dropped or the guard is gone.
#[cfg(windows)]
pub(super) struct Line(std::sync::mpsc::SyncSender<String>);

#[cfg(windows)]
impl Line {
    pub(super) fn open() -> std::io::Result<(Self, Stdio)> {
        let (reader, mut writer) = std::io::pipe()?;
        let (lines, waiting) = std::sync::mpsc::sync_channel::<String>(super::WAITING);
        std::thread::Builder::new().name("guard's line".into()).spawn(move || {
            for line in waiting {
                if writer.write_all(line.as_bytes()).is_err() {
                    return;
                }
            }
        })?;
        Ok((Self(lines), reader.into()))
    }

    /// The guard hears it soon, unless this program is killed that very moment.
    pub(super) fn write(&mut self, words: &str) -> std::io::Result<()> {
        self.0.try_send(format!("{words}\n")).map_err(|_| std::io::ErrorKind::WouldBlock.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_who_writes_waits() {
        let (mut line, input) = Line::open().unwrap();
        // Many more than any buffer holds, and nobody reads.
        let taken = (0..1_000_000).take_while(|_| line.write("+ key 42 0").is_ok()).count();
        assert!((32..1_000_000).contains(&taken), "{taken}");
        drop(input);
        let (mut line, input) = Line::open().unwrap();
        drop(input);
        let told = (0..1_000_000).find(|_| line.write("+ key 42 0").is_err());
        assert!(told.is_some(), "nobody is there, and nobody says so");
    }
}

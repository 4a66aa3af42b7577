//! The line to the guard: a pipe, with a thread at each end that may wait.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use super::News;

/// Lines that may wait; a guard that takes none is given up.
const WAITING: usize = 1024;

/// The agent's end.
pub(super) struct Line(SyncSender<String>);

impl Line {
    pub(super) fn prepare(_: &mut Command) {}

    pub(super) fn to(child: &mut Child) -> std::io::Result<Self> {
        let mut input = child.stdin.take().ok_or(ErrorKind::BrokenPipe)?;
        let (lines, waiting) = sync_channel::<String>(WAITING);
        std::thread::Builder::new().name("guard".into()).spawn(move || {
            for line in waiting {
                if let Err(error) = writeln!(input, "{line}") {
                    tracing::warn!(%error, "the guard is gone");
                    return;
                }
            }
        })?;
        Ok(Self(lines))
    }

    /// Never waits: an error where the guard has taken nothing in for long.
    pub(super) fn say(&mut self, line: &str) -> std::io::Result<()> {
        self.0.try_send(line.to_owned()).map_err(std::io::Error::other)
    }
}

/// The guard's end.
pub(super) struct Ear(Receiver<String>);

impl Ear {
    pub(super) fn open() -> std::io::Result<Self> {
        let (lines, heard) = sync_channel(WAITING);
        std::thread::Builder::new().spawn(move || {
            for line in BufReader::new(std::io::stdin()).lines().map_while(Result::ok) {
                if lines.send(line).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self(heard))
    }

    /// What is said, or nothing, if something is held and it takes so long.
    pub(super) fn listen(&mut self, holds: bool, within: Duration) -> News {
        let heard =
            if holds { self.0.recv_timeout(within) } else { self.0.recv().map_err(|_| RecvTimeoutError::Disconnected) };
        match heard {
            Ok(line) => News::Lines(vec![line]),
            Err(RecvTimeoutError::Timeout) => News::Lines(Vec::new()),
            Err(RecvTimeoutError::Disconnected) => News::End(Vec::new()),
        }
    }
}

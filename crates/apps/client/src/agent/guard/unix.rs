//! The line to the guard: a pipe. What is written is there whatever happens to the
//! writer, so nobody has to be woken to take it in, and the end of the writer wakes.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::ioctl_fionbio;

use super::News;

/// How often the guard looks what was said, while something is.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 500_000_000 };

/// The agent's end.
pub(super) struct Line(ChildStdin);

impl Line {
    pub(super) fn prepare(command: &mut Command) {
        // Of its own group: what is sent to the agent's terminal does not reach it.
        command.process_group(0);
    }

    pub(super) fn to(child: &mut Child) -> std::io::Result<Self> {
        let input = child.stdin.take().ok_or(ErrorKind::BrokenPipe)?;
        ioctl_fionbio(&input, true)?;
        Ok(Self(input))
    }

    /// Never waits: an error where the guard has taken nothing in for long.
    pub(super) fn say(&mut self, line: &str) -> std::io::Result<()> {
        // As short as this it is written whole or not at all.
        self.0.write_all(format!("{line}\n").as_bytes())
    }
}

/// The guard's end.
pub(super) struct Ear {
    input: File,
    /// What came of a line that is not whole yet.
    rest: String,
    /// Nothing was said between the last two looks.
    quiet: bool,
}

impl Ear {
    pub(super) fn open() -> std::io::Result<Self> {
        let input: OwnedFd = std::io::stdin().as_fd().try_clone_to_owned()?;
        ioctl_fionbio(&input, true)?;
        Ok(Self { input: input.into(), rest: String::new(), quiet: true })
    }

    /// What was said, after a while in which it may have been nothing; `_within` is
    /// how long that is at most. While much is said nothing but the end wakes this.
    pub(super) fn listen(&mut self, holds: bool, _within: Duration) -> News {
        let sleeps = self.quiet && !holds;
        let (wanted, within) = if sleeps { (PollFlags::IN, None) } else { (PollFlags::empty(), Some(&LOOK)) };
        let woken = poll(&mut [PollFd::from_borrowed_fd(self.input.as_fd(), wanted)], within);
        if woken.is_err() {
            return News::Lines(Vec::new());
        }
        let mut bytes = Vec::new();
        let ended = match self.input.read_to_end(&mut bytes) {
            Ok(_) => true,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        };
        self.quiet = bytes.is_empty();
        self.rest.push_str(&String::from_utf8_lossy(&bytes));
        let whole = self.rest.rfind('\n').map_or(0, |end| end + 1);
        let lines: Vec<String> = self.rest.drain(..whole).collect::<String>().lines().map(str::to_owned).collect();
        if ended { News::End(lines) } else { News::Lines(lines) }
    }
}

//! The line to the guard: a pipe. What is written is there whatever happens to the
//! writer, so nobody has to be woken to take it in, and the end of the writer wakes.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionbio};

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
        Self::of(std::io::stdin().as_fd().try_clone_to_owned()?)
    }

    fn of(input: OwnedFd) -> std::io::Result<Self> {
        ioctl_fionbio(&input, true)?;
        Ok(Self { input: input.into(), rest: String::new(), quiet: true })
    }

    /// What was said, or nothing, after half a second, which nothing but the end cuts
    /// short. Where nothing is held and nothing was said the last time it waits for as
    /// long as it takes.
    pub(super) fn listen(&mut self, holds: bool, _: Duration) -> News {
        let sleeps = self.quiet && !holds;
        let (wanted, within) = if sleeps { (PollFlags::IN, None) } else { (PollFlags::empty(), Some(&LOOK)) };
        let woken = poll(&mut [PollFd::from_borrowed_fd(self.input.as_fd(), wanted)], within);
        // Who cannot hear any more takes that for the end.
        let deaf = woken.is_err_and(|error| error != Errno::INTR);
        let mut bytes = Vec::new();
        let ended = deaf
            | match self.input.read_to_end(&mut bytes) {
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

#[cfg(test)]
mod tests {
    use std::io::{Write, pipe};
    use std::time::{Duration, Instant};

    use super::{Ear, News};

    #[test]
    fn what_is_written_is_heard_by_and_by_and_wakes_nobody() {
        let (input, mut output) = pipe().expect("a pipe");
        let mut ear = Ear::of(input.into()).expect("an ear");
        let mut listen = |holds| match ear.listen(holds, Duration::ZERO) {
            News::Lines(lines) => (lines, false),
            News::End(lines) => (lines, true),
        };
        let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        // What comes first wakes it; what is not whole waits for its rest.
        output.write_all(b"+ key 1 0\n+ ke").expect("written");
        assert_eq!(listen(false), (lines(&["+ key 1 0"]), false));
        output.write_all(b"y 2 0\n\n").expect("written");
        let begun = Instant::now();
        assert_eq!(listen(true), (lines(&["+ key 2 0", ""]), false));
        assert!(begun.elapsed() >= Duration::from_millis(400), "it was woken after {:?}", begun.elapsed());
        // Held and silent: it looks again by itself.
        assert_eq!(listen(true), (Vec::new(), false));
        output.write_all(b"- key 1 0\n").expect("written");
        drop(output);
        assert_eq!(listen(true), (lines(&["- key 1 0"]), true));
    }
}

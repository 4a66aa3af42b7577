//! What is held comes up even where this program is killed or frozen: a second
//! process of it knows what is held, and lets go when it hears nothing more.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gc_desktop::Desktop;
use gc_keys::{Button, Release};
use gc_protocol::limits;
use gc_session::agent::Injection;

/// The argument that makes a process of this program a guard.
pub(crate) const ARGUMENT: &str = "guard";
/// Lines that may wait for the guard; a guard that takes none is given up.
const WAITING: usize = 1024;
/// How often it hears that all is well.
const BEAT: Duration = Duration::from_secs(1);
/// How long it has for its own end.
const CLOSE_WITHIN: Duration = Duration::from_millis(500);

const BUTTONS: [(Button, &str); 5] = [
    (Button::Left, "left"),
    (Button::Right, "right"),
    (Button::Middle, "middle"),
    (Button::Back, "back"),
    (Button::Forward, "forward"),
];

/// The line to the guard.
pub(super) struct Guard {
    lines: Option<SyncSender<String>>,
    thread: Option<JoinHandle<()>>,
}

impl Guard {
    /// Start one. Without it everything works but this.
    pub(super) fn start() -> Self {
        let (lines, waiting) = sync_channel(WAITING);
        let started = spawn()
            .and_then(|child| std::thread::Builder::new().name("guard".into()).spawn(move || report(child, &waiting)));
        match started {
            Ok(thread) => Self { lines: Some(lines), thread: Some(thread) },
            Err(error) => {
                tracing::warn!(%error, "nothing lets go of what is held if this program is killed");
                Self { lines: None, thread: None }
            }
        }
    }

    /// To be told before something goes down, and after it came up. Never waits.
    pub(super) fn note(&mut self, what: Release, down: bool) {
        let Some(lines) = &self.lines else { return };
        if lines.try_send(line(what, down)).is_err() {
            tracing::warn!("the guard takes nothing in; going on without it");
            self.lines = None;
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.lines = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has dropped the guard's input as well.
            let _: Result<(), _> = thread.join();
        }
    }
}

/// The process: of its own group, so that what is sent to the agent's terminal
/// does not reach it.
fn spawn() -> std::io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.arg(ARGUMENT).stdin(Stdio::piped()).stdout(Stdio::null()).spawn()
}

/// Pass on what is said, and that this program lives, until nobody says more.
fn report(mut child: Child, lines: &Receiver<String>) {
    let Some(mut input) = child.stdin.take() else { return };
    let mut held = Vec::new();
    while let Some(line) = next(lines, &held, BEAT) {
        let line = line.unwrap_or_default();
        note(&mut held, &line);
        if let Err(error) = writeln!(input, "{line}") {
            tracing::warn!(%error, "the guard is gone");
            break;
        }
    }
    drop(input);
    let begun = Instant::now();
    while begun.elapsed() < CLOSE_WITHIN {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    // It hangs; everything is up already.
    let _: std::io::Result<()> = child.kill();
    let _: std::io::Result<_> = child.wait();
}

/// Be the guard: until its input ends, and then let go.
pub(crate) fn run() -> ExitCode {
    let (lines, heard) = sync_channel(WAITING);
    std::thread::spawn(move || {
        for line in BufReader::new(std::io::stdin()).lines().map_while(Result::ok) {
            if lines.send(line).is_err() {
                return;
            }
        }
    });
    let mut held = Vec::new();
    while let Some(line) = next(&heard, &held, limits::SILENCE_RELEASE) {
        match line {
            Some(line) => note(&mut held, &line),
            None => let_go(&mut held),
        }
    }
    let_go(&mut held);
    ExitCode::SUCCESS
}

/// The next line; none within the time, which passes while something is held
/// only, is `Some(None)`, and `None` is the end.
fn next(lines: &Receiver<String>, held: &[Release], within: Duration) -> Option<Option<String>> {
    if held.is_empty() {
        return lines.recv().ok().map(Some);
    }
    match lines.recv_timeout(within) {
        Ok(line) => Some(Some(line)),
        Err(RecvTimeoutError::Timeout) => Some(None),
        Err(RecvTimeoutError::Disconnected) => None,
    }
}

fn note(held: &mut Vec<Release>, line: &str) {
    let Some((what, down)) = parse(line) else { return };
    held.retain(|other| *other != what);
    if down {
        held.push(what);
    }
}

/// Last pressed, first up.
fn let_go(held: &mut Vec<Release>) {
    if held.is_empty() {
        return;
    }
    match gc_desktop::open(Box::new(|| ())) {
        Ok(Desktop { mut input, .. }) => {
            for what in held.drain(..).rev() {
                if let Err(error) = input.inject(&Injection::Release(what), &[]) {
                    tracing::error!(%error, "something stays pressed");
                }
            }
            tracing::warn!("the agent said nothing more; what it held was let go");
        }
        // No desktop, nothing held.
        Err(error) => tracing::error!(%error, "the desktop cannot be reached; something may stay pressed"),
    }
}

fn line(what: Release, down: bool) -> String {
    let sign = if down { '+' } else { '-' };
    match what {
        Release::Key { scan_code, extended } => format!("{sign} key {scan_code} {}", u8::from(extended)),
        Release::Button(button) => {
            let name = BUTTONS.iter().find(|(other, _)| *other == button).map_or("", |(_, name)| name);
            format!("{sign} button {name}")
        }
    }
}

fn parse(line: &str) -> Option<(Release, bool)> {
    let words: Vec<&str> = line.split(' ').collect();
    let down = *words.first()? == "+";
    match words.get(1..)? {
        ["key", scan_code, extended] => {
            Some((Release::Key { scan_code: scan_code.parse().ok()?, extended: *extended == "1" }, down))
        }
        ["button", name] => {
            let (button, _) = BUTTONS.iter().find(|(_, other)| other == name)?;
            Some((Release::Button(*button), down))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_what_is_held() {
        let key = |scan_code| Release::Key { scan_code, extended: scan_code == 29 };
        let mut held = Vec::new();
        let events = [(key(42), true), (key(29), true), (Release::Button(Button::Right), true), (key(42), false)];
        for (what, down) in events {
            assert_eq!(parse(&line(what, down)), Some((what, down)));
            note(&mut held, &line(what, down));
        }
        // Repeated, and a sign of life.
        note(&mut held, &line(key(29), true));
        note(&mut held, "");
        assert_eq!(held, [Release::Button(Button::Right), key(29)]);
    }
}

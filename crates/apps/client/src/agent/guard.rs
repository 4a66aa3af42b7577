//! What is held comes up even where this program is killed or frozen: a second
//! process of it knows what is held, and lets go when it hears nothing more.

mod keeper;
mod line;

use std::io::{BufRead, BufReader};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use gc_desktop::{Desktop, DesktopError};
use gc_keys::{Button, Release};
use gc_protocol::limits;
use gc_session::agent::Injection;

pub(crate) use keeper::{Guard, end_all};

/// The argument that makes a process of this program a guard.
pub(crate) const ARGUMENT: &str = "guard";
/// Lines that may wait for the guard; one that takes none is replaced.
const WAITING: usize = 1024;
/// What does not come up is tried again as often and with this pause.
const TRIES: u32 = 30;
const PAUSE: Duration = Duration::from_secs(1);

const BUTTONS: [(Button, &str); 5] = [
    (Button::Left, "left"),
    (Button::Right, "right"),
    (Button::Middle, "middle"),
    (Button::Back, "back"),
    (Button::Forward, "forward"),
];

/// Be the guard: until its input ends, and then let go.
pub(crate) fn run() -> ExitCode {
    #[cfg(unix)]
    if let Err(error) = outlast_signals() {
        tracing::warn!(%error, "the guard ends when it is told to");
    }
    let (lines, heard) = sync_channel(WAITING);
    std::thread::spawn(move || {
        for line in BufReader::new(std::io::stdin()).lines().map_while(Result::ok) {
            if lines.send(line).is_err() {
                return;
            }
        }
    });
    let mut held = Vec::new();
    let mut tries = 0;
    loop {
        let within = match tries {
            _ if held.is_empty() => None,
            0 => Some(limits::SILENCE_RELEASE),
            1..TRIES => Some(PAUSE),
            _ => None,
        };
        match next(&heard, within) {
            Heard::Line(line) => {
                tries = 0;
                if let Some((what, down)) = parse(&line) {
                    mark(&mut held, what, down);
                }
            }
            Heard::Nothing => {
                tries += 1;
                let_go(&mut held);
            }
            Heard::End => break,
        }
    }
    for _ in 0..TRIES {
        let_go(&mut held);
        if held.is_empty() {
            return ExitCode::SUCCESS;
        }
        std::thread::sleep(PAUSE);
    }
    ExitCode::FAILURE
}

/// Whoever stops everything of this name stops the agent too, and the guard
/// ends with that; it must not be gone before.
#[cfg(unix)]
fn outlast_signals() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let _within = runtime.enter();
    for kind in [SignalKind::terminate(), SignalKind::hangup(), SignalKind::interrupt()] {
        // Caught from now on, though nobody listens.
        drop(signal(kind)?);
    }
    Ok(())
}

enum Heard {
    Line(String),
    /// Not within the time.
    Nothing,
    End,
}

fn next(lines: &Receiver<String>, within: Option<Duration>) -> Heard {
    let heard = match within {
        Some(within) => lines.recv_timeout(within),
        None => lines.recv().map_err(RecvTimeoutError::from),
    };
    match heard {
        Ok(line) => Heard::Line(line),
        Err(RecvTimeoutError::Timeout) => Heard::Nothing,
        Err(RecvTimeoutError::Disconnected) => Heard::End,
    }
}

fn mark(held: &mut Vec<Release>, what: Release, down: bool) {
    held.retain(|other| *other != what);
    if down {
        held.push(what);
    }
}

fn let_go(held: &mut Vec<Release>) {
    if held.is_empty() {
        return;
    }
    match gc_desktop::open(Box::new(|| ())) {
        Ok(Desktop { mut input, .. }) => {
            release(held, |what| input.inject(&Injection::Release(what), &[]));
            if held.is_empty() {
                tracing::warn!("the agent said nothing more; what it held was let go");
            }
        }
        Err(error) => tracing::error!(%error, "the desktop cannot be reached; something may stay pressed"),
    }
}

/// Last pressed, first up. What does not come up stays held.
fn release(held: &mut Vec<Release>, mut inject: impl FnMut(Release) -> Result<(), DesktopError>) {
    held.reverse();
    held.retain(|what| {
        let injected = inject(*what);
        if let Err(error) = &injected {
            tracing::error!(%error, "something stays pressed");
        }
        injected.is_err()
    });
    held.reverse();
}

/// As it is said to the guard.
fn words(what: Release, down: bool) -> String {
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

    const RIGHT: Release = Release::Button(Button::Right);

    fn key(scan_code: u32) -> Release {
        Release::Key { scan_code, extended: scan_code == 29 }
    }

    #[test]
    fn what_is_noted_is_what_is_held() {
        let mut held = Vec::new();
        // The last is repeated.
        for event in [(key(42), true), (key(29), true), (RIGHT, true), (key(42), false), (key(29), true)] {
            assert_eq!(parse(&words(event.0, event.1)), Some(event));
            mark(&mut held, event.0, event.1);
        }
        assert_eq!(held, [RIGHT, key(29)]);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn what_does_not_come_up_is_tried_again() {
        let mut held = vec![key(42), RIGHT, key(29)];
        let mut tried = Vec::new();
        let mut refused = vec![key(42), key(29)];
        for left in [vec![key(42), key(29)], vec![]] {
            release(&mut held, |what| {
                tried.push(what);
                let at = refused.iter().position(|other| *other == what);
                at.map_or(Ok(()), |at| Err(DesktopError::Refused(format!("{:?}", refused.remove(at)))))
            });
            assert_eq!(held, left);
        }
        assert_eq!(tried, [key(29), RIGHT, key(42), key(29), key(42)]);
    }
}

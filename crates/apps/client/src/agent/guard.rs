//! What is held comes up even where this program is killed or frozen: a second
//! process of it knows what is held, and lets go when it hears nothing more.
//!
//! Whoever presses also says that all is well: where its display has hung for seconds,
//! the guard lets go as soon as the display takes that.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use gc_desktop::Desktop;
use gc_keys::{Button, Release};
use gc_protocol::limits;
use gc_session::agent::Injection;

#[cfg(unix)]
use unix::{Ear, Line};
#[cfg(windows)]
use windows::{Ear, Line};

/// The argument that makes a process of this program a guard.
pub(crate) const ARGUMENT: &str = "guard";
/// How often it hears that all is well, while something is held.
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

/// What a guard hears.
enum News {
    /// These lines; none where nothing was said for a while.
    Lines(Vec<String>),
    /// These, and there will be no more.
    End(Vec<String>),
}

/// The guard, as the thread that presses and lets go has it.
pub(super) struct Guard {
    child: Option<Child>,
    line: Option<Line>,
    held: Vec<Release>,
    said: Instant,
}

impl Guard {
    /// Start one. Without it everything works but this.
    pub(super) fn start() -> Self {
        let (mut child, mut line) = (None, None);
        match spawn() {
            Ok((started, to)) => (child, line) = (Some(started), Some(to)),
            Err(error) => tracing::warn!(%error, "nothing lets go of what is held if this program is killed"),
        }
        Self { child, line, held: Vec::new(), said: Instant::now() }
    }

    /// To be told before something goes down, and after it came up. Never waits.
    pub(super) fn note(&mut self, what: Release, down: bool) {
        note(&mut self.held, (what, down));
        self.say(&line(what, down));
    }

    /// Say that all is well, where that is due; how long until it is again. `None`
    /// while nothing is held.
    pub(super) fn tend(&mut self) -> Option<Duration> {
        if self.held.is_empty() || self.line.is_none() {
            return None;
        }
        if self.said.elapsed() >= BEAT {
            self.say("");
        }
        Some(BEAT.saturating_sub(self.said.elapsed()))
    }

    fn say(&mut self, words: &str) {
        self.said = Instant::now();
        if let Some(line) = &mut self.line
            && let Err(error) = line.say(words)
        {
            tracing::warn!(%error, "the guard takes nothing in; going on without it");
            self.line = None;
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Its end, when everything is up.
        self.line = None;
        let Some(child) = &mut self.child else { return };
        let begun = Instant::now();
        while begun.elapsed() < CLOSE_WITHIN {
            if !matches!(child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        // It hangs.
        let _: std::io::Result<()> = child.kill();
        let _: std::io::Result<_> = child.wait();
    }
}

fn spawn() -> std::io::Result<(Child, Line)> {
    let mut command = Command::new(std::env::current_exe()?);
    Line::prepare(&mut command);
    let mut child = command.arg(ARGUMENT).stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    let line = Line::to(&mut child)?;
    Ok((child, line))
}

/// Be the guard: until its input ends, and then let go.
pub(crate) fn run() -> ExitCode {
    let mut ear = match Ear::open() {
        Ok(ear) => ear,
        Err(error) => {
            tracing::error!(%error, "what is held cannot be heard");
            return ExitCode::FAILURE;
        }
    };
    let mut held = Vec::new();
    let mut heard = Instant::now();
    loop {
        let (lines, ended) = match ear.listen(!held.is_empty(), limits::SILENCE_RELEASE) {
            News::Lines(lines) => (lines, false),
            News::End(lines) => (lines, true),
        };
        if !lines.is_empty() {
            heard = Instant::now();
        }
        for change in lines.iter().filter_map(|line| parse(line)) {
            note(&mut held, change);
        }
        if ended || heard.elapsed() >= limits::SILENCE_RELEASE {
            let_go(&mut held);
            // Where that failed it is not tried again at once.
            heard = Instant::now();
        }
        if ended {
            return ExitCode::SUCCESS;
        }
    }
}

fn note(held: &mut Vec<Release>, (what, down): (Release, bool)) {
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
    match gc_desktop::open() {
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
            note(&mut held, (what, down));
        }
        // Repeated, and a sign of life.
        note(&mut held, (key(29), true));
        assert_eq!(parse(""), None);
        assert_eq!(held, [Release::Button(Button::Right), key(29)]);
    }
}

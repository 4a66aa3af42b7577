//! The agent's side: tells the guard what is held and that the agent lives, and
//! puts another in its place where it is gone or takes nothing in.

use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gc_keys::Release;

use super::line::Line;
use super::{ARGUMENT, mark, words};

/// How often the guard hears that all is well, while something is held.
const BEAT: Duration = Duration::from_secs(1);
/// Guards that one session may use up: whoever kills more of them wants none.
const STARTS: u32 = 16;
/// How long a guard has for its end where nothing is held any more.
const CLOSE_WITHIN: Duration = Duration::from_millis(500);
/// The same where this program could not let everything go.
const TRY_WITHIN: Duration = Duration::from_secs(5);

/// Those whose guards may still run.
static KEEPERS: Mutex<Vec<Arc<Keeper>>> = Mutex::new(Vec::new());

/// The line to the guard.
pub(crate) struct Guard(Arc<Keeper>);

impl Guard {
    /// Start one. Without it everything works but this.
    pub(crate) fn start() -> Self {
        let keeper = Arc::new(Keeper { state: Mutex::new(State::default()), changed: Condvar::new() });
        keepers().push(keeper.clone());
        let kept = keeper.clone();
        let started = std::thread::Builder::new().name("guard".into()).spawn(move || {
            kept.keep();
            kept.is_over();
        });
        if let Err(error) = started {
            tracing::warn!(%error, "nothing lets go of what is held if this program is killed");
            keeper.is_over();
        }
        Self(keeper)
    }

    /// To be told before something goes down, and after it came up. Never waits.
    pub(crate) fn note(&self, what: Release, down: bool) {
        let mut state = self.0.lock();
        let idle = state.held.is_empty();
        mark(&mut state.held, what, down);
        let lost = state.lost;
        state.say(&words(what, down));
        // From now on there are beats, or there has to be another guard.
        if idle || state.lost != lost {
            self.0.changed.notify_all();
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// End all guards, also of sessions that are stuck: after letting go of what
/// is held, or without, so that nothing runs of a program that is to be removed.
pub(crate) fn end_all() {
    let all = keepers().clone();
    all.iter().for_each(|keeper| keeper.close());
}

fn keepers() -> MutexGuard<'static, Vec<Arc<Keeper>>> {
    KEEPERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Shared with the thread that keeps a guard running.
struct Keeper {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// First pressed, first here.
    held: Vec<Release>,
    line: Option<Line>,
    /// The line leads to nobody: another guard is needed.
    lost: bool,
    closed: bool,
    /// The thread has ended, and the guard before it.
    over: bool,
}

impl State {
    fn say(&mut self, words: &str) {
        let Some(line) = self.line.as_mut().filter(|_| !self.lost) else { return };
        if let Err(error) = line.write(words) {
            tracing::warn!(%error, "the guard is gone, or takes nothing in");
            // The line stays as it is: its end would tell the guard to let go.
            self.lost = true;
        }
    }

    /// A line on which everything was told already.
    fn open(&mut self) -> std::io::Result<Stdio> {
        let (line, input) = Line::open()?;
        (self.line, self.lost) = (Some(line), false);
        for what in self.held.clone() {
            self.say(&words(what, true));
        }
        Ok(input)
    }
}

impl Keeper {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// End the guard, and wait until it has ended, but not for long.
    fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        self.changed.notify_all();
        let within = CLOSE_WITHIN + if state.held.is_empty() { CLOSE_WITHIN } else { TRY_WITHIN };
        // Whoever still runs then is not waited for.
        drop(self.changed.wait_timeout_while(state, within, |state| !state.over));
    }

    /// Keep a guard running until nobody needs one. The lock is not held while
    /// a process starts or ends: input waits for nothing.
    fn keep(&self) {
        let mut guard = None;
        let mut left = STARTS;
        let mut state = self.lock();
        while !state.closed {
            if state.line.is_none() || state.lost {
                // First it goes, then its line: it must not let go of what is in use.
                drop(state);
                if let Some(guard) = guard.take() {
                    kill(guard);
                }
                state = self.lock();
                if left == 0 {
                    tracing::error!("no guard stays; nothing lets go of what is held if this program is killed");
                    break;
                }
                left -= 1;
                let input = state.open();
                drop(state);
                match input.and_then(spawn) {
                    Ok(child) => guard = Some(child),
                    // The line has no other end, which the next word shows.
                    Err(error) => tracing::warn!(%error, "no guard can be started"),
                }
                state = self.lock();
            } else if !state.held.is_empty() {
                state.say("");
            }
            state = self.rest(state);
        }
        state.line = None;
        let all_up = state.held.is_empty();
        drop(state);
        if let Some(guard) = guard {
            end(guard, all_up);
        }
    }

    fn is_over(self: &Arc<Self>) {
        keepers().retain(|other| !Arc::ptr_eq(other, self));
        self.lock().over = true;
        self.changed.notify_all();
    }

    /// Until something changes, or for a beat where beats are needed.
    fn rest<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        if state.closed {
            return state;
        }
        if state.held.is_empty() && !state.lost {
            return self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        self.changed.wait_timeout(state, BEAT).unwrap_or_else(PoisonError::into_inner).0
    }
}

/// The process: of its own group, so that what is sent to the agent's terminal
/// does not reach it.
fn spawn(input: Stdio) -> std::io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.arg(ARGUMENT).stdin(input).stdout(Stdio::null()).spawn()
}

/// Wait for the end of a guard whose line has ended.
fn end(mut guard: Child, all_up: bool) {
    let within = if all_up { CLOSE_WITHIN } else { TRY_WITHIN };
    let begun = Instant::now();
    while begun.elapsed() < within {
        if !matches!(guard.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    // One that still has something to let go is left to it, except where what
    // runs cannot be removed.
    if all_up || cfg!(windows) {
        kill(guard);
    }
}

fn kill(mut guard: Child) {
    // Errors: it has ended.
    let _: std::io::Result<()> = guard.kill();
    let _: std::io::Result<_> = guard.wait();
}

//! The dialogs: consent, notice, code.

use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::form::{Act, Flow, Form, run, seconds_left};
use crate::{Answer, DesktopError, Notice, NoticeEvent, Presence, Prompt, Question, Withdraw};

pub(super) struct X11Prompt;

const DENY: usize = 1;

impl Prompt for X11Prompt {
    fn ask(&self, question: &Question, withdraw: &Withdraw) -> Answer {
        let deadline = Instant::now() + question.timeout;
        let countdown = |left: u64| format!("This question closes by itself in {left} seconds.");
        let mut texts = question.explanations();
        texts.push(countdown(seconds_left(deadline)));
        let form = Form {
            title: "GuruConnect: allow remote support?".into(),
            heading: question.sentence(),
            texts,
            buttons: vec!["Allow", "Deny"],
            focus: DENY,
            width: 480,
            ..Form::default()
        };
        let mut shown = seconds_left(deadline);
        let answer = run(form, Some(Duration::from_millis(200)), None, |form, act| {
            let left = seconds_left(deadline);
            match act {
                Some(Act::Button(0)) => return Flow::Done(Answer::Allowed),
                Some(Act::Button(_) | Act::Enter) => return Flow::Done(Answer::Denied),
                Some(Act::Close) => return Flow::Done(Answer::Closed),
                None if withdraw.is_withdrawn() => return Flow::Done(Answer::Closed),
                None if left == 0 => return Flow::Done(Answer::TimedOut),
                None => {}
            }
            if left == shown {
                return Flow::Wait;
            }
            shown = left;
            if let Some(text) = form.texts.last_mut() {
                *text = countdown(left);
            }
            Flow::Draw
        });
        answer.unwrap_or(Answer::NoPrompt)
    }

    fn notice(
        &self,
        presence: Presence,
        heard: Box<dyn Fn(NoticeEvent) + Send>,
    ) -> Result<Box<dyn Notice>, DesktopError> {
        let refused = |error: std::io::Error| DesktopError::Refused(error.to_string());
        let (wake, woken) = UnixStream::pair().map_err(refused)?;
        wake.set_nonblocking(true).map_err(refused)?;
        woken.set_nonblocking(true).map_err(refused)?;
        let state = Arc::new(Mutex::new(State { presence, gone: false }));
        let shown = state.clone();
        std::thread::Builder::new()
            .name("notice".into())
            .spawn(move || {
                let mut guard = Guard(&heard, false);
                match show(&shown, woken, &heard) {
                    Ok(()) => guard.1 = true,
                    Err(error) => tracing::error!(%error, "the notice cannot be shown"),
                }
            })
            .map_err(refused)?;
        Ok(Box::new(X11Notice { state, wake }))
    }

    fn ask_code(&self, problem: Option<&str>) -> Result<Option<String>, DesktopError> {
        let mut texts = vec!["Your technician reads it to you: three groups of three letters and digits.".into()];
        texts.extend(problem.map(str::to_owned));
        let form = Form {
            title: "GuruConnect".into(),
            heading: "Enter your support code".into(),
            texts,
            field: Some(String::new()),
            buttons: vec!["Connect", "Cancel"],
            focus: 2,
            width: 420,
            corner: false,
        };
        run(form, None, None, |form, act| match act {
            Some(Act::Enter | Act::Button(0)) => {
                let code = form.field.clone().unwrap_or_default();
                if code.trim().is_empty() { Flow::Wait } else { Flow::Done(Some(code)) }
            }
            Some(Act::Button(_) | Act::Close) => Flow::Done(None),
            None => Flow::Wait,
        })
    }

    fn busy(&self, text: &str) -> Box<dyn Send> {
        let title = "GuruConnect: connecting".into();
        let form = Form { title, heading: text.into(), width: 360, ..Form::default() };
        let pair = UnixStream::pair();
        let Ok((ours, theirs)) = pair else { return Box::new(()) };
        let spawned = std::thread::Builder::new().name("busy".into()).spawn(move || {
            let gone = theirs.try_clone();
            let Ok(gone) = gone else { return };
            // Whoever waits has dropped the other end when there is nothing more
            // to wait for.
            let shown: Result<(), DesktopError> =
                run(form, None, Some(theirs), |_, _| if is_closed(&gone) { Flow::Done(()) } else { Flow::Wait });
            if let Err(error) = shown {
                tracing::warn!(%error, "the person cannot be shown that something takes a while");
            }
        });
        if let Err(error) = spawned {
            tracing::warn!(%error, "the person cannot be shown that something takes a while");
        }
        Box::new(ours)
    }

    fn tell(&self, title: &str, text: &str) {
        let form = Form {
            title: "GuruConnect".into(),
            heading: title.into(),
            texts: vec![text.into()],
            buttons: vec!["Close"],
            width: 420,
            ..Form::default()
        };
        let told: Result<(), DesktopError> = run(form, None, None, |_, act| match act {
            Some(_) => Flow::Done(()),
            None => Flow::Wait,
        });
        if let Err(error) = told {
            tracing::error!(%error, title, text, "the person could not be told");
        }
    }
}

/// Whether the other end of a pair is gone.
fn is_closed(stream: &UnixStream) -> bool {
    let mut entry = libc::pollfd { fd: stream.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one entry that lives through the call.
    unsafe { libc::poll(&raw mut entry, 1, 0) > 0 }
}

/// Somebody who is watched must see it: whatever way the notice goes that
/// nobody asked for, the session ends.
struct Guard<'a>(&'a dyn Fn(NoticeEvent), bool);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if !self.1 {
            tracing::error!("the notice is gone: the session ends");
            (self.0)(NoticeEvent::End);
        }
    }
}

struct State {
    presence: Presence,
    gone: bool,
}

struct X11Notice {
    state: Arc<Mutex<State>>,
    wake: UnixStream,
}

impl X11Notice {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        // A full pipe wakes as well as another byte would.
        let _: Result<usize, _> = (&self.wake).write(&[1]);
    }
}

impl Notice for X11Notice {
    fn show(&self, presence: Presence) {
        self.change(|state| state.presence = presence);
    }
}

impl Drop for X11Notice {
    fn drop(&mut self) {
        self.change(|state| state.gone = true);
    }
}

/// The notice: small, in a corner, above everything; it cannot be closed but
/// by ending the session.
fn show(state: &Mutex<State>, woken: UnixStream, heard: &dyn Fn(NoticeEvent)) -> Result<(), DesktopError> {
    let look = || {
        let state = state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.presence.clone(), state.gone)
    };
    let (presence, _) = look();
    let form = Form {
        title: "GuruConnect: remote support".into(),
        heading: presence.sentence.clone(),
        texts: presence.lines.clone(),
        field: Some(String::new()),
        buttons: vec!["Send", "End session"],
        focus: 2,
        width: 340,
        corner: true,
    };
    let mut shown = presence;
    run(form, None, Some(woken), |form, act| {
        match act {
            Some(Act::Button(1)) => {
                heard(NoticeEvent::End);
                return Flow::Wait;
            }
            Some(Act::Enter | Act::Button(_)) => {
                let text = form.field.replace(String::new()).unwrap_or_default();
                if !text.trim().is_empty() {
                    heard(NoticeEvent::Say(text));
                }
                return Flow::Draw;
            }
            Some(Act::Close) => return Flow::Wait,
            None => {}
        }
        let (presence, gone) = look();
        if gone {
            return Flow::Done(());
        }
        if presence == shown {
            return Flow::Wait;
        }
        form.heading.clone_from(&presence.sentence);
        form.texts.clone_from(&presence.lines);
        shown = presence;
        Flow::Draw
    })
}

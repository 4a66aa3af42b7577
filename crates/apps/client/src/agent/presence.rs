//! The person: what they are asked, what they see, what they say.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use gc_access::Access;
use gc_desktop::{Answer, Notice, NoticeEvent, Prompt, Question, Withdraw};
use gc_protocol::header::RELAY;
use gc_protocol::limits;
use gc_protocol::messages::{Chat, ConsentReason, ConsentRequest, ConsentResponse};
use gc_session::from_mode;

use super::exchange::{News, Reporter};
use super::link::Link;
use super::roll::Roll;

/// Lines of conversation that the notice keeps.
const LINES: usize = 6;

/// Everything that the person is shown.
#[derive(Clone)]
pub(super) struct Presence(Arc<Inner>);

struct Inner {
    prompt: Arc<dyn Prompt>,
    link: Link,
    roll: Roll,
    reporter: Reporter,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    asking: Option<Withdraw>,
    organization: String,
    /// What the organisation says in the notice, beside who is there.
    motto: String,
    notice: Option<Box<dyn Notice>>,
    lines: VecDeque<String>,
    over: bool,
}

impl Presence {
    pub(super) fn new(prompt: Arc<dyn Prompt>, link: Link, roll: Roll, reporter: Reporter) -> Self {
        Self(Arc::new(Inner { prompt, link, roll, reporter, state: Mutex::default() }))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the organisation says in the notice from now on.
    pub(super) fn say(&self, motto: String) {
        self.state().motto = motto;
    }

    /// Ask the person. The answer is remembered here before it is sent.
    pub(super) fn ask(&self, request: ConsentRequest) {
        let access = from_mode(request.access).filter(|_| request.session_id == self.0.reporter.session());
        let Some(access) = access else {
            self.answer(&request, Answer::NoPrompt);
            return;
        };
        let withdraw = Withdraw::default();
        {
            let mut state = self.state();
            if let Some(before) = state.asking.replace(withdraw.clone()) {
                before.now();
            }
            state.organization = limits::displayable(&request.organization, limits::NAME);
        }
        let question = Question {
            technician: limits::displayable(&request.technician_name, limits::NAME),
            organization: limits::displayable(&request.organization, limits::NAME),
            control: access == Access::Control,
            message: limits::displayable(&request.message, limits::MESSAGE),
            timeout: limits::CONSENT.min(std::time::Duration::from_secs(request.timeout_seconds.into())),
        };
        let presence = self.clone();
        let failed = request.clone();
        let spawned = std::thread::Builder::new().name("consent".into()).spawn(move || {
            let answer = presence.0.prompt.ask(&question, &withdraw);
            // A question that was taken back has no answer, whatever was
            // clicked in its last moment.
            if withdraw.is_withdrawn() {
                return;
            }
            if answer == Answer::Allowed {
                let accepted = presence.0.roll.lock().accept(access);
                // The connection remembers it before the relay hears of it.
                presence.0.reporter.say(News::Accepted(Some(accepted)));
                presence.refresh();
            }
            presence.answer(&request, answer);
        });
        if spawned.is_err() {
            self.answer(&failed, Answer::NoPrompt);
        }
    }

    fn answer(&self, request: &ConsentRequest, answer: Answer) {
        let reason = match answer {
            Answer::Allowed | Answer::Denied => ConsentReason::Answered,
            Answer::Closed => ConsentReason::Closed,
            Answer::TimedOut => ConsentReason::TimedOut,
            Answer::NoPrompt => ConsentReason::NoPrompt,
        };
        let response = ConsentResponse {
            request_id: request.request_id.clone(),
            session_id: request.session_id.clone(),
            granted: answer == Answer::Allowed,
            reason: reason.into(),
        };
        self.0.link.send(RELAY, response);
    }

    /// The relay remembers less, or nothing: so much holds from now on.
    pub(super) fn lower(&self, remembered: Option<Access>) {
        let accepted = self.0.roll.lock().lower(remembered);
        self.0.reporter.say(News::Accepted(accepted));
    }

    /// The session is over: its windows go.
    pub(super) fn close(&self) {
        let notice = {
            let mut state = self.state();
            if let Some(asking) = state.asking.take() {
                asking.now();
            }
            state.over = true;
            state.notice.take()
        };
        drop(notice);
    }

    /// The line is lost: a question is taken back, and nobody watches.
    pub(super) fn disconnected(&self) {
        if let Some(asking) = self.state().asking.take() {
            asking.now();
        }
        self.refresh();
    }

    /// A technician says something.
    pub(super) fn heard(&self, chat: &Chat) {
        let from = limits::displayable(&chat.from, limits::NAME);
        let text = limits::displayable(&chat.text, limits::CHAT_LINE);
        self.add_line(format!("{from}: {text}"));
        self.refresh();
    }

    fn add_line(&self, line: String) {
        let mut state = self.state();
        state.lines.push_back(line);
        while state.lines.len() > LINES {
            state.lines.pop_front();
        }
    }

    /// Show who is here now. Nothing is shown before the person accepted.
    pub(super) fn refresh(&self) {
        let (watching, controlling, accepted) = {
            let session = self.0.roll.lock();
            let names = |wanted: Access| {
                let all = session.viewers().values().filter(move |viewer| viewer.access == wanted);
                all.map(|viewer| viewer.name.clone()).collect::<Vec<_>>()
            };
            (names(Access::ViewOnly), names(Access::Control), session.accepted().is_some())
        };
        if !accepted {
            return;
        }
        let mut state = self.state();
        if state.over {
            return;
        }
        let presence = gc_desktop::Presence {
            sentence: sentence(&controlling, &watching, &state.organization),
            lines: Some(&state.motto)
                .filter(|motto| !motto.is_empty())
                .into_iter()
                .chain(&state.lines)
                .cloned()
                .collect(),
        };
        if let Some(notice) = &state.notice {
            notice.show(presence);
            return;
        }
        let heard = self.clone();
        match self.0.prompt.notice(presence, Box::new(move |event| heard.notice_event(event))) {
            Ok(notice) => state.notice = Some(notice),
            Err(error) => {
                // Nobody watches a person who cannot see it.
                tracing::error!(%error, "the notice cannot be shown: the session ends");
                drop(state);
                self.notice_event(NoticeEvent::End);
            }
        }
    }

    fn notice_event(&self, event: NoticeEvent) {
        match event {
            NoticeEvent::End => {
                // From this moment nobody sees or touches anything, whatever
                // the line is doing.
                self.0.reporter.say(News::EndedByPerson);
                self.0.link.close();
            }
            NoticeEvent::Say(text) => {
                let text = limits::displayable(text.trim(), limits::CHAT_LINE);
                self.0.link.send(RELAY, Chat { text: text.clone(), ..Default::default() });
                self.add_line(format!("You: {text}"));
                self.refresh();
            }
        }
    }
}

/// Who is doing what, in a sentence.
fn sentence(controlling: &[String], watching: &[String], organization: &str) -> String {
    let list = |names: &[String]| match names {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    };
    let from = if organization.is_empty() { String::new() } else { format!(" from {organization}") };
    let verb = |names: &[String]| if names.len() == 1 { "is" } else { "are" };
    match (controlling, watching) {
        ([], []) => "Remote support is connected. Nobody is watching just now.".into(),
        ([], watching) => format!("{}{from} {} seeing this computer", list(watching), verb(watching)),
        (controlling, []) => format!("{}{from} {} controlling this computer", list(controlling), verb(controlling)),
        (controlling, watching) => format!(
            "{}{from} {} controlling this computer; {} {} watching",
            list(controlling),
            verb(controlling),
            list(watching),
            verb(watching)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::sentence;

    #[test]
    fn sentences() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        for (controlling, watching, organization, expected) in [
            (&["Ada"][..], &[][..], "Acme IT", "Ada from Acme IT is controlling this computer"),
            (&[], &["Ada", "Bob"], "", "Ada and Bob are seeing this computer"),
            (&["Ada"], &["Bob"], "Acme", "Ada from Acme is controlling this computer; Bob is watching"),
            (&[], &[], "Acme", "Remote support is connected. Nobody is watching just now."),
        ] {
            assert_eq!(sentence(&names(controlling), &names(watching), organization), expected);
        }
    }
}

//! The sessions that one connection carries, by slot.

use std::sync::Arc;
use std::time::Instant;

use gc_access::{Access, ResumeSecret};
use gc_desktop::Prompt;
use gc_protocol::header::CONNECTION_SLOT;
use gc_protocol::messages::{AgentHello, AgentWelcome, ProtocolVersions, RememberedConsent, SessionKind};
use gc_protocol::{AgentHeader, RawEnvelope, limits};
use gc_session::{from_mode, to_mode};
use tokio::sync::mpsc;

use super::exchange::{Bulletin, News, Order};
use super::link;
use super::seat::Seat;

/// News under this name are of the whole program.
pub(super) const PROGRAM: &str = "";

/// Most sessions of one connection: each has threads and a view of the desktop,
/// and the relay is not trusted with their number.
const MOST: usize = 8;

/// How a session ended that is not the line's doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    /// The person ended it.
    ByPerson,
    /// The relay did, in these words.
    ByRelay(String),
}

impl Ended {
    /// What the person is told.
    pub(super) fn outcome(self) -> Result<Option<String>, String> {
        match self {
            Self::ByPerson => Ok(None),
            Self::ByRelay(words) => Ok(Some(words)),
        }
    }
}

/// Why a session is not taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotBegun {
    /// The relay sends no way back to it.
    NoSecret,
    /// This program knows no such kind of session.
    Kind,
    /// It is not the session that we want back to.
    Another,
    /// The slot is none, or another session's, or there are too many.
    Slot,
    /// The system refuses, in these words.
    System(String),
}

struct Session {
    id: String,
    slot: u32,
    secret: ResumeSecret,
    seat: Seat,
    accepted: Option<Access>,
    watched: bool,
}

/// All sessions. The first is the one whose secret opens the line again.
pub(super) struct Sessions {
    prompt: Arc<dyn Prompt>,
    reporter: mpsc::Sender<Bulletin>,
    all: Vec<Session>,
    ended: Option<Ended>,
    line_held: Option<Instant>,
}

impl Sessions {
    pub(super) fn new(prompt: Arc<dyn Prompt>, reporter: mpsc::Sender<Bulletin>) -> Self {
        Self { prompt, reporter, all: Vec::new(), ended: None, line_held: None }
    }

    /// Whether a session has ever begun.
    pub(super) fn any_began(&self) -> bool {
        !self.all.is_empty()
    }

    /// How the first session ended, if it has.
    pub(super) fn ended(&self) -> Option<&Ended> {
        self.ended.as_ref()
    }

    /// The secret that opens the line again.
    pub(super) fn way_back(&self) -> Option<ResumeSecret> {
        self.all.first().map(|session| session.secret.clone())
    }

    /// When the line was last seen to hold.
    pub(super) fn line_held_since(&self) -> Option<Instant> {
        self.line_held
    }

    /// Whether anybody watches any of them.
    pub(super) fn is_watched(&self) -> bool {
        self.all.iter().any(|session| session.watched)
    }

    /// What this program says of itself.
    pub(super) fn hello(&self) -> AgentHello {
        let (hostname, operating_system) = gc_desktop::machine();
        let remembered = self.all.iter().filter_map(|session| {
            let access = to_mode(session.accepted?).into();
            Some(RememberedConsent { session_id: session.id.clone(), access })
        });
        AgentHello {
            versions: Some(ProtocolVersions { lowest: limits::VERSIONS.0, highest: limits::VERSIONS.1 }),
            software_version: env!("CARGO_PKG_VERSION").into(),
            capabilities: Vec::new(),
            hostname,
            operating_system,
            remembered: remembered.collect(),
        }
    }

    /// A welcome opens a slot: for a new session, or for one that is back.
    /// What the worker sends comes out of the answer.
    pub(super) fn welcome(&mut self, welcome: &AgentWelcome) -> Result<mpsc::Receiver<bytes::Bytes>, NotBegun> {
        if !matches!(welcome.kind(), SessionKind::Unspecified | SessionKind::Screen) {
            return Err(NotBegun::Kind);
        }
        let known = self.all.iter().position(|session| session.id == welcome.session_id);
        let taken = self.all.iter().any(|other| other.slot == welcome.slot && other.id != welcome.session_id);
        if welcome.slot == CONNECTION_SLOT || taken || (known.is_none() && self.all.len() >= MOST) {
            return Err(NotBegun::Slot);
        }
        let returning = known.is_some();
        let session = match known.and_then(|at| self.all.get_mut(at)) {
            Some(session) => session,
            None if self.line_held.is_some() && welcome.resume_secret.is_empty() => return Err(NotBegun::Another),
            None => {
                let secret = ResumeSecret::parse(&welcome.resume_secret).ok_or(NotBegun::NoSecret)?;
                let seat = Seat::start(&welcome.session_id, self.prompt.clone(), self.reporter.clone());
                let seat = seat.map_err(NotBegun::System)?;
                let id = welcome.session_id.clone();
                self.all.push(Session { id, slot: 0, secret, seat, accepted: None, watched: false });
                self.all.last_mut().ok_or(NotBegun::NoSecret)?
            }
        };
        session.slot = welcome.slot;
        let (messages, outgoing) = mpsc::channel(link::WAITING);
        let accepted = from_mode(welcome.accepted);
        let motto = limits::displayable(&welcome.notice, limits::MESSAGE);
        if !session.seat.order(Order::Line { slot: welcome.slot, messages, returning, accepted, motto }) {
            return Err(NotBegun::System("the desktop is stuck".into()));
        }
        self.line_held = Some(Instant::now());
        Ok(outgoing)
    }

    /// Something was heard on the line.
    pub(super) fn heard(&mut self) {
        self.line_held = Some(Instant::now());
    }

    /// A message for one of them. `false` when its desktop takes nothing in.
    pub(super) fn message(&self, header: AgentHeader, raw: RawEnvelope) -> bool {
        match self.all.iter().find(|session| session.slot == header.slot) {
            Some(session) => session.seat.order(Order::Message(header, raw)),
            None => {
                tracing::warn!(slot = header.slot, "a message for no session");
                true
            }
        }
    }

    /// Nothing was heard for some seconds.
    pub(super) fn silent(&self) {
        self.order_all(|| Order::Silent);
    }

    /// The line is gone.
    pub(super) fn lost(&self) {
        self.order_all(|| Order::Lost);
    }

    fn order_all(&self, order: impl Fn() -> Order) {
        for session in &self.all {
            if !session.seat.order(order()) {
                tracing::error!("the desktop takes no orders");
            }
        }
    }

    /// The slot of the session whose end ends the program.
    pub(super) fn first_slot(&self) -> Option<u32> {
        self.all.first().map(|session| session.slot)
    }

    /// Take a worker's news in; the end of the first session comes out.
    pub(super) fn note(&mut self, id: &str, news: News) -> Option<Ended> {
        if id == PROGRAM {
            self.ended = Some(Ended::ByPerson);
            return self.ended.clone();
        }
        let at = self.all.iter().position(|session| session.id == id)?;
        let session = self.all.get_mut(at)?;
        let ended = match news {
            News::Accepted(accepted) => {
                session.accepted = accepted;
                return None;
            }
            News::Watched(watched) => {
                session.watched = watched;
                return None;
            }
            News::EndedByPerson => Ended::ByPerson,
            News::Ended(words) => Ended::ByRelay(words),
        };
        if at > 0 {
            // The others go on; this one's windows go, which nobody waits for.
            let seat = self.all.remove(at).seat;
            tokio::task::spawn_blocking(move || seat.close());
            return None;
        }
        self.ended = Some(ended.clone());
        Some(ended)
    }

    /// Wait for the end of the first session. Safe to give up at any time.
    pub(super) async fn next_end(&mut self, news: &mut mpsc::Receiver<Bulletin>) -> Ended {
        if let Some(ended) = &self.ended {
            return ended.clone();
        }
        loop {
            // A sender lives in this very struct: there is always a next one.
            let Some((id, told)) = news.recv().await else { return Ended::ByPerson };
            if let Some(ended) = self.note(&id, told) {
                return ended;
            }
        }
    }

    /// Put everything away.
    pub(super) fn close(self) {
        for session in self.all {
            session.seat.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_does_not_choose_any_slot_or_kind() {
        let (reporter, _news) = super::super::exchange::newsroom();
        let mut sessions = Sessions::new(Arc::from(gc_desktop::prompt()), reporter);
        let bits = [7; 32];
        let secret = ResumeSecret::generate(&bits).secret().expose().to_owned();
        for (slot, kind, secret, expected) in [
            (CONNECTION_SLOT, SessionKind::Screen, secret.as_str(), NotBegun::Slot),
            (1, SessionKind::Terminal, secret.as_str(), NotBegun::Kind),
            (1, SessionKind::Screen, "", NotBegun::NoSecret),
        ] {
            let welcome = AgentWelcome {
                session_id: "one".into(),
                slot,
                kind: kind.into(),
                resume_secret: secret.into(),
                ..Default::default()
            };
            assert_eq!(sessions.welcome(&welcome).err(), Some(expected), "{welcome:?}");
        }
        assert!(!sessions.any_began());
    }
}

//! The relay's side of a session: phases, consent, who is there, who controls.
//!
//! `Waiting` (code made) → `Pending` (asking) → `Live` → `Suspended` (agent
//! away) → `Ended`. A verdict of the person takes effect only after the shell
//! has stored it: [`RelaySession::answer`] gives it out, and
//! [`RelaySession::verdict_stored`] carries it out.

use std::collections::BTreeMap;
use std::time::Duration;

use gc_access::Access;
use gc_protocol::Ending;
use gc_protocol::limits;
use gc_protocol::messages::{
    AdminCommand, AdminCommandKind, Body, ConsentReason, ConsentRequest, ControlState, SessionNotice, SessionPhase,
    ViewerJoined, ViewerLeft,
};

use crate::to_mode;

/// A viewer's number in its session, from 1.
pub type ViewerId = u32;

/// How long a person who said no is left in peace.
pub const PEACE: Duration = Duration::from_secs(30);

/// Most viewers of one session.
pub const MOST_VIEWERS: usize = 16;

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The code waits for its agent.
    Waiting,
    /// The person is being asked for the first time.
    Pending,
    /// Accepted, agent there.
    Live,
    /// Agent away since then.
    Suspended {
        /// When it went.
        since: Duration,
    },
    /// Over.
    Ended(EndReason),
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EndReason {
    /// The person said no, closed the question, or could not be asked.
    Denied,
    /// The person did not answer in time.
    TimedOut,
    /// The code was never used.
    Expired,
    /// The technician took the code back.
    Cancelled,
    /// The person ended it.
    ClosedByPerson,
    /// The technician ended it.
    ClosedByTechnician,
    /// The agent went and did not come back.
    AgentLost,
    /// An administrator removed it.
    Removed,
    /// It lasted, or was without viewers, for as long as the server allows.
    TimeUp,
}

impl EndReason {
    /// Every reason.
    pub const ALL: [Self; 9] = [
        Self::Denied,
        Self::TimedOut,
        Self::Expired,
        Self::Cancelled,
        Self::ClosedByPerson,
        Self::ClosedByTechnician,
        Self::AgentLost,
        Self::Removed,
        Self::TimeUp,
    ];

    /// The name in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::TimedOut => "timed_out",
            Self::Expired | Self::TimeUp => "expired",
            Self::Cancelled => "cancelled",
            Self::ClosedByPerson => "closed_by_person",
            Self::ClosedByTechnician => "closed_by_technician",
            Self::AgentLost => "agent_lost",
            Self::Removed => "removed",
        }
    }

    /// A sentence for people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Denied => "The person declined, or could not be asked.",
            Self::TimedOut => "The person did not answer in time.",
            Self::Expired => "The code expired before it was used.",
            Self::Cancelled => "The code was cancelled.",
            Self::ClosedByPerson => "The person ended the session.",
            Self::ClosedByTechnician => "The technician ended the session.",
            Self::AgentLost => "The computer went away and did not come back.",
            Self::Removed => "An administrator removed the session.",
            Self::TimeUp => "The session reached the time limit that is set on this server.",
        }
    }

    const fn ending(self) -> Ending {
        match self {
            Self::Denied | Self::TimedOut => Ending::NotPermitted,
            _ => Ending::SessionEnded,
        }
    }
}

/// What the shell has to do, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Send to the agent, as the relay.
    Agent(Body),
    /// Send to one viewer.
    Viewer(ViewerId, Body),
    /// Send to every viewer.
    Viewers(Body),
    /// End one viewer's connection.
    CloseViewer(ViewerId, Ending, &'static str),
    /// End one viewer's connection, whose token no longer holds: it may come
    /// back with a new one.
    RenewViewer(ViewerId, Ending, &'static str),
    /// Everybody goes; the session is over for this reason.
    End(EndReason, Ending),
    /// Record that the person is being asked.
    ConsentRequested(Access),
}

/// What the person decided, to be stored before it takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether they said yes.
    pub granted: bool,
    /// To what.
    pub access: Access,
    /// Why not, or that they answered.
    pub reason: ConsentReason,
    /// Whether it is the session's first question: a no then ends it.
    pub first: bool,
}

/// Why a question cannot be put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskRefusal {
    /// The session is not live.
    NotLive,
    /// A question is open already.
    Asking,
    /// It was accepted before.
    AlreadyAccepted,
    /// The person has just said no: not before this much time has passed.
    JustRefused(Duration),
}

/// Why somebody cannot look in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinRefusal {
    /// Nobody has accepted yet.
    ConsentPending,
    /// It is over.
    Ended(EndReason),
    /// Too many are there.
    Full,
}

#[derive(Debug, Clone)]
struct Question {
    id: String,
    access: Access,
    deadline: Duration,
    first: bool,
    answered: bool,
}

/// Somebody who looks on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewer {
    /// Shown to everybody in the session.
    pub name: String,
    /// From the signed claims, already the lesser of permission and consent.
    pub access: Access,
}

/// One session, as the relay sees it.
#[derive(Debug, Clone)]
pub struct RelaySession {
    id: String,
    technician: String,
    organization: String,
    message: String,
    requested: Access,
    accepted: Option<Access>,
    phase: Phase,
    question: Option<Question>,
    questions: u32,
    peace_until: Duration,
    viewers: BTreeMap<ViewerId, Viewer>,
    controller: Option<ViewerId>,
    next_viewer: ViewerId,
}

impl RelaySession {
    /// A session whose code waits.
    #[must_use]
    pub fn new(id: String, technician: String, organization: String, requested: Access) -> Self {
        Self {
            id,
            technician,
            organization,
            message: String::new(),
            requested,
            accepted: None,
            phase: Phase::Waiting,
            question: None,
            questions: 0,
            peace_until: Duration::ZERO,
            viewers: BTreeMap::new(),
            controller: None,
            next_viewer: 1,
        }
    }

    /// What the organisation adds to the question, with `{{technician_name}}`
    /// and `{{company}}` for what they say.
    #[must_use]
    pub fn saying(self, message: String) -> Self {
        Self { message, ..self }
    }

    /// A session as it was stored: its agent is away.
    #[must_use]
    pub fn restored(mut self, accepted: Option<Access>, now: Duration) -> Self {
        self.accepted = accepted;
        self.phase = Phase::Suspended { since: now };
        self
    }

    /// Where it stands.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// What the person accepted.
    #[must_use]
    pub fn accepted(&self) -> Option<Access> {
        self.accepted
    }

    /// What is asked for first.
    #[must_use]
    pub fn requested(&self) -> Access {
        self.requested
    }

    /// Who is there.
    #[must_use]
    pub fn viewers(&self) -> &BTreeMap<ViewerId, Viewer> {
        &self.viewers
    }

    /// Who controls.
    #[must_use]
    pub fn controller(&self) -> Option<ViewerId> {
        self.controller
    }

    /// The agent is there: for the first time, or back with its secret and
    /// what it remembers of the person's answer.
    pub fn agent_arrived(&mut self, remembered: Option<Access>, now: Duration) -> Vec<Action> {
        match self.phase {
            Phase::Ended(_) | Phase::Pending | Phase::Live => Vec::new(),
            Phase::Waiting => {
                let technician = self.technician.clone();
                self.ask(self.requested, true, technician, now)
            }
            Phase::Suspended { .. } => {
                // The lesser of what both sides remember holds.
                self.accepted = match (self.accepted, remembered) {
                    (Some(ours), Some(theirs)) => Some(ours.min(theirs)),
                    _ => None,
                };
                if self.accepted.is_none() {
                    // Nobody stays who was there by an answer that no longer holds.
                    let text = "The person is being asked anew.";
                    let close = |id: &ViewerId| Action::RenewViewer(*id, Ending::NotPermitted, text);
                    let mut actions: Vec<Action> = self.viewers.keys().map(close).collect();
                    self.viewers.clear();
                    self.controller = None;
                    let technician = self.technician.clone();
                    actions.extend(self.ask(self.requested, true, technician, now));
                    return actions;
                }
                self.phase = Phase::Live;
                let mut actions: Vec<Action> = self.viewers.iter().map(|(id, viewer)| joined(*id, viewer)).collect();
                actions.push(notice(SessionPhase::Live, "The computer is back."));
                actions.extend(self.lower_to_ceiling());
                actions
            }
        }
    }

    /// The agent's line broke.
    pub fn agent_lost(&mut self, now: Duration) -> Vec<Action> {
        match self.phase {
            // Nobody can answer a question that is no longer on a screen.
            Phase::Pending => self.end(EndReason::AgentLost),
            Phase::Live => {
                self.phase = Phase::Suspended { since: now };
                self.question = None;
                vec![notice(SessionPhase::Suspended, "The computer's line is lost; waiting for it to come back.")]
            }
            _ => Vec::new(),
        }
    }

    /// Ask the person, in the name of `asker`, to allow control in a session
    /// where they allowed view.
    ///
    /// # Errors
    /// [`AskRefusal`] when there is nothing to ask.
    pub fn ask_for_control(&mut self, asker: String, now: Duration) -> Result<Vec<Action>, AskRefusal> {
        if self.phase != Phase::Live {
            return Err(AskRefusal::NotLive);
        }
        if self.accepted == Some(Access::Control) {
            return Err(AskRefusal::AlreadyAccepted);
        }
        if self.question.is_some() {
            return Err(AskRefusal::Asking);
        }
        if now < self.peace_until {
            return Err(AskRefusal::JustRefused(self.peace_until - now));
        }
        let mut actions = self.ask(Access::Control, false, asker, now);
        actions.push(notice(SessionPhase::Asking, "The person is being asked to allow control."));
        Ok(actions)
    }

    /// The person's answer. `None` when it is late, repeated, or to another
    /// question. Nothing changes until [`Self::verdict_stored`].
    pub fn answer(&mut self, request_id: &str, granted: bool, reason: ConsentReason) -> Option<Verdict> {
        let question = self.question.as_mut().filter(|question| question.id == request_id && !question.answered)?;
        question.answered = true;
        Some(Verdict { granted, access: question.access, reason, first: question.first })
    }

    /// A verdict is in the database: now it holds.
    pub fn verdict_stored(&mut self, verdict: Verdict, now: Duration) -> Vec<Action> {
        self.question = None;
        if matches!(self.phase, Phase::Ended(_) | Phase::Suspended { .. }) {
            return Vec::new();
        }
        if !verdict.granted {
            if verdict.first {
                let timed_out = verdict.reason == ConsentReason::TimedOut;
                return self.end(if timed_out { EndReason::TimedOut } else { EndReason::Denied });
            }
            self.peace_until = now + PEACE;
            return vec![notice(SessionPhase::Refused, "The person did not allow control.")];
        }
        self.accepted = Some(self.accepted.map_or(verdict.access, |before| before.max(verdict.access)));
        self.phase = Phase::Live;
        if verdict.first {
            vec![notice(SessionPhase::Live, "The person accepted.")]
        } else {
            vec![notice(SessionPhase::Raised, "The person allowed control.")]
        }
    }

    /// Time has passed: what follows from it. A question whose time is over
    /// gives a verdict to store.
    pub fn tick(&mut self, now: Duration) -> (Vec<Action>, Option<Verdict>) {
        if let Phase::Suspended { since } = self.phase
            && now.saturating_sub(since) >= limits::AGENT_AWAY
        {
            return (self.end(EndReason::AgentLost), None);
        }
        let late = self.question.as_ref().filter(|question| !question.answered && now >= question.deadline);
        let Some(id) = late.map(|question| question.id.clone()) else { return (Vec::new(), None) };
        (Vec::new(), self.answer(&id, false, ConsentReason::TimedOut))
    }

    /// When [`Self::tick`] is due at the latest.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        let question = self.question.as_ref().filter(|question| !question.answered).map(|question| question.deadline);
        match self.phase {
            Phase::Suspended { since } => Some(since + limits::AGENT_AWAY),
            _ => question,
        }
    }

    /// Somebody looks in. A viewer that may control does so when nobody else
    /// does.
    ///
    /// # Errors
    /// [`JoinRefusal`] when they may not.
    pub fn join(&mut self, name: String, access: Access) -> Result<(ViewerId, Vec<Action>), JoinRefusal> {
        match (self.phase, self.accepted) {
            (Phase::Ended(reason), _) => return Err(JoinRefusal::Ended(reason)),
            (Phase::Live | Phase::Suspended { .. }, Some(_)) => {}
            _ => return Err(JoinRefusal::ConsentPending),
        }
        if self.viewers.len() >= MOST_VIEWERS {
            return Err(JoinRefusal::Full);
        }
        let ceiling = self.accepted.unwrap_or(Access::ViewOnly);
        let viewer = Viewer { name, access: access.min(ceiling) };
        let id = self.next_viewer;
        self.next_viewer += 1;
        let announcement = ViewerJoined { viewer: id, name: viewer.name.clone(), mode: to_mode(viewer.access).into() };
        let mut actions = vec![Action::Viewers(announcement.into())];
        if self.phase == Phase::Live {
            actions.push(joined(id, &viewer));
        }
        let takes = viewer.access == Access::Control && self.controller.is_none();
        self.viewers.insert(id, viewer);
        if takes {
            self.controller = Some(id);
            actions.push(self.control_state());
        }
        Ok((id, actions))
    }

    /// Somebody is gone.
    pub fn leave(&mut self, viewer: ViewerId) -> Vec<Action> {
        if self.viewers.remove(&viewer).is_none() {
            return Vec::new();
        }
        let left = ViewerLeft { viewer };
        let mut actions = vec![Action::Agent(left.into()), Action::Viewers(left.into())];
        if self.controller == Some(viewer) {
            let next = self.viewers.iter().find(|(_, other)| other.access == Access::Control).map(|(id, _)| *id);
            self.controller = next;
            actions.push(self.control_state());
        }
        actions
    }

    /// Somebody takes or gives up control; the last to ask has it.
    pub fn control(&mut self, viewer: ViewerId, take: bool) -> Vec<Action> {
        let may = self.viewers.get(&viewer).is_some_and(|viewer| viewer.access == Access::Control);
        let before = self.controller;
        if take && may {
            self.controller = Some(viewer);
        } else if !take && before == Some(viewer) {
            self.controller = None;
        }
        if self.controller == before { Vec::new() } else { vec![self.control_state()] }
    }

    /// The session is over.
    pub fn end(&mut self, reason: EndReason) -> Vec<Action> {
        if matches!(self.phase, Phase::Ended(_)) {
            return Vec::new();
        }
        self.phase = Phase::Ended(reason);
        self.question = None;
        self.viewers.clear();
        self.controller = None;
        let command =
            AdminCommand { kind: AdminCommandKind::AdminCommandEndSession.into(), text: reason.text().into() };
        vec![Action::Agent(command.into()), Action::End(reason, reason.ending())]
    }

    /// The consent question that is open, as it goes to the agent.
    fn ask(&mut self, access: Access, first: bool, technician_name: String, now: Duration) -> Vec<Action> {
        self.questions += 1;
        if first {
            self.phase = Phase::Pending;
        }
        let id = format!("{}:{}", self.id, self.questions);
        let message = self.message.replace("{{technician_name}}", &technician_name);
        let message = limits::displayable(&message.replace("{{company}}", &self.organization), limits::MESSAGE);
        let request = ConsentRequest {
            request_id: id.clone(),
            session_id: self.id.clone(),
            technician_name,
            organization: self.organization.clone(),
            access: to_mode(access).into(),
            timeout_seconds: limits::CONSENT.as_secs() as u32,
            message,
        };
        self.question = Some(Question { id, access, deadline: now + limits::CONSENT, first, answered: false });
        vec![Action::Agent(request.into()), Action::ConsentRequested(access)]
    }

    /// After a return with a lower ceiling nobody keeps more than it: they come
    /// again with what they may do now.
    fn lower_to_ceiling(&mut self) -> Vec<Action> {
        let ceiling = self.accepted.unwrap_or(Access::ViewOnly);
        let above: Vec<ViewerId> =
            self.viewers.iter().filter(|(_, viewer)| viewer.access > ceiling).map(|(id, _)| *id).collect();
        for id in &above {
            self.viewers.remove(id);
        }
        self.controller = self.controller.filter(|id| !above.contains(id));
        above
            .into_iter()
            .map(|id| Action::RenewViewer(id, Ending::CredentialEnded, "The person allows less than before."))
            .collect()
    }

    fn control_state(&self) -> Action {
        let name = self.controller.and_then(|id| self.viewers.get(&id)).map(|viewer| viewer.name.clone());
        Action::Viewers(
            ControlState { controller: self.controller.unwrap_or(0), name: name.unwrap_or_default() }.into(),
        )
    }
}

fn joined(id: ViewerId, viewer: &Viewer) -> Action {
    Action::Agent(ViewerJoined { viewer: id, name: viewer.name.clone(), mode: to_mode(viewer.access).into() }.into())
}

fn notice(phase: SessionPhase, text: &str) -> Action {
    Action::Viewers(SessionNotice { phase: phase.into(), text: text.into() }.into())
}

#[cfg(test)]
mod tests;

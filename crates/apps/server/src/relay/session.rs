//! One session: the machine, its rows, and the links it acts on.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use gc_access::Access;
use gc_protocol::Ending;
use gc_protocol::limits;
use gc_protocol::messages::{
    ConsentReason, SessionPhase, StartStream, VideoCodec, ViewerJoined, ViewerLeft, ViewerWelcome,
};
use gc_session::relay::{AskRefusal, JoinRefusal, Verdict};
use gc_session::{Action, EndReason, Phase, RelaySession, to_mode};
use gc_store::{ConsentState, NewAudit, SessionChange, SessionRow, Status};
use uuid::Uuid;

use super::deadlines::Deadlines;
use super::links::{self, AgentLink, Links, ViewerLink};
use crate::app::App;
use crate::meters::RelayMeters;
use crate::settings::Settings;

/// One session.
pub(crate) struct Session {
    pub(crate) id: Uuid,
    pub(crate) created_by: Option<Uuid>,
    machine: tokio::sync::Mutex<RelaySession>,
    links: Mutex<Links>,
    /// In whose name the person is, or was last, asked.
    asker: Mutex<Asker>,
    /// An end that the database has not taken yet.
    unstored: Mutex<Option<EndReason>>,
    deadlines: Deadlines,
    /// Since when it is on, and since when without a viewer, as far as it was looked at.
    lasting: Mutex<Lasting>,
}

#[derive(Debug, Default)]
struct Lasting {
    on: Option<Duration>,
    unwatched: Option<Duration>,
}

/// Who asks the person.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    pub(crate) user_id: Option<Uuid>,
    pub(crate) name: String,
}

/// Why an agent is not taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotTaken {
    /// The session is over.
    Ended,
    /// The database does not answer: it may come again.
    Unstored,
}

/// How long to wait before an end is written down again.
const STORE_AGAIN: Duration = Duration::from_secs(5);

/// A viewer that wants in.
pub(crate) struct Joining {
    pub(crate) link: ViewerLink,
    pub(crate) address: IpAddr,
    pub(crate) version: u32,
}

impl Session {
    pub(super) fn new(row: &SessionRow, machine: RelaySession, meters: Arc<RelayMeters>) -> Arc<Self> {
        Arc::new_cyclic(|me| Self::with_deadlines(row, machine, meters, me.clone()))
    }

    fn with_deadlines(row: &SessionRow, machine: RelaySession, meters: Arc<RelayMeters>, me: Weak<Self>) -> Self {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let links = Links::new(text(&row.hostname), text(&row.operating_system), meters);
        Self {
            id: row.id,
            created_by: row.created_by,
            machine: tokio::sync::Mutex::new(machine),
            links: Mutex::new(links),
            asker: Mutex::new(Asker { user_id: row.created_by, name: row.technician_name.clone() }),
            unstored: Mutex::default(),
            deadlines: Deadlines::new(me),
            lasting: Mutex::default(),
        }
    }

    /// Look at or change who is connected; never held across waiting.
    pub(crate) fn with_links<T>(&self, work: impl FnOnce(&mut Links) -> T) -> T {
        work(&mut self.links.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) async fn phase(&self) -> Phase {
        self.machine.lock().await.phase()
    }

    pub(crate) async fn accepted(&self) -> Option<Access> {
        self.machine.lock().await.accepted()
    }

    /// An agent has come: the first, or one that is back. An older connection
    /// is superseded.
    ///
    /// # Errors
    /// [`NotTaken`] says why it has to go.
    pub(crate) async fn agent_arrived(
        self: &Arc<Self>,
        app: &Arc<App>,
        link: AgentLink,
        remembered: Option<Access>,
        welcome: impl FnOnce(Option<Access>) -> bytes::Bytes,
    ) -> Result<(), NotTaken> {
        let mut machine = self.machine.lock().await;
        if matches!(machine.phase(), Phase::Ended(_)) {
            return Err(NotTaken::Ended);
        }
        let superseded = self.with_links(|all| all.remove_agent());
        if let Some(old) = superseded {
            links::end_agent(&old.outbox, Ending::Superseded, "This session's agent has connected anew.");
            let actions = machine.agent_lost(app.clock.now());
            self.carry_out(app, &mut machine, actions).await;
            if matches!(machine.phase(), Phase::Ended(_)) {
                return Err(NotTaken::Ended);
            }
        }
        let actions = machine.agent_arrived(remembered, app.clock.now());
        // What holds from now on is stored before anybody can act on it.
        if let Err(error) = self.store_ceiling(app, &machine).await {
            tracing::error!(session_id = %self.id, %error, "what an agent's return changes could not be stored");
            let actions = machine.agent_lost(app.clock.now());
            self.carry_out(app, &mut machine, actions).await;
            self.look_at_deadlines(app);
            return Err(NotTaken::Unstored);
        }
        // A queue that has just been made has room for its first message.
        let _: Result<(), _> = link.outbox.push(welcome(machine.accepted()));
        self.with_links(|all| all.set_agent(link));
        self.carry_out(app, &mut machine, actions).await;
        if machine.phase() == Phase::Live {
            self.start_streams(&machine);
        }
        self.store_phase(app, &machine).await;
        Ok(())
    }

    /// The agent's line is gone, unless a newer one took its place.
    pub(crate) async fn agent_lost(&self, app: &Arc<App>, connection: Uuid) {
        let mut machine = self.machine.lock().await;
        let was_ours = self.with_links(|all| {
            let ours = all.is_agent(connection);
            if ours {
                all.remove_agent();
            }
            ours
        });
        if was_ours {
            let actions = machine.agent_lost(app.clock.now());
            self.carry_out(app, &mut machine, actions).await;
            self.store_phase(app, &machine).await;
        }
    }

    /// The person has answered. Stored first, carried out then.
    pub(crate) async fn answered(&self, app: &Arc<App>, request_id: &str, granted: bool, reason: ConsentReason) {
        let mut machine = self.machine.lock().await;
        match machine.answer(request_id, granted, reason) {
            Some(verdict) => self.settle(app, &mut machine, verdict).await,
            None => tracing::warn!(session_id = %self.id, "a late or repeated consent answer was ignored"),
        }
    }

    async fn settle(&self, app: &Arc<App>, machine: &mut RelaySession, verdict: Verdict) {
        let change = if verdict.granted {
            SessionChange {
                consent: Some(ConsentState::Granted),
                accepted: Some(Some(verdict.access)),
                started_at: verdict.first.then(|| app.clock.wall()),
                ..Default::default()
            }
        } else {
            // A first no is written down together with the end that it is.
            SessionChange::default()
        };
        let stored = if verdict.granted { app.store.change_session(self.id, change).await } else { Ok(true) };
        let verdict = match stored {
            Ok(true) => verdict,
            Ok(false) | Err(_) => {
                // What cannot be stored does not hold: nobody gets in.
                tracing::error!(session_id = %self.id, "a consent decision could not be stored; treated as denied");
                Verdict { granted: false, ..verdict }
            }
        };
        let event = if verdict.granted { "consent_granted" } else { "consent_denied" };
        let reason = match verdict.reason {
            ConsentReason::Answered => "answered",
            ConsentReason::Closed => "closed",
            ConsentReason::TimedOut => "timed_out",
            ConsentReason::NoPrompt => "no_prompt",
            ConsentReason::Unspecified => "unspecified",
        };
        app.audit(NewAudit {
            event,
            session_id: Some(self.id),
            outcome: (!verdict.granted).then_some("refused"),
            details: Some(serde_json::json!({
                "access": verdict.access.as_str(), "reason": reason, "technician": self.asker().name,
            })),
            ip_address: self.agent_address(),
            ..Default::default()
        })
        .await;
        let actions = machine.verdict_stored(verdict, app.clock.now());
        self.carry_out(app, machine, actions).await;
        self.store_phase(app, machine).await;
    }

    /// Ask the person for control in mid-session.
    ///
    /// # Errors
    /// [`AskRefusal`] when there is nothing to ask now.
    pub(crate) async fn ask_for_control(&self, app: &Arc<App>, asker: Asker) -> Result<(), AskRefusal> {
        let mut machine = self.machine.lock().await;
        let actions = machine.ask_for_control(asker.name.clone(), app.clock.now())?;
        *self.asker.lock().unwrap_or_else(PoisonError::into_inner) = asker;
        self.look_at_deadlines(app);
        self.carry_out(app, &mut machine, actions).await;
        Ok(())
    }

    fn asker(&self) -> Asker {
        self.asker.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn agent_address(&self) -> Option<String> {
        self.with_links(|all| all.agent().map(|agent| agent.address.to_string()))
    }

    /// A viewer comes in. It is welcomed before anything else reaches it.
    pub(crate) async fn join(&self, app: &Arc<App>, joining: Joining) -> Result<(u32, Access), JoinRefusal> {
        let mut machine = self.machine.lock().await;
        if machine.viewers().len() >= app.settings.now().settings.most_viewers as usize {
            return Err(JoinRefusal::Full);
        }
        let (name, display) = (joining.link.name.clone(), joining.link.display);
        let decodable = joining.link.decodable.clone();
        let (viewer, actions) = machine.join(name.clone(), joining.link.access)?;
        let access = machine.viewers().get(&viewer).map_or(Access::ViewOnly, |viewer| viewer.access);
        let present = machine.viewers().iter().map(|(id, other)| ViewerJoined {
            viewer: *id,
            name: other.name.clone(),
            mode: to_mode(other.access).into(),
        });
        let present = present.collect();
        let phase = match machine.phase() {
            Phase::Live => SessionPhase::Live,
            _ => SessionPhase::Suspended,
        };
        self.with_links(|all| {
            let welcome = ViewerWelcome {
                version: joining.version,
                server_version: env!("CARGO_PKG_VERSION").into(),
                session_id: self.id.to_string(),
                viewer,
                access: to_mode(access).into(),
                present,
                controller: machine.controller().unwrap_or(0),
                machine_name: all.hostname.clone(),
                operating_system: all.operating_system.clone(),
                phase: phase.into(),
            };
            all.add(viewer, ViewerLink { access, ..joining.link });
            all.to_viewer(viewer, welcome.into());
        });
        self.carry_out(app, &mut machine, actions).await;
        self.with_links(|all| {
            all.to_agent(start_stream(viewer, display, decodable).into());
        });
        app.audit(NewAudit {
            event: "viewer_joined",
            session_id: Some(self.id),
            actor_id: self.with_links(|all| all.viewers().get(&viewer).map(|link| link.user_id)),
            viewer: Some((viewer.to_string(), name)),
            details: Some(serde_json::json!({ "access": access.as_str() })),
            ip_address: Some(joining.address.to_string()),
            ..Default::default()
        })
        .await;
        app.changed(self.id, self.created_by).await;
        Ok((viewer, access))
    }

    /// A viewer is gone.
    pub(crate) async fn left(&self, app: &Arc<App>, viewer: u32) {
        let mut machine = self.machine.lock().await;
        let Some(link) = self.with_links(|all| all.remove(viewer)) else { return };
        let actions = machine.leave(viewer);
        self.carry_out(app, &mut machine, actions).await;
        self.audit_left(app, viewer, link).await;
        app.changed(self.id, self.created_by).await;
    }

    async fn audit_left(&self, app: &Arc<App>, viewer: u32, link: ViewerLink) {
        app.audit(NewAudit {
            event: "viewer_left",
            session_id: Some(self.id),
            actor_id: Some(link.user_id),
            viewer: Some((viewer.to_string(), link.name)),
            ..Default::default()
        })
        .await;
    }

    /// A viewer takes or gives up control.
    pub(crate) async fn control(&self, app: &Arc<App>, viewer: u32, take: bool) {
        let mut machine = self.machine.lock().await;
        let before = machine.controller();
        let actions = machine.control(viewer, take);
        // Where several may control at once, nobody lets go for another.
        let alone = !self.with_links(|all| all.parallel_control);
        if let Some(before) = before.filter(|before| alone && machine.controller() != Some(*before)) {
            // What the one before still holds comes up.
            let reset = gc_protocol::encode(gc_protocol::messages::InputReset { seq: 0 });
            self.with_links(|all| {
                // In one step: no key can go down between.
                all.controller = machine.controller();
                all.forward_to_agent(before, &reset);
            });
        }
        self.carry_out(app, &mut machine, actions).await;
    }

    /// End it for everybody.
    pub(crate) async fn end(&self, app: &Arc<App>, reason: EndReason) {
        let mut machine = self.machine.lock().await;
        let actions = machine.end(reason);
        self.carry_out(app, &mut machine, actions).await;
    }

    /// Whether several may control at once, from now on.
    pub(crate) fn allow_several(&self, several: bool) {
        self.with_links(|all| {
            let stops = all.parallel_control && !several;
            all.parallel_control = several;
            if stops {
                // What those hold who no longer count comes up.
                let reset = gc_protocol::encode(gc_protocol::messages::InputReset { seq: 0 });
                for viewer in all.viewers().keys().filter(|viewer| all.controller != Some(**viewer)) {
                    all.forward_to_agent(*viewer, &reset);
                }
            }
        });
    }

    /// Whether it has lasted, or been without viewers, for longer than is set.
    /// Counted from when this process first saw it so: a restart gives time anew.
    pub(crate) async fn is_overdue(&self, settings: &Settings, now: Duration) -> bool {
        let is_on = matches!(self.phase().await, Phase::Live | Phase::Suspended { .. });
        let watched = self.with_links(|all| !all.viewers().is_empty());
        let mut lasting = self.lasting.lock().unwrap_or_else(PoisonError::into_inner);
        lasting.on = is_on.then(|| lasting.on.unwrap_or(now));
        lasting.unwatched = (is_on && !watched).then(|| lasting.unwatched.unwrap_or(now));
        let over = |since: Option<Duration>, seconds: Option<u64>| {
            since.zip(seconds).is_some_and(|(since, most)| now.saturating_sub(since) >= Duration::from_secs(most))
        };
        over(lasting.on, settings.session_hours.map(|hours| u64::from(hours) * 3600))
            || over(lasting.unwatched, settings.unwatched_minutes.map(|minutes| u64::from(minutes) * 60))
    }

    /// Close the viewers that `which` picks.
    pub(crate) async fn close_viewers(
        &self,
        app: &Arc<App>,
        which: impl Fn(&ViewerLink) -> bool,
        ending: Ending,
        text: &'static str,
    ) {
        let mut machine = self.machine.lock().await;
        let gone: Vec<u32> =
            self.with_links(|all| all.viewers().iter().filter(|(_, link)| which(link)).map(|(id, _)| *id).collect());
        let actions = gone.into_iter().map(|viewer| Action::CloseViewer(viewer, ending, text)).collect();
        self.carry_out(app, &mut machine, actions).await;
    }

    /// After a restart the row says what memory would: the agent is away.
    pub(super) async fn mark_suspended(&self, app: &Arc<App>) {
        let change = SessionChange { status: Some(Status::Suspended), ..Default::default() };
        if let Err(error) = app.store.change_session(self.id, change).await {
            tracing::error!(session_id = %self.id, %error, "a restored session could not be marked as suspended");
        }
    }

    /// Who keeps its deadlines.
    pub(super) fn deadlines(&self) -> &Deadlines {
        &self.deadlines
    }

    /// When [`Self::tick`] is due, as it stands; `None` lets `idle` be told
    /// before anything can change.
    pub(super) async fn next_deadline(&self, now: Duration, idle: impl FnOnce()) -> Option<Duration> {
        let machine = self.machine.lock().await;
        let next = match machine.phase() {
            Phase::Ended(_) => self.unstored().map(|_| now + STORE_AGAIN),
            _ => machine.next_deadline(),
        };
        if next.is_none() {
            idle();
        }
        next
    }

    /// A deadline is reached.
    pub(super) async fn tick(&self, app: &Arc<App>) {
        let mut machine = self.machine.lock().await;
        if let Some(reason) = self.unstored() {
            self.store_end(app, reason).await;
            return;
        }
        let (actions, verdict) = machine.tick(app.clock.now());
        self.carry_out(app, &mut machine, actions).await;
        if let Some(verdict) = verdict {
            self.settle(app, &mut machine, verdict).await;
        }
    }

    /// Write down what the person's answer allows, as it holds now.
    async fn store_ceiling(&self, app: &Arc<App>, machine: &RelaySession) -> Result<(), gc_store::StoreError> {
        let change = match machine.accepted() {
            Some(access) => SessionChange { accepted: Some(Some(access)), ..Default::default() },
            None => SessionChange {
                accepted: Some(None),
                consent: Some(ConsentState::Pending),
                status: Some(Status::Pending),
                ..Default::default()
            },
        };
        match app.store.change_session(self.id, change).await {
            Ok(true) => Ok(()),
            // The row has ended meanwhile: nothing may stand on it.
            Ok(false) => Err(gc_store::StoreError::Corrupt),
            Err(error) => Err(error),
        }
    }

    /// Write down where the session stands, and wake what waits on it.
    async fn store_phase(&self, app: &Arc<App>, machine: &RelaySession) {
        let status = match machine.phase() {
            Phase::Waiting => Status::Waiting,
            Phase::Pending => Status::Pending,
            Phase::Live => Status::Live,
            Phase::Suspended { .. } => Status::Suspended,
            Phase::Ended(_) => return,
        };
        let change = SessionChange { status: Some(status), ..Default::default() };
        if let Err(error) = app.store.change_session(self.id, change).await {
            tracing::error!(session_id = %self.id, %error, "a session's state could not be stored");
        }
        app.changed(self.id, self.created_by).await;
        self.look_at_deadlines(app);
    }

    async fn carry_out(&self, app: &Arc<App>, machine: &mut RelaySession, actions: Vec<Action>) {
        for action in actions {
            let renews = matches!(action, Action::RenewViewer(..));
            match action {
                Action::Agent(body) => self.with_links(|all| all.to_agent(body)),
                Action::Viewer(viewer, body) => self.with_links(|all| all.to_viewer(viewer, body)),
                Action::Viewers(body) => self.with_links(|all| all.to_viewers(body)),
                Action::CloseViewer(viewer, ending, text) | Action::RenewViewer(viewer, ending, text) => {
                    // From this moment nothing reaches it and nothing comes from it.
                    if let Some(link) = self.with_links(|all| all.remove(viewer)) {
                        let mut goodbye = ending.message(text);
                        goodbye.may_retry |= renews;
                        link.outbox.close(ending, text, gc_protocol::encode(goodbye));
                        let mut news = machine.leave(viewer);
                        if news.is_empty() {
                            // The machine had let it go before.
                            news.push(Action::Agent(ViewerLeft { viewer }.into()));
                            news.push(Action::Viewers(ViewerLeft { viewer }.into()));
                        }
                        for action in news {
                            match action {
                                Action::Agent(body) => self.with_links(|all| all.to_agent(body)),
                                Action::Viewers(body) => self.with_links(|all| all.to_viewers(body)),
                                _ => {}
                            }
                        }
                        self.audit_left(app, viewer, link).await;
                    }
                }
                Action::ConsentRequested(access) => {
                    app.audit(NewAudit {
                        event: "consent_requested",
                        session_id: Some(self.id),
                        actor_id: self.asker().user_id,
                        details: Some(serde_json::json!({
                            "access": access.as_str(), "technician": self.asker().name,
                        })),
                        ip_address: self.agent_address(),
                        ..Default::default()
                    })
                    .await;
                }
                Action::End(reason, ending) => self.finish(app, reason, ending).await,
            }
        }
        self.with_links(|all| all.controller = machine.controller());
    }

    async fn finish(&self, app: &Arc<App>, reason: EndReason, ending: Ending) {
        let address = self.agent_address();
        let (agent, viewers) = self.with_links(Links::clear);
        let mut goodbye = ending.message(reason.text());
        goodbye.reason = reason.as_str().into();
        let last = gc_protocol::encode(goodbye.clone());
        for link in viewers.values() {
            link.outbox.close(ending, reason.text(), last.clone());
        }
        if let Some(agent) = agent {
            let header = gc_protocol::AgentHeader::connection();
            let last = gc_protocol::encode_framed(header, goodbye.clone());
            agent.outbox.close(ending, reason.text(), last);
        }
        for (viewer, link) in viewers {
            self.audit_left(app, viewer, link).await;
        }
        app.audit(NewAudit {
            event: "session_ended",
            session_id: Some(self.id),
            details: Some(serde_json::json!({ "reason": reason.as_str() })),
            ip_address: address,
            ..Default::default()
        })
        .await;
        self.store_end(app, reason).await;
    }

    /// Write the end down. Until that is done the session stays here, over for
    /// everybody, so that no row brings it back.
    async fn store_end(&self, app: &Arc<App>, reason: EndReason) {
        let denied = matches!(reason, EndReason::Denied | EndReason::TimedOut);
        let change = SessionChange {
            consent: denied.then_some(ConsentState::Denied),
            ended: Some((app.clock.wall(), reason.as_str())),
            ..Default::default()
        };
        let stored = app.store.change_session(self.id, change).await;
        if let Err(error) = &stored {
            tracing::error!(session_id = %self.id, %error, "a session's end could not be stored; trying again");
        } else {
            app.hub.remove(self.id);
        }
        *self.unstored.lock().unwrap_or_else(PoisonError::into_inner) = stored.is_err().then_some(reason);
        app.changed(self.id, self.created_by).await;
        self.look_at_deadlines(app);
    }

    fn unstored(&self) -> Option<EndReason> {
        *self.unstored.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The agent is back: it has to be told of every viewer's wish again.
    fn start_streams(&self, machine: &RelaySession) {
        self.with_links(|all| {
            for viewer in machine.viewers().keys() {
                let Some(link) = all.viewers().get(viewer) else { continue };
                let wanted = start_stream(*viewer, link.display, link.decodable.clone());
                all.to_agent(wanted.into());
            }
        });
    }
}

fn start_stream(viewer: u32, display_id: u32, decodable: Vec<i32>) -> StartStream {
    StartStream {
        viewer,
        display_id,
        video_codec: VideoCodec::Raw.into(),
        decodable,
        max_in_flight_bytes: (limits::VIEWER_QUEUE / 2) as u32,
    }
}

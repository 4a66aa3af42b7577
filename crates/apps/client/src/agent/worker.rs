//! The part that touches the desktop: takes the session's messages, knows
//! what the person accepted, and refuses what nobody may do.

use std::sync::Arc;

use gc_access::Access;
use gc_desktop::{Desktop, DesktopError, Prompt};
use gc_protocol::header::RELAY;
use gc_protocol::messages::{AdminCommandKind, AgentStatus, Body, SessionResponse};
use gc_protocol::{AgentHeader, RawEnvelope, limits, routing};
use gc_session::agent::Injection;
use tokio::sync::mpsc;

use super::capture::Capture;
use super::input::InputThread;
use super::layout::Layout;
use super::link::{Link, Told};
use super::presence::Presence;
use super::roll::Roll;
use super::wake::{self, Work};

/// One session's desktop.
pub(super) struct Worker {
    roll: Roll,
    link: Link,
    capture: Result<Capture, String>,
    input: Option<InputThread>,
    presence: Presence,
    told: mpsc::Sender<Told>,
    refused: u64,
}

impl Worker {
    pub(super) fn new(session_id: String, link: Link, prompt: Arc<dyn Prompt>, told: mpsc::Sender<Told>) -> Self {
        let roll = Roll::default();
        let (capture, input) = match start(&link, &roll) {
            Ok((capture, input)) => (Ok(capture), Some(input)),
            Err(error) => {
                tracing::error!(%error, "the desktop cannot be captured");
                (Err(error.to_string()), None)
            }
        };
        let presence = Presence::new(session_id, prompt, link.clone(), roll.clone(), told.clone());
        Self { roll, link, capture, input, presence, told, refused: 0 }
    }

    /// What the person accepted so far.
    pub(super) fn accepted(&self) -> Option<Access> {
        self.roll.lock().accepted()
    }

    /// Whether anybody watches.
    pub(super) fn is_watched(&self) -> bool {
        !self.roll.lock().viewers().is_empty()
    }

    /// A connection has opened: say how this machine is.
    pub(super) fn connected(&self) {
        let status = match &self.capture {
            Ok(capture) => capture.status(),
            Err(obstacle) => AgentStatus { obstacle: obstacle.clone(), ..Default::default() },
        };
        self.link.send(RELAY, status);
    }

    /// Nothing was heard for some seconds: nothing stays pressed.
    pub(super) fn silent(&self) {
        let injections = self.roll.lock().release_all();
        self.inject(injections);
    }

    /// The connection is gone.
    pub(super) fn disconnected(&self) {
        let injections = self.roll.lock().disconnected();
        self.inject(injections);
        if let Ok(capture) = &self.capture {
            capture.push(Work::Disconnected);
        }
        self.presence.disconnected();
    }

    /// A message for this session.
    pub(super) fn take(&mut self, header: AgentHeader, raw: &RawEnvelope) {
        if header.peer == RELAY {
            match raw.decode() {
                Ok(Some(body)) => self.of_relay(body),
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "a message of the relay is malformed"),
            }
            return;
        }
        // A relay that forwards what it should not is refused here.
        if !self.roll.lock().may(header.peer, raw.field()) {
            self.refused += 1;
            if self.refused.is_power_of_two() {
                let (body, count) = (routing::name(raw.field()), self.refused);
                tracing::warn!(viewer = header.peer, body, count, "refused what this viewer may not send");
            }
            return;
        }
        let Ok(Some(body)) = raw.decode() else { return };
        if routing::is_input(raw.field()) {
            if let Some(input) = &self.input {
                input.push(header.peer, body);
            }
            return;
        }
        if let Body::Chat(chat) = &body {
            self.presence.heard(chat);
            return;
        }
        let Ok(capture) = &self.capture else { return };
        match body {
            Body::FrameAck(ack) => capture
                .push(Work::Acknowledged { viewer: header.peer, frame: (ack.stream, ack.epoch, ack.frame_number) }),
            Body::RefreshRequest(_) => capture.push(Work::Refresh { viewer: header.peer }),
            Body::SwitchDisplay(to) => capture.push(Work::Show { viewer: header.peer, display: to.display_id }),
            _ => {}
        }
    }

    fn of_relay(&mut self, body: Body) {
        match body {
            Body::ConsentRequest(request) => self.presence.ask(request),
            Body::ViewerJoined(joined) => {
                if self.roll.lock().viewer_joined(joined.viewer, &joined.name, joined.mode) {
                    self.presence.refresh();
                }
            }
            Body::ViewerLeft(left) => {
                let injections = self.roll.lock().viewer_left(left.viewer);
                self.inject(injections);
                if let Ok(capture) = &self.capture {
                    capture.push(Work::Stop { viewer: left.viewer });
                }
                self.presence.refresh();
            }
            Body::StartStream(start) => {
                // Only for somebody who has joined, which needs consent.
                if !self.roll.lock().viewers().contains_key(&start.viewer) {
                    return;
                }
                if let Some(input) = &self.input {
                    input.introduce(start.viewer);
                }
                match &self.capture {
                    Ok(capture) => capture.push(Work::Show { viewer: start.viewer, display: start.display_id }),
                    Err(obstacle) => {
                        let response = SessionResponse { obstacle: obstacle.clone(), ..Default::default() };
                        self.link.send(start.viewer, response);
                    }
                }
            }
            Body::StopStream(stop) => {
                if let Ok(capture) = &self.capture {
                    capture.push(Work::Stop { viewer: stop.viewer });
                }
            }
            Body::AdminCommand(command) if command.kind() == AdminCommandKind::AdminCommandEndSession => {
                let words = limits::displayable(&command.text, 300);
                // A full queue means that an end is on its way already.
                let _: Result<(), _> = self.told.try_send(Told::Ended(words));
            }
            _ => {}
        }
    }

    fn inject(&self, injections: Vec<Injection>) {
        if let Some(input) = &self.input {
            input.release(injections);
        }
    }
}

fn start(link: &Link, roll: &Roll) -> Result<(Capture, InputThread), DesktopError> {
    let (waker, works) = wake::queue();
    let woken = waker.clone();
    let Desktop { screen, input } = gc_desktop::open(Box::new(move || woken.wake()))?;
    let layout = Layout::default();
    let capture = Capture::start(screen, waker.clone(), works, link.clone(), layout.clone())?;
    let input = InputThread::start(input, roll.clone(), layout, link.clone(), waker)?;
    Ok((capture, input))
}

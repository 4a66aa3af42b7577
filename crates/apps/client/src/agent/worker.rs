//! The part that touches the desktop: takes the session's messages, knows
//! what the person accepted, and refuses what nobody may do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use gc_desktop::{Desktop, DesktopError, Prompt};
use gc_protocol::header::RELAY;
use gc_protocol::messages::{AdminCommandKind, AgentStatus, Body, SessionResponse};
use gc_protocol::{AgentHeader, RawEnvelope, limits, routing};
use gc_session::agent::Injection;

use super::capture::Capture;
use super::exchange::{News, Order, Reporter};
use super::input::{self, InputThread, Inputs, Waiting};
use super::layout::Layout;
use super::link::Link;
use super::presence::Presence;
use super::roll::Roll;
use super::wake::{self, Work};

/// One session's desktop.
pub(super) struct Worker {
    roll: Roll,
    link: Link,
    capture: Result<Capture, String>,
    inputs: Inputs,
    /// Waited for behind `inputs`, the worker's way to it.
    _input: Option<InputThread>,
    presence: Presence,
    reporter: Reporter,
    watched: bool,
    refused: u64,
}

impl Worker {
    pub(super) fn new(prompt: Arc<dyn Prompt>, reporter: Reporter, (inputs, waiting): (Inputs, Waiting)) -> Self {
        let (roll, link) = (inputs.roll().clone(), Link::default());
        let (capture, input) = match start(&link, (&inputs, waiting)) {
            Ok((capture, input)) => (Ok(capture), Some(input)),
            Err(error) => {
                tracing::error!(%error, "the desktop cannot be captured");
                (Err(error.to_string()), None)
            }
        };
        let presence = Presence::new(prompt, link.clone(), roll.clone(), reporter.clone());
        Self { roll, link, capture, inputs, _input: input, presence, reporter, watched: false, refused: 0 }
    }

    /// Carry out orders until nobody gives any; then let go of everything. `pending`
    /// is how many were given and not carried out.
    pub(super) fn run(mut self, orders: &Receiver<Order>, pending: &AtomicUsize) {
        loop {
            match orders.recv_timeout(limits::STATUS_PERIOD) {
                Ok(order) => {
                    self.carry_out(order);
                    pending.fetch_sub(1, Ordering::AcqRel);
                }
                Err(RecvTimeoutError::Timeout) => self.tell_status(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            let watched = !self.roll.lock().viewers().is_empty();
            if std::mem::replace(&mut self.watched, watched) != watched {
                self.reporter.say(News::Watched(watched));
            }
        }
        self.lost();
        self.presence.close();
    }

    fn carry_out(&mut self, order: Order) {
        match order {
            Order::Line { slot, messages, returning, accepted, motto } => {
                self.presence.say(motto);
                if returning {
                    // The lesser of what both sides remember holds.
                    self.presence.lower(accepted);
                }
                self.link.open(slot, messages);
                self.tell_status();
            }
            Order::Message(header, raw) => self.take(header, &raw),
            Order::Silent => {
                let injections = self.roll.lock().release_all();
                self.inject(injections);
            }
            Order::Lost => self.lost(),
        }
    }

    /// The line is gone: nothing stays pressed, nothing is shown.
    fn lost(&mut self) {
        self.link.close();
        let injections = self.roll.lock().disconnected();
        self.inject(injections);
        if let Ok(capture) = &self.capture {
            capture.push(Work::Disconnected);
        }
        self.presence.disconnected();
    }

    /// Say how this machine is.
    fn tell_status(&self) {
        match &self.capture {
            Ok(capture) => capture.push(Work::Status),
            Err(obstacle) => {
                self.link.send(RELAY, AgentStatus { obstacle: obstacle.clone(), ..Default::default() });
            }
        }
    }

    /// A message for this session.
    fn take(&mut self, header: AgentHeader, raw: &RawEnvelope) {
        if header.peer == RELAY {
            match raw.decode() {
                Ok(Some(body)) => self.of_relay(body),
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "a message of the relay is malformed"),
            }
            return;
        }
        if routing::is_input(raw.field()) {
            self.inputs.push(header.peer, raw.clone());
            return;
        }
        // A relay that forwards what it should not is refused here.
        if !self.roll.lock().may(header.peer, raw.field()) {
            self.refused += 1;
            input::refused(self.refused, header.peer, raw);
            return;
        }
        let Ok(Some(body)) = raw.decode() else { return };
        if let Body::Chat(chat) = &body {
            self.presence.heard(chat);
            return;
        }
        let Ok(capture) = &self.capture else { return };
        let viewer = header.peer;
        match body {
            Body::FrameAck(ack) => {
                let frame = (ack.stream, ack.epoch, ack.frame_number);
                let decode = Duration::from_micros(ack.decode_us.into());
                capture.push(Work::Acknowledged { viewer, frame, decode, at: Instant::now() });
            }
            Body::RefreshRequest(asked) => {
                capture.push(Work::Refresh { viewer, without_video: asked.without_video });
            }
            Body::QualitySettings(settings) => capture.push(Work::Prefer { viewer, settings }),
            Body::SwitchDisplay(to) => capture.push(Work::Switch { viewer, display: to.display_id }),
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
                self.inputs.introduce(start.viewer);
                match &self.capture {
                    Ok(capture) => capture.push(Work::Show {
                        viewer: start.viewer,
                        display: start.display_id,
                        decodable: start.decodable,
                    }),
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
                self.reporter.say(News::Ended(limits::displayable(&command.text, 300)));
            }
            _ => {}
        }
    }

    fn inject(&self, injections: Vec<Injection>) {
        self.inputs.release(injections);
    }
}

fn start(link: &Link, inputs: (&Inputs, Waiting)) -> Result<(Capture, InputThread), DesktopError> {
    let Desktop { screen, input, bell } = gc_desktop::open()?;
    let (waker, works) = wake::queue(bell);
    let layout = Layout::default();
    let tells_all = screen.tells_all();
    let capture = Capture::start(screen, waker.clone(), works, link.clone(), layout.clone())?;
    let input = InputThread::start(input, inputs, layout, link.clone(), waker, tells_all)?;
    Ok((capture, input))
}

//! The input thread: nothing else runs on it, so input waits for nothing.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gc_desktop::{DesktopError, Input};
use gc_keys::{KeyCap, Release};
use gc_protocol::messages::{KeyboardLayout, SessionResponse};
use gc_protocol::{RawEnvelope, routing};
use gc_session::agent::{Injection, InputRefusal, sequence};

use super::guard::Guard;
use super::layout::Layout;
use super::link::Link;
use super::roll::Roll;
use super::wake::Waker;

/// Events that may wait. The relay passes 200 a second; when this many wait the
/// desktop is stuck: everything held is released, and the line is given up, so
/// that what still waits is nobody's any more.
const WAITING: usize = 4096;
/// How long the thread has for its last releases.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

#[derive(Debug)]
enum Work {
    /// Input as it came: whether this viewer may send it is looked at when it is
    /// carried out.
    Input { viewer: u32, raw: RawEnvelope },
    /// There is something to release.
    Release,
    /// Somebody new: tell them what the keys type.
    Introduce { viewer: u32 },
}

/// What comes up before anything else is done.
type Releases = Arc<Mutex<Vec<Injection>>>;

/// The way to the input thread. Cloning shares it; the thread ends with the last one.
#[derive(Debug, Clone)]
pub(super) struct Inputs {
    sender: SyncSender<Work>,
    releases: Releases,
    roll: Roll,
}

/// The other end, for [`InputThread::start`].
#[derive(Debug)]
pub(super) struct Waiting(Receiver<Work>);

#[cfg(test)]
impl Waiting {
    /// Whose input waits.
    pub(super) fn next_viewer(&mut self) -> Option<u32> {
        match self.0.try_recv() {
            Ok(Work::Input { viewer, .. }) => Some(viewer),
            _ => None,
        }
    }
}

/// The way to an input thread that is not there yet.
pub(super) fn queue(roll: Roll) -> (Inputs, Waiting) {
    let (sender, receiver) = sync_channel(WAITING);
    (Inputs { sender, releases: Releases::default(), roll }, Waiting(receiver))
}

impl Inputs {
    /// Whose input it is.
    pub(super) fn roll(&self) -> &Roll {
        &self.roll
    }

    /// `false` where the queue is full.
    fn hand_over(&self, work: Work) -> bool {
        !matches!(self.sender.try_send(work), Err(TrySendError::Full(_)))
    }

    /// A message of a viewer that is input. `false` where the desktop takes none in.
    pub(super) fn push(&self, viewer: u32, raw: RawEnvelope) -> bool {
        let taken = self.hand_over(Work::Input { viewer, raw });
        if !taken {
            tracing::error!("input is stuck; releasing everything");
            let held = self.roll.lock().release_all();
            self.release(held);
        }
        taken
    }

    pub(super) fn introduce(&self, viewer: u32) {
        if !self.hand_over(Work::Introduce { viewer }) {
            tracing::error!("input is stuck; a viewer is not told what the keys type");
        }
    }

    /// Let these come up, before all input that still waits. Never waits.
    pub(super) fn release(&self, injections: Vec<Injection>) {
        if !injections.is_empty() {
            self.releases.lock().unwrap_or_else(PoisonError::into_inner).extend(injections);
            // A full queue keeps the thread awake anyway.
            self.hand_over(Work::Release);
        }
    }
}

/// The thread. Dropped behind the last way to it, it waits until everything is
/// released.
pub(super) struct InputThread {
    ended: Receiver<()>,
}

impl InputThread {
    pub(super) fn start(
        input: Box<dyn Input>,
        (inputs, Waiting(waiting)): (&Inputs, Waiting),
        layout: Layout,
        link: Link,
        waker: Waker,
        tells_all: bool,
    ) -> Result<Self, DesktopError> {
        let (end, ended) = sync_channel(1);
        let thread = Thread {
            input,
            roll: inputs.roll.clone(),
            layout,
            link,
            waker,
            tells_all,
            releases: inputs.releases.clone(),
            caps: KeyboardLayout::default(),
            guard: Guard::start(),
            refused: 0,
        };
        std::thread::Builder::new()
            .name("input".into())
            .spawn(move || {
                thread.run(&waiting);
                // Nobody waits any more where this fails.
                let _: Result<(), _> = end.send(());
            })
            .map_err(|error| DesktopError::Refused(error.to_string()))?;
        Ok(Self { ended })
    }
}

impl Drop for InputThread {
    fn drop(&mut self) {
        if self.ended.recv_timeout(CLOSE_WITHIN).is_err() {
            tracing::error!("the display takes no input; something may stay pressed");
        }
    }
}

struct Thread {
    input: Box<dyn Input>,
    roll: Roll,
    layout: Layout,
    link: Link,
    waker: Waker,
    /// Whether the screen tells by itself what input changes.
    tells_all: bool,
    releases: Releases,
    /// What the keys typed when it was last asked.
    caps: KeyboardLayout,
    guard: Guard,
    /// How much came that nobody may send.
    refused: u64,
}

impl Thread {
    fn run(mut self, works: &Receiver<Work>) {
        loop {
            let work = match self.guard.tend() {
                Some(within) => works.recv_timeout(within),
                None => works.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            let work = match work {
                Ok(work) => work,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            self.release();
            if let Some(caps) = self.input.layout() {
                self.caps = to_wire(&caps);
                let viewers: Vec<u32> = self.roll.lock().viewers().keys().copied().collect();
                viewers.into_iter().for_each(|viewer| self.link.send(viewer, self.caps.clone()));
            }
            match work {
                Work::Release => {}
                Work::Introduce { viewer } => self.link.send(viewer, self.caps.clone()),
                Work::Input { viewer, raw } => self.carry_out(viewer, &raw),
            }
            if !self.tells_all {
                self.waker.stir();
            }
        }
        self.release();
    }

    fn release(&mut self) {
        let releases = std::mem::take(&mut *self.releases.lock().unwrap_or_else(PoisonError::into_inner));
        self.inject(None, &releases);
    }

    fn carry_out(&mut self, viewer: u32, raw: &RawEnvelope) {
        // A relay that forwards what it should not is refused here.
        if !self.roll.lock().may(viewer, raw.field()) {
            self.refused += 1;
            refused(self.refused, viewer, raw);
            return;
        }
        let Ok(Some(body)) = raw.decode() else { return };
        let injections = self.roll.lock().input(viewer, &body);
        match injections {
            Ok(injections) => {
                let round = self.waker.round();
                self.inject(Some(viewer), &injections);
                self.waker.applied(viewer, sequence(&body), round);
            }
            Err(InputRefusal::NotAllowed) => tracing::warn!(viewer, "refused input of a viewer that may only look"),
            Err(InputRefusal::Malformed) => tracing::debug!(viewer, "input that nobody can inject"),
        }
    }

    fn inject(&mut self, viewer: Option<u32>, injections: &[Injection]) {
        if injections.is_empty() {
            return;
        }
        let displays = self.layout.displays();
        let mut lost_place = false;
        for injection in injections {
            // A press belongs to its place: without it, it belongs nowhere.
            if lost_place && matches!(injection, Injection::Button(_, true) | Injection::Wheel { .. }) {
                continue;
            }
            let change = held(injection);
            if let Some((what, true)) = change {
                self.guard.note(what, true);
            }
            let injected = self.input.inject(injection, &displays);
            // What did not come up is still held, as far as the guard knows.
            if let (Some((what, false)), Ok(())) = (change, &injected) {
                self.guard.note(what, false);
            }
            match injected {
                Ok(()) => {}
                Err(DesktopError::Stale) => lost_place |= matches!(injection, Injection::Move { .. }),
                Err(error) => {
                    tracing::warn!(%error, "input was refused");
                    if let Some(viewer) = viewer {
                        self.link.send(viewer, SessionResponse { obstacle: error.to_string(), ..Default::default() });
                    }
                }
            }
        }
    }
}

/// Say that something was refused: the first time, and ever more rarely.
pub(super) fn refused(count: u64, viewer: u32, raw: &RawEnvelope) {
    if count.is_power_of_two() {
        tracing::warn!(viewer, body = routing::name(raw.field()), count, "refused what this viewer may not send");
    }
}

/// What this holds from now on, or not any more.
fn held(injection: &Injection) -> Option<(Release, bool)> {
    match injection {
        Injection::Key(key, down) => {
            Some((Release::Key { scan_code: key.scan_code.into(), extended: key.extended }, *down))
        }
        Injection::Button(button, down) => Some((Release::Button(*button), *down)),
        Injection::Release(what) => Some((*what, false)),
        _ => None,
    }
}

fn to_wire(caps: &[KeyCap]) -> KeyboardLayout {
    let caps = caps.iter().map(|cap| {
        let [plain, shift, alt_gr, alt_gr_shift] = cap.types.map(|typed| typed.map_or(0, u32::from));
        gc_protocol::messages::KeyCap { scan_code: cap.scan_code.into(), plain, shift, alt_gr, alt_gr_shift }
    });
    KeyboardLayout { caps: caps.collect() }
}

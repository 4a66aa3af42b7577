//! The input thread: nothing else runs on it, so input waits for nothing.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use gc_desktop::{DesktopError, Input};
use gc_keys::KeyCap;
use gc_protocol::messages::{Body, KeyboardLayout, SessionResponse};
use gc_session::agent::{Injection, InputRefusal, sequence};

use super::layout::Layout;
use super::link::Link;
use super::roll::Roll;
use super::wake::Waker;

/// Events that may wait. The relay passes 200 a second; when this many wait the
/// desktop is stuck, and what does not fit is dropped after everything held
/// was released.
const WAITING: usize = 4096;

enum Work {
    Input {
        viewer: u32,
        body: Body,
    },
    Release(Vec<Injection>),
    /// Somebody new: tell them what the keys type.
    Introduce {
        viewer: u32,
    },
}

pub(super) struct InputThread {
    sender: SyncSender<Work>,
    roll: Roll,
}

impl InputThread {
    pub(super) fn start(
        input: Box<dyn Input>,
        roll: Roll,
        layout: Layout,
        link: Link,
        waker: Waker,
    ) -> Result<Self, DesktopError> {
        let (sender, receiver) = sync_channel(WAITING);
        let thread = Thread { input, roll: roll.clone(), layout, link, waker, caps: KeyboardLayout::default() };
        std::thread::Builder::new()
            .name("input".into())
            .spawn(move || thread.run(&receiver))
            .map_err(|error| DesktopError::Refused(error.to_string()))?;
        Ok(Self { sender, roll })
    }

    pub(super) fn push(&self, viewer: u32, body: Body) {
        if let Err(TrySendError::Full(_)) = self.sender.try_send(Work::Input { viewer, body }) {
            tracing::error!("input is stuck; releasing everything");
            let held = self.roll.lock().release_all();
            self.release(held);
        }
    }

    pub(super) fn introduce(&self, viewer: u32) {
        if self.sender.try_send(Work::Introduce { viewer }).is_err() {
            tracing::error!("input is stuck; a viewer is not told what the keys type");
        }
    }

    pub(super) fn release(&self, injections: Vec<Injection>) {
        // The thread drains its queue; this waits for it only when it is full.
        if !injections.is_empty() && self.sender.send(Work::Release(injections)).is_err() {
            tracing::error!("the input thread is gone");
        }
    }
}

struct Thread {
    input: Box<dyn Input>,
    roll: Roll,
    layout: Layout,
    link: Link,
    waker: Waker,
    /// What the keys typed when it was last asked.
    caps: KeyboardLayout,
}

impl Thread {
    fn run(mut self, works: &Receiver<Work>) {
        for work in works {
            if let Some(caps) = self.input.layout() {
                self.caps = to_wire(&caps);
                let viewers: Vec<u32> = self.roll.lock().viewers().keys().copied().collect();
                viewers.into_iter().for_each(|viewer| self.link.send(viewer, self.caps.clone()));
            }
            match work {
                Work::Introduce { viewer } => self.link.send(viewer, self.caps.clone()),
                Work::Release(injections) => self.inject(None, &injections),
                Work::Input { viewer, body } => {
                    let injections = self.roll.lock().input(viewer, &body);
                    match injections {
                        Ok(injections) => {
                            self.inject(Some(viewer), &injections);
                            self.waker.applied(viewer, sequence(&body));
                        }
                        Err(InputRefusal::NotAllowed) => {
                            tracing::warn!(viewer, "refused input of a viewer that may only look");
                        }
                        Err(InputRefusal::Malformed) => tracing::debug!(viewer, "input that nobody can inject"),
                    }
                }
            }
            self.waker.wake();
        }
    }

    fn inject(&mut self, viewer: Option<u32>, injections: &[Injection]) {
        let displays = self.layout.displays();
        for injection in injections {
            match self.input.inject(injection, &displays) {
                Ok(()) | Err(DesktopError::Stale) => {}
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

fn to_wire(caps: &[KeyCap]) -> KeyboardLayout {
    let caps = caps.iter().map(|cap| {
        let [plain, shift, alt_gr, alt_gr_shift] = cap.types.map(|typed| typed.map_or(0, u32::from));
        gc_protocol::messages::KeyCap { scan_code: cap.scan_code.into(), plain, shift, alt_gr, alt_gr_shift }
    });
    KeyboardLayout { caps: caps.collect() }
}

//! The input thread: nothing else runs on it, so input waits for nothing.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use gc_desktop::{DesktopError, DisplayInfo, Input};
use gc_protocol::messages::{Body, SessionResponse};
use gc_session::agent::{AgentSession, Injection, InputRefusal, sequence};

use super::capture::Waker;
use super::link::Link;
use super::worker::lock;

/// Events that may wait. The relay passes 200 a second; when this many wait the
/// desktop is stuck, and what does not fit is dropped after everything held
/// was released.
const WAITING: usize = 4096;

enum Work {
    Input { viewer: u32, body: Body },
    Release(Vec<Injection>),
}

pub(super) struct InputThread {
    sender: SyncSender<Work>,
    session: Arc<Mutex<AgentSession>>,
}

impl InputThread {
    pub(super) fn start(
        input: Box<dyn Input>,
        session: Arc<Mutex<AgentSession>>,
        displays: Arc<Mutex<Vec<DisplayInfo>>>,
        link: Link,
        waker: Waker,
    ) -> Result<Self, DesktopError> {
        let (sender, receiver) = sync_channel(WAITING);
        let thread = Thread { input, session: session.clone(), displays, link, waker };
        std::thread::Builder::new()
            .name("input".into())
            .spawn(move || thread.run(&receiver))
            .map_err(|error| DesktopError::Refused(error.to_string()))?;
        Ok(Self { sender, session })
    }

    pub(super) fn push(&self, viewer: u32, body: Body) {
        if let Err(TrySendError::Full(_)) = self.sender.try_send(Work::Input { viewer, body }) {
            tracing::error!("input is stuck; releasing everything");
            let held = lock(&self.session).release_all();
            self.release(held);
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
    session: Arc<Mutex<AgentSession>>,
    displays: Arc<Mutex<Vec<DisplayInfo>>>,
    link: Link,
    waker: Waker,
}

impl Thread {
    fn run(mut self, works: &Receiver<Work>) {
        for work in works {
            match work {
                Work::Release(injections) => self.inject(None, &injections),
                Work::Input { viewer, body } => {
                    let injections = lock(&self.session).input(viewer, &body);
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
        let displays = self.displays.lock().unwrap_or_else(PoisonError::into_inner).clone();
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

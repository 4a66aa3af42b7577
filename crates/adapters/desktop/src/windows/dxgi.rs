//! A display by desktop duplication (DXGI 1.2): the system says what changed and
//! hands over the picture.
//!
//! Ownership: each display that somebody watches has a [`Watch`], and each watch
//! has a thread. Everything of Direct3D and DXGI lives and dies in that thread,
//! so nothing of it is ever used by two. The thread sleeps in
//! `AcquireNextFrame`; when a frame comes it copies what changed into memory,
//! gives the frame back, notes the rectangles and wakes whoever captures. It
//! takes the next frame only after they have asked what changed, so a slow
//! reader is not run over: the system goes on collecting what changes. Shared
//! are only the pixels in memory and the rectangles, behind one lock that is
//! held for as long as pixels are copied.
//!
//! While a watch does not serve (it begins, the duplication was lost to another
//! mode or to the secure desktop, the system has none) GDI serves its display.
//! The watch tries again, after longer and longer waits; where the system cannot
//! do it at all, only when the layout has changed and with it the watch.
//!
//! Compile-checked and written after Microsoft's documentation ("Desktop
//! Duplication API"): Wine 8 implements none of it, so no test sees it work.

mod duplication;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gc_screen::Rect;

use crate::backoff::Backoff;
use crate::rotation::Pixels;
use crate::{DesktopError, DisplayInfo, Take};
use duplication::{Duplication, Failure};

/// How long one wait for a frame takes at most: how soon a watch that nobody
/// wants any more ends.
const WAIT: Duration = Duration::from_millis(500);
/// Rectangles that are noted one by one; more become the one around them.
const MOST_BOXES: usize = 256;

/// Watches a display until it is dropped.
pub(super) struct Watch(Arc<Shared>);

struct Shared {
    display: DisplayInfo,
    /// Its pixels are those of the display.
    serving: AtomicBool,
    state: Mutex<State>,
    /// Something was asked, or all is over.
    asked: Condvar,
    wake: Arc<dyn Fn() + Send + Sync>,
}

struct State {
    pixels: Pixels,
    /// What changed since it was last asked, in the display's pixels.
    boxes: Vec<Rect>,
    /// What the last frame brought has not been asked for yet.
    waits: bool,
    ended: bool,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.asked.notify_all();
    }
}

impl Watch {
    pub(super) fn begin(display: DisplayInfo, wake: Arc<dyn Fn() + Send + Sync>) -> Self {
        let state = State { pixels: Pixels::new(display.size), boxes: Vec::new(), waits: false, ended: false };
        let serving = AtomicBool::new(false);
        let shared = Arc::new(Shared { display, serving, state: Mutex::new(state), asked: Condvar::new(), wake });
        let watching = shared.clone();
        let thread = std::thread::Builder::new().name("duplication".into()).spawn(move || watching.run());
        if let Err(error) = thread {
            tracing::warn!(%error, "no thread to watch a display");
        }
        Self(shared)
    }

    /// Whether it has the display's pixels now.
    pub(super) fn is_serving(&self) -> bool {
        self.0.serving.load(Ordering::Acquire)
    }

    /// What changed since the last call; `None` where it does not know.
    pub(super) fn changed(&self) -> Option<Vec<Rect>> {
        let mut state = self.0.lock();
        state.waits = false;
        self.0.asked.notify_all();
        let boxes = std::mem::take(&mut state.boxes);
        self.is_serving().then_some(boxes)
    }

    /// Lend a part as it was in the last frame.
    pub(super) fn grab(&self, part: Rect, take: Take<'_>) -> Result<(), DesktopError> {
        let state = self.0.lock();
        let (bytes, stride) = state.pixels.part(part).ok_or(DesktopError::Stale)?;
        take(bytes, stride);
        Ok(())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread: duplicate, until the watch is over.
    fn run(&self) {
        let mut backoff = Backoff::default();
        let mut told = None;
        while !self.lock().ended {
            let failure = match Duplication::open(&self.display) {
                Ok(duplication) => self.serve(duplication, &mut backoff),
                Err(failure) => failure,
            };
            if self.serving.swap(false, Ordering::AcqRel) {
                // From now on GDI serves: whoever captures has to look.
                (self.wake)();
            }
            if matches!(failure, Failure::Ended) {
                return;
            }
            let why = failure.to_string();
            if told.as_ref() != Some(&why) {
                tracing::info!(display = self.display.name, why, "this display is captured by GDI");
                told = Some(why);
            }
            if matches!(failure, Failure::Never(_)) {
                return;
            }
            self.rest(backoff.failed());
        }
    }

    /// Take frames for as long as there are some.
    fn serve(&self, mut duplication: Duplication, backoff: &mut Backoff) -> Failure {
        loop {
            match duplication.next(WAIT) {
                Ok(None) => {}
                Ok(Some(changed)) => {
                    if let Err(failure) = self.take(&mut duplication, &changed, backoff) {
                        return failure;
                    }
                }
                Err(failure) => return failure,
            }
            if self.lock().ended {
                return Failure::Ended;
            }
        }
    }

    /// Copy what a frame brings, give it back, and wait until it was asked for. A
    /// frame without rectangles moved the pointer.
    fn take(&self, duplication: &mut Duplication, changed: &[Rect], backoff: &mut Backoff) -> Result<(), Failure> {
        if !changed.is_empty() {
            let (rotation, surface) = (duplication.rotation(), duplication.surface());
            duplication.read(changed, |bytes, stride| {
                let mut state = self.lock();
                for part in changed {
                    rotation.copy(bytes, stride, *part, surface, &mut state.pixels);
                    state.note(rotation.rect(*part, surface));
                }
            })?;
        }
        duplication.release()?;
        if !changed.is_empty() && !self.serving.swap(true, Ordering::AcqRel) {
            backoff.worked();
            tracing::info!(display = self.display.name, "this display is captured by desktop duplication");
        }
        self.lock().waits = true;
        (self.wake)();
        let state = self.lock();
        drop(self.asked.wait_while(state, |state| state.waits && !state.ended).unwrap_or_else(PoisonError::into_inner));
        Ok(())
    }

    /// Wait before another attempt, no longer than the watch lasts.
    fn rest(&self, wait: Duration) {
        let state = self.lock();
        let rested = self.asked.wait_timeout_while(state, wait, |state| !state.ended);
        drop(rested.unwrap_or_else(PoisonError::into_inner));
    }
}

impl State {
    fn note(&mut self, part: Rect) {
        let full = self.boxes.len() >= MOST_BOXES;
        match self.boxes.last_mut().filter(|_| full) {
            Some(last) => *last = last.around(part),
            None => self.boxes.push(part),
        }
    }
}

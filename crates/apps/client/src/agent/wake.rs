//! The capture thread's queue: what wakes it, and what it has to do.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use gc_desktop::Bell;
use gc_protocol::messages::QualitySettings;

/// Wishes that may wait; more means that the screen is stuck, and then the
/// oldest still count.
pub(super) const WAITING: usize = 1024;

/// What the capture thread has to do.
#[derive(Debug)]
pub(super) enum Work {
    /// A viewer wants this display, and decodes these codecs.
    Show { viewer: u32, display: u32, decodable: Vec<i32> },
    /// How a viewer wants its pictures.
    Prefer { viewer: u32, settings: QualitySettings },
    /// A viewer that watches wants another display.
    Switch { viewer: u32, display: u32 },
    /// A viewer wants nothing more.
    Stop { viewer: u32 },
    /// A viewer has shown a frame, which it took so long to decode; this was heard
    /// then.
    Acknowledged { viewer: u32, frame: (u32, u32, u32), decode: Duration, at: Instant },
    /// A viewer has to begin anew, from now on perhaps without video.
    Refresh { viewer: u32, without_video: bool },
    /// Nobody is there any more.
    Disconnected,
    /// The relay wants to know how the screen is.
    Status,
    /// The session is over.
    End,
}

/// The last input of each viewer that was carried out.
pub(super) type Applied = BTreeMap<u32, u32>;

/// Wakes the capture thread, which sleeps at the screen. Cloning shares it.
#[derive(Debug, Clone)]
pub(super) struct Waker {
    sender: SyncSender<Work>,
    bell: Bell,
    /// Something may have changed that the screen does not tell.
    stirred: Arc<AtomicBool>,
    applied: Arc<Mutex<Applied>>,
    /// How often it was asked what is applied.
    rounds: Arc<AtomicU64>,
}

impl Waker {
    pub(super) fn push(&self, work: Work) {
        match self.sender.try_send(work) {
            Ok(()) => self.bell.ring(),
            Err(TrySendError::Full(_)) => tracing::error!("the screen is stuck; a viewer's wish is lost"),
            Err(TrySendError::Disconnected(_)) => tracing::error!("the capture thread is gone"),
        }
    }

    /// Look: something may have changed.
    pub(super) fn stir(&self) {
        self.stirred.store(true, Ordering::Release);
        self.bell.ring();
    }

    /// Whether there is something to look at since this was last asked.
    pub(super) fn was_stirred(&self) -> bool {
        self.stirred.swap(false, Ordering::AcqRel)
    }

    /// To be asked before an input is carried out, for [`Self::applied`].
    pub(super) fn round(&self) -> u64 {
        self.rounds.load(Ordering::Acquire)
    }

    /// A viewer's input was carried out, begun in this round: pictures from now on
    /// answer it.
    pub(super) fn applied(&self, viewer: u32, sequence: u32, round: u64) {
        self.note_applied(viewer, sequence);
        // What it changed may have been looked at already, without knowing whose it is.
        if self.round() != round {
            self.stir();
        }
    }

    fn note_applied(&self, viewer: u32, sequence: u32) {
        let mut applied = self.applied.lock().unwrap_or_else(PoisonError::into_inner);
        applied.insert(viewer, sequence);
        // Viewers come and go; only the latest matter.
        while applied.len() > 64 {
            applied.pop_first();
        }
    }

    /// What has been carried out by now.
    pub(super) fn answered(&self) -> Applied {
        self.rounds.fetch_add(1, Ordering::AcqRel);
        self.applied.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

pub(super) fn queue(bell: Bell) -> (Waker, Receiver<Work>) {
    let (sender, receiver) = sync_channel(WAITING);
    (Waker { sender, bell, stirred: Arc::default(), applied: Arc::default(), rounds: Arc::default() }, receiver)
}

//! What a frame may hold, and whether somebody waits for it.

use std::time::Duration;

use crate::coded::Kind;

/// An input counts as answered after so many frames: what else has changed may
/// go with the first one, before the program has drawn.
pub(super) const ANSWERS: u8 = 2;
/// And after this time, in which nothing came of it.
const PATIENCE: Duration = Duration::from_millis(500);

/// Bytes of a frame, and what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// What does not fit is left for later.
    pub bytes: usize,
    /// Whether somebody waits for what an input has changed.
    pub answers: Answers,
}

impl Room {
    /// For so many bytes of whatever there is.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self { bytes, answers: Answers::No }
    }
}

/// Whether somebody waits for what an input has changed. A film's next picture is
/// no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// Nobody does.
    No,
    /// It goes before all else.
    First,
    /// Nothing else may go.
    Only,
}

/// Who has typed or pointed waits for what that changes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Waiting {
    /// So many frames are taken for answers.
    left: u8,
    /// When the input came.
    since: Duration,
    /// So many have gone beyond a full window since another frame went.
    beyond: u8,
}

impl Waiting {
    /// An input was carried out.
    pub(super) fn begin(&mut self, now: Duration) {
        (self.left, self.since) = (ANSWERS, now);
    }

    /// Whether somebody waits.
    pub(super) fn is_so(self, now: Duration) -> bool {
        self.left > 0 && now.saturating_sub(self.since) < PATIENCE
    }

    /// Whether an answer may go although the window is full. So that whoever points
    /// without end sees all else too, only some do before there has to be room again.
    pub(super) fn may_go_beyond(self, now: Duration) -> bool {
        self.is_so(now) && self.beyond < ANSWERS
    }

    /// A frame has gone; a film's picture answers nothing.
    pub(super) fn sent(&mut self, answers: Answers, kind: Kind) {
        self.beyond = if answers == Answers::Only { self.beyond + 1 } else { 0 };
        if matches!(kind, Kind::Tiles { .. }) {
            self.left = self.left.saturating_sub(1);
        }
    }
}

//! What a frame may hold.

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

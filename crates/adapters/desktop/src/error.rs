//! What can go wrong with a desktop, in words for the technician.

/// A desktop could not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DesktopError {
    /// There is nothing to see or to ask on.
    #[error("{0}")]
    None(String),
    /// The layout has changed since it was asked for: ask again.
    #[error("the display layout has changed")]
    Stale,
    /// The system refused.
    #[error("{0}")]
    Refused(String),
}

//! What is fuzzed: plain functions over bytes, each with the promises that must
//! hold whatever the bytes are. Tests replay the kept inputs and changes of
//! them; `./run fuzz` searches for new ones by coverage.

#![expect(clippy::expect_used, reason = "a promise that does not hold is what the search looks for")]

mod machines;
mod picture;
#[cfg(feature = "server")]
mod requests;
mod video;
mod wire;

/// One target: a panic in it is a finding.
pub type Target = fn(&[u8]);

/// Every target by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("envelope", wire::envelope),
    ("agent_message", wire::agent_message),
    ("parts", wire::parts),
    ("secrets", wire::secrets),
    ("names", wire::names),
    #[cfg(feature = "server")]
    ("request", requests::request),
    ("relay_session", machines::relay_session),
    ("agent_session", machines::agent_session),
    ("viewer_session", machines::viewer_session),
    ("throttle", machines::throttle),
    ("decoder", picture::decoder),
    ("codec", picture::codec),
    ("video_units", video::units),
    ("screen_coder", video::screen_coder),
];

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().find(|(known, _)| *known == name).map(|(_, target)| *target)
}

//! How a connection ends: close codes and the words that go with them.

use crate::messages::{Disconnect, DisconnectCode};

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ending {
    /// Everything is done.
    Normal,
    /// The server is going away; reconnect with jitter.
    GoingAway,
    /// A message was larger than allowed.
    TooLarge,
    /// A malformed envelope, a body that is not allowed, no common version.
    Protocol,
    /// The credential was revoked, logged out, disabled, or has expired.
    CredentialEnded,
    /// Consent denied, or input from a watcher.
    NotPermitted,
    /// The other side was silent for too long.
    HeartbeatMissed,
    /// A newer connection of the same machine took its place.
    Superseded,
    /// The session has ended or was removed.
    SessionEnded,
    /// Too much, too fast, or too slow to take it in.
    Flooding,
}

impl Ending {
    /// Every ending.
    pub const ALL: [Self; 10] = [
        Self::Normal,
        Self::GoingAway,
        Self::TooLarge,
        Self::Protocol,
        Self::CredentialEnded,
        Self::NotPermitted,
        Self::HeartbeatMissed,
        Self::Superseded,
        Self::SessionEnded,
        Self::Flooding,
    ];

    /// The WebSocket close code.
    #[must_use]
    pub const fn close_code(self) -> u16 {
        match self {
            Self::Normal => 1000,
            Self::GoingAway => 1001,
            Self::TooLarge => 1009,
            Self::Protocol => 4400,
            Self::CredentialEnded => 4401,
            Self::NotPermitted => 4403,
            Self::HeartbeatMissed => 4408,
            Self::Superseded => 4409,
            Self::SessionEnded => 4410,
            Self::Flooding => 4429,
        }
    }

    /// The ending for a close code.
    #[must_use]
    pub fn from_close_code(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|ending| ending.close_code() == code)
    }

    /// The code inside a [`Disconnect`].
    #[must_use]
    pub const fn code(self) -> DisconnectCode {
        match self {
            Self::Normal => DisconnectCode::DisconnectNormal,
            Self::GoingAway => DisconnectCode::DisconnectGoingAway,
            Self::TooLarge => DisconnectCode::DisconnectTooLarge,
            Self::Protocol => DisconnectCode::DisconnectProtocol,
            Self::CredentialEnded => DisconnectCode::DisconnectCredentialEnded,
            Self::NotPermitted => DisconnectCode::DisconnectNotPermitted,
            Self::HeartbeatMissed => DisconnectCode::DisconnectHeartbeatMissed,
            Self::Superseded => DisconnectCode::DisconnectSuperseded,
            Self::SessionEnded => DisconnectCode::DisconnectSessionEnded,
            Self::Flooding => DisconnectCode::DisconnectFlooding,
        }
    }

    /// Whether a client should come back by itself.
    #[must_use]
    pub const fn may_retry(self) -> bool {
        matches!(self, Self::GoingAway | Self::HeartbeatMissed | Self::Flooding)
    }

    /// The message that precedes the close.
    #[must_use]
    pub fn message(self, text: impl Into<String>) -> Disconnect {
        Disconnect {
            code: self.code().into(),
            text: text.into(),
            may_retry: self.may_retry(),
            retry_after_seconds: if self == Self::Flooding { 5 } else { 0 },
            reason: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Ending;

    #[test]
    fn every_close_code_is_its_own() {
        for ending in Ending::ALL {
            assert_eq!(Ending::from_close_code(ending.close_code()), Some(ending));
        }
        assert_eq!(Ending::from_close_code(1006), None);
    }
}

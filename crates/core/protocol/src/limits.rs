//! Numbers that both sides hold to.

use std::time::Duration;

/// Protocol versions that this code speaks, lowest and highest.
pub const VERSIONS: (u32, u32) = (2, 2);
/// WebSocket subprotocol of both planes.
pub const SUBPROTOCOL: &str = "guruconnect.v2";
/// Prefix of the subprotocol that carries a browser's viewer token.
pub const TOKEN_SUBPROTOCOL: &str = "guruconnect.token.";

/// Largest message from an agent, header included.
pub const AGENT_MESSAGE: usize = 4 << 20;
/// Largest message from a viewer.
pub const VIEWER_MESSAGE: usize = 64 << 10;
/// Largest payload of one part of a frame; larger frames travel in parts. A
/// part must not keep a slow line from carrying heartbeats in time.
pub const FRAME_PART: usize = 64 << 10;
/// Most bytes that a frame's parts may add up to.
pub const FRAME_TOTAL: usize = 160 << 20;

/// Input events a viewer may send in a second.
pub const INPUT_PER_SECOND: u32 = 200;
/// Transitions that wait when input comes faster than that; one more ends the viewer.
pub const INPUT_QUEUE: usize = 512;
/// Bytes that may wait for one viewer.
pub const VIEWER_QUEUE: usize = 16 << 20;
/// Messages known but not allowed after which their sender is disconnected.
pub const REFUSED_MESSAGES: u32 = 32;

/// Longest text typed at once, in bytes.
pub const TEXT_INPUT: usize = 1024;
/// Longest chat line, in characters.
pub const CHAT_LINE: usize = 2000;
/// Largest display edge in pixels.
pub const DISPLAY_EDGE: u32 = 16_384;
/// Most displays of one machine.
pub const DISPLAYS: usize = 16;
/// Keys of one keyboard that type characters.
pub const KEY_CAPS: usize = 128;
/// Largest cursor edge in pixels.
pub const CURSOR_EDGE: u32 = 256;
/// Longest name of a host, person or system shown to anybody, in characters.
pub const NAME: usize = 200;

/// Longest message of an administrator to the person, names filled in, in characters.
pub const MESSAGE: usize = 600;

/// How long a person is asked.
pub const CONSENT: Duration = Duration::from_secs(60);
/// Heartbeat period when nobody watches.
pub const HEARTBEAT_IDLE: Duration = Duration::from_secs(30);
/// Heartbeat period while a viewer is attached.
pub const HEARTBEAT_ATTACHED: Duration = Duration::from_secs(1);
/// Silence after which everything held is released.
pub const SILENCE_RELEASE: Duration = Duration::from_secs(3);
/// Silence that ends a connection with a viewer attached.
pub const SILENCE_END: Duration = Duration::from_secs(10);
/// Silence that ends an idle connection: three heartbeats.
pub const SILENCE_END_IDLE: Duration = Duration::from_secs(90);
/// How long an attended agent may be away before its session ends.
pub const AGENT_AWAY: Duration = Duration::from_secs(600);
/// How long an unused support code lives.
pub const CODE_LIFETIME: Duration = Duration::from_secs(900);
/// Period of an agent's status when nothing changes.
pub const STATUS_PERIOD: Duration = Duration::from_secs(60);

/// The version both sides speak, or `None` when there is no common one.
#[must_use]
pub fn common_version(lowest: u32, highest: u32) -> Option<u32> {
    let version = highest.min(VERSIONS.1);
    (version >= lowest.max(VERSIONS.0)).then_some(version)
}

/// `text` without control characters and direction overrides, cut to `most`
/// characters: fit to be shown to a person.
#[must_use]
pub fn displayable(text: &str, most: usize) -> String {
    let hidden = |c: &char| {
        !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
    };
    text.chars().filter(hidden).take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::{common_version, displayable};

    #[test]
    fn versions_meet_or_do_not() {
        for (lowest, highest, expected) in [(2, 2, Some(2)), (1, 9, Some(2)), (3, 9, None), (0, 1, None), (3, 1, None)]
        {
            assert_eq!(common_version(lowest, highest), expected, "{lowest}..{highest}");
        }
    }

    #[test]
    fn names_cannot_disguise_themselves() {
        assert_eq!(displayable("Ada\u{202e}txt.exe\n", 20), "Adatxt.exe");
        assert_eq!(displayable("äöü😀", 3), "äöü");
    }
}

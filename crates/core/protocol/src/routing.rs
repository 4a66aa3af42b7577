//! Who may send what to whom: one table, deny by default.
//!
//! Architectural invariant: the relay, the agent and the viewer all ask this
//! table; a body that has no row, or no entry for a sender, goes nowhere.

/// Who sent a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sender {
    /// The endpoint that is shown and controlled.
    Agent,
    /// A viewer whose access is control.
    ControlViewer,
    /// A viewer whose access is view-only.
    ViewOnlyViewer,
    /// A session for files only: no picture, no input.
    FileViewer,
}

impl Sender {
    /// Every sender.
    pub const ALL: [Self; 4] = [Self::Agent, Self::ControlViewer, Self::ViewOnlyViewer, Self::FileViewer];
}

/// Where an allowed message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Destination {
    /// The relay reads it itself and passes nothing on.
    Relay,
    /// The session's agent.
    Agent,
    /// The agent, and it moves or types something: only from whoever controls.
    AgentInput,
    /// The stream or the viewer that the header names.
    Viewers,
    /// Everybody else in the session, with the sender's name put in.
    Conversation,
}

/// Why a message goes nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// No such body in this version: ignored.
    Unknown,
    /// Known, and not for this sender: counted.
    NotAllowed,
}

struct Row {
    field: u32,
    name: &'static str,
    agent: Option<Destination>,
    control: Option<Destination>,
    view_only: Option<Destination>,
    files: Option<Destination>,
}

const fn row(
    field: u32,
    name: &'static str,
    agent: Option<Destination>,
    control: Option<Destination>,
    view_only: Option<Destination>,
    files: Option<Destination>,
) -> Row {
    Row { field, name, agent, control, view_only, files }
}

const NO: Option<Destination> = None;
const RELAY: Option<Destination> = Some(Destination::Relay);
const AGENT: Option<Destination> = Some(Destination::Agent);
const INPUT: Option<Destination> = Some(Destination::AgentInput);
const VIEWERS: Option<Destination> = Some(Destination::Viewers);
const TALK: Option<Destination> = Some(Destination::Conversation);

#[rustfmt::skip]
const TABLE: &[Row] = &[
    //   field  body                      agent    control  view     files
    row( 1, "VideoFrame",           VIEWERS, NO,      NO,      NO),
    row( 2, "FrameAck",             NO,      AGENT,   AGENT,   NO),
    row( 3, "PointerMove",          NO,      INPUT,   NO,      NO),
    row( 4, "PointerButton",        NO,      INPUT,   NO,      NO),
    row( 5, "PointerWheel",         NO,      INPUT,   NO,      NO),
    row( 6, "KeyEvent",             NO,      INPUT,   NO,      NO),
    row( 7, "TextInput",            NO,      INPUT,   NO,      NO),
    row( 8, "CursorPosition",       VIEWERS, NO,      NO,      NO),
    row( 9, "Heartbeat",            RELAY,   RELAY,   RELAY,   RELAY),
    row(10, "HeartbeatAck",         RELAY,   RELAY,   RELAY,   RELAY),
    row(11, "FileChunk",            NO,      NO,      NO,      NO),
    row(12, "FileTransferAck",      NO,      NO,      NO,      NO),
    row(13, "ClipboardData",        NO,      NO,      NO,      NO),
    row(14, "TerminalData",         NO,      NO,      NO,      NO),
    row(15, "InputReset",           NO,      INPUT,   NO,      NO),
    row(16, "CursorShape",          VIEWERS, NO,      NO,      NO),
    row(17, "RefreshRequest",       NO,      AGENT,   AGENT,   NO),
    row(18, "SpecialKey",           NO,      INPUT,   NO,      NO),
    row(19, "KeyboardLayout",       VIEWERS, NO,      NO,      NO),
    row(20, "AgentHello",           RELAY,   NO,      NO,      NO),
    row(21, "AgentWelcome",         NO,      NO,      NO,      NO),
    row(22, "ViewerHello",          NO,      RELAY,   RELAY,   RELAY),
    row(23, "ViewerWelcome",        NO,      NO,      NO,      NO),
    row(24, "AgentStatus",          RELAY,   NO,      NO,      NO),
    row(25, "StartStream",          NO,      NO,      NO,      NO),
    row(26, "StopStream",           NO,      NO,      NO,      NO),
    row(27, "SessionResponse",      VIEWERS, NO,      NO,      NO),
    row(28, "ViewerJoined",         NO,      NO,      NO,      NO),
    row(29, "ViewerLeft",           NO,      NO,      NO,      NO),
    row(30, "SwitchDisplay",        NO,      AGENT,   AGENT,   NO),
    row(31, "QualitySettings",      NO,      AGENT,   NO,      NO),
    row(32, "Disconnect",           RELAY,   RELAY,   RELAY,   RELAY),
    row(33, "AdminCommand",         NO,      NO,      NO,      NO),
    row(34, "UpdateStatus",         RELAY,   NO,      NO,      NO),
    row(35, "Chat",                 TALK,    TALK,    TALK,    NO),
    row(36, "StreamAssign",         RELAY,   NO,      NO,      NO),
    row(37, "ControlRequest",       NO,      RELAY,   NO,      NO),
    row(38, "ControlState",         NO,      NO,      NO,      NO),
    row(39, "SessionNotice",        NO,      NO,      NO,      NO),
    row(40, "ClipboardOffer",       NO,      NO,      NO,      NO),
    row(41, "ClipboardRequest",     NO,      NO,      NO,      NO),
    row(42, "ViewerStatistics",     NO,      RELAY,   RELAY,   NO),
    row(50, "FileOfferStart",       NO,      NO,      NO,      NO),
    row(51, "FileOfferComplete",    NO,      NO,      NO,      NO),
    row(52, "FileTransferCancel",   NO,      NO,      NO,      NO),
    row(53, "DragEnter",            NO,      NO,      NO,      NO),
    row(54, "DragDrop",             NO,      NO,      NO,      NO),
    row(60, "TerminalOpen",         NO,      NO,      NO,      NO),
    row(61, "TerminalResize",       NO,      NO,      NO,      NO),
    row(62, "TerminalClosed",       NO,      NO,      NO,      NO),
    row(80, "ConsentRequest",       NO,      NO,      NO,      NO),
    row(81, "ConsentResponse",      RELAY,   NO,      NO,      NO),
];

/// Where a body from `sender` goes.
///
/// # Errors
/// [`Refusal`] when it goes nowhere.
pub fn route(field: u32, sender: Sender) -> Result<Destination, Refusal> {
    let Some(row) = TABLE.iter().find(|row| row.field == field) else {
        return Err(Refusal::Unknown);
    };
    let entry = match sender {
        Sender::Agent => row.agent,
        Sender::ControlViewer => row.control,
        Sender::ViewOnlyViewer => row.view_only,
        Sender::FileViewer => row.files,
    };
    entry.ok_or(Refusal::NotAllowed)
}

/// Whether a body moves or types something on the remote machine.
#[must_use]
pub fn is_input(field: u32) -> bool {
    route(field, Sender::ControlViewer) == Ok(Destination::AgentInput)
}

/// A body's name, for logs and counters.
#[must_use]
pub fn name(field: u32) -> &'static str {
    TABLE.iter().find(|row| row.field == field).map_or("unknown", |row| row.name)
}

/// Every field number that has a row.
pub fn known_fields() -> impl Iterator<Item = u32> {
    TABLE.iter().map(|row| row.field)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expectation is written out apart from the table: what each sender
    /// may send at all. Everything else, known or unknown, must be refused.
    #[test]
    fn exhaustive() {
        let watcher = [2, 9, 10, 17, 22, 30, 32, 35, 42];
        let input = [3, 4, 5, 6, 7, 15, 18];
        let controller = [31, 37];
        let agent = [1, 8, 9, 10, 16, 19, 20, 24, 27, 32, 34, 35, 36, 81];
        let files = [9, 10, 22, 32];
        for field in 0..600 {
            let may = |sender| route(field, sender).is_ok();
            assert_eq!(may(Sender::Agent), agent.contains(&field), "agent {field}");
            assert_eq!(may(Sender::ViewOnlyViewer), watcher.contains(&field), "view only {field}");
            let control = watcher.contains(&field) || input.contains(&field) || controller.contains(&field);
            assert_eq!(may(Sender::ControlViewer), control, "control {field}");
            assert_eq!(may(Sender::FileViewer), files.contains(&field), "files {field}");
            assert_eq!(is_input(field), input.contains(&field), "input {field}");
        }
    }

    #[test]
    fn unknown_is_told_from_not_allowed() {
        assert_eq!(route(599, Sender::Agent), Err(Refusal::Unknown));
        assert_eq!(route(3, Sender::ViewOnlyViewer), Err(Refusal::NotAllowed));
    }

    #[test]
    fn every_body_of_the_schema_has_a_row() {
        for field in 1..600 {
            let empty = {
                let mut bytes = Vec::new();
                let mut tag = (field << 3) | 2;
                while tag >= 0x80 {
                    bytes.push((tag & 0x7f) as u8 | 0x80);
                    tag >>= 7;
                }
                bytes.extend([tag as u8, 0]);
                bytes::Bytes::from(bytes)
            };
            let in_schema = crate::decode(empty).unwrap().is_some();
            assert_eq!(in_schema, known_fields().any(|known| known == field), "body {field}");
        }
    }
}

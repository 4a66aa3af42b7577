//! The desktop of the machine: its screen, its input, and the person in front
//! of it, behind traits.
//!
//! Architectural invariant: nothing here decides who may do what. Each system
//! has its own module; unsafe code explains itself block by block.

#[cfg(any(windows, test))]
mod backoff;
#[cfg(any(windows, test))]
mod cursor_shape;
mod error;
#[cfg(any(windows, test))]
mod rotation;
#[cfg(windows)]
mod windows;
#[cfg(windows)]
use windows as system;
#[cfg(target_os = "linux")]
mod x11;
#[cfg(target_os = "linux")]
use x11 as system;

use std::sync::Arc;
use std::time::Duration;

use gc_keys::KeyCap;
use gc_screen::{Rect, Size};
use gc_session::agent::Injection;

pub use error::DesktopError;

/// One display.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisplayInfo {
    /// Its number, stable while the layout stays.
    pub id: u32,
    /// What the system calls it.
    pub name: String,
    /// Left edge in the desktop, may be negative.
    pub x: i32,
    /// Top edge in the desktop, may be negative.
    pub y: i32,
    /// In pixels.
    pub size: Size,
    /// The main one.
    pub primary: bool,
    /// 100 is 96 dots per inch.
    pub scale_percent: u32,
}

/// What may have changed since it was last asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// These rectangles of the desktop: left, top, width, height.
    Boxes(Vec<(i32, i32, u32, u32)>),
    /// The system does not say: compare.
    Unknown,
}

/// The pointer's picture.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CursorImage {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
    /// The point that points.
    pub hotspot: (u32, u32),
    /// Premultiplied red, green, blue, alpha; rows from the top.
    pub rgba: Vec<u8>,
    /// There is none to see.
    pub hidden: bool,
}

/// What pixels are lent to: their bytes, and the bytes from row to row.
pub type Take<'a> = &'a mut dyn FnMut(&[u8], usize);

/// Wakes the thread that sleeps at a screen. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Bell(Arc<system::Bell>);

impl Bell {
    /// Wake it, or let its next sleep be none. Never waits.
    pub fn ring(&self) {
        self.0.ring();
    }
}

/// Sees the desktop. Owned by one thread.
pub trait Screen: Send {
    /// Sleep until something may have changed, the desktop's bell is rung, or so much
    /// time has passed. Whether something may have changed; may wake for nothing.
    fn sleep(&mut self, within: Option<Duration>) -> bool;

    /// Whether [`Self::sleep`] ends with all that input changes, so that nobody has to
    /// look because of an input.
    fn tells_all(&self) -> bool;

    /// The displays now.
    ///
    /// # Errors
    /// When the system does not answer.
    fn displays(&mut self) -> Result<Vec<DisplayInfo>, DesktopError>;

    /// What may have changed on these displays since the last call: those that
    /// somebody watches, and perhaps others. What is not named needs no looking
    /// at, until it is named again.
    ///
    /// # Errors
    /// When the system does not answer.
    fn changed(&mut self, watched: &[DisplayInfo]) -> Result<Changed, DesktopError>;

    /// Lend the pixels of a part of a display: blue, green, red and one ignored
    /// byte each, rows from the top, and how many bytes one row begins after the
    /// one before. The last row may end with its last pixel.
    ///
    /// # Errors
    /// When the part does not exist any more or cannot be seen just now; then
    /// nothing is lent.
    fn grab(&mut self, display: &DisplayInfo, part: Rect, take: Take<'_>) -> Result<(), DesktopError>;

    /// Whether something has said since [`Self::cursor`] that the pointer moved
    /// or changed. It may do so without that.
    fn pointer_stirred(&self) -> bool;

    /// The pointer's picture if it changed, and where it is on the desktop.
    ///
    /// # Errors
    /// When the system does not answer.
    fn cursor(&mut self) -> Result<(Option<CursorImage>, (i32, i32)), DesktopError>;

    /// How often to look where the system does not report changes; `None` where
    /// it reports all of those on the displays that are watched.
    fn poll_period(&self) -> Option<Duration>;

    /// Why nothing can be shown just now, in words for the technician.
    fn obstacle(&mut self) -> Option<String>;
}

/// Moves and types. Owned by one thread.
pub trait Input: Send {
    /// Carry out one injection. `displays` are those the viewer knows.
    ///
    /// # Errors
    /// When the system refuses, in words for the technician.
    fn inject(&mut self, what: &Injection, displays: &[DisplayInfo]) -> Result<(), DesktopError>;

    /// What the keys type, if that is new since it was last asked.
    fn layout(&mut self) -> Option<Vec<KeyCap>>;
}

/// A question for the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Who asks.
    pub technician: String,
    /// For which company; may be empty.
    pub organization: String,
    /// To control, not only to see.
    pub control: bool,
    /// What the organisation adds; may be empty.
    pub message: String,
    /// How long to wait.
    pub timeout: Duration,
}

impl Question {
    /// The question as a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let who = if self.organization.is_empty() {
            self.technician.clone()
        } else {
            format!("{} from {}", self.technician, self.organization)
        };
        let what = if self.control { "see and control this computer" } else { "see this computer's screen" };
        format!("{who} wants to {what}.")
    }

    /// What yes means, and below it what the organisation adds: said to be
    /// theirs, never in place of our words.
    #[must_use]
    pub fn explanations(&self) -> Vec<String> {
        let mut all = vec![self.meaning().to_owned()];
        if !self.message.is_empty() {
            let who = if self.organization.is_empty() { &self.technician } else { &self.organization };
            all.push(format!("{who} says: {}", self.message));
        }
        all
    }

    fn meaning(&self) -> &'static str {
        if self.control {
            "They will see everything on your screen and can use your mouse and keyboard. You can end it at any moment."
        } else {
            "They will see everything on your screen. They cannot touch anything. You can end it at any moment."
        }
    }
}

/// How a question went. Only an explicit yes is a yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// They chose to allow it.
    Allowed,
    /// They chose to deny it.
    Denied,
    /// They closed the question.
    Closed,
    /// They did not answer.
    TimedOut,
    /// There is no way to ask anybody.
    NoPrompt,
}

/// What the notice shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Presence {
    /// A sentence: who is doing what.
    pub sentence: String,
    /// The conversation so far, newest last.
    pub lines: Vec<String>,
}

/// What the person does at the notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticeEvent {
    /// They end the session.
    End,
    /// They say something.
    Say(String),
}

/// A notice on the screen. It goes when this is dropped.
pub trait Notice: Send {
    /// Show this from now on.
    fn show(&self, presence: Presence);
}

/// Takes back a question that is on the screen.
#[derive(Debug, Clone, Default)]
pub struct Withdraw(std::sync::Arc<std::sync::atomic::AtomicBool>);

impl Withdraw {
    /// The question is no longer asked.
    pub fn now(&self) {
        self.0.store(true, std::sync::atomic::Ordering::Release);
    }

    /// Whether it was taken back.
    #[must_use]
    pub fn is_withdrawn(&self) -> bool {
        self.0.load(std::sync::atomic::Ordering::Acquire)
    }
}

/// Talks to the person.
pub trait Prompt: Send + Sync {
    /// Ask, and wait for the answer.
    fn ask(&self, question: &Question, withdraw: &Withdraw) -> Answer;

    /// Show the notice. `heard` is called on a thread of the notice's own.
    ///
    /// # Errors
    /// When there is no way to show anything.
    fn notice(
        &self,
        presence: Presence,
        heard: Box<dyn Fn(NoticeEvent) + Send>,
    ) -> Result<Box<dyn Notice>, DesktopError>;

    /// Ask for a support code; `None` when the person gives up. `problem` says
    /// what was wrong with the last one.
    ///
    /// # Errors
    /// When there is no way to ask.
    fn ask_code(&self, problem: Option<&str>) -> Result<Option<String>, DesktopError>;

    /// Show that something takes a while, until the answer is dropped.
    fn busy(&self, text: &str) -> Box<dyn Send>;

    /// Tell the person something, and wait until they have read it.
    fn tell(&self, title: &str, text: &str);
}

/// Everything at once.
pub struct Desktop {
    /// The screen.
    pub screen: Box<dyn Screen>,
    /// The input.
    pub input: Box<dyn Input>,
    /// Wakes whoever sleeps at the screen.
    pub bell: Bell,
}

impl std::fmt::Debug for Desktop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desktop").finish_non_exhaustive()
    }
}

/// Open the desktop of this session.
///
/// # Errors
/// When there is none that can be seen, in words for the technician.
pub fn open() -> Result<Desktop, DesktopError> {
    system::open()
}

/// A way to talk to the person; where there is none, nobody answers.
pub fn prompt() -> Box<dyn Prompt> {
    system::prompt()
}

/// The machine's name and system, as the technician reads them.
#[must_use]
pub fn machine() -> (String, String) {
    system::machine()
}

//! The dialogs: consent by the system's task dialog, or its message box where
//! there is none; notice and code by panels.

use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use windows::Win32::Foundation::{HWND, LPARAM, S_OK, WPARAM};
use windows::Win32::System::LibraryLoader::{GetProcAddress, LoadLibraryW};
use windows::Win32::System::Threading::GetCurrentThreadId;
use windows::Win32::UI::Controls::{
    TASKDIALOG_BUTTON, TASKDIALOG_NOTIFICATIONS, TASKDIALOGCONFIG, TDE_FOOTER, TDF_ALLOW_DIALOG_CANCELLATION,
    TDF_CALLBACK_TIMER, TDM_CLICK_BUTTON, TDM_SET_ELEMENT_TEXT, TDN_CREATED, TDN_TIMER,
};
use windows::Win32::UI::WindowsAndMessaging::{
    EnumThreadWindows, HWND_TOPMOST, IDCANCEL, IDNO, IDYES, MB_DEFBUTTON2, MB_ICONINFORMATION, MB_ICONQUESTION, MB_OK,
    MB_SETFOREGROUND, MB_TOPMOST, MB_YESNO, MessageBoxW, PostMessageW, SWP_NOMOVE, SWP_NOSIZE, SendMessageW,
    SetForegroundWindow, SetWindowPos, WM_COMMAND,
};
use windows::core::{BOOL, HRESULT, PCWSTR, s, w};

use super::panel::{Act, Flow, Handle, Panel, run};
use super::wide;
use crate::{Answer, DesktopError, Notice, NoticeEvent, Presence, Prompt, Question, Withdraw};

pub(super) struct WindowsPrompt;

const TITLE: PCWSTR = w!("GuruConnect: allow remote support?");
const ALLOW: i32 = 101;
const DENY: i32 = 102;

type TaskDialog = unsafe extern "system" fn(*const TASKDIALOGCONFIG, *mut i32, *mut i32, *mut BOOL) -> HRESULT;

/// The task dialog, where the system has one.
fn task_dialog() -> Option<TaskDialog> {
    // SAFETY: the signature is the documented one of this function.
    unsafe {
        let library = LoadLibraryW(w!("comctl32.dll")).ok()?;
        let found = GetProcAddress(library, s!("TaskDialogIndirect"))?;
        Some(std::mem::transmute::<unsafe extern "system" fn() -> isize, TaskDialog>(found))
    }
}

struct Asking {
    deadline: Instant,
    withdraw: Withdraw,
    shown: u64,
    timed_out: bool,
}

fn countdown(left: u64) -> Vec<u16> {
    wide(&format!("This question closes by itself in {left} seconds."))
}

fn seconds_left(deadline: Instant) -> u64 {
    let left = deadline.saturating_duration_since(Instant::now());
    left.as_secs() + u64::from(left.subsec_nanos() > 0)
}

unsafe extern "system" fn tick(
    window: HWND,
    notification: TASKDIALOG_NOTIFICATIONS,
    _: WPARAM,
    _: LPARAM,
    asking: isize,
) -> HRESULT {
    // SAFETY: `ask_by_task_dialog` passes its own state, alive through the call.
    let asking = unsafe { &mut *(asking as *mut Asking) };
    // SAFETY: the window is the dialog's, on its own thread.
    unsafe {
        if notification == TDN_CREATED {
            let place = SWP_NOMOVE | SWP_NOSIZE;
            let _raised: windows::core::Result<()> = SetWindowPos(window, Some(HWND_TOPMOST), 0, 0, 0, 0, place);
            let _front = SetForegroundWindow(window);
        } else if notification == TDN_TIMER {
            let left = seconds_left(asking.deadline);
            if left == 0 || asking.withdraw.is_withdrawn() {
                asking.timed_out = left == 0;
                SendMessageW(window, TDM_CLICK_BUTTON.0 as u32, Some(WPARAM(IDCANCEL.0 as usize)), None);
            } else if left != asking.shown {
                asking.shown = left;
                let text = countdown(left);
                let (element, text) = (WPARAM(TDE_FOOTER.0 as usize), LPARAM(text.as_ptr() as isize));
                SendMessageW(window, TDM_SET_ELEMENT_TEXT.0 as u32, Some(element), Some(text));
            }
        }
    }
    S_OK
}

fn ask_by_task_dialog(show: TaskDialog, question: &Question, withdraw: &Withdraw) -> Option<Answer> {
    let (sentence, explanation) = (wide(&question.sentence()), wide(&question.explanations().join("\n\n")));
    let deadline = Instant::now() + question.timeout;
    let left = seconds_left(deadline);
    let footer = countdown(left);
    let mut asking = Asking { deadline, withdraw: withdraw.clone(), shown: left, timed_out: false };
    let buttons = [
        TASKDIALOG_BUTTON { nButtonID: ALLOW, pszButtonText: w!("Allow") },
        TASKDIALOG_BUTTON { nButtonID: DENY, pszButtonText: w!("Deny") },
    ];
    let mut config = TASKDIALOGCONFIG {
        cbSize: size_of::<TASKDIALOGCONFIG>() as u32,
        dwFlags: TDF_ALLOW_DIALOG_CANCELLATION | TDF_CALLBACK_TIMER,
        pszWindowTitle: TITLE,
        pszMainInstruction: PCWSTR(sentence.as_ptr()),
        pszContent: PCWSTR(explanation.as_ptr()),
        cButtons: 2,
        pButtons: buttons.as_ptr(),
        nDefaultButton: DENY,
        pszFooter: PCWSTR(footer.as_ptr()),
        pfCallback: Some(tick),
        ..Default::default()
    };
    config.lpCallbackData = &raw mut asking as isize;
    let mut pressed = 0;
    // SAFETY: everything that the structure points to lives through the call.
    let shown = unsafe { show(&raw const config, &raw mut pressed, std::ptr::null_mut(), std::ptr::null_mut()) };
    if shown.is_err() {
        return None;
    }
    Some(match pressed {
        ALLOW => Answer::Allowed,
        DENY => Answer::Denied,
        _ if asking.timed_out => Answer::TimedOut,
        _ => Answer::Closed,
    })
}

unsafe extern "system" fn answer_no(window: HWND, _: LPARAM) -> BOOL {
    // SAFETY: posting to a window that has gone fails and does nothing.
    let _gone: windows::core::Result<()> =
        unsafe { PostMessageW(Some(window), WM_COMMAND, WPARAM(IDNO.0 as usize), LPARAM(0)) };
    true.into()
}

/// The message box knows neither our buttons nor a countdown: the words say
/// what Yes and No mean, and another thread closes it when time is over.
fn ask_by_message_box(question: &Question, withdraw: &Withdraw) -> Answer {
    let text = format!(
        "{}\n\n{}\n\nYes allows it, No denies it. This question closes by itself in {} seconds.",
        question.sentence(),
        question.explanations().join("\n\n"),
        question.timeout.as_secs()
    );
    let text = wide(&text);
    let deadline = Instant::now() + question.timeout;
    let (done, ended) = sync_channel::<()>(1);
    let withdrawn = withdraw.clone();
    // SAFETY: a plain query.
    let asking = unsafe { GetCurrentThreadId() };
    let closer = std::thread::Builder::new().name("consent-time".into()).spawn(move || {
        while ended.recv_timeout(Duration::from_millis(200)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            if Instant::now() < deadline && !withdrawn.is_withdrawn() {
                continue;
            }
            // SAFETY: the callback touches windows of the asking thread only:
            // that is the box.
            unsafe {
                let _all: BOOL = EnumThreadWindows(asking, Some(answer_no), LPARAM(0));
            }
        }
    });
    if closer.is_err() {
        return Answer::NoPrompt;
    }
    let style = MB_YESNO | MB_DEFBUTTON2 | MB_ICONQUESTION | MB_TOPMOST | MB_SETFOREGROUND;
    // SAFETY: both strings live through the call.
    let pressed = unsafe { MessageBoxW(None, PCWSTR(text.as_ptr()), TITLE, style) };
    drop(done);
    match pressed {
        IDYES if !withdraw.is_withdrawn() => Answer::Allowed,
        _ if Instant::now() >= deadline => Answer::TimedOut,
        IDNO => Answer::Denied,
        pressed if pressed.0 == 0 => Answer::NoPrompt,
        _ => Answer::Closed,
    }
}

impl Prompt for WindowsPrompt {
    fn ask(&self, question: &Question, withdraw: &Withdraw) -> Answer {
        let by_task_dialog = task_dialog().and_then(|show| ask_by_task_dialog(show, question, withdraw));
        by_task_dialog.unwrap_or_else(|| ask_by_message_box(question, withdraw))
    }

    fn notice(
        &self,
        presence: Presence,
        heard: Box<dyn Fn(NoticeEvent) + Send>,
    ) -> Result<Box<dyn Notice>, DesktopError> {
        let state = Arc::new(Mutex::new((presence, false)));
        let (ready, handle) = sync_channel(1);
        let shown = state.clone();
        std::thread::Builder::new()
            .name("notice".into())
            .spawn(move || {
                // Somebody who is watched must see it: whatever way the notice
                // goes that nobody asked for, the session ends.
                let guard = Guard { heard, state: shown.clone() };
                let look = move || shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let panel = Panel {
                    title: "GuruConnect: remote support".into(),
                    text: words(&look().0),
                    buttons: Some(("Send", "End session")),
                    corner: true,
                };
                let handler = Box::new(move |act| match act {
                    Act::Second => {
                        (guard.heard)(NoticeEvent::End);
                        Flow::Wait
                    }
                    Act::First(text) => {
                        if !text.trim().is_empty() {
                            (guard.heard)(NoticeEvent::Say(text));
                        }
                        Flow::Show(words(&look().0), true)
                    }
                    Act::Close => Flow::Wait,
                    Act::Woken => match look() {
                        (_, true) => Flow::Done,
                        (presence, false) => Flow::Show(words(&presence), false),
                    },
                });
                if let Err(error) = run(
                    &panel,
                    move |handle| {
                        let _waiting: std::result::Result<(), _> = ready.send(handle);
                    },
                    handler,
                ) {
                    tracing::error!(%error, "the notice cannot be shown");
                }
            })
            .map_err(|error| DesktopError::Refused(error.to_string()))?;
        let handle = handle.recv().map_err(|_| DesktopError::Refused("no window can be shown".into()))?;
        Ok(Box::new(WindowsNotice { state, handle }))
    }

    fn ask_code(&self, problem: Option<&str>) -> Result<Option<String>, DesktopError> {
        let mut text =
            "Enter your support code. Your technician reads it to you: three groups of three letters and digits."
                .to_owned();
        if let Some(problem) = problem {
            text.push_str("\r\n\r\n");
            text.push_str(problem);
        }
        let buttons = Some(("Connect", "Cancel"));
        let panel = Panel { title: "GuruConnect".into(), text, buttons, corner: false };
        let typed = Arc::new(Mutex::new(None));
        let result = typed.clone();
        let handler = Box::new(move |act| match act {
            Act::First(code) if code.trim().is_empty() => Flow::Wait,
            Act::First(code) => {
                *result.lock().unwrap_or_else(PoisonError::into_inner) = Some(code);
                Flow::Done
            }
            Act::Second | Act::Close => Flow::Done,
            Act::Woken => Flow::Wait,
        });
        run(&panel, |_| {}, handler)?;
        let typed = typed.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(typed)
    }

    fn busy(&self, text: &str) -> Box<dyn Send> {
        let (ready, handle) = sync_channel(1);
        let title = "GuruConnect: connecting".into();
        let panel = Panel { title, text: text.to_owned(), buttons: None, corner: false };
        let spawned = std::thread::Builder::new().name("busy".into()).spawn(move || {
            let handler = Box::new(|act| if matches!(act, Act::Woken) { Flow::Done } else { Flow::Wait });
            let ready = move |handle| {
                let _waiting: std::result::Result<(), _> = ready.send(handle);
            };
            if let Err(error) = run(&panel, ready, handler) {
                tracing::warn!(%error, "the person cannot be shown that something takes a while");
            }
        });
        match spawned.ok().and_then(|_| handle.recv().ok()) {
            Some(handle) => Box::new(Busy(handle)),
            None => Box::new(()),
        }
    }

    fn tell(&self, title: &str, text: &str) {
        let text = wide(&format!("{title}\n\n{text}"));
        let style = MB_OK | MB_ICONINFORMATION | MB_TOPMOST | MB_SETFOREGROUND;
        // SAFETY: both strings live through the call.
        unsafe { MessageBoxW(None, PCWSTR(text.as_ptr()), w!("GuruConnect"), style) };
    }
}

/// A panel that says that something takes a while, until this is dropped.
struct Busy(Handle);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.wake();
    }
}

/// Ends the session when the notice goes by itself.
struct Guard {
    heard: Box<dyn Fn(NoticeEvent) + Send>,
    state: Arc<Mutex<(Presence, bool)>>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let wanted = self.state.lock().unwrap_or_else(PoisonError::into_inner).1;
        if !wanted {
            tracing::error!("the notice is gone: the session ends");
            (self.heard)(NoticeEvent::End);
        }
    }
}

fn words(presence: &Presence) -> String {
    let mut words = presence.sentence.clone();
    for line in &presence.lines {
        words.push_str("\r\n");
        words.push_str(line);
    }
    // An ampersand would underline the next letter.
    words.replace('&', "&&")
}

struct WindowsNotice {
    state: Arc<Mutex<(Presence, bool)>>,
    handle: Handle,
}

impl Notice for WindowsNotice {
    fn show(&self, presence: Presence) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0 = presence;
        self.handle.wake();
    }
}

impl Drop for WindowsNotice {
    fn drop(&mut self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
        self.handle.wake();
    }
}

//! The screen: what is watched by desktop duplication where that works, and by
//! GDI, copied as a whole and compared, where it does not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gc_screen::{Rect, Size};
use windows::Win32::Foundation::{LPARAM, RECT};
use windows::Win32::Graphics::Gdi::{EnumDisplayMonitors, GetMonitorInfoW, HDC, HMONITOR, MONITORINFO, MONITORINFOEXW};
use windows::Win32::System::StationsAndDesktops::{
    CloseDesktop, DESKTOP_CONTROL_FLAGS, DESKTOP_READOBJECTS, OpenInputDesktop,
};
use windows::core::BOOL;

use super::bell::Bell;
use super::cursor::Cursor;
use super::dxgi::Watch;
use super::gdi::Gdi;
use super::scale;
use crate::{Changed, CursorImage, DesktopError, DisplayInfo, Screen, Take};

/// How often to look by GDI while something moves.
const PERIOD: Duration = Duration::from_millis(33);
/// The primary monitor's flag in `MONITORINFO` (`MONITORINFOF_PRIMARY`).
const PRIMARY: u32 = 1;

pub(super) struct WindowsScreen {
    gdi: Gdi,
    cursor: Cursor,
    bell: Arc<Bell>,
    /// Something has said that it changed.
    stirred: Arc<AtomicBool>,
    /// What was listed last.
    displays: Vec<DisplayInfo>,
    /// The displays that somebody watches.
    watches: BTreeMap<u32, Watch>,
}

impl WindowsScreen {
    pub(super) fn new(bell: Arc<Bell>) -> Result<Self, DesktopError> {
        let (cursor, displays, watches) = (Cursor::default(), Vec::new(), BTreeMap::new());
        Ok(Self { gdi: Gdi::new()?, cursor, bell, stirred: Arc::default(), displays, watches })
    }

    /// For a thread that watches: whoever sleeps has to look.
    fn wake(&self) -> Arc<dyn Fn() + Send + Sync> {
        let (bell, stirred) = (self.bell.clone(), self.stirred.clone());
        Arc::new(move || {
            stirred.store(true, Ordering::Release);
            bell.ring();
        })
    }
}

unsafe extern "system" fn collect(monitor: HMONITOR, _: HDC, _: *mut RECT, found: LPARAM) -> BOOL {
    // SAFETY: `found` is the vector that `displays` passed, alive through the call.
    let found = unsafe { &mut *(found.0 as *mut Vec<HMONITOR>) };
    found.push(monitor);
    true.into()
}

fn list() -> Result<Vec<DisplayInfo>, DesktopError> {
    let mut monitors: Vec<HMONITOR> = Vec::new();
    let found = LPARAM(&raw mut monitors as isize);
    // SAFETY: the callback gets a pointer to a vector that outlives the call.
    let listed = unsafe { EnumDisplayMonitors(None, None, Some(collect), found) };
    if !listed.as_bool() || monitors.is_empty() {
        return Err(DesktopError::None("This computer shows no desktop.".into()));
    }
    let mut displays = Vec::new();
    for (id, monitor) in (0u32..).zip(monitors) {
        let mut info = MONITORINFOEXW::default();
        info.monitorInfo.cbSize = size_of::<MONITORINFOEXW>() as u32;
        // SAFETY: the size says which of the two structures this is.
        let known = unsafe { GetMonitorInfoW(monitor, (&raw mut info).cast::<MONITORINFO>()) };
        if !known.as_bool() {
            continue;
        }
        let area = info.monitorInfo.rcMonitor;
        let edge = |from: i32, to: i32| u32::try_from(to.saturating_sub(from)).unwrap_or(0);
        let length = info.szDevice.iter().position(|unit| *unit == 0).unwrap_or(info.szDevice.len());
        displays.push(DisplayInfo {
            id,
            name: String::from_utf16_lossy(info.szDevice.get(..length).unwrap_or_default()),
            x: area.left,
            y: area.top,
            size: Size::new(edge(area.left, area.right), edge(area.top, area.bottom)),
            primary: info.monitorInfo.dwFlags & PRIMARY != 0,
            scale_percent: scale::percent(monitor),
        });
    }
    Ok(displays)
}

impl Screen for WindowsScreen {
    fn sleep(&mut self, within: Option<Duration>) -> bool {
        self.bell.sleep(within);
        self.stirred.swap(false, Ordering::AcqRel)
    }

    /// Of the pointer nothing is told, and GDI tells nothing at all.
    fn tells_all(&self) -> bool {
        false
    }

    fn displays(&mut self) -> Result<Vec<DisplayInfo>, DesktopError> {
        let displays = list()?;
        if displays != self.displays {
            // Duplication ends with the layout that it began with, and what did
            // not work may work in another one.
            self.watches.clear();
            self.displays.clone_from(&displays);
        }
        Ok(displays)
    }

    fn changed(&mut self, watched: &[DisplayInfo]) -> Result<Changed, DesktopError> {
        self.watches.retain(|id, _| watched.iter().any(|display| display.id == *id));
        let mut boxes = Vec::new();
        let mut reports = false;
        let wake = self.wake();
        for display in watched {
            let begin = || Watch::begin(display.clone(), wake.clone());
            let watch = self.watches.entry(display.id).or_insert_with(begin);
            let parts = watch.changed();
            reports |= parts.is_some();
            for part in parts.unwrap_or_else(|| vec![display.size.rect()]) {
                let at = |origin: i32, offset: u32| origin.saturating_add_unsigned(offset);
                boxes.push((at(display.x, part.x), at(display.y, part.y), part.width, part.height));
            }
        }
        Ok(if reports { Changed::Boxes(boxes) } else { Changed::Unknown })
    }

    fn grab(&mut self, display: &DisplayInfo, part: Rect, take: Take<'_>) -> Result<(), DesktopError> {
        match self.watches.get(&display.id) {
            Some(watch) if watch.is_serving() => watch.grab(part, take),
            _ => self.gdi.grab(display, part, take),
        }
    }

    fn pointer_stirred(&self) -> bool {
        true
    }

    fn cursor(&mut self) -> Result<(Option<CursorImage>, (i32, i32)), DesktopError> {
        self.cursor.look(self.gdi.context())
    }

    fn poll_period(&self) -> Option<Duration> {
        let reported = !self.watches.is_empty() && self.watches.values().all(Watch::is_serving);
        (!reported).then_some(PERIOD)
    }

    fn obstacle(&mut self) -> Option<String> {
        // SAFETY: the handle is closed at once.
        match unsafe { OpenInputDesktop(DESKTOP_CONTROL_FLAGS(0), false, DESKTOP_READOBJECTS) } {
            Ok(desktop) => {
                // SAFETY: opened just now.
                let _closed: windows::core::Result<()> = unsafe { CloseDesktop(desktop) };
                None
            }
            Err(_) => Some(
                "Windows shows a security prompt (UAC) or the lock screen, which this program may not see. \
                 Ask the person to answer it."
                    .into(),
            ),
        }
    }
}

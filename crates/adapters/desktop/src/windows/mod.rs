//! Windows: capture by desktop duplication or GDI, input by `SendInput`, native
//! dialogs.

mod bell;
mod cursor;
mod dialog;
mod dxgi;
mod gdi;
mod input;
mod keyboard;
mod library;
mod panel;
mod scale;
mod screen;

use std::sync::Arc;

use windows::Win32::System::Registry::{HKEY_LOCAL_MACHINE, RRF_RT_REG_SZ, RegGetValueW};
use windows::core::w;

use crate::{Desktop, DesktopError, Prompt};
pub(crate) use bell::Bell;

/// Desktop duplication wakes where it works. GDI reports no changes: with it the
/// screen is looked at as often as [`crate::Screen::poll_period`] says.
pub(crate) fn open() -> Result<Desktop, DesktopError> {
    let bell = Arc::new(Bell::default());
    let screen = screen::WindowsScreen::new(bell.clone())?;
    let input = Box::new(input::SendInput::default());
    Ok(Desktop { screen: Box::new(screen), input, bell: crate::Bell(bell) })
}

pub(crate) fn prompt() -> Box<dyn Prompt> {
    Box::new(dialog::WindowsPrompt)
}

pub(crate) fn machine() -> (String, String) {
    let name = std::env::var("COMPUTERNAME").unwrap_or_default();
    let mut text = [0u16; 256];
    let mut bytes = 512u32;
    // SAFETY: the buffer is as long as `bytes` says.
    let read = unsafe {
        RegGetValueW(
            HKEY_LOCAL_MACHINE,
            w!("SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion"),
            w!("ProductName"),
            RRF_RT_REG_SZ,
            None,
            Some(text.as_mut_ptr().cast()),
            Some(&raw mut bytes),
        )
    };
    let length = text.iter().position(|unit| *unit == 0).unwrap_or(0);
    let product = String::from_utf16_lossy(text.get(..length).unwrap_or_default());
    (name, if read.is_ok() && !product.is_empty() { product } else { "Windows".into() })
}

/// A text as the system takes it.
fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().filter(|unit| *unit != 0).chain([0]).collect()
}

fn refused(what: &str) -> impl Fn(windows::core::Error) -> DesktopError + '_ {
    move |error| DesktopError::Refused(format!("{what}: {error}"))
}

//! Functions of the system's libraries that not every Windows has: an import
//! would keep the program from starting there.

use windows::Win32::System::LibraryLoader::{GetProcAddress, LOAD_LIBRARY_SEARCH_SYSTEM32, LoadLibraryExW};
use windows::core::{PCSTR, PCWSTR};

/// What has to be turned into the function's own type.
pub(super) type Function = unsafe extern "system" fn() -> isize;

/// A function, from the system's folder and no other. The library stays loaded.
pub(super) fn function(library: PCWSTR, name: PCSTR) -> Option<Function> {
    // SAFETY: both names are constants that end with a zero.
    unsafe {
        let library = LoadLibraryExW(library, None, LOAD_LIBRARY_SEARCH_SYSTEM32).ok()?;
        GetProcAddress(library, name)
    }
}

//! Media Foundation itself, loaded when it is needed: editions of Windows
//! without it (N) have no `mfplat.dll`, and the agent has to start there.

#![expect(unsafe_code, reason = "functions of the system")]

use std::ffi::c_void;
use std::rc::Rc;

use windows::Win32::Media::MediaFoundation::{
    IMFActivate, IMFMediaBuffer, IMFMediaType, IMFSample, MF_VERSION, MFMediaType_Video, MFSTARTUP_LITE,
    MFT_CATEGORY_VIDEO_ENCODER, MFT_ENUM_FLAG_HARDWARE, MFT_ENUM_FLAG_SORTANDFILTER, MFT_REGISTER_TYPE_INFO,
    MFVideoFormat_H264, MFVideoFormat_NV12,
};
use windows::Win32::System::Com::{COINIT_MULTITHREADED, CoInitializeEx, CoUninitialize};
use windows::Win32::System::LibraryLoader::{GetProcAddress, LOAD_LIBRARY_SEARCH_SYSTEM32, LoadLibraryExW};
use windows::core::{GUID, HRESULT, Interface, PCSTR, PCWSTR, s, w};

type Function = unsafe extern "system" fn() -> isize;
type Startup = unsafe extern "system" fn(u32, u32) -> HRESULT;
type Shutdown = unsafe extern "system" fn() -> HRESULT;
type Enumerate = unsafe extern "system" fn(
    GUID,
    u32,
    *const MFT_REGISTER_TYPE_INFO,
    *const MFT_REGISTER_TYPE_INFO,
    *mut *mut Option<IMFActivate>,
    *mut u32,
) -> HRESULT;
type Create = unsafe extern "system" fn(*mut *mut c_void) -> HRESULT;
type CreateBuffer = unsafe extern "system" fn(u32, *mut *mut c_void) -> HRESULT;
type Free = unsafe extern "system" fn(*mut c_void);

/// What went wrong, for the log.
pub(super) type Result<T> = std::result::Result<T, String>;

pub(super) fn failed(what: &str) -> impl Fn(windows::core::Error) -> String + '_ {
    move |error| format!("{what}: {error}")
}

/// COM and Media Foundation in this thread, until the last copy is dropped.
#[derive(Clone)]
pub(super) struct Platform(Rc<Functions>);

struct Functions {
    startup: Startup,
    shutdown: Shutdown,
    enumerate: Enumerate,
    create_type: Create,
    create_sample: Create,
    create_buffer: CreateBuffer,
    free: Free,
}

impl Platform {
    pub(super) fn start() -> Result<Self> {
        let functions = Functions::load()?;
        // SAFETY: each is undone once, when the last copy is dropped, in the same thread:
        // what holds the functions cannot be sent to another one.
        unsafe {
            CoInitializeEx(None, COINIT_MULTITHREADED).ok().map_err(failed("COM does not begin"))?;
            if let Err(error) = (functions.startup)(MF_VERSION, MFSTARTUP_LITE).ok() {
                CoUninitialize();
                return Err(failed("Media Foundation does not begin")(error));
            }
        }
        Ok(Self(Rc::new(functions)))
    }

    /// Encoders in hardware that take NV12 and give H.264, the best first.
    pub(super) fn encoders(&self) -> Result<Vec<IMFActivate>> {
        let kind = |subtype| MFT_REGISTER_TYPE_INFO { guidMajorType: MFMediaType_Video, guidSubtype: subtype };
        let (from, to) = (kind(MFVideoFormat_NV12), kind(MFVideoFormat_H264));
        let flags = (MFT_ENUM_FLAG_HARDWARE | MFT_ENUM_FLAG_SORTANDFILTER).0.cast_unsigned();
        let (mut list, mut count) = (std::ptr::null_mut::<Option<IMFActivate>>(), 0_u32);
        // SAFETY: all pointers live through the call. What comes back is an array
        // of `count` interfaces, each of them and the array ours: the interfaces
        // are moved out, and the array is freed once.
        unsafe {
            let listed = (self.0.enumerate)(
                MFT_CATEGORY_VIDEO_ENCODER,
                flags,
                &raw const from,
                &raw const to,
                &raw mut list,
                &raw mut count,
            );
            listed.ok().map_err(failed("no encoders are listed"))?;
            if list.is_null() {
                return Ok(Vec::new());
            }
            let found = (0..count as usize).filter_map(|at| list.add(at).read()).collect();
            (self.0.free)(list.cast());
            Ok(found)
        }
    }

    pub(super) fn media_type(&self) -> Result<IMFMediaType> {
        // SAFETY: the function gives this interface.
        unsafe { made(|to| (self.0.create_type)(to)) }
    }

    pub(super) fn sample(&self) -> Result<IMFSample> {
        // SAFETY: the function gives this interface.
        unsafe { made(|to| (self.0.create_sample)(to)) }
    }

    pub(super) fn buffer(&self, length: usize) -> Result<IMFMediaBuffer> {
        let length = u32::try_from(length).map_err(|error| error.to_string())?;
        // SAFETY: the function gives this interface.
        unsafe { made(|to| (self.0.create_buffer)(length, to)) }
    }
}

/// What a function gives.
///
/// # Safety
/// It has to be an interface of this type, and ours.
unsafe fn made<T: Interface>(make: impl FnOnce(*mut *mut c_void) -> HRESULT) -> Result<T> {
    let mut made = std::ptr::null_mut();
    make(&raw mut made).ok().map_err(failed("Media Foundation has no memory"))?;
    if made.is_null() {
        return Err("Media Foundation gives nothing".into());
    }
    // SAFETY: the caller says so.
    Ok(unsafe { T::from_raw(made) })
}

impl Functions {
    fn load() -> Result<Self> {
        let of = |name: PCSTR| function(w!("mfplat.dll"), name).ok_or("this Windows has no Media Foundation");
        let free = function(w!("ole32.dll"), s!("CoTaskMemFree")).ok_or("this Windows has no COM")?;
        // SAFETY: the signatures are the documented ones of these functions.
        unsafe {
            Ok(Self {
                startup: std::mem::transmute::<Function, Startup>(of(s!("MFStartup"))?),
                shutdown: std::mem::transmute::<Function, Shutdown>(of(s!("MFShutdown"))?),
                enumerate: std::mem::transmute::<Function, Enumerate>(of(s!("MFTEnumEx"))?),
                create_type: std::mem::transmute::<Function, Create>(of(s!("MFCreateMediaType"))?),
                create_sample: std::mem::transmute::<Function, Create>(of(s!("MFCreateSample"))?),
                create_buffer: std::mem::transmute::<Function, CreateBuffer>(of(s!("MFCreateMemoryBuffer"))?),
                free: std::mem::transmute::<Function, Free>(free),
            })
        }
    }
}

/// A function, from the system's folder and no other. The library stays loaded.
fn function(library: PCWSTR, name: PCSTR) -> Option<Function> {
    // SAFETY: both names are constants that end with a zero.
    unsafe {
        let library = LoadLibraryExW(library, None, LOAD_LIBRARY_SEARCH_SYSTEM32).ok()?;
        GetProcAddress(library, name)
    }
}

/// Ends what [`Platform::start`] began.
impl Drop for Platform {
    fn drop(&mut self) {
        if Rc::strong_count(&self.0) == 1 {
            // SAFETY: both were begun by `start`, in this thread.
            unsafe {
                let _: HRESULT = (self.0.shutdown)();
                CoUninitialize();
            }
        }
    }
}

//! One output's duplication, and the device that it needs. Everything here is
//! used by one thread.

use std::fmt;
use std::time::Duration;

use gc_screen::{Rect, Size};
use windows::Win32::Foundation::{E_NOTIMPL, HMODULE, RECT};
use windows::Win32::Graphics::Direct3D::{D3D_DRIVER_TYPE, D3D_DRIVER_TYPE_UNKNOWN};
use windows::Win32::Graphics::Direct3D11::{
    D3D11_BOX, D3D11_CPU_ACCESS_READ, D3D11_MAP_READ, D3D11_MAPPED_SUBRESOURCE, D3D11_SDK_VERSION,
    D3D11_TEXTURE2D_DESC, D3D11_USAGE_STAGING, ID3D11Device, ID3D11DeviceContext, ID3D11Texture2D,
};
use windows::Win32::Graphics::Dxgi::Common::{
    DXGI_FORMAT_B8G8R8A8_UNORM, DXGI_MODE_ROTATION, DXGI_MODE_ROTATION_ROTATE90, DXGI_MODE_ROTATION_ROTATE180,
    DXGI_MODE_ROTATION_ROTATE270, DXGI_SAMPLE_DESC,
};
use windows::Win32::Graphics::Dxgi::{
    DXGI_ERROR_WAIT_TIMEOUT, DXGI_OUTDUPL_FRAME_INFO, DXGI_OUTDUPL_MOVE_RECT, IDXGIAdapter, IDXGIAdapter1,
    IDXGIFactory1, IDXGIOutput1, IDXGIOutputDuplication, IDXGIResource,
};
use windows::core::{GUID, HRESULT, Interface, s, w};

use super::super::library;
use crate::DisplayInfo;
use crate::rotation::Rotation;

/// Adapters and outputs that are looked through at most.
const MOST: u32 = 64;

type CreateFactory = unsafe extern "system" fn(*const GUID, *mut *mut core::ffi::c_void) -> HRESULT;
type CreateDevice = unsafe extern "system" fn(
    *mut core::ffi::c_void,
    D3D_DRIVER_TYPE,
    HMODULE,
    u32,
    *const i32,
    u32,
    u32,
    *mut Option<ID3D11Device>,
    *mut i32,
    *mut Option<ID3D11DeviceContext>,
) -> HRESULT;

/// Why a display is not duplicated.
#[derive(Debug)]
pub(super) enum Failure {
    /// The system cannot do it.
    Never(String),
    /// Not now: the mode has changed, the secure desktop is shown, another
    /// program duplicates.
    Later(String),
    /// Nobody wants it any more.
    Ended,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never(why) | Self::Later(why) => f.write_str(why),
            Self::Ended => f.write_str("nobody watches it"),
        }
    }
}

fn failed(what: &str) -> impl Fn(windows::core::Error) -> Failure + '_ {
    move |error| {
        let why = format!("{what}: {error}");
        // DXGI_ERROR_UNSUPPORTED is not among these: it is also told while the
        // display is driven by another adapter, or in a mode that passes.
        if error.code() == E_NOTIMPL { Failure::Never(why) } else { Failure::Later(why) }
    }
}

pub(super) struct Duplication {
    device: ID3D11Device,
    context: ID3D11DeviceContext,
    output: IDXGIOutputDuplication,
    rotation: Rotation,
    surface: Size,
    /// The desktop's picture lies in memory and needs no copy.
    in_memory: bool,
    /// A texture that can be read; made with the first frame.
    staging: Option<ID3D11Texture2D>,
    /// The frame that is held.
    frame: Option<ID3D11Texture2D>,
    holds: bool,
    /// No picture has come yet: the first one is new all over.
    fresh: bool,
}

impl Duplication {
    pub(super) fn open(display: &DisplayInfo) -> Result<Self, Failure> {
        let (adapter, output) = find(&display.name)?;
        let (device, context) = device(&adapter)?;
        // SAFETY: the device is of the adapter that the output belongs to.
        let output = unsafe { output.DuplicateOutput(&device) }.map_err(failed("it cannot be duplicated"))?;
        // SAFETY: it only answers.
        let shape = unsafe { output.GetDesc() };
        let rotation = rotation(shape.Rotation);
        Ok(Self {
            device,
            context,
            output,
            rotation,
            surface: rotation.surface(display.size),
            in_memory: shape.DesktopImageInSystemMemory.as_bool(),
            staging: None,
            frame: None,
            holds: false,
            fresh: true,
        })
    }

    /// How the surface is turned to become the display's picture.
    pub(super) fn rotation(&self) -> Rotation {
        self.rotation
    }

    /// The surface's size.
    pub(super) fn surface(&self) -> Size {
        self.surface
    }

    /// Wait for the next frame. Where the pointer moved and nothing else there
    /// are no rectangles; `None` where nothing happened. Rectangles are those of
    /// the surface, and lie within it.
    pub(super) fn next(&mut self, wait: Duration) -> Result<Option<Vec<Rect>>, Failure> {
        self.release()?;
        let mut info = DXGI_OUTDUPL_FRAME_INFO::default();
        let mut resource: Option<IDXGIResource> = None;
        let wait = u32::try_from(wait.as_millis()).unwrap_or(u32::MAX);
        // SAFETY: both pointers live through the call.
        let acquired = unsafe { self.output.AcquireNextFrame(wait, &raw mut info, &raw mut resource) };
        match acquired {
            Err(error) if error.code() == DXGI_ERROR_WAIT_TIMEOUT => return Ok(None),
            Err(error) => return Err(failed("its duplication ended")(error)),
            Ok(()) => self.holds = true,
        }
        // Zero: the picture is the one of the last frame.
        if info.LastPresentTime == 0 {
            return Ok(Some(Vec::new()));
        }
        let texture = resource.as_ref().map(|resource| resource.cast::<ID3D11Texture2D>()).transpose();
        let texture = texture.map_err(failed("its frame is no picture"))?;
        self.check(texture.as_ref())?;
        self.frame = texture;
        if self.fresh {
            self.fresh = false;
            return Ok(Some(vec![self.surface.rect()]));
        }
        Ok(Some(self.changed(info.TotalMetadataBufferSize)))
    }

    /// Give the frame back, if one is held.
    pub(super) fn release(&mut self) -> Result<(), Failure> {
        self.frame = None;
        if !std::mem::take(&mut self.holds) {
            return Ok(());
        }
        // SAFETY: a frame is held, and nothing of it is used any more.
        unsafe { self.output.ReleaseFrame() }.map_err(failed("its duplication ended"))
    }

    /// What is read has the size that the display has.
    fn check(&self, texture: Option<&ID3D11Texture2D>) -> Result<(), Failure> {
        let Some(texture) = texture else { return Err(Failure::Later("its frame has no picture".into())) };
        let mut shape = D3D11_TEXTURE2D_DESC::default();
        // SAFETY: the pointer lives through the call.
        unsafe { texture.GetDesc(&raw mut shape) };
        let size = Size::new(shape.Width, shape.Height);
        if size == self.surface && shape.Format == DXGI_FORMAT_B8G8R8A8_UNORM {
            return Ok(());
        }
        Err(Failure::Later(format!("its frame has {size:?} in format {} for {:?}", shape.Format.0, self.surface)))
    }

    /// What differs from the frame before: where pixels were drawn, and where
    /// pixels were moved to. What a move left behind is among what was drawn.
    fn changed(&self, bytes: u32) -> Vec<Rect> {
        let mut needed = 0;
        let mut moves =
            vec![DXGI_OUTDUPL_MOVE_RECT::default(); bytes as usize / size_of::<DXGI_OUTDUPL_MOVE_RECT>() + 1];
        let room = length_in_bytes(&moves);
        // SAFETY: the buffer is as long as it is said to be.
        let moved = unsafe { self.output.GetFrameMoveRects(room, moves.as_mut_ptr(), &raw mut needed) };
        moves.truncate(needed as usize / size_of::<DXGI_OUTDUPL_MOVE_RECT>());
        let mut drawn = vec![RECT::default(); bytes as usize / size_of::<RECT>() + 1];
        let room = length_in_bytes(&drawn);
        // SAFETY: the buffer is as long as it is said to be.
        let known = unsafe { self.output.GetFrameDirtyRects(room, drawn.as_mut_ptr(), &raw mut needed) };
        drawn.truncate(needed as usize / size_of::<RECT>());
        if moved.is_err() || known.is_err() {
            return vec![self.surface.rect()];
        }
        let all = moves.iter().map(|moved| &moved.DestinationRect).chain(&drawn);
        all.filter_map(|rect| within(rect, self.surface)).collect()
    }

    /// Lend the surface's bytes, and how many there are from row to row. Only
    /// these parts of them are of this frame.
    pub(super) fn read(&mut self, parts: &[Rect], take: impl FnOnce(&[u8], usize)) -> Result<(), Failure> {
        if self.in_memory {
            // SAFETY: a frame is held; the bytes are used before it is unmapped.
            unsafe {
                let mapped = self.output.MapDesktopSurface().map_err(failed("its picture cannot be read"))?;
                let pitch = usize::try_from(mapped.Pitch).unwrap_or(0);
                if let Some(length) = self.length(pitch).filter(|_| !mapped.pBits.is_null()) {
                    take(std::slice::from_raw_parts(mapped.pBits, length), pitch);
                }
                return self.output.UnMapDesktopSurface().map_err(failed("its picture cannot be read"));
            }
        }
        let Some(frame) = self.frame.clone() else { return Err(Failure::Later("there is no frame".into())) };
        let staging = self.staging()?;
        for part in parts {
            let from = D3D11_BOX {
                left: part.x,
                top: part.y,
                front: 0,
                right: part.x + part.width,
                bottom: part.y + part.height,
                back: 1,
            };
            // SAFETY: both textures have the surface's size, and the part lies
            // within it.
            unsafe {
                self.context.CopySubresourceRegion(&staging, 0, part.x, part.y, 0, &frame, 0, Some(&raw const from));
            }
        }
        let mut mapped = D3D11_MAPPED_SUBRESOURCE::default();
        // SAFETY: the texture can be read, and the bytes are used before it is
        // unmapped. Mapping waits until the copies are done.
        unsafe {
            let what = "its picture cannot be read";
            self.context.Map(&staging, 0, D3D11_MAP_READ, 0, Some(&raw mut mapped)).map_err(failed(what))?;
            let pitch = mapped.RowPitch as usize;
            if let Some(length) = self.length(pitch).filter(|_| !mapped.pData.is_null()) {
                take(std::slice::from_raw_parts(mapped.pData.cast(), length), pitch);
            }
            self.context.Unmap(&staging, 0);
        }
        Ok(())
    }

    /// Bytes of a mapped surface, up to its last pixel.
    fn length(&self, pitch: usize) -> Option<usize> {
        let row = self.surface.width as usize * 4;
        let above = (self.surface.height as usize).checked_sub(1)?;
        (pitch >= row).then(|| above * pitch + row)
    }

    fn staging(&mut self) -> Result<ID3D11Texture2D, Failure> {
        if let Some(staging) = &self.staging {
            return Ok(staging.clone());
        }
        let shape = D3D11_TEXTURE2D_DESC {
            Width: self.surface.width,
            Height: self.surface.height,
            MipLevels: 1,
            ArraySize: 1,
            Format: DXGI_FORMAT_B8G8R8A8_UNORM,
            SampleDesc: DXGI_SAMPLE_DESC { Count: 1, Quality: 0 },
            Usage: D3D11_USAGE_STAGING,
            BindFlags: 0,
            CPUAccessFlags: D3D11_CPU_ACCESS_READ.0.cast_unsigned(),
            MiscFlags: 0,
        };
        let mut made = None;
        // SAFETY: both pointers live through the call.
        let created = unsafe { self.device.CreateTexture2D(&raw const shape, None, Some(&raw mut made)) };
        created.map_err(failed("there is no memory for its picture"))?;
        let made = made.ok_or_else(|| Failure::Later("there is no memory for its picture".into()))?;
        Ok(self.staging.insert(made).clone())
    }
}

impl Drop for Duplication {
    fn drop(&mut self) {
        // What cannot be given back is lost already.
        let _: Result<(), Failure> = self.release();
    }
}

fn length_in_bytes<T>(all: &[T]) -> u32 {
    u32::try_from(size_of_val(all)).unwrap_or(0)
}

fn within(rect: &RECT, surface: Size) -> Option<Rect> {
    let (left, top) = (i64::from(rect.left), i64::from(rect.top));
    Rect::clipped(left, top, i64::from(rect.right) - left, i64::from(rect.bottom) - top, surface)
}

fn rotation(told: DXGI_MODE_ROTATION) -> Rotation {
    match told {
        DXGI_MODE_ROTATION_ROTATE90 => Rotation::Quarter,
        DXGI_MODE_ROTATION_ROTATE180 => Rotation::Half,
        DXGI_MODE_ROTATION_ROTATE270 => Rotation::ThreeQuarters,
        _ => Rotation::None,
    }
}

/// The output that GDI calls by this name, and its adapter.
fn find(name: &str) -> Result<(IDXGIAdapter1, IDXGIOutput1), Failure> {
    let factory = factory()?;
    for number in 0..MOST {
        // SAFETY: the numbers go up until there is no such adapter.
        let Ok(adapter) = (unsafe { factory.EnumAdapters1(number) }) else { break };
        for number in 0..MOST {
            // SAFETY: the numbers go up until there is no such output.
            let Ok(output) = (unsafe { adapter.EnumOutputs(number) }) else { break };
            // SAFETY: it only answers.
            let Ok(shape) = (unsafe { output.GetDesc() }) else { continue };
            let length = shape.DeviceName.iter().position(|unit| *unit == 0).unwrap_or(shape.DeviceName.len());
            let called = String::from_utf16_lossy(shape.DeviceName.get(..length).unwrap_or_default());
            if shape.AttachedToDesktop.as_bool() && called == name {
                // An output of DXGI 1.1 stays what it is: Windows 7.
                let output = output.cast().map_err(|error| Failure::Never(format!("no duplication: {error}")))?;
                return Ok((adapter, output));
            }
        }
    }
    Err(Failure::Later("no adapter shows it".into()))
}

/// Loaded when it is needed: the agent starts where there is none.
fn factory() -> Result<IDXGIFactory1, Failure> {
    let missing = || Failure::Never("this Windows has no DXGI".into());
    let create = library::function(w!("dxgi.dll"), s!("CreateDXGIFactory1")).ok_or_else(missing)?;
    let mut factory = std::ptr::null_mut();
    // SAFETY: the signature is the documented one of this function; what comes
    // back is the interface that was asked for, and ours.
    unsafe {
        let create = std::mem::transmute::<library::Function, CreateFactory>(create);
        create(&IDXGIFactory1::IID, &raw mut factory).ok().map_err(failed("DXGI does not answer"))?;
        if factory.is_null() { Err(missing()) } else { Ok(IDXGIFactory1::from_raw(factory)) }
    }
}

fn device(adapter: &IDXGIAdapter1) -> Result<(ID3D11Device, ID3D11DeviceContext), Failure> {
    let missing = || Failure::Never("this Windows has no Direct3D 11".into());
    let create = library::function(w!("d3d11.dll"), s!("D3D11CreateDevice")).ok_or_else(missing)?;
    let adapter: IDXGIAdapter = adapter.cast().map_err(failed("its adapter is unusual"))?;
    let (mut device, mut context) = (None, None);
    // SAFETY: the signature is the documented one of this function: an adapter
    // goes with an unknown type of driver and no software; without levels those
    // of Direct3D 9.1 to 11.0 are tried. All pointers live through the call.
    unsafe {
        let create = std::mem::transmute::<library::Function, CreateDevice>(create);
        create(
            adapter.as_raw(),
            D3D_DRIVER_TYPE_UNKNOWN,
            HMODULE::default(),
            0,
            std::ptr::null(),
            0,
            D3D11_SDK_VERSION,
            &raw mut device,
            std::ptr::null_mut(),
            &raw mut context,
        )
        .ok()
        .map_err(failed("its adapter has no Direct3D 11"))?;
    }
    device.zip(context).ok_or_else(missing)
}

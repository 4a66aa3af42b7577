//! The screen by XDamage, XShm, XFixes and RandR.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gc_screen::{Rect, Size};
use x11rb::connection::{Connection, RequestConnection};
use x11rb::protocol::damage::{self, ConnectionExt as _};
use x11rb::protocol::randr::{self, ConnectionExt as _};
use x11rb::protocol::shm::{self, ConnectionExt as _};
use x11rb::protocol::xfixes::{self, ConnectionExt as _};
use x11rb::protocol::xinput::{self, ConnectionExt as _};
use x11rb::protocol::xproto::{
    AtomEnum, ClientMessageEvent, ConnectionExt as _, CreateWindowAux, EventMask, ImageFormat, ImageOrder, Window,
    WindowClass,
};
use x11rb::rust_connection::RustConnection;
use x11rb::{COPY_FROM_PARENT, NONE};

use super::shm::Segment;
use super::{answered, failed};
use crate::{Changed, CursorImage, DesktopError, DisplayInfo, Screen, Take};

/// What the event thread has seen.
#[derive(Debug, Clone, Default)]
pub(super) struct Marks {
    layout: Arc<AtomicBool>,
    cursor: Arc<AtomicBool>,
    motion: Arc<AtomicBool>,
    damage: Arc<AtomicBool>,
}

impl Marks {
    pub(super) fn layout(&self) {
        self.layout.store(true, Ordering::Release);
    }

    pub(super) fn cursor(&self) {
        self.cursor.store(true, Ordering::Release);
    }

    pub(super) fn motion(&self) {
        self.motion.store(true, Ordering::Release);
    }

    pub(super) fn damage(&self) {
        self.damage.store(true, Ordering::Release);
    }
}

#[derive(Debug)]
pub(super) struct X11Screen {
    /// For questions: whoever asks reads the answer, and no other thread hands
    /// it over.
    connection: RustConnection,
    /// What events are asked for on. Only the thread that waits for them reads it.
    events: Arc<RustConnection>,
    root: Window,
    damage: u32,
    region: u32,
    segment: Option<Segment>,
    marks: Marks,
    /// Whether the display tells when the pointer moves.
    hears_motion: bool,
    displays: Option<Vec<DisplayInfo>>,
    /// Never shown: a message to it wakes the thread that waits for events.
    bell: Window,
}

impl Drop for X11Screen {
    fn drop(&mut self) {
        let message = ClientMessageEvent::new(32, self.bell, AtomEnum::INTEGER, [0; 5]);
        // Where the display is gone, so is the thread.
        if let Ok(cookie) = self.events.send_event(false, self.bell, EventMask::NO_EVENT, message) {
            cookie.ignore_error();
        }
        let _: Result<(), _> = self.events.flush();
    }
}

impl X11Screen {
    pub(super) fn new(
        connection: RustConnection,
        events: Arc<RustConnection>,
        number: usize,
    ) -> Result<Self, DesktopError> {
        let setup = connection.setup();
        let screen = setup.roots.get(number).ok_or_else(|| DesktopError::None("The display has no screen.".into()))?;
        let root = screen.root;
        let depth = screen.root_depth;
        let plain = setup.pixmap_formats.iter().any(|format| format.depth == depth && format.bits_per_pixel == 32);
        if !plain || depth < 24 || setup.image_byte_order != ImageOrder::LSB_FIRST {
            let text = format!("The display has a colour depth of {depth} bits, which cannot be captured.");
            return Err(DesktopError::None(text));
        }
        let what = "the display lacks an extension";
        for extension in [damage::X11_EXTENSION_NAME, xfixes::X11_EXTENSION_NAME, randr::X11_EXTENSION_NAME] {
            let known = connection.extension_information(extension).map_err(failed(what))?;
            known.ok_or_else(|| DesktopError::None(format!("The display lacks the {extension} extension.")))?;
        }
        connection.damage_query_version(1, 1).map_err(failed(what))?.reply().map_err(answered(what))?;
        connection.xfixes_query_version(5, 0).map_err(failed(what))?.reply().map_err(answered(what))?;
        connection.randr_query_version(1, 5).map_err(failed(what))?.reply().map_err(answered(what))?;
        let id = |on: &RustConnection| on.generate_id().map_err(|error| DesktopError::Refused(error.to_string()));
        let region = id(&connection)?;
        connection.xfixes_create_region(region, &[]).map_err(failed(what))?;
        let (damage, bell) = (id(&events)?, id(&events)?);
        let window = CreateWindowAux::new();
        events
            .create_window(0, bell, root, 0, 0, 1, 1, 0, WindowClass::INPUT_ONLY, COPY_FROM_PARENT, &window)
            .map_err(failed(what))?;
        // A client has to say which versions it speaks before anything else.
        events.damage_query_version(1, 1).map_err(failed(what))?.reply().map_err(answered(what))?;
        events.xfixes_query_version(5, 0).map_err(failed(what))?.reply().map_err(answered(what))?;
        events.randr_query_version(1, 5).map_err(failed(what))?.reply().map_err(answered(what))?;
        let create = events.damage_create(damage, root, damage::ReportLevel::NON_EMPTY);
        create.map_err(failed(what))?.check().map_err(answered(what))?;
        events.xfixes_select_cursor_input(root, xfixes::CursorNotifyMask::DISPLAY_CURSOR).map_err(failed(what))?;
        let mask = randr::NotifyMask::SCREEN_CHANGE | randr::NotifyMask::CRTC_CHANGE;
        events.randr_select_input(root, mask).map_err(failed(what))?;
        let hears_motion = hear_motion(&events, root)?;
        events.flush().map_err(failed(what))?;
        let marks = Marks::default();
        marks.cursor();
        Ok(Self { connection, events, root, damage, region, segment: None, marks, hears_motion, displays: None, bell })
    }

    pub(super) fn marks(&self) -> Marks {
        self.marks.clone()
    }

    /// Shared memory of at least so many bytes, where there is any.
    fn make_room(&mut self, length: usize) {
        if self.segment.as_ref().is_none_or(|segment| segment.length() < length) {
            let known = self.connection.extension_information(shm::X11_EXTENSION_NAME);
            self.segment = None;
            if matches!(known, Ok(Some(_))) {
                self.segment = Segment::new(&self.connection, length.next_power_of_two()).ok();
            }
        }
    }
}

/// How large programs on this display draw: X11 knows one `Xft.dpi` for all
/// monitors, in the root window's resources.
fn scale_percent(connection: &RustConnection, root: Window) -> u32 {
    let asked = connection.get_property(false, root, AtomEnum::RESOURCE_MANAGER, AtomEnum::STRING, 0, 1 << 14);
    let resources = asked.ok().and_then(|asked| asked.reply().ok()).map(|reply| reply.value).unwrap_or_default();
    let resources = String::from_utf8_lossy(&resources);
    let dots = resources.lines().find_map(|line| line.strip_prefix("Xft.dpi:")?.trim().parse::<u32>().ok());
    dots.filter(|dots| (48..=960).contains(dots)).map_or(100, |dots| dots * 100 / 96)
}

/// Ask to be told when the pointer moves, whatever window it is over (XI 2,
/// raw events). A display without it tells the pointer's place when anything
/// else happens.
fn hear_motion(connection: &RustConnection, root: Window) -> Result<bool, DesktopError> {
    let what = "the pointer's moves are not told";
    let known = connection.extension_information(xinput::X11_EXTENSION_NAME).map_err(failed(what))?;
    let version = match known {
        Some(_) => connection.xinput_xi_query_version(2, 2).map_err(failed(what))?.reply().ok(),
        None => None,
    };
    if version.is_none_or(|version| version.major_version < 2) {
        tracing::info!("the display does not tell when the pointer moves");
        return Ok(false);
    }
    let mask = vec![xinput::XIEventMask::RAW_MOTION];
    let masks = [xinput::EventMask { deviceid: xinput::Device::ALL_MASTER.into(), mask }];
    connection.xinput_xi_select_events(root, &masks).map_err(failed(what))?.check().map_err(answered(what))?;
    Ok(true)
}

impl Screen for X11Screen {
    fn displays(&mut self) -> Result<Vec<DisplayInfo>, DesktopError> {
        if self.marks.layout.swap(false, Ordering::AcqRel) {
            self.displays = None;
        }
        if let Some(displays) = &self.displays {
            return Ok(displays.clone());
        }
        let what = "the displays cannot be listed";
        let root = self.connection.get_geometry(self.root).map_err(failed(what))?.reply().map_err(answered(what))?;
        let monitors = self
            .connection
            .randr_get_monitors(self.root, true)
            .map_err(failed(what))?
            .reply()
            .map_err(answered(what))?;
        let scale_percent = scale_percent(&self.connection, self.root);
        let mut displays = Vec::new();
        for (id, monitor) in (0u32..).zip(&monitors.monitors) {
            let name = self.connection.get_atom_name(monitor.name).map_err(failed(what))?.reply();
            let name = name.map(|reply| String::from_utf8_lossy(&reply.name).into_owned()).unwrap_or_default();
            displays.push(DisplayInfo {
                id,
                name,
                x: monitor.x.into(),
                y: monitor.y.into(),
                size: Size::new(monitor.width.into(), monitor.height.into()),
                primary: monitor.primary,
                scale_percent,
            });
        }
        if displays.is_empty() {
            let size = Size::new(root.width.into(), root.height.into());
            displays.push(DisplayInfo { id: 0, name: "screen".into(), x: 0, y: 0, size, primary: true, scale_percent });
        }
        self.displays = Some(displays.clone());
        Ok(displays)
    }

    fn changed(&mut self, _: &[DisplayInfo]) -> Result<Changed, DesktopError> {
        // The display says once that something has changed, until it is asked
        // what: without that word there is nothing to ask.
        if !self.marks.damage.swap(false, Ordering::AcqRel) {
            return Ok(Changed::Boxes(Vec::new()));
        }
        let what = "the display does not say what changed";
        // What every client is told, asked for or not (another keyboard), would pile
        // up here.
        while let Ok(Some(_)) = self.connection.poll_for_event() {}
        self.connection.damage_subtract(self.damage, NONE, self.region).map_err(failed(what))?;
        let region = self.connection.xfixes_fetch_region(self.region).map_err(failed(what))?;
        let region = region.reply().map_err(answered(what))?;
        let boxes = region.rectangles.iter();
        Ok(Changed::Boxes(boxes.map(|r| (r.x.into(), r.y.into(), r.width.into(), r.height.into())).collect()))
    }

    fn grab(&mut self, display: &DisplayInfo, part: Rect, take: Take<'_>) -> Result<(), DesktopError> {
        let what = "the screen cannot be read";
        let length = part.area() * 4;
        let edge = |origin: i32, offset: u32| i16::try_from(i64::from(origin) + i64::from(offset));
        let (Ok(x), Ok(y)) = (edge(display.x, part.x), edge(display.y, part.y)) else {
            return Err(DesktopError::Stale);
        };
        let (Ok(width), Ok(height)) = (u16::try_from(part.width), u16::try_from(part.height)) else {
            return Err(DesktopError::Stale);
        };
        let stride = part.width as usize * 4;
        self.make_room(length);
        let (connection, root) = (&self.connection, self.root);
        if let Some(segment) = &self.segment {
            let format = ImageFormat::Z_PIXMAP.into();
            connection
                .shm_get_image(root, x, y, width, height, !0, format, segment.id(), 0)
                .map_err(failed(what))?
                .reply()
                .map_err(answered(what))?;
            take(segment.bytes().get(..length).ok_or(DesktopError::Stale)?, stride);
        } else {
            let image = connection.get_image(ImageFormat::Z_PIXMAP, root, x, y, width, height, !0);
            let image = image.map_err(failed(what))?.reply().map_err(answered(what))?;
            take(image.data.get(..length).ok_or(DesktopError::Stale)?, stride);
        }
        Ok(())
    }

    fn pointer_stirred(&self) -> bool {
        !self.hears_motion || self.marks.motion.load(Ordering::Acquire) || self.marks.cursor.load(Ordering::Acquire)
    }

    fn cursor(&mut self) -> Result<(Option<CursorImage>, (i32, i32)), DesktopError> {
        let what = "the pointer cannot be read";
        self.marks.motion.store(false, Ordering::Release);
        if !self.marks.cursor.swap(false, Ordering::AcqRel) {
            let at = self.connection.query_pointer(self.root).map_err(failed(what))?.reply().map_err(answered(what))?;
            return Ok((None, (at.root_x.into(), at.root_y.into())));
        }
        let image = self.connection.xfixes_get_cursor_image().map_err(failed(what))?.reply().map_err(answered(what))?;
        let rgba = image.cursor_image.iter().flat_map(|argb| {
            let [blue, green, red, alpha] = argb.to_le_bytes();
            [red, green, blue, alpha]
        });
        let rgba: Vec<u8> = rgba.collect();
        let shape = CursorImage {
            width: image.width.into(),
            height: image.height.into(),
            hotspot: (image.xhot.into(), image.yhot.into()),
            hidden: rgba.chunks_exact(4).all(|pixel| pixel.last() == Some(&0)),
            rgba,
        };
        Ok((Some(shape), (image.x.into(), image.y.into())))
    }

    fn poll_period(&self) -> Option<Duration> {
        None
    }

    fn obstacle(&mut self) -> Option<String> {
        None
    }
}

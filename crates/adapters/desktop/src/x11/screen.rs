//! The screen by XDamage, XShm, XFixes and RandR.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gc_screen::{Rect, Size, TILE};
use x11rb::NONE;
use x11rb::connection::{Connection, RequestConnection};
use x11rb::cookie::Cookie;
use x11rb::protocol::damage::{self, ConnectionExt as _};
use x11rb::protocol::randr::{self, ConnectionExt as _};
use x11rb::protocol::shm::{self, ConnectionExt as _};
use x11rb::protocol::xfixes::{self, ConnectionExt as _};
use x11rb::protocol::xinput::{self, ConnectionExt as _};
use x11rb::protocol::xproto::{AtomEnum, ConnectionExt as _, ImageFormat, ImageOrder, Window};
use x11rb::rust_connection::RustConnection;

use super::bell::Bell;
use super::events::{Area, Heard};
use super::shm::Segment;
use super::{answered, failed};
use crate::{Changed, CursorImage, DesktopError, DisplayInfo, Screen, Take};

/// Pixels that are asked for together with what changed, before it is known what
/// exactly did: more would cost more than the way there and back that it saves.
const AHEAD: usize = 256 << 10;
const UNREADABLE: &str = "the screen cannot be read";

#[derive(Debug)]
pub(super) struct X11Screen {
    connection: RustConnection,
    bell: Arc<Bell>,
    root: Window,
    damage: u32,
    region: u32,
    segment: Option<Segment>,
    heard: Heard,
    /// The connection broke, in these words: nothing more is heard.
    gone: Option<String>,
    /// Whether the display tells when the pointer moves.
    hears_motion: bool,
    displays: Option<Vec<DisplayInfo>>,
    /// What the segment shows, where that was asked for together with what changed.
    ahead: Option<(u32, Rect)>,
    /// Whether what changed was grabbed the last time: else it is not, now either.
    grabbed: bool,
}

impl X11Screen {
    pub(super) fn new(connection: RustConnection, bell: Arc<Bell>, number: usize) -> Result<Self, DesktopError> {
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
        // A client has to say which versions it speaks before anything else.
        connection.damage_query_version(1, 1).map_err(failed(what))?.reply().map_err(answered(what))?;
        connection.xfixes_query_version(5, 0).map_err(failed(what))?.reply().map_err(answered(what))?;
        connection.randr_query_version(1, 5).map_err(failed(what))?.reply().map_err(answered(what))?;
        let id = || connection.generate_id().map_err(|error| DesktopError::Refused(error.to_string()));
        let (region, damage) = (id()?, id()?);
        connection.xfixes_create_region(region, &[]).map_err(failed(what))?;
        // Each report says in which box all damage is by then.
        let create = connection.damage_create(damage, root, damage::ReportLevel::BOUNDING_BOX);
        create.map_err(failed(what))?.check().map_err(answered(what))?;
        connection.xfixes_select_cursor_input(root, xfixes::CursorNotifyMask::DISPLAY_CURSOR).map_err(failed(what))?;
        let mask = randr::NotifyMask::SCREEN_CHANGE | randr::NotifyMask::CRTC_CHANGE;
        connection.randr_select_input(root, mask).map_err(failed(what))?;
        let hears_motion = hear_motion(&connection, root)?;
        connection.flush().map_err(failed(what))?;
        let heard = Heard { cursor: true, ..Default::default() };
        let (segment, gone, displays, ahead) = (None, None, None, None);
        Ok(Self {
            connection,
            bell,
            root,
            damage,
            region,
            segment,
            heard,
            gone,
            hears_motion,
            displays,
            ahead,
            grabbed: false,
        })
    }

    /// Take in what the display has said.
    fn listen(&mut self) -> bool {
        if self.gone.is_some() {
            return false;
        }
        self.heard.listen(&self.connection).unwrap_or_else(|error| {
            self.gone = Some(error.to_string());
            true
        })
    }

    /// What to ask for together with what changed, all in this area: where it is
    /// little and on one display. Whatever is grabbed comes in whole tiles.
    fn look_ahead(&mut self, area: Area, watched: &[DisplayInfo]) -> Option<(DisplayInfo, Rect)> {
        // Nobody grabbed what changed the last time: nor will they now.
        if !std::mem::take(&mut self.grabbed) {
            return None;
        }
        let (display, part) = watched.iter().find_map(|display| Some((display, tiles(area, display)?)))?;
        let length = part.area() * 4;
        if length > AHEAD {
            return None;
        }
        self.make_room(length);
        Some((display.clone(), part))
    }

    /// Ask that a part of a display is written into the segment, where there is one.
    fn ask_for(
        &self,
        display: &DisplayInfo,
        part: Rect,
    ) -> Result<Option<Cookie<'_, RustConnection, shm::GetImageReply>>, DesktopError> {
        let Some(segment) = &self.segment else { return Ok(None) };
        let (x, y, width, height) = place(display, part)?;
        let format = ImageFormat::Z_PIXMAP.into();
        let asked = self.connection.shm_get_image(self.root, x, y, width, height, !0, format, segment.id(), 0);
        asked.map(Some).map_err(failed(UNREADABLE))
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

/// Where a part of a display is on the desktop, as the protocol says it.
fn place(display: &DisplayInfo, part: Rect) -> Result<(i16, i16, u16, u16), DesktopError> {
    let edge = |origin: i32, offset: u32| i16::try_from(i64::from(origin) + i64::from(offset));
    match (edge(display.x, part.x), edge(display.y, part.y), part.width.try_into(), part.height.try_into()) {
        (Ok(x), Ok(y), Ok(width), Ok(height)) => Ok((x, y, width, height)),
        _ => Err(DesktopError::Stale),
    }
}

/// The whole tiles of a display that hold this area; `None` where it reaches beyond
/// the display.
fn tiles(area: Area, display: &DisplayInfo) -> Option<Rect> {
    let from = |edge: i32, origin: i32| u32::try_from(i64::from(edge) - i64::from(origin)).ok();
    let (left, top) = (from(area.left, display.x)?, from(area.top, display.y)?);
    let (right, bottom) = (from(area.right, display.x)?, from(area.bottom, display.y)?);
    let Size { width, height } = display.size;
    if left >= right || top >= bottom || right > width || bottom > height {
        return None;
    }
    let (x, y) = (left / TILE * TILE, top / TILE * TILE);
    let (right, bottom) = (right.next_multiple_of(TILE).min(width), bottom.next_multiple_of(TILE).min(height));
    Some(Rect::new(x, y, right - x, bottom - y))
}

impl Screen for X11Screen {
    fn sleep(&mut self, within: Option<Duration>) -> bool {
        let until = within.map(|within| Instant::now() + within);
        loop {
            let stirred = self.listen();
            if self.bell.heard() || stirred {
                return stirred;
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return false;
            }
            // One that is gone would wake for ever.
            let display = self.gone.is_none().then(|| self.connection.stream().as_fd());
            self.bell.sleep(display, left);
        }
    }

    fn tells_all(&self) -> bool {
        self.hears_motion
    }

    fn displays(&mut self) -> Result<Vec<DisplayInfo>, DesktopError> {
        if std::mem::take(&mut self.heard.layout) {
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

    fn changed(&mut self, watched: &[DisplayInfo]) -> Result<Changed, DesktopError> {
        let what = "the display does not say what changed";
        if let Some(gone) = &self.gone {
            return Err(DesktopError::Refused(format!("{what}: {gone}")));
        }
        self.ahead = None;
        // Without a word of the display there is nothing to ask.
        let Some(area) = self.heard.damage.take() else { return Ok(Changed::Boxes(Vec::new())) };
        let ahead = self.look_ahead(area, watched);
        let asked = self.connection.damage_subtract(self.damage, NONE, self.region).map_err(failed(what))?;
        let asked = asked.sequence_number();
        let region = self.connection.xfixes_fetch_region(self.region).map_err(failed(what))?;
        let pixels = match &ahead {
            Some((display, part)) => self.ask_for(display, *part)?,
            None => None,
        };
        let region = region.reply().map_err(answered(what))?;
        // Where that fails it is asked for by itself once more.
        let written = pixels.is_some_and(|pixels| pixels.reply().is_ok());
        self.ahead = ahead.filter(|_| written).map(|(display, part)| (display.id, part));
        self.heard.asked = asked;
        let boxes = region.rectangles.iter();
        Ok(Changed::Boxes(boxes.map(|r| (r.x.into(), r.y.into(), r.width.into(), r.height.into())).collect()))
    }

    fn grab(&mut self, display: &DisplayInfo, part: Rect, take: Take<'_>) -> Result<(), DesktopError> {
        self.grabbed = true;
        if let (Some((of, shown)), Some(segment)) = (self.ahead, &self.segment)
            && of == display.id
            && shown.holds(part)
        {
            let width = shown.width as usize;
            let first = (part.y - shown.y) as usize * width + (part.x - shown.x) as usize;
            take(segment.bytes().get(first * 4..shown.area() * 4).ok_or(DesktopError::Stale)?, width * 4);
            return Ok(());
        }
        // The segment shows something else from now on.
        self.ahead = None;
        let (length, stride) = (part.area() * 4, part.width as usize * 4);
        self.make_room(length);
        if let (Some(asked), Some(segment)) = (self.ask_for(display, part)?, &self.segment) {
            asked.reply().map_err(answered(UNREADABLE))?;
            take(segment.bytes().get(..length).ok_or(DesktopError::Stale)?, stride);
        } else {
            let (x, y, width, height) = place(display, part)?;
            let image = self.connection.get_image(ImageFormat::Z_PIXMAP, self.root, x, y, width, height, !0);
            let image = image.map_err(failed(UNREADABLE))?.reply().map_err(answered(UNREADABLE))?;
            take(image.data.get(..length).ok_or(DesktopError::Stale)?, stride);
        }
        Ok(())
    }

    fn pointer_stirred(&self) -> bool {
        !self.hears_motion || self.heard.motion || self.heard.cursor
    }

    fn cursor(&mut self) -> Result<(Option<CursorImage>, (i32, i32)), DesktopError> {
        let what = "the pointer cannot be read";
        self.heard.motion = false;
        if !std::mem::take(&mut self.heard.cursor) {
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

#[cfg(test)]
mod tests {
    use gc_screen::{Rect, Size};

    use super::{Area, place, tiles};
    use crate::DisplayInfo;

    #[test]
    fn what_is_asked_for_ahead_is_whole_tiles_of_one_display() {
        let display = DisplayInfo {
            id: 1,
            name: String::new(),
            x: -100,
            y: 50,
            size: Size::new(200, 130),
            primary: true,
            scale_percent: 100,
        };
        let of = |left, top, right, bottom| tiles(Area { left, top, right, bottom }, &display);
        assert_eq!(of(-100, 50, -99, 51), Some(Rect::new(0, 0, 64, 64)));
        assert_eq!(of(-37, 113, -35, 115), Some(Rect::new(0, 0, 128, 128)));
        // The last ones are cut where the display ends.
        assert_eq!(of(99, 179, 100, 180), Some(Rect::new(192, 128, 8, 2)));
        assert_eq!(place(&display, Rect::new(192, 128, 8, 2)).ok(), Some((92, 178, 8, 2)));
        for beyond in [(-101, 50, 0, 60), (-100, 49, 0, 60), (0, 60, 101, 70), (0, 60, 10, 181), (0, 60, 0, 70)] {
            assert_eq!(of(beyond.0, beyond.1, beyond.2, beyond.3), None, "{beyond:?}");
        }
    }
}

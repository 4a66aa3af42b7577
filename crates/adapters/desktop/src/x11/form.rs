//! A small window with text, perhaps a field, and buttons: keyboard and mouse,
//! focus always visible.

use std::io::Read;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use x11rb::connection::{Connection, RequestConnection};
use x11rb::properties::{WmHints, WmSizeHints, WmSizeHintsSpecification};
use x11rb::protocol::Event;
use x11rb::protocol::randr::ConnectionExt as _;
use x11rb::protocol::xproto::{
    AtomEnum, ConfigureWindowAux, ConnectionExt as _, CreateGCAux, CreateWindowAux, EventMask, ImageFormat, InputFocus,
    PropMode, Screen, Window, WindowClass,
};
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;
use x11rb::{COPY_DEPTH_FROM_PARENT, CURRENT_TIME};

use super::connect;
use super::paint::{Canvas, Colour};
use crate::DesktopError;

const BACKGROUND: Colour = [250, 250, 250];
const INK: Colour = [28, 30, 33];
const MUTED: Colour = [90, 96, 104];
const LINE: Colour = [150, 156, 164];
const ACCENT: Colour = [0, 106, 114];
const WHITE: Colour = [255, 255, 255];
const MARGIN: i32 = 20;
const BUTTON: (i32, i32) = (130, 38);
/// From the edge of the display, in the corner: room for a window manager's
/// frame, which pushes the window down by its title.
const EDGE: i32 = 16;
const BELOW: i32 = 48;
/// Rows of a corner window: what is said last is what counts, and its buttons
/// have to stay on the screen.
const CORNER_HEADING: usize = 4;
const CORNER_ROWS: usize = 8;

x11rb::atom_manager! {
    Atoms: AtomsCookie {
        WM_PROTOCOLS,
        WM_DELETE_WINDOW,
        UTF8_STRING,
        _NET_WM_NAME,
        _NET_WM_STATE,
        _NET_WM_STATE_ABOVE,
        _NET_WM_STATE_STICKY,
        _NET_WM_WINDOW_TYPE,
        _NET_WM_WINDOW_TYPE_DIALOG,
        _NET_WM_WINDOW_TYPE_UTILITY,
        _NET_ACTIVE_WINDOW,
    }
}

/// What a form shows.
#[derive(Debug, Clone, Default)]
pub(super) struct Form {
    pub(super) title: String,
    pub(super) heading: String,
    pub(super) texts: Vec<String>,
    pub(super) field: Option<String>,
    pub(super) buttons: Vec<&'static str>,
    /// Which button, or the field after the last button, has the focus.
    pub(super) focus: usize,
    pub(super) width: u32,
    /// In the bottom right corner rather than in the middle, without taking
    /// the focus.
    pub(super) corner: bool,
}

/// What a person did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    /// They pressed a button, by number.
    Button(usize),
    /// They finished the field with Enter.
    Enter,
    /// They closed the window.
    Close,
}

/// What a handler wants next.
pub(super) enum Flow<T> {
    /// Go on, and draw anew.
    Draw,
    /// Go on.
    Wait,
    /// The window goes.
    Done(T),
}

struct View {
    connection: RustConnection,
    window: Window,
    root: Window,
    gc: u32,
    atoms: Atoms,
    depth: u8,
    size: (u32, u32),
    /// The lower edge of the display that the window is on.
    bottom: i32,
    buttons: Vec<(i32, i32)>,
    field: Option<(i32, i32, i32, i32)>,
    keysyms: Vec<u32>,
    columns: usize,
    lowest: u8,
}

/// Show a form until `handle` is done. It is called with what the person does,
/// and with `None` at least every `period` and whenever `wake` has something
/// to read.
pub(super) fn run<T>(
    mut form: Form,
    period: Option<Duration>,
    mut wake: Option<UnixStream>,
    mut handle: impl FnMut(&mut Form, Option<Act>) -> Flow<T>,
) -> Result<T, DesktopError> {
    let mut view = View::open(&mut form)?;
    view.draw(&form)?;
    let mut read = None;
    loop {
        let mut acts = Vec::new();
        while let Some(event) = next_event(&view.connection, &mut read)? {
            acts.extend(view.event(&mut form, &event)?);
        }
        if acts.is_empty() {
            acts.push(None);
        }
        for act in acts {
            match handle(&mut form, act) {
                Flow::Draw => {
                    view.fit(&mut form)?;
                    view.draw(&form)?;
                }
                Flow::Wait => {}
                Flow::Done(result) => {
                    view.close();
                    return Ok(result);
                }
            }
        }
        view.connection.flush().map_err(super::failed("the dialog"))?;
        // What was drawn may have read events in, which nothing would wake for.
        if let Some(event) = view.connection.poll_for_event().map_err(super::failed("the dialog"))? {
            read = Some(event);
            continue;
        }
        if view.connection.stream().as_raw_fd() < 0 {
            return Err(DesktopError::Stale);
        }
        wait(view.connection.stream().as_raw_fd(), wake.as_ref().map(AsRawFd::as_raw_fd), period);
        if let Some(wake) = &mut wake {
            let mut bytes = [0; 64];
            // It never blocks; what it says is only that there is something.
            let _: Result<usize, _> = wake.read(&mut bytes);
        }
    }
}

fn next_event(connection: &RustConnection, read: &mut Option<Event>) -> Result<Option<Event>, DesktopError> {
    match read.take() {
        Some(event) => Ok(Some(event)),
        None => connection.poll_for_event().map_err(super::failed("the dialog")),
    }
}

fn wait(display: RawFd, wake: Option<RawFd>, period: Option<Duration>) {
    let entry = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    let mut entries = [entry(display), entry(wake.unwrap_or(-1))];
    let timeout = period.map_or(-1, |period| i32::try_from(period.as_millis()).unwrap_or(i32::MAX));
    // SAFETY: the array lives through the call and its length is right.
    unsafe { libc::poll(entries.as_mut_ptr(), 2, timeout) };
}

impl View {
    fn open(form: &mut Form) -> Result<Self, DesktopError> {
        let (connection, number) = connect()?;
        let refused = |error: &dyn std::fmt::Display| DesktopError::None(format!("No dialog can be shown: {error}."));
        let setup = connection.setup();
        let screen = setup.roots.get(number).ok_or_else(|| refused(&"there is no screen"))?;
        let (root, depth) = (screen.root, screen.root_depth);
        if depth < 24 {
            return Err(refused(&"the display has too few colours"));
        }
        let atoms = Atoms::new(&connection).map_err(|e| refused(&e))?.reply().map_err(|e| refused(&e))?;
        let window = connection.generate_id().map_err(|e| refused(&e))?;
        let gc = connection.generate_id().map_err(|e| refused(&e))?;
        let (left, top, right, bottom) = main_display(&connection, screen);
        let size = measure(form)?;
        let (width, height) = (size.0 as i32, size.1 as i32);
        let (x, y) = if form.corner {
            (right - width - EDGE, bottom - height - BELOW)
        } else {
            ((left + right - width) / 2, (top + bottom - height) / 2)
        };
        let (x, y) = (x.max(left), y.max(top));
        let mask = EventMask::EXPOSURE | EventMask::KEY_PRESS | EventMask::BUTTON_PRESS | EventMask::STRUCTURE_NOTIFY;
        let aux = CreateWindowAux::new().background_pixel(screen.white_pixel).event_mask(mask);
        let (x, y) = (x as i16, y as i16);
        connection
            .create_window(
                COPY_DEPTH_FROM_PARENT,
                window,
                root,
                x,
                y,
                size.0 as u16,
                size.1 as u16,
                0,
                WindowClass::INPUT_OUTPUT,
                screen.root_visual,
                &aux,
            )
            .map_err(|e| refused(&e))?;
        let kind = if form.corner { atoms._NET_WM_WINDOW_TYPE_UTILITY } else { atoms._NET_WM_WINDOW_TYPE_DIALOG };
        let states = [atoms._NET_WM_STATE_ABOVE, atoms._NET_WM_STATE_STICKY];
        // For window managers that know only the old property, in plain letters.
        let plain: String = form.title.chars().filter(char::is_ascii).collect();
        let set = || -> Result<(), x11rb::errors::ConnectionError> {
            let replace = PropMode::REPLACE;
            connection.change_property8(
                replace,
                window,
                atoms._NET_WM_NAME,
                atoms.UTF8_STRING,
                form.title.as_bytes(),
            )?;
            connection.change_property8(replace, window, AtomEnum::WM_NAME, AtomEnum::STRING, plain.as_bytes())?;
            connection.change_property8(
                replace,
                window,
                AtomEnum::WM_CLASS,
                AtomEnum::STRING,
                b"guruconnect\0GuruConnect\0",
            )?;
            connection.change_property32(
                replace,
                window,
                atoms.WM_PROTOCOLS,
                AtomEnum::ATOM,
                &[atoms.WM_DELETE_WINDOW],
            )?;
            connection.change_property32(replace, window, atoms._NET_WM_STATE, AtomEnum::ATOM, &states)?;
            connection.change_property32(replace, window, atoms._NET_WM_WINDOW_TYPE, AtomEnum::ATOM, &[kind])?;
            let mut hints = WmHints::new();
            hints.input = Some(true);
            hints.urgent = !form.corner;
            hints.set(&connection, window)?;
            let mut hints = WmSizeHints::new();
            hints.position = Some((WmSizeHintsSpecification::UserSpecified, x.into(), y.into()));
            hints.set_normal_hints(&connection, window)?;
            connection.create_gc(gc, window, &CreateGCAux::new())?;
            connection.map_window(window)?;
            connection.flush()
        };
        set().map_err(|e| refused(&e))?;
        let (lowest, highest) = (setup.min_keycode, setup.max_keycode);
        let map = connection.get_keyboard_mapping(lowest, highest.saturating_sub(lowest).saturating_add(1));
        let map = map.map_err(|e| refused(&e))?.reply().map_err(|e| refused(&e))?;
        let columns = usize::from(map.keysyms_per_keycode).max(1);
        let (buttons, field) = (Vec::new(), None);
        let keysyms = map.keysyms;
        Ok(Self { window, root, gc, atoms, depth, size, bottom, buttons, field, keysyms, columns, lowest, connection })
    }

    fn fit(&mut self, form: &mut Form) -> Result<(), DesktopError> {
        let size = measure(form)?;
        if size != self.size {
            let failed = super::failed("the dialog");
            let at = self.connection.translate_coordinates(self.window, self.root, 0, 0).map_err(&failed)?;
            let at = at.reply().map_err(super::answered("the dialog"))?;
            // Grown beyond the edge, it moves up: its buttons stay in reach.
            let over = (i32::from(at.dst_y) + size.1 as i32 + EDGE - self.bottom).max(0);
            let mut aux = ConfigureWindowAux::new().width(size.0).height(size.1);
            if over > 0 && size.1 > self.size.1 {
                aux = aux.x(i32::from(at.dst_x)).y((i32::from(at.dst_y) - over).max(0));
            }
            self.size = size;
            self.connection.configure_window(self.window, &aux).map_err(super::failed("the dialog"))?;
        }
        Ok(())
    }

    fn draw(&mut self, form: &Form) -> Result<(), DesktopError> {
        let (width, height) = self.size;
        let mut canvas = Canvas::new(width, height)?;
        canvas.fill(0, 0, width as i32, height as i32, BACKGROUND);
        let mut y = MARGIN - 4;
        let Rows { heading, texts } = rows(&canvas, form);
        for line in heading {
            canvas.text(&line, MARGIN, y, 19.0, INK);
            y += 25;
        }
        y += 4;
        for (line, last) in texts {
            canvas.text(&line, MARGIN, y, 15.0, MUTED);
            y += if last { 26 } else { 20 };
        }
        self.field = None;
        if let Some(field) = &form.field {
            let area = (MARGIN, y + 2, width as i32 - 2 * MARGIN, 34);
            let focused = form.focus == form.buttons.len();
            canvas.fill(area.0, area.1, area.2, area.3, WHITE);
            canvas.frame(
                area.0,
                area.1,
                area.2,
                area.3,
                if focused { 2 } else { 1 },
                if focused { ACCENT } else { LINE },
            );
            let mut shown = field.clone();
            while canvas.width_of(&shown, 17.0) > (area.2 - 24) as f32 && !shown.is_empty() {
                shown.remove(0);
            }
            canvas.text(&shown, area.0 + 9, area.1 + 8, 17.0, INK);
            if focused {
                let caret = area.0 + 10 + canvas.width_of(&shown, 17.0) as i32;
                canvas.fill(caret, area.1 + 7, 2, 20, INK);
            }
            self.field = Some(area);
        }
        let y = height as i32 - MARGIN - BUTTON.1;
        self.buttons.clear();
        for (index, label) in form.buttons.iter().enumerate() {
            let from_right = (form.buttons.len() - index) as i32;
            let x = width as i32 - MARGIN - from_right * BUTTON.0 - (from_right - 1) * 10;
            let focused = index == form.focus;
            canvas.fill(x, y, BUTTON.0, BUTTON.1, if focused { ACCENT } else { WHITE });
            canvas.frame(x, y, BUTTON.0, BUTTON.1, 1, if focused { ACCENT } else { LINE });
            let left = x + (BUTTON.0 - canvas.width_of(label, 15.0) as i32) / 2;
            canvas.text(label, left, y + 11, 15.0, if focused { WHITE } else { INK });
            self.buttons.push((x, y));
        }
        let rows = (self.connection.maximum_request_bytes().saturating_sub(64) / (width as usize * 4)).clamp(1, 4096);
        let mut top = 0;
        for part in canvas.bytes.chunks(rows * width as usize * 4) {
            let part_rows = part.len() / (width as usize * 4);
            self.connection
                .put_image(
                    ImageFormat::Z_PIXMAP,
                    self.window,
                    self.gc,
                    width as u16,
                    part_rows as u16,
                    0,
                    top,
                    0,
                    self.depth,
                    part,
                )
                .map_err(super::failed("the dialog"))?;
            top += part_rows as i16;
        }
        self.connection.flush().map_err(super::failed("the dialog"))
    }

    fn event(&mut self, form: &mut Form, event: &Event) -> Result<Vec<Option<Act>>, DesktopError> {
        match event {
            Event::Expose(_) => {
                if !form.corner {
                    self.connection
                        .set_input_focus(InputFocus::PARENT, self.window, CURRENT_TIME)
                        .map_err(super::failed("the dialog"))?
                        .ignore_error();
                }
                self.draw(form)?;
            }
            // It says that somebody watches: it does not go away.
            Event::UnmapNotify(_) if form.corner => {
                self.connection.map_window(self.window).map_err(super::failed("the dialog"))?;
            }
            Event::ClientMessage(message) if message.data.as_data32().first() == Some(&self.atoms.WM_DELETE_WINDOW) => {
                return Ok(vec![Some(Act::Close)]);
            }
            Event::ButtonPress(press) if press.detail == 1 => {
                let (x, y) = (i32::from(press.event_x), i32::from(press.event_y));
                let hit = |left: i32, top: i32, size: (i32, i32)| {
                    (left..left + size.0).contains(&x) && (top..top + size.1).contains(&y)
                };
                if let Some(index) = self.buttons.iter().position(|(left, top)| hit(*left, *top, BUTTON)) {
                    return Ok(vec![Some(Act::Button(index))]);
                }
                if self.field.is_some_and(|area| hit(area.0, area.1, (area.2, area.3))) {
                    form.focus = form.buttons.len();
                    self.connection
                        .set_input_focus(InputFocus::PARENT, self.window, press.time)
                        .map_err(super::failed("the dialog"))?
                        .ignore_error();
                    self.draw(form)?;
                }
            }
            Event::KeyPress(press) => return self.key(form, press.detail, u16::from(press.state)),
            _ => {}
        }
        Ok(Vec::new())
    }

    fn key(&mut self, form: &mut Form, keycode: u8, state: u16) -> Result<Vec<Option<Act>>, DesktopError> {
        // Bit 0 is Shift, bit 1 Caps Lock, bit 7 AltGr; bits 13 and 14 are the
        // group (XKB protocol, 12.1.2, as for `Keyboard`).
        let shift = usize::from(state & 1 != 0);
        let third = state & 0x80 != 0;
        let level = match (state >> 13 & 3, third) {
            (0, true) => 4,
            (1, false) => 2,
            (1, true) => 6,
            _ => 0,
        };
        let base = usize::from(keycode.saturating_sub(self.lowest)) * self.columns;
        let at = |column: usize| {
            let inside = column < self.columns;
            self.keysyms.get(base + column).copied().filter(|sym| inside && *sym != 0)
        };
        let Some(sym) = at(level + shift).or_else(|| at(level)).or_else(|| at(0)) else { return Ok(Vec::new()) };
        let stops = form.buttons.len() + usize::from(form.field.is_some());
        let in_field = form.field.is_some() && form.focus == form.buttons.len();
        match sym {
            // Escape
            0xff1b => return Ok(vec![Some(Act::Close)]),
            // Tab, Shift+Tab, the arrows
            0xff09 | 0xff53 if stops > 0 => form.focus = (form.focus + 1) % stops,
            0xfe20 | 0xff51 if stops > 0 => form.focus = (form.focus + stops - 1) % stops,
            // Enter, and Space on a button
            0xff0d | 0xff8d if in_field => return Ok(vec![Some(Act::Enter)]),
            0xff0d | 0xff8d => return Ok(vec![Some(Act::Button(form.focus))]),
            0x20 if !in_field => return Ok(vec![Some(Act::Button(form.focus))]),
            // Backspace
            0xff08 if in_field => {
                if let Some(field) = &mut form.field {
                    field.pop();
                }
            }
            _ => {
                let character = super::keyboard::character(sym).filter(|typed| !typed.is_control());
                let character = character.map(|typed| match state & 2 != 0 && shift == 0 {
                    true => typed.to_uppercase().next().unwrap_or(typed),
                    false => typed,
                });
                if let (Some(field), Some(character)) = (form.field.as_mut().filter(|_| in_field), character)
                    && field.chars().count() < 500
                {
                    field.push(character);
                }
            }
        }
        self.draw(form)?;
        Ok(Vec::new())
    }

    fn close(&self) {
        if let Ok(cookie) = self.connection.destroy_window(self.window) {
            cookie.ignore_error();
        }
        // The connection closes next in any case.
        let _: Result<(), _> = self.connection.sync();
    }
}

/// A form's words as they are drawn.
struct Rows {
    heading: Vec<String>,
    /// Each with whether a text ends with it.
    texts: Vec<(String, bool)>,
}

fn rows(canvas: &Canvas, form: &Form) -> Rows {
    let inner = form.width as f32 - 2.0 * MARGIN as f32;
    let mut heading = canvas.wrap(&form.heading, 19.0, inner);
    let mut texts = Vec::new();
    for text in &form.texts {
        let lines = canvas.wrap(text, 15.0, inner);
        let count = lines.len();
        texts.extend(lines.into_iter().enumerate().map(|(at, line)| (line, at + 1 == count)));
    }
    if form.corner {
        if heading.len() > CORNER_HEADING {
            heading.truncate(CORNER_HEADING);
            if let Some(last) = heading.last_mut() {
                last.push('…');
            }
        }
        texts.drain(..texts.len().saturating_sub(CORNER_ROWS));
    }
    Rows { heading, texts }
}

/// The size that a form needs.
fn measure(form: &mut Form) -> Result<(u32, u32), DesktopError> {
    let Rows { heading, texts } = rows(&Canvas::new(1, 1)?, form);
    let ends = texts.iter().filter(|(_, last)| *last).count();
    let texts = texts.len() as u32 * 20 + ends as u32 * 6;
    let field = if form.field.is_some() { 42 } else { 0 };
    let buttons = if form.buttons.is_empty() { 0 } else { BUTTON.1 as u32 + 12 };
    Ok((form.width, heading.len() as u32 * 25 + 4 + texts + field + buttons + 2 * MARGIN as u32 - 4))
}

/// Left, top, right and bottom of the display that counts as the main one.
fn main_display(connection: &RustConnection, screen: &Screen) -> (i32, i32, i32, i32) {
    let whole = (0, 0, i32::from(screen.width_in_pixels), i32::from(screen.height_in_pixels));
    let monitors = connection.randr_get_monitors(screen.root, true).ok().and_then(|asked| asked.reply().ok());
    let monitors = monitors.map(|reply| reply.monitors).unwrap_or_default();
    let main = monitors.iter().find(|monitor| monitor.primary).or(monitors.first());
    main.map_or(whole, |monitor| {
        let (x, y) = (i32::from(monitor.x), i32::from(monitor.y));
        (x, y, x + i32::from(monitor.width), y + i32::from(monitor.height))
    })
}

/// Seconds left, rounded up.
pub(super) fn seconds_left(deadline: Instant) -> u64 {
    let left = deadline.saturating_duration_since(Instant::now());
    left.as_secs() + u64::from(left.subsec_nanos() > 0)
}

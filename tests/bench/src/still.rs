//! A picture that fills a display, until it is dropped.

use anyhow::{Context, Result};
use gc_desktop_tests::Display;
use gc_screen::Size;
use x11rb::connection::Connection;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{ConnectionExt as _, CreateGCAux, CreateWindowAux, EventMask, ImageFormat, WindowClass};
use x11rb::rust_connection::RustConnection;
use x11rb::{COPY_DEPTH_FROM_PARENT, COPY_FROM_PARENT};

/// Lines that go in one request.
const LINES: usize = 16;

/// The window, as long as this is held.
#[derive(Debug)]
pub struct Still {
    _connection: RustConnection,
}

impl Still {
    /// Show blue, green, red and nothing for each pixel.
    ///
    /// # Errors
    /// When the display does not take it.
    pub fn show(display: &Display, size: Size, pixels: &[u8]) -> Result<Self> {
        let (connection, screen) = x11rb::connect(Some(display.name()))?;
        let root = connection.setup().roots.get(screen).context("no screen")?.root;
        let (window, gc) = (connection.generate_id()?, connection.generate_id()?);
        let (width, height) = (u16::try_from(size.width)?, u16::try_from(size.height)?);
        let look = CreateWindowAux::new().override_redirect(1).event_mask(EventMask::STRUCTURE_NOTIFY);
        let (depth, class, visual) = (COPY_DEPTH_FROM_PARENT, WindowClass::INPUT_OUTPUT, COPY_FROM_PARENT);
        connection.create_window(depth, window, root, 0, 0, width, height, 0, class, visual, &look)?;
        connection.create_gc(gc, window, &CreateGCAux::new())?;
        connection.map_window(window)?;
        connection.flush()?;
        while !matches!(connection.wait_for_event()?, Event::MapNotify(_)) {}
        for (band, rows) in pixels.chunks(usize::from(width) * 4 * LINES).enumerate() {
            let lines = u16::try_from(rows.len() / 4 / usize::from(width))?;
            let y = i16::try_from(band * LINES)?;
            connection.put_image(ImageFormat::Z_PIXMAP, window, gc, width, lines, 0, y, 0, 24, rows)?;
        }
        connection.get_input_focus()?.reply()?;
        Ok(Self { _connection: connection })
    }
}

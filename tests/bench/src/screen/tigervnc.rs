//! TigerVNC's encodings: its server with a display of its own, on which each
//! recorded frame is drawn, and a client that asks for one update a frame.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use gc_profile::recording::Recording;
use gc_screen::{Canvas, Rect};
use serde_json::{Value, json};
use x11rb::connection::Connection;
use x11rb::protocol::xproto::{ConnectionExt as _, CreateGCAux, Gcontext, ImageFormat, Window};
use x11rb::rust_connection::RustConnection;

use super::{class, quantile};
use crate::process::spent;
use crate::rfb::{Client, Encoding, Flow};
use crate::xvnc::Xvnc;

/// A row and how its pixels come.
const ROWS: [(&str, Encoding); 3] = [
    ("TigerVNC Tight", Encoding::Tight),
    ("TigerVNC ZRLE", Encoding::Zrle),
    ("TigerVNC Tight, JPEG 8", Encoding::TightJpeg(8)),
];
/// The server looks at what changed sixty times in a second; after this it
/// has, and all of a frame comes in one update.
const TICK: Duration = Duration::from_millis(40);
/// Of a request, in bytes, with room for its head.
const REQUEST: usize = 4 << 20;

/// What became of a recording.
#[derive(Default)]
struct Outcome {
    frames: usize,
    changed: usize,
    first: u64,
    rest: u64,
    /// Of the server, for all frames after the first.
    server: Duration,
    decode: Vec<Duration>,
    /// Frames that differ; `None` where they were not decoded.
    bad: Option<usize>,
}

pub(super) fn rows(path: &Path) -> Result<Vec<Value>> {
    // What drawing costs the server where nobody looks.
    let alone = play(path, None)?;
    let mut rows = Vec::new();
    for (name, encoding) in ROWS {
        let mut outcome = play(path, Some(encoding)).with_context(|| name.to_owned())?;
        let server = outcome.server.saturating_sub(alone.server).as_secs_f64();
        let mean = (server / outcome.changed.max(1) as f64 * 1e6).round() / 1000.0;
        let decode = outcome.bad.map(|_| quantile(&mut outcome.decode, 0.5));
        rows.push(json!({
            "row": name, "cls": class(path), "frames": outcome.frames, "changed": outcome.changed,
            "bytes_per_frame": outcome.rest as f64 / outcome.frames.saturating_sub(1).max(1) as f64,
            "key_bytes": outcome.first,
            // The server tells no times: of a whole run only the mean is known.
            "enc_mean_ms": mean, "enc_p50_ms": null, "enc_p99_ms": null, "diff_ms": null, "dec_p50_ms": decode,
            "bad": outcome.bad, "psnr_y": null,
        }));
    }
    Ok(rows)
}

/// Draw a recording, with a client or without.
fn play(path: &Path, encoding: Option<Encoding>) -> Result<Outcome> {
    let mut recording = Recording::open(path)?;
    let size = recording.size();
    let geometry = format!("{}x{}", size.width, size.height);
    let server = Xvnc::start(Ipv4Addr::LOCALHOST.into(), &["-geometry", &geometry])?;
    let easel = Easel::open(&server.display)?;
    let connect = |encoding| Client::connect(server.address, encoding, Flow::Asked);
    let mut client = encoding.map(connect).transpose()?;
    let mut outcome = Outcome { bad: Some(0), ..Outcome::default() };
    let mut before = Duration::ZERO;
    while recording.read()? {
        let frame = recording.absorb();
        outcome.frames += 1;
        if !frame.damage.is_empty() {
            easel.draw(frame.canvas, &frame.damage.rects())?;
            std::thread::sleep(TICK);
            let bytes = match &mut client {
                Some(client) => update(client, frame.canvas, &mut outcome)?,
                None => 0,
            };
            if outcome.frames == 1 {
                outcome.first = bytes;
                outcome.decode.clear();
            } else {
                outcome.changed += 1;
                outcome.rest += bytes;
            }
        }
        if outcome.frames == 1 {
            before = spent(server.id())?;
        }
    }
    outcome.server = spent(server.id())?.saturating_sub(before);
    Ok(outcome)
}

/// Ask for what changed, and take it in; how many bytes it was.
fn update(client: &mut Client, expected: &Canvas, outcome: &mut Outcome) -> Result<u64> {
    let (taken, decoding) = (client.taken(), client.decoding());
    client.ask(true)?;
    client.update()?;
    outcome.decode.push(client.decoding().saturating_sub(decoding));
    outcome.bad = match (client.picture(), outcome.bad) {
        (Some(picture), Some(bad)) => Some(bad + usize::from(picture != expected)),
        _ => None,
    };
    Ok(client.taken() - taken)
}

/// A display's whole picture, to draw on.
struct Easel {
    connection: RustConnection,
    root: Window,
    depth: u8,
    gc: Gcontext,
}

impl Easel {
    fn open(display: &str) -> Result<Self> {
        let (connection, number) = x11rb::connect(Some(display))?;
        let screen = connection.setup().roots.get(number).context("no screen")?;
        let (root, depth) = (screen.root, screen.root_depth);
        let gc = connection.generate_id()?;
        connection.create_gc(gc, root, &CreateGCAux::new())?.check()?;
        Ok(Self { connection, root, depth, gc })
    }

    /// Draw these parts, and wait until the server has.
    fn draw(&self, canvas: &Canvas, rects: &[Rect]) -> Result<()> {
        for rect in rects {
            let most = (REQUEST / (rect.width.max(1) as usize * 4)).max(1);
            let rows: Vec<u32> = (rect.y..rect.y + rect.height).collect();
            for rows in rows.chunks(most) {
                let Some(&top) = rows.first() else { continue };
                let pixels = rows.iter().flat_map(|y| canvas.row(rect.x, *y, rect.width));
                let data: Vec<u8> = pixels.flat_map(|pixel| pixel.to_le_bytes()).collect();
                let (width, height) = (u16::try_from(rect.width)?, u16::try_from(rows.len())?);
                let (x, y) = (i16::try_from(rect.x)?, i16::try_from(top)?);
                let format = ImageFormat::Z_PIXMAP;
                let (root, gc, depth) = (self.root, self.gc, self.depth);
                self.connection.put_image(format, root, gc, width, height, x, y, 0, depth, &data)?;
            }
        }
        self.connection.get_input_focus()?.reply()?;
        Ok(())
    }
}

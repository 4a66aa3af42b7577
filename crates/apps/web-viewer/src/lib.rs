//! The viewer in the browser: the core crates as WebAssembly, in a Worker.
//! The socket, the protocol, the decoder and the key tables are here; the page
//! draws buttons and passes events.
//!
//! Architectural invariant: the page never sees a message of the wire, only
//! what this module tells it.

mod canvas;
mod film;
mod input;
mod latency;
mod report;
mod socket;
mod statistics;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use gc_keys::by_code;
use gc_protocol::messages::{
    Chat, ControlRequest, KeyEvent, QualityPreset, QualitySettings, SwitchDisplay, VideoCodec, VideoFrame,
    ViewerStatistics,
};
use gc_protocol::{encode, limits};
use gc_session::viewer::{Event, ViewerSession};
use js_sys::Function;
use wasm_bindgen::prelude::*;
use web_sys::OffscreenCanvas;

use crate::canvas::Canvas;
use crate::film::{Decoding, Film};
use crate::latency::Latency;
use crate::socket::Socket;
use crate::statistics::{Sums, Tally};

fn scope() -> web_sys::DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// Milliseconds since the Worker began, as a duration.
fn now() -> Duration {
    Duration::from_secs_f64(scope().performance().map_or(0.0, |performance| performance.now()) / 1000.0)
}

/// A session in a canvas.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Viewer(Rc<RefCell<Inner>>);

#[derive(Debug)]
struct Inner {
    session: ViewerSession,
    canvas: Canvas,
    film: Film,
    latency: Latency,
    socket: Option<Socket>,
    listener: Function,
    /// What the page is told once nothing here is in use: it may answer at once.
    reports: Vec<JsValue>,
    goodbye: bool,
    /// When the hand did what is sent next.
    hand: Option<Duration>,
    /// The input that the picture drawn last answers, until it is presented.
    drawn: u32,
    awaiting_frame: bool,
    /// Of this second.
    sums: Sums,
    /// What the relay is told.
    tally: Tally,
}

#[wasm_bindgen]
impl Viewer {
    /// Open a session. `listener` is called with an object for everything that
    /// the page should know; each has a `type`. `video`: it decodes what comes as
    /// `film`, and answers each with [`Self::film_decoded`] and,
    /// if so, [`Self::film_drawn`], or with [`Self::film_failed`].
    ///
    /// # Errors
    /// When the browser makes no socket or no drawing context.
    #[wasm_bindgen(constructor)]
    pub fn new(
        canvas: OffscreenCanvas,
        url: &str,
        token: &str,
        display: u32,
        video: bool,
        listener: Function,
    ) -> Result<Viewer, JsValue> {
        let (session, hello) = ViewerSession::open(env!("CARGO_PKG_VERSION"), display, video, now());
        let inner = Rc::new(RefCell::new(Inner {
            session,
            canvas: Canvas::new(canvas)?,
            film: Film::default(),
            latency: Latency::default(),
            socket: None,
            listener,
            reports: Vec::new(),
            goodbye: false,
            hand: None,
            drawn: 0,
            awaiting_frame: false,
            sums: Sums::default(),
            tally: Tally::default(),
        }));
        let (opened, heard, closed) = (inner.clone(), inner.clone(), inner.clone());
        let socket = Socket::open(
            url,
            token,
            move || opened.borrow_mut().send(&hello),
            move |message| {
                heard.borrow_mut().received(message);
                deliver(&heard);
                await_presentation(&heard);
            },
            move |code| {
                closed.borrow_mut().closed(code);
                deliver(&closed);
            },
        )?;
        inner.borrow_mut().socket = Some(socket);
        Ok(Viewer(inner))
    }

    /// Once a second: heartbeats and statistics. `false` when the line is dead.
    pub fn tick(&self) -> bool {
        let mut inner = self.0.borrow_mut();
        let alive = match inner.session.tick(now()) {
            Some(beat) => {
                inner.send(&beat);
                true
            }
            None => false,
        };
        if let Some(again) = inner.session.ask_again_late(now()) {
            inner.send(&again);
        }
        inner.statistics();
        drop(inner);
        deliver(&self.0);
        alive
    }

    /// When the hand did what is sent next, in milliseconds since 1970 as
    /// `performance.timeOrigin` and an event's time stamp give it.
    pub fn time(&self, at: f64) {
        let origin = scope().performance().map_or(0.0, |performance| performance.time_origin());
        let since = ((at - origin) / 1000.0).clamp(0.0, 1e9);
        self.0.borrow_mut().hand = Some(Duration::from_secs_f64(since).min(now()));
    }

    /// A key by its `KeyboardEvent.code`. `false` where the table has no such
    /// key.
    pub fn key(&self, code: &str, down: bool, repeat: bool, modifiers: u32) -> bool {
        let Some(key) = by_code(code) else { return false };
        let mut inner = self.0.borrow_mut();
        let seq = inner.next_input();
        inner.send(&encode(KeyEvent {
            virtual_key: key.virtual_key.into(),
            scan_code: key.scan_code.into(),
            modifiers,
            down,
            repeat,
            seq,
            is_extended: key.extended,
        }));
        true
    }

    /// Characters, whatever key they are on.
    pub fn text(&self, text: &str) {
        let mut inner = self.0.borrow_mut();
        for part in input::in_parts(text) {
            let seq = inner.next_input();
            inner.send(&input::text(part, seq));
        }
    }

    /// Move the pointer, in the display's pixels.
    pub fn pointer_move(&self, x: i32, y: i32) {
        let mut inner = self.0.borrow_mut();
        let (display, seq) = (inner.canvas.display(), inner.next_input());
        inner.send(&input::pointer_move(display, x, y, seq));
    }

    /// Press or release a button, by its number in `PointerEvent.button`.
    pub fn pointer_button(&self, x: i32, y: i32, button: u16, down: bool) {
        let mut inner = self.0.borrow_mut();
        let (display, seq) = (inner.canvas.display(), inner.next_input());
        if let Some(message) = input::pointer_button(display, x, y, button, down, seq) {
            inner.send(&message);
        }
    }

    /// Turn the wheel: 120 is a notch, positive to the right and upwards.
    pub fn wheel(&self, x: i32, y: i32, right: i32, up: i32) {
        let mut inner = self.0.borrow_mut();
        let (display, seq) = (inner.canvas.display(), inner.next_input());
        inner.send(&input::wheel(display, (x, y), (right, up), seq));
    }

    /// A combination by name; see `input::special`.
    pub fn special(&self, name: &str) {
        let mut inner = self.0.borrow_mut();
        let seq = inner.next_input();
        if let Some(message) = input::special(name, seq) {
            inner.send(&message);
        }
    }

    /// Let go of everything held.
    pub fn reset(&self) {
        let mut inner = self.0.borrow_mut();
        let seq = inner.next_input();
        inner.send(&input::reset(seq));
    }

    /// Take or give up control.
    pub fn control(&self, take: bool) {
        self.0.borrow_mut().send(&encode(ControlRequest { take }));
    }

    /// Look at another display.
    pub fn display(&self, id: u32) {
        self.0.borrow_mut().send(&encode(SwitchDisplay { display_id: id }));
    }

    /// Say something.
    pub fn chat(&self, text: &str) {
        let text = limits::displayable(text, limits::CHAT_LINE);
        self.0.borrow_mut().send(&encode(Chat { text, ..Default::default() }));
    }

    /// How pictures are wanted, by the preset's name. The numbers are for
    /// `custom`: most pictures, and most kilobits, in a second.
    pub fn quality(&self, preset: &str, frames: u32, kbit: u32) {
        let preset = match preset {
            "low" => QualityPreset::QualityLow,
            "balanced" => QualityPreset::QualityBalanced,
            "high" => QualityPreset::QualityHigh,
            "custom" => QualityPreset::QualityCustom,
            _ => QualityPreset::QualityAuto,
        };
        let custom = preset == QualityPreset::QualityCustom;
        self.0.borrow().send(&encode(QualitySettings {
            preset: preset.into(),
            max_frames_per_second: if custom { frames } else { 0 },
            max_kbit_per_second: if custom { kbit } else { 0 },
        }));
    }

    /// A picture of the video was decoded: whether it is still to be drawn.
    pub fn film_decoded(&self, id: u32) -> bool {
        let draw = self.0.borrow_mut().film_decoded(id);
        await_presentation(&self.0);
        draw
    }

    /// It is drawn.
    pub fn film_drawn(&self) {
        self.0.borrow().canvas.film_drawn();
    }

    /// The browser's decoder of video has failed: once more from the beginning,
    /// or, where it does not work at all, without video.
    pub fn film_failed(&self, for_good: bool) {
        let mut inner = self.0.borrow_mut();
        inner.film.clear();
        let again = if for_good { inner.session.without_video() } else { inner.session.broken() };
        inner.send(&again);
    }

    /// Leave.
    pub fn close(&self) {
        let socket = self.0.borrow_mut().socket.take();
        if let Some(socket) = socket {
            socket.close();
        }
    }
}

/// Tell the page what there is to tell.
fn deliver(viewer: &Rc<RefCell<Inner>>) {
    let (listener, reports) = {
        let mut inner = viewer.borrow_mut();
        (inner.listener.clone(), std::mem::take(&mut inner.reports))
    };
    for report in reports {
        // What the page does with it is the page's affair.
        let _: Result<JsValue, JsValue> = listener.call1(&JsValue::NULL, &report);
    }
}

/// A picture is seen when the browser has presented it: with the next frame
/// that it paints.
fn await_presentation(viewer: &Rc<RefCell<Inner>>) {
    {
        let mut inner = viewer.borrow_mut();
        if inner.drawn == 0 || inner.awaiting_frame {
            return;
        }
        inner.awaiting_frame = true;
    }
    let shown = viewer.clone();
    let painted = Closure::once_into_js(move || {
        let mut inner = shown.borrow_mut();
        inner.awaiting_frame = false;
        let seq = std::mem::take(&mut inner.drawn);
        inner.latency.presented(seq, now());
    });
    if scope().request_animation_frame(painted.unchecked_ref()).is_err() {
        viewer.borrow_mut().awaiting_frame = false;
    }
}

impl Inner {
    fn send(&self, message: &Bytes) {
        if let Some(socket) = &self.socket {
            socket.send(message);
        }
    }

    fn next_input(&mut self) -> u32 {
        let seq = self.session.next_input();
        let hand = self.hand.take().unwrap_or_else(now);
        self.latency.sent(seq, hand);
        seq
    }

    fn tell(&mut self, report: JsValue) {
        self.reports.push(report);
    }

    fn received(&mut self, message: Bytes) {
        self.sums.bytes += message.len() as u64;
        let events = match self.session.received(message, now()) {
            Ok(events) => events,
            Err(error) => {
                self.tell(report::broken(&error.to_string()));
                return;
            }
        };
        for event in events {
            match event {
                Event::Send(bytes) => self.send(&bytes),
                Event::Told(body) => {
                    if let Some(report) = report::body(&body) {
                        self.tell(report);
                    }
                }
                Event::Goodbye(goodbye) => {
                    self.goodbye = true;
                    self.tell(report::goodbye(&goodbye));
                }
                Event::Frame(frame) => self.show(&frame),
            }
        }
    }

    fn show(&mut self, frame: &VideoFrame) {
        let begun = now();
        self.sums.encoded += Duration::from_micros(frame.encode_us.into());
        if frame.codec() == VideoCodec::H264 {
            self.play(frame, begun);
            return;
        }
        if frame.keyframe {
            // Nothing waits for pictures of what was before.
            self.film.clear();
        }
        let shown = self.canvas.show(frame, self.film.is_decoding());
        let ended = now();
        match shown {
            Ok(resized) => {
                self.sums.frames += 1;
                self.sums.decoded += ended - begun;
                let micros = u32::try_from((ended - begun).as_micros()).unwrap_or(u32::MAX);
                // What came before it is to be acknowledged before it.
                let shown = self.session.shown(frame, micros, 0, 0);
                if let Some(shown) = self.film.hold(shown) {
                    self.send(&shown);
                }
                self.drawn = self.drawn.max(frame.input_seq);
                if let Some((width, height)) = resized {
                    self.tell(report::size(frame.display_id, width, height));
                }
            }
            Err(()) => {
                let refresh = self.session.broken();
                self.send(&refresh);
            }
        }
    }

    /// Hand a picture of the video to the browser's decoder.
    fn play(&mut self, frame: &VideoFrame, now: Duration) {
        let region = self.canvas.film(frame).ok();
        let pushed = region.and_then(|region| {
            let (id, codec) = self.film.push(frame, region, now)?;
            Some(report::film(id, region, frame.video_fresh, codec, &frame.payload))
        });
        if let Some(film) = pushed {
            self.tell(film);
        } else {
            let hopeless = self.film.give_up();
            let again = if hopeless { self.session.without_video() } else { self.session.broken() };
            self.send(&again);
        }
    }

    fn film_decoded(&mut self, id: u32) -> bool {
        let Some(Decoding { region, frame, begun, after, .. }) = self.film.decoded(id) else { return false };
        let took = now() - begun;
        self.sums.frames += 1;
        self.sums.decoded += took;
        let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        self.send(&self.session.shown(&frame, micros, 0, 0));
        if let Some(after) = after {
            self.send(&after);
        }
        self.drawn = self.drawn.max(frame.input_seq);
        self.canvas.shows_film(region)
    }

    fn statistics(&mut self) {
        let now = now();
        let (sums, region) = (std::mem::take(&mut self.sums), self.canvas.region());
        let latency = self.latency.median(now);
        let times = [latency, sums.each(sums.encoded), sums.each(sums.decoded), Some(self.session.silence(now))];
        self.tell(report::statistics(sums.frames, sums.bytes as f64, times, region));
        if let Some(told) = self.tally.second(sums, now) {
            let codec = if region.is_some() { VideoCodec::H264 } else { VideoCodec::Tiles };
            let [latency_us, round_trip_us] = [latency, self.session.round_trip()].map(statistics::micros);
            self.send(&encode(ViewerStatistics { codec: codec.into(), latency_us, round_trip_us, ..told }));
        }
    }

    fn closed(&mut self, code: u16) {
        self.socket = None;
        self.tell(report::closed(code, self.goodbye));
    }
}

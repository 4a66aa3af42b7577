//! The capture thread: woken by damage, credit or a viewer's wish, it sends
//! the newest picture to whoever may have one.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use gc_desktop::{Changed, CursorImage, DesktopError, DisplayInfo, Screen};
use gc_protocol::header::{RELAY, STREAM_BIT};
use gc_protocol::limits;
use gc_protocol::messages::{
    AgentStatus, CursorPosition, CursorShape, SessionResponse, StreamAssign, VideoCodec, VideoFrame,
};
use gc_protocol::parts;
use gc_screen::encode::Encoder;
use gc_screen::streams::FramePlan;
use gc_screen::{Damage, Framebuffer, Rect, Size, Streams};

use super::link::Link;
use super::worker::to_wire;

/// Wishes that may wait; more means that the screen is stuck, and then the
/// oldest still count.
const WAITING: usize = 1024;
/// How often the pointer is looked at while somebody watches.
const CURSOR_PERIOD: Duration = Duration::from_millis(50);

/// No wait is shorter, so that nothing spins.
const SHORTEST: Duration = Duration::from_millis(8);
/// After this long without change or input the screen is at rest.
const QUIET: Duration = Duration::from_secs(1);

/// What the capture thread has to do.
#[derive(Debug)]
pub(super) enum Work {
    /// Something may have changed.
    Wake,
    /// A viewer wants this display.
    Show { viewer: u32, display: u32 },
    /// A viewer wants nothing more.
    Stop { viewer: u32 },
    /// A viewer has shown a frame.
    Acknowledged { viewer: u32, frame: (u32, u32, u32) },
    /// A viewer has to begin anew.
    Refresh { viewer: u32 },
    /// Nobody is there any more.
    Disconnected,
}

/// Wakes the capture thread; many wakes at once are one.
#[derive(Debug, Clone)]
pub(super) struct Waker {
    sender: SyncSender<Work>,
    awake: Arc<AtomicBool>,
    applied: Applied,
}

/// The last input of each viewer that was carried out.
type Applied = Arc<Mutex<BTreeMap<u32, u32>>>;

impl Waker {
    /// A viewer's input was carried out: pictures from now on answer it.
    pub(super) fn applied(&self, viewer: u32, sequence: u32) {
        let mut applied = self.applied.lock().unwrap_or_else(PoisonError::into_inner);
        applied.insert(viewer, sequence);
        // Viewers come and go; only the latest matter.
        while applied.len() > 64 {
            applied.pop_first();
        }
    }

    pub(super) fn wake(&self) {
        if !self.awake.swap(true, Ordering::AcqRel) {
            // A full queue is awake already.
            let _: Result<(), _> = self.sender.try_send(Work::Wake);
        }
    }
}

pub(super) fn queue() -> (Waker, Receiver<Work>) {
    let (sender, receiver) = sync_channel(WAITING);
    (Waker { sender, awake: Arc::default(), applied: Applied::default() }, receiver)
}

/// A handle to the thread.
pub(super) struct Capture {
    waker: Waker,
    displays: Arc<Mutex<Vec<DisplayInfo>>>,
}

impl Capture {
    pub(super) fn start(
        mut screen: Box<dyn Screen>,
        waker: Waker,
        works: Receiver<Work>,
        link: Link,
        displays: Arc<Mutex<Vec<DisplayInfo>>>,
    ) -> Result<Self, DesktopError> {
        let encoder = Encoder::new().map_err(|error| DesktopError::Refused(error.to_string()))?;
        *displays.lock().unwrap_or_else(PoisonError::into_inner) = screen.displays()?;
        let mut thread = Thread {
            screen,
            link,
            displays: displays.clone(),
            encoder,
            streams: Streams::new(STREAM_BIT | 1),
            seen: BTreeMap::new(),
            pixels: Vec::new(),
            cursor: CursorShape { hidden: true, ..Default::default() },
            cursor_told: false,
            cursor_at: None,
            cursor_looked: Duration::ZERO,
            obstacle: None,
            awake: waker.awake.clone(),
            applied: waker.applied.clone(),
            answered: BTreeMap::new(),
            active: Duration::ZERO,
            looked: Duration::ZERO,
            start: Instant::now(),
        };
        std::thread::Builder::new()
            .name("capture".into())
            .spawn(move || thread.run(&works))
            .map_err(|error| DesktopError::Refused(error.to_string()))?;
        Ok(Self { waker, displays })
    }

    pub(super) fn push(&self, work: Work) {
        match self.waker.sender.try_send(work) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => tracing::error!("the screen is stuck; a viewer's wish is lost"),
            Err(TrySendError::Disconnected(_)) => tracing::error!("the capture thread is gone"),
        }
    }

    pub(super) fn status(&self) -> AgentStatus {
        let displays = self.displays.lock().unwrap_or_else(PoisonError::into_inner);
        AgentStatus { displays: displays.iter().map(to_wire).collect(), ..Default::default() }
    }
}

struct Seen {
    framebuffer: Framebuffer,
    uncaptured: Damage,
}

struct Thread {
    screen: Box<dyn Screen>,
    link: Link,
    displays: Arc<Mutex<Vec<DisplayInfo>>>,
    encoder: Encoder,
    streams: Streams,
    seen: BTreeMap<u32, Seen>,
    pixels: Vec<u8>,
    /// As it was last seen, and whether everybody who watches knows it.
    cursor: CursorShape,
    cursor_told: bool,
    cursor_at: Option<(u32, i32, i32)>,
    cursor_looked: Duration,
    obstacle: Option<String>,
    awake: Arc<AtomicBool>,
    applied: Applied,
    /// What had been carried out when the pictures of this round were taken.
    answered: BTreeMap<u32, u32>,
    /// When something last moved or was typed.
    active: Duration,
    /// When a screen that reports no changes was last looked at.
    looked: Duration,
    start: Instant,
}

impl Thread {
    fn run(&mut self, works: &Receiver<Work>) {
        loop {
            let first = match self.timeout() {
                Some(timeout) => match works.recv_timeout(timeout) {
                    Ok(work) => Some(work),
                    Err(RecvTimeoutError::Timeout) => None,
                    Err(RecvTimeoutError::Disconnected) => return,
                },
                None => match works.recv() {
                    Ok(work) => Some(work),
                    Err(_) => return,
                },
            };
            self.awake.store(false, Ordering::Release);
            for work in first.into_iter().chain(works.try_iter().take(WAITING)) {
                self.take(work);
            }
            if !self.streams.is_empty() {
                let pumped = self.pump();
                self.explain(pumped);
            }
        }
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Until when nothing has to be done; `None` while nobody watches.
    fn timeout(&self) -> Option<Duration> {
        if self.streams.is_empty() {
            return None;
        }
        let now = self.now();
        let slow = self.streams.wake_at().map(|at| at.saturating_sub(now));
        // Where changes are not reported, a screen at rest is looked at less.
        let quiet = now.saturating_sub(self.active) > QUIET;
        let poll = self.screen.poll_period().map(|period| if quiet { period * 5 } else { period });
        [slow, poll, Some(CURSOR_PERIOD)].into_iter().flatten().min().map(|wait| wait.max(SHORTEST))
    }

    fn size_of(&self, display: u32) -> Option<Size> {
        let displays = self.displays.lock().unwrap_or_else(PoisonError::into_inner);
        displays.iter().find(|other| other.id == display).map(|other| other.size)
    }

    fn take(&mut self, work: Work) {
        let now = self.now();
        match work {
            Work::Wake => self.active = now,
            Work::Show { viewer, display } => self.show(viewer, display, now),
            Work::Stop { viewer } => self.streams.unsubscribe(viewer),
            Work::Acknowledged { viewer, frame } => self.streams.acknowledged(viewer, frame, now),
            Work::Refresh { viewer } => {
                if let Some(size) = self.streams.of_viewer(viewer).and_then(|(_, _, display)| self.size_of(display)) {
                    self.streams.refresh(viewer, size, now);
                }
            }
            Work::Disconnected => {
                self.streams = Streams::new(STREAM_BIT | 1);
            }
        }
        if self.streams.is_empty() {
            self.seen.clear();
        }
    }

    fn show(&mut self, viewer: u32, wanted: u32, now: Duration) {
        if let Err(error) = self.refresh_displays() {
            self.link.send(viewer, SessionResponse { obstacle: error.to_string(), ..Default::default() });
            return;
        }
        let chosen = {
            let displays = self.displays.lock().unwrap_or_else(PoisonError::into_inner);
            let wanted = displays.iter().find(|display| display.id == wanted);
            let primary = displays.iter().find(|display| display.primary);
            wanted.or(primary).or(displays.first()).map(|display| (display.id, display.size))
        };
        let Some((display, size)) = chosen else { return };
        if !self.streams.subscribe(viewer, display, size, now) {
            let obstacle = "Too many people are watching this computer already.".to_owned();
            self.link.send(viewer, SessionResponse { obstacle, ..Default::default() });
            return;
        }
        self.see(display, size);
        self.cursor_told = false;
    }

    /// Begin to look at a display.
    fn see(&mut self, display: u32, size: Size) {
        let known = self.seen.get(&display).is_some_and(|seen| seen.framebuffer.size() == size);
        if !known {
            let seen = Seen { framebuffer: Framebuffer::new(size), uncaptured: Damage::all(size) };
            self.seen.insert(display, seen);
        }
    }

    /// Take over a layout that has changed.
    fn refresh_displays(&mut self) -> Result<(), DesktopError> {
        let fresh = self.screen.displays()?;
        let stale = {
            let mut displays = self.displays.lock().unwrap_or_else(PoisonError::into_inner);
            if *displays == fresh {
                return Ok(());
            }
            std::mem::replace(&mut *displays, fresh.clone())
        };
        let now = self.now();
        let watched: Vec<u32> = self.streams.displays().collect();
        for id in watched {
            let before = stale.iter().find(|display| display.id == id);
            let after = fresh.iter().find(|display| display.id == id);
            match after {
                Some(after) if before.map(|before| before.size) != Some(after.size) => {
                    self.see(id, after.size);
                    self.streams.resized(id, after.size, now);
                }
                Some(_) => {
                    if let Some(seen) = self.seen.get_mut(&id) {
                        seen.uncaptured = Damage::all(seen.framebuffer.size());
                    }
                }
                // It was unplugged: its viewers see the main one from now on.
                None => {
                    self.seen.remove(&id);
                    let viewers: Vec<u32> = self.streams.viewers_of(id).collect();
                    let main = fresh.iter().find(|display| display.primary).or(fresh.first());
                    if let Some(main) = main {
                        for viewer in viewers {
                            self.streams.subscribe(viewer, main.id, main.size, now);
                        }
                        self.see(main.id, main.size);
                    }
                }
            }
        }
        let viewers: Vec<u32> = self.streams.viewers().collect();
        for viewer in viewers {
            self.tell_stream(viewer);
        }
        self.link.send(RELAY, AgentStatus { displays: fresh.iter().map(to_wire).collect(), ..Default::default() });
        Ok(())
    }

    fn tell_stream(&self, viewer: u32) {
        let Some((stream, epoch, display_id)) = self.streams.of_viewer(viewer) else { return };
        let displays = self.displays.lock().unwrap_or_else(PoisonError::into_inner);
        let response = SessionResponse {
            stream,
            epoch,
            display_id,
            displays: displays.iter().map(to_wire).collect(),
            video_codec: VideoCodec::Raw.into(),
            obstacle: self.obstacle.clone().unwrap_or_default(),
        };
        self.link.send(viewer, response);
    }

    fn pump(&mut self) -> Result<(), DesktopError> {
        self.answered.clone_from(&self.applied.lock().unwrap_or_else(PoisonError::into_inner));
        self.refresh_displays()?;
        if self.screen.obstacle().is_some() {
            return Ok(());
        }
        let now = self.now();
        let polled = self.screen.poll_period().is_some();
        if polled && now.saturating_sub(self.looked) < SHORTEST {
            return Ok(());
        }
        self.looked = now;
        self.note_changes()?;
        let watched: Vec<u32> = self.streams.displays().collect();
        for display in watched {
            if self.streams.wants_capture(display) {
                self.capture(display)?;
            }
        }
        self.send_frames();
        self.send_cursor()
    }

    /// Spread what changed over the displays that somebody watches.
    fn note_changes(&mut self) -> Result<(), DesktopError> {
        let changed = self.screen.changed()?;
        let displays = self.displays.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (id, seen) in &mut self.seen {
            let size = seen.framebuffer.size();
            match &changed {
                Changed::Unknown => seen.uncaptured = Damage::all(size),
                Changed::Boxes(boxes) => {
                    let Some(display) = displays.iter().find(|display| display.id == *id) else { continue };
                    for (x, y, width, height) in boxes {
                        let (x, y) = (i64::from(*x) - i64::from(display.x), i64::from(*y) - i64::from(display.y));
                        if let Some(rect) = Rect::clipped(x, y, (*width).into(), (*height).into(), size) {
                            seen.uncaptured.mark(rect);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn capture(&mut self, display: u32) -> Result<(), DesktopError> {
        let info = {
            let displays = self.displays.lock().unwrap_or_else(PoisonError::into_inner);
            displays.iter().find(|other| other.id == display).cloned()
        };
        let (Some(info), Some(seen)) = (info, self.seen.get_mut(&display)) else { return Ok(()) };
        if seen.uncaptured.is_empty() {
            return Ok(());
        }
        let mut changed = Damage::new(seen.framebuffer.size());
        for rect in seen.uncaptured.rects() {
            self.screen.grab(&info, rect, &mut self.pixels)?;
            seen.framebuffer.absorb(rect, &self.pixels, &mut changed);
        }
        seen.uncaptured.clear();
        if !changed.is_empty() {
            self.active = self.start.elapsed();
        }
        self.streams.changed(display, &changed);
        Ok(())
    }

    fn send_frames(&mut self) {
        loop {
            let now = self.now();
            let sizes: BTreeMap<u32, Size> =
                self.seen.iter().map(|(display, seen)| (*display, seen.framebuffer.size())).collect();
            let plan = self.streams.next_frame(|display| sizes.get(&display).copied(), now);
            for (viewer, stream) in self.streams.take_moved() {
                self.cursor_told = false;
                self.link.send(RELAY, StreamAssign { viewer, stream });
                self.tell_stream(viewer);
            }
            let Some(plan) = plan else { return };
            self.send_frame(&plan);
        }
    }

    fn send_frame(&mut self, plan: &FramePlan) {
        let Some(seen) = self.seen.get(&plan.display) else { return };
        let payload = match self.encoder.encode(&seen.framebuffer, &plan.damage.rects()) {
            Ok(payload) => Bytes::from(payload),
            Err(error) => {
                tracing::error!(%error, "a frame could not be encoded");
                return;
            }
        };
        let now = self.now();
        let size = seen.framebuffer.size();
        self.streams.sent(plan, payload.len(), now);
        let frame = VideoFrame {
            stream: plan.stream,
            epoch: plan.epoch,
            display_id: plan.display,
            frame_number: plan.frame_number,
            captured_at_us: u64::try_from(now.as_micros()).unwrap_or(0),
            codec: VideoCodec::Raw.into(),
            keyframe: plan.keyframe,
            part: 0,
            last_part: true,
            payload,
            width: if plan.keyframe { size.width } else { 0 },
            height: if plan.keyframe { size.height } else { 0 },
            input_seq: match self.streams.subscribers(plan.stream).as_slice() {
                [alone] => self.answered.get(alone).copied().unwrap_or(0),
                _ => 0,
            },
        };
        for part in parts::split(frame) {
            self.link.send(plan.stream, part);
        }
    }

    fn send_cursor(&mut self) -> Result<(), DesktopError> {
        let now = self.now();
        if self.cursor_told && now.saturating_sub(self.cursor_looked) < CURSOR_PERIOD {
            return Ok(());
        }
        self.cursor_looked = now;
        let (shape, (x, y)) = self.screen.cursor()?;
        if let Some(shape) = shape {
            self.cursor = shape_to_wire(shape);
            self.cursor_told = false;
        }
        let streams: Vec<u32> = self.streams.ids().collect();
        if !self.cursor_told {
            self.cursor_told = true;
            self.cursor_at = None;
            for stream in &streams {
                self.link.send(*stream, self.cursor.clone());
            }
        }
        let displays = self.displays.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let inside = |value: i32, start: i32, length: u32| {
            (i64::from(start)..i64::from(start) + i64::from(length)).contains(&i64::from(value))
        };
        let on = displays
            .iter()
            .find(|display| inside(x, display.x, display.size.width) && inside(y, display.y, display.size.height));
        let Some(on) = on else { return Ok(()) };
        let at = (on.id, x - on.x, y - on.y);
        if self.cursor_at != Some(at) {
            self.cursor_at = Some(at);
            for stream in streams {
                self.link.send(stream, CursorPosition { display_id: at.0, x: at.1, y: at.2 });
            }
        }
        Ok(())
    }

    /// Tell why there is no picture, once, and when there is one again.
    fn explain(&mut self, pumped: Result<(), DesktopError>) {
        let failure = match pumped {
            Ok(()) => None,
            Err(DesktopError::Stale) => {
                for seen in self.seen.values_mut() {
                    seen.uncaptured = Damage::all(seen.framebuffer.size());
                }
                None
            }
            Err(other) => Some(other.to_string()),
        };
        let obstacle = self.screen.obstacle().or(failure);
        if obstacle != self.obstacle {
            tracing::info!(obstacle, "what keeps the screen from being shown has changed");
            self.obstacle = obstacle;
            self.tell_obstacle();
        }
    }

    fn tell_obstacle(&self) {
        let obstacle = self.obstacle.clone().unwrap_or_default();
        self.link.send(RELAY, AgentStatus { obstacle, ..Default::default() });
        let viewers: Vec<u32> = self.streams.viewers().collect();
        for viewer in viewers {
            self.tell_stream(viewer);
        }
    }
}

fn shape_to_wire(shape: CursorImage) -> CursorShape {
    if shape.hidden || shape.width > limits::CURSOR_EDGE || shape.height > limits::CURSOR_EDGE {
        return CursorShape { hidden: true, ..Default::default() };
    }
    CursorShape {
        width: shape.width,
        height: shape.height,
        hotspot_x: shape.hotspot.0,
        hotspot_y: shape.hotspot.1,
        rgba: shape.rgba.into(),
        hidden: false,
    }
}

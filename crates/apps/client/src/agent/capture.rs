//! The capture thread: woken by damage, credit or a viewer's wish, it sends
//! the newest picture to whoever may have one.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use bytes::Bytes;
use gc_desktop::{Changed, DesktopError, Screen};
use gc_protocol::header::{RELAY, STREAM_BIT};
use gc_protocol::messages::{AgentStatus, Handover, SessionResponse, StreamAssign, VideoCodec, VideoFrame};
use gc_protocol::parts;
use gc_screen::codec::{TILE_BYTES, TileKey};
use gc_screen::streams::{Frame, MOST_VIEWERS, Moved};
use gc_screen::video::{ScreenCoder, screen_coders};
use gc_screen::{Canvas, Damage, Kind, Rect, Size, Streams};
use gc_video::{ScreenVideo, screen_video};

use super::layout::Layout;
use super::link::Link;
use super::pointer::Pointer;
use super::quality::Wishes;
use super::wake::{Applied, WAITING, Waker, Work};

/// No wait is shorter, so that nothing spins.
const SHORTEST: Duration = Duration::from_millis(8);
/// A screen that reports no changes is looked at less the longer it rests:
/// after so long, so many of its periods apart.
const RESTING: [(Duration, u32); 3] = [(Duration::from_secs(10), 15), (Duration::from_secs(2), 3), (Duration::ZERO, 1)];
/// When to try again what the display refused.
const RETRY: Duration = Duration::from_millis(50);
/// Bytes of tiles that a viewer remembers for a stream.
const MEMORY: usize = 48 << 20;
/// How long the thread has for its end.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

/// A handle to the thread; dropped, it waits until the thread has ended.
pub(super) struct Capture {
    waker: Waker,
    ended: Receiver<()>,
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.waker.push(Work::End);
        if self.ended.recv_timeout(CLOSE_WITHIN).is_err() {
            tracing::error!("the screen is stuck; leaving it as it is");
        }
    }
}

impl Capture {
    pub(super) fn start(
        mut screen: Box<dyn Screen>,
        waker: Waker,
        works: Receiver<Work>,
        link: Link,
        layout: Layout,
    ) -> Result<Self, DesktopError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| DesktopError::Refused(error.to_string()))?;
        layout.replace(&screen.displays()?);
        let (end, ended) = sync_channel(1);
        let mut thread = Thread {
            screen,
            link,
            layout,
            streams: Streams::new(
                STREAM_BIT | 1,
                screen_coders(MEMORY / TILE_BYTES, TileKey::new(&seed), screen_video),
            ),
            wishes: Wishes::default(),
            seen: BTreeMap::new(),
            pointer: Pointer::default(),
            looked_late: false,
            obstacle: None,
            retry_at: None,
            waker: waker.clone(),
            answered: BTreeMap::new(),
            chosen: BTreeMap::new(),
            active: Duration::ZERO,
            looked: Duration::ZERO,
            look_at: Duration::ZERO,
            ended: false,
            start: Instant::now(),
        };
        std::thread::Builder::new()
            .name("capture".into())
            .spawn(move || {
                thread.run(&works);
                // Nobody waits any more where this fails.
                let _: Result<(), _> = end.send(());
            })
            .map_err(|error| DesktopError::Refused(error.to_string()))?;
        Ok(Self { waker, ended })
    }

    pub(super) fn push(&self, work: Work) {
        self.waker.push(work);
    }
}

struct Seen {
    canvas: Canvas,
    uncaptured: Damage,
}

struct Thread {
    screen: Box<dyn Screen>,
    link: Link,
    layout: Layout,
    streams: Streams<ScreenCoder<ScreenVideo>>,
    wishes: Wishes,
    seen: BTreeMap<u32, Seen>,
    pointer: Pointer,
    /// The pointer moved just after it had been looked at.
    looked_late: bool,
    obstacle: Option<String>,
    waker: Waker,
    /// What had been carried out when the pictures of this round were taken.
    answered: Applied,
    /// The display that a viewer chose by itself; it holds over a lost line.
    chosen: BTreeMap<u32, u32>,
    /// When something last moved or was typed.
    active: Duration,
    /// When a screen that reports no changes was looked at last, and when next.
    looked: Duration,
    look_at: Duration,
    /// When to try again what went wrong.
    retry_at: Option<Duration>,
    ended: bool,
    start: Instant,
}

impl Thread {
    fn run(&mut self, works: &Receiver<Work>) {
        loop {
            let stirred = self.screen.sleep(self.timeout());
            if self.waker.was_stirred() || stirred {
                self.active = self.now();
                self.look_soon(self.active);
            }
            for work in works.try_iter().take(WAITING) {
                self.take(work);
            }
            if self.ended {
                return;
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

    /// Until when nothing has to be done; `None` where only an event changes that.
    fn timeout(&self) -> Option<Duration> {
        if self.streams.is_empty() {
            return None;
        }
        let now = self.now();
        let poll = self.screen.poll_period().map(|_| self.look_at.saturating_sub(now));
        let retry = self.retry_at.map(|at| at.saturating_sub(now));
        // While nothing can be read nothing is looked at or sent either.
        let pointer = (self.looked_late && retry.is_none()).then(|| self.pointer.due().saturating_sub(now));
        let frame = self.streams.due().filter(|_| retry.is_none()).map(|at| at.saturating_sub(now));
        [poll, retry, pointer, frame].into_iter().flatten().min().map(|wait| wait.max(SHORTEST))
    }

    fn take(&mut self, work: Work) {
        let now = self.now();
        match work {
            Work::Status => self.tell_status(),
            Work::End => self.ended = true,
            Work::Switch { viewer, display } => self.switch(viewer, display, now),
            Work::Show { viewer, display, decodable } => {
                self.wishes.introduce(viewer, &decodable);
                self.show(viewer, display, now);
            }
            Work::Prefer { viewer, settings } => {
                self.wishes.ask(viewer, settings);
                self.streams.prefer(viewer, self.wishes.of(viewer), now);
            }
            Work::Stop { viewer } => {
                self.chosen.remove(&viewer);
                self.wishes.forget(viewer);
                self.streams.unsubscribe(viewer);
            }
            Work::Acknowledged { viewer, frame, decode, at } => {
                // Not when there was time to look at it.
                let at = at.saturating_duration_since(self.start);
                self.streams.acknowledged(viewer, frame, decode, at);
            }
            Work::Refresh { viewer, without_video } => {
                if without_video && self.wishes.without_video(viewer) {
                    tracing::info!(viewer, "this viewer's video decoder does not work");
                    self.streams.prefer(viewer, self.wishes.of(viewer), now);
                }
                if let Some(size) = self.streams.of_viewer(viewer).and_then(|(_, _, display)| self.layout.size(display))
                {
                    self.streams.refresh(viewer, size, now);
                }
            }
            Work::Disconnected => {
                self.streams.clear(STREAM_BIT | 1);
            }
        }
        if self.streams.is_empty() && !self.seen.is_empty() {
            self.seen.clear();
            // Nobody watches: nothing needs looking at.
            if let Err(error) = self.screen.changed(&[]) {
                tracing::debug!(%error, "the screen does not come to rest");
            }
        }
    }

    fn show(&mut self, viewer: u32, wanted: u32, now: Duration) {
        if let Err(error) = self.refresh_displays() {
            self.link.send(viewer, SessionResponse { obstacle: error.to_string(), ..Default::default() });
            return;
        }
        let wanted = self.chosen.get(&viewer).copied().unwrap_or(wanted);
        let Some(chosen) = self.layout.choose(wanted) else { return };
        let (display, size) = (chosen.id, chosen.size);
        if !self.streams.subscribe(viewer, display, size, self.wishes.of(viewer), now) {
            self.wishes.forget(viewer);
            let obstacle = "Too many people are watching this computer already.".to_owned();
            self.link.send(viewer, SessionResponse { obstacle, ..Default::default() });
            return;
        }
        self.see(display, size);
        self.pointer.tell_again();
        // There is nothing to show before it was looked at.
        self.look_at = now;
    }

    /// Somebody who watches wants another display than now.
    fn switch(&mut self, viewer: u32, wanted: u32, now: Duration) {
        let known = self.layout.display(wanted).is_some();
        let other = self.streams.of_viewer(viewer).is_some_and(|(_, _, display)| display != wanted);
        if known && other && self.streams.may_switch(viewer, now) {
            self.chosen.insert(viewer, wanted);
            while self.chosen.len() > MOST_VIEWERS {
                self.chosen.pop_first();
            }
            self.show(viewer, wanted, now);
        } else {
            // What was not done is told, so that nobody believes otherwise.
            self.tell_stream(viewer);
        }
    }

    /// Begin to look at a display.
    fn see(&mut self, display: u32, size: Size) {
        let known = self.seen.get(&display).is_some_and(|seen| seen.canvas.size() == size);
        if !known {
            let seen = Seen { canvas: Canvas::new(size), uncaptured: Damage::all(size) };
            self.seen.insert(display, seen);
        }
    }

    /// Take over a layout that has changed.
    fn refresh_displays(&mut self) -> Result<(), DesktopError> {
        let fresh = self.screen.displays()?;
        let Some(stale) = self.layout.replace(&fresh) else { return Ok(()) };
        let now = self.now();
        let watched: Vec<u32> = self.streams.displays().collect();
        // What nobody watches is looked at anew when somebody does.
        self.seen.retain(|id, _| watched.contains(id));
        for id in watched {
            let before = stale.iter().find(|display| display.id == id);
            let after = fresh.iter().find(|display| display.id == id);
            match after {
                Some(after) if before.map(|before| before.size) != Some(after.size) => {
                    self.see(id, after.size);
                    self.streams.resized(id, after.size);
                }
                Some(_) => {
                    if let Some(seen) = self.seen.get_mut(&id) {
                        seen.uncaptured = Damage::all(seen.canvas.size());
                    }
                }
                // It was unplugged: its viewers see the main one from now on.
                None => {
                    self.seen.remove(&id);
                    let viewers: Vec<u32> = self.streams.viewers_of(id).collect();
                    if let Some(main) = self.layout.choose(id) {
                        for viewer in viewers {
                            self.streams.subscribe(viewer, main.id, main.size, self.wishes.of(viewer), now);
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
        self.tell_status();
        Ok(())
    }

    fn tell_status(&self) {
        let obstacle = self.obstacle.clone().unwrap_or_default();
        self.link.send(RELAY, AgentStatus { obstacle, displays: self.layout.to_wire(), ..Default::default() });
    }

    fn tell_stream(&self, viewer: u32) {
        self.tell_stream_and(viewer, None);
    }

    /// Tell a viewer what it follows, and how it goes on there.
    fn tell_stream_and(&self, viewer: u32, handover: Option<Handover>) {
        let Some((stream, epoch, display_id)) = self.streams.of_viewer(viewer) else { return };
        let response = SessionResponse {
            stream,
            epoch,
            display_id,
            displays: self.layout.to_wire(),
            video_codec: VideoCodec::Tiles.into(),
            obstacle: self.obstacle.clone().unwrap_or_default(),
            handover,
        };
        self.link.send(viewer, response);
    }

    fn pump(&mut self) -> Result<(), DesktopError> {
        let now = self.now();
        // What did not change by itself does not change by an acknowledgement.
        if self.obstacle.is_none() && self.screen.poll_period().is_some() && now < self.look_at {
            self.send_frames();
            return Ok(());
        }
        let answered = self.waker.answered();
        for (viewer, sequence) in &answered {
            if self.answered.get(viewer) != Some(sequence) {
                self.streams.hurry(*viewer, now);
            }
        }
        self.answered = answered;
        self.refresh_displays()?;
        self.look_again_after(now);
        if let Some(obstacle) = self.screen.obstacle() {
            self.introduce();
            return Err(DesktopError::Refused(obstacle));
        }
        self.note_changes()?;
        let watched: Vec<u32> = self.streams.displays().collect();
        for display in watched {
            if self.streams.wants_capture(display, now) {
                self.capture(display)?;
            }
        }
        self.send_frames();
        let streams: Vec<u32> = self.streams.ids().collect();
        let now = self.now();
        self.looked_late = !self.pointer.send(&mut *self.screen, &self.layout, &streams, &self.link, now)?;
        Ok(())
    }

    /// Something has happened: look at once, unless that was done just now.
    fn look_soon(&mut self, now: Duration) {
        let period = self.screen.poll_period().unwrap_or_default();
        self.look_at = self.look_at.min(now.max(self.looked + period / 2));
    }

    /// When to look again at a screen that reports no changes.
    fn look_again_after(&mut self, now: Duration) {
        self.looked = now;
        let rest = now.saturating_sub(self.active);
        let apart = RESTING.iter().find(|(after, _)| rest >= *after).map_or(1, |(_, apart)| *apart);
        self.look_at = now + self.screen.poll_period().unwrap_or_default() * apart;
    }

    /// Tell who follows which stream by now.
    fn introduce(&mut self) {
        self.looked_late = false;
        for Moved { viewer, stream, handover } in self.streams.take_moved() {
            // Who goes on knows the pointer already.
            if handover.is_none() {
                self.pointer.tell_again();
            }
            self.link.send(RELAY, StreamAssign { viewer, stream });
            self.tell_stream_and(viewer, handover.map(to_wire));
        }
    }

    /// Spread what changed over the displays that somebody watches.
    fn note_changes(&mut self) -> Result<(), DesktopError> {
        let watched: Vec<_> = self.seen.keys().filter_map(|id| self.layout.display(*id)).collect();
        let changed = self.screen.changed(&watched)?;
        for (id, seen) in &mut self.seen {
            let size = seen.canvas.size();
            match &changed {
                Changed::Unknown => seen.uncaptured = Damage::all(size),
                Changed::Boxes(boxes) => {
                    let Some(display) = self.layout.display(*id) else { continue };
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
        let (Some(info), Some(seen)) = (self.layout.display(display), self.seen.get_mut(&display)) else {
            return Ok(());
        };
        if seen.uncaptured.is_empty() {
            return Ok(());
        }
        let mut changed = Damage::new(seen.canvas.size());
        let mut outcome = Ok(());
        for rect in seen.uncaptured.rects() {
            let canvas = &mut seen.canvas;
            let mut take = |bytes: &[u8], stride| canvas.absorb_rows(rect, bytes, stride, &mut changed);
            outcome = self.screen.grab(&info, rect, &mut take);
            if outcome.is_err() {
                break;
            }
        }
        if outcome.is_ok() {
            seen.uncaptured.clear();
        }
        if !changed.is_empty() {
            self.active = self.start.elapsed();
        }
        // What was taken in is told also where the rest could not be read.
        self.streams.changed(display, &changed);
        outcome
    }

    fn send_frames(&mut self) {
        loop {
            let now = self.now();
            let seen = &self.seen;
            let clock = || self.start.elapsed();
            let frame = self.streams.next_frame(|display| seen.get(&display).map(|seen| &seen.canvas), clock);
            self.introduce();
            let Some(frame) = frame else { return };
            self.send_frame(frame, now, self.now().saturating_sub(now));
        }
    }

    fn send_frame(&self, frame: Frame, now: Duration, took: Duration) {
        // Size and memory are told with the first frame of an epoch.
        let told = self.seen.get(&frame.display).filter(|_| frame.keyframe);
        let (size, remembered) = told.map_or_else(Default::default, |seen| (seen.canvas.size(), MEMORY / TILE_BYTES));
        let stream = frame.stream;
        let video = frame.coded.region.unwrap_or_default();
        let (codec, rests, fresh) = match frame.coded.kind {
            Kind::Tiles { rests } => (VideoCodec::Tiles, rests, false),
            Kind::Video { fresh } => (VideoCodec::H264, false, fresh),
        };
        let frame = VideoFrame {
            stream,
            epoch: frame.epoch,
            display_id: frame.display,
            frame_number: frame.frame_number,
            captured_at_us: u64::try_from(now.as_micros()).unwrap_or(0),
            codec: codec.into(),
            keyframe: frame.keyframe,
            part: 0,
            last_part: true,
            payload: Bytes::from(frame.coded.bytes),
            width: size.width,
            height: size.height,
            remembered_tiles: u32::try_from(remembered).unwrap_or(0),
            video_x: video.x,
            video_y: video.y,
            video_width: video.width,
            video_height: video.height,
            video_rests: rests,
            video_fresh: fresh,
            encode_us: u32::try_from(took.as_micros()).unwrap_or(u32::MAX),
            input_seq: match self.streams.subscribers(stream).as_slice() {
                [alone] => self.answered.get(alone).copied().unwrap_or(0),
                _ => 0,
            },
        };
        for part in parts::split(frame) {
            self.link.send(stream, part);
        }
    }

    /// Tell why there is no picture, once, and when there is one again.
    fn explain(&mut self, pumped: Result<(), DesktopError>) {
        self.retry_at = pumped.is_err().then(|| self.now() + RETRY);
        let failure = match pumped {
            Ok(()) => None,
            Err(DesktopError::Stale) => {
                for seen in self.seen.values_mut() {
                    seen.uncaptured = Damage::all(seen.canvas.size());
                }
                None
            }
            Err(other) => Some(other.to_string()),
        };
        let obstacle = failure;
        if obstacle != self.obstacle {
            tracing::info!(obstacle, "what keeps the screen from being shown has changed");
            self.obstacle = obstacle;
            self.tell_obstacle();
        }
    }

    fn tell_obstacle(&self) {
        self.tell_status();
        let viewers: Vec<u32> = self.streams.viewers().collect();
        for viewer in viewers {
            self.tell_stream(viewer);
        }
    }
}

fn to_wire(handover: gc_screen::streams::Handover) -> Handover {
    Handover {
        from_stream: handover.from_stream,
        from_epoch: handover.from_epoch,
        from_frame: handover.from_frame,
        stream: handover.stream,
        epoch: handover.epoch,
        frame: handover.frame,
    }
}

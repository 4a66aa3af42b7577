//! The viewer's side: hello, the stream it follows, heartbeats, what it knows
//! of the session. Frames are handed out whole, in order, or a refresh is asked.

use std::time::Duration;

use bytes::Bytes;
use gc_protocol::messages::{
    Body, Disconnect, Display, FrameAck, Handover, Heartbeat, HeartbeatAck, ProtocolVersions, RefreshRequest,
    VideoCodec, VideoFrame, ViewerHello,
};
use gc_protocol::parts::Assembler;
use gc_protocol::{EnvelopeError, decode, encode, limits};

/// What the shell has to do with what came in.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Send this.
    Send(Bytes),
    /// A frame to decode and show; acknowledge it with [`ViewerSession::shown`].
    Frame(VideoFrame),
    /// The session says something that people should see: any other body.
    Told(Body),
    /// The relay says goodbye.
    Goodbye(Disconnect),
}

/// How long a viewer waits for the fresh start that it asked for.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// One viewer.
#[derive(Debug, Default)]
pub struct ViewerSession {
    stream: Option<u32>,
    epoch: u32,
    next_frame: Option<u32>,
    /// Since when a fresh start is awaited.
    awaiting: Option<Duration>,
    assembler: Assembler,
    displays: Vec<Display>,
    heard: Duration,
    beat: Duration,
    sequence: u32,
    input_seq: u32,
    round_trip: Option<Duration>,
}

impl ViewerSession {
    /// A viewer whose socket has just opened, and its first message. It wants
    /// to see this display, where there is one, and decodes H.264 as well where
    /// `video` says so.
    #[must_use]
    pub fn open(software: &str, display_id: u32, video: bool, now: Duration) -> (Self, Bytes) {
        let hello = ViewerHello {
            versions: Some(ProtocolVersions { lowest: limits::VERSIONS.0, highest: limits::VERSIONS.1 }),
            software_version: software.into(),
            capabilities: Vec::new(),
            decodable: [Some(VideoCodec::Tiles), video.then_some(VideoCodec::H264)]
                .into_iter()
                .flatten()
                .map(i32::from)
                .collect(),
            display_id,
        };
        (Self { heard: now, beat: now, awaiting: Some(now), ..Self::default() }, encode(hello))
    }

    /// Displays of the machine.
    #[must_use]
    pub fn displays(&self) -> &[Display] {
        &self.displays
    }

    /// The next input sequence number.
    pub fn next_input(&mut self) -> u32 {
        self.input_seq = self.input_seq.wrapping_add(1);
        self.input_seq
    }

    /// One message came in.
    ///
    /// # Errors
    /// When it is not a strict envelope: the relay is broken, stop.
    pub fn received(&mut self, message: Bytes, now: Duration) -> Result<Vec<Event>, EnvelopeError> {
        self.heard = now;
        let Some(body) = decode(message)? else { return Ok(Vec::new()) };
        Ok(match body {
            Body::VideoFrame(frame) => self.frame(frame),
            Body::Heartbeat(beat) => {
                vec![Event::Send(encode(HeartbeatAck { sequence: beat.sequence, sent_at_us: beat.sent_at_us }))]
            }
            Body::HeartbeatAck(ack) => {
                // What was never sent, or in another life, tells nothing.
                let sent = Duration::from_micros(ack.sent_at_us);
                if ack.sequence == self.sequence && sent == self.beat_to_micros() {
                    self.round_trip = Some(now.saturating_sub(sent));
                }
                Vec::new()
            }
            Body::Disconnect(goodbye) => vec![Event::Goodbye(goodbye)],
            Body::SessionResponse(mut response) => {
                response.displays.truncate(limits::DISPLAYS);
                if !response.displays.is_empty() {
                    self.displays.clone_from(&response.displays);
                }
                let mut events = response.handover.map(|handover| self.go_on(&handover)).unwrap_or_default();
                events.push(Event::Told(response.into()));
                events
            }
            other => vec![Event::Told(other)],
        })
    }

    /// A frame was decoded and shown.
    #[must_use]
    pub fn shown(&self, frame: &VideoFrame, decode_us: u32, present_us: u32, queue_depth: u32) -> Bytes {
        encode(FrameAck {
            stream: frame.stream,
            epoch: frame.epoch,
            frame_number: frame.frame_number,
            decode_us,
            present_us,
            queue_depth,
            captured_at_us: frame.captured_at_us,
        })
    }

    /// A frame could not be decoded: begin anew.
    pub fn broken(&mut self) -> Bytes {
        self.begin_anew(false)
    }

    /// Its decoder of H.264 does not work: begin anew, without video from now on.
    pub fn without_video(&mut self) -> Bytes {
        self.begin_anew(true)
    }

    fn begin_anew(&mut self, without_video: bool) -> Bytes {
        self.next_frame = None;
        self.awaiting = Some(self.heard);
        encode(RefreshRequest { stream: self.stream.unwrap_or(0), epoch: self.epoch, without_video })
    }

    /// Once a second: a heartbeat to send, or `None` when the line is dead.
    pub fn tick(&mut self, now: Duration) -> Option<Bytes> {
        if now.saturating_sub(self.heard) >= limits::SILENCE_END {
            return None;
        }
        self.beat = now;
        self.sequence = self.sequence.wrapping_add(1);
        let sent_at_us = u64::try_from(now.as_micros()).unwrap_or(0);
        Some(encode(Heartbeat { sequence: self.sequence, sent_at_us }))
    }

    /// Ask for a fresh start again, where the answer to the last wish has got
    /// lost.
    pub fn ask_again_late(&mut self, now: Duration) -> Option<Bytes> {
        let late = self.awaiting.is_some_and(|since| now.saturating_sub(since) >= ASK_AGAIN);
        if !late || self.stream.is_none() {
            return None;
        }
        self.awaiting = Some(now);
        Some(encode(RefreshRequest { stream: self.stream.unwrap_or(0), epoch: self.epoch, ..Default::default() }))
    }

    /// How long the last heartbeat took to the relay and back.
    #[must_use]
    pub fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// When the last heartbeat was sent, as it says so itself.
    fn beat_to_micros(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.beat.as_micros()).unwrap_or(0))
    }

    /// How long nothing was heard.
    #[must_use]
    pub fn silence(&self, now: Duration) -> Duration {
        now.saturating_sub(self.heard)
    }

    fn frame(&mut self, part: VideoFrame) -> Vec<Event> {
        let Ok(whole) = self.assembler.push(part) else { return self.ask_again() };
        let Some(frame) = whole else { return Vec::new() };
        if frame.keyframe {
            self.stream = Some(frame.stream);
            self.awaiting = None;
            self.epoch = frame.epoch;
            self.next_frame = Some(frame.frame_number.wrapping_add(1));
            return vec![Event::Frame(frame)];
        }
        let follows = self.stream == Some(frame.stream)
            && self.epoch == frame.epoch
            && self.next_frame == Some(frame.frame_number);
        if follows {
            self.next_frame = Some(frame.frame_number.wrapping_add(1));
            return vec![Event::Frame(frame)];
        }
        self.ask_again()
    }

    /// Follow another stream from here on, if nothing is missing.
    fn go_on(&mut self, handover: &Handover) -> Vec<Event> {
        let has_all = self.stream == Some(handover.from_stream)
            && self.epoch == handover.from_epoch
            && self.next_frame == Some(handover.from_frame);
        (self.stream, self.epoch) = (Some(handover.stream), handover.epoch);
        if has_all {
            self.next_frame = Some(handover.frame);
            return Vec::new();
        }
        self.ask_again()
    }

    /// Ask once; while the answer is on its way, what comes is thrown away.
    fn ask_again(&mut self) -> Vec<Event> {
        if self.next_frame.take().is_none() {
            return Vec::new();
        }
        vec![Event::Send(self.begin_anew(false))]
    }
}

#[cfg(test)]
mod tests {
    use gc_protocol::messages::SessionResponse;

    use super::*;

    fn frame(epoch: u32, frame_number: u32) -> Bytes {
        let keyframe = frame_number == 0;
        encode(VideoFrame { stream: 1, epoch, frame_number, keyframe, last_part: true, ..Default::default() })
    }

    #[test]
    fn a_gap_asks_once() {
        let (mut viewer, _) = ViewerSession::open("t", 0, false, Duration::ZERO);
        let mut take = |epoch, number| viewer.received(frame(epoch, number), Duration::ZERO).unwrap();
        let is_frame = |events: &[Event]| matches!(events, [Event::Frame(_)]);
        assert!(is_frame(&take(1, 0)));
        assert!(is_frame(&take(1, 1)));
        assert!(matches!(take(1, 3).as_slice(), [Event::Send(_)]));
        assert!(take(1, 4).is_empty());
        assert!(is_frame(&take(2, 0)));
        assert!(is_frame(&take(2, 1)));
    }

    #[test]
    fn another_stream_goes_on_where_the_first_was() {
        let handover = |from_frame| {
            let handover = Handover { from_stream: 1, from_epoch: 1, from_frame, stream: 7, epoch: 4, frame: 30 };
            encode(SessionResponse { handover: Some(handover), ..Default::default() })
        };
        let next = |frame_number| {
            let next = VideoFrame { stream: 7, epoch: 4, frame_number, last_part: true, ..Default::default() };
            encode(next)
        };
        for (what, from_frame, goes_on) in [("all is there", 2, true), ("a frame is missing", 3, false)] {
            let (mut viewer, _) = ViewerSession::open("t", 0, false, Duration::ZERO);
            let mut take = |message| viewer.received(message, Duration::ZERO).unwrap();
            take(frame(1, 0));
            take(frame(1, 1));
            let told = take(handover(from_frame));
            let asks = told.iter().any(|event| matches!(event, Event::Send(_)));
            assert_eq!(asks, !goes_on, "{what}");
            assert_eq!(matches!(take(next(30)).as_slice(), [Event::Frame(_)]), goes_on, "{what}");
            assert_eq!(matches!(take(next(31)).as_slice(), [Event::Frame(_)]), goes_on, "{what}");
        }
    }

    #[test]
    fn a_lost_answer_is_asked_for_again() {
        let second = Duration::from_secs(1);
        let (mut viewer, _) = ViewerSession::open("t", 0, false, Duration::ZERO);
        viewer.received(frame(1, 0), second).unwrap();
        assert_eq!(viewer.ask_again_late(second * 9), None);
        viewer.received(frame(1, 5), second * 9).unwrap();
        assert_eq!(viewer.ask_again_late(second * 10), None);
        assert!(viewer.ask_again_late(second * 11).is_some());
        assert_eq!(viewer.ask_again_late(second * 12), None);
        viewer.received(frame(2, 0), second * 12).unwrap();
        assert_eq!(viewer.ask_again_late(second * 20), None);
    }

    #[test]
    fn silence() {
        let (mut viewer, _) = ViewerSession::open("t", 0, false, Duration::ZERO);
        assert!(viewer.tick(Duration::from_secs(9)).is_some());
        assert!(viewer.tick(Duration::from_secs(10)).is_none());
    }
}

//! A viewer without a window: the product's own session machine, decoder and
//! TLS; what the browser draws to a canvas stays in memory.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use gc_net::{Message, Socket};
use gc_protocol::messages::{Body, ControlRequest, KeyEvent, VideoCodec, VideoFrame};
use gc_protocol::{RawEnvelope, encode, limits};
use gc_screen::video::Overlay;
use gc_screen::{Canvas, Damage, Decoder, Rect, Size};
use gc_session::viewer::{Event, ViewerSession};
use gc_video::Picture;
use url::Url;

/// Field number of `HeartbeatAck`.
const HEARTBEAT_ACK: u32 = 10;

/// Where a session is, and what opens it.
#[derive(Clone)]
pub struct Ticket {
    /// The server's address, `http` or `https`.
    pub server: String,
    /// The session.
    pub session: String,
    /// The viewer token.
    pub token: String,
    /// The identity that the server's certificate has to be bound to.
    pub identity: Option<[u8; 32]>,
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticket").field("session", &self.session).finish_non_exhaustive()
    }
}

/// What has come so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Pictures that were decoded.
    pub pictures: u64,
    /// Those of them that began anew.
    pub keyframes: u64,
    /// Bytes of all messages.
    pub bytes: u64,
    /// Fresh starts that this viewer asked for.
    pub refreshes: u64,
    /// Heartbeats that were answered.
    pub answered: u64,
    /// How long the decoder took, all together.
    pub decoding: Duration,
    /// Pictures of a video.
    pub films: u64,
    /// Those of them that its decoder can begin with.
    pub fresh_films: u64,
    /// Bytes of those.
    pub film_bytes: u64,
}

/// A connected viewer.
pub struct Viewer {
    socket: Socket,
    session: ViewerSession,
    /// None before the first picture.
    decoder: Option<Decoder>,
    video: gc_video::Decoder,
    overlay: Overlay,
    /// What is shown while video lies over the lossless picture.
    with_video: Option<Canvas>,
    black: Canvas,
    begun: Instant,
    beat: tokio::time::Interval,
    tally: Tally,
    stream: u32,
}

impl std::fmt::Debug for Viewer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Viewer").field("tally", &self.tally).finish_non_exhaustive()
    }
}

impl Viewer {
    /// Connect, say hello, and wait for the first whole picture.
    ///
    /// # Errors
    /// When the server refuses or no picture comes in time.
    pub async fn open(ticket: &Ticket) -> Result<Self> {
        let mut viewer = Self::connect(ticket).await?;
        let first = async {
            while viewer.tally.pictures == 0 {
                viewer.next().await?;
            }
            Ok::<_, anyhow::Error>(())
        };
        tokio::time::timeout(Duration::from_secs(60), first).await.context("no picture comes")??;
        Ok(viewer)
    }

    /// Connect and say hello.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn connect(ticket: &Ticket) -> Result<Self> {
        let address = ticket.server.replacen("http", "ws", 1);
        let url = Url::parse(&format!("{address}/ws/viewer?session_id={}", ticket.session))?;
        let authorization = format!("Bearer {}", ticket.token);
        let mut socket =
            gc_net::connect(&url, ticket.identity, &authorization, limits::SUBPROTOCOL, limits::AGENT_MESSAGE).await?;
        let (session, hello) = ViewerSession::open("bench", 0, true, Duration::ZERO);
        socket.send(Message::Binary(hello)).await?;
        Ok(Self {
            socket,
            session,
            decoder: None,
            video: gc_video::Decoder::default(),
            overlay: Overlay::default(),
            with_video: None,
            black: Canvas::new(Size::default()),
            begun: Instant::now(),
            beat: heartbeats(),
            tally: Tally::default(),
            stream: 0,
        })
    }

    /// What has come so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// The stream that it follows.
    #[must_use]
    pub fn stream(&self) -> u32 {
        self.stream
    }

    /// The picture as it is seen: video lies over it where one plays.
    #[must_use]
    pub fn picture(&self) -> &Canvas {
        let lossless = || self.decoder.as_ref().map_or(&self.black, Decoder::picture);
        self.with_video.as_ref().unwrap_or_else(lossless)
    }

    /// Blue, green and red of a pixel; black where there is none.
    #[must_use]
    pub fn pixel(&self, x: u32, y: u32) -> [u8; 3] {
        let [blue, green, red, _] = self.picture().row(x, y, 1).first().copied().unwrap_or(0).to_le_bytes();
        [blue, green, red]
    }

    /// Take the next thing in: a message, or that a second has passed. What
    /// was painted.
    ///
    /// # Errors
    /// When the line breaks or the relay says goodbye.
    pub async fn next(&mut self) -> Result<Vec<Rect>> {
        // A day is forever here.
        Ok(self.next_before(Instant::now() + Duration::from_secs(86_400)).await?.unwrap_or_default())
    }

    /// The same; `None` where nothing has come by then.
    ///
    /// # Errors
    /// When the line breaks or the relay says goodbye.
    pub async fn next_before(&mut self, deadline: Instant) -> Result<Option<Vec<Rect>>> {
        let message = tokio::select! {
            biased;
            message = self.socket.next() => message.context("the line is closed")??,
            () = tokio::time::sleep_until(deadline.into()) => return Ok(None),
            _ = self.beat.tick() => {
                let now = self.begun.elapsed();
                let beat = self.session.tick(now).context("nothing was heard for too long")?;
                self.socket.send(Message::Binary(beat)).await?;
                if let Some(again) = self.session.ask_again_late(now) {
                    self.tally.refreshes += 1;
                    self.socket.send(Message::Binary(again)).await?;
                }
                return Ok(Some(Vec::new()));
            }
        };
        let Message::Binary(bytes) = message else { return Ok(Some(Vec::new())) };
        self.tally.bytes += bytes.len() as u64;
        self.tally.answered += u64::from(is_answer(&bytes));
        let mut painted = Vec::new();
        for event in self.session.received(bytes, self.begun.elapsed())? {
            match event {
                Event::Send(answer) => {
                    self.tally.refreshes += u64::from(is_refresh(&answer));
                    self.socket.send(Message::Binary(answer)).await?;
                }
                Event::Frame(frame) => painted.extend(self.show(&frame).await?),
                Event::Goodbye(goodbye) => bail!("the relay says goodbye: {} {}", goodbye.code, goodbye.text),
                Event::Told(Body::SessionResponse(told)) if told.stream != 0 => self.stream = told.stream,
                Event::Told(_) => {}
            }
        }
        Ok(Some(painted))
    }

    async fn show(&mut self, frame: &VideoFrame) -> Result<Vec<Rect>> {
        let begun = Instant::now();
        if frame.keyframe {
            self.decoder = Decoder::new(Size::new(frame.width, frame.height), frame.remembered_tiles as usize);
            self.stream = frame.stream;
            self.overlay.clear();
            self.with_video = None;
            self.tally.keyframes += 1;
        }
        match self.decode(frame) {
            Ok(painted) => {
                self.tally.pictures += 1;
                self.tally.decoding += begun.elapsed();
                let micros = u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX);
                let shown = self.session.shown(frame, micros, 0, 0);
                self.socket.send(Message::Binary(shown)).await?;
                Ok(painted)
            }
            Err(_) => {
                self.tally.refreshes += 1;
                let refresh = self.session.broken();
                self.socket.send(Message::Binary(refresh)).await?;
                Ok(Vec::new())
            }
        }
    }

    fn decode(&mut self, frame: &VideoFrame) -> Result<Vec<Rect>> {
        let decoder = self.decoder.as_mut().context("a picture without a beginning")?;
        let region = Rect::new(frame.video_x, frame.video_y, frame.video_width, frame.video_height);
        let region = (region.area() > 0).then_some(region);
        let size = decoder.picture().size();
        let is_video = frame.codec() == VideoCodec::H264;
        let changed = if is_video {
            self.video.decode(&frame.payload, frame.video_fresh)?;
            self.tally.films += 1;
            self.tally.fresh_films += u64::from(frame.video_fresh);
            self.tally.film_bytes += frame.payload.len() as u64;
            Vec::new()
        } else {
            decoder.decode(&frame.payload)?;
            decoder.changed()
        };
        // Until video lies over it, the lossless picture is what is seen.
        if region.is_some() && self.with_video.is_none() {
            self.with_video = Some(decoder.picture().clone());
        }
        let mut painted = self.overlay.tiles(region, frame.video_rests, changed, size)?;
        let Some(region) = region else {
            self.with_video = None;
            return Ok(painted);
        };
        if let Some(shown) = &mut self.with_video {
            painted.iter().for_each(|rect| shown.copy(decoder.picture(), *rect));
            if is_video {
                draw(shown, region, self.video.picture());
            }
        }
        painted.extend(Some(region).filter(|_| is_video));
        Ok(painted)
    }

    /// The video that lies over the picture, and where.
    #[must_use]
    pub fn film(&self) -> Option<(Rect, &Picture)> {
        self.overlay.region().map(|region| (region, self.video.picture()))
    }

    /// Press or release a key by its `KeyboardEvent.code`.
    ///
    /// # Errors
    /// When there is no such key or the line breaks.
    pub async fn key(&mut self, code: &str, down: bool) -> Result<()> {
        let key = gc_keys::by_code(code).context("no such key")?;
        let event = KeyEvent {
            virtual_key: key.virtual_key.into(),
            scan_code: key.scan_code.into(),
            is_extended: key.extended,
            seq: self.session.next_input(),
            down,
            ..Default::default()
        };
        Ok(self.socket.send(Message::Binary(encode(event))).await?)
    }

    /// Take control of the session.
    ///
    /// # Errors
    /// When the line breaks.
    pub async fn take_control(&mut self) -> Result<()> {
        Ok(self.socket.send(Message::Binary(encode(ControlRequest { take: true }))).await?)
    }

    /// How long the relay takes to answer: there and back, and nothing else.
    ///
    /// # Errors
    /// When the line breaks.
    pub async fn knock(&mut self) -> Result<Duration> {
        let (before, begun) = (self.tally.answered, Instant::now());
        let beat = self.session.tick(self.begun.elapsed()).context("nothing was heard for too long")?;
        self.socket.send(Message::Binary(beat)).await?;
        while self.tally.answered == before {
            self.next().await?;
        }
        Ok(begun.elapsed())
    }

    /// Take in what comes until this time has passed.
    ///
    /// # Errors
    /// When the line breaks.
    pub async fn watch(&mut self, during: Duration) -> Result<()> {
        let end = Instant::now() + during;
        while Instant::now() < end && self.next_before(end).await?.is_some() {}
        Ok(())
    }
}

/// Draw a picture of a video, which is at least as large as its region.
fn draw(shown: &mut Canvas, region: Rect, picture: &Picture) {
    let mut pixels = Vec::with_capacity(region.area() * 4);
    for row in picture.bgra.chunks_exact(picture.width.max(1) * 4).take(region.height as usize) {
        pixels.extend_from_slice(row.get(..region.width as usize * 4).unwrap_or_default());
    }
    let mut changed = Damage::new(shown.size());
    shown.absorb(region, &pixels, &mut changed);
}

fn heartbeats() -> tokio::time::Interval {
    let period = limits::HEARTBEAT_ATTACHED;
    let mut beat = tokio::time::interval_at(tokio::time::Instant::now() + period, period);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    beat
}

fn is_answer(message: &bytes::Bytes) -> bool {
    matches!(RawEnvelope::parse(message.clone()), Ok(raw) if raw.field() == HEARTBEAT_ACK)
}

fn is_refresh(message: &bytes::Bytes) -> bool {
    matches!(gc_protocol::decode(message.clone()), Ok(Some(Body::RefreshRequest(_))))
}

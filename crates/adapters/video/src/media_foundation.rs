//! H.264 by the encoders in hardware that Media Foundation lists.
//!
//! Ownership: each encoder has a thread, and everything of COM lives and dies
//! there. Pictures go in and access units come out over two channels of one
//! place each; whoever encodes waits for a unit no longer than [`BOUND`]. A
//! driver that hangs hangs in its own thread, which is left behind, and is never
//! trusted again (`best`). Before the first real picture the thread encodes one
//! to try, so that nobody waits for a driver that begins, and what does not work
//! shows before a viewer sees it.
//!
//! Compile-checked and written after Microsoft's documentation ("Hardware
//! MFTs", "Asynchronous MFTs", "H.264 Video Encoder"): Wine 8 has no encoder, so
//! no test sees this work. What can be tested without one is in `best` and in
//! `core/screen/video/units`.

mod events;
mod platform;
mod transform;

use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

use crate::best::{Hardware, Readiness, sound};
use platform::Platform;
use transform::Transform;

/// How long a picture may take: three of a film of thirty a second.
const BOUND: Duration = Duration::from_millis(100);
/// How long the first one may, behind which nobody waits.
const FIRST_BOUND: Duration = Duration::from_secs(3);

/// An encoder in a thread of its own. It ends when this is dropped.
#[derive(Debug)]
pub struct MediaFoundation {
    pictures: SyncSender<Picture>,
    /// First that it works or does not; then an answer for each picture.
    units: Receiver<Option<Vec<u8>>>,
    readiness: Readiness,
}

#[derive(Debug)]
struct Picture {
    bytes: Vec<u8>,
    frame_bytes: usize,
    fresh: bool,
}

impl Hardware for MediaFoundation {
    fn begin(size: (usize, usize), frame_bytes: usize) -> Option<Self> {
        // One place each: nobody asks before the last answer came.
        let (pictures, taken) = sync_channel(1);
        let (made, units) = sync_channel(1);
        std::thread::Builder::new()
            .name("hardware-video".into())
            .spawn(move || work(size, frame_bytes, &taken, &made))
            .inspect_err(|error| tracing::warn!(%error, "no thread for a video encoder"))
            .ok()?;
        Some(Self { pictures, units, readiness: Readiness::Begins })
    }

    fn readiness(&mut self) -> Readiness {
        if self.readiness == Readiness::Begins {
            self.readiness = match self.units.try_recv() {
                Ok(Some(_)) => Readiness::Ready,
                Err(TryRecvError::Empty) => Readiness::Begins,
                Ok(None) | Err(TryRecvError::Disconnected) => Readiness::Refused,
            };
        }
        self.readiness
    }

    fn encode(&mut self, bytes: Vec<u8>, frame_bytes: usize, fresh: bool) -> Option<Vec<u8>> {
        self.pictures.try_send(Picture { bytes, frame_bytes, fresh }).ok()?;
        self.units
            .recv_timeout(BOUND)
            .inspect_err(|error| tracing::warn!(%error, "a picture that takes too long"))
            .ok()?
    }
}

/// The thread: one picture to try, then those that come.
fn work(size: (usize, usize), frame_bytes: usize, pictures: &Receiver<Picture>, units: &SyncSender<Option<Vec<u8>>>) {
    let begun = Platform::start().and_then(|platform| Transform::open(&platform, size, frame_bytes));
    let tried = begun.and_then(|mut transform| {
        // Black, in NV12.
        let (width, height) = size;
        let mut black = vec![16; width * height];
        black.resize(width * height * 3 / 2, 128);
        let unit = transform.encode(&black, frame_bytes, true, Instant::now() + FIRST_BOUND)?;
        let unit = sound(unit, size, true).ok_or("its pictures are not what was asked for")?;
        Ok((transform, unit))
    });
    let (mut transform, unit) = match tried {
        Ok(both) => both,
        Err(why) => {
            tracing::info!(why, ?size, "video is encoded by OpenH264");
            // Whoever asked may have gone.
            let _: Result<(), _> = units.send(None);
            return;
        }
    };
    tracing::info!(encoder = transform.name(), ?size, "video is encoded in hardware");
    let mut answer = units.send(Some(unit));
    while answer.is_ok()
        && let Ok(Picture { bytes, frame_bytes, fresh }) = pictures.recv()
    {
        let unit = transform.encode(&bytes, frame_bytes, fresh, Instant::now() + BOUND);
        let unit = unit.inspect_err(|why| tracing::warn!(why, "the video encoder in hardware has failed")).ok();
        let failed = unit.is_none();
        answer = units.send(unit);
        if failed {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use gc_screen::video::VideoEncoder;
    use gc_screen::{Canvas, Rect, Size};

    use crate::{Decoder, screen_video};

    /// Whatever this machine has: a film plays from its first picture on.
    #[test]
    fn this_machine_encodes_a_film() {
        let picture = Canvas::new(Size::new(320, 240));
        let mut video = screen_video().unwrap();
        let mut decoder = Decoder::default();
        for frame in 0..60 {
            let unit = video.encode(&picture, Rect::new(0, 0, 320, 240), 50_000, frame == 0).unwrap();
            let fresh = gc_screen::video::starts_anew(&unit);
            assert!(decoder.decode(&unit, fresh).is_ok(), "{frame}");
            std::thread::sleep(std::time::Duration::from_millis(33));
        }
        println!("{video:?}");
    }
}

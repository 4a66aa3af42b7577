//! A stream's coder: the lossless codec, and video for a region that moves.

use std::time::Duration;

use super::film::{Film, Phase, Runs};
use super::motion::{Look, Motion};
use super::{MakeVideo, VideoEncoder, starts_anew};
use crate::TILE;
use crate::codec::{Canvas, Encoded, Encoder, TILE_EDGE, TileKey};
use crate::coded::{Coded, Kind};
use crate::damage::Damage;
use crate::geometry::{Rect, Size};
use crate::quality::{Quality, VideoUse};
use crate::streams::{Answers, Begin, Coder, MOST_BYTES, Room};

/// What a tile of a photograph usually takes.
const PHOTO_BYTES: usize = 800;
/// Photographs that need so many frames are shown roughly first.
const WHILE: usize = 6;
/// Within this time pictures follow the room there is.
const SMOOTHED: Duration = Duration::from_millis(264);

/// What encodes a display for one stream.
#[derive(Debug)]
pub struct ScreenCoder<V> {
    tiles: Encoder,
    motion: Motion,
    film: Option<Film<V>>,
    /// What may be one soon.
    look: Option<Look>,
    make: MakeVideo<V>,
    quality: Quality,
    /// This machine's encoder has failed; it is not asked again.
    failed: bool,
    /// The first frame is out: there is a picture over which video can lie.
    begun: bool,
    /// What a picture of the video may take: the room there was lately, and when
    /// that was.
    room: (usize, Duration),
    /// What the last frame leaves to be done.
    after: After,
}

/// What a frame leaves to be done once it is on its way.
#[derive(Debug, Default, Clone)]
enum After {
    #[default]
    Nothing,
    /// The lossless codec has shown what there is; with that a region may begin.
    Picture(Option<Beginning>),
    /// It has shown all but the region, beside which something else moves.
    Still(Option<Rect>),
}

/// A region that begins.
#[derive(Debug, Clone)]
struct Beginning {
    region: Rect,
    runs: Runs,
    /// So much of the picture is still to be sent.
    left: Damage,
    now: Duration,
}

/// Coders that remember so many tiles and name them by this key.
#[must_use]
pub fn screen_coders<V: VideoEncoder + 'static>(
    slots: usize,
    key: TileKey,
    make: MakeVideo<V>,
) -> Begin<ScreenCoder<V>> {
    Box::new(move |size, quality| ScreenCoder::new(Encoder::new(size, slots, key.clone()), make, quality))
}

impl<V: VideoEncoder> ScreenCoder<V> {
    /// One that sends what `tiles` makes, and such regions as this quality
    /// allows as video.
    #[must_use]
    pub fn new(tiles: Encoder, make: MakeVideo<V>, quality: Quality) -> Self {
        let motion = Motion::new(tiles.shown().size());
        Self {
            tiles,
            motion,
            film: None,
            look: None,
            make,
            quality,
            failed: false,
            begun: false,
            room: (0, Duration::ZERO),
            after: After::Nothing,
        }
    }

    /// What its viewers show where no video lies.
    #[must_use]
    pub fn shown(&self) -> &Canvas {
        self.tiles.shown()
    }

    fn has_video(&self) -> bool {
        self.quality.video != VideoUse::Never && !self.failed
    }

    fn size(&self) -> Size {
        self.tiles.shown().size()
    }

    /// Everything by the lossless codec, and a look at what moves.
    fn lossless(&mut self, picture: &Canvas, damage: &Damage, room: Room, now: Duration) -> Option<(Coded, Damage)> {
        let Encoded { bytes, deferred } = tiles(&mut self.tiles, picture, damage, room)?;
        let coded = Coded { bytes, kind: Kind::Tiles { rests: false }, region: None };
        // An answer leaves photographs out, so they are not seen to change.
        let found = if room.answers == Answers::Only { None } else { self.watch(picture, now) };
        let moves = found.map(|region| (region, Runs::On));
        let begins = moves.or_else(|| self.stills(&deferred, room).map(|region| (region, Runs::Once)));
        let left = || deferred.clone();
        self.after = After::Picture(begins.map(|(region, runs)| Beginning { region, runs, left: left(), now }));
        Some((coded, deferred))
    }

    /// Photographs for which the line needs a while: one picture of them shows
    /// them roughly until they are exact.
    fn stills(&self, deferred: &Damage, room: Room) -> Option<Rect> {
        if self.quality.video != VideoUse::Regions || self.failed || deferred.is_empty() {
            return None;
        }
        // The first frame is small on every line.
        if room.answers == Answers::Only || !self.begun {
            return None;
        }
        let (columns, per) = (self.size().width.div_ceil(TILE_EDGE), TILE / TILE_EDGE);
        let waits = |photo: &&usize| {
            let photo = u32::try_from(**photo).unwrap_or(u32::MAX);
            deferred.contains(photo % columns / per, photo / columns / per)
        };
        let waiting = self.tiles.photos().iter().filter(waits).count();
        if waiting * PHOTO_BYTES < room.bytes.saturating_mul(WHILE) {
            return None;
        }
        let found = self.motion.find_still(self.tiles.photos())?;
        // The last tiles may reach beyond the picture.
        found.common(self.size().rect()).filter(|region| V::takes(*region))
    }

    fn watch(&mut self, picture: &Canvas, now: Duration) -> Option<Rect> {
        if self.quality.video != VideoUse::Regions || self.failed {
            return None;
        }
        if self.tiles.photos().is_empty() {
            return None;
        }
        self.motion.feed(self.tiles.photos(), now);
        let found = self.motion.find(now)?;
        let look = self.look.take().filter(|look| look.is_of(found)).or_else(|| Look::new(found, picture))?;
        let tight = look.tight(picture);
        if tight.is_none() {
            self.look = Some(look);
        }
        tight.filter(|region| V::takes(*region))
    }

    fn video(&mut self) -> Option<V> {
        let video = (self.make)();
        self.failed |= video.is_none();
        video
    }

    /// With video for the whole picture, anything that changes begins it.
    fn begin_whole(&mut self, picture: &Canvas, damage: &Damage, now: Duration) {
        let wanted = self.quality.video == VideoUse::Whole && self.begun && !damage.is_empty();
        if !wanted || !V::takes(self.size().rect()) || self.film.is_some() || self.failed {
            return;
        }
        if let Some(video) = self.video() {
            let nothing = Damage::new(self.size());
            let pictures = (picture, self.tiles.shown());
            self.film = Some(Film::new((self.size().rect(), Runs::On), pictures, nothing, video, now));
        }
    }

    /// While video plays: the lossless codec outside of it, and the next picture
    /// of it, by turns where both wait.
    fn playing(&mut self, picture: &Canvas, room: Room, now: Duration) -> Option<Coded> {
        let film = self.film.as_mut()?;
        let due = film.waits && now >= film.next && room.answers != Answers::Only;
        // An answer goes before it, but not again and again.
        if due && film.turn && (room.answers == Answers::No || film.passed_over) {
            return self.next_picture(picture, room.bytes, now);
        }
        let outside = film.outside();
        let encoded = if outside.is_empty() { None } else { tiles(&mut self.tiles, &film.still, &outside, room) };
        let Some(Encoded { bytes, deferred }) = encoded else {
            if room.answers == Answers::Only {
                return None;
            }
            film.left.clear();
            return if due { self.next_picture(picture, room.bytes, now) } else { None };
        };
        film.left = deferred;
        film.passed_over |= due && film.turn;
        film.turn = true;
        let region = film.region;
        if self.quality.video == VideoUse::Regions && room.answers != Answers::Only {
            self.motion.feed(self.tiles.photos(), now);
        }
        let found = self.motion.find(now).filter(|_| self.quality.video == VideoUse::Regions);
        self.after = After::Still(found);
        Some(Coded { bytes, kind: Kind::Tiles { rests: false }, region: Some(region) })
    }

    /// Something beside the region is a film as well: where it touches the
    /// region, or is larger, both are looked for anew.
    fn regrow(&mut self, found: Rect) {
        let size = self.size();
        let Some(film) = &mut self.film else { return };
        let region = film.region;
        let near = Rect::clipped(
            i64::from(region.x) - 2,
            i64::from(region.y) - 2,
            i64::from(region.width) + 4,
            i64::from(region.height) + 4,
            size,
        );
        let touches = near.is_some_and(|near| near.common(found).is_some());
        if touches || found.area() > region.area() * 2 {
            film.refine(Phase::Ending);
        }
    }

    /// What pictures may take follows the room within a quarter of a second, however
    /// few of them go in that time.
    fn note_room(&mut self, room: usize, now: Duration) {
        let (before, at) = self.room;
        let eighth = SMOOTHED.as_micros() / 8;
        let part = usize::try_from(now.saturating_sub(at).as_micros() / eighth).unwrap_or(8).clamp(1, 8);
        self.room = ((before * (8 - part) + room * part) / 8, now);
    }

    fn next_picture(&mut self, picture: &Canvas, room: usize, now: Duration) -> Option<Coded> {
        self.note_room(room.min(MOST_BYTES), now);
        let most = self.room.0.min(self.quality.frame_bytes);
        let film = self.film.as_mut()?;
        (film.turn, film.passed_over) = (false, false);
        let fresh = film.fresh;
        match film.video.as_mut().and_then(|video| video.encode(picture, film.region, most, fresh)) {
            Some(bytes) => {
                // It may have begun anew by itself: another encoder took over.
                let fresh = fresh || starts_anew(&bytes);
                (film.fresh, film.waits) = (false, false);
                // On average so many in a second; one may come a little early.
                let period = Duration::from_secs(1) / self.quality.frames_per_second.max(1);
                film.next = (film.next + period).max(now + period / 2);
                if film.runs == Runs::Once {
                    film.refine(Phase::Ending);
                }
                Some(Coded { bytes, kind: Kind::Video { fresh }, region: Some(film.region) })
            }
            None => {
                self.failed = true;
                film.refine(Phase::Ending);
                None
            }
        }
    }

    /// The region at rest, until all of it is exact.
    fn refining(&mut self, picture: &Canvas, room: Room, now: Duration) -> Option<(Coded, Damage)> {
        let film = self.film.as_ref()?;
        let (runs, encoded) = (film.runs, tiles(&mut self.tiles, picture, &film.left, room));
        if encoded.is_none() && room.answers == Answers::Only {
            return None;
        }
        if let Some(encoded) = &encoded {
            // What was one picture may be the first of many.
            let found =
                if runs == Runs::Once && room.answers != Answers::Only { self.watch(picture, now) } else { None };
            let left = || encoded.deferred.clone();
            let begins = found.map(|region| Beginning { region, runs: Runs::On, left: left(), now });
            self.after = After::Picture(begins);
        }
        let film = self.film.as_mut()?;
        let nothing = || Encoded { bytes: Vec::new(), deferred: Damage::new(picture.size()) };
        let Encoded { bytes, deferred } = encoded.unwrap_or_else(nothing);
        let exact = deferred.rects().iter().all(|rect| rect.common(film.region).is_none());
        let kind = Kind::Tiles { rests: true };
        // What is given up ends in its time, also where it changes faster than it
        // can be sent.
        if !exact && !film.has_ended(now) {
            film.left = deferred;
            return Some((Coded { bytes, kind, region: Some(film.region) }, Damage::new(picture.size())));
        }
        let stays = self.quality.video == VideoUse::Whole && film.phase == Phase::Refining;
        match &mut self.film {
            Some(film) if stays => {
                film.phase = Phase::Resting;
                film.left.clear();
            }
            film => *film = None,
        }
        Some((Coded { bytes, kind, region: None }, deferred))
    }
}

/// What the lossless codec makes of it. An answer to an input is no photograph.
fn tiles(encoder: &mut Encoder, picture: &Canvas, damage: &Damage, room: Room) -> Option<Encoded> {
    match room.answers {
        Answers::Only => encoder.encode_but_photographs(picture, damage, room.bytes),
        Answers::No | Answers::First => encoder.encode(picture, damage, room.bytes),
    }
}

impl<V: VideoEncoder> Coder for ScreenCoder<V> {
    type Picture = Canvas;

    fn encode(&mut self, picture: &Canvas, damage: &Damage, room: Room, now: Duration) -> Option<(Coded, Damage)> {
        if picture.size() != self.size() {
            return None;
        }
        self.tiles.save_bytes(self.quality.bounds.are_narrow());
        self.begin_whole(picture, damage, now);
        let has_video = self.has_video();
        let Some(film) = &mut self.film else {
            let coded = self.lossless(picture, damage, room, now);
            self.begun |= coded.is_some();
            return coded;
        };
        film.take(picture, self.tiles.shown(), damage, now);
        if film.phase == Phase::Playing {
            if !has_video {
                film.refine(Phase::Ending);
            } else if film.rests_at().is_some_and(|at| now >= at) && !film.waits {
                film.refine(Phase::Refining);
            } else if self.quality.video == VideoUse::Regions && film.is_mostly_still(now) {
                film.refine(Phase::Ending);
            }
        }
        if self.film.as_ref().is_some_and(|film| film.phase == Phase::Playing)
            && let Some(coded) = self.playing(picture, room, now)
        {
            return Some((coded, Damage::new(self.size())));
        }
        match self.film.as_ref().map(|film| film.phase) {
            Some(Phase::Refining | Phase::Ending) => self.refining(picture, room, now),
            Some(Phase::Resting) => {
                if let Some(film) = &mut self.film {
                    film.left.clear();
                }
                None
            }
            Some(Phase::Playing) | None => None,
        }
    }

    fn settle(&mut self, picture: &Canvas) {
        match std::mem::take(&mut self.after) {
            After::Nothing => {}
            After::Picture(begins) => {
                self.tiles.settle(picture);
                if let Some(Beginning { region, runs, left, now }) = begins
                    && let Some(video) = self.video()
                {
                    self.motion.clear();
                    self.film = Some(Film::new((region, runs), (picture, self.tiles.shown()), left, video, now));
                }
            }
            After::Still(found) => {
                if let Some(film) = &self.film {
                    self.tiles.settle(&film.still);
                }
                if let Some(found) = found {
                    self.regrow(found);
                }
            }
        }
    }

    fn branch(&self) -> Self {
        // Without an encoder the region is refined, and that is all.
        let film = self.film.as_ref().map(|film| film.branch((self.make)()));
        Self {
            tiles: self.tiles.clone(),
            motion: self.motion.clone(),
            film,
            look: self.look.clone(),
            make: self.make,
            quality: self.quality,
            failed: self.failed,
            begun: self.begun,
            room: self.room,
            after: self.after.clone(),
        }
    }

    fn forget(&mut self) {
        self.tiles.forget();
    }

    fn due(&self) -> Option<Duration> {
        self.film.as_ref().and_then(Film::due)
    }

    fn is_exact(&self) -> bool {
        self.film.is_none()
    }

    fn prefer(&mut self, quality: Quality) {
        let other = self.quality.video != quality.video;
        self.quality = quality;
        if other {
            self.end();
        }
    }
}

impl<V: VideoEncoder> ScreenCoder<V> {
    /// No video any more: the region becomes exact.
    fn end(&mut self) {
        if let Some(film) = &mut self.film {
            film.refine(Phase::Ending);
        }
    }
}

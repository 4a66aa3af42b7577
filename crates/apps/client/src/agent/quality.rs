//! How each viewer wants its pictures, from what it can decode and has asked for.

use std::collections::BTreeMap;

use gc_protocol::messages::{QualityPreset, QualitySettings, VideoCodec};
use gc_screen::streams::MOST_VIEWERS;
use gc_screen::{Bounds, Quality, VideoUse};

/// Pictures of a video in a second: usually, where little is wanted, and at
/// most.
const USUAL: u32 = 30;
const FEW: u32 = 15;
const MOST: u32 = 60;
/// Bytes of a picture: where little is wanted, and where less than usual is.
const LITTLE: usize = 6_000;
const LESS: usize = 8_000;

#[derive(Debug, Clone, Default)]
struct Wish {
    decodes: bool,
    settings: QualitySettings,
}

impl Wish {
    fn quality(&self) -> Quality {
        let preset = self.settings.preset();
        let (video, usual, bytes) = match preset {
            QualityPreset::QualityHigh => (VideoUse::Never, USUAL, usize::MAX),
            QualityPreset::QualityLow => (VideoUse::Whole, FEW, LITTLE),
            QualityPreset::QualityBalanced => (VideoUse::Regions, USUAL, LESS),
            QualityPreset::QualityUnspecified | QualityPreset::QualityAuto | QualityPreset::QualityCustom => {
                (VideoUse::Regions, USUAL, usize::MAX)
            }
        };
        let video = if self.decodes { video } else { VideoUse::Never };
        if preset != QualityPreset::QualityCustom {
            return Quality { video, frames_per_second: usual, frame_bytes: bytes, bounds: Bounds::default() };
        }
        let frames = self.settings.max_frames_per_second.min(MOST);
        let frames_per_second = if frames > 0 { frames } else { usual };
        let bits = u64::from(self.settings.max_kbit_per_second) * 1_000;
        let bytes_per_second = usize::try_from(bits / 8).unwrap_or(usize::MAX);
        let frame_bytes = if bits > 0 { bytes_per_second / frames_per_second as usize } else { bytes };
        let bounds = Bounds { frames_per_second: frames, bytes_per_second };
        Quality { video, frames_per_second, frame_bytes, bounds }
    }
}

/// The wishes of everybody who watches.
#[derive(Debug, Default)]
pub(super) struct Wishes(BTreeMap<u32, Wish>);

impl Wishes {
    /// A viewer that decodes these.
    pub(super) fn introduce(&mut self, viewer: u32, decodable: &[i32]) {
        let decodes = decodable.contains(&i32::from(VideoCodec::H264));
        self.0.entry(viewer).or_default().decodes = decodes;
        while self.0.len() > MOST_VIEWERS {
            self.0.pop_first();
        }
    }

    /// What a viewer asks for.
    pub(super) fn ask(&mut self, viewer: u32, settings: QualitySettings) {
        if let Some(wish) = self.0.get_mut(&viewer) {
            wish.settings = settings;
        }
    }

    /// Its decoder does not work; whether that is news.
    pub(super) fn without_video(&mut self, viewer: u32) -> bool {
        self.0.get_mut(&viewer).is_some_and(|wish| std::mem::take(&mut wish.decodes))
    }

    pub(super) fn forget(&mut self, viewer: u32) {
        self.0.remove(&viewer);
    }

    /// How it is to be sent pictures; exactly, where nothing is known of it.
    pub(super) fn of(&self, viewer: u32) -> Quality {
        self.0.get(&viewer).map_or(Quality::EXACT, Wish::quality)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_of_wishes() {
        let regions = Quality { video: VideoUse::Regions, ..Quality::EXACT };
        let settings = |preset: QualityPreset, frames, kbit| QualitySettings {
            preset: preset.into(),
            max_frames_per_second: frames,
            max_kbit_per_second: kbit,
        };
        let bounds = |frames_per_second, bytes_per_second| Bounds { frames_per_second, bytes_per_second };
        use QualityPreset::{QualityAuto, QualityBalanced, QualityCustom, QualityHigh, QualityLow};
        for (asked, expected) in [
            (QualitySettings::default(), regions),
            (settings(QualityAuto, 5, 5), regions),
            (settings(QualityHigh, 0, 0), Quality::EXACT),
            (settings(QualityBalanced, 0, 0), Quality { frame_bytes: LESS, ..regions }),
            (
                settings(QualityLow, 0, 0),
                Quality { video: VideoUse::Whole, frames_per_second: FEW, frame_bytes: LITTLE, ..regions },
            ),
            (settings(QualityCustom, 0, 0), regions),
            (
                settings(QualityCustom, 10, 800),
                Quality { frames_per_second: 10, frame_bytes: 10_000, bounds: bounds(10, 100_000), ..regions },
            ),
            (settings(QualityCustom, 5, 0), Quality { frames_per_second: 5, bounds: bounds(5, 0), ..regions }),
            (settings(QualityCustom, 0, 800), Quality { frame_bytes: 3_333, bounds: bounds(0, 100_000), ..regions }),
            (
                settings(QualityCustom, u32::MAX, u32::MAX),
                Quality {
                    frames_per_second: 60,
                    frame_bytes: 8_947_848_531,
                    bounds: bounds(60, 536_870_911_875),
                    ..regions
                },
            ),
        ] {
            let mut wishes = Wishes::default();
            wishes.introduce(3, &[VideoCodec::Tiles.into(), VideoCodec::H264.into()]);
            wishes.ask(3, asked);
            assert_eq!(wishes.of(3), expected, "{asked:?}");
            assert!(wishes.without_video(3) && !wishes.without_video(3));
            assert_eq!(wishes.of(3).video, VideoUse::Never);
            assert_eq!(wishes.of(4), Quality::EXACT);
        }
        let mut wishes = Wishes::default();
        wishes.introduce(3, &[VideoCodec::Tiles.into()]);
        assert_eq!(wishes.of(3).video, VideoUse::Never);
        for viewer in 0..1_000 {
            wishes.introduce(viewer, &[]);
        }
        assert_eq!(wishes.0.len(), MOST_VIEWERS);
    }
}

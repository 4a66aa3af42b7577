//! What comes out is what an independent decoder takes: right colours, nothing
//! held back.

use std::process::Command;

use gc_screen::video::{VideoEncoder, sequence, starts_anew};
use gc_screen::{Canvas, Damage, Rect, Size};

use super::*;
use crate::{Decoder, VideoError};

const SIZE: Size = Size::new(320, 200);
const ROOM: usize = 100_000;

fn canvas(pixel: impl Fn(u32, u32) -> [u8; 3]) -> Canvas {
    let mut canvas = Canvas::new(SIZE);
    let bytes: Vec<u8> = (0..SIZE.height)
        .flat_map(|y| (0..SIZE.width).map(move |x| (x, y)))
        .flat_map(|(x, y)| {
            let [red, green, blue] = pixel(x, y);
            [blue, green, red, 255]
        })
        .collect();
    canvas.absorb(SIZE.rect(), &bytes, &mut Damage::new(SIZE));
    canvas
}

/// A film: noise over a gradient that moves.
fn film(frame: u32) -> Canvas {
    let mut noise = frame + 1;
    let noise: Vec<u8> = (0..SIZE.area())
        .map(|_| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (noise >> 24) as u8 / 6
        })
        .collect();
    canvas(|x, y| {
        let noise = noise[(y * SIZE.width + x) as usize];
        [x + frame * 3, y * 2 + frame, x / 2 + y].map(|value| (value % 210) as u8 + noise)
    })
}

#[test]
fn every_picture_comes_at_once_and_nothing_is_reordered() {
    let region = Rect::new(10, 6, 300, 180);
    let (mut encoder, mut decoder) = (openh264().unwrap(), Decoder::default());
    for frame in 0..12 {
        let fresh = frame == 0 || frame == 7;
        let unit = encoder.encode(&film(frame), region, ROOM, fresh).unwrap();
        assert_eq!(starts_anew(&unit), fresh, "{frame}");
        if fresh {
            let sequence = sequence(&unit).unwrap();
            assert_eq!((sequence.width, sequence.height, sequence.reordered), (300, 180, Some(0)));
            assert_eq!(sequence.colours, Some(([1, 1, 1], false)));
        }
        let picture = decoder.decode(&unit, fresh).unwrap();
        assert_eq!((picture.width, picture.height), (300, 180));
    }
    assert!(matches!(decoder.decode(&[0, 0, 1, 0x41, 1, 2, 3], false), Err(VideoError::Refused(_))));
    assert!(matches!(decoder.decode(&[0, 0, 1, 0x41, 1, 2, 3], false), Err(VideoError::NotBegun)));
}

#[test]
fn odd_edges_are_kept() {
    for (width, height) in [(101, 67), (100, 67), (101, 66), (16, 16)] {
        let picture = film(3);
        let unit = openh264().unwrap().encode(&picture, Rect::new(5, 7, width, height), ROOM, true).unwrap();
        let mut decoder = Decoder::default();
        let decoded = decoder.decode(&unit, true).unwrap();
        assert!(decoded.width >= width as usize && decoded.height >= height as usize);
        for (column, row) in [(0, 0), (width - 1, height - 1)] {
            let at = (row as usize * decoded.width + column as usize) * 4;
            let [blue, green, red, _] = picture.row(5 + column, 7 + row, 1)[0].to_le_bytes();
            for (got, wanted) in decoded.bgra[at..].iter().zip([blue, green, red]) {
                assert!(got.abs_diff(wanted) < 40, "{width} by {height} at {column}, {row}: {got} for {wanted}");
            }
        }
    }
    for region in [Rect::new(0, 0, 15, 100), Rect::new(0, 0, 330, 100)] {
        assert_eq!(openh264().unwrap().encode(&film(1), region, ROOM, true), None);
    }
}

#[test]
fn pictures_take_what_there_is_room_for() {
    let region = Rect::new(0, 0, 320, 200);
    let mut encoder = openh264().unwrap();
    let mut sizes = Vec::new();
    for room in [20_000, 3_000, 20_000] {
        let bytes = |frame| encoder.encode(&film(frame), region, room, false).unwrap().len();
        let lengths: Vec<usize> = (0..30).map(bytes).collect();
        // The first ones pay for what came before.
        sizes.push(lengths[15..].iter().sum::<usize>() / 15);
    }
    assert!(sizes[1] < 4_500, "{sizes:?}");
    assert!(sizes[0] > 2 * sizes[1] && sizes[2] > 2 * sizes[1], "{sizes:?}");
}

/// Luma and chroma by ITU-R BT.709, limited range.
const COLOURS: [([u8; 3], [u8; 3]); 8] = [
    ([0, 0, 0], [16, 128, 128]),
    ([255, 255, 255], [235, 128, 128]),
    ([128, 128, 128], [126, 128, 128]),
    ([255, 0, 0], [63, 102, 240]),
    ([0, 255, 0], [173, 42, 26]),
    ([0, 0, 255], [32, 240, 118]),
    ([255, 255, 0], [219, 16, 138]),
    ([0, 255, 255], [188, 154, 16]),
];

/// Debian's ffmpeg stands for everybody else's decoder.
#[test]
fn an_independent_decoder_sees_the_right_colours() {
    let picture = canvas(|x, _| COLOURS[(x / 40) as usize].0);
    let mut encoder = openh264().unwrap();
    let mut bytes = Vec::new();
    for frame in 0..4 {
        bytes.extend(encoder.encode(&picture, SIZE.rect(), ROOM, frame == 0).unwrap());
    }
    let folder = tempfile::tempdir().unwrap();
    let film = folder.path().join("film.h264");
    std::fs::write(&film, &bytes).unwrap();
    let probe = Command::new("ffprobe")
        .args(["-v", "error", "-show_streams", "-count_frames"])
        .arg(&film)
        .output()
        .expect("ffprobe, from Debian's ffmpeg");
    let said = String::from_utf8_lossy(&probe.stdout);
    for line in ["has_b_frames=0", "color_space=bt709", "color_range=tv", "color_primaries=bt709", "nb_read_frames=4"] {
        assert!(
            said.lines().any(|other| other == line),
            "{line} is not in {said}{}",
            String::from_utf8_lossy(&probe.stderr)
        );
    }
    let raw = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(&film)
        .args(["-f", "rawvideo", "-pix_fmt", "yuv420p", "-"])
        .output()
        .expect("ffmpeg");
    let frame = SIZE.area() * 3 / 2;
    assert_eq!(raw.stdout.len(), frame * 4, "{}", String::from_utf8_lossy(&raw.stderr));
    let last = &raw.stdout[frame * 3..];
    let (luma, chroma) = last.split_at(SIZE.area());
    let (blue, red) = chroma.split_at(SIZE.area() / 4);
    for (at, (rgb, wanted)) in COLOURS.iter().enumerate() {
        let (x, y) = (at * 40 + 20, 100);
        let half = y / 2 * 160 + x / 2;
        let got = [luma[y * 320 + x], blue[half], red[half]];
        assert!(
            got.iter().zip(wanted).all(|(got, wanted)| got.abs_diff(*wanted) <= 2),
            "{rgb:?}: {got:?} for {wanted:?}"
        );
    }
    // And back: our own decoder's pixels.
    let unit = openh264().unwrap().encode(&picture, SIZE.rect(), ROOM, true).unwrap();
    let mut decoder = Decoder::default();
    let decoded = decoder.decode(&unit, true).unwrap();
    for (at, ([red, green, blue], _)) in COLOURS.iter().enumerate() {
        let place = (100 * 320 + at * 40 + 20) * 4;
        let got = &decoded.bgra[place..place + 3];
        let wanted = [*blue, *green, *red];
        assert!(got.iter().zip(wanted).all(|(got, wanted)| got.abs_diff(wanted) <= 6), "{got:?} for {wanted:?}");
    }
}

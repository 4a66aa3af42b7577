//! A photograph over a slow line: roughly at once, with everything that is read
//! exact beside it, then exact as well.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use gc_desktop_tests::{Agent, Browser, Display, Film, Hand, Picture, Server, Stage, until};
use gc_line::{Conditions, Line};
use serde_json::json;

/// The film stands still: a photograph, and marks like text beside it.
const STAGE: Stage = Stage { film: (64, 64, 960, 576), text: (1040, 100, 160, 400) };

/// Two megabits: what is lossless of the photograph takes seconds.
const MEGABITS: u64 = 2;

fn part(picture: &Picture, (x, y, width, height): (i16, i16, u16, u16)) -> Result<Picture> {
    picture.part(usize::try_from(x)?, usize::try_from(y)?, width.into(), height.into())
}

#[test]
fn a_photograph_is_there_roughly_then_exactly() -> Result<()> {
    let line = Line::even(Conditions::new(MEGABITS * 1_000, Duration::from_millis(20)))?;
    let near = line.b().address();
    let (server, display, film) = line.b().run(|| -> Result<_> {
        let server = Server::start_with(&format!("{near}:0"), &["--tls-self-made"])?;
        let display = Display::start(1280, 800)?;
        let film = Film::play(&display, STAGE)?;
        film.pause(true);
        Ok((server, display, film))
    })??;
    let browser = line.a().run(|| Browser::start_as(&json!({ "ignoreHTTPSErrors": true })))??;
    browser.login(&server.url, &server.admin)?;
    let code = browser.new_code(false)?;
    let mut agent = line.b().run(|| Agent::start(&server, &display, &code))??;
    Hand(&display).allow()?;
    browser.open_session()?;
    let expected = Picture::of_display(&display)?;

    let begun = Instant::now();
    let rough = until("a rough photograph beside exact text", Duration::from_secs(20), || {
        let canvas = browser.canvas()?;
        if canvas.width != expected.width {
            return Ok(None);
        }
        let photo = part(&canvas, STAGE.film)?;
        let (differ, near) =
            (photo.difference(&part(&expected, STAGE.film)?), nearness(&photo, &part(&expected, STAGE.film)?));
        ensure!(differ > 0, "it is exact already after {:?}", begun.elapsed());
        let beside = part(&canvas, STAGE.text)?.difference(&part(&expected, STAGE.text)?);
        eprintln!("{:?}: {differ} pixels of the photograph differ, {near:.1} dB, {beside} beside it", begun.elapsed());
        Ok((near > 25.0 && beside == 0).then_some(canvas))
    })?;
    eprintln!("roughly after {:?}", begun.elapsed());
    if let Some(folder) = std::env::var_os("GC_SHOTS") {
        rough.write_png(&Path::new(&folder).join("photograph-rough.png"))?;
    }
    browser.await_canvas(|| Picture::of_display(&display))?;
    eprintln!("exactly after {:?}", begun.elapsed());
    drop(film);
    Hand(&display).dialog_button(gc_desktop_tests::NOTICE, 0)?;
    agent.await_end()
}

/// How near two pictures are, in decibels.
fn nearness(a: &Picture, b: &Picture) -> f64 {
    let sum: f64 = a.rgb.iter().zip(&b.rgb).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum();
    10.0 * (255.0 * 255.0 * a.rgb.len() as f64 / sum.max(1.0)).log10()
}

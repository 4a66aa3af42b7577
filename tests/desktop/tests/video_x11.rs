//! A film on the remote screen: video in the browser where it plays, every
//! other pixel exact, all of it exact when it rests.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use gc_desktop_tests::{Agent, Browser, Display, Film, Hand, Picture, Server, Stage, until};
use serde_json::json;

/// The text begins where the film ends, in the same tiles; both at odd places.
const STAGE: Stage = Stage { film: (301, 167, 401, 241), text: (702, 200, 160, 120) };

/// A copy without a part of it, and that part.
fn cut(picture: &Picture, (x, y, width, height): (i16, i16, u16, u16)) -> Result<(Picture, Picture)> {
    let (x, y) = (usize::try_from(x)?, usize::try_from(y)?);
    let (width, height) = (usize::from(width), usize::from(height));
    let part = picture.part(x, y, width, height)?;
    let mut rest = picture.clone();
    for row in y..y + height {
        let start = (row * picture.width + x) * 3;
        rest.rgb[start..start + width * 3].fill(0);
    }
    Ok((rest, part))
}

/// How near two pictures are, over all their bytes, in decibels.
fn nearness(a: &Picture, b: &Picture) -> f64 {
    let sum: f64 = a.rgb.iter().zip(&b.rgb).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum();
    10.0 * (255.0 * 255.0 * a.rgb.len() as f64 / sum.max(1.0)).log10()
}

fn keep(picture: &Picture, name: &str) -> Result<()> {
    if let Some(folder) = std::env::var_os("GC_SHOTS") {
        picture.write_png(&Path::new(&folder).join(name))?;
    }
    Ok(())
}

fn await_words(browser: &Browser, words: &str) -> Result<()> {
    until(words, Duration::from_secs(20), || {
        let said = browser.run("text", json!({ "selector": ".panel dl" }))?;
        ensure!(said.as_str().is_some_and(|said| said.contains(words)), "the statistics say {said}");
        Ok(Some(()))
    })
}

fn choose(browser: &Browser, option: &str) -> Result<()> {
    browser.run("choose", json!({ "selector": ".panel label:has-text('Quality') select", "option": option })).map(drop)
}

#[test]
fn a_film_plays_as_video_and_text_beside_it_stays_exact() -> Result<()> {
    let server = Server::start()?;
    let display = Display::start(1280, 800)?;
    let browser = Browser::start()?;
    browser.login(&server.url, &server.admin)?;
    let code = browser.new_code(false)?;
    let mut agent = Agent::start(&server, &display, &code)?;
    browser.run("wait_text", json!({ "text": "Connected, asking the person" }))?;
    Hand(&display).allow()?;
    browser.open_session()?;
    browser.run("click_selector", json!({ "selector": "summary[title='Picture quality and statistics']" }))?;
    await_words(&browser, "lossless tiles")?;

    let film = Film::play(&display, STAGE)?;
    await_words(&browser, "H.264 for 401×241")?;
    // While it plays nothing else moves: then all around it is the display's own.
    film.hold_text(true);
    until("everything beside the film being exact", Duration::from_secs(10), || {
        let (canvas, screen) = (browser.canvas()?, Picture::of_display(&display)?);
        let ((beside, playing), (expected, _)) = (cut(&canvas, STAGE.film)?, cut(&screen, STAGE.film)?);
        keep(&canvas, "video-playing.png")?;
        let differ = beside.difference(&expected);
        ensure!(differ == 0, "{differ} pixels beside the film differ");
        ensure!(playing.colours() > 1_000, "the film shows {} colours", playing.colours());
        Ok(Some(()))
    })?;
    // It is the video that is seen there, and it goes on.
    let before = cut(&browser.canvas()?, STAGE.film)?.1;
    until("the film going on in the browser", Duration::from_secs(5), || {
        let now = cut(&browser.canvas()?, STAGE.film)?.1;
        ensure!(now.difference(&before) * 2 > now.width * now.height, "the canvas stands still");
        Ok(Some(()))
    })?;
    await_words(&browser, "H.264 for 401×241")?;

    // At rest all of it is exact, and nothing is video any more.
    film.pause(true);
    let begun = Instant::now();
    browser.await_canvas(|| Picture::of_display(&display))?;
    eprintln!("exact {:?} after the last picture", begun.elapsed());
    until("no more video", Duration::from_secs(10), || {
        let said = browser.run("text", json!({ "selector": ".panel dl" }))?;
        Ok(said.as_str().is_some_and(|said| !said.contains("H.264")).then_some(()))
    })?;

    // Whoever wants it exact always gets no video.
    choose(&browser, "exact, always")?;
    film.hold_text(false);
    film.pause(false);
    let before = film.shown();
    until("two seconds of film", Duration::from_secs(20), || Ok((film.shown() > before + 60).then_some(())))?;
    let said = browser.run("text", json!({ "selector": ".panel dl" }))?;
    ensure!(said.as_str().is_some_and(|said| !said.contains("H.264")), "{said}");

    // Whoever wants little data gets everything as video, as it is when it rests.
    choose(&browser, "little data: video while anything moves")?;
    await_words(&browser, "H.264 for 1280×800")?;
    // All of it is video, what does not move as well: near, and not the same.
    film.hold_text(true);
    until("a picture by video", Duration::from_secs(5), || {
        let (canvas, screen) = (browser.canvas()?, Picture::of_display(&display)?);
        let ((beside, _), (expected, _)) = (cut(&canvas, STAGE.film)?, cut(&screen, STAGE.film)?);
        keep(&canvas, "video-whole.png")?;
        let near = nearness(&beside, &expected);
        ensure!(near > 25.0 && beside.difference(&expected) > 0, "{near} dB");
        Ok(Some(()))
    })?;
    film.pause(true);
    browser.await_canvas(|| Picture::of_display(&display))?;

    drop(film);
    Hand(&display).dialog_button(gc_desktop_tests::NOTICE, 0)?;
    agent.await_end()?;
    Ok(())
}

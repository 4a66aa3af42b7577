//! What happens in each class.

use anyhow::Result;

use super::pages;
use super::pictures::film;
use super::studio::Studio;
use super::text::Text;
use crate::scene::Motion;
use crate::stage::own;

/// What is typed into the editor.
const TYPED: [&str; 5] =
    ["my %seen;", "for my $line (sort @lines) {", "    next if $seen{$line}++;", "    print $out $line;", "}"];

/// A terminal of this size and place that shows what a shell does.
fn terminal<'a>(geometry: &'a str, points: &'a str, script: &'a str) -> [&'a str; 14] {
    [
        "-geometry",
        geometry,
        "-fa",
        "DejaVu Sans Mono",
        "-fs",
        points,
        "-bg",
        "#1c1f26",
        "-fg",
        "#d6d9df",
        "-e",
        "sh",
        "-c",
        script,
    ]
}

/// An editor with source code in it.
fn editor(studio: &mut Studio, place: [u32; 4]) -> Result<String> {
    let (text, mut chance) = (Text::read()?, fastrand::Rng::with_seed(3));
    let file = studio.file("sample.pl", &text.lines(&mut chance, 600))?;
    let window = studio.open_window("mousepad", "mousepad", &[&file.display().to_string()])?;
    studio.rest(1000);
    studio.place(&window, place)?;
    Ok(window)
}

pub(super) fn typing(studio: &mut Studio) -> Result<()> {
    let listing = terminal("110x30+1000+560", "11", "ls -la /usr/bin | head -25; exec sleep 600");
    studio.open_window("xterm", "xterm", &listing)?;
    editor(studio, [40, 40, 1150, 900])?;
    for _ in 0..6 {
        studio.hand(&["key", "Down"])?;
    }
    studio.hand(&["key", "End", "Return"])?;
    studio.rest(500);
    studio.record(|studio, step| {
        match TYPED.get(step as usize) {
            Some(line) => {
                studio.hand(&["type", "--delay", "70", line])?;
                studio.hand(&["key", "Return"])?;
            }
            None => studio.rest(100),
        }
        Ok(())
    })
}

pub(super) fn scroll(studio: &mut Studio) -> Result<()> {
    let article = pages::article(studio)?;
    studio.browse(&[article])?;
    wheel(studio)
}

/// Turn the wheel in the middle of the screen.
fn wheel(studio: &mut Studio) -> Result<()> {
    let (width, height) = studio.size();
    studio.point(i32::try_from(width / 2)?, i32::try_from(height * 5 / 9)?)?;
    studio.record(|studio, _| {
        studio.hand(&["click", "5"])?;
        studio.rest(60);
        Ok(())
    })
}

pub(super) fn drag(studio: &mut Studio) -> Result<()> {
    editor(studio, [200, 60, 1500, 950])?;
    let listing = terminal("90x28", "11", "ls -la /usr/lib | head -27; exec sleep 600");
    let window = studio.open_window("xterm", "xterm", &listing)?;
    studio.hand(&["windowmove", &window, "120", "110"])?;
    studio.hand(&["windowactivate", &window])?;
    studio.rest(700);
    // By its title, which stands above what the window itself draws.
    let (left, top) = (400, 121);
    studio.point(left, top)?;
    studio.hand(&["mousedown", "1"])?;
    studio.record(|studio, step| {
        let turn = f64::from(step);
        let (x, y) = (330.0 * (1.0 - (turn / 15.0).cos()), 190.0 * (1.0 - (turn / 20.0).cos()));
        studio.point(left + x as i32, top + y as i32)?;
        studio.rest(20);
        Ok(())
    })
}

pub(super) fn video(studio: &mut Studio) -> Result<()> {
    let film = film(studio)?.display().to_string();
    editor(studio, [60, 60, 1100, 950])?;
    let options = ["-v", "quiet", "-noborder", "-left", "1180", "-top", "300", "-loop", "0", &film];
    studio.open_window("ffplay", "ffplay", &options)?;
    studio.rest(1500);
    wait(studio)
}

/// What is recorded moves by itself.
fn wait(studio: &mut Studio) -> Result<()> {
    studio.record(|studio, _| {
        studio.rest(100);
        Ok(())
    })
}

pub(super) fn switch(studio: &mut Studio) -> Result<()> {
    let slides = pages::slides(studio)?;
    let browser = studio.browse(&slides)?;
    let editor = editor(studio, [0, 0, 1920, 1040])?;
    let mut options = vec!["-maximized"];
    let listing = terminal("200x60", "12", "ls -la /usr/bin | head -60; exec sleep 600");
    options.extend(listing);
    let shell = studio.open_window("xterm", "xterm", &options)?;
    studio.rest(1500);
    let steps = [
        Some(&browser),
        None,
        Some(&editor),
        None,
        Some(&shell),
        Some(&browser),
        None,
        Some(&editor),
        Some(&browser),
        None,
        Some(&shell),
        Some(&editor),
    ];
    let mut front = &shell;
    studio.record(|studio, step| {
        match steps.get(step as usize % steps.len()).copied().flatten() {
            Some(window) => {
                studio.hand(&["windowactivate", window])?;
                front = window;
            }
            // The next slide, or the next page of the text.
            None if *front == browser => drop(studio.hand(&["key", "ctrl+Tab"])?),
            None => drop(studio.hand(&["key", "Next"])?),
        }
        studio.rest(450);
        Ok(())
    })
}

pub(super) fn table(studio: &mut Studio) -> Result<()> {
    let sheet = pages::sheet(studio)?;
    studio.browse(&[sheet])?;
    studio.point(960, 600)?;
    studio.hand(&["click", "1"])?;
    studio.record(|studio, step| {
        // Down, then to the right, and down again.
        studio.hand(&["key", if step / 8 % 3 == 1 { "Right" } else { "Down" }])?;
        studio.rest(40);
        Ok(())
    })
}

pub(super) fn photos(studio: &mut Studio) -> Result<()> {
    let gallery = pages::gallery(studio)?;
    studio.browse(&[gallery])?;
    wheel(studio)
}

pub(super) fn map(studio: &mut Studio) -> Result<()> {
    let map = pages::map(studio)?;
    studio.browse(&[map])?;
    studio.point(900, 500)?;
    studio.hand(&["mousedown", "1"])?;
    studio.record(|studio, step| {
        let turn = f64::from(step);
        let (x, y) = (420.0 * (turn / 22.0).sin(), 260.0 * (turn / 30.0).sin());
        studio.point(900 + x as i32, 500 + y as i32)?;
        studio.rest(20);
        Ok(())
    })
}

pub(super) fn colours(studio: &mut Studio) -> Result<()> {
    let script = "export TERM=xterm-256color; sleep 2; for part in $(seq 14); do \
                  ls -la --color=always /usr/bin /etc /usr/lib | tail -n +$((part * 90)) | head -$((part * 9 % 31 + 4)); \
                  sleep 0.12; done; exec htop -d 3";
    let mut options = vec!["-maximized"];
    let shell = terminal("200x60", "12", script);
    options.extend(shell);
    studio.open_window("xterm", "xterm", &options)?;
    studio.rest(1500);
    wait(studio)
}

pub(super) fn resize(studio: &mut Studio) -> Result<()> {
    let page = pages::prose(studio)?;
    let window = studio.browse_window(&page)?;
    studio.record(|studio, step| {
        let turn = f64::from(step);
        let width = 1100.0 + 500.0 * (turn / 14.0).sin();
        let height = 800.0 + 150.0 * (turn / 19.0).sin();
        studio.hand(&["windowsize", &window, &(width as u32).to_string(), &(height as u32).to_string()])?;
        studio.rest(40);
        Ok(())
    })
}

pub(super) fn game(studio: &mut Studio) -> Result<()> {
    let game = pages::game(studio)?;
    studio.browse(&[game])?;
    wait(studio)
}

/// What is shown while lines are measured.
pub(super) fn page(studio: &mut Studio) -> Result<()> {
    let scene = own()?;
    studio.start(&scene.display().to_string(), &["scene", Motion::Page.name()])?;
    studio.rest(5000);
    wait(studio)
}

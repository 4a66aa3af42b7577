//! Pages that the browser shows while it is recorded.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Result;

use super::pictures::photographs;
use super::studio::Studio;
use super::text::{Text, escaped};

/// Says by the title that everything is there.
const DRAWN: &str = "<script>onload = () => setTimeout(() => document.title = 'drawn', 500)</script>";
/// A map that is drawn and moved by a script.
const MAP: &str = include_str!("pages/map.html");
/// A game that plays itself.
const GAME: &str = include_str!("pages/game.html");

const ARTICLE: &str = "<style>
body { font: 17px/1.5 'DejaVu Sans'; margin: 90px 14% 40px; color: #222 }
header { position: fixed; inset: 0 0 auto; padding: 14px 40px; font-size: 22px; color: #fff;
         background: linear-gradient(90deg, #1d4e4a, #7a3b52) }
pre { font: 14px 'DejaVu Sans Mono'; background: #f5f4f0; border: 1px solid #ddd; padding: 12px; overflow: hidden }
h2 { color: #7a3b12 } td { border: 1px solid #bbb; padding: 4px 14px } table { border-collapse: collapse }
img { width: 640px }
</style><header>Manual</header>";

const SLIDE: &str = "<style>
body { margin: 0; font: 34px 'DejaVu Sans' } h1 { margin: 70px 110px; font-size: 62px }
img { position: absolute; right: 90px; top: 230px; width: 880px } ul { margin-left: 90px; width: 740px; line-height: 1.7 }
</style>";

const SHEET: &str = "<style>
body { margin: 0; font: 13px 'DejaVu Sans'; color: #111 } table { border-collapse: separate; border-spacing: 0 }
td, th { border: solid #d4d4d4; border-width: 0 1px 1px 0; height: 20px; min-width: 92px; padding: 1px 6px; white-space: nowrap }
th { background: #ececec; position: sticky; top: 0; z-index: 1; font-weight: normal }
th:first-child { left: 0; min-width: 40px; z-index: 2 } td.n { text-align: right } td.bad { color: #b00020 } td.sum { background: #fff6d8 }
</style>";

fn page(studio: &Studio, name: &str, body: &str) -> Result<PathBuf> {
    studio.file(name, &format!("<!doctype html><meta charset=utf-8><title>-</title>{body}{DRAWN}"))
}

fn photograph(at: usize) -> Result<String> {
    let all = photographs()?;
    let path = all.get(at % all.len().max(1)).cloned().unwrap_or_default();
    Ok(format!("<img src='file://{}'>", path.display()))
}

/// A long page: prose, code, tables, photographs.
pub(super) fn article(studio: &Studio) -> Result<PathBuf> {
    let (text, mut chance) = (Text::read()?, fastrand::Rng::with_seed(11));
    let mut body = ARTICLE.to_owned();
    for section in 0..40 {
        write!(body, "<h2>{}. About it</h2><p>{}", section + 1, escaped(&text.words(&mut chance, 110)))?;
        write!(body, "<pre>{}</pre>", escaped(&text.lines(&mut chance, 21)))?;
        if section % 3 == 1 {
            body += &photograph(section)?;
        }
        if section % 4 == 2 {
            body += "<table>";
            for _ in 0..8 {
                body += "<tr>";
                for _ in 0..6 {
                    write!(body, "<td>{}", chance.u32(0..1_000_000))?;
                }
            }
            body += "</table>";
        }
    }
    page(studio, "article.html", &body)
}

/// Slides, each a page.
pub(super) fn slides(studio: &Studio) -> Result<Vec<PathBuf>> {
    let (text, mut chance) = (Text::read()?, fastrand::Rng::with_seed(12));
    let mut pages = Vec::new();
    for slide in 0..4 {
        let hue = slide * 75 + 20;
        let mut body = format!(
            "{SLIDE}<body style='background: linear-gradient(135deg, hsl({hue} 50% 92%), #fff)'>\
             <h1 style='color: hsl({hue} 60% 30%)'>Part {}: where we are</h1>{}<ul>",
            slide + 1,
            photograph(slide * 2 + 1)?
        );
        for _ in 0..7 {
            write!(body, "<li>{}", escaped(&text.words(&mut chance, 5)))?;
        }
        pages.push(page(studio, &format!("slide{slide}.html"), &body)?);
    }
    Ok(pages)
}

/// A sheet of numbers and names, wider and higher than the screen.
pub(super) fn sheet(studio: &Studio) -> Result<PathBuf> {
    let (text, mut chance) = (Text::read()?, fastrand::Rng::with_seed(13));
    let mut body = format!("{SHEET}<table><tr><th>");
    for column in 0..60_u8 {
        let letter = |number: u8| char::from(b'A' + number % 26);
        let before = if column < 26 { String::new() } else { letter(column / 26 - 1).to_string() };
        write!(body, "<th>{before}{}", letter(column))?;
    }
    for row in 1..400 {
        write!(body, "<tr><th>{row}")?;
        for column in 0..60 {
            match column % 6 {
                0 => write!(body, "<td>{}", escaped(&text.words(&mut chance, 2)))?,
                1 => write!(body, "<td>2026-{:02}-{:02}", chance.u8(1..13), chance.u8(1..29))?,
                5 => write!(body, "<td class='n sum'>{}.{:02}", chance.u32(1000..99_999), chance.u8(0..100))?,
                _ if chance.u8(0..9) == 0 => body += "<td>",
                _ => {
                    let number = f64::from(chance.i32(-20_000..90_000)) / 100.0;
                    write!(body, "<td class='n{}'>{number:.2}", if number < 0.0 { " bad" } else { "" })?;
                }
            }
        }
    }
    page(studio, "sheet.html", &(body + "</table>"))
}

/// Photographs, one beside and below the other.
pub(super) fn gallery(studio: &Studio) -> Result<PathBuf> {
    let mut body = "<style>body { margin: 16px; background: #181818; display: grid; gap: 16px; grid-template-columns: 1fr 1fr 1fr }
        img { width: 100%; height: 420px; object-fit: cover }</style>"
        .to_owned();
    for at in 0..36 {
        body += &photograph(at * 5 + at / 12)?;
    }
    page(studio, "gallery.html", &body)
}

/// Nothing but text.
pub(super) fn prose(studio: &Studio) -> Result<PathBuf> {
    let (text, mut chance) = (Text::read()?, fastrand::Rng::with_seed(14));
    let mut body = "<style>body { font: 18px/1.5 'DejaVu Sans'; margin: 30px 50px }</style>".to_owned();
    for _ in 0..30 {
        write!(body, "<p>{}", escaped(&text.words(&mut chance, 90)))?;
    }
    page(studio, "prose.html", &body)
}

/// A map that is dragged.
pub(super) fn map(studio: &Studio) -> Result<PathBuf> {
    page(studio, "map.html", MAP)
}

/// A game.
pub(super) fn game(studio: &Studio) -> Result<PathBuf> {
    page(studio, "game.html", GAME)
}

//! How pictures are wanted: the choice holds over lost lines, and one's own
//! numbers hold at the agent.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use gc_desktop_tests::{Agent, Browser, Display, Film, Picture, Server, Stage, until};
use serde_json::{Value, json};

const STAGE: Stage = Stage { film: (301, 167, 401, 241), text: (702, 200, 160, 120) };
const LITTLE: &str = "little data: video while anything moves";
const EXACT: &str = "exact, always";
const WHOLE: &str = "H.264 for 1280×800";
/// The page has other choices.
const SELECT: &str = "[...document.querySelectorAll('.panel label')].find((l) => l.textContent.startsWith('Quality')).querySelector('select')";
const FRAMES: &str = ".panel .custom label:has-text('pictures per second') input";
const KBIT: &str = ".panel .custom label:has-text('kbit/s') input";

struct Scene {
    server: Server,
    display: Display,
    browser: Browser,
    agent: Agent,
}

impl Scene {
    fn open() -> Result<Self> {
        let server = Server::start()?;
        let display = Display::start(1280, 800)?;
        let browser = Browser::start()?;
        browser.login(&server.url, &server.admin)?;
        let agent = Agent::in_session(&server, &display, &browser)?;
        Ok(Self { server, display, browser, agent })
    }

    fn evaluate(&self, script: &str) -> Result<Value> {
        self.browser.run("evaluate", json!({ "script": script }))
    }

    fn chosen(&self) -> Result<Value> {
        self.evaluate(&format!("{SELECT}.selectedOptions[0].textContent"))
    }

    /// Lose a line, and wait until it is back.
    fn lose(&mut self, which: &str) -> Result<()> {
        match which {
            "the server's" => {
                self.server.kill()?;
                self.browser.run("wait_selector", json!({ "selector": ".curtain" }))?;
                self.server.restart()?;
            }
            // It is missed after a while and sent away, and comes back as somebody
            // whom the agent does not know.
            "the browser's" => {
                let login = self.server.login(&self.server.admin)?;
                self.browser.child().pause_family(true)?;
                until("nobody who watches", Duration::from_secs(40), || {
                    let open = self.server.get("/api/sessions?state=open", &login)?;
                    Ok((open["items"][0]["viewers"] == json!([])).then_some(()))
                })?;
                self.browser.child().pause_family(false)?;
                until("somebody who watches", Duration::from_secs(40), || {
                    let open = self.server.get("/api/sessions?state=open", &login)?;
                    Ok((open["items"][0]["viewers"] != json!([])).then_some(()))
                })?;
            }
            // Missed after a while; it comes back by itself.
            _ => {
                self.agent.child().pause()?;
                self.browser
                    .run("wait_selector", json!({ "selector": ".curtain:has-text('computer’s line is lost')" }))?;
                self.agent.child().resume()?;
            }
        }
        until("the picture", Duration::from_secs(40), || self.browser.await_picture().map(Some))
    }

    /// For some seconds of film: what is coded comes to be this, and nothing else
    /// from then on. What is told is a second old, and a page that came back has
    /// to say first what it wants.
    fn only(&self, film: &Film, words: &str, not: &str) -> Result<()> {
        let holds = |time: Duration| {
            let (begun, before) = (Instant::now(), film.shown());
            while begun.elapsed() < time || film.shown() < before + 60 {
                let said = self.browser.statistics()?;
                ensure!(said.contains(words) && !said.contains(not), "the statistics say {said}");
            }
            Ok(())
        };
        until(words, Duration::from_secs(20), || holds(Duration::from_secs(3)).map(Some))?;
        holds(Duration::from_secs(4))
    }

    /// Pictures in each of some seconds, and kilobits.
    fn figures(&self, seconds: usize) -> Result<(Vec<f64>, Vec<f64>)> {
        let (mut frames, mut kbit, mut last) = (Vec::new(), Vec::new(), String::new());
        until("figures of some seconds", Duration::from_secs(60), || {
            let said = self.browser.statistics()?;
            if said != last {
                let number = |after: &str| {
                    let rest = said.split_once(after).and_then(|(_, rest)| rest.split_whitespace().next());
                    rest.and_then(|number| number.parse::<f64>().ok()).with_context(|| said.clone())
                };
                frames.push(number("Pictures")?);
                kbit.push(number("Data")? * 1000.0);
                last.clone_from(&said);
            }
            Ok((frames.len() >= seconds).then_some(()))
        })?;
        Ok((frames, kbit))
    }
}

fn mean(figures: &[f64]) -> f64 {
    figures.iter().sum::<f64>() / figures.len().max(1) as f64
}

#[test]
fn what_was_chosen_holds_over_lost_lines() -> Result<()> {
    let mut scene = Scene::open()?;
    let film = Film::play(&scene.display, STAGE)?;
    for which in ["the browser's", "the server's", "the computer's"] {
        scene.browser.choose_quality(LITTLE)?;
        scene.only(&film, WHOLE, "401×241")?;
        scene.lose(which)?;
        scene.only(&film, WHOLE, "401×241").with_context(|| format!("little data, after {which} line"))?;
        ensure!(scene.chosen()? == LITTLE, "{which}: the page says {}", scene.chosen()?);

        scene.browser.choose_quality(EXACT)?;
        until("no video", Duration::from_secs(20), || {
            Ok((!scene.browser.statistics()?.contains("H.264")).then_some(()))
        })?;
        scene.lose(which)?;
        scene.only(&film, "lossless tiles", "H.264").with_context(|| format!("exact, after {which} line"))?;
        ensure!(scene.chosen()? == EXACT, "{which}: the page says {}", scene.chosen()?);
    }
    film.pause(true);
    scene.browser.await_canvas(|| Picture::of_display(&scene.display)).map(drop)
}

#[test]
fn ones_own_numbers_hold() -> Result<()> {
    let scene = Scene::open()?;
    let film = Film::play(&scene.display, STAGE)?;
    let browser = &scene.browser;
    browser.await_statistics("H.264 for 401×241")?;
    let usual = scene.figures(4)?;

    // Two fields with names and numbers that make sense, reached by keys.
    ensure!(browser.run("count", json!({ "selector": ".panel .custom" }))? == json!(0));
    browser.choose_quality("custom")?;
    ensure!(browser.run("count", json!({ "selector": ".panel .custom input" }))? == json!(2));
    scene.evaluate(&format!("({SELECT}.focus(), true)"))?;
    browser.run("press", json!({ "key": "Tab" }))?;
    let focused = "document.activeElement.labels[0].textContent.trim() + ' ' + document.activeElement.value";
    ensure!(scene.evaluate(focused)? == "Most pictures per second 30", "{}", scene.evaluate(focused)?);
    let complaints = browser.run("axe", json!({}))?;
    ensure!(complaints == json!([]), "{complaints}");

    // What is no such number is said so, and changes nothing.
    browser.run("press", json!({ "key": "Control+a" }))?;
    browser.run("type", json!({ "text": "90" }))?;
    browser.run("wait_selector", json!({ "selector": ".panel [role=alert]:has-text('from 1 to 60')" }))?;
    ensure!(scene.evaluate("document.activeElement.getAttribute('aria-invalid')")? == "true");
    browser.run("press", json!({ "key": "Control+a" }))?;
    browser.run("type", json!({ "text": "5" }))?;
    browser.run("wait_gone", json!({ "selector": ".panel [role=alert]" }))?;
    browser.run("press", json!({ "key": "Tab" }))?;
    ensure!(scene.evaluate(focused)? == "Most kbit/s 4000", "{}", scene.evaluate(focused)?);

    // Few pictures, the text beside the film among them.
    std::thread::sleep(Duration::from_secs(2));
    let (frames, _) = scene.figures(6)?;
    println!("pictures in a second: {frames:?}, before {:?}", usual.0);
    ensure!(mean(&frames) <= 6.0 && mean(&frames) >= 1.0, "{frames:?} pictures in a second");
    ensure!(mean(&usual.0) > 8.0, "{:?} pictures in a second before", usual.0);

    // Little data; what is around the frames comes on top.
    browser.run("fill", json!({ "label": "Most pictures per second", "text": "60" }))?;
    browser.run("fill", json!({ "label": "Most kbit/s", "text": "100" }))?;
    std::thread::sleep(Duration::from_secs(4));
    let (frames, kbit) = scene.figures(8)?;
    println!("kbit in a second: {kbit:?}, before {:?}; pictures {frames:?}", usual.1);
    ensure!(mean(&kbit) < 180.0 && mean(&usual.1) > 250.0, "{kbit:?} kbit in a second, before {:?}", usual.1);

    // The numbers stay when the menu is closed, another choice was made, and the
    // line was lost.
    browser.choose_quality(EXACT)?;
    ensure!(browser.run("count", json!({ "selector": ".panel .custom" }))? == json!(0));
    browser.run("press", json!({ "key": "Escape" }))?;
    browser.choose_quality("custom")?;
    let value = |selector: &str| scene.evaluate(&format!("document.querySelector(\"{}\").value", selector));
    let inputs = ".panel .custom input";
    ensure!(value(inputs)? == "60", "{}", value(inputs)?);
    for selector in [FRAMES, KBIT] {
        ensure!(browser.run("count", json!({ "selector": selector }))? == json!(1), "{selector}");
    }
    film.pause(true);
    browser.await_canvas(|| Picture::of_display(&scene.display)).map(drop)
}

//! Browsers whose video decoder fails, or that have none: the session goes on
//! losslessly and nothing is lost.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use gc_desktop_tests::{Agent, Browser, Display, Film, Picture, Server, Stage, until};
use serde_json::json;

const STAGE: Stage = Stage { film: (301, 167, 401, 241), text: (702, 200, 160, 120) };
const REGION: &str = "H.264 for 401×241";
/// What the decoder says in the console when it was made to fail.
const FAILS: &str = "made to fail";
/// And when there is another one.
const MADE: &str = "a decoder is made";
/// The trial, one of the graphics card, two in software where those fail a
/// minute apart, and no others; a film whose edges are found by and by takes
/// more of each.
const DECODERS: usize = 12;

/// A decoder that does this to every picture after so many.
fn failing(after: u32, how: &str) -> String {
    format!(
        "{{ const Real = self.VideoDecoder; let left = {after};
        self.VideoDecoder = class {{
          constructor(init) {{ console.log('{MADE}'); this.init = init; this.real = new Real(init); }}
          configure(config) {{ this.real.configure(config); }}
          close() {{ if (this.real.state !== 'closed') this.real.close(); }}
          get state() {{ return this.real.state; }}
          decode(chunk) {{
            if (--left >= 0) return this.real.decode(chunk);
            console.log('{FAILS}');
            {how}
          }}
        }}; }}"
    )
}

struct Scene {
    server: Server,
    display: Display,
    browser: Browser,
    agent: Agent,
}

impl Scene {
    /// A session whose page has not been opened yet.
    fn start(prefix: &str) -> Result<Self> {
        let server = Server::start()?;
        let display = Display::start(1280, 800)?;
        // A script that did not come from the server as it is counts as one from
        // far away, which may not open sockets to this machine.
        let lets = "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets";
        let browser = Browser::start_as(&json!({ "args": [lets] }))?;
        browser.run("prefix", json!({ "pattern": "**/worker-*.js", "script": prefix }))?;
        browser.login(&server.url, &server.admin)?;
        let agent = Agent::in_session(&server, &display, &browser)?;
        Ok(Self { server, display, browser, agent })
    }

    /// While the film goes on nothing is video, and what is shown goes on too.
    fn is_lossless(&self, film: &Film) -> Result<()> {
        let (begun, before) = (Instant::now(), film.shown());
        while begun.elapsed() < Duration::from_secs(4) || film.shown() < before + 60 {
            let said = self.browser.statistics()?;
            ensure!(!said.contains("H.264") && said.contains("lossless tiles"), "the statistics say {said}");
        }
        let before = self.browser.canvas()?;
        until("the film going on", Duration::from_secs(10), || {
            let differ = self.browser.canvas()?.difference(&before);
            ensure!(differ * 20 > before.width * before.height, "the canvas stands still");
            Ok(Some(()))
        })?;
        self.is_exact(film)
    }

    /// At rest every pixel is the display's.
    fn is_exact(&self, film: &Film) -> Result<()> {
        film.pause(true);
        let exact = self.browser.await_canvas(|| Picture::of_display(&self.display));
        film.pause(false);
        exact.map(drop)
    }

    /// Nobody was sent away, and whoever controlled still does.
    fn whole(mut self, viewer: u32) -> Result<()> {
        ensure!(self.agent.child().ended()?.is_none(), "the agent is gone");
        let login = self.server.login(&self.server.admin)?;
        let open = self.server.get("/api/sessions?state=open", &login)?;
        let watching = &open["items"][0]["viewers"];
        ensure!(open["items"][0]["state"] == "live" && watching[0]["viewer"] == viewer, "{open}");
        ensure!(watching.as_array().is_some_and(|all| all.len() == 1), "{watching}");
        Ok(())
    }

    fn said(&self, words: &str) -> Result<usize> {
        let lines = self.browser.run("console", json!({}))?;
        let lines = lines.as_array().cloned().unwrap_or_default();
        Ok(lines.iter().filter(|line| line.as_str().is_some_and(|line| line.contains(words))).count())
    }

    fn failures(&self) -> Result<usize> {
        self.said(FAILS)
    }
}

fn fails(how: &str) -> Result<()> {
    // One is the trial before it begins; then three seconds of film.
    let scene = Scene::start(&failing(1 + 90, how))?;
    let film = Film::play(&scene.display, STAGE)?;
    scene.browser.await_statistics(REGION)?;
    until("the decoder failing twice", Duration::from_secs(40), || Ok((scene.failures()? >= 2).then_some(())))?;
    // A film begins anew after the first time, and where the second comes late
    // after the second.
    until("no video for good", Duration::from_secs(60), || {
        let failures = scene.failures()?;
        scene.is_lossless(&film)?;
        scene.is_lossless(&film)?;
        ensure!(scene.failures()? == failures, "the decoder is asked again");
        Ok(Some(()))
    })?;
    let decoders = scene.said(MADE)?;
    println!("{decoders} decoders were made");
    ensure!(decoders <= DECODERS, "{decoders} decoders were made");
    drop(film);
    scene.whole(1)
}

#[test]
fn a_decoder_that_fails_in_the_middle() -> Result<()> {
    fails("queueMicrotask(() => this.init.error(new DOMException('made to fail', 'EncodingError')));")
}

#[test]
fn a_decoder_that_falls_silent_in_the_middle() -> Result<()> {
    fails("return;")
}

#[test]
fn a_decoder_that_throws_in_the_middle() -> Result<()> {
    fails("throw new DOMException('made to fail', 'InvalidStateError');")
}

#[test]
fn a_decoder_that_fails_once_goes_on_with_video() -> Result<()> {
    let once = "if (left === -1) { queueMicrotask(() => this.init.error(new DOMException('made to fail', \
                'EncodingError'))); return; } return this.real.decode(chunk);";
    let scene = Scene::start(&failing(1 + 90, once))?;
    let film = Film::play(&scene.display, STAGE)?;
    scene.browser.await_statistics(REGION)?;
    until("the decoder failing", Duration::from_secs(40), || Ok((scene.failures()? >= 1).then_some(())))?;
    // Pictures decoded after it are counted by the console as well.
    let failures = scene.failures()?;
    until("video again", Duration::from_secs(40), || Ok((scene.failures()? > failures + 30).then_some(())))?;
    scene.browser.await_statistics(REGION)?;
    scene.is_exact(&film)?;
    drop(film);
    scene.whole(1)
}

#[test]
fn a_browser_without_web_codecs() -> Result<()> {
    let scene = Scene::start("delete self.VideoDecoder; console.log(`made to fail: ${typeof VideoDecoder}`);")?;
    let film = Film::play(&scene.display, STAGE)?;
    scene.is_lossless(&film)?;
    let lines = scene.browser.run("console", json!({}))?.to_string();
    ensure!(lines.contains("made to fail: undefined"), "this browser has a decoder: {lines}");
    drop(film);
    scene.whole(1)
}

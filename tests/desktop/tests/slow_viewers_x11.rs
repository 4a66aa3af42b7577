//! Viewers of their own pace: over a slow line one sees the present, and
//! nobody else pays for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use gc_bench::process::usage;
use gc_bench::scene::{self, Motion, age, now_millis};
use gc_bench::stage::Stage;
use gc_bench::viewer::{Tally, Ticket, Viewer};
use gc_desktop_tests::Picture;
use gc_line::{Conditions, Line};
use gc_screen::Canvas;

/// How long each part is looked at.
const PART: Duration = Duration::from_secs(5);
/// How long a line of a megabit may take for what is shown at last.
const SETTLES: Duration = Duration::from_secs(40);

/// What a viewer shows, as a picture of a display is.
fn shown(picture: &Canvas) -> Picture {
    let size = picture.size();
    let rows = (0..size.height).flat_map(|y| picture.row(0, y, size.width));
    let rgb = rows.flat_map(|pixel| {
        let [blue, green, red, _] = pixel.to_le_bytes();
        [red, green, blue]
    });
    Picture { width: size.width as usize, height: size.height as usize, rgb: rgb.collect() }
}

/// Watch until this is set; then look whether it comes to show exactly what
/// the display shows.
fn watch(ticket: &Ticket, opened: &AtomicBool, ended: &AtomicBool, display: &Stage) -> Result<(Tally, Duration)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut viewer = Viewer::open(ticket).await?;
        opened.store(true, Ordering::Release);
        let mut oldest = Duration::ZERO;
        let begun = Instant::now();
        while !ended.load(Ordering::Acquire) {
            viewer.watch(Duration::from_millis(50)).await?;
            // The first picture takes its time; then it is the present that counts.
            if begun.elapsed() > PART {
                let told = age(viewer.picture(), now_millis()).context("no time is told yet")?;
                oldest = oldest.max(told);
            }
        }
        let expected = Picture::of_display(&display.display)?;
        let deadline = Instant::now() + SETTLES;
        while shown(viewer.picture()) != expected {
            let differ = shown(viewer.picture()).difference(&expected);
            ensure!(Instant::now() < deadline, "{differ} pixels are not the display's; {:?}", viewer.tally());
            viewer.watch(Duration::from_millis(100)).await?;
        }
        Ok((viewer.tally(), oldest))
    })
}

/// What a quick viewer sees within a part.
async fn part(viewer: &mut Viewer) -> Result<Tally> {
    let before = viewer.tally();
    viewer.watch(PART).await?;
    let after = viewer.tally();
    Ok(Tally {
        pictures: after.pictures - before.pictures,
        keyframes: after.keyframes - before.keyframes,
        bytes: after.bytes - before.bytes,
        refreshes: after.refreshes - before.refreshes,
        ..after
    })
}

fn beside_each_other(line: &Line) -> Result<()> {
    let mut stage = Stage::open(&format!("{}:0", line.b().address()))?;
    let (quick, slow) = (stage.ticket()?, stage.ticket()?);
    let server = stage.server.child().id();
    let stage = &stage;
    let (ready, opened) = (AtomicBool::new(false), AtomicBool::new(false));
    let (still, over) = (AtomicBool::new(false), AtomicBool::new(false));
    std::thread::scope(|scope| {
        // Whatever fails here, nobody waits for ever.
        let _end = OnDrop([&still, &over]);
        let scene = scope.spawn(|| {
            let set = || ready.store(true, Ordering::Release);
            scene::run(Some(stage.display.name()), Motion::Scrolling, set, &still)
        });
        gc_desktop_tests::until("the scene", Duration::from_secs(10), || {
            Ok(ready.load(Ordering::Acquire).then_some(()))
        })?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (alone, memory, beside, slow_thread) = runtime.block_on(async {
            let mut viewer = Viewer::open(&quick).await?;
            // Pictures of its beginning are not counted.
            part(&mut viewer).await?;
            let alone = part(&mut viewer).await?;
            let memory = usage(server)?.own;
            let slow_thread = scope.spawn(|| line.a().run(|| watch(&slow, &opened, &over, stage)));
            let mut beside = vec![part(&mut viewer).await?, part(&mut viewer).await?, part(&mut viewer).await?];
            let deadline = Instant::now() + SETTLES;
            while !opened.load(Ordering::Acquire) && !slow_thread.is_finished() && Instant::now() < deadline {
                beside.push(part(&mut viewer).await?);
            }
            Ok::<_, anyhow::Error>((alone, memory, beside, slow_thread))
        })?;
        let grown = usage(server)?.own.saturating_sub(memory);
        still.store(true, Ordering::Release);
        let _scene = scene.join().map_err(|_| anyhow::anyhow!("the scene has panicked"))??;
        over.store(true, Ordering::Release);
        let (tally, oldest) = slow_thread.join().map_err(|_| anyhow::anyhow!("the slow viewer has panicked"))???;

        ensure!(alone.pictures > 60, "the quick one sees {alone:?} alone");
        for beside in &beside {
            ensure!(beside.keyframes == 0 && beside.refreshes == 0, "the quick one had to begin anew: {beside:?}");
            ensure!(beside.pictures * 10 > alone.pictures * 7, "{beside:?} beside a slow one, {alone:?} alone");
        }
        ensure!(tally.keyframes == 1 && tally.refreshes == 0, "the slow one had to begin anew: {tally:?}");
        ensure!(oldest < Duration::from_secs(5), "the slow one showed what was {oldest:?} old");
        ensure!(grown < 32 << 10, "the server has grown by {grown} KiB");
        Ok(())
    })
}

/// Sets these when it goes.
struct OnDrop<'a>([&'a AtomicBool; 2]);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.iter().for_each(|flag| flag.store(true, Ordering::Release));
    }
}

#[test]
fn a_slow_viewer_sees_the_present_and_costs_the_others_nothing() -> Result<()> {
    let line = Line::even(Conditions::new(1000, Duration::from_millis(100)))?;
    line.b().run(|| beside_each_other(&line)).context("no line")?
}

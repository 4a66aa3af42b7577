//! Viewers beside a playing film: who joins, who stands still and who is slow
//! each see the present, and cost the others nothing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use gc_bench::process::usage;
use gc_bench::scene::{self, Motion, now_millis};
use gc_bench::stage::Stage;
use gc_bench::viewer::{Tally, Ticket, Viewer};
use gc_desktop_tests::{Film, Picture, until};
use gc_line::{Conditions, Line};
use gc_screen::Canvas;

/// How long each part is looked at.
const PART: Duration = Duration::from_secs(5);
/// How long what is shown at last may take.
const SETTLES: Duration = Duration::from_secs(40);
/// What is older is the past, however busy the machine is.
const PAST: Duration = Duration::from_secs(3);
/// How often somebody joins, where the machine is too busy for a film.
const JOINS: usize = 4;
/// How often it is looked whether something else is wanted.
const LOOK: Duration = Duration::from_millis(50);

/// What a viewer has seen.
#[derive(Debug, Default, Clone, Copy)]
struct Seen {
    tally: Tally,
    stream: u32,
    /// How old what it showed was, at most, in the film and beside it.
    oldest: Duration,
    /// Longest time between two pictures.
    gap: Duration,
    /// Pictures that showed the past.
    past: u64,
    /// How often it was sent away.
    sent_away: u32,
}

/// A viewer in a thread of its own.
#[derive(Default)]
struct Watch {
    opened: AtomicBool,
    frozen: AtomicBool,
    over: AtomicBool,
    seen: Mutex<Seen>,
}

impl Watch {
    /// Watch until it is over; then look whether it comes to show exactly what
    /// the display shows. Whoever is sent away while it stands still comes back.
    fn run(&self, stage: &Stage, ticket: &Ticket) -> Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut viewer = Viewer::open(ticket).await?;
            self.opened.store(true, Ordering::Release);
            let (mut last, mut stood_still) = (Instant::now(), false);
            while !self.over.load(Ordering::Acquire) {
                if self.frozen.load(Ordering::Acquire) {
                    // Nothing is read and nothing is answered meanwhile.
                    std::thread::sleep(LOOK);
                    stood_still = true;
                    continue;
                }
                let begun = Instant::now();
                while begun.elapsed() < LOOK {
                    match viewer.next_before(begun + LOOK).await {
                        Ok(painted) => {
                            self.note(&viewer, &mut last, painted.is_some_and(|painted| !painted.is_empty()))
                        }
                        Err(_) if stood_still => {
                            self.with(|seen| seen.sent_away += 1);
                            viewer = Viewer::open(&stage.ticket()?).await?;
                            stood_still = false;
                        }
                        Err(error) => return Err(error),
                    }
                }
            }
            let deadline = Instant::now() + SETTLES;
            loop {
                // What the person is told of who is here may still change.
                let expected = Picture::of_display(&stage.display)?;
                viewer.watch(LOOK).await?;
                let differ = shown(viewer.picture()).difference(&expected);
                if differ == 0 && viewer.film().is_none() {
                    break;
                }
                ensure!(Instant::now() < deadline, "{differ} pixels are not the display's; {:?}", viewer.tally());
            }
            Ok(())
        })
    }

    fn note(&self, viewer: &Viewer, last: &mut Instant, painted: bool) {
        let now = now_millis();
        let ages = [scene::age(viewer.picture(), now), scene::film::age(viewer.picture(), now)];
        let oldest = ages.into_iter().flatten().max().unwrap_or_default();
        self.with(|seen| {
            (seen.tally, seen.stream) = (viewer.tally(), viewer.stream());
            seen.oldest = seen.oldest.max(oldest);
            if painted {
                seen.gap = seen.gap.max(last.elapsed());
                seen.past += u64::from(oldest > PAST);
                *last = Instant::now();
            }
        });
    }

    fn with<T>(&self, what: impl FnOnce(&mut Seen) -> T) -> T {
        what(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn seen(&self) -> Seen {
        self.with(|seen| *seen)
    }

    /// From here on the oldest and the longest are looked for anew.
    fn begin_part(&self) -> Seen {
        self.with(|seen| {
            (seen.oldest, seen.gap, seen.past) = Default::default();
            *seen
        })
    }

    /// What has come since then.
    fn since(&self, before: Seen) -> Seen {
        let seen = self.seen();
        let tally = Tally {
            pictures: seen.tally.pictures - before.tally.pictures,
            keyframes: seen.tally.keyframes - before.tally.keyframes,
            bytes: seen.tally.bytes - before.tally.bytes,
            refreshes: seen.tally.refreshes - before.tally.refreshes,
            films: seen.tally.films - before.tally.films,
            fresh_films: seen.tally.fresh_films - before.tally.fresh_films,
            ..seen.tally
        };
        Seen { tally, ..seen }
    }

    /// What comes within this time.
    fn part(&self, time: Duration) -> Seen {
        let before = self.begin_part();
        std::thread::sleep(time);
        self.since(before)
    }
}

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

/// Sets these when it goes: whatever fails, nobody waits for ever.
struct OnDrop<'a>(Vec<&'a AtomicBool>);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.iter().for_each(|flag| flag.store(true, Ordering::Release));
    }
}

type Running<'scope> = std::thread::ScopedJoinHandle<'scope, Result<()>>;

/// Start a viewer and wait until it sees something.
fn begin<'scope, 'env>(
    scope: &'scope std::thread::Scope<'scope, 'env>,
    stage: &'scope Stage,
    watch: &'scope Watch,
    put: impl FnOnce(Box<dyn FnOnce() -> Result<()> + Send + 'scope>) -> Result<()> + Send + 'scope,
) -> Result<Running<'scope>> {
    let ticket = stage.ticket()?;
    let thread = scope.spawn(move || put(Box::new(move || watch.run(stage, &ticket))));
    let opens = until("a viewer's first picture", SETTLES, || {
        Ok((watch.opened.load(Ordering::Acquire) || thread.is_finished()).then_some(()))
    });
    if thread.is_finished() { Ok(thread) } else { opens.map(|()| thread) }
}

fn here(run: Box<dyn FnOnce() -> Result<()> + Send + '_>) -> Result<()> {
    run()
}

fn ended(thread: Running<'_>, who: &str) -> Result<()> {
    thread.join().map_err(|_| anyhow::anyhow!("{who} has panicked"))?.with_context(|| who.to_owned())
}

/// Let a scene be seen on the display until this is set; it stays as it is then.
fn play<'scope>(
    scope: &'scope std::thread::Scope<'scope, '_>,
    stage: &'scope Stage,
    motion: Motion,
    still: &'scope AtomicBool,
) -> Result<std::thread::ScopedJoinHandle<'scope, Result<scene::Scene>>> {
    let (ready, readied) = std::sync::mpsc::sync_channel(1);
    let scene = scope.spawn(move || {
        let set = move || {
            // Whoever waited for it may have gone.
            let _: Result<(), _> = ready.send(());
        };
        scene::run(Some(stage.display.name()), motion, set, still)
    });
    readied.recv_timeout(SETTLES).context("the scene does not begin")?;
    Ok(scene)
}

/// The film is seen by this one, as video.
fn await_film(watch: &Watch) -> Result<()> {
    let before = watch.seen().tally.films;
    // On a starved machine it does not move quickly enough to be one at first.
    until("the film as video", SETTLES, || Ok((watch.seen().tally.films > before + 15).then_some(())))
}

fn undisturbed(part: &Seen) -> Result<()> {
    let anew = part.tally.keyframes + part.tally.refreshes;
    ensure!(anew == 0, "somebody had to begin anew who had missed nothing: {part:?}");
    Ok(())
}

/// Beside the others as before and after that, as far as a busy machine lets
/// that be seen.
fn as_alone(alone: [&Seen; 2], beside: &Seen, times: u32) -> Result<()> {
    undisturbed(beside)?;
    let least = alone.iter().map(|part| part.tally.films).min().unwrap_or(0) * u64::from(times);
    ensure!(beside.tally.films * 2 > least, "in {times} times the time {beside:?}, alone {alone:?}");
    let most = alone.iter().map(|part| part.oldest).max().unwrap_or_default() * 4 + Duration::from_secs(1);
    ensure!(beside.oldest < most, "what was seen was {:?} old, {alone:?} alone", beside.oldest);
    Ok(())
}

/// Whoever joins, by hand: what it sees is looked at picture by picture. `None`
/// when it sees the film end, as a machine lets it that is too busy to show one.
async fn joins(stage: &Stage) -> Result<Option<Tally>> {
    let mut viewer = Viewer::open(&stage.ticket()?).await?;
    let deadline = Instant::now() + SETTLES * 3;
    while viewer.film().is_none() {
        ensure!(Instant::now() < deadline, "no video: {:?}", viewer.tally());
        viewer.watch(LOOK).await?;
    }
    ensure!(viewer.tally().fresh_films >= 1, "{:?}", viewer.tally());
    loop {
        viewer.watch(LOOK).await?;
        let Some((region, _)) = viewer.film() else { return Ok(None) };
        let (mut seen, mut expected) = (shown(viewer.picture()), Picture::of_display(&stage.display)?);
        let (x, y) = (region.x as usize, region.y as usize);
        let part = seen.part(x, y, region.width as usize, region.height as usize)?;
        for picture in [&mut seen, &mut expected] {
            for row in y..y + region.height as usize {
                let start = (row * picture.width + x) * 3;
                picture.rgb[start..start + region.width as usize * 3].fill(0);
            }
        }
        let differ = seen.difference(&expected);
        if differ == 0 && part.colours() > 1_000 {
            break;
        }
        ensure!(Instant::now() < deadline, "{differ} pixels beside the film differ, {} colours", part.colours());
    }
    // And on it goes.
    let films = viewer.tally().films;
    viewer.watch(PART).await?;
    if viewer.film().is_none() {
        return Ok(None);
    }
    let tally = viewer.tally();
    ensure!(tally.films > films + 15, "{tally:?}");
    ensure!(tally.keyframes == 1 && tally.refreshes == 0, "it had to begin anew: {tally:?}");
    Ok(Some(tally))
}

/// Somebody joins a film that this one sees. False when the machine was too busy
/// for the film to go on.
fn joins_beside(before: &Watch, stage: &Stage) -> Result<bool> {
    await_film(before)?;
    let start = before.begin_part();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let joined = runtime.block_on(joins(stage))?;
    let since = before.since(start);
    println!("who joined: {joined:?}\nwho was there before: {since:?}");
    undisturbed(&since)?;
    Ok(joined.is_some() && since.tally.fresh_films == 0 && since.gap < Duration::from_secs(2))
}

#[test]
fn who_joins_in_the_middle_of_a_film_sees_it() -> Result<()> {
    let stage = Stage::open("127.0.0.1:0")?;
    let before = Watch::default();
    let place = gc_desktop_tests::Stage { film: (301, 167, 401, 241), text: (702, 200, 160, 120) };
    std::thread::scope(|scope| {
        let _end = OnDrop(vec![&before.over]);
        let first = begin(scope, &stage, &before, here)?;
        let film = Film::play(&stage.display, place)?;
        await_film(&before)?;
        film.hold_text(true);
        // Whoever joins does not end it for the others: not each time.
        let mut attempts = (0..JOINS).map(|_| joins_beside(&before, &stage));
        let went_on = attempts.find(|went_on| !matches!(went_on, Ok(false))).transpose()?;
        ensure!(went_on.is_some(), "the film ended, began anew or stood still each time that somebody joined");
        film.pause(true);
        before.over.store(true, Ordering::Release);
        ended(first, "who was there before")
    })
}

#[test]
fn who_stands_still_comes_back_to_the_present() -> Result<()> {
    let mut stage = Stage::open("127.0.0.1:0")?;
    let (server, agent) = (stage.server.child().id(), stage.agent.child().id());
    let memory = || Ok::<_, anyhow::Error>((usage(server)?.own, usage(agent)?.own));
    let watches: [Watch; 3] = Default::default();
    let [steady, frozen, _] = &watches;
    let (still, rests) = (AtomicBool::new(false), AtomicBool::new(false));
    let stage = &stage;
    std::thread::scope(|scope| {
        let ends = watches.iter().map(|watch| &watch.over).chain([&still, &rests]);
        let _end = OnDrop(ends.collect());
        let threads: Vec<Running<'_>> =
            watches.iter().map(|watch| begin(scope, stage, watch, here)).collect::<Result<_>>()?;
        // After a while of keeping up two share a stream.
        let scrolls = play(scope, stage, Motion::Scrolling, &rests)?;
        std::thread::sleep(PART);
        rests.store(true, Ordering::Release);
        let scrolled = scrolls.join().map_err(|_| anyhow::anyhow!("the scene has panicked"))??;
        until("two who share a stream", SETTLES, || Ok((steady.seen().stream == frozen.seen().stream).then_some(())))?;
        let film = play(scope, stage, Motion::Film, &still)?;
        drop(scrolled);
        await_film(steady)?;
        await_film(frozen)?;
        steady.part(PART);
        let before = steady.part(PART);
        let memory_before = memory()?;
        println!("before: {before:?}, memory {memory_before:?} KiB");

        // For a moment: the line holds, and so does what was seen.
        let (start, start_frozen) = (steady.begin_part(), frozen.begin_part());
        frozen.frozen.store(true, Ordering::Release);
        std::thread::sleep(PART);
        frozen.frozen.store(false, Ordering::Release);
        await_film(frozen)?;
        let during = steady.since(start);
        println!("a moment: {during:?}; who stood still {:?}", frozen.since(start_frozen));
        ensure!(steady.seen().stream != frozen.seen().stream, "they share a stream still");
        undisturbed(&during)?;
        let back = frozen.part(PART);
        println!("back: {back:?}");
        undisturbed(&frozen.since(start_frozen))?;
        ensure!(back.past == 0 && back.tally.films > 15, "it does not see the present: {back:?}");

        // For longer than anybody waits.
        frozen.begin_part();
        frozen.frozen.store(true, Ordering::Release);
        let mut most = memory()?;
        let start = steady.begin_part();
        for _ in 0..6 {
            std::thread::sleep(PART);
            let now = memory()?;
            most = (most.0.max(now.0), most.1.max(now.1));
        }
        let during = steady.since(start);
        frozen.frozen.store(false, Ordering::Release);
        println!("half a minute: {during:?}, memory at most {most:?} KiB");
        await_film(frozen)?;
        let back = frozen.seen();
        println!("back after it: {back:?}");
        // What was on its way when it stood still, and no more.
        ensure!(back.past <= 16, "the past was replayed: {back:?}");
        ensure!(back.sent_away == 1, "{back:?}");
        let back = frozen.part(PART);
        ensure!(back.past == 0 && back.tally.films > 15, "it does not see the present: {back:?}");
        let after = steady.part(PART);
        undisturbed(&after)?;
        let memory_after = memory()?;
        println!("after: {after:?}, memory {memory_after:?} KiB");
        as_alone([&before, &after], &during, 6)?;
        for (what, now) in [("meanwhile", most), ("afterwards", memory_after)] {
            let grown = (now.0.saturating_sub(memory_before.0), now.1.saturating_sub(memory_before.1));
            ensure!(grown.0 < 64 << 10 && grown.1 < 128 << 10, "server and agent have grown by {grown:?} KiB {what}");
        }
        still.store(true, Ordering::Release);
        let _film = film.join().map_err(|_| anyhow::anyhow!("the scene has panicked"))??;
        watches.iter().for_each(|watch| watch.over.store(true, Ordering::Release));
        threads.into_iter().try_for_each(|thread| ended(thread, "a viewer"))
    })
}

fn beside_a_slow_one(line: &Line) -> Result<()> {
    let stage = Stage::open(&format!("{}:0", line.b().address()))?;
    let (quick, slow) = (Watch::default(), Watch::default());
    let still = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _end = OnDrop(vec![&quick.over, &slow.over, &still]);
        let quick_thread = begin(scope, &stage, &quick, here)?;
        let film = play(scope, &stage, Motion::Film, &still)?;
        await_film(&quick)?;
        quick.part(PART);
        let alone = quick.part(PART);
        let start = quick.begin_part();
        let slow_thread = begin(scope, &stage, &slow, |run| line.a().run(run)?)?;
        await_film(&slow)?;
        undisturbed(&quick.since(start))?;
        // The first picture takes its time; then it is the present that counts.
        std::thread::sleep(PART);
        let (start, start_slow) = (quick.begin_part(), slow.begin_part());
        std::thread::sleep(PART * 3);
        let (beside, crawls) = (quick.since(start), slow.since(start_slow));
        // Without the slow one once more: it reads nothing, and is sent nothing.
        slow.frozen.store(true, Ordering::Release);
        std::thread::sleep(Duration::from_secs(1));
        let again = quick.part(PART);
        slow.frozen.store(false, Ordering::Release);
        println!("alone {alone:?}\nbeside {beside:?}\nagain {again:?}\nslow {crawls:?}");
        as_alone([&alone, &again], &beside, 3)?;
        undisturbed(&crawls)?;
        ensure!(crawls.tally.films > 15, "the slow one sees no film: {crawls:?}");
        ensure!(crawls.oldest < Duration::from_secs(4), "the slow one saw what was {:?} old", crawls.oldest);
        still.store(true, Ordering::Release);
        let _film = film.join().map_err(|_| anyhow::anyhow!("the scene has panicked"))??;
        [&quick, &slow].iter().for_each(|watch| watch.over.store(true, Ordering::Release));
        ended(quick_thread, "the quick one")?;
        ended(slow_thread, "the slow one")
    })
}

#[test]
fn a_slow_viewer_of_a_film_costs_the_quick_one_nothing() -> Result<()> {
    let line = Line::even(Conditions::new(1000, Duration::from_millis(50)))?;
    line.b().run(|| beside_a_slow_one(&line)).context("no line")?
}

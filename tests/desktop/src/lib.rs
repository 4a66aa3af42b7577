//! The stage for end-to-end tests and the demo: real displays, the real
//! server, the agent that people download, a real browser.
//!
//! Every part ends what it started when it is dropped, picks free ports and
//! displays, and keeps its files in a folder of its own.

mod agent;
mod browser;
mod child;
mod display;
mod film;
mod hand;
mod picture;
mod seed;
mod server;
mod wine;
mod wire;

pub use agent::Agent;
pub use browser::Browser;
pub use child::{Child, programs, repository};
pub use display::Display;
pub use film::{Film, Stage, film_picture};
pub use hand::{CONSENT, Found, Hand, NOTICE};
pub use picture::Picture;
pub use seed::{MACHINES, NAMES, Seed};
pub use server::{Server, Technician};
pub use wine::Wine;
pub use wire::Wire;

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How many times as slow as a quiet one a machine may be that runs these tests.
const BUSY: u32 = 3;

/// Try until it works, or say what was last wrong. The time is that of a quiet
/// machine: it bounds what a failure costs and measures nothing.
///
/// # Errors
/// When it did not work within the time, on a busy machine either.
pub fn until<T>(what: &str, within: Duration, attempt: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    in_time(what, within * BUSY, attempt)
}

/// The same for a time that the product promises.
///
/// # Errors
/// When it did not work within the time.
pub fn in_time<T>(what: &str, within: Duration, mut attempt: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + within;
    let mut last = None;
    loop {
        match attempt() {
            Ok(Some(value)) => return Ok(value),
            Ok(None) => {}
            Err(error) => last = Some(error),
        }
        if Instant::now() > deadline {
            match last {
                Some(error) => bail!("{what} did not happen within {within:?}: {error:#}"),
                None => bail!("{what} did not happen within {within:?}"),
            }
        }
        // The outside world (an X server, another process) tells nobody when
        // it is ready: this is how often it is looked at, not how long.
        std::thread::sleep(Duration::from_millis(40));
    }
}

//! What the programs write about themselves.
//!
//! Architectural invariant: below `info` only our own code is heard, whatever
//! the operator asks for. What libraries write there (frames, headers,
//! statements) shows passwords and tokens, and no type of ours can forbid it.

use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata};
use tracing_subscriber::filter::{EnvFilter, FilterExt, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt};

/// The variable that says how much is written, in the directives of
/// `tracing_subscriber::EnvFilter`.
pub const VARIABLE: &str = "GURUCONNECT_LOG";

/// A JSON object a line to standard error from now on, for programs; as much
/// as the environment says.
pub fn json() {
    begin(fmt::layer().json().with_writer(std::io::stderr), &asked());
}

/// Lines to standard error from now on, for people; as much as the environment
/// says.
pub fn text() {
    begin(fmt::layer().with_ansi(false).with_writer(std::io::stderr), &asked());
}

/// As [`json`], as much as `wanted` says and there instead.
pub fn json_to<W>(wanted: &str, writer: W)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    begin(fmt::layer().json().with_writer(writer), wanted);
}

fn asked() -> String {
    std::env::var(VARIABLE).unwrap_or_default()
}

/// Without words, or with such as nobody understands, from `info` on. The first
/// of a process stays.
fn begin(lines: impl Layer<Registry> + Send + Sync, wanted: &str) {
    let usual = || EnvFilter::new("info");
    let wanted = if wanted.is_empty() { usual() } else { EnvFilter::try_new(wanted).unwrap_or_else(|_| usual()) };
    // With the hint, what is not wanted costs nothing.
    let ours = filter_fn(may_be_written).with_max_level_hint(LevelFilter::TRACE);
    // A test's process may have its own already.
    let _: Result<(), _> = tracing_subscriber::registry().with(lines.with_filter(wanted.and(ours))).try_init();
}

fn may_be_written(what: &Metadata<'_>) -> bool {
    *what.level() <= Level::INFO || ["guruconnect", "gc_"].iter().any(|ours| what.target().starts_with(ours))
}

//! What a whole run of the tests leaves for the search for secrets: every
//! secret that was used or handed out, and every output of every program.
//!
//! The folder is named by `GC_TEST_RECORD`; without it nothing is kept. Test
//! equipment notes secrets where they pass, so no test has to think of it.

mod exchange;
mod kind;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

use serde_json::json;

pub use exchange::{cookie, exchange};
pub use kind::{Kind, Output};

/// The variable that names the folder.
pub const VARIABLE: &str = "GC_TEST_RECORD";
/// Below it: what must not be shown, a file a process.
pub const SECRETS: &str = "secrets";
/// Below it: what was shown.
pub const OUTPUTS: &str = "outputs";

static FOLDER: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
    let folder = PathBuf::from(std::env::var_os(VARIABLE).filter(|name| !name.is_empty())?);
    // A folder that cannot be had shows itself as an empty one in the search.
    for part in [SECRETS, OUTPUTS] {
        std::fs::create_dir_all(folder.join(part)).ok()?;
    }
    Some(folder)
});
static SECRET_LINES: Mutex<()> = Mutex::new(());
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// The folder, where this run is recorded.
#[must_use]
pub fn folder() -> Option<&'static Path> {
    FOLDER.as_deref()
}

/// A fresh file for an output; `None` where this run is not recorded.
#[must_use]
pub fn output(output: Output) -> Option<PathBuf> {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = format!("{}.{}.{number}.log", output.as_str(), std::process::id());
    Some(folder()?.join(OUTPUTS).join(name))
}

/// The file for an output: one that is kept, or else this one.
#[must_use]
pub fn output_or(which: Output, otherwise: PathBuf) -> PathBuf {
    output(which).unwrap_or(otherwise)
}

/// What makes our programs write as much as they ever do, where this run is
/// recorded; else nothing, so that measurements are of the usual.
#[must_use]
pub fn talkative() -> Option<(&'static str, &'static str)> {
    folder().map(|_| ("GURUCONNECT_LOG", "trace"))
}

/// Keep a text that a program showed, such as a page of metrics.
pub fn shown(which: Output, text: &str) {
    if let Some(path) = output(which) {
        append(&path, text);
    }
}

/// Note a secret that passes.
pub fn secret(kind: Kind, text: &str) {
    note(kind, text, None);
}

/// Make up a secret that this output is going to show, so that the search has
/// something to find. It is the same kind of text where nothing is recorded.
#[must_use]
pub fn plant(which: Output) -> String {
    let mut bits = [0; 12];
    // Without randomness it is merely found elsewhere as well.
    let _: Result<(), _> = getrandom::fill(&mut bits);
    let text: String = bits.iter().map(|byte| format!("{byte:02X}")).collect();
    let text = format!("PLANTED{text}");
    note(Kind::Planted, &text, Some(which));
    text
}

fn note(kind: Kind, text: &str, shown_by: Option<Output>) {
    let Some(folder) = folder().filter(|_| kind.is_worth_noting(text)) else { return };
    let line = json!({ "kind": kind.as_str(), "text": text, "shown_by": shown_by.map(Output::as_str) });
    let _one_at_a_time = SECRET_LINES.lock().unwrap_or_else(PoisonError::into_inner);
    append(&folder.join(SECRETS).join(format!("{}.jsonl", std::process::id())), &line.to_string());
}

fn append(path: &Path, text: &str) {
    let file = std::fs::File::options().create(true).append(true).open(path);
    // A full disk fails the tests by itself.
    let _: std::io::Result<()> = file.and_then(|mut file| writeln!(file, "{text}"));
}

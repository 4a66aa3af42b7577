//! `profile FOLDER [CLASS...]`: `./run bench profile` builds and starts it.

use std::path::Path;

use anyhow::{Result, bail};
use gc_profile::counts;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        // What is counted.
        ["coded", path] => counts::coded(Path::new(path)),
        [folder, classes @ ..] => counts::run(Path::new(folder), classes),
        [] => bail!("usage: profile FOLDER [CLASS...]"),
    }
}

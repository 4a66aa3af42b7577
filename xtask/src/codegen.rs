//! Message types from the schema: the only place that runs the compiler.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The repository that this is run in. Found when it runs: build products are
/// shared between checkouts.
pub(crate) fn root() -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    here.ancestors().find(|folder| folder.join("Cargo.lock").is_file()).unwrap_or(&here).to_path_buf()
}

const FILES: [&str; 5] = [
    "guruconnect/v2/envelope.proto",
    "guruconnect/v2/video.proto",
    "guruconnect/v2/input.proto",
    "guruconnect/v2/session.proto",
    "guruconnect/v2/transfer.proto",
];

/// Where the generated types live, in the repository.
pub(crate) const GENERATED: &str = "crates/core/protocol/src/generated";

/// Write the generated types into the repository.
pub(crate) fn write() -> Result<()> {
    generate(&root().join(GENERATED))
}

/// Generate into `folder`.
pub(crate) fn generate(folder: &Path) -> Result<()> {
    let descriptors = protox::compile(FILES, [root().join("proto")]).context("the schema does not compile")?;
    std::fs::create_dir_all(folder)?;
    prost_build::Config::new()
        .bytes(["."])
        .out_dir(folder)
        .compile_fds(descriptors)
        .context("no types could be generated")
}

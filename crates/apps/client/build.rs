//! The Windows program's manifest: the system's current controls, sharp text
//! on every monitor, no administrator rights.

use embed_manifest::manifest::DpiAwareness;
use embed_manifest::{embed_manifest, new_manifest};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_CFG_WINDOWS").is_some() {
        let manifest = new_manifest("GuruConnect").dpi_awareness(DpiAwareness::PerMonitorV2);
        if let Err(error) = embed_manifest(manifest) {
            println!("cargo:warning=no manifest: {error}");
            std::process::exit(1);
        }
    }
}

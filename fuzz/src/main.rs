//! Searches by coverage for inputs that break a promise of the target that the
//! environment names.
#![no_main]

use std::sync::OnceLock;

use gc_fuzz::Target;
use libfuzzer_sys::fuzz_target;

fn chosen() -> Target {
    static CHOSEN: OnceLock<Target> = OnceLock::new();
    *CHOSEN.get_or_init(|| {
        let name = std::env::var("GURUCONNECT_FUZZ_TARGET").unwrap_or_default();
        gc_fuzz::target(&name).unwrap_or_else(|| panic!("GURUCONNECT_FUZZ_TARGET names no target: {name:?}"))
    })
}

fuzz_target!(|data: &[u8]| chosen()(data));

//! Bindings for the browser, by the library's own exact version.

use std::path::Path;

use anyhow::Result;

/// Write `viewer.js` and `viewer_bg.wasm` for `input` into `output`.
pub(crate) fn bind(input: &Path, output: &Path) -> Result<()> {
    wasm_bindgen_cli_support::Bindgen::new()
        .input_path(input)
        .web(true)?
        .typescript(true)
        .out_name("viewer")
        .generate(output)
}

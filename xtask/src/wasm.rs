//! Bindings for the browser, by the library's own exact version.

use std::path::Path;

use anyhow::Result;

/// Write `NAME.js` and `NAME_bg.wasm` for `input` into `output`.
pub(crate) fn bind(input: &Path, output: &Path, name: &str) -> Result<()> {
    wasm_bindgen_cli_support::Bindgen::new()
        .input_path(input)
        .web(true)?
        .typescript(true)
        .out_name(name)
        .generate(output)
}

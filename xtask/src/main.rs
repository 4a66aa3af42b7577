//! The project's automation, reached through `./run`.

mod codegen;
mod secrets;
mod tidy;
mod wasm;

use clap::{Parser, Subcommand};

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Generate the message types from `proto/`.
    Codegen,
    /// Check dependency direction, file sizes and generated files.
    Tidy,
    /// Search what a run of the tests recorded for secrets that show.
    Secrets {
        /// The folder that `GC_TEST_RECORD` named.
        folder: std::path::PathBuf,
        /// Only some tests were run: some kinds and outputs may be missing.
        #[arg(long)]
        partial: bool,
    },
    /// Turn a compiled WebAssembly module into what the web pages import.
    Wasm {
        /// The module that cargo built.
        input: std::path::PathBuf,
        /// The folder to write to.
        output: std::path::PathBuf,
    },
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Codegen => codegen::write(),
        Command::Tidy => tidy::check(),
        Command::Secrets { folder, partial } => secrets::search(&folder, partial),
        Command::Wasm { input, output } => wasm::bind(&input, &output),
    }
}

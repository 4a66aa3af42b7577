//! The project's automation, reached through `./run`.

mod codegen;
mod secrets;
mod takeout;
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
    /// Take rules out, one at a time, and see their tests turn red.
    Takeout {
        /// Where a work tree of the last commit is made for it, and removed.
        folder: std::path::PathBuf,
        /// Only those whose description contains this.
        #[arg(default_value = "")]
        filter: String,
    },
    /// Turn a compiled WebAssembly module into what the web pages import.
    Wasm {
        /// The module that cargo built.
        input: std::path::PathBuf,
        /// The folder to write to.
        output: std::path::PathBuf,
        /// What the files are called.
        #[arg(default_value = "viewer")]
        name: String,
    },
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().command {
        Command::Codegen => codegen::write(),
        Command::Tidy => tidy::check(),
        Command::Secrets { folder, partial } => secrets::search(&folder, partial),
        Command::Takeout { folder, filter } => takeout::run(&folder, &filter),
        Command::Wasm { input, output, name } => wasm::bind(&input, &output, &name),
    }
}

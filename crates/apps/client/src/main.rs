//! `guruconnect`: the program that runs on people's computers.
#![cfg_attr(all(windows, not(test)), windows_subsystem = "windows")]

mod agent;
mod anchor;

use std::process::ExitCode;

fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_env("GURUCONNECT_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (None | Some("agent"), None) => agent::run(),
        (Some("version-info"), None) => {
            println!("guruconnect {}", env!("CARGO_PKG_VERSION"));
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("usage: guruconnect [agent | version-info]");
            eprintln!("Without arguments it helps with the support code in its own file name, or asks for one.");
            ExitCode::from(2)
        }
    }
}

//! `guruconnect`: the program that runs on people's computers.
#![cfg_attr(all(windows, not(test)), windows_subsystem = "windows")]

mod agent;
mod anchor;

use std::process::ExitCode;

fn main() -> ExitCode {
    gc_log::text();
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (None | Some("agent"), None) => agent::run(),
        // Started by the agent itself.
        (Some(agent::guard::ARGUMENT), None) => agent::guard::run(),
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

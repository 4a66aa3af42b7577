//! `line`: a program at one end of a line, another at the other.

use std::process::{Command, ExitCode};
use std::time::Duration;

use gc_line::{Conditions, Line, LineError};

const USAGE: &str = "line [--delay MS] [--jitter MS] [--rate KBIT] [--buffer BYTES] [--loss PER_THOUSAND] \
[--there COMMAND] -- PROGRAM [ARGUMENT]...

Both directions are alike. PROGRAM runs at 10.77.0.1; COMMAND, by the shell,
at 10.77.0.2, where it is ended when PROGRAM has ended.";

struct Wanted {
    conditions: Conditions,
    there: Option<String>,
    here: Vec<String>,
}

fn read(mut arguments: impl Iterator<Item = String>) -> Option<Wanted> {
    let mut wanted = Wanted { conditions: Conditions::default(), there: None, here: Vec::new() };
    while let Some(option) = arguments.next() {
        if option == "--" {
            wanted.here = arguments.collect();
            break;
        }
        let value = arguments.next()?;
        let milliseconds = || value.parse().ok().map(Duration::from_millis);
        match option.as_str() {
            "--delay" => wanted.conditions.delay = milliseconds()?,
            "--jitter" => wanted.conditions.jitter = milliseconds()?,
            "--rate" => wanted.conditions.rate = Some(value.parse::<u64>().ok()? * 1000),
            "--buffer" => wanted.conditions.buffer = value.parse().ok()?,
            "--loss" => wanted.conditions.loss = value.parse().ok()?,
            "--there" => wanted.there = Some(value),
            _ => return None,
        }
    }
    (!wanted.here.is_empty()).then_some(wanted)
}

fn run(wanted: &Wanted) -> Result<ExitCode, LineError> {
    let line = Line::even(wanted.conditions)?;
    let there = match &wanted.there {
        Some(there) => Some(line.b().put(Command::new("sh").args(["-c", &format!("exec {there}")])).spawn()?),
        None => None,
    };
    let mut here = Command::new(&wanted.here[0]);
    let ended = line.a().put(here.args(&wanted.here[1..])).status();
    if let Some(mut there) = there {
        // It may have ended by itself.
        let _: std::io::Result<()> = there.kill();
        there.wait()?;
    }
    Ok(ended?.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

fn main() -> ExitCode {
    let Some(wanted) = read(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    run(&wanted).unwrap_or_else(|error| {
        eprintln!("line: {error}");
        ExitCode::FAILURE
    })
}

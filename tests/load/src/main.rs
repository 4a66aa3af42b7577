//! `load`: figures of the relay.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};
use gc_load::{Crowd, Figures, Scale, Spread, through_nginx, through_server};
use gc_tests::Process;

#[derive(Parser)]
#[command(about = "Load on a server of its own, on loopback")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Write the rows here as JSON, too.
    #[arg(long, global = true)]
    json: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Command {
    /// Bytes through the relay and through nginx: processor seconds for a gigabyte.
    Relay {
        /// Gigabytes of each run.
        #[arg(long, default_value_t = 1.0)]
        gigabytes: f64,
        /// Runs of each row.
        #[arg(long, default_value_t = 5)]
        runs: usize,
    },
    /// Many agents and viewers at one server: memory, processor time, acknowledgements.
    Crowd {
        /// Agents that nobody watches.
        #[arg(long, default_value_t = 5000)]
        idle: usize,
        /// Sessions with a viewer and a moving screen.
        #[arg(long, default_value_t = 200)]
        moving: usize,
        /// Pictures a second of each.
        #[arg(long, default_value_t = 30)]
        rate: u32,
        /// Bytes of a picture.
        #[arg(long, default_value_t = 8 << 10)]
        bytes: usize,
        /// Seconds that they move.
        #[arg(long, default_value_t = 30)]
        seconds: u64,
    },
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut figures = Figures::default();
    match arguments.command {
        Command::Relay { gigabytes, runs } => relay((gigabytes * 1e9) as u64, runs, &mut figures).await?,
        Command::Crowd { idle, moving, rate, bytes, seconds } => {
            let scale = Scale { idle, moving, rate, bytes, time: Duration::from_secs(seconds) };
            crowd(&scale, &mut figures).await?;
        }
    }
    print!("{}", figures.table());
    if let Some(path) = arguments.json {
        std::fs::write(path, serde_json::to_vec_pretty(&figures.json())?)?;
    }
    Ok(())
}

/// Ours and nginx by turns, so that a busy machine is busy for both.
async fn relay(total: u64, runs: usize, figures: &mut Figures) -> Result<()> {
    let server = Process::start().await?;
    for (name, bytes) in [("64 KiB", 64 << 10), ("1 KiB", 1 << 10)] {
        let (mut ours, mut nginx) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            ours.push(through_server(&server, total, bytes).await?);
            nginx.push(through_nginx(total, bytes).await?);
        }
        let middle = |runs: &[gc_load::Pumped]| Spread::of(runs.iter().map(gc_load::Pumped::cpu_per_gb));
        let ratio = middle(&ours).zip(middle(&nginx)).map_or(0.0, |(ours, nginx)| ours.p50 / nginx.p50);
        for (who, runs) in [("ours", &ours), ("nginx", &nginx)] {
            let rate = Spread::of(runs.iter().map(gc_load::Pumped::rate)).map_or(0.0, |rate| rate.p50);
            figures.row(&format!("{who}, {name}")).spread("cpu_s_per_gb", middle(runs)).put("mb_per_s_p50", rate);
        }
        figures.put("ours_to_nginx", ratio);
    }
    Ok(())
}

async fn crowd(scale: &Scale, figures: &mut Figures) -> Result<()> {
    let server = Arc::new(Process::start().await?);
    let mut crowd = Crowd::new(server.clone());
    let (each, arriving) = crowd.gather(scale.idle).await?;
    let cores = crowd.rest(Duration::from_secs(60)).await?;
    figures
        .row("idle agents")
        .put("agents", scale.idle as f64)
        .put("kib_each", each / 1024.0)
        .put("arrival_cpu_ms_each", arriving.as_secs_f64() * 1000.0)
        .put("idle_cpu_cores", cores);
    crowd.moving(scale, figures).await
}

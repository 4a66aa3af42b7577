//! What a process has cost so far, as the system counts it.

use std::time::Duration;

use anyhow::{Context, Result};

/// Processor time and memory of a process and its children.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// User and system time.
    pub cpu: Duration,
    /// Proportional set size in bytes: shared pages are divided among those who
    /// share them.
    pub memory: u64,
}

impl Usage {
    /// Of this process and its children now.
    ///
    /// # Errors
    /// When it is gone.
    pub fn of(process: u32) -> Result<Self> {
        let mut all = Self::of_one(process).context("the process is gone")?;
        let children = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|id| id.parse().ok()) {
            // A child may go while we look.
            if let Ok(one) = Self::of(child) {
                all.cpu += one.cpu;
                all.memory += one.memory;
            }
        }
        Ok(all)
    }

    fn of_one(process: u32) -> Result<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
        // After the name in brackets, which may hold anything: the 12th and 13th.
        let after = stat.rsplit(')').next().unwrap_or_default();
        let ticks =
            after.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>();
        let memory = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
        let pss = memory.lines().find_map(|line| line.strip_prefix("Pss:")).context("no Pss")?;
        let kib: u64 = pss.trim().trim_end_matches(" kB").parse()?;
        // Linux counts in hundredths for everybody who asks.
        Ok(Self { cpu: Duration::from_millis(ticks * 10), memory: kib * 1024 })
    }
}

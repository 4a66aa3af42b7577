//! What a process costs, as the kernel counts it.

use std::time::Duration;

use anyhow::{Context, Result};
use rustix::time::{ClockId, clock_gettime};

/// Ticks of the kernel's clock in a second, as programs see them.
const TICKS: u32 = 100;

/// What a process has used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Processor time, user and system.
    pub cpu: Duration,
    /// Memory that is in use now, in KiB.
    pub resident: u64,
    /// What of it is its own alone, in KiB.
    pub own: u64,
}

/// What this process has used.
///
/// # Errors
/// When it is gone.
pub fn usage(id: u32) -> Result<Usage> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).with_context(|| format!("no process {id}"))?;
    // The name stands in brackets and may hold anything.
    let after = stat.rsplit_once(')').context("the process has no name")?.1;
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u32>().ok()).context("no processor time");
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let memory = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key));
        line.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()).unwrap_or(0)
    };
    Ok(Usage {
        cpu: Duration::from_secs(1) * (ticks(11)? + ticks(12)?) / TICKS,
        resident: memory("VmRSS:"),
        own: memory("RssAnon:"),
    })
}

/// Processor time of all threads of this process, to the nanosecond.
///
/// # Errors
/// When it is gone, or the kernel does not keep these figures.
pub fn spent(id: u32) -> Result<Duration> {
    let mut sum = 0;
    for task in std::fs::read_dir(format!("/proc/{id}/task")).with_context(|| format!("no process {id}"))? {
        let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
        sum += text.split_whitespace().next().context("no processor time")?.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(sum))
}

/// How long something took of this thread.
pub fn timed<T>(what: impl FnOnce() -> T) -> (T, Duration) {
    let used = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
    };
    let begun = used();
    let outcome = what();
    (outcome, used().saturating_sub(begun))
}

/// This process and all below it.
#[must_use]
pub fn family(id: u32) -> Vec<u32> {
    let mut all = vec![id];
    let mut at = 0;
    while let Some(parent) = all.get(at).copied() {
        at += 1;
        let Ok(tasks) = std::fs::read_dir(format!("/proc/{parent}/task")) else { continue };
        for task in tasks.flatten() {
            let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            all.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
    }
    all
}

/// What a process and all below it have used together.
#[must_use]
pub fn family_usage(id: u32) -> Usage {
    let mut sum = Usage { cpu: Duration::ZERO, resident: 0, own: 0 };
    // Who has gone meanwhile is not counted.
    for usage in family(id).into_iter().filter_map(|id| usage(id).ok()) {
        sum.cpu += usage.cpu;
        sum.resident += usage.resident;
        sum.own += usage.own;
    }
    sum
}

//! Every kept input, and changes of each, through its target.

use std::panic::resume_unwind;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use gc_fuzz::{TARGETS, Target};

/// Changed inputs for every kept one.
const CHANGES: u64 = 400;

#[test]
fn kept_inputs_and_changes_of_them() -> Result<()> {
    std::thread::scope(|scope| {
        let replays: Vec<_> = TARGETS.iter().map(|(name, target)| scope.spawn(move || replay(name, *target))).collect();
        replays.into_iter().try_for_each(|replay| replay.join().unwrap_or_else(|finding| resume_unwind(finding)))
    })
}

/// One target's.
fn replay(name: &str, target: Target) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
    let mut kept = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| format!("{} is missing", folder.display()))? {
        kept.push(std::fs::read(entry?.path())?);
    }
    ensure!(!kept.is_empty(), "{name} has no kept inputs");
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for input in &kept {
        target(input);
        for _ in 0..CHANGES {
            target(&random.change(input, &kept));
        }
    }
    println!("{name}: {} kept", kept.len());
    Ok(())
}

/// Every target has a folder, and no folder is forgotten.
#[test]
fn corpora_and_targets_belong_together() -> Result<()> {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for entry in std::fs::read_dir(corpora)? {
        let name = entry?.file_name();
        let known = name.to_str().and_then(gc_fuzz::target).is_some();
        ensure!(known, "{} is no target's", name.display());
    }
    Ok(())
}

/// xorshift64* (Vigna, 2016): the same changes at every run.
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % below.max(1)
    }

    fn change(&mut self, input: &[u8], others: &[Vec<u8>]) -> Vec<u8> {
        let mut changed = input.to_vec();
        for _ in 0..=self.next(4) {
            let at = self.next(changed.len() + 1);
            match self.next(6) {
                0 => changed.insert(at, self.next(256) as u8),
                1 => changed.truncate(at),
                2 => {
                    let other = &others[self.next(others.len())];
                    changed.extend_from_slice(&other[self.next(other.len() + 1)..]);
                }
                3 if at < changed.len() => drop(changed.remove(at)),
                4 if at < changed.len() => changed[at] ^= 1 << self.next(8),
                _ if at < changed.len() => changed[at] = [0, 1, 0x7f, 0x80, 0xff][self.next(5)],
                _ => changed.push(0),
            }
        }
        changed.truncate(1 << 16);
        changed
    }
}

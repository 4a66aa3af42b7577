//! A process that ends with its owner.

use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

/// A running process, ended when dropped.
#[derive(Debug)]
pub struct Child {
    process: std::process::Child,
    /// With everything below it.
    paused: AtomicBool,
}

impl Child {
    /// Start a process.
    ///
    /// # Errors
    /// When the program cannot be started, with its name.
    pub fn spawn(command: &mut Command) -> Result<Self> {
        let child = command.spawn().with_context(|| format!("cannot start {:?}", command.get_program()))?;
        Ok(Self { process: child, paused: AtomicBool::new(false) })
    }

    /// The process itself.
    pub fn inner(&mut self) -> &mut std::process::Child {
        &mut self.process
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.process.try_wait()?)
    }

    /// Ask it to end, and wait.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn terminate(&mut self) -> Result<ExitStatus> {
        self.signal(libc::SIGTERM)?;
        Ok(self.process.wait()?)
    }

    /// Tell it to read its files again.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn hang_up(&self) -> Result<()> {
        self.signal(libc::SIGHUP)
    }

    /// Hold it in mid-step, as a computer that sleeps.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn pause(&self) -> Result<()> {
        self.signal(libc::SIGSTOP)
    }

    /// Let it go on.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn resume(&self) -> Result<()> {
        self.signal(libc::SIGCONT)
    }

    /// End it without asking.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// End it and everything that it started without asking.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill_family(&mut self) -> Result<()> {
        // Held first, so that nobody starts anything more.
        self.pause_family(true)?;
        for id in self.family()? {
            send(id, libc::SIGKILL)?;
        }
        self.process.wait()?;
        Ok(())
    }

    /// Hold it and everything that it started, or let all of it go on.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn pause_family(&self, pause: bool) -> Result<()> {
        self.paused.store(pause, Ordering::Relaxed);
        for id in self.family()? {
            send(id, if pause { libc::SIGSTOP } else { libc::SIGCONT })?;
        }
        Ok(())
    }

    /// The ids of everything that it started.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn below(&self) -> Result<Vec<u32>> {
        Ok(self.family()?.split_off(1))
    }

    /// Send a signal to everything that it started, and not to itself.
    ///
    /// # Errors
    /// When the system does not say what that is.
    pub fn signal_below(&self, signal: i32) -> Result<()> {
        self.below()?.into_iter().try_for_each(|id| send(id, signal))
    }

    /// Its id and those of everything below it.
    fn family(&self) -> Result<Vec<u32>> {
        let mut parents = Vec::new();
        for entry in std::fs::read_dir("/proc")?.flatten() {
            let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
            // Behind the name, which may hold anything: state and parent (proc(5)).
            let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)?.parse::<u32>().ok());
            parents.extend(parent.map(|parent| (id, parent)));
        }
        let mut family = vec![self.process.id()];
        let mut next = 0;
        while let Some(&parent) = family.get(next) {
            family.extend(parents.iter().filter(|(_, other)| *other == parent).map(|(id, _)| *id));
            next += 1;
        }
        Ok(family)
    }

    fn signal(&self, signal: i32) -> Result<()> {
        send(self.process.id(), signal)
    }
}

/// To a process that we started and did not wait for yet, or one below it.
#[expect(unsafe_code, reason = "the standard library sends no other signal than kill")]
fn send(id: u32, signal: i32) -> Result<()> {
    let id = i32::try_from(id)?;
    // SAFETY: no memory is involved, and the id is of a process of this test.
    unsafe { libc::kill(id, signal) };
    Ok(())
}

impl Drop for Child {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            // What is paused hears nothing, nor does anything below it.
            if *self.paused.get_mut() && self.kill_family().is_ok() {
                return;
            }
            // Two kinds of ending: asked, and when that is not heeded, forced.
            let _: Result<()> = self.signal(libc::SIGTERM);
            for _ in 0..40 {
                if !matches!(self.process.try_wait(), Ok(None)) {
                    return;
                }
                std::thread::sleep(std::time::Duration::from_millis(25));
            }
            let _: std::io::Result<()> = self.process.kill();
            let _: std::io::Result<ExitStatus> = self.process.wait();
        }
    }
}

/// The repository that this is run in. Found when it runs: build products are
/// shared between checkouts.
#[must_use]
pub fn repository() -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    here.ancestors().find(|folder| folder.join("Cargo.lock").is_file()).unwrap_or(&here).to_path_buf()
}

/// A program that was built beside this one, or in the folder that the
/// variable names.
///
/// # Errors
/// When it was not built.
pub fn programs(name: &str, variable: &str) -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(variable) {
        return Ok(path.into());
    }
    let own = std::env::current_exe()?;
    let found = own.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|path| path.is_file());
    found
        .with_context(|| format!("{name} was not built beside {}; build it, or name it with {variable}", own.display()))
}

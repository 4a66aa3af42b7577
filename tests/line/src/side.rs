//! One end of a line: a network namespace, and how to be in it.

use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Arc;

use crate::LineError;
use crate::tun::{MTU, NAME, Tun};

/// One end of a line.
#[derive(Debug, Clone)]
pub struct Side {
    namespace: Arc<File>,
    address: Ipv4Addr,
}

impl Side {
    /// A namespace of its own with a device in it.
    pub(crate) fn new(address: Ipv4Addr, other: Ipv4Addr) -> Result<(Self, Tun), LineError> {
        // A thread of its own moves, so that nobody else is moved.
        let made = std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("line-side".into()).spawn_scoped(scope, || {
                leave()?;
                let namespace = File::open("/proc/thread-self/ns/net")?;
                Ok::<_, LineError>((namespace, Tun::new()?))
            });
            joined(thread?)
        })?;
        let side = Self { namespace: Arc::new(made.0), address };
        side.ip(&format!("address add {address} peer {other} dev {NAME}"))?;
        // The only queue that drops is our own.
        side.ip(&format!("link set dev {NAME} up mtu {MTU} txqueuelen 10000"))?;
        side.ip("link set dev lo up")?;
        Ok((side, made.1))
    }

    /// Its address, as the other side sees it.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.address.into()
    }

    /// Do something here. What is started meanwhile, processes and threads,
    /// is here as well; a panic goes on in the caller.
    ///
    /// # Errors
    /// When the system has no thread or does not let it in.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, LineError> {
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("line-side".into()).spawn_scoped(scope, || {
                self.enter()?;
                Ok(work())
            });
            joined(thread?)
        })
    }

    /// Move this thread here for the rest of its life.
    ///
    /// # Errors
    /// When the system does not let it.
    #[expect(unsafe_code, reason = "the standard library knows no namespaces")]
    pub fn enter(&self) -> Result<(), LineError> {
        // SAFETY: plain system call on a file that we hold; the result is
        // checked.
        let entered = unsafe { libc::setns(self.namespace.as_raw_fd(), libc::CLONE_NEWNET) };
        if entered < 0 {
            return Err(LineError::NotAllowed { what: "entering a namespace", why: io::Error::last_os_error() });
        }
        Ok(())
    }

    /// Let a program run here.
    #[expect(unsafe_code, reason = "a process enters a namespace between fork and exec")]
    pub fn put<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let namespace = self.namespace.clone();
        let enter = move || {
            // SAFETY: as in `enter`; nothing else is done between fork and exec.
            let entered = unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) };
            if entered < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
        };
        // SAFETY: the closure makes one system call and allocates nothing.
        unsafe { command.pre_exec(enter) }
    }

    fn ip(&self, arguments: &str) -> Result<(), LineError> {
        let failed = |output: String| LineError::Ip { command: arguments.to_owned(), output };
        let mut command = Command::new("ip");
        command.args(arguments.split(' ')).stdin(Stdio::null());
        let output = self.put(&mut command).output().map_err(|error| failed(error.to_string()))?;
        if output.status.success() {
            return Ok(());
        }
        Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }
}

#[expect(unsafe_code, reason = "the standard library knows no namespaces")]
fn leave() -> Result<(), LineError> {
    // SAFETY: plain system call; it concerns this thread only.
    if unsafe { libc::unshare(libc::CLONE_NEWNET) } < 0 {
        return Err(LineError::NotAllowed { what: "a network namespace", why: io::Error::last_os_error() });
    }
    Ok(())
}

fn joined<T>(thread: std::thread::ScopedJoinHandle<'_, Result<T, LineError>>) -> Result<T, LineError> {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

//! A line that a test holds in its hand: it can be cut and mended.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;

/// How often a line that is cut is looked at; nobody waits for it.
const LOOK: Duration = Duration::from_millis(20);

/// A line to a server, by an address of its own.
#[derive(Debug)]
pub struct Wire {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    target: Mutex<Option<SocketAddr>>,
    cut: AtomicBool,
    over: AtomicBool,
}

impl Wire {
    /// One that leads nowhere yet.
    ///
    /// # Errors
    /// When there is no port for it.
    pub fn new() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let (address, state) = (listener.local_addr()?, Arc::<State>::default());
        let accepting = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if accepting.over.load(Ordering::Relaxed) {
                    return;
                }
                let target = *accepting.target.lock().unwrap_or_else(PoisonError::into_inner);
                let Some(far) = target.and_then(|target| TcpStream::connect(target).ok()) else { continue };
                // What cannot be copied is a line that does not come about.
                let _: Result<()> = join(&accepting, stream, far);
            }
        });
        Ok(Self { address, state })
    }

    /// Its near end, as a browser names it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Let it lead there from now on.
    pub fn lead_to(&self, target: SocketAddr) {
        *self.state.target.lock().unwrap_or_else(PoisonError::into_inner) = Some(target);
    }

    /// Nothing comes through any more, and nobody is told.
    pub fn cut(&self) {
        self.state.cut.store(true, Ordering::Relaxed);
    }

    /// Everything comes through again, also what was said meanwhile.
    pub fn mend(&self) {
        self.state.cut.store(false, Ordering::Relaxed);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.state.over.store(true, Ordering::Relaxed);
        // The thread that accepts looks once more.
        let _: std::io::Result<TcpStream> = TcpStream::connect(self.address);
    }
}

fn join(state: &Arc<State>, near: TcpStream, far: TcpStream) -> Result<()> {
    for (mut from, mut to) in [(near.try_clone()?, far.try_clone()?), (far, near)] {
        let state = state.clone();
        std::thread::spawn(move || {
            let mut bytes = vec![0; 64 << 10];
            while let Ok(length @ 1..) = from.read(&mut bytes) {
                while state.cut.load(Ordering::Relaxed) && !state.over.load(Ordering::Relaxed) {
                    std::thread::sleep(LOOK);
                }
                if state.over.load(Ordering::Relaxed) || to.write_all(&bytes[..length]).is_err() {
                    break;
                }
            }
            // Either end may be gone already.
            let _: std::io::Result<()> = to.shutdown(Shutdown::Write);
            let _: std::io::Result<()> = from.shutdown(Shutdown::Read);
        });
    }
    Ok(())
}

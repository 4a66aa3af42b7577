//! What an asynchronous encoder says, heard by a thread that does nothing else.

#![expect(unsafe_code, reason = "interfaces of the system")]

use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Instant;

use windows::Win32::Media::MediaFoundation::{
    IMFMediaEventGenerator, IMFTransform, MEError, METransformHaveOutput, METransformNeedInput, MF_EVENT_FLAG_NONE,
};
use windows::core::Interface;

use super::platform::{Result, failed};

/// What an asynchronous encoder has said: how many pictures it wants, and how
/// many units are ready. Another thread listens, so that a wait has an end.
pub(super) struct Events {
    heard: Receiver<windows::core::Result<u32>>,
    wanted: u32,
    made: u32,
    listens: Option<JoinHandle<()>>,
}

/// What tells them.
struct Teller(IMFMediaEventGenerator);

// SAFETY: objects of Media Foundation belong to no thread ("Media Foundation and
// COM": they are free-threaded).
unsafe impl Send for Teller {}

impl Teller {
    /// Wait for the next event; an error once the encoder is shut down.
    fn next(&self) -> windows::core::Result<u32> {
        // SAFETY: plain calls; what comes back is ours.
        unsafe { self.0.GetEvent(MF_EVENT_FLAG_NONE)?.GetType() }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        // The encoder is shut down: this waits for its last event.
        if let Some(thread) = self.listens.take() {
            let _: std::thread::Result<()> = thread.join();
        }
    }
}

impl Events {
    pub(super) fn listen(transform: &IMFTransform) -> Result<Self> {
        let teller = Teller(transform.cast().map_err(failed("it tells nothing"))?);
        // Few wait: none comes but for a picture.
        let (told, heard) = channel();
        let listen = move || {
            loop {
                let event = teller.next();
                let goes_on = event.is_ok();
                if told.send(event).is_err() || !goes_on {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("hardware-events".into()).spawn(listen);
        let thread = thread.map_err(|error| error.to_string())?;
        Ok(Self { heard, wanted: 0, made: 0, listens: Some(thread) })
    }

    /// Wait until it wants a picture.
    pub(super) fn wanted(&mut self, until: Instant) -> Result<()> {
        while self.wanted == 0 {
            self.hear(until)?;
        }
        self.wanted -= 1;
        Ok(())
    }

    /// Wait until a unit is ready.
    pub(super) fn made(&mut self, until: Instant) -> Result<()> {
        while self.made == 0 {
            self.hear(until)?;
        }
        self.made -= 1;
        Ok(())
    }

    fn hear(&mut self, until: Instant) -> Result<()> {
        let wait = until.saturating_duration_since(Instant::now());
        let event = self.heard.recv_timeout(wait).map_err(|_| "a picture that takes too long")?;
        let event = event.map_err(failed("it has failed"))?;
        self.wanted += u32::from(event == METransformNeedInput.0.cast_unsigned());
        self.made += u32::from(event == METransformHaveOutput.0.cast_unsigned());
        if event == MEError.0.cast_unsigned() { Err("it has failed".into()) } else { Ok(()) }
    }
}

//! The attended agent: one code, one session, and then it is gone.
//!
//! The part that holds the connection ([`attended`], [`connection`],
//! [`sessions`]) and the part that touches the desktop ([`worker`] and what
//! stands below it) meet in [`exchange`] only, so that a pipe can come between.

mod attended;
mod capture;
mod connection;
mod exchange;
pub(crate) mod guard;
mod input;
mod layout;
mod link;
mod pointer;
mod presence;
mod quality;
mod roll;
mod seat;
mod sessions;
mod wake;
mod worker;

use std::process::ExitCode;
use std::sync::Arc;

use gc_access::SupportCode;
use gc_desktop::Prompt;

use crate::anchor;

/// Help with the code in the program's name, or ask for one.
pub(crate) fn run() -> ExitCode {
    let prompt: Arc<dyn Prompt> = Arc::from(gc_desktop::prompt());
    let Some(anchor) = anchor::read() else {
        prompt.tell("This program belongs to no server", "Download it anew from the page of your support team.");
        return ExitCode::FAILURE;
    };
    let own_name = std::env::current_exe().ok();
    let own_name = own_name.as_deref().and_then(|path| path.file_name()).and_then(|name| name.to_str());
    let code = own_name.and_then(SupportCode::find_in_file_name);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            prompt.tell("GuruConnect cannot start", &error.to_string());
            return ExitCode::FAILURE;
        }
    };
    let attended::Attended { outcome, used } = runtime.block_on(attended::attend(&anchor, code, &prompt));
    // A program whose code was never used can be tried again.
    if used && let Err(error) = self_replace::self_delete() {
        tracing::warn!(%error, "the program could not remove itself");
    }
    match outcome {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(words)) => {
            prompt.tell("The support session is over", &words);
            ExitCode::SUCCESS
        }
        Err(words) => {
            prompt.tell("The support session could not begin", &words);
            ExitCode::FAILURE
        }
    }
}

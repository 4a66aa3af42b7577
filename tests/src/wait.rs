//! Waiting for events, never for time.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::{Instant, timeout};

/// How long something may take that has no deadline of its own. Long, because
/// the machine may be busy; a test that passes never waits it out.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// How long something may take that has to happen within a second.
const PROMPT: Duration = Duration::from_secs(1);

/// The outcome of `event`, which has to come soon.
///
/// # Errors
/// When it does not come, or fails.
pub async fn soon<T>(what: &str, event: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(PATIENCE, event).await.with_context(|| format!("waited in vain for {what}"))?
}

/// The outcome of `event`, which has to come within a second.
///
/// # Errors
/// When it does not, or fails.
pub async fn promptly<T>(what: &str, event: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(PROMPT, event).await.with_context(|| format!("{what} did not happen within a second"))?
}

/// Ask again and again until there is an answer: for state that can only be
/// looked at, such as rows that are written beside the answer.
///
/// # Errors
/// When there is none for too long, or asking fails.
pub async fn eventually<T, F, Fut>(what: &str, mut ask: F) -> Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<Option<T>>>,
{
    let start = Instant::now();
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    loop {
        pace.tick().await;
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        if start.elapsed() > PATIENCE {
            bail!("waited in vain for {what}");
        }
    }
}

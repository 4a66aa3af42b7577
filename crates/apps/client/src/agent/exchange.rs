//! What passes between the part that holds the connection and the part that
//! touches the desktop: orders down, messages and news up. The connection knows
//! nothing else of it, so a pipe can come between them: behind it, whoever takes the
//! orders in (`seat`) gives input the shorter way.

use bytes::Bytes;
use gc_access::Access;
use gc_protocol::{AgentHeader, RawEnvelope};
use tokio::sync::mpsc;

/// News that may wait; the connection takes them as they come.
const NEWS: usize = 64;

/// What the connection wants of a worker.
#[derive(Debug)]
pub(super) enum Order {
    /// A line is open. `accepted` is what the relay remembers of the person's
    /// answer, where the session was there before.
    Line {
        slot: u32,
        messages: mpsc::Sender<Bytes>,
        returning: bool,
        accepted: Option<Access>,
        /// What the organisation says in the notice.
        motto: String,
    },
    /// A message for this session.
    Message(AgentHeader, RawEnvelope),
    /// Nothing was heard for some seconds.
    Silent,
    /// The line is gone.
    Lost,
}

/// What a worker has to say beside its messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum News {
    /// What the person has accepted by now.
    Accepted(Option<Access>),
    /// Whether anybody watches.
    Watched(bool),
    /// The person ends the session.
    EndedByPerson,
    /// The relay ends the session, in these words.
    Ended(String),
}

/// News, and of which session.
pub(super) type Bulletin = (String, News);

/// Sends one session's news.
#[derive(Debug, Clone)]
pub(super) struct Reporter {
    session: String,
    news: mpsc::Sender<Bulletin>,
}

impl Reporter {
    /// Whoever reports on this session.
    pub(super) fn new(session: &str, news: mpsc::Sender<Bulletin>) -> Self {
        Self { session: session.to_owned(), news }
    }

    /// Whose news these are.
    pub(super) fn session(&self) -> &str {
        &self.session
    }

    /// Say it; called on threads of the worker's own, which may wait.
    pub(super) fn say(&self, news: News) {
        // Nobody listens any more when the program is at its end.
        let _: Result<(), _> = self.news.blocking_send((self.session.clone(), news));
    }
}

/// Where the workers' news arrive.
pub(super) fn newsroom() -> (mpsc::Sender<Bulletin>, mpsc::Receiver<Bulletin>) {
    mpsc::channel(NEWS)
}

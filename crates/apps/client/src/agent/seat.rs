//! What passes between the part that holds the connection and the part that
//! touches the desktop: orders down, messages and news up. Nothing else is
//! shared, so a pipe can come between them.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use bytes::Bytes;
use gc_access::Access;
use gc_desktop::Prompt;
use gc_protocol::{AgentHeader, RawEnvelope};
use tokio::sync::mpsc;

use super::worker::Worker;

/// Orders that may wait. The relay paces what viewers send; more than this
/// waits only where the desktop is stuck, and then the line is given up.
const ORDERS: usize = 4096;
/// News that may wait; the connection takes them as they come.
const NEWS: usize = 64;
/// How long a worker has to let go of everything.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// What the connection wants of a worker.
#[derive(Debug)]
pub(super) enum Order {
    /// A line is open. `accepted` is what the relay remembers of the person's
    /// answer, where the session was there before.
    Line { slot: u32, messages: mpsc::Sender<Bytes>, returning: bool, accepted: Option<Access> },
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

/// A worker, as the connection holds it.
#[derive(Debug)]
pub(super) struct Seat {
    orders: Option<SyncSender<Order>>,
    ended: Receiver<()>,
}

impl Seat {
    /// Start a worker for a session.
    pub(super) fn start(session: &str, prompt: Arc<dyn Prompt>, news: mpsc::Sender<Bulletin>) -> Result<Self, String> {
        let (orders, waiting) = sync_channel(ORDERS);
        let (end, ended) = sync_channel(1);
        let reporter = Reporter { session: session.to_owned(), news };
        std::thread::Builder::new()
            .name("worker".into())
            .spawn(move || {
                Worker::new(prompt, reporter).run(&waiting);
                // Whoever waits has waited long enough if nobody is there.
                let _: Result<(), _> = end.send(());
            })
            .map_err(|error| error.to_string())?;
        Ok(Self { orders: Some(orders), ended })
    }

    /// Give an order; never waits. `false` when the worker takes nothing in.
    pub(super) fn order(&self, order: Order) -> bool {
        self.orders.as_ref().is_some_and(|orders| orders.try_send(order).is_ok())
    }

    /// The session is over: the worker releases what is held, takes its
    /// windows away and ends. Waits for that, but not for long.
    pub(super) fn close(mut self) {
        self.orders = None;
        if self.ended.recv_timeout(CLOSE_WITHIN) == Err(RecvTimeoutError::Timeout) {
            tracing::error!("the desktop is stuck; leaving it as it is");
        }
    }
}

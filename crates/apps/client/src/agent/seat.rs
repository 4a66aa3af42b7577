//! A worker, from its start to its end, as the connection holds it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use gc_desktop::Prompt;
use tokio::sync::mpsc;

use super::exchange::{Bulletin, Order, Reporter};
use super::worker::Worker;

/// Orders that may wait. The relay paces what viewers send; more than this
/// waits only where the desktop is stuck, and then the line is given up.
const ORDERS: usize = 4096;
/// How long a worker has to let go of everything.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

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
        let reporter = Reporter::new(session, news);
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

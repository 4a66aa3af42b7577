//! A worker, from its start to its end, as the connection holds it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use gc_desktop::Prompt;
use gc_protocol::header::RELAY;
use gc_protocol::routing;
use tokio::sync::mpsc;

use super::exchange::{Bulletin, Order, Reporter};
use super::input::{self, Inputs};
use super::roll::Roll;
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
    /// Orders that were given and not carried out.
    pending: Arc<AtomicUsize>,
    /// The shorter way, for input.
    inputs: Option<Inputs>,
    ended: Receiver<()>,
}

impl Seat {
    /// Start a worker for a session.
    pub(super) fn start(session: &str, prompt: Arc<dyn Prompt>, news: mpsc::Sender<Bulletin>) -> Result<Self, String> {
        let (orders, waiting) = sync_channel(ORDERS);
        let (inputs, more) = input::queue(Roll::default());
        let (pending, passed) = (Arc::new(AtomicUsize::new(0)), inputs.clone());
        let counted = pending.clone();
        let (end, ended) = sync_channel(1);
        let reporter = Reporter::new(session, news);
        std::thread::Builder::new()
            .name("worker".into())
            .spawn(move || {
                Worker::new(prompt, reporter, (passed, more)).run(&waiting, &counted);
                // Whoever waits has waited long enough if nobody is there.
                let _: Result<(), _> = end.send(());
            })
            .map_err(|error| error.to_string())?;
        Ok(Self { orders: Some(orders), pending, inputs: Some(inputs), ended })
    }

    /// Give an order; never waits. `false` when the worker takes nothing in.
    pub(super) fn order(&self, order: Order) -> bool {
        let (Some(orders), Some(inputs)) = (&self.orders, &self.inputs) else { return false };
        match order {
            // Input waits for no other thread; but nothing that came before it is overtaken,
            // since that may be what allows it.
            Order::Message(header, raw)
                if header.peer != RELAY
                    && routing::is_input(raw.field())
                    && self.pending.load(Ordering::Acquire) == 0 =>
            {
                // Where it is stuck the line begins anew, and what still waits is nobody's.
                inputs.push(header.peer, raw)
            }
            order => {
                self.pending.fetch_add(1, Ordering::AcqRel);
                let given = orders.try_send(order).is_ok();
                if !given {
                    self.pending.fetch_sub(1, Ordering::AcqRel);
                }
                given
            }
        }
    }

    /// The session is over: the worker releases what is held, takes its
    /// windows away and ends. Waits for that, but not for long.
    pub(super) fn close(mut self) {
        (self.orders, self.inputs) = (None, None);
        if self.ended.recv_timeout(CLOSE_WITHIN) == Err(RecvTimeoutError::Timeout) {
            tracing::error!("the desktop is stuck; leaving it as it is");
        }
    }
}

#[cfg(test)]
mod tests {
    use gc_protocol::messages::{Body, KeyEvent};
    use gc_protocol::{AgentHeader, encode_framed, header};

    use super::*;

    #[test]
    fn input_overtakes_nothing_that_came_before_it() {
        let (orders, waiting) = sync_channel(8);
        let (inputs, mut direct) = input::queue(Roll::default());
        let (_end, ended) = sync_channel(1);
        let seat = Seat { orders: Some(orders), pending: Arc::default(), inputs: Some(inputs), ended };
        let key = |peer| {
            let framed = encode_framed(AgentHeader::new(1, peer), Body::KeyEvent(KeyEvent::default()));
            let (header, raw) = header::split(framed).expect("a message");
            Order::Message(header, raw)
        };
        assert!(seat.order(key(2)));
        assert!(direct.next_viewer() == Some(2) && waiting.try_recv().is_err());
        // Something waits: it may be what makes of a viewer one that may type.
        assert!(seat.order(Order::Silent) && seat.order(key(2)));
        assert!(direct.next_viewer().is_none() && waiting.try_iter().count() == 2);
        seat.pending.fetch_sub(2, Ordering::AcqRel);
        // The relay itself types nothing.
        assert!(seat.order(key(RELAY)));
        assert!(direct.next_viewer().is_none() && waiting.try_iter().count() == 1);
    }
}

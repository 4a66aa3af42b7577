//! What the parts of a service tell each other: that a session changed, that a
//! right was revoked. One process today ([`InProcess`]); nodes later, behind
//! the same trait.
//!
//! Architectural invariant: a notice says what changed, never what it
//! contains; whoever hears it looks for itself.

use async_trait::async_trait;
use tokio::sync::broadcast;
use uuid::Uuid;

/// Something that others have to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A session changed in a way that dashboards show.
    SessionChanged {
        /// The session.
        session_id: Uuid,
        /// Who created it, to know who may hear of it.
        created_by: Option<Uuid>,
    },
    /// Viewers of this login, or of this user, have to go.
    Revoked {
        /// One login.
        credential: Option<Uuid>,
        /// Every login of a user.
        user_id: Option<Uuid>,
    },
}

/// What a subscriber hears next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A notice.
    Notice(Notice),
    /// Some were missed: look at everything again.
    Missed,
}

/// A way to tell everybody.
#[async_trait]
pub trait Bus: Send + Sync + 'static {
    /// Tell everybody, oneself included. Nobody listening is fine.
    async fn publish(&self, notice: Notice);

    /// Hear everything from now on.
    fn subscribe(&self) -> Box<dyn Subscription>;
}

/// One listener.
#[async_trait]
pub trait Subscription: Send {
    /// The next thing; `None` when the bus is gone.
    async fn next(&mut self) -> Option<Heard>;
}

/// A bus within one process. A listener that is more than 1,024 notices
/// behind misses the oldest and is told so.
#[derive(Debug, Clone)]
pub struct InProcess(broadcast::Sender<Notice>);

impl Default for InProcess {
    fn default() -> Self {
        Self(broadcast::Sender::new(1024))
    }
}

#[async_trait]
impl Bus for InProcess {
    async fn publish(&self, notice: Notice) {
        // An error only says that nobody listens.
        let _: Result<usize, _> = self.0.send(notice);
    }

    fn subscribe(&self) -> Box<dyn Subscription> {
        Box::new(Listener(self.0.subscribe()))
    }
}

struct Listener(broadcast::Receiver<Notice>);

#[async_trait]
impl Subscription for Listener {
    async fn next(&mut self) -> Option<Heard> {
        match self.0.recv().await {
            Ok(notice) => Some(Heard::Notice(notice)),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(Heard::Missed),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everybody_hears_and_the_slow_are_told() {
        let bus = InProcess::default();
        bus.publish(Notice::Revoked { credential: None, user_id: None }).await;
        let (mut one, mut two) = (bus.subscribe(), bus.subscribe());
        let notice = Notice::SessionChanged { session_id: Uuid::from_u128(1), created_by: None };
        bus.publish(notice.clone()).await;
        assert_eq!(one.next().await, Some(Heard::Notice(notice.clone())));
        for _ in 0..2000 {
            bus.publish(notice.clone()).await;
        }
        assert_eq!(two.next().await, Some(Heard::Missed));
        drop(bus);
        while let Some(heard) = one.next().await {
            assert!(matches!(heard, Heard::Missed | Heard::Notice(_)));
        }
    }
}

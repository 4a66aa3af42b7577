//! Both planes: agents on one side, viewers on the other, sessions between.
//!
//! Frames and input pass through [`links`] alone, under a lock that is held
//! for microseconds; everything that changes who may do what passes through
//! [`session`], one change at a time, stored before it takes effect.

pub(crate) mod agent_socket;
mod awaited;
mod deadlines;
mod hub;
mod links;
mod outbox;
mod session;
mod silence;
mod socket;
pub(crate) mod viewer_socket;

pub(crate) use hub::Hub;
pub(crate) use session::Asker;

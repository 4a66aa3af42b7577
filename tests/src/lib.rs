//! The harness of the black-box tests: a real server in this process, and the
//! people and programs around it.
//!
//! Architectural invariant: what is expected stands in the tests, written by
//! hand. Nothing here asks the server's code what the right answer would be;
//! only the message types and the envelope's encoding are shared with it.

mod address;
mod agent;
mod database;
mod http;
mod knock;
mod line;
mod people;
mod postgres;
mod process;
mod server;
mod viewer;
mod wait;
mod wall;

pub use address::fresh_address;
pub use agent::{Credential, FakeAgent, Received};
pub use database::{TestDatabase, postgres_url};
pub use http::{Answer, Http};
pub use knock::{Knock, Refused};
pub use line::Ended;
pub use people::{Code, Person};
pub use postgres::PrivatePostgres;
pub use process::{Process, program};
pub use server::TestServer;
pub use viewer::FakeViewer;
pub use wait::{PATIENCE, eventually, promptly, soon};
pub use wall::WallClock;

pub use gc_protocol::AgentHeader;
pub use gc_protocol::messages::{self, Body};
pub use guruconnect_server::Config;
pub use guruconnect_server::clock::Clock;

/// Wait until a fake agent or viewer has got a body of this kind, and give its
/// message; whatever comes before is remembered and skipped.
#[macro_export]
macro_rules! await_body {
    ($peer:expr, $kind:ident) => {
        $peer
            .until(stringify!($kind), |body| match body {
                $crate::Body::$kind(message) => Some(message.clone()),
                _ => None,
            })
            .await
    };
}

//! The server from outside, by its sockets alone. One program: linking one for
//! each file costs more than running them.

mod alone;
mod api;
mod attempts;
mod audit;
mod bounds;
mod clock;
mod consent;
mod consent_raised;
mod control;
mod credentials;
mod drain;
mod faults;
mod hello;
mod limits;
mod metrics;
mod oracle;
mod planted;
mod refusals;
mod resume;
mod revocation;
mod second_factor;
mod settings;
mod slow;
mod smuggling;
mod statistics;
mod store;
mod tokens;
mod unstored;
mod view_only;

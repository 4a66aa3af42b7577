//! The HTTP API as its clients see it: its description, its lists, the shapes
//! that independent clients rely on, and what becomes of calls that are wrong.

mod bodies;
mod checker;
mod description;
mod envelope;
mod lists;
mod removal;
mod shapes;

//! Who is asking: passwords, logins, limits, viewer tokens.

pub(crate) mod caller;
pub(crate) mod limits;
mod lock_out;
pub(crate) mod password;
pub(crate) mod sealed;
pub(crate) mod second_factor;
pub(crate) mod setup_token;
pub(crate) mod viewer_token;

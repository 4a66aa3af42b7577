//! Who is asking: passwords, logins, limits, viewer tokens.

pub(crate) mod caller;
pub(crate) mod limits;
pub(crate) mod password;
pub(crate) mod setup_token;
pub(crate) mod viewer_token;

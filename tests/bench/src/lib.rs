//! Figures of the product beside its peers', and the headless viewer that
//! takes them. The viewer is the real one's core: the same machine, decoder
//! and TLS, without a window.

pub mod arrival;
pub mod chromium;
pub mod figures;
pub mod floor;
pub mod footprint;
pub mod latency;
pub mod network;
pub mod process;
pub mod record;
pub mod rfb;
pub mod scene;
pub mod screen;
pub mod slow;
pub mod stage;
pub mod still;
pub mod viewer;
pub mod watcher;
pub mod xvnc;

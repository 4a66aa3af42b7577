//! Loopback addresses: the whole of 127/8 is this machine, so that every
//! client can have its own and be counted by itself.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU32, Ordering};

/// 127.16.0.1: away from 127.0.0.1, where the server listens.
const FIRST: u32 = 0x7f10_0001;

static NEXT: AtomicU32 = AtomicU32::new(FIRST);

/// An address that no other client of this process uses.
#[must_use]
pub fn fresh_address() -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(NEXT.fetch_add(1, Ordering::Relaxed)))
}

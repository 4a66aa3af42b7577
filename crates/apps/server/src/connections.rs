//! How many connections there are, and from whom.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::address::ClientAddress;

/// Connections that speak HTTP at once. Sockets that were upgraded are counted
/// by their sessions.
const MOST: usize = 8192;
/// Those of one address, unless it is a trusted proxy.
const MOST_OF_ONE: usize = 256;

/// How many connections there are, by address.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counted(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One connection's place; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    counted: Counted,
    key: IpAddr,
}

impl Counted {
    /// A place for one more, where there is one.
    pub(crate) fn take(&self, address: IpAddr, is_proxy: bool) -> Option<Seat> {
        let key = ClientAddress(address).limit_key();
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = counts.values().sum();
        let own = counts.get(&key).copied().unwrap_or(0);
        if all >= MOST || (own >= MOST_OF_ONE && !is_proxy) {
            return None;
        }
        counts.insert(key, own + 1);
        drop(counts);
        Some(Seat { counted: self.clone(), key })
    }

    /// All of them.
    pub(crate) fn all(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().sum()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.counted.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = counts.get_mut(&self.key) {
            *own -= 1;
            if *own == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_does_not_take_all_places() {
        let counted = Counted::default();
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let greedy: Vec<_> = (0..1000).filter_map(|_| counted.take(address("192.0.2.1"), false)).collect();
        assert_eq!(greedy.len(), MOST_OF_ONE);
        assert!(counted.take(address("192.0.2.2"), false).is_some());
        let proxied: Vec<_> = (0..1000).filter_map(|_| counted.take(address("192.0.2.3"), true)).collect();
        assert_eq!(proxied.len(), 1000);
        drop(greedy);
        assert!(counted.take(address("192.0.2.1"), false).is_some());
        drop(proxied);
        assert!(counted.0.lock().unwrap().is_empty(), "places are not given back");
    }

    #[test]
    fn all_together_are_bounded() {
        let counted = Counted::default();
        let seats: Vec<_> = (0..40_000u32)
            .filter_map(|number| counted.take(std::net::Ipv4Addr::from(0x0a00_0000 + number).into(), false))
            .collect();
        assert_eq!(seats.len(), MOST);
    }
}

//! Room that clients share: a bound on all of it, and on the part of each client.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A client as bounds count it: one IPv4 address, or the first 64 bits of an IPv6 address, for that is what one
/// customer of a provider gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Client(u128);

impl From<IpAddr> for Client {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(u128::from(address.to_bits())),
            IpAddr::V6(address) => Self(address.to_bits() >> 64 | 1 << 127),
        }
    }
}

/// Room of a fixed size. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Shares(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    all_max: usize,
    each_max: usize,
    taken: Mutex<Taken>,
}

/// A client is in the map while it has some of the room, so that the map is bounded as well.
#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_client: HashMap<Client, usize>,
}

/// The bound that a request would exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exceeds {
    /// There is no room for anybody.
    All,
    /// This client has its part already.
    Client,
}

/// A part of the room, free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    shares: Shares,
    client: Option<Client>,
    amount: usize,
}

impl Shares {
    pub fn new(all_max: usize, each_max: usize) -> Self {
        Self(Arc::new(Inner { all_max, each_max, taken: Mutex::default() }))
    }

    /// Takes some of the room. Without a client only the bound on all of it counts.
    pub fn take(&self, client: Option<Client>, amount: usize) -> Result<Share, Exceeds> {
        let mut share = Share { shares: self.clone(), client, amount: 0 };
        share.grow(amount).map(|()| share)
    }

    /// Takes some of the room whether or not there is any: for what stands in the place of something that ends.
    pub fn take_over(&self, client: Option<Client>, amount: usize) -> Share {
        self.lock().add(client, amount);
        Share { shares: self.clone(), client, amount }
    }

    /// Total taken by all clients.
    pub fn taken(&self) -> usize {
        self.lock().all
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Takes more for the same client.
    pub fn grow(&mut self, amount: usize) -> Result<(), Exceeds> {
        let Inner { all_max, each_max, .. } = *self.shares.0;
        let mut taken = self.shares.lock();
        let of_client = self.client.and_then(|client| taken.by_client.get(&client).copied()).unwrap_or_default();
        if self.client.is_some() && of_client + amount > each_max {
            return Err(Exceeds::Client);
        }
        if taken.all + amount > all_max {
            return Err(Exceeds::All);
        }
        taken.add(self.client, amount);
        self.amount += amount;
        Ok(())
    }
}

impl Taken {
    fn add(&mut self, client: Option<Client>, amount: usize) {
        self.all += amount;
        if let Some(client) = client.filter(|_| amount > 0) {
            *self.by_client.entry(client).or_default() += amount;
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.shares.lock();
        taken.all -= self.amount;
        if let Some(client) = self.client
            && let Some(of_client) = taken.by_client.get_mut(&client)
        {
            *of_client -= self.amount;
            if *of_client == 0 {
                taken.by_client.remove(&client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(address: &str) -> Client {
        address.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn a_client_has_at_most_its_share_and_all_have_at_most_the_whole() {
        let shares = Shares::new(10, 4);
        let (ada, bob, eve) = (Some(client("192.0.2.1")), Some(client("192.0.2.2")), Some(client("192.0.2.3")));
        let mut of_ada = shares.take(ada, 3).unwrap();
        of_ada.grow(1).unwrap();
        assert_eq!(of_ada.grow(1).unwrap_err(), Exceeds::Client);
        assert_eq!(shares.take(ada, 1).unwrap_err(), Exceeds::Client);
        let _of_bob = shares.take(bob, 4).unwrap();
        let _of_eve = shares.take(eve, 2).unwrap();
        assert_eq!(shares.take(eve, 1).unwrap_err(), Exceeds::All);
        assert_eq!(shares.take(None, 1).unwrap_err(), Exceeds::All);
        drop(of_ada);
        let _exempt = shares.take(None, 4).unwrap();
        assert_eq!(shares.taken(), 10);
    }

    #[test]
    fn nothing_is_kept_of_clients_that_have_nothing() {
        let shares = Shares::new(10, 10);
        let share = shares.take(Some(client("192.0.2.1")), 2).unwrap();
        let over = shares.take_over(Some(client("192.0.2.1")), 20);
        assert_eq!(shares.taken(), 22);
        drop((share, over));
        shares.take(Some(client("192.0.2.2")), 0).unwrap();
        assert_eq!((shares.taken(), shares.lock().by_client.len()), (0, 0));
    }

    #[test]
    fn a_network_of_ipv6_is_one_client_and_so_is_an_address_in_both_spellings() {
        assert_eq!(client("2001:db8:1:2::1"), client("2001:db8:1:2:ffff::9"));
        assert_ne!(client("2001:db8:1:2::1"), client("2001:db8:1:3::1"));
        assert_eq!(client("192.0.2.1"), client("::ffff:192.0.2.1"));
        assert_ne!(client("::1"), client("0.0.0.1"));
    }
}

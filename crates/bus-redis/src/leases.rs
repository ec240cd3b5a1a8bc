//! The leases of subscriptions: while one holds a stream, no other receives from it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;

use crate::connection::call;
use crate::error::CallError;
use crate::scripts::{RENEW, eval};

/// The time after which the stream of a process that was killed or cut off may be taken over: as long as its service
/// needs to notice.
pub(crate) const LEASE: Duration = Duration::from_secs(6);

/// The interval of renewal: three in a row may fail.
pub(crate) const RENEW_EVERY: Duration = Duration::from_millis(1_500);

/// The leases of this process, by their tokens. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Leases(Arc<Mutex<BTreeMap<String, Entry>>>);

struct Entry {
    holder: Arc<str>,
    consumer: String,
}

/// A lease as long as its subscription lasts, whether or not it has it at the moment.
pub(crate) struct Lease {
    leases: Leases,
    token: String,
}

impl Leases {
    /// Begins a lease that is renewed from now on, once its subscription has it.
    pub fn begin(&self, token: String, holder: Arc<str>, consumer: &str) -> Lease {
        self.lock().insert(token.clone(), Entry { holder, consumer: consumer.to_owned() });
        Lease { leases: self.clone(), token }
    }

    /// The consumers that receive here.
    pub fn consumers(&self) -> Vec<String> {
        let mut consumers: Vec<String> = self.lock().values().map(|entry| entry.consumer.clone()).collect();
        consumers.sort_unstable();
        consumers.dedup();
        consumers
    }

    /// Renews all that are held.
    pub async fn renew(&self, connection: &MultiplexedConnection) -> Result<(), CallError> {
        let (tokens, holders): (Vec<String>, Vec<Arc<str>>) =
            self.lock().iter().map(|(token, entry)| (token.clone(), entry.holder.clone())).unzip();
        if tokens.is_empty() {
            return Ok(());
        }
        let mut renew = eval(RENEW, holders.iter().map(|holder| &**holder));
        renew.arg(milliseconds(LEASE)).arg(tokens);
        call(connection, "renewing leases", &renew).await.map(drop)
    }

    /// Every change is complete when the lock is given back.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.leases.lock().remove(&self.token);
    }
}

/// A time as the server takes it.
pub(crate) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

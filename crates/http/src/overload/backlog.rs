//! New work is refused while old work is late: an order that waits beyond its reservation is cancelled.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::Problem;

/// The wait before the client should retry: about as long as a backlog that has formed takes to shrink.
const RETRY_AFTER_S: u32 = 5;

/// The services of the process that are late with their work. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Backlog(Arc<Mutex<BTreeSet<&'static str>>>);

impl Backlog {
    /// 503 `overloaded` while any service is late.
    pub fn admit(&self) -> Result<(), Problem> {
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
            return Ok(());
        }
        let detail = format!("backlog too large; retry in {RETRY_AFTER_S} s");
        Err(Problem::overloaded(detail, RETRY_AFTER_S))
    }

    /// Notes that a service is late, or is late no longer.
    pub fn report(&self, service: &'static str, is_late: bool) {
        let mut late = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if is_late {
            late.insert(service)
        } else {
            late.remove(service)
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_work_is_refused_while_any_service_is_late() {
        let backlog = Backlog::default();
        backlog.report("payments", true);
        backlog.report("inventory", true);
        backlog.report("payments", false);
        let refused = backlog.admit().unwrap_err();
        assert_eq!((refused.code(), refused.retry_after_s()), ("overloaded", Some(5)));
        backlog.report("inventory", false);
        backlog.admit().unwrap();
    }
}

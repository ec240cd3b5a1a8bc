//! A provider without a bank: its tokens say what happens.
//!
//! Its ledger is durable and its own, apart from every service's store, as a real provider's is.

use std::time::Duration;

use events::PaymentId;
use futures_util::future::{BoxFuture, FutureExt};
use kernel::{Clock, Ids, Money};
use service::storage::{Error, Location, Registered};

use super::ledger::{self, Ledger, Totals};
use super::{Charge, Provider, Token, Unknown};

/// The simulated provider.
///
/// | token | what happens |
/// |---|---|
/// | `tok_ok` | charged |
/// | `tok_declined` | declined for good |
/// | `tok_soft` | declined, but another token may do |
/// | `tok_timeout` | charged, and the first answer is lost |
/// | `tok_slow` | charged, and the answer takes 5 s |
/// | any other | declined for good |
pub struct Simulated {
    ledger: Ledger,
    slowness: Duration,
}

impl Simulated {
    /// The ledger's statements, for the tests that walk all of them.
    pub const STATEMENTS: &[Registered] = ledger::STATEMENTS;

    /// Opens the ledger at `location`, making it if it isn't there.
    pub async fn open(location: Location, clock: Clock, ids: Ids) -> Result<Self, Error> {
        Ok(Self { ledger: Ledger::open(location, clock, ids).await?, slowness: Duration::from_secs(5) })
    }

    /// Sets how long the answer to `tok_slow` takes.
    #[must_use]
    pub fn with_slowness(mut self, slowness: Duration) -> Self {
        self.slowness = slowness;
        self
    }

    /// The totals of the provider's ledger.
    pub async fn totals(&self) -> Result<Totals, Error> {
        self.ledger.totals().await
    }

    /// Closes the ledger. Further calls get no answer.
    pub async fn close(&self) {
        self.ledger.close().await;
    }
}

fn decide(token: &str) -> Charge {
    let declined = |error: &str, is_final| Charge::Declined { error: error.to_owned(), is_final };
    match token {
        "tok_ok" | "tok_timeout" | "tok_slow" => Charge::Charged,
        "tok_declined" => declined("the card was declined", true),
        "tok_soft" => declined("the card has not enough funds", false),
        _ => declined("unknown token", true),
    }
}

impl Provider for Simulated {
    fn charge<'a>(&'a self, key: PaymentId, amount: Money, token: &'a Token) -> BoxFuture<'a, Result<Charge, Unknown>> {
        async move {
            let token = token.reveal();
            let booked = self.ledger.charge(key, amount, &decide(token)).await.map_err(unavailable)?;
            // Only after it is booked: a caller that stops waiting finds it by look-up.
            if token == "tok_slow" {
                tokio::time::sleep(self.slowness).await;
            }
            if token == "tok_timeout" && booked.is_first_call {
                return Err(Unknown("the answer was lost".to_owned()));
            }
            Ok(booked.charge)
        }
        .boxed()
    }

    fn look_up(&self, key: PaymentId) -> BoxFuture<'_, Result<Option<Charge>, Unknown>> {
        async move { self.ledger.find(key).await.map_err(unavailable) }.boxed()
    }

    fn refund(&self, key: PaymentId, amount: Money) -> BoxFuture<'_, Result<(), Unknown>> {
        async move {
            let is_back = self.ledger.refund(key, amount).await.map_err(unavailable)?;
            if is_back { Ok(()) } else { Err(Unknown("no such charge".to_owned())) }
        }
        .boxed()
    }
}

fn unavailable(error: Error) -> Unknown {
    Unknown(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use kernel::Currency;

    use super::*;

    const PRICE: Money = Money::new(1999, Currency::EUR);

    async fn open(folder: &Path) -> (Simulated, Ids) {
        let ids = Ids::new(Clock::system());
        let provider =
            Simulated::open(Location::Folder(folder.to_owned()), Clock::system(), ids.clone()).await.unwrap();
        (provider.with_slowness(Duration::ZERO), ids)
    }

    #[tokio::test]
    async fn a_key_is_charged_once_and_its_answer_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (provider, ids) = open(folder.path()).await;
        let key = ids.next();
        let (good, bad) = (Token::from("tok_ok".to_owned()), Token::from("tok_declined".to_owned()));
        let calls = (0..8).map(|n| provider.charge(key, PRICE, if n == 0 { &good } else { &bad }));
        let answers = futures_util::future::join_all(calls).await;
        let decided = provider.look_up(key).await.unwrap().unwrap();
        assert!(answers.into_iter().all(|answer| answer.as_ref() == Ok(&decided)));
        let totals = provider.totals().await.unwrap();
        assert_eq!((totals.charges + totals.declined, totals.repeated), (1, 1));
    }

    #[tokio::test]
    async fn a_lost_answer_is_in_the_books_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let (provider, ids) = open(folder.path()).await;
        let key = ids.next();
        provider.charge(key, PRICE, &Token::from("tok_timeout".to_owned())).await.unwrap_err();
        provider.close().await;
        let (provider, _) = open(folder.path()).await;
        assert_eq!(provider.look_up(key).await, Ok(Some(Charge::Charged)));
        assert_eq!(provider.look_up(ids.next()).await, Ok(None));
    }

    #[tokio::test]
    async fn money_goes_back_once() {
        let folder = tempfile::tempdir().unwrap();
        let (provider, ids) = open(folder.path()).await;
        let key = ids.next();
        provider.charge(key, PRICE, &Token::from("tok_slow".to_owned())).await.unwrap();
        provider.refund(key, PRICE).await.unwrap();
        provider.refund(key, PRICE).await.unwrap();
        provider.refund(ids.next(), PRICE).await.unwrap_err();
        let expected = Totals { charges: 1, charged: 1999, declined: 0, refunds: 1, refunded: 1999, repeated: 0 };
        assert_eq!(provider.totals().await.unwrap(), expected);
    }
}

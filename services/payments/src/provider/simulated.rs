//! A provider without a bank: its tokens say what happens.
//!
//! Its ledger is durable and its own, apart from every service's store, as a real provider's is.

use std::time::Duration;

use events::{PaymentId, RefundId};
use futures_util::future::{BoxFuture, FutureExt};
use kernel::{Clock, Ids, Money};
use service::storage::{Error, Location, Registered};

use super::ledger::{self, Ledger, RefundsAre, Totals};
use super::{Charge, Provider, Refund, Token, Unknown};

/// The simulated provider.
///
/// | token | what happens |
/// |---|---|
/// | `tok_ok` | charged |
/// | `tok_declined` | declined for good |
/// | `tok_soft` | declined, but another token may do |
/// | `tok_timeout` | charged, and the first answer is lost |
/// | `tok_slow` | charged, and the answer takes 5 s |
/// | `tok_refund_fails` | charged; every refund is refused for good |
/// | `tok_refund_timeout` | charged; refunds are done, and the first answer of each is lost |
/// | `tok_refund_slow` | charged; refunds are done, and each answer takes 5 s |
/// | any other | declined for good |
///
/// No charge gives back more than it took: a refund beyond it is refused for good, whatever the token.
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

    /// Sets how long the answers to `tok_slow` and `tok_refund_slow` take.
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
        "tok_refund_fails" | "tok_refund_timeout" | "tok_refund_slow" => Charge::Charged,
        "tok_declined" => declined("the card was declined", true),
        "tok_soft" => declined("the card has not enough funds", false),
        _ => declined("unknown token", true),
    }
}

fn refunds_of(token: &str) -> RefundsAre {
    match token {
        "tok_refund_fails" => RefundsAre::Refused,
        "tok_refund_slow" => RefundsAre::Slow,
        "tok_refund_timeout" => RefundsAre::Unanswered,
        _ => RefundsAre::Done,
    }
}

impl Provider for Simulated {
    fn charge<'a>(&'a self, key: PaymentId, amount: Money, token: &'a Token) -> BoxFuture<'a, Result<Charge, Unknown>> {
        async move {
            let token = token.reveal();
            let booked = self.ledger.charge(key, amount, &decide(token), refunds_of(token)).await;
            let booked = booked.map_err(unavailable)?;
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

    fn refund(&self, key: RefundId, of: PaymentId, amount: Money) -> BoxFuture<'_, Result<Refund, Unknown>> {
        async move {
            let booked = self.ledger.refund(key, of, amount).await.map_err(unavailable)?;
            let booked = booked.ok_or_else(|| Unknown("no such charge".to_owned()))?;
            match booked.refunds_are {
                RefundsAre::Slow => tokio::time::sleep(self.slowness).await,
                RefundsAre::Unanswered if booked.is_first_call => {
                    return Err(Unknown("the answer was lost".to_owned()));
                }
                RefundsAre::Done | RefundsAre::Refused | RefundsAre::Unanswered => {}
            }
            Ok(booked.refund)
        }
        .boxed()
    }

    fn look_up_refund(&self, key: RefundId) -> BoxFuture<'_, Result<Option<Refund>, Unknown>> {
        async move { self.ledger.find_refund(key).await.map_err(unavailable) }.boxed()
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
    async fn each_refund_is_done_once_and_together_they_give_back_no_more_than_was_charged() {
        let folder = tempfile::tempdir().unwrap();
        let (provider, ids) = open(folder.path()).await;
        let charge = ids.next();
        provider.charge(charge, PRICE, &Token::from("tok_refund_slow".to_owned())).await.unwrap();
        let keys: Vec<RefundId> = (0..4).map(|_| ids.next()).collect();
        let part = Money::new(800, Currency::EUR);
        let calls = keys.iter().chain(&keys).map(|key| provider.refund(*key, charge, part));
        let mut answers: Vec<Refund> =
            futures_util::future::join_all(calls).await.into_iter().map(Result::unwrap).collect();
        let again = answers.split_off(keys.len());
        assert_eq!(answers, again, "a key is answered alike");
        assert_eq!(answers.iter().filter(|answer| **answer == Refund::Done).count(), 2);
        for (key, answer) in keys.iter().zip(answers) {
            assert_eq!(provider.look_up_refund(*key).await, Ok(Some(answer)));
        }
        assert_eq!(provider.look_up_refund(ids.next()).await, Ok(None));
        provider.refund(ids.next(), ids.next(), part).await.unwrap_err();
        let expected = Totals { charges: 1, charged: 1999, declined: 0, refunds: 2, refunded: 1600, repeated: 0 };
        assert_eq!(provider.totals().await.unwrap(), expected);
    }

    #[tokio::test]
    async fn a_token_says_how_its_refunds_end() {
        let folder = tempfile::tempdir().unwrap();
        let (provider, ids) = open(folder.path()).await;
        let (fails, lost) = (ids.next(), ids.next());
        for (key, token) in [(fails, "tok_refund_fails"), (lost, "tok_refund_timeout")] {
            assert_eq!(provider.charge(key, PRICE, &Token::from(token.to_owned())).await, Ok(Charge::Charged));
        }
        let refused = Refund::Refused { error: "the card was closed".to_owned() };
        let key = ids.next();
        assert_eq!(provider.refund(key, fails, PRICE).await.as_ref(), Ok(&refused));
        assert_eq!(provider.look_up_refund(key).await, Ok(Some(refused)));

        let key = ids.next();
        provider.refund(key, lost, PRICE).await.unwrap_err();
        provider.close().await;
        let (provider, _) = open(folder.path()).await;
        assert_eq!(provider.look_up_refund(key).await, Ok(Some(Refund::Done)));
        assert_eq!(provider.refund(key, lost, PRICE).await, Ok(Refund::Done));
        let totals = provider.totals().await.unwrap();
        assert_eq!((totals.refunds, totals.refunded), (1, 1999));
    }
}

//! The simulated provider's books.

use std::collections::HashMap;

use events::{PaymentId, RefundId};
use kernel::{Cause, Clock, Ids, Money, RequestCause, Shards, Version};
use service::storage::{self, Batch, Db, Error, Location, Migration, Migrations, Options, Row, params};

use super::{Charge, Refund};

const MIGRATIONS: Migrations = Migrations {
    set: "payment_provider",
    steps: &[
        Migration {
            sqlite: include_str!("../../migrations/provider/sqlite/0001_init.sql"),
            postgres: include_str!("../../migrations/provider/postgres/0001_init.sql"),
        },
        Migration {
            sqlite: include_str!("../../migrations/provider/sqlite/0002_refunds.sql"),
            postgres: include_str!("../../migrations/provider/postgres/0002_refunds.sql"),
        },
    ],
};

/// Reads and decisions about one key that may find it changed.
const DECISIONS: usize = 50;

storage::statements! {
    lookup ENTRY "select amount, currency, status, error, is_final, refunds_are, refunded_amount, version
        from charges where key = $1";
    insert BOOK into charges (key uuid, amount int, currency text, status text, error text, is_final bool,
        refunds_are text, refunded_amount int, calls int, version int);
    change COUNT_CALL "update charges set calls = calls + 1, version = version + 1 where key = $1 and version = $2";
    change TAKE_BACK "update charges set refunded_amount = $2, version = version + 1
        where key = $1 and version = $3";
    lookup REFUND "select charge, status, error, version from refunds where key = $1";
    insert BOOK_REFUND into refunds (key uuid, charge uuid, amount int, status text, error text, calls int,
        version int);
    change COUNT_REFUND_CALL "update refunds set calls = calls + 1, version = version + 1
        where key = $1 and version = $2";
    query TOTALS "select
        cast(coalesce(sum(case when status = 'charged' then 1 else 0 end), 0) as bigint) as charges,
        cast(coalesce(sum(case when status = 'charged' then amount else 0 end), 0) as bigint) as charged,
        cast(coalesce(sum(case when status = 'declined' then 1 else 0 end), 0) as bigint) as declined,
        (select count(*) from refunds where status = 'done') as refunds,
        cast(coalesce(sum(refunded_amount), 0) as bigint) as refunded,
        cast(coalesce(sum(case when calls > 1 then 1 else 0 end), 0) as bigint) as repeated
        from charges";
}

/// The totals of the provider's ledger. Amounts are minor units, whatever their currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// Charges that took money.
    pub charges: i64,
    /// The money they took.
    pub charged: i64,
    /// Charges that were declined.
    pub declined: i64,
    /// Refunds that gave money back.
    pub refunds: i64,
    /// The money that went back.
    pub refunded: i64,
    /// Keys that were to be charged more than once; each was charged once.
    pub repeated: i64,
}

pub(super) struct Ledger {
    db: Db,
    ids: Ids,
}

pub(super) struct Booked {
    pub charge: Charge,
    pub is_first_call: bool,
}

pub(super) struct BookedRefund {
    pub refund: Refund,
    /// The answer to refunds that the charge's token asks for.
    pub refunds_are: RefundsAre,
    pub is_first_call: bool,
}

/// The word of a charge's token about its refunds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RefundsAre {
    Done,
    Refused,
    /// Done, and the answer takes a while.
    Slow,
    /// Done, and the first answer is lost.
    Unanswered,
}

kernel::named!(RefundsAre { Done = "done", Refused = "refused", Slow = "slow", Unanswered = "unanswered" });

struct Entry {
    amount: Money,
    charge: Charge,
    refunds_are: RefundsAre,
    refunded_amount: i64,
    version: Version,
}

struct RefundEntry {
    charge: PaymentId,
    refund: Refund,
    version: Version,
}

impl Ledger {
    pub async fn open(location: Location, clock: Clock, ids: Ids) -> Result<Self, Error> {
        let db = Db::open(options(location, MIGRATIONS, clock, ids.clone())).await?;
        Ok(Self { db, ids })
    }

    /// Books what is decided now, unless something was decided under this key before.
    pub async fn charge(
        &self,
        key: PaymentId,
        amount: Money,
        decided: &Charge,
        refunds_are: RefundsAre,
    ) -> Result<Booked, Error> {
        self.decide(move || async move {
            Ok(if let Some(entry) = self.entry(key).await? {
                let batch = Batch::new().change(&COUNT_CALL, entry.version, params![key]);
                (batch, Booked { charge: entry.charge, is_first_call: false })
            } else {
                let booked = Booked { charge: decided.clone(), is_first_call: true };
                (book(key, amount, decided, refunds_are), booked)
            })
        })
        .await
    }

    pub async fn find(&self, key: PaymentId) -> Result<Option<Charge>, Error> {
        Ok(self.entry(key).await?.map(|entry| entry.charge))
    }

    /// Books a refund of the charge `of`, or its refusal, unless something was decided under this key before. `None`
    /// if nothing was ever charged there.
    pub async fn refund(&self, key: RefundId, of: PaymentId, amount: Money) -> Result<Option<BookedRefund>, Error> {
        self.decide(move || async move {
            let Some(entry) = self.entry(of).await?.filter(|entry| entry.charge == Charge::Charged) else {
                return Ok((Batch::new(), None));
            };
            let refunds_are = entry.refunds_are;
            let booked = |refund, is_first_call| Some(BookedRefund { refund, refunds_are, is_first_call });
            if let Some(known) = self.refund_entry(key).await? {
                let batch = Batch::new().change(&COUNT_REFUND_CALL, known.version, params![key]);
                let refused = || Refund::Refused { error: "the key is that of another charge's refund".to_owned() };
                return Ok((batch, booked(if known.charge == of { known.refund } else { refused() }, false)));
            }
            let refund = decide_refund(&entry, amount);
            let batch = book_refund(key, of, amount, &refund);
            let taken = params![of, entry.refunded_amount + amount.amount];
            let batch = match refund {
                Refund::Done => batch.change(&TAKE_BACK, entry.version, taken),
                Refund::Refused { .. } => batch,
            };
            Ok((batch, booked(refund, true)))
        })
        .await
    }

    pub async fn find_refund(&self, key: RefundId) -> Result<Option<Refund>, Error> {
        Ok(self.refund_entry(key).await?.map(|entry| entry.refund))
    }

    pub async fn totals(&self) -> Result<Totals, Error> {
        let totals = self.db.query_one(&TOTALS, params![], totals).await?;
        Ok(totals.expect("an aggregate without groups is one row"))
    }

    pub async fn close(&self) {
        self.db.close().await;
    }

    /// Read, decide, commit; again while another call changes the same key.
    async fn decide<T, Fut>(&self, decide: impl Fn() -> Fut) -> Result<T, Error>
    where
        Fut: Future<Output = Result<(Batch, T), Error>>,
    {
        let mut tries = 1;
        loop {
            let (batch, answer) = decide().await?;
            let cause = Cause::Request(RequestCause { request_id: self.ids.next(), traceparent: None, keyed: None });
            match self.db.commit(batch, cause).await {
                Err(Error::Conflict { .. }) if tries < DECISIONS => tries += 1,
                outcome => return outcome.map(|_| answer),
            }
        }
    }

    async fn entry(&self, key: PaymentId) -> Result<Option<Entry>, Error> {
        self.db.query_one(&ENTRY, params![key], entry).await
    }

    async fn refund_entry(&self, key: RefundId) -> Result<Option<RefundEntry>, Error> {
        self.db.query_one(&REFUND, params![key], refund_entry).await
    }
}

fn options(location: Location, migrations: Migrations, clock: Clock, ids: Ids) -> Options {
    Options {
        service: "payment-provider",
        location,
        migrations,
        destinations: HashMap::new(),
        shards: Shards::DEFAULT,
        outbox_cap: 0,
        clock,
        ids,
    }
}

/// Nothing goes back beyond the charge, whoever asks.
fn decide_refund(entry: &Entry, amount: Money) -> Refund {
    let refused = |error: &str| Refund::Refused { error: error.to_owned() };
    if entry.refunds_are == RefundsAre::Refused {
        return refused("the card was closed");
    }
    if amount.currency != entry.amount.currency {
        return refused("the charge was in another currency");
    }
    if amount.amount > entry.amount.amount - entry.refunded_amount {
        return refused("more is to go back than was charged");
    }
    Refund::Done
}

fn book(key: PaymentId, amount: Money, decided: &Charge, refunds_are: RefundsAre) -> Batch {
    let (status, error, is_final) = match decided {
        Charge::Charged => ("charged", None, true),
        Charge::Declined { error, is_final } => ("declined", Some(error), *is_final),
    };
    let row = params![
        key,
        amount.amount,
        amount.currency,
        status,
        error,
        is_final,
        refunds_are.as_str(),
        0_i64,
        1_i64,
        Version::FIRST,
    ];
    Batch::new().insert(&BOOK, row)
}

fn book_refund(key: RefundId, of: PaymentId, amount: Money, decided: &Refund) -> Batch {
    let (status, error) = match decided {
        Refund::Done => ("done", None),
        Refund::Refused { error } => ("refused", Some(error)),
    };
    Batch::new().insert(&BOOK_REFUND, params![key, of, amount.amount, status, error, 1_i64, Version::FIRST])
}

fn entry(row: &Row<'_>) -> Result<Entry, Error> {
    let status: String = row.get("status")?;
    let charge = match status.as_str() {
        "charged" => Charge::Charged,
        "declined" => Charge::Declined { error: row.get("error")?, is_final: row.get("is_final")? },
        _ => return Err(row.corrupt("status", &format_args!("{status:?} is neither charged nor declined"))),
    };
    Ok(Entry {
        amount: Money::new(row.get("amount")?, row.get("currency")?),
        charge,
        refunds_are: row.parse("refunds_are")?,
        refunded_amount: row.get("refunded_amount")?,
        version: row.get("version")?,
    })
}

fn refund_entry(row: &Row<'_>) -> Result<RefundEntry, Error> {
    let status: String = row.get("status")?;
    let refund = match status.as_str() {
        "done" => Refund::Done,
        "refused" => Refund::Refused { error: row.get("error")? },
        _ => return Err(row.corrupt("status", &format_args!("{status:?} is neither done nor refused"))),
    };
    Ok(RefundEntry { charge: row.get("charge")?, refund, version: row.get("version")? })
}

fn totals(row: &Row<'_>) -> Result<Totals, Error> {
    Ok(Totals {
        charges: row.get("charges")?,
        charged: row.get("charged")?,
        declined: row.get("declined")?,
        refunds: row.get("refunds")?,
        refunded: row.get("refunded")?,
        repeated: row.get("repeated")?,
    })
}

#[cfg(test)]
mod tests {
    use kernel::Currency;

    use super::*;

    static BOOK_OLD: storage::Insert = storage::Insert::new(
        "BOOK_OLD",
        "charges",
        &[
            ("key", storage::Type::uuid),
            ("amount", storage::Type::int),
            ("currency", storage::Type::text),
            ("status", storage::Type::text),
            ("is_final", storage::Type::bool),
            ("refunded_amount", storage::Type::int),
            ("calls", storage::Type::int),
            ("version", storage::Type::int),
        ],
    );

    #[tokio::test]
    async fn money_that_went_back_before_refunds_had_keys_stays_back() {
        let folder = tempfile::tempdir().unwrap();
        let location = || Location::Folder(folder.path().to_owned());
        let clock = Clock::system();
        let ids = Ids::new(clock.clone());
        let old = Migrations { set: MIGRATIONS.set, steps: &MIGRATIONS.steps[..1] };
        let db = Db::open(options(location(), old, clock.clone(), ids.clone())).await.unwrap();
        let [kept, back] = [(); 2].map(|()| ids.next::<PaymentId>());
        for (key, refunded) in [(kept, 0_i64), (back, 1_999)] {
            let row = params![key, 1_999_i64, "EUR", "charged", true, refunded, 1_i64, Version::FIRST];
            let cause = Cause::Request(RequestCause { request_id: ids.next(), traceparent: None, keyed: None });
            db.commit(Batch::new().insert(&BOOK_OLD, row), cause).await.unwrap();
        }
        db.close().await;

        let ledger = Ledger::open(location(), clock, ids).await.unwrap();
        // The key of the refund was that of the charge.
        let key = |charge: PaymentId| RefundId::from(kernel::Uuid::from(charge));
        assert_eq!(ledger.find_refund(key(kept)).await.unwrap(), None);
        assert_eq!(ledger.find_refund(key(back)).await.unwrap(), Some(Refund::Done));
        let all = Money::new(1_999, Currency::EUR);
        for charge in [kept, back] {
            let booked = ledger.refund(key(charge), charge, all).await.unwrap().unwrap();
            assert_eq!((booked.refund, booked.is_first_call), (Refund::Done, charge == kept));
        }
        let totals = ledger.totals().await.unwrap();
        assert_eq!((totals.refunds, totals.refunded), (2, 2 * 1_999));
    }
}

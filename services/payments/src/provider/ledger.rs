//! The simulated provider's books.

use std::collections::HashMap;

use events::PaymentId;
use kernel::{Cause, Clock, Ids, Money, RequestCause, Shards, Version};
use service::storage::{self, Batch, Db, Error, Location, Migration, Migrations, Options, Row, params};

use super::Charge;

const MIGRATIONS: Migrations = Migrations {
    set: "payment_provider",
    steps: &[Migration {
        sqlite: include_str!("../../migrations/provider/sqlite/0001_init.sql"),
        postgres: include_str!("../../migrations/provider/postgres/0001_init.sql"),
    }],
};

/// Reads and decisions about one key that may find it changed.
const DECISIONS: usize = 50;

storage::statements! {
    lookup ENTRY "select status, error, is_final, refunded_amount, version from charges where key = $1";
    insert BOOK into charges (key uuid, amount int, currency text, status text, error text, is_final bool,
        refunded_amount int, calls int, version int);
    change COUNT_CALL "update charges set calls = calls + 1, version = version + 1 where key = $1 and version = $2";
    change BOOK_REFUND "update charges set refunded_amount = $2, version = version + 1
        where key = $1 and version = $3";
    query TOTALS "select
        cast(coalesce(sum(case when status = 'charged' then 1 else 0 end), 0) as bigint) as charges,
        cast(coalesce(sum(case when status = 'charged' then amount else 0 end), 0) as bigint) as charged,
        cast(coalesce(sum(case when status = 'declined' then 1 else 0 end), 0) as bigint) as declined,
        cast(coalesce(sum(case when refunded_amount > 0 then 1 else 0 end), 0) as bigint) as refunds,
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
    /// Charges whose money went back.
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

struct Entry {
    charge: Charge,
    refunded_amount: i64,
    version: Version,
}

impl Ledger {
    pub async fn open(location: Location, clock: Clock, ids: Ids) -> Result<Self, Error> {
        let db = Db::open(Options {
            service: "payment-provider",
            location,
            migrations: MIGRATIONS,
            destinations: HashMap::new(),
            shards: Shards::DEFAULT,
            outbox_cap: 0,
            clock,
            ids: ids.clone(),
        })
        .await?;
        Ok(Self { db, ids })
    }

    /// Books what is decided now, unless something was decided under this key before.
    pub async fn charge(&self, key: PaymentId, amount: Money, decided: &Charge) -> Result<Booked, Error> {
        self.decide(key, |found| match found {
            Some(entry) => {
                let batch = Batch::new().change(&COUNT_CALL, entry.version, params![key]);
                (batch, Booked { charge: entry.charge, is_first_call: false })
            }
            None => (book(key, amount, decided), Booked { charge: decided.clone(), is_first_call: true }),
        })
        .await
    }

    pub async fn find(&self, key: PaymentId) -> Result<Option<Charge>, Error> {
        Ok(self.entry(key).await?.map(|entry| entry.charge))
    }

    /// True if the money of this key is back. False if none was ever taken.
    pub async fn refund(&self, key: PaymentId, amount: Money) -> Result<bool, Error> {
        self.decide(key, |found| match found {
            Some(entry) if entry.charge == Charge::Charged && entry.refunded_amount == 0 => {
                (Batch::new().change(&BOOK_REFUND, entry.version, params![key, amount.amount]), true)
            }
            found => (Batch::new(), found.is_some_and(|entry| entry.refunded_amount > 0)),
        })
        .await
    }

    pub async fn totals(&self) -> Result<Totals, Error> {
        let totals = self.db.query_one(&TOTALS, params![], totals).await?;
        Ok(totals.expect("an aggregate without groups is one row"))
    }

    pub async fn close(&self) {
        self.db.close().await;
    }

    /// Read, decide, commit; again while another call changes the same key.
    async fn decide<T>(&self, key: PaymentId, decide: impl Fn(Option<Entry>) -> (Batch, T)) -> Result<T, Error> {
        let mut tries = 1;
        loop {
            let (batch, answer) = decide(self.entry(key).await?);
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
}

fn book(key: PaymentId, amount: Money, decided: &Charge) -> Batch {
    let (status, error, is_final) = match decided {
        Charge::Charged => ("charged", None, true),
        Charge::Declined { error, is_final } => ("declined", Some(error), *is_final),
    };
    let row = params![key, amount.amount, amount.currency, status, error, is_final, 0_i64, 1_i64, Version::FIRST];
    Batch::new().insert(&BOOK, row)
}

fn entry(row: &Row<'_>) -> Result<Entry, Error> {
    let status: String = row.get("status")?;
    let charge = match status.as_str() {
        "charged" => Charge::Charged,
        "declined" => Charge::Declined { error: row.get("error")?, is_final: row.get("is_final")? },
        _ => return Err(row.corrupt("status", &format_args!("{status:?} is neither charged nor declined"))),
    };
    Ok(Entry { charge, refunded_amount: row.get("refunded_amount")?, version: row.get("version")? })
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

//! Conditions, and the form in which they are stored.

use std::collections::HashMap;

use events::{AlertId, OrderId, ProductId, ReceiptId, RefundId};
use kernel::{Money, Timestamp, Version};
use serde::{Deserialize, Serialize};
use service::storage::{Batch, Db, Error, Row, Value, params};

use super::{CONDITIONS, DELETE_CONDITION, EXPIRED_CONDITIONS, INSERT_CONDITION, SET_CONDITION};
use crate::domain::{
    Condition, DeadLetters, Kind, Level, LowStock, Overdue, PurchaseOrder, Receipt, Refund, Refunds, Shortage, Switch,
    Switched, Units,
};

/// A condition as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub condition: Condition,
    /// The alert that is not resolved.
    pub alert_id: Option<AlertId>,
    pub version: Version,
}

/// The conditions of some subjects of a kind.
pub(crate) async fn known(db: &Db, kind: Kind, subjects: Vec<String>) -> Result<HashMap<String, Known>, Error> {
    let known = |row: &Row<'_>| {
        let state: Stored = row.json("state")?;
        let (alert_id, version) = (row.get("alert_id")?, row.get("version")?);
        Ok((row.get::<String>("subject")?, Known { condition: state.into(), alert_id, version }))
    };
    Ok(db.query(&CONDITIONS, params![kind.as_str(), subjects], known).await?.into_iter().collect())
}

/// Writes a condition: a new one, or under the version that was read.
pub(crate) fn put(
    kind: Kind,
    subject: &str,
    condition: &Condition,
    alert_id: Option<AlertId>,
    read: Option<Version>,
    now: Timestamp,
) -> Batch {
    let mut row = params![kind.as_str(), subject, Value::json(&Stored::from(condition)), alert_id, now];
    if let Some(version) = read {
        return Batch::new().change(&SET_CONDITION, version, row);
    }
    row.push(Version::FIRST.into());
    Batch::new().insert(&INSERT_CONDITION, row)
}

/// Deletes conditions without an alert about which nothing was learnt since that time, and answers with their number.
pub(crate) async fn delete_expired(db: &Db, before: Timestamp, rows: i64) -> Result<(Batch, usize), Error> {
    let expired =
        |row: &Row<'_>| Ok((row.get::<String>("kind")?, row.get::<String>("subject")?, row.get::<Version>("version")?));
    let found = db.query(&EXPIRED_CONDITIONS, params![before, rows], expired).await?;
    let delete = |batch: Batch, (kind, subject, version): &(String, String, Version)| {
        batch.change(&DELETE_CONDITION, *version, params![kind, subject])
    };
    Ok((found.iter().fold(Batch::new(), delete), found.len()))
}

/// A condition in the column `state`.
#[derive(Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
enum Stored {
    LowStock {
        shortage: Option<StoredShortage>,
        /// Version and available units.
        level: Option<(i64, i64)>,
        /// Version and units.
        threshold: Option<(i64, i64)>,
        is_deleted: bool,
    },
    PurchaseOrder {
        ordered: Option<(i64, Vec<StoredUnits>)>,
        receipts: Vec<(ReceiptId, i64, Vec<StoredUnits>)>,
        is_cancelled: bool,
        overdue: Option<StoredOverdue>,
    },
    Refunds {
        decided: Vec<StoredRefund>,
        is_all_back: bool,
    },
    Switch {
        began: Option<StoredSwitched>,
        ended: Option<i64>,
    },
    DeadLetters {
        count: i64,
        newest: Option<String>,
        since: Option<Timestamp>,
    },
}

#[derive(Serialize, Deserialize)]
struct StoredShortage {
    version: i64,
    sku: String,
    name: String,
    available: i64,
    threshold: i64,
    since: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct StoredUnits {
    product_id: ProductId,
    name: String,
    quantity: i64,
}

#[derive(Serialize, Deserialize)]
struct StoredOverdue {
    version: i64,
    supplier: String,
    lines: Vec<StoredUnits>,
    expected_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct StoredRefund {
    refund_id: RefundId,
    order_id: OrderId,
    amount: Money,
    error: Option<String>,
    decided_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct StoredSwitched {
    version: i64,
    since: Timestamp,
    detail: String,
}

impl From<&Units> for StoredUnits {
    fn from(units: &Units) -> Self {
        let Units { product_id, name, quantity } = units.clone();
        Self { product_id, name, quantity }
    }
}

impl From<StoredUnits> for Units {
    fn from(StoredUnits { product_id, name, quantity }: StoredUnits) -> Self {
        Self { product_id, name, quantity }
    }
}

fn stored(lines: &[Units]) -> Vec<StoredUnits> {
    lines.iter().map(StoredUnits::from).collect()
}

fn read(lines: Vec<StoredUnits>) -> Vec<Units> {
    lines.into_iter().map(Units::from).collect()
}

impl From<&Condition> for Stored {
    fn from(condition: &Condition) -> Self {
        match condition {
            Condition::LowStock(LowStock { shortage, level, threshold, is_deleted }) => Self::LowStock {
                shortage: shortage.clone().map(|it| {
                    let Shortage { version, sku, name, available, threshold, since } = it;
                    StoredShortage { version, sku, name, available, threshold, since }
                }),
                level: level.map(|Level { version, available }| (version, available)),
                threshold: *threshold,
                is_deleted: *is_deleted,
            },
            Condition::PurchaseOrder(PurchaseOrder { ordered, receipts, is_cancelled, overdue }) => {
                let receipt = |(id, receipt): (&ReceiptId, &Receipt)| (*id, receipt.version, stored(&receipt.lines));
                Self::PurchaseOrder {
                    ordered: ordered.as_ref().map(|(version, lines)| (*version, stored(lines))),
                    receipts: receipts.iter().map(receipt).collect(),
                    is_cancelled: *is_cancelled,
                    overdue: overdue.as_ref().map(|it| StoredOverdue {
                        version: it.version,
                        supplier: it.supplier.clone(),
                        lines: stored(&it.lines),
                        expected_at: it.expected_at,
                    }),
                }
            }
            Condition::Refunds(Refunds { decided, is_all_back }) => {
                let refund = |(refund_id, refund): (&RefundId, &Refund)| {
                    let Refund { order_id, amount, error, decided_at } = refund.clone();
                    StoredRefund { refund_id: *refund_id, order_id, amount, error, decided_at }
                };
                Self::Refunds { decided: decided.iter().map(refund).collect(), is_all_back: *is_all_back }
            }
            Condition::Switch(Switch { began, ended }) => {
                let began =
                    began.clone().map(|Switched { version, since, detail }| StoredSwitched { version, since, detail });
                Self::Switch { began, ended: *ended }
            }
            Condition::DeadLetters(DeadLetters { count, newest, since }) => {
                Self::DeadLetters { count: *count, newest: newest.clone(), since: *since }
            }
        }
    }
}

impl From<Stored> for Condition {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::LowStock { shortage, level, threshold, is_deleted } => Self::LowStock(LowStock {
                shortage: shortage.map(|it| {
                    let StoredShortage { version, sku, name, available, threshold, since } = it;
                    Shortage { version, sku, name, available, threshold, since }
                }),
                level: level.map(|(version, available)| Level { version, available }),
                threshold,
                is_deleted,
            }),
            Stored::PurchaseOrder { ordered, receipts, is_cancelled, overdue } => {
                let receipt = |(id, version, lines)| (id, Receipt { version, lines: read(lines) });
                Self::PurchaseOrder(PurchaseOrder {
                    ordered: ordered.map(|(version, lines)| (version, read(lines))),
                    receipts: receipts.into_iter().map(receipt).collect(),
                    is_cancelled,
                    overdue: overdue.map(|it| Overdue {
                        version: it.version,
                        supplier: it.supplier,
                        lines: read(it.lines),
                        expected_at: it.expected_at,
                    }),
                })
            }
            Stored::Refunds { decided, is_all_back } => {
                let refund = |stored: StoredRefund| {
                    let StoredRefund { refund_id, order_id, amount, error, decided_at } = stored;
                    (refund_id, Refund { order_id, amount, error, decided_at })
                };
                Self::Refunds(Refunds { decided: decided.into_iter().map(refund).collect(), is_all_back })
            }
            Stored::Switch { began, ended } => {
                let began = began.map(|StoredSwitched { version, since, detail }| Switched { version, since, detail });
                Self::Switch(Switch { began, ended })
            }
            Stored::DeadLetters { count, newest, since } => Self::DeadLetters(DeadLetters { count, newest, since }),
        }
    }
}

//! Payments and their refunds in the database.

use std::collections::HashMap;

use events::{OrderId, PaymentId, RefundId};
use kernel::Money;
use service::operator::SubjectState;
use service::storage::{self, Batch, Db, Error, Row, Value, params};
use service::{Failure, Timer};

use crate::domain::refund::RefundIntent;
use crate::domain::{Payment, Status, Token};

storage::statements! {
    lookup PAYMENT "select payment_id, order_id, number, email, amount, currency, token, status, error, looked_up,
            refunded_amount, pending_refunds, lines, order_was_cancelled, created_at, updated_at, version
        from payments where payment_id = $1";
    lookup PAYMENTS "select payment_id, order_id, number, email, amount, currency, token, status, error, looked_up,
            refunded_amount, pending_refunds, lines, order_was_cancelled, created_at, updated_at, version
        from payments where payment_id = any($1)";
    query PAYMENTS_OF_ORDER "select payment_id, order_id, number, email, amount, currency, token, status, error,
            looked_up, refunded_amount, pending_refunds, lines, order_was_cancelled, created_at, updated_at, version
        from payments where order_id = $1";
    query PAGE "select payment_id, order_id, number, email, amount, currency, token, status, error, looked_up,
            refunded_amount, pending_refunds, lines, order_was_cancelled, created_at, updated_at, version
        from payments where payment_id < $1 order by payment_id desc limit $2";
    query PAGE_OF_ORDER "select payment_id, order_id, number, email, amount, currency, token, status, error,
            looked_up, refunded_amount, pending_refunds, lines, order_was_cancelled, created_at, updated_at, version
        from payments where order_id = $1 and payment_id < $2 order by payment_id desc limit $3";
    query SUMS "select cast(coalesce(sum(case when status in ($1, $2, $3) then amount end), 0) as bigint) as paid,
            cast(coalesce(sum(refunded_amount), 0) as bigint) as refunded
        from payments";
    lookup KNOWN "select payment_id from payments where payment_id = any($1)";
    insert INSERT into payments (
        payment_id uuid, order_id uuid, number int, email text, amount int, currency text, token text, status text,
        error text, looked_up bool, refunded_amount int, pending_refunds int, lines json, order_was_cancelled bool,
        created_at time, updated_at time, version int,
    );
    change UPDATE "update payments set token = $2, status = $3, error = $4, looked_up = $5, refunded_amount = $6,
            pending_refunds = $7, order_was_cancelled = $8, updated_at = $9, version = version + 1
        where payment_id = $1 and version = $10";
    change FORGET_CUSTOMER "update payments set email = $2, version = version + 1
        where payment_id = $1 and version = $3";
    lookup REFUND "select refund_id, payment_id, order_id, amount, currency, reason, restock, requested_by, status, error,
            looked_up, created_at, updated_at, version
        from refunds where refund_id = $1";
    query REFUNDS "select refund_id, payment_id, order_id, amount, currency, reason, restock, requested_by, status, error,
            looked_up, created_at, updated_at, version
        from refunds where payment_id = any($1) order by refund_id";
    insert INSERT_REFUND into refunds (
        refund_id uuid, payment_id uuid, order_id uuid, amount int, currency text, reason text, restock json,
        requested_by text, status text, error text, looked_up bool, created_at time, updated_at time, version int,
    );
    change SETTLE_REFUND "update refunds set status = $2, error = $3, looked_up = $4, updated_at = $5,
            version = version + 1
        where refund_id = $1 and version = $6";
}

/// The state of an order's newest payment. Its timers are the payment's.
pub(crate) async fn state_of(db: Db, order_id: OrderId) -> Result<Option<SubjectState>, Error> {
    let payments = of_order(&db, order_id).await?;
    let newest = payments.into_iter().max_by_key(|payment| payment.payment_id);
    Ok(newest.map(|payment| SubjectState {
        status: payment.status.as_str().to_owned(),
        part: None,
        since: payment.updated_at,
        keys: vec![payment.payment_id.into()],
    }))
}

/// The sums that orders has too: money.
pub(crate) async fn sums(db: Db) -> Result<Vec<(&'static str, i64)>, Error> {
    let [captured, refunding, refunded] = [Status::Captured, Status::Refunding, Status::Refunded].map(Status::as_str);
    let names = ["paid", "refunded"];
    let values = params![captured, refunding, refunded];
    let sums =
        db.query(&SUMS, values, move |row| names.iter().map(|name| Ok((*name, row.get(name)?))).collect()).await?;
    Ok(sums.into_iter().next().unwrap_or_default())
}

/// The payments that timers are about.
pub(crate) async fn payments_of(db: &Db, timers: &[Timer]) -> Result<HashMap<PaymentId, Payment>, Error> {
    let ids = timers.iter().map(|timer| PaymentId::from(timer.key)).collect::<Vec<_>>();
    let found = db.query(&PAYMENTS, params![ids], payment).await?;
    Ok(found.into_iter().map(|payment| (payment.payment_id, payment)).collect())
}

/// One payment.
pub(crate) async fn payment_of(db: &Db, payment_id: PaymentId) -> Result<Option<Payment>, Error> {
    db.query_one(&PAYMENT, params![payment_id], payment).await
}

/// The refund that a timer is about, and its payment.
pub(crate) async fn refund_of(db: &Db, timer: &Timer) -> Result<(RefundIntent, Payment), Failure> {
    let found = db.query_one(&REFUND, params![RefundId::from(timer.key)], refund).await?;
    let refund = found.ok_or_else(|| Failure::park("the timer's refund is not in the store"))?;
    let payment = payment_of(db, refund.payment_id).await?;
    Ok((refund, payment.ok_or_else(|| Failure::park("the refund's payment is not in the store"))?))
}

/// All refunds of some payments, oldest first.
pub(crate) async fn refunds_of(db: &Db, payments: Vec<PaymentId>) -> Result<Vec<RefundIntent>, Error> {
    db.query(&REFUNDS, params![payments], refund).await
}

/// All payments of an order: one for each token that its customer tried.
pub(crate) async fn of_order(db: &Db, order_id: OrderId) -> Result<Vec<Payment>, Error> {
    db.query(&PAYMENTS_OF_ORDER, params![order_id], payment).await
}

/// Payments below an id, newest first.
pub(crate) async fn page(
    db: &Db,
    order_id: Option<OrderId>,
    before: PaymentId,
    rows: i64,
) -> Result<Vec<Payment>, Error> {
    match order_id {
        Some(order_id) => db.query(&PAGE_OF_ORDER, params![order_id, before, rows], payment).await,
        None => db.query(&PAGE, params![before, rows], payment).await,
    }
}

/// Those of the payments that were recorded before.
pub(crate) async fn known(db: &Db, payments: Vec<PaymentId>) -> Result<Vec<PaymentId>, Error> {
    db.query(&KNOWN, params![payments], |row| row.get("payment_id")).await
}

pub(crate) fn insert(payment: &Payment) -> Batch {
    let row = params![
        payment.payment_id,
        payment.order_id,
        payment.number,
        &payment.email,
        payment.amount.amount,
        payment.amount.currency,
        payment.token.as_ref().map(Token::reveal),
        payment.status.as_str(),
        payment.error.as_ref(),
        payment.looked_up,
        payment.refunded_amount,
        payment.pending_refunds,
        Value::json(&payment.lines),
        payment.order_was_cancelled,
        payment.created_at,
        payment.updated_at,
        payment.version,
    ];
    Batch::new().insert(&INSERT, row)
}

/// Writes a transition, guarded by the version on which it was decided.
pub(crate) fn update(payment: &Payment) -> Batch {
    let row = params![
        payment.payment_id,
        payment.token.as_ref().map(Token::reveal),
        payment.status.as_str(),
        payment.error.as_ref(),
        payment.looked_up,
        payment.refunded_amount,
        payment.pending_refunds,
        payment.order_was_cancelled,
        payment.updated_at,
    ];
    Batch::new().change(&UPDATE, payment.version, row)
}

/// Records an intent to give money back.
pub(crate) fn insert_refund(refund: &RefundIntent) -> Batch {
    let row = params![
        refund.refund_id,
        refund.payment_id,
        refund.order_id,
        refund.amount.amount,
        refund.amount.currency,
        refund.reason.as_ref(),
        Value::json(&refund.restock),
        &refund.requested_by,
        refund.status.as_str(),
        refund.error.as_ref(),
        refund.looked_up,
        refund.created_at,
        refund.updated_at,
        refund.version,
    ];
    Batch::new().insert(&INSERT_REFUND, row)
}

/// Writes the outcome of a refund.
pub(crate) fn settle_refund(refund: &RefundIntent) -> Batch {
    let status = refund.status.as_str();
    let row = params![refund.refund_id, status, refund.error.as_ref(), refund.looked_up, refund.updated_at];
    Batch::new().change(&SETTLE_REFUND, refund.version, row)
}

/// Payments keep their money and not who paid.
pub(crate) fn forget_customer(payments: &[Payment]) -> Batch {
    payments.iter().fold(Batch::new(), |batch, payment| {
        batch.change(&FORGET_CUSTOMER, payment.version, params![payment.payment_id, ""])
    })
}

fn payment(row: &Row<'_>) -> Result<Payment, Error> {
    Ok(Payment {
        payment_id: row.get("payment_id")?,
        order_id: row.get("order_id")?,
        number: row.get("number")?,
        email: row.get("email")?,
        amount: Money::new(row.get("amount")?, row.get("currency")?),
        token: row.get::<Option<String>>("token")?.map(Token::from),
        status: row.parse("status")?,
        error: row.get("error")?,
        looked_up: row.get("looked_up")?,
        refunded_amount: row.get("refunded_amount")?,
        pending_refunds: row.get("pending_refunds")?,
        lines: row.json("lines")?,
        order_was_cancelled: row.get("order_was_cancelled")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
        version: row.get("version")?,
    })
}

fn refund(row: &Row<'_>) -> Result<RefundIntent, Error> {
    Ok(RefundIntent {
        refund_id: row.get("refund_id")?,
        payment_id: row.get("payment_id")?,
        order_id: row.get("order_id")?,
        amount: Money::new(row.get("amount")?, row.get("currency")?),
        reason: row.get("reason")?,
        restock: row.json("restock")?,
        requested_by: row.get("requested_by")?,
        status: row.parse("status")?,
        error: row.get("error")?,
        looked_up: row.get("looked_up")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
        version: row.get("version")?,
    })
}

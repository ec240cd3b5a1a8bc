//! The payments' table.

use std::collections::HashMap;

use events::{OrderId, PaymentId};
use kernel::Money;
use service::storage::{self, Batch, Db, Error, Row, params};
use service::{Failure, Timer};

use crate::domain::{Payment, Token};

storage::statements! {
    lookup PAYMENT "select payment_id, order_id, number, email, amount, currency, token, status, error, looked_up,
            refunded_amount, created_at, updated_at, version
        from payments where payment_id = $1";
    lookup PAYMENTS "select payment_id, order_id, number, email, amount, currency, token, status, error, looked_up,
            refunded_amount, created_at, updated_at, version
        from payments where payment_id = any($1)";
    query PAYMENTS_OF_ORDER "select payment_id, order_id, number, email, amount, currency, token, status, error,
            looked_up, refunded_amount, created_at, updated_at, version
        from payments where order_id = $1";
    query PAGE "select payment_id, order_id, number, email, amount, currency, token, status, error, looked_up,
            refunded_amount, created_at, updated_at, version
        from payments where payment_id < $1 order by payment_id desc limit $2";
    query PAGE_OF_ORDER "select payment_id, order_id, number, email, amount, currency, token, status, error,
            looked_up, refunded_amount, created_at, updated_at, version
        from payments where order_id = $1 and payment_id < $2 order by payment_id desc limit $3";
    lookup KNOWN "select payment_id from payments where payment_id = any($1)";
    insert INSERT into payments (
        payment_id uuid, order_id uuid, number int, email text, amount int, currency text, token text, status text,
        error text, looked_up bool, refunded_amount int, created_at time, updated_at time, version int,
    );
    change UPDATE "update payments set token = $2, status = $3, error = $4, looked_up = $5, refunded_amount = $6,
            updated_at = $7, version = version + 1
        where payment_id = $1 and version = $8";
    change FORGET_CUSTOMER "update payments set email = $2, version = version + 1
        where payment_id = $1 and version = $3";
}

/// The payments that timers are about.
pub(crate) async fn payments_of(db: &Db, timers: &[Timer]) -> Result<HashMap<PaymentId, Payment>, Error> {
    let ids = timers.iter().map(|timer| PaymentId::from(timer.key)).collect::<Vec<_>>();
    let found = db.query(&PAYMENTS, params![ids], payment).await?;
    Ok(found.into_iter().map(|payment| (payment.payment_id, payment)).collect())
}

/// The payment that a timer is about.
pub(crate) async fn payment_of(db: &Db, timer: &Timer) -> Result<Payment, Failure> {
    let found = db.query_one(&PAYMENT, params![PaymentId::from(timer.key)], payment).await?;
    found.ok_or_else(|| Failure::park("the timer's payment is not in the store"))
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
        payment.updated_at,
    ];
    Batch::new().change(&UPDATE, payment.version, row)
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
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
        version: row.get("version")?,
    })
}

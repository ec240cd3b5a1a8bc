//! The service's table.

use events::PaymentId;
use kernel::{UserId, Version};
use service::storage::{self, Batch, Db, Error, Row, params};

use crate::domain::Payment;

storage::statements! {
    lookup PAYMENT "select payment_id, user_id, paid, given, refunded, version from payments where payment_id = $1";

    query POINTS_OF "select cast(coalesce(sum(points), 0) as bigint) as points from payments where user_id = $1";

    query POINTS "select user_id, cast(sum(points) as bigint) as points from payments
        where user_id < $1 group by user_id order by user_id desc limit $2";

    insert ADD_PAYMENT into payments
        (payment_id uuid, user_id uuid, paid int, given int, refunded int, points int, version int);

    change SET_PAYMENT "update payments set user_id = $2, paid = $3, given = $4, refunded = $5, points = $6,
        version = version + 1 where payment_id = $1 and version = $7";
}

/// A payment, as far as it is known.
pub(crate) async fn payment(db: &Db, payment_id: PaymentId) -> Result<Payment, Error> {
    let found = db.query_one(&PAYMENT, params![payment_id], payment_of).await?;
    Ok(found.unwrap_or_else(|| Payment::unknown(payment_id)))
}

/// The points of a customer.
pub(crate) async fn points_of(db: &Db, user_id: UserId) -> Result<i64, Error> {
    let found = db.query_one(&POINTS_OF, params![user_id], |row| row.get("points")).await?;
    Ok(found.unwrap_or_default())
}

/// Customers with points whose ids are below `before`, newest first.
pub(crate) async fn points(db: &Db, before: UserId, rows: i64) -> Result<Vec<(UserId, i64)>, Error> {
    db.query(&POINTS, params![before, rows], |row| Ok((row.get("user_id")?, row.get("points")?))).await
}

/// Writes a payment with its points: a new row, or the one that was read.
pub(crate) fn set(it: &Payment) -> Batch {
    let values = params![it.payment_id, it.user_id, it.paid, it.given, it.refunded, it.points()];
    match it.read {
        Some(read) => Batch::new().change(&SET_PAYMENT, read, values),
        None => Batch::new().insert(&ADD_PAYMENT, [values, params![Version::FIRST]].concat()),
    }
}

fn payment_of(row: &Row<'_>) -> Result<Payment, Error> {
    Ok(Payment {
        payment_id: row.get("payment_id")?,
        user_id: row.get("user_id")?,
        paid: row.get("paid")?,
        given: row.get("given")?,
        refunded: row.get("refunded")?,
        read: Some(row.get("version")?),
    })
}

//! Orders, the products that can be ordered, and the addresses of users, in the database.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use events::shipping::ShipmentLine;
use events::{Event, OrderId, ProductId, ProductUpdated, RefundId, ShipmentId, UserProfileUpdated};
use kernel::{Currency, Money, UserId, Version};
use serde::{Deserialize, Serialize};
use service::TimerKind;
use service::storage::{self, Batch, Db, Error, Row, Value, params};

use crate::domain::{
    Cancellation, DecidedRefund, Decision, Due, External, Order, OrderEvent, PaymentStatus, Product, Shipment,
    ShipmentStatus, Status,
};

/// Set when an order is placed, moved when its stock is held, removed when it is paid or ends.
pub(crate) const EXPIRE_RESERVATION: TimerKind = TimerKind::internal("expire_reservation");

/// Set when a paid order is to be cancelled, until shipping has answered.
pub(crate) const ASK_SHIPPING: TimerKind = TimerKind::internal("ask_shipping");

storage::statements! {
    lookup PRODUCTS concat!("select product_id, sku, name, price_amount, price_currency, ",
        storage::is_held!("$3", "products.product_id"), " as is_changing
        from products where product_id = any($1) and is_deleted = $2");
    lookup KNOWN_PRODUCTS "select product_id, sku, name, price_amount, price_currency from products
        where product_id = any($1)";
    query OTHER_CURRENCIES "select price_currency, cast(count(*) as bigint) as products from products
        where is_deleted = $1 and price_currency <> $2
        group by price_currency order by products desc, price_currency limit 1";
    upsert PUT_PRODUCT "insert into products (product_id, sku, name, price_amount, price_currency, is_deleted, version)
        values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (product_id) do update set sku = excluded.sku, name = excluded.name,
            price_amount = excluded.price_amount, price_currency = excluded.price_currency,
            is_deleted = excluded.is_deleted, version = excluded.version
        where products.version < excluded.version";
    lookup ACCOUNT concat!("select email, closed_version, ", storage::is_held!("$2", "users.user_id"), " as is_changing
        from users where user_id = $1");
    lookup CLOSED_ACCOUNTS "select user_id from users where user_id = any($1) and closed_version > 0";
    upsert PUT_USER "insert into users (user_id, email, version) values ($1, $2, $3)
        on conflict (user_id) do update set email = excluded.email, version = excluded.version
        where users.version < excluded.version";
    upsert CLOSE_ACCOUNT "insert into users (user_id, email, version, closed_version) values ($1, $2, 0, $3)
        on conflict (user_id) do update set closed_version = excluded.closed_version
        where users.closed_version < excluded.closed_version";
    lookup ORDERS "select order_id, number, user_id, email, ship_to, lines, total_amount, total_currency, status,
            reason, payment_status, payment_id, payment_token, payment_error, declines, refunded, refunds, shipments,
            withheld, waits_for, cancellation, cancelled_by, follows_account, placed_from, access_digest, contract,
            foreign_id, created_at, updated_at, stuck_at, version
        from orders where order_id = any($1)";
    query ORDERS_BEFORE "select order_id, number, user_id, email, ship_to, lines, total_amount, total_currency, status,
            reason, payment_status, payment_id, payment_token, payment_error, declines, refunded, refunds, shipments,
            withheld, waits_for, cancellation, cancelled_by, follows_account, placed_from, access_digest, contract,
            foreign_id, created_at, updated_at, stuck_at, version
        from orders where order_id < $1 and (status = $2 or $2 is null) order by order_id desc limit $3";
    query SEARCH "select order_id, number, user_id, email, ship_to, lines, total_amount, total_currency, status,
            reason, payment_status, payment_id, payment_token, payment_error, declines, refunded, refunds, shipments,
            withheld, waits_for, cancellation, cancelled_by, follows_account, placed_from, access_digest, contract,
            foreign_id, created_at, updated_at, stuck_at, version
        from orders
        where order_id in (select order_id from orders where order_id < $1 order by order_id desc limit $2)
            and (status = $3 or $3 is null)
            and (lower(email) = $4 or lower(cast(lines as text)) like $5 escape '\\')
        order by order_id desc limit $6";
    query ORDERS_OF_NUMBER "select order_id, number, user_id, email, ship_to, lines, total_amount, total_currency, status,
            reason, payment_status, payment_id, payment_token, payment_error, declines, refunded, refunds, shipments,
            withheld, waits_for, cancellation, cancelled_by, follows_account, placed_from, access_digest, contract,
            foreign_id, created_at, updated_at, stuck_at, version
        from orders where number = $1";
    lookup ORDER_OF_TOKEN "select order_id from orders where access_digest = $1";
    query ORDERS_OF_TOKEN "select order_id, number, user_id, email, ship_to, lines, total_amount, total_currency, status,
            reason, payment_status, payment_id, payment_token, payment_error, declines, refunded, refunds, shipments,
            withheld, waits_for, cancellation, cancelled_by, follows_account, placed_from, access_digest, contract,
            foreign_id, created_at, updated_at, stuck_at, version
        from orders where access_digest = $1 and order_id < $2 and (status = $3 or $3 is null)
        order by order_id desc limit $4";
    query ORDERS_OF_USER "select order_id, number, user_id, email, ship_to, lines, total_amount, total_currency, status,
            reason, payment_status, payment_id, payment_token, payment_error, declines, refunded, refunds, shipments,
            withheld, waits_for, cancellation, cancelled_by, follows_account, placed_from, access_digest, contract,
            foreign_id, created_at, updated_at, stuck_at, version
        from orders where user_id = $1 and order_id < $2 and (status = $3 or $3 is null)
        order by order_id desc limit $4";
    query ORDERS_OF_USER_AFTER "select order_id, number, user_id, email, ship_to, lines, total_amount, total_currency, status,
            reason, payment_status, payment_id, payment_token, payment_error, declines, refunded, refunds, shipments,
            withheld, waits_for, cancellation, cancelled_by, follows_account, placed_from, access_digest, contract,
            foreign_id, created_at, updated_at, stuck_at, version
        from orders where user_id = $1 and order_id > $2 and status = any($3) order by order_id limit $4";
    query SUMS "select
            cast(coalesce(sum(case when status = $1 then units end), 0) as bigint) as units_reserved,
            cast(coalesce(sum(case when payment_status in ($2, $3, $4) then total_amount end), 0) as bigint) as paid,
            cast(coalesce(sum(refunded), 0) as bigint) as refunded
        from orders where contract is null";
    insert INSERT_ORDER into orders (order_id uuid, number int, user_id uuid, email text, ship_to json, lines json,
        total_amount int, total_currency text, status text, reason text, payment_status text, payment_id uuid,
        payment_token text, payment_error text, declines int, follows_account bool, placed_from text, units int,
        awaits_customer bool, access_digest bytes, contract text, foreign_id text, created_at time, updated_at time,
        version int);
    change SET_ORDER "update orders set status = $2, reason = $3, payment_status = $4, payment_id = $5,
        payment_token = $6, payment_error = $7, declines = $8, refunded = $9, refunds = $10, shipments = $11,
        withheld = $12, waits_for = $13, cancellation = $14, cancelled_by = $15, awaits_customer = $16,
        updated_at = $17, stuck_at = $18, version = version + 1
        where order_id = $1 and version = $19";
    insert BEGIN_WAIT into waiting (product_id uuid, order_id uuid, version int);
    change END_WAIT "delete from waiting where product_id = $1 and order_id = $2 and version = $3";
    query WAITING_BEFORE "select cast(count(distinct order_id) as bigint) as orders from waiting
        where product_id = any($1) and order_id < $2";
    change SET_EMAIL "update orders set email = $2, version = version + 1 where order_id = $1 and version = $3";
    change FORGET "update orders set user_id = $2, email = $3, ship_to = $4, placed_from = null, version = version + 1
        where order_id = $1 and version = $5";
    query UNPAID_UNITS "select
            coalesce((select cast(sum(units) as bigint) from orders where awaits_customer and email = $1), 0) as of_email,
            coalesce((select cast(sum(units) as bigint) from orders where awaits_customer and placed_from = $2), 0)
                as of_address";
    claim NEXT_NUMBERS "update order_numbers set next_number = next_number + $2 where name = $1
        returning next_number";
    claim RELEASE_NUMBERS "update order_numbers set next_number = $2 where name = $1 and next_number = $3
        returning next_number";
}

/// Those of these products that are for sale, and those of them of which the price here is known to be out of date.
pub(crate) async fn products(db: &Db, ids: Vec<ProductId>) -> Result<(Vec<Product>, Vec<ProductId>), Error> {
    let found = |row: &Row<'_>| Ok((product(row)?, row.get::<bool>("is_changing")?));
    let found = db.query(&PRODUCTS, params![ids, false, ProductUpdated::SOURCE], found).await?;
    let changing =
        found.iter().filter(|(_, is_changing)| *is_changing).map(|(product, _)| product.product_id).collect();
    Ok((found.into_iter().map(|(product, _)| product).collect(), changing))
}

/// Those of these products that were ever for sale.
pub(crate) async fn known_products(db: &Db, ids: Vec<ProductId>) -> Result<Vec<Product>, Error> {
    db.query(&KNOWN_PRODUCTS, params![ids], product).await
}

/// The currency, other than this one, in which the most products for sale are priced, and their number.
pub(crate) async fn other_currency(db: &Db, currency: Currency) -> Result<Option<(Currency, i64)>, Error> {
    let found = |row: &Row<'_>| Ok((row.get("price_currency")?, row.get("products")?));
    db.query_one(&OTHER_CURRENCIES, params![false, currency], found).await
}

/// Keeps what the catalogue said, unless something newer is known.
pub(crate) fn put_product(product: &Product, is_deleted: bool, version: Version) -> Batch {
    let row = params![
        product.product_id,
        &product.sku,
        &product.name,
        product.price.amount,
        product.price.currency,
        is_deleted,
        version,
    ];
    Batch::new().upsert(&PUT_PRODUCT, row)
}

/// An account, if it is known here.
pub(crate) async fn account(db: &Db, user_id: UserId) -> Result<Option<Account>, Error> {
    let account = |row: &Row<'_>| {
        let (email, closed): (String, i64) = (row.get("email")?, row.get("closed_version")?);
        let is_known = !email.is_empty() && !row.get::<bool>("is_changing")?;
        let closed_in = (closed > 0).then(|| Version::from_stored(closed));
        Ok(Account { email: Some(email).filter(|_| is_known), closed_in })
    };
    db.query_one(&ACCOUNT, params![user_id, UserProfileUpdated::SOURCE], account).await
}

/// Those of these accounts that are closed.
pub(crate) async fn closed_accounts(db: &Db, ids: Vec<UserId>) -> Result<HashSet<UserId>, Error> {
    let closed = db.query(&CLOSED_ACCOUNTS, params![ids], |row| row.get("user_id")).await?;
    Ok(closed.into_iter().collect())
}

/// Keeps the address that users published, unless a newer one is known.
pub(crate) fn put_user(user_id: UserId, email: &str, version: Version) -> Batch {
    Batch::new().upsert(&PUT_USER, params![user_id, email, version])
}

/// Keeps that an account is closed. Its address stays, and follows what is learnt of it later, for orders that are open.
pub(crate) fn close_account(user_id: UserId, version: Version) -> Batch {
    Batch::new().upsert(&CLOSE_ACCOUNT, params![user_id, "", version])
}

/// Removes the address of a closed account, whatever is learnt of it later.
pub(crate) fn forget_address(user_id: UserId, closed_in: Version) -> Batch {
    put_user(user_id, "", closed_in)
}

/// An account, as orders need it.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    /// None if it is known to be out of date, or is forgotten.
    pub email: Option<String>,
    /// The version that closed it.
    pub closed_in: Option<Version>,
}

/// The order without its customer, under the version that was read.
pub(crate) fn forget_customer(order: &Order) -> Batch {
    let ship_to = order.ship_to.as_ref().map(Value::json);
    Batch::new().change(&FORGET, order.version, params![order.order_id, order.user_id, &order.email, ship_to])
}

/// The sums that other services have too: units of orders that hold them, and money.
pub(crate) async fn sums(db: Db) -> Result<Vec<(&'static str, i64)>, Error> {
    let paid = [PaymentStatus::Captured, PaymentStatus::PartiallyRefunded, PaymentStatus::Refunded];
    let [captured, partially, refunded] = paid.map(PaymentStatus::as_str);
    let names = ["units_reserved", "paid", "refunded"];
    let values = params![Status::Reserved.as_str(), captured, partially, refunded];
    let sums =
        db.query(&SUMS, values, move |row| names.iter().map(|name| Ok((*name, row.get(name)?))).collect()).await?;
    Ok(sums.into_iter().next().unwrap_or_default())
}

/// One order.
pub(crate) async fn order(db: &Db, order_id: OrderId) -> Result<Option<Order>, Error> {
    Ok(db.query(&ORDERS, params![vec![order_id]], order_from).await?.into_iter().next())
}

/// Some orders, by id.
pub(crate) async fn orders(db: &Db, ids: Vec<OrderId>) -> Result<HashMap<OrderId, Order>, Error> {
    let found = db.query(&ORDERS, params![ids], order_from).await?;
    Ok(found.into_iter().map(|order| (order.order_id, order)).collect())
}

/// Units for which nothing is paid or being paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnpaidUnits {
    pub of_email: i64,
    pub of_address: i64,
}

/// Units that orders of this e-mail address, and orders from this client's address, hold without a payment.
pub(crate) async fn unpaid_units(db: &Db, email: &str, placed_from: Option<&str>) -> Result<UnpaidUnits, Error> {
    let unpaid = |row: &Row<'_>| Ok(UnpaidUnits { of_email: row.get("of_email")?, of_address: row.get("of_address")? });
    let found = db.query_one(&UNPAID_UNITS, params![email, placed_from], unpaid).await?;
    Ok(found.unwrap_or(UnpaidUnits { of_email: 0, of_address: 0 }))
}

/// The number of orders that wait for one of the products of this one and were placed before it: their ids begin with
/// their time.
pub(crate) async fn waiting_before(db: &Db, order: &Order) -> Result<i64, Error> {
    let before =
        db.query_one(&WAITING_BEFORE, params![order.waits_for.clone(), order.order_id], |row| row.get("orders"));
    Ok(before.await?.unwrap_or_default())
}

/// Orders below an id, newest first.
pub(crate) async fn orders_before(
    db: &Db,
    before: OrderId,
    status: Option<&'static str>,
    limit: i64,
) -> Result<Vec<Order>, Error> {
    db.query(&ORDERS_BEFORE, params![before, status, limit], order_from).await
}

/// Orders that a search looks at, the newest before its page: some tenths of a second.
const SEARCHED: i64 = 100_000;

/// Orders below an id of this e-mail address, or with a product whose SKU or name has this in it, newest first. Looks at the
/// newest 100,000 below the id.
pub(crate) async fn search(
    db: &Db,
    text: &str,
    before: OrderId,
    status: Option<&'static str>,
    limit: i64,
) -> Result<Vec<Order>, Error> {
    let text = text.trim().to_lowercase();
    let escaped: String = text
        .chars()
        .flat_map(|letter| matches!(letter, '%' | '_' | '\\').then_some('\\').into_iter().chain([letter]))
        .collect();
    let values = params![before, SEARCHED, status, text, format!("%{escaped}%"), limit];
    db.query(&SEARCH, values, order_from).await
}

/// The order of this number, if there is one.
pub(crate) async fn orders_of_number(db: &Db, number: i64) -> Result<Vec<Order>, Error> {
    db.query(&ORDERS_OF_NUMBER, params![number], order_from).await
}

/// True if an order token with this digest was issued.
pub(crate) async fn is_token_of_an_order(db: &Db, access_digest: &[u8]) -> Result<bool, Error> {
    let order = |row: &Row<'_>| row.get::<OrderId>("order_id");
    Ok(!db.query(&ORDER_OF_TOKEN, params![access_digest], order).await?.is_empty())
}

/// The orders that an order token reads, newest first.
pub(crate) async fn orders_of_token(
    db: &Db,
    access_digest: &[u8],
    before: OrderId,
    status: Option<&'static str>,
    limit: i64,
) -> Result<Vec<Order>, Error> {
    db.query(&ORDERS_OF_TOKEN, params![access_digest, before, status, limit], order_from).await
}

/// A customer's orders below an id, newest first.
pub(crate) async fn orders_of_user(
    db: &Db,
    user_id: UserId,
    before: OrderId,
    status: Option<&'static str>,
    limit: i64,
) -> Result<Vec<Order>, Error> {
    db.query(&ORDERS_OF_USER, params![user_id, before, status, limit], order_from).await
}

/// A customer's orders above an id in one of these statuses, oldest first.
pub(crate) async fn orders_of_user_after(
    db: &Db,
    user_id: UserId,
    after: OrderId,
    statuses: &[Status],
    limit: i64,
) -> Result<Vec<Order>, Error> {
    let statuses: Vec<String> = statuses.iter().map(|status| status.as_str().to_owned()).collect();
    db.query(&ORDERS_OF_USER_AFTER, params![user_id, after, statuses, limit], order_from).await
}

/// Reserves `count` order numbers; answers with the first after them.
pub(crate) async fn reserve_numbers(ctx: &service::CtxParts, count: i64) -> Result<Option<i64>, Error> {
    let next = ctx.db.claim(&NEXT_NUMBERS, params!["orders", count], |row| row.get("next_number")).await?;
    Ok(next.into_iter().next())
}

/// Returns reserved order numbers, unless others were reserved since.
pub(crate) async fn release_numbers(ctx: &service::CtxParts, rest: Range<i64>) -> Result<(), Error> {
    let params = params!["orders", rest.start, rest.end];
    ctx.db.claim(&RELEASE_NUMBERS, params, |row| row.get::<i64>("next_number")).await.map(drop)
}

/// Keeps a new order.
pub(crate) fn insert(order: &Order) -> Batch {
    let row = params![
        order.order_id,
        order.number,
        order.user_id,
        &order.email,
        order.ship_to.as_ref().map(Value::json),
        Value::json(&order.lines),
        order.total.amount,
        order.total.currency,
        order.status.as_str(),
        order.reason.clone(),
        order.payment_status.as_str(),
        order.payment_id,
        order.payment_token.clone(),
        order.payment_error.clone(),
        order.declines,
        order.follows_account,
        order.placed_from.clone(),
        order.units(),
        order.awaits_customer(),
        order.access_digest.as_slice(),
        order.external.as_ref().map(|external| external.contract.clone()),
        order.external.as_ref().and_then(|external| external.foreign_id.clone()),
        order.created_at,
        order.updated_at,
        order.version,
    ];
    Batch::new().insert(&INSERT_ORDER, row)
}

/// Writes a decision, emits its event, and moves the timer.
pub(crate) fn apply(decision: &Decision) -> Batch {
    let order = &decision.order;
    let batch = set_order(order);
    let made = order.version.next();
    let batch = match &decision.event {
        None => batch,
        Some(OrderEvent::PaymentRequested(event)) => batch.emit(made, event),
        Some(OrderEvent::Paid(event)) => batch.emit(made, event),
        Some(OrderEvent::Declined(event)) => batch.emit(made, event),
        Some(OrderEvent::CancellationRequested(event)) => batch.emit(made, event),
        Some(OrderEvent::Cancelled(event)) => batch.emit(made, event),
        Some(OrderEvent::Updated(event)) => batch.emit(made, event),
    };
    let batch = match &decision.stuck {
        None => batch,
        Some(event) => batch.emit(made, event),
    };
    let batch = queue(batch, decision);
    let batch = due(batch, &EXPIRE_RESERVATION, order.order_id, decision.expiry);
    due(batch, &ASK_SHIPPING, order.order_id, decision.ask_again)
}

/// An order is in the table of those that wait from when it waits for stock until it does not.
fn queue(batch: Batch, decision: &Decision) -> Batch {
    let order_id = decision.order.order_id;
    let begins = decision.has_moved && decision.order.status == Status::Backordered;
    let begun = if begins { decision.order.waits_for.as_slice() } else { &[] };
    let batch = begun
        .iter()
        .fold(batch, |batch, product_id| batch.insert(&BEGIN_WAIT, params![*product_id, order_id, Version::FIRST]));
    decision
        .waited_for
        .iter()
        .fold(batch, |batch, product_id| batch.change(&END_WAIT, Version::FIRST, params![*product_id, order_id]))
}

fn due(batch: Batch, timer: &TimerKind, order_id: OrderId, due: Due) -> Batch {
    match due {
        Due::Keep => batch,
        Due::At(time) => batch.schedule(timer.name, order_id, time),
        Due::Clear => batch.unschedule(timer.name, order_id),
    }
}

fn set_order(order: &Order) -> Batch {
    let refunds: Vec<StoredRefund> = order.refunds.iter().map(StoredRefund::from).collect();
    let shipments: Vec<StoredShipment> = order.shipments.iter().map(StoredShipment::from).collect();
    let row = params![
        order.order_id,
        order.status.as_str(),
        order.reason.clone(),
        order.payment_status.as_str(),
        order.payment_id,
        order.payment_token.clone(),
        order.payment_error.clone(),
        order.declines,
        order.refunded,
        Value::json(&refunds),
        Value::json(&shipments),
        Value::json(&order.withheld),
        Value::json(&order.waits_for),
        order.cancellation.map(Cancellation::as_str),
        order.cancelled_by.clone(),
        order.awaits_customer(),
        order.updated_at,
        order.stuck_at,
    ];
    Batch::new().change(&SET_ORDER, order.version, row)
}

/// Writes another e-mail address of an order: for others nothing changed.
pub(crate) fn set_email(order: &Order) -> Batch {
    Batch::new().change(&SET_EMAIL, order.version, params![order.order_id, &order.email])
}

/// A refund as it is stored.
#[derive(Serialize, Deserialize)]
struct StoredRefund {
    refund_id: RefundId,
    amount: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl From<&DecidedRefund> for StoredRefund {
    fn from(refund: &DecidedRefund) -> Self {
        let DecidedRefund { refund_id, amount, error } = refund.clone();
        Self { refund_id, amount, error }
    }
}

fn refunds(row: &Row<'_>) -> Result<Vec<DecidedRefund>, Error> {
    let stored: Vec<StoredRefund> = row.json("refunds")?;
    let read = |StoredRefund { refund_id, amount, error }| DecidedRefund { refund_id, amount, error };
    Ok(stored.into_iter().map(read).collect())
}

/// A shipment as it is stored.
#[derive(Serialize, Deserialize)]
struct StoredShipment {
    shipment_id: ShipmentId,
    status: String,
    carrier: String,
    tracking_number: String,
    lines: Vec<ShipmentLine>,
}

impl From<&Shipment> for StoredShipment {
    fn from(shipment: &Shipment) -> Self {
        Self {
            shipment_id: shipment.shipment_id,
            status: shipment.status.as_str().to_owned(),
            carrier: shipment.carrier.clone(),
            tracking_number: shipment.tracking_number.clone(),
            lines: shipment.lines.clone(),
        }
    }
}

fn shipments(row: &Row<'_>) -> Result<Vec<Shipment>, Error> {
    let stored: Vec<StoredShipment> = row.json("shipments")?;
    let read = |stored: StoredShipment| {
        let status: Result<ShipmentStatus, _> = stored.status.parse();
        let status = status.map_err(|expected| row.corrupt("shipments", &expected))?;
        Ok(Shipment {
            shipment_id: stored.shipment_id,
            status,
            carrier: stored.carrier,
            tracking_number: stored.tracking_number,
            lines: stored.lines,
        })
    };
    stored.into_iter().map(read).collect()
}

fn product(row: &Row<'_>) -> Result<Product, Error> {
    Ok(Product {
        product_id: row.get("product_id")?,
        sku: row.get("sku")?,
        name: row.get("name")?,
        price: Money::new(row.get("price_amount")?, row.get("price_currency")?),
    })
}

fn order_from(row: &Row<'_>) -> Result<Order, Error> {
    Ok(Order {
        order_id: row.get("order_id")?,
        number: row.get("number")?,
        user_id: row.get("user_id")?,
        email: row.get("email")?,
        ship_to: row.json_or_null("ship_to")?,
        lines: row.json("lines")?,
        total: Money::new(row.get("total_amount")?, row.get("total_currency")?),
        status: row.parse("status")?,
        reason: row.get("reason")?,
        payment_status: row.parse("payment_status")?,
        payment_id: row.get("payment_id")?,
        payment_token: row.get("payment_token")?,
        payment_error: row.get("payment_error")?,
        declines: row.get("declines")?,
        refunded: row.get("refunded")?,
        refunds: refunds(row)?,
        shipments: shipments(row)?,
        withheld: row.json("withheld")?,
        waits_for: row.json("waits_for")?,
        cancellation: cancellation(row)?,
        cancelled_by: row.get("cancelled_by")?,
        follows_account: row.get("follows_account")?,
        placed_from: row.get("placed_from")?,
        access_digest: row.get("access_digest")?,
        external: external(row)?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
        stuck_at: row.get("stuck_at")?,
        version: row.get("version")?,
    })
}

fn external(row: &Row<'_>) -> Result<Option<External>, Error> {
    let (contract, foreign_id): (Option<String>, Option<String>) = (row.get("contract")?, row.get("foreign_id")?);
    Ok(contract.map(|contract| External { contract, foreign_id }))
}

fn cancellation(row: &Row<'_>) -> Result<Option<Cancellation>, Error> {
    let text: Option<String> = row.get("cancellation")?;
    let parsed = text.map(|text| text.parse()).transpose();
    parsed.map_err(|expected: String| row.corrupt("cancellation", &expected))
}

//! The tables of sums, and what is read from them.

use std::collections::{BTreeSet, HashMap};

use events::{OrderId, ProductId};
use kernel::{Currency, Version};
use service::storage::{self, Batch, Db, Error, Row, Value, params};

use crate::domain::{
    Changes, DaySums, MINUTES_KEPT, Measure, MinuteCount, Order, ProductSums, Ratings, Step, Sums, Zone,
};

/// Sums of products over days, for every order of the list.
macro_rules! product_sales {
    ($first:literal) => {
        concat!(
            "select d.product_id, p.sku, p.name, d.currency, cast(sum(d.orders) as bigint) as orders,
                cast(sum(d.units) as bigint) as units, cast(sum(d.sales) as bigint) as sales
            from analytics_product_days d left join analytics_products p on p.product_id = d.product_id
            where d.zone = $1 and d.day >= $2 and d.day <= $3
            group by d.product_id, p.sku, p.name, d.currency order by ",
            $first,
            " desc, d.product_id, d.currency limit $4"
        )
    };
}

storage::statements! {
    claim KEEP_ZONE "insert into analytics_zone (zone_id, name) values (1, $1)
        on conflict (zone_id) do update set name = analytics_zone.name returning name";
    lookup ORDERS "select order_id, status, sequence, is_placed, is_paid, is_shipped, is_delivered, version
        from analytics_orders where order_id = any($1)";
    query DAYS "select day, currency, cast(sum(orders) as bigint) as orders, cast(sum(units) as bigint) as units,
            cast(sum(sales) as bigint) as sales, cast(sum(refunds) as bigint) as refunds,
            cast(sum(refunded) as bigint) as refunded
        from analytics_days where zone = $1 and day >= $2 and day <= $3
        group by day, currency order by day, currency";
    query PRODUCTS_BY_SALES product_sales!("cast(sum(d.sales) as bigint)");
    query PRODUCTS_BY_UNITS product_sales!("cast(sum(d.units) as bigint)");
    query RATINGS "select product_id, cast(sum(ones) as bigint) as ones, cast(sum(twos) as bigint) as twos,
            cast(sum(threes) as bigint) as threes, cast(sum(fours) as bigint) as fours,
            cast(sum(fives) as bigint) as fives
        from analytics_ratings where product_id = any($1) group by product_id";
    query COUNTS "select measure, label, cast(sum(total) as bigint) as total from analytics_counts
        where measure = any($1) group by measure, label";
    query MINUTES "select minute, event_type, cast(sum(events) as bigint) as events from analytics_minutes
        where slot = any($1) and minute >= $2 and minute <= $3
        group by minute, event_type";
    query MINUTES_OF_TYPE "select minute, event_type, cast(sum(events) as bigint) as events from analytics_minutes
        where slot = any($1) and minute >= $2 and minute <= $3 and event_type = $4
        group by minute, event_type";

    insert INSERT_ORDER into analytics_orders (order_id uuid, status text, sequence int, is_placed bool, is_paid bool,
        is_shipped bool, is_delivered bool, version int);
    change UPDATE_ORDER "update analytics_orders set status = $2, sequence = $3, is_placed = $4, is_paid = $5,
        is_shipped = $6, is_delivered = $7, version = version + 1 where order_id = $1 and version = $8";
    upsert NAME_PRODUCT "insert into analytics_products (product_id, sku, name, version) values ($1, $2, $3, $4)
        on conflict (product_id) do update set sku = excluded.sku, name = excluded.name, version = excluded.version
        where analytics_products.version < excluded.version";
    add ADD_DAY into analytics_days (zone, day, currency, bucket) sums (orders, units, sales, refunds, refunded);
    add ADD_PRODUCT_DAY into analytics_product_days (zone, day, product_id, currency, bucket)
        sums (orders, units, sales);
    add ADD_RATINGS into analytics_ratings (product_id, bucket) sums (ones, twos, threes, fours, fives);
    add ADD_COUNT into analytics_counts (measure, label, bucket) sums (total);
    add ADD_MINUTE into analytics_minutes (slot, event_type, bucket) of minute sums (events);
}

/// Sums of a product over a period. Sku and name are there once the product's own event has arrived.
#[derive(Clone, Debug)]
pub(crate) struct ProductRow {
    pub product_id: ProductId,
    pub sku: Option<String>,
    pub name: Option<String>,
    pub currency: Currency,
    pub sums: ProductSums,
}

/// The zone of the tables' days: this one, if they are new.
pub(crate) async fn zone(db: &Db, name: &str) -> Result<String, Error> {
    let kept = db.claim(&KEEP_ZONE, params![name], |row| row.get("name")).await?;
    Ok(kept.into_iter().next().unwrap_or_default())
}

/// Those of the orders that are known.
pub(crate) async fn orders(db: &Db, order_ids: Vec<OrderId>) -> Result<HashMap<OrderId, Order>, Error> {
    if order_ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = db.query(&ORDERS, params![order_ids], |row| Ok((row.get("order_id")?, order_of(row)?))).await?;
    Ok(rows.into_iter().collect())
}

fn order_of(row: &Row<'_>) -> Result<Order, Error> {
    let mut steps = BTreeSet::new();
    for step in Step::ALL {
        if row.get(column(*step))? {
            steps.insert(*step);
        }
    }
    Ok(Order {
        status: Some(row.get("status")?),
        sequence: row.get("sequence")?,
        steps,
        version: Some(row.get("version")?),
    })
}

fn column(step: Step) -> &'static str {
    match step {
        Step::Placed => "is_placed",
        Step::Paid => "is_paid",
        Step::Shipped => "is_shipped",
        Step::Delivered => "is_delivered",
    }
}

/// Writes what events change.
pub(crate) fn apply(changes: Changes) -> Batch {
    let mut batch = Batch::new();
    for (order_id, (before, order)) in changes.orders {
        let has = |step| order.steps.contains(&step);
        let steps = [has(Step::Placed), has(Step::Paid), has(Step::Shipped), has(Step::Delivered)];
        let mut row = params![order_id, order.status.unwrap_or_default(), order.sequence];
        row.extend(steps.map(Value::from));
        batch = if let Some(version) = before.and_then(|before| before.version) {
            batch.change(&UPDATE_ORDER, version, row)
        } else {
            row.push(Version::FIRST.into());
            batch.insert(&INSERT_ORDER, row)
        };
    }
    batch.and(add(changes.sums))
}

/// One addition for each row.
fn add(sums: Sums) -> Batch {
    let mut batch = Batch::new();
    for ((zone, day, currency, bucket), it) in sums.days {
        let DaySums { orders, units, sales, refunds, refunded } = it;
        let row = params![zone.as_str(), day, currency, bucket, orders, units, sales, refunds, refunded];
        batch = batch.add(&ADD_DAY, row);
    }
    for ((zone, day, product_id, currency, bucket), it) in sums.product_days {
        let row = params![zone.as_str(), day, product_id, currency, bucket, it.orders, it.units, it.sales];
        batch = batch.add(&ADD_PRODUCT_DAY, row);
    }
    for ((product_id, bucket), ratings) in sums.ratings {
        let mut row = params![product_id, bucket];
        row.extend(ratings.map(Value::from));
        batch = batch.add(&ADD_RATINGS, row);
    }
    for ((measure, label, bucket), count) in sums.counts {
        batch = batch.add(&ADD_COUNT, params![measure.as_str(), label, bucket, count]);
    }
    for ((slot, event_type, bucket), MinuteCount { minute, events }) in sums.minutes {
        batch = batch.add(&ADD_MINUTE, params![slot, event_type, bucket, minute, events]);
    }
    for (product_id, it) in sums.names {
        batch = batch.upsert(&NAME_PRODUCT, params![product_id, it.sku, it.name, it.version]);
    }
    batch
}

/// Sums of each day of a period and each currency; days without any are left out.
pub(crate) async fn days(db: &Db, zone: Zone, (from, to): (i64, i64)) -> Result<Vec<(i64, Currency, DaySums)>, Error> {
    let map = |row: &Row<'_>| {
        let sums = DaySums {
            orders: row.get("orders")?,
            units: row.get("units")?,
            sales: row.get("sales")?,
            refunds: row.get("refunds")?,
            refunded: row.get("refunded")?,
        };
        Ok((row.get("day")?, row.get("currency")?, sums))
    };
    db.query(&DAYS, params![zone.as_str(), from, to], map).await
}

/// The products of which most was sold in a period: by amount, or by units.
pub(crate) async fn products(
    db: &Db,
    zone: Zone,
    (from, to): (i64, i64),
    by_units: bool,
    limit: i64,
) -> Result<Vec<ProductRow>, Error> {
    let statement = if by_units { &PRODUCTS_BY_UNITS } else { &PRODUCTS_BY_SALES };
    let map = |row: &Row<'_>| {
        let sums = ProductSums { orders: row.get("orders")?, units: row.get("units")?, sales: row.get("sales")? };
        Ok(ProductRow {
            product_id: row.get("product_id")?,
            sku: row.get("sku")?,
            name: row.get("name")?,
            currency: row.get("currency")?,
            sums,
        })
    };
    db.query(statement, params![zone.as_str(), from, to, limit], map).await
}

/// The reviews of these products that count.
pub(crate) async fn ratings(db: &Db, products: Vec<ProductId>) -> Result<HashMap<ProductId, Ratings>, Error> {
    let map = |row: &Row<'_>| {
        let stars = [row.get("ones")?, row.get("twos")?, row.get("threes")?, row.get("fours")?, row.get("fives")?];
        Ok((row.get("product_id")?, stars))
    };
    Ok(db.query(&RATINGS, params![products], map).await?.into_iter().collect())
}

/// Counts by their labels; those that are zero are left out.
pub(crate) type Counts = Vec<(String, i64)>;

/// The counts of these kinds, in their order. They are of one moment.
pub(crate) async fn counts<const N: usize>(db: &Db, measures: [Measure; N]) -> Result<[Counts; N], Error> {
    let names: Vec<String> = measures.iter().map(|measure| measure.as_str().to_owned()).collect();
    let map = |row: &Row<'_>| Ok((row.get::<String>("measure")?, (row.get("label")?, row.get("total")?)));
    let mut counts: Vec<(String, (String, i64))> = db.query(&COUNTS, params![names], map).await?;
    counts.retain(|(_, (_, total))| *total != 0);
    // Here, for a database orders text by its own locale.
    counts.sort();
    let of_measure = |measure: Measure| counts.iter().filter(move |(name, _)| name == measure.as_str());
    Ok(measures.map(|measure| of_measure(measure).map(|(_, count)| count.clone()).collect()))
}

/// Events by minute and type, of the minutes from `first` to `last`, two days of them at the most: of one type or of all.
pub(crate) async fn minutes(
    db: &Db,
    first: i64,
    last: i64,
    event_type: Option<&str>,
) -> Result<Vec<(i64, String, i64)>, Error> {
    let slots: Vec<i64> = (first..=last).map(|minute| minute.rem_euclid(MINUTES_KEPT)).collect();
    let map = |row: &Row<'_>| Ok((row.get("minute")?, row.get("event_type")?, row.get("events")?));
    let mut minutes: Vec<(i64, String, i64)> = match event_type {
        Some(event_type) => db.query(&MINUTES_OF_TYPE, params![slots, first, last, event_type], map).await?,
        None => db.query(&MINUTES, params![slots, first, last], map).await?,
    };
    minutes.sort();
    Ok(minutes)
}

//! Foreign ids, messages in both directions, and what is known of products and orders, in the database.

pub(crate) mod known;
pub(crate) mod messages;

use std::collections::HashMap;

use kernel::{Timestamp, Uuid, Version};
use service::storage::{self, Batch, Db, Error, Row, params};

storage::statements! {
    lookup IDENTITY "select identity_id from identity limit 1";
    insert INSERT_IDENTITY into identity (identity_id uuid, version int);

    query IN_FORCE "select contract, since, version from in_force";
    insert INSERT_IN_FORCE into in_force (contract text, since time, version int);
    change DELETE_IN_FORCE "delete from in_force where contract = $1 and version = $2";

    lookup FOREIGN_IDS "select foreign_key, our_id from foreign_ids where foreign_key = any($1)";
    lookup FOREIGN_IDS_OF_OURS "select foreign_key, contract, our_id from foreign_ids where our_id = any($1)";
    insert INSERT_FOREIGN_ID into foreign_ids (foreign_key text, contract text, our_id uuid);

    lookup TAKEN "select message_key from taken where message_key = any($1)";
    query OLD_TAKEN "select message_key, version from taken where taken_at <= $1 order by taken_at limit $2";
    insert INSERT_TAKEN into taken (message_key text, taken_at time, version int);
    change DELETE_TAKEN "delete from taken where message_key = $1 and version = $2";

    query PARKED_PAGE "select parked_id, contract, queue, reason, body, message, parked_at, version from parked
        where parked_id < $1 order by parked_id desc limit $2";
    lookup COUNT_PARKED "select count(*) as parked from parked where contract = $1";
    lookup PARKED "select parked_id, contract, queue, reason, body, message, parked_at, version from parked
        where parked_id = $1";
    insert INSERT_PARKED into parked (parked_id uuid, contract text, queue text, reason text, body bytes, message json,
        parked_at time, version int);
    change DELETE_PARKED "delete from parked where parked_id = $1 and version = $2";

    query OUTGOING "select message_id, exchange, keys, is_optional, is_json, body, version from outgoing
        where contract = $1 order by message_id limit $2";
    lookup COUNT_OUTGOING "select count(*) as waiting from outgoing where contract = $1";
    insert INSERT_OUTGOING into outgoing (message_id uuid, contract text, exchange text, keys json, is_optional bool,
        is_json bool, body bytes, queued_at time, version int);
    change DELETE_OUTGOING "delete from outgoing where message_id = $1 and version = $2";

    lookup SENDER "select holder, until, version from senders where contract = $1";
    insert INSERT_SENDER into senders (contract text, holder uuid, until time, version int);
    change SET_SENDER "update senders set holder = $2, until = $3, version = version + 1
        where contract = $1 and version = $4";

    lookup PRODUCTS "select p.product_id, p.sku, p.name, p.category, p.price, p.currency, p.is_deleted, p.version,
            s.available, s.version as stock_version
        from products p left join stock s on s.product_id = p.product_id where p.product_id = any($1)";
    lookup PRODUCTS_BY_SKU "select product_id, sku as called from products where sku = any($1) and not is_deleted";
    lookup PRODUCTS_BY_NAME "select product_id, name as called from products where name = any($1) and not is_deleted";
    query PRODUCT_PAGE "select p.product_id, p.sku, p.name, p.category, p.price, p.currency, p.is_deleted, p.version,
            s.available, s.version as stock_version
        from products p left join stock s on s.product_id = p.product_id
        where p.product_id > $1 and p.is_deleted = $2 order by p.product_id limit $3";
    upsert PUT_PRODUCT "insert into products (product_id, sku, name, category, price, currency, is_deleted, version)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        on conflict (product_id) do update set sku = excluded.sku, name = excluded.name, category = excluded.category,
            price = excluded.price, currency = excluded.currency, is_deleted = excluded.is_deleted,
            version = excluded.version
        where products.version < excluded.version";
    upsert PUT_STOCK "insert into stock (product_id, available, version) values ($1, $2, $3)
        on conflict (product_id) do update set available = excluded.available, version = excluded.version
        where stock.version < excluded.version";

    lookup ORDERS "select order_id, number, email, contract, via, lines, settled, version from orders
        where order_id = any($1)";
    insert INSERT_ORDER into orders (order_id uuid, number int, email text, contract text, via text, lines json,
        settled text, version int);
    change SET_ORDER "update orders set number = $2, email = $3, settled = $4, version = version + 1
        where order_id = $1 and version = $5";
}

/// The mark of this shop in its messages, if it has one yet.
pub(crate) async fn identity(db: &Db) -> Result<Option<Uuid>, Error> {
    db.query_one(&IDENTITY, params![], |row| row.get("identity_id")).await
}

/// Gives the shop a mark.
pub(crate) fn insert_identity(identity: Uuid) -> Batch {
    Batch::new().insert(&INSERT_IDENTITY, params![identity, Version::FIRST])
}

/// The contracts that were in force at the last start, each since a time.
pub(crate) async fn in_force(db: &Db) -> Result<HashMap<String, Timestamp>, Error> {
    let pair = |row: &Row<'_>| Ok((row.get("contract")?, row.get("since")?));
    Ok(db.query(&IN_FORCE, params![], pair).await?.into_iter().collect())
}

/// Puts a contract in force.
pub(crate) fn insert_in_force(contract: &str, since: Timestamp) -> Batch {
    Batch::new().insert(&INSERT_IN_FORCE, params![contract, since, Version::FIRST])
}

/// Ends it.
pub(crate) fn delete_in_force(contract: &str) -> Batch {
    Batch::new().change(&DELETE_IN_FORCE, Version::FIRST, params![contract])
}

/// Our ids for foreign ones, by `foreign_key`.
pub(crate) async fn foreign_ids(db: &Db, keys: Vec<String>) -> Result<HashMap<String, Uuid>, Error> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let pair = |row: &Row<'_>| Ok((row.get("foreign_key")?, row.get("our_id")?));
    Ok(db.query(&FOREIGN_IDS, params![keys], pair).await?.into_iter().collect())
}

/// The contracts from which these came, and the ids that they have there: by our id.
pub(crate) async fn foreign_names(db: &Db, ours: Vec<Uuid>) -> Result<HashMap<Uuid, Vec<(String, String)>>, Error> {
    let mut names: HashMap<Uuid, Vec<(String, String)>> = HashMap::new();
    if ours.is_empty() {
        return Ok(names);
    }
    let named = |row: &Row<'_>| Ok((row.get("our_id")?, row.get("contract")?, row.get("foreign_key")?));
    for (our_id, contract, key) in db.query(&FOREIGN_IDS_OF_OURS, params![ours], named).await? {
        names.entry(our_id).or_default().push((contract, key));
    }
    Ok(names)
}

/// Keeps our id for a foreign one.
pub(crate) fn insert_foreign_id(key: &str, contract: &str, our_id: Uuid) -> Batch {
    Batch::new().insert(&INSERT_FOREIGN_ID, params![key, contract, our_id])
}

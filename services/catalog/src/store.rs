//! The catalogue's tables. Those of reviews are written and read in `reviews`, by statements that stand here.

pub(crate) mod reviews;

use events::ProductId;
use kernel::{Currency, Money, Timestamp, Version, text};
use service::TimerKind;
use service::storage::{self, Batch, Db, Error, Row, params};

use crate::domain::{Product, StockFlag};

/// Set when a customer closes their account, until no review and no delivery is theirs.
pub(crate) const FORGET_REVIEWER: TimerKind = TimerKind::internal("forget_reviewer");

/// The form of `search_text` that this version writes: [`text::search_form`]. 0 is lower case, letter by letter.
const SEARCH_FORM: i64 = 1;

/// A product's text as it is searched.
pub(crate) struct Searched {
    pub product_id: ProductId,
    pub text: String,
    pub version: Version,
}

storage::statements! {
    lookup PRODUCT "select p.product_id, p.sku, p.name, p.description, p.category, p.price_amount, p.price_currency,
            p.low_stock_threshold, f.in_stock, coalesce(r.ones, 0) as ones, coalesce(r.twos, 0) as twos,
            coalesce(r.threes, 0) as threes, coalesce(r.fours, 0) as fours, coalesce(r.fives, 0) as fives, p.version
        from products p join stock_flags f on f.product_id = p.product_id
            left join ratings r on r.product_id = p.product_id
        where p.product_id = $1 and p.deleted_at is null";

    query PRODUCTS "select p.product_id, p.sku, p.name, p.description, p.category, p.price_amount, p.price_currency,
            p.low_stock_threshold, f.in_stock, coalesce(r.ones, 0) as ones, coalesce(r.twos, 0) as twos,
            coalesce(r.threes, 0) as threes, coalesce(r.fours, 0) as fours, coalesce(r.fives, 0) as fives, p.version
        from products p join stock_flags f on f.product_id = p.product_id
            left join ratings r on r.product_id = p.product_id
        where p.product_id < $1 and p.deleted_at is null and p.search_text like $2 escape '!'
            and (p.category = $3 or p.category = $4 or $3 is null)
        order by p.product_id desc limit $5";

    query PRODUCT_OF_SKU "select p.product_id, p.sku, p.name, p.description, p.category, p.price_amount,
            p.price_currency, p.low_stock_threshold, f.in_stock, coalesce(r.ones, 0) as ones,
            coalesce(r.twos, 0) as twos, coalesce(r.threes, 0) as threes, coalesce(r.fours, 0) as fours,
            coalesce(r.fives, 0) as fives, p.version
        from products p join stock_flags f on f.product_id = p.product_id
            left join ratings r on r.product_id = p.product_id
        where p.sku = $1 and p.deleted_at is null and p.product_id < $2 and p.search_text like $3 escape '!'
            and (p.category = $4 or p.category = $5 or $4 is null)";

    lookup SKU_HOLDER "select product_id from products where sku = $1 and deleted_at is null";

    query OTHER_CURRENCIES "select price_currency, cast(count(*) as bigint) as products from products
        where deleted_at is null and price_currency <> $1
        group by price_currency order by products desc, price_currency limit 1";

    insert INSERT_PRODUCT into products (
        product_id uuid, sku text, name text, description text, category text, price_amount int, price_currency text,
        low_stock_threshold int, search_text text, search_form int, version int,
    );

    change UPDATE_PRODUCT "update products
        set sku = $1, name = $2, description = $3, category = $4, price_amount = $5, price_currency = $6,
            low_stock_threshold = $7, search_text = $8, search_form = $9, version = version + 1
        where product_id = $10 and deleted_at is null and version = $11";

    query IN_ANOTHER_FORM "select product_id, name, sku, description, version from products
        where search_form = 0 order by product_id limit $1";

    change SET_SEARCH_TEXT "update products set search_text = $1, search_form = $2
        where product_id = $3 and version = $4";

    change DELETE_PRODUCT "update products set deleted_at = $1, version = version + 1
        where product_id = $2 and deleted_at is null and version = $3";

    upsert ANNOUNCE_FLAG "insert into stock_flags (product_id, in_stock, version) values ($1, $2, 0)
        on conflict (product_id) do nothing";

    upsert PUT_FLAG "insert into stock_flags (product_id, in_stock, version) values ($1, $2, $3)
        on conflict (product_id) do update set in_stock = excluded.in_stock, version = excluded.version
        where stock_flags.version < excluded.version";

    lookup PRODUCT_STATE "select deleted_at is not null as is_deleted from products where product_id = $1";

    lookup RATING "select ones, twos, threes, fours, fives, version from ratings where product_id = $1";

    insert INSERT_RATING into ratings (
        product_id uuid, ones int, twos int, threes int, fours int, fives int, version int,
    );

    change SET_RATING "update ratings
        set ones = $1, twos = $2, threes = $3, fours = $4, fives = $5, version = version + 1
        where product_id = $6 and version = $7";

    lookup REVIEW "select review_id, product_id, user_id, rating, comment, hidden_by, hidden_reason, created_at,
            updated_at, version
        from reviews where review_id = $1 and product_id = $2";

    query REVIEWS_BEFORE "select review_id, product_id, user_id, rating, comment, hidden_by, hidden_reason, created_at,
            updated_at, version
        from reviews where product_id = $1 and review_id < $2 and (hidden_by is null or $3)
        order by review_id desc limit $4";

    query REVIEWS_BELOW "select review_id, product_id, user_id, rating, comment, hidden_by, hidden_reason, created_at,
            updated_at, version
        from reviews where product_id = $1 and (rating, review_id) < ($2, $3) and (hidden_by is null or $4)
        order by rating desc, review_id desc limit $5";

    lookup REVIEW_BY "select review_id from reviews where user_id = $1 and product_id = $2";

    query REVIEWS_OF_USER "select review_id, version from reviews where user_id = $1 limit $2";

    insert INSERT_REVIEW into reviews (
        review_id uuid, product_id uuid, user_id uuid, rating int, comment text, hidden_by text, hidden_reason text,
        created_at time, updated_at time, version int,
    );

    change SET_REVIEW "update reviews
        set rating = $1, comment = $2, hidden_by = $3, hidden_reason = $4, updated_at = $5, version = version + 1
        where review_id = $6 and version = $7";

    change DELETE_REVIEW "delete from reviews where review_id = $1 and version = $2";

    change FORGET_AUTHOR "update reviews set user_id = $1, comment = $2, version = version + 1
        where review_id = $3 and version = $4";

    lookup DELIVERY "select user_id, product_id, is_barred, version from deliveries
        where user_id = $1 and product_id = $2";

    query DELIVERIES_OF_USER "select user_id, product_id, is_barred, version from deliveries
        where user_id = $1 limit $2";

    upsert REMEMBER_DELIVERY "insert into deliveries (user_id, product_id, is_barred, version) values ($1, $2, $3, 1)
        on conflict (user_id, product_id) do nothing";

    change SET_DELIVERY "update deliveries set is_barred = $1, version = version + 1
        where user_id = $2 and product_id = $3 and version = $4";

    change DELETE_DELIVERY "delete from deliveries where user_id = $1 and product_id = $2 and version = $3";

    upsert CLOSE_ACCOUNT "insert into closed_accounts (user_id) values ($1) on conflict (user_id) do nothing";

    lookup CLOSED_ACCOUNTS "select user_id from closed_accounts where user_id = any($1)";
}

/// The product, unless it was deleted.
pub(crate) async fn product(db: &Db, product_id: ProductId) -> Result<Option<Product>, Error> {
    db.query_one(&PRODUCT, params![product_id], product_of).await
}

/// The currency, other than this one, in which the most products for sale are priced, and their number.
pub(crate) async fn other_currency(db: &Db, currency: Currency) -> Result<Option<(Currency, i64)>, Error> {
    let found = |row: &Row<'_>| Ok((row.get("price_currency")?, row.get("products")?));
    db.query_one(&OTHER_CURRENCIES, params![currency], found).await
}

/// Products that are looked for: those that contain the part, and are of the category and have the sku if one is given.
pub(crate) struct Wanted {
    pub part: String,
    pub category: Option<String>,
    pub sku: Option<String>,
}

/// Products that are for sale and made before `before`, from new to old.
pub(crate) async fn products(db: &Db, wanted: Wanted, before: ProductId, rows: i64) -> Result<Vec<Product>, Error> {
    let Wanted { part, category, sku } = wanted;
    let (part, category) = (containing(&part), category.as_deref());
    let composed = category.map(text::nfc);
    let composed = composed.as_deref();
    match sku {
        // A statement of its own, which uses the index of skus and reads one row.
        Some(sku) => db.query(&PRODUCT_OF_SKU, params![&sku, before, part, composed, category], product_of).await,
        None => db.query(&PRODUCTS, params![before, part, composed, category, rows], product_of).await,
    }
}

pub(crate) async fn sku_holder(db: &Db, sku: &str) -> Result<Option<ProductId>, Error> {
    db.query_one(&SKU_HOLDER, params![sku], |row| row.get("product_id")).await
}

/// With the flag that its first stock makes, which any word of the inventory replaces.
pub(crate) fn insert(product: &Product) -> Batch {
    let row = params![
        product.product_id,
        &product.sku,
        &product.name,
        &product.description,
        product.category.as_deref(),
        product.price.amount,
        product.price.currency,
        product.low_stock_threshold,
        search_text(&product.name, &product.sku, &product.description),
        SEARCH_FORM,
        product.version,
    ];
    Batch::new().insert(&INSERT_PRODUCT, row).upsert(&ANNOUNCE_FLAG, params![product.product_id, product.in_stock])
}

/// `read` is the version on which the change was decided.
pub(crate) fn update(changed: &Product, read: Version) -> Batch {
    let row = params![
        &changed.sku,
        &changed.name,
        &changed.description,
        changed.category.as_deref(),
        changed.price.amount,
        changed.price.currency,
        changed.low_stock_threshold,
        search_text(&changed.name, &changed.sku, &changed.description),
        SEARCH_FORM,
        changed.product_id,
    ];
    Batch::new().change(&UPDATE_PRODUCT, read, row)
}

pub(crate) fn delete(product: &Product, now: Timestamp) -> Batch {
    Batch::new().change(&DELETE_PRODUCT, product.version, params![now, product.product_id])
}

pub(crate) fn put_flags(flags: &[StockFlag]) -> Batch {
    flags.iter().fold(Batch::new(), |batch, flag| {
        batch.upsert(&PUT_FLAG, params![flag.product_id, flag.in_stock, flag.version])
    })
}

/// Products whose text is searched in the form of an earlier version.
pub(crate) async fn in_another_form(db: &Db, rows: i64) -> Result<Vec<Searched>, Error> {
    let searched = |row: &Row<'_>| {
        let (name, sku, description): (String, String, String) =
            (row.get("name")?, row.get("sku")?, row.get("description")?);
        Ok(Searched {
            product_id: row.get("product_id")?,
            text: search_text(&name, &sku, &description),
            version: row.get("version")?,
        })
    };
    db.query(&IN_ANOTHER_FORM, params![rows], searched).await
}

/// Keeps the text under which products are searched. They are what they were, so their versions stay.
pub(crate) fn set_search_text(products: &[Searched]) -> Batch {
    products.iter().fold(Batch::new(), |batch, product| {
        batch.change(&SET_SEARCH_TEXT, product.version, params![&product.text, SEARCH_FORM, product.product_id])
    })
}

fn search_text(name: &str, sku: &str, description: &str) -> String {
    // Each by itself, for a blank at an end is no part of a form; filters hold no line breaks, so none matches across
    // two fields.
    [name, sku, description].map(text::search_form).join("\n")
}

/// A `like` pattern with the escape character `!`.
fn containing(part: &str) -> String {
    let mut pattern = String::from("%");
    for c in text::search_form(part).chars() {
        if matches!(c, '!' | '%' | '_') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

fn product_of(row: &Row<'_>) -> Result<Product, Error> {
    Ok(Product {
        product_id: row.get("product_id")?,
        sku: row.get("sku")?,
        name: row.get("name")?,
        description: row.get("description")?,
        category: row.get("category")?,
        price: Money::new(row.get("price_amount")?, row.get("price_currency")?),
        low_stock_threshold: row.get("low_stock_threshold")?,
        in_stock: row.get("in_stock")?,
        rating: reviews::rating_of(row)?,
        version: row.get("version")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_searched_for_is_taken_literally() {
        assert_eq!(containing("50%_Off!"), "%50!%!_off!!%");
        assert_eq!(containing(""), "%%");
    }
}

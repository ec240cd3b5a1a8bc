//! Products, requests for mails about them, and the addresses of accounts.

use std::collections::HashMap;

use events::ProductId;
use kernel::{Timestamp, UserId, Uuid, Version};
use service::storage::{Batch, Db, Error, Row, params};

use super::{
    ADDRESS, DELETE_REQUEST, INSERT_PRODUCT, INSERT_REQUEST, MAILED, OPEN_OF_EMAIL, OPEN_OF_PRODUCT, PRODUCTS,
    PUT_ADDRESS, REQUEST, REQUEST_OF_LINK, REQUESTS_OF_EMAILS, SET_PRODUCT,
};
use crate::domain::back_in_stock::{Product, Request};
use crate::end_back_in_stock::END_BACK_IN_STOCK;

/// Requests that are answered in one commit.
const PAGE: i64 = 100;

/// A request by its id, at a version.
pub(crate) type RequestVersion = (Uuid, Version);

/// Those of these products of which something is known.
pub(crate) async fn products(db: &Db, ids: Vec<ProductId>) -> Result<HashMap<ProductId, Product>, Error> {
    let found = db.query(&PRODUCTS, params![ids], product_of).await?;
    Ok(found.into_iter().map(|product| (product.product_id, product)).collect())
}

/// One product; of an unknown one, that.
pub(crate) async fn product(db: &Db, product_id: ProductId) -> Result<Product, Error> {
    let found = products(db, vec![product_id]).await?.remove(&product_id);
    Ok(found.unwrap_or_else(|| Product::unknown(product_id)))
}

/// Writes a product under the version that was read.
pub(crate) fn put_product(product: &Product) -> Batch {
    let mut row = params![
        product.product_id,
        &product.name,
        product.is_deleted,
        product.product_version,
        product.is_in_stock,
        product.stock_version,
    ];
    if let Some(version) = product.version {
        return Batch::new().change(&SET_PRODUCT, version, row);
    }
    row.push(Version::FIRST.into());
    Batch::new().insert(&INSERT_PRODUCT, row)
}

/// A new request, and the timer that ends it.
pub(crate) fn insert_request(request: &Request) -> Batch {
    let row = params![
        request.request_id,
        request.product_id,
        &request.email,
        kernel::email::key(&request.email),
        request.created_at,
        request.version,
    ];
    Batch::new().insert(&INSERT_REQUEST, row).schedule(END_BACK_IN_STOCK.name, request.request_id, request.ends_at())
}

/// The open requests of an address.
pub(crate) async fn open_of_email(db: &Db, email: &str) -> Result<Vec<Request>, Error> {
    db.query(&OPEN_OF_EMAIL, params![kernel::email::key(email)], request_of).await
}

/// The first open requests for a product.
pub(crate) async fn open_of_product(db: &Db, product_id: ProductId) -> Result<Vec<Request>, Error> {
    db.query(&OPEN_OF_PRODUCT, params![product_id, PAGE], request_of).await
}

/// The request whose mail has the link with this digest.
pub(crate) async fn request_of_link(db: &Db, digest: &[u8]) -> Result<Option<Request>, Error> {
    db.query_one(&REQUEST_OF_LINK, params![digest], request_of).await
}

/// One request.
pub(crate) async fn request(db: &Db, request_id: Uuid) -> Result<Option<RequestVersion>, Error> {
    db.query_one(&REQUEST, params![request_id], version_of).await
}

/// All requests of these addresses, open or not.
pub(crate) async fn requests_of_emails(db: &Db, emails: &[String]) -> Result<Vec<RequestVersion>, Error> {
    let keys: Vec<String> = emails.iter().map(|email| kernel::email::key(email)).collect();
    db.query(&REQUESTS_OF_EMAILS, params![keys], version_of).await
}

/// Ends a request: its mail is written, with a link of this digest.
pub(crate) fn mailed(request: &Request, digest: &[u8], now: Timestamp) -> Batch {
    let batch = Batch::new().change(&MAILED, request.version, params![request.request_id, now, digest]);
    batch.schedule(END_BACK_IN_STOCK.name, request.request_id, Request::link_ends_at(now))
}

/// Removes requests.
pub(crate) fn delete(requests: impl IntoIterator<Item = RequestVersion>) -> Batch {
    requests.into_iter().fold(Batch::new(), |batch, (request_id, version)| {
        batch.change(&DELETE_REQUEST, version, params![request_id]).unschedule(END_BACK_IN_STOCK.name, request_id)
    })
}

/// The address of an account, if it is known and not forgotten.
pub(crate) async fn address(db: &Db, user_id: UserId) -> Result<Option<String>, Error> {
    let found: Option<String> = db.query_one(&ADDRESS, params![user_id], |row| row.get("email")).await?;
    Ok(found.filter(|email| !email.is_empty()))
}

/// Keeps the address of an account, unless a newer one is known; an empty one, if the account is closed.
pub(crate) fn put_address(user_id: UserId, email: &str, version: Version) -> Batch {
    Batch::new().upsert(&PUT_ADDRESS, params![user_id, email, version])
}

fn product_of(row: &Row<'_>) -> Result<Product, Error> {
    Ok(Product {
        product_id: row.get("product_id")?,
        name: row.get("name")?,
        is_deleted: row.get("is_deleted")?,
        product_version: row.get("product_version")?,
        is_in_stock: row.get("is_in_stock")?,
        stock_version: row.get("stock_version")?,
        version: Some(row.get("version")?),
    })
}

fn request_of(row: &Row<'_>) -> Result<Request, Error> {
    Ok(Request {
        request_id: row.get("request_id")?,
        product_id: row.get("product_id")?,
        email: row.get("email")?,
        created_at: row.get("created_at")?,
        version: row.get("version")?,
    })
}

fn version_of(row: &Row<'_>) -> Result<RequestVersion, Error> {
    Ok((row.get("request_id")?, row.get("version")?))
}

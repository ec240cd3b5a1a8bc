//! Requests for a mail when a product is in stock again.

use events::ProductId;
use kernel::{SignedDuration, Timestamp, Uuid, Version};

/// Requests of one e-mail address that are open at the most: anybody can make them for any address.
const OPEN_MAX: usize = 20;

/// The time for which a request is open. What is not in stock for so long is not expected any more.
const OPEN_FOR: SignedDuration = SignedDuration::from_hours(180 * 24);

/// The time for which the link in a mail is good.
const LINK_LASTS: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A product, as far as requests need it. The catalogue and the inventory each know a part of it, and their events may
/// come in any order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Product {
    pub product_id: ProductId,
    pub name: String,
    pub is_deleted: bool,
    /// Of the catalogue's newest event; 0 before the first.
    pub product_version: i64,
    pub is_in_stock: bool,
    /// Of the inventory's event that changed it; 0 before the first.
    pub stock_version: i64,
    /// As it was read; `None` if it is not stored yet.
    pub version: Option<Version>,
}

/// A request as it is stored. It is open until its mail is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub request_id: Uuid,
    pub product_id: ProductId,
    pub email: String,
    pub created_at: Timestamp,
    pub version: Version,
}

/// The reason why a request is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CannotRequest {
    NotForSale,
    InStock,
    TooMany { max: usize },
}

impl Product {
    /// One of which nothing is known yet.
    pub fn unknown(product_id: ProductId) -> Self {
        Self {
            product_id,
            name: String::new(),
            is_deleted: false,
            product_version: 0,
            is_in_stock: false,
            stock_version: 0,
            version: None,
        }
    }

    /// The catalogue named it; `None` if something newer is known.
    pub fn named(&self, name: &str, product_version: i64) -> Option<Self> {
        let is_newer = product_version > self.product_version && !self.is_deleted;
        is_newer.then(|| Self { name: name.to_owned(), product_version, ..self.clone() })
    }

    /// It is not for sale any more.
    pub fn deleted(&self, product_version: i64) -> Option<Self> {
        (!self.is_deleted).then(|| Self { is_deleted: true, product_version, ..self.clone() })
    }

    /// Its stock changed; `None` if there is as much of it as before: some, or none. Between two changes that count, all
    /// events say the same, so the version of the last one that counted is enough.
    pub fn stocked(&self, available: i64, stock_version: i64) -> Option<Self> {
        let is_in_stock = available > 0;
        let is_news = stock_version > self.stock_version && is_in_stock != self.is_in_stock;
        is_news.then(|| Self { is_in_stock, stock_version, ..self.clone() })
    }

    /// True if requests can be answered: their mails are written, or they end without one.
    pub fn answers_requests(&self) -> bool {
        self.is_deleted || self.is_in_stock
    }

    /// A request for this product, from an address with these open ones. `None` if it is open already.
    pub fn request(
        &self,
        request_id: Uuid,
        email: &str,
        open: &[Request],
        now: Timestamp,
    ) -> Result<Option<Request>, CannotRequest> {
        if self.is_deleted || self.product_version == 0 {
            return Err(CannotRequest::NotForSale);
        }
        if self.is_in_stock {
            return Err(CannotRequest::InStock);
        }
        if open.iter().any(|request| request.product_id == self.product_id) {
            return Ok(None);
        }
        if open.len() >= OPEN_MAX {
            return Err(CannotRequest::TooMany { max: OPEN_MAX });
        }
        let (product_id, email) = (self.product_id, email.to_owned());
        Ok(Some(Request { request_id, product_id, email, created_at: now, version: Version::FIRST }))
    }
}

impl Request {
    /// The time at which it ends if its product does not come.
    pub fn ends_at(&self) -> Timestamp {
        self.created_at + OPEN_FOR
    }

    /// The time at which the link of its mail ends.
    pub fn link_ends_at(now: Timestamp) -> Timestamp {
        now + LINK_LASTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product() -> Product {
        Product::unknown(Uuid::from_u128(1).into())
    }

    fn sold_out() -> Product {
        product().named("Laptop", 1).unwrap()
    }

    fn request(product: &Product, open: &[Request]) -> Result<Option<Request>, CannotRequest> {
        product.request(Uuid::from_u128(9), "ada@example.com", open, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn what_the_catalogue_and_the_inventory_say_may_come_in_any_order() {
        let stock_first = product().stocked(3, 1).unwrap().named("Laptop", 1).unwrap();
        let name_first = product().named("Laptop", 1).unwrap().stocked(3, 1).unwrap();
        assert_eq!(stock_first, name_first);
        assert_eq!(stock_first.named("Older", 1), None);
        assert_eq!(stock_first.stocked(2, 2), None, "there are some, as before");
        let out = stock_first.stocked(0, 3).unwrap();
        assert_eq!(out.stocked(2, 2), None, "older news");
        assert!(out.stocked(1, 4).unwrap().is_in_stock);
        let gone = out.deleted(2).unwrap();
        assert_eq!((gone.named("Laptop", 3), gone.deleted(2)), (None, None));
    }

    #[test]
    fn a_request_is_for_a_product_that_is_sold_out_and_is_open_once() {
        assert_eq!(request(&product(), &[]), Err(CannotRequest::NotForSale));
        assert_eq!(request(&sold_out().deleted(2).unwrap(), &[]), Err(CannotRequest::NotForSale));
        assert_eq!(request(&sold_out().stocked(1, 1).unwrap(), &[]), Err(CannotRequest::InStock));
        let open = request(&sold_out(), &[]).unwrap().unwrap();
        assert_eq!(request(&sold_out(), std::slice::from_ref(&open)), Ok(None));
        let others: Vec<Request> =
            (2..=21).map(|n| Request { product_id: Uuid::from_u128(n).into(), ..open.clone() }).collect();
        assert!(request(&sold_out(), &others[1..]).unwrap().is_some());
        assert_eq!(request(&sold_out(), &others), Err(CannotRequest::TooMany { max: 20 }));
    }
}

//! What people may write for the things of a shop.

use std::str::FromStr;

use clap::Args;
use kernel::{Currency, Money, OrderId, ProductId};
use serde_json::Value;

use super::Failure;
use super::client::Client;
use super::failure::Exit;

/// How much of a list to show.
#[derive(Clone, Copy, Debug, Args)]
pub struct Limit {
    /// Show at most this many
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = limit)]
    pub limit: usize,
}

fn limit(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=10_000).contains(number));
    number.ok_or_else(|| "a whole number from 1 to 10000 is expected".to_owned())
}

/// An id of any kind, for clap.
pub fn id<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| "an id as in 019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d is expected".to_owned())
}

/// An order by its id or by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderRef {
    Id(OrderId),
    Number(i64),
}

impl FromStr for OrderRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.parse().ok().filter(|number| *number > 0).map(Self::Number);
        number.or_else(|| text.parse().ok().map(Self::Id)).ok_or_else(|| {
            "an order's number as in 1001, or its id as in 019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d, is expected".to_owned()
        })
    }
}

impl OrderRef {
    /// The order's id. A number is looked for among the orders that the client may see.
    pub async fn resolve(self, client: &Client) -> Result<OrderId, Failure> {
        let number = match self {
            Self::Id(order_id) => return Ok(order_id),
            Self::Number(number) => number,
        };
        let found = client.find("/v1/orders", &[], |order| order["number"].as_i64() == Some(number)).await?;
        let order_id = found.and_then(|order| order["order_id"].as_str()?.parse().ok());
        order_id.ok_or_else(|| {
            Failure::new(Exit::NotFound, format!("there is no order {number} among the newest 10,000"))
                .with_help("`tradepost orders list` shows what is there; older orders go by their id")
        })
    }
}

/// A product by its id or by its sku.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProductRef {
    Id(ProductId),
    Sku(String),
}

impl FromStr for ProductRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err("a product's sku as in 123, or its id, is expected".to_owned());
        }
        Ok(text.parse().map_or_else(|_| Self::Sku(text.to_owned()), Self::Id))
    }
}

impl ProductRef {
    /// The product's id.
    pub async fn resolve(&self, client: &Client) -> Result<ProductId, Failure> {
        let sku = match self {
            Self::Id(product_id) => return Ok(*product_id),
            Self::Sku(sku) => sku,
        };
        let query = [("q", sku.as_str())];
        let found = client.find("/v1/products", &query, |product| product["sku"].as_str() == Some(sku)).await?;
        if let Some(product_id) = found.and_then(|product| product["product_id"].as_str()?.parse().ok()) {
            return Ok(product_id);
        }
        let similar = client.list("/v1/products", &query, 5).await?;
        let similar = similar.items.iter().map(|product| {
            let text = |field: &str| product[field].as_str().unwrap_or_default();
            format!("similar: {} {}", text("sku"), text("name"))
        });
        Err(Failure::new(Exit::NotFound, format!("there is no product with the sku {sku}"))
            .with_details(similar.collect())
            .with_help("`tradepost products list` shows what is for sale"))
    }
}

/// One line of an order: `SKU_OR_PRODUCT_ID=QUANTITY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedLine {
    pub product: ProductRef,
    pub quantity: i64,
}

impl FromStr for WantedLine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (product, quantity) =
            text.rsplit_once('=').ok_or("a product and how many of it, as in 123=2, is expected")?;
        let quantity = quantity.parse().ok().filter(|quantity| *quantity > 0);
        let quantity = quantity.ok_or("how many is a whole number above 0, as in 123=2")?;
        Ok(Self { product: product.parse()?, quantity })
    }
}

/// A price with two decimals, as in `19.99` or `19.99 EUR`.
pub fn price(text: &str) -> Result<Money, String> {
    let expected = || "a price as in 19.99 or \"19.99 EUR\" is expected".to_owned();
    let (number, currency) = match text.split_once(' ') {
        Some((number, currency)) => (number, currency.parse().map_err(|error| format!("{error}"))?),
        None => (text, Currency::EUR),
    };
    let (whole, cents) = number.split_once('.').unwrap_or((number, "00"));
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(cents) || cents.len() != 2 {
        return Err(expected());
    }
    format!("{whole}{cents}").parse().map(|amount| Money::new(amount, currency)).map_err(|_| expected())
}

/// A time as people read it: whole seconds, UTC. What is no time is shown as it is.
pub fn seconds(time: &Value) -> String {
    let text = time.as_str().unwrap_or_default();
    text.parse::<kernel::Timestamp>().map_or_else(|_| text.to_owned(), |time| format!("{time:.0}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_product_and_a_quantity() {
        let line: WantedLine = "A=B=2".parse().unwrap();
        assert_eq!(line, WantedLine { product: ProductRef::Sku("A=B".to_owned()), quantity: 2 });
        for bad in ["123", "123=", "123=0", "123=-1", "123=x", "=1", "123=99999999999999999999"] {
            assert!(bad.parse::<WantedLine>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_order_goes_by_number_or_id() {
        let id = "019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d";
        assert_eq!("1001".parse(), Ok(OrderRef::Number(1001)));
        assert_eq!(id.parse(), Ok(OrderRef::Id(id.parse().unwrap())));
        for bad in ["", "0", "-5", "last", "../users"] {
            assert!(bad.parse::<OrderRef>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_price_is_exact() {
        assert_eq!(price("19.99"), Ok(Money::new(1999, Currency::EUR)));
        assert_eq!(price("5"), Ok(Money::new(500, Currency::EUR)));
        assert_eq!(price("0.05 USD"), Ok(Money::new(5, "USD".parse().unwrap())));
        for bad in
            ["", ".5", "1.5", "1,50", "-1.00", "1.005", "1e3", "99999999999999999999.00", "1.00 eur", "1.00  EUR"]
        {
            assert!(price(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_time_is_shown_to_the_second() {
        assert_eq!(seconds(&Value::from("2026-01-02T03:04:05.678901Z")), "2026-01-02T03:04:05Z");
        assert_eq!(seconds(&Value::from("soon")), "soon");
    }
}

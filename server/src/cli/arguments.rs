//! Values that people write on the command line.

use std::str::FromStr;

use clap::Args;
use events::{OrderId, ProductId};
use kernel::{Clock, Ids, InvalidMoney, Money, RequestId, UserId};
use reqwest::header::HeaderValue;
use serde_json::{Value, json};

use super::Failure;
use super::client::Client;
use super::failure::Exit;

/// The length of a list.
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

/// Characters of an idempotency key at the most: the server's bound.
const IDEMPOTENCY_KEY_MAX: usize = 255;

/// An idempotency key, for clap.
pub fn idempotency_key(text: &str) -> Result<HeaderValue, String> {
    let value = HeaderValue::from_str(text).ok().filter(|_| (1..=IDEMPOTENCY_KEY_MAX).contains(&text.len()));
    value.ok_or_else(|| format!("1 to {IDEMPOTENCY_KEY_MAX} characters on one line are expected"))
}

/// An idempotency key that nobody has used.
pub fn new_idempotency_key() -> HeaderValue {
    let made: RequestId = Ids::new(Clock::system()).next();
    HeaderValue::from_str(&made.to_string()).expect("an id is plain ASCII")
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
    /// The order's id. A number is looked up among the orders that the client may see.
    pub async fn resolve(self, client: &Client) -> Result<OrderId, Failure> {
        let number = match self {
            Self::Id(order_id) => return Ok(order_id),
            Self::Number(number) => number,
        };
        let found = client.list("/v1/orders", &[("number", &number.to_string())], 1).await?.items;
        // A server that does not know the parameter answers with any order.
        let found = found.first().filter(|order| order["number"].as_i64() == Some(number));
        let order_id = found.and_then(|order| order["order_id"].as_str()?.parse().ok());
        order_id.ok_or_else(|| {
            Failure::new(Exit::NotFound, format!("there is no order {number}"))
                .with_help("`tradepost orders list` shows the newest ones")
        })
    }
}

/// A product by its sku or by its id. A sku may look like an id, so only the server can distinguish them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductRef(String);

impl FromStr for ProductRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err("a product's sku as in 123, or its id, is expected".to_owned());
        }
        Ok(Self(text.to_owned()))
    }
}

impl ProductRef {
    /// The product's id: of the product that has this sku, or else the text itself if it is an id.
    pub async fn resolve(&self, client: &Client) -> Result<ProductId, Failure> {
        let sku = self.0.as_str();
        let found = client.list("/v1/products", &[("sku", sku)], 1).await?.items;
        // A server that does not know the parameter answers with any product.
        let found = found.first().filter(|product| product["sku"].as_str() == Some(sku));
        if let Some(product_id) = found.and_then(|product| product["product_id"].as_str()?.parse().ok()) {
            return Ok(product_id);
        }
        if let Ok(product_id) = sku.parse() {
            return Ok(product_id);
        }
        let similar = client.list("/v1/products", &[("q", sku)], 5).await?;
        let similar = similar.items.iter().map(|product| {
            let text = |field: &str| product[field].as_str().unwrap_or_default();
            format!("similar: {} {}", text("sku"), text("name"))
        });
        Err(Failure::new(Exit::NotFound, format!("there is no product with the sku {sku}"))
            .with_details(similar.collect())
            .with_help("`tradepost products list` shows what is for sale"))
    }
}

/// A user by their id or by their e-mail address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserRef {
    Id(UserId),
    Email(String),
}

impl FromStr for UserRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_email = text.split_once('@').is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty());
        let email = is_email.then(|| Self::Email(text.to_owned()));
        email.or_else(|| text.parse().ok().map(Self::Id)).ok_or_else(|| {
            "a user's e-mail address, or their id as in 019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d, is expected".to_owned()
        })
    }
}

impl UserRef {
    /// The user's id. An address is looked up among all accounts.
    pub async fn resolve(&self, client: &Client) -> Result<UserId, Failure> {
        let email = match self {
            Self::Id(user_id) => return Ok(*user_id),
            Self::Email(email) => email,
        };
        let found = client.list("/v1/users", &[("email", email)], 1).await?.items;
        // A server that does not know the parameter answers with any user.
        let is_meant = |user: &&Value| user["email"].as_str().is_some_and(|found| same_address(found, email));
        let user_id = found.first().filter(is_meant).and_then(|user| user["user_id"].as_str()?.parse().ok());
        user_id.ok_or_else(|| {
            Failure::new(Exit::NotFound, format!("there is no user with the e-mail address {email}"))
                .with_help("`tradepost users list` shows the newest ones")
        })
    }
}

/// The domain of an address may be written in its own script and is kept in ASCII, so only the names are compared.
fn same_address(found: &str, wanted: &str) -> bool {
    let name = |address: &str| address.rsplit_once('@').map(|(name, _)| name.to_lowercase());
    name(found) == name(wanted)
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

impl WantedLine {
    /// The lines as a body has them.
    pub async fn resolve_all(lines: impl IntoIterator<Item = &Self>, client: &Client) -> Result<Vec<Value>, Failure> {
        let mut resolved = Vec::new();
        for Self { product, quantity } in lines {
            resolved.push(json!({"product_id": product.resolve(client).await?, "quantity": quantity}));
        }
        Ok(resolved)
    }
}

/// A price such as `19.99 EUR`; without its currency it is in that of the shop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Price {
    Money(Money),
    Number(String),
}

impl FromStr for Price {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(money) => Ok(Self::Money(money)),
            // The decimals of the number are those of a currency that only the shop knows.
            Err(InvalidMoney::CurrencyMissing) if is_number(text) => Ok(Self::Number(text.to_owned())),
            Err(InvalidMoney::CurrencyMissing) => Err("a price as in 19.99 or \"19.99 EUR\" is expected".to_owned()),
            Err(invalid) => Err(invalid.to_string()),
        }
    }
}

fn is_number(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit()) && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

impl Price {
    /// The price in minor units. The shop is asked for its currency if none is given.
    pub async fn resolve(&self, client: &Client) -> Result<Money, Failure> {
        let number = match self {
            Self::Money(money) => return Ok(*money),
            Self::Number(number) => number,
        };
        let answer = client.get("/v1/currency", &[]).await?;
        let currency = client.view(&answer["code"])?;
        let money = Money::from_decimal(number, currency);
        money.map_err(|invalid| Failure::new(Exit::Usage, format!("the shop sells in {currency}: {invalid}")))
    }
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
        assert_eq!(line, WantedLine { product: ProductRef("A=B".to_owned()), quantity: 2 });
        for bad in ["123", "123=", "123=0", "123=-1", "123=x", "=1", "123=99999999999999999999"] {
            assert!(bad.parse::<WantedLine>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_order_is_named_by_number_or_id() {
        let id = "019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d";
        assert_eq!("1001".parse(), Ok(OrderRef::Number(1001)));
        assert_eq!(id.parse(), Ok(OrderRef::Id(id.parse().unwrap())));
        for bad in ["", "0", "-5", "last", "../users"] {
            assert!(bad.parse::<OrderRef>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_user_is_named_by_address_or_id() {
        let id = "019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d";
        assert_eq!("ada@example.com".parse(), Ok(UserRef::Email("ada@example.com".to_owned())));
        assert_eq!(id.parse(), Ok(UserRef::Id(id.parse().unwrap())));
        for bad in ["", "ada", "@example.com", "ada@", "../users"] {
            assert!(bad.parse::<UserRef>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_price_may_leave_its_currency_to_the_shop() {
        assert_eq!("5".parse(), Ok(Price::Number("5".to_owned())));
        assert_eq!("0.05 USD".parse(), Ok(Price::Money(Money::new(5, "USD".parse().unwrap()))));
        assert_eq!("1.500 KWD".parse(), Ok(Price::Money(Money::new(1500, "KWD".parse().unwrap()))));
        for bad in ["", ".5", "1,50", "-1.00", "1e3", "1.00 eur", "1.00  EUR", "5.00 JPY", "1.5 EUR", "1 XYZ"] {
            assert!(bad.parse::<Price>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_time_is_shown_to_the_second() {
        assert_eq!(seconds(&Value::from("2026-01-02T03:04:05.678901Z")), "2026-01-02T03:04:05Z");
        assert_eq!(seconds(&Value::from("soon")), "soon");
    }
}

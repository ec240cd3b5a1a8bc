//! Orders in every state, with shipments, refunds and reviews.
//!
//! Each request has an `Idempotency-Key` of its own, so a start that was cut short is continued by the next, and one
//! that was not is repeated without effect. Keys are kept for a day: later nothing is made any more.

use std::collections::HashMap;

use anyhow::{Context, anyhow};
use axum::http::{Method, StatusCode};
use kernel::{Clock, SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::client::Client;
use super::{CUSTOMERS, PASSWORD, email_of, register};

/// Less than the day for which keys are kept.
const CONTINUED_FOR: SignedDuration = SignedDuration::from_hours(20);

/// Looks at something that another service has yet to do, each after everything in flight was handled.
const LOOKS: usize = 6;

/// An order, and its story so far.
struct Story {
    name: &'static str,
    /// A customer, or a guest.
    buyer: &'static str,
    /// Each a sku and units. Not what the README sells.
    lines: &'static [(&'static str, i64)],
    /// Without one, it waits for it.
    token: Option<&'static str>,
    /// An order without an address is collected.
    has_address: bool,
    steps: &'static [Step],
}

/// An event of a story that somebody causes.
#[derive(Clone, Copy)]
enum Step {
    Cancel,
    /// All of it leaves.
    Dispatch,
    /// This much of it leaves.
    DispatchPart(&'static str, i64),
    Deliver,
    /// All money goes back.
    Refund,
    /// The price of this product and this many units goes back; they are sold again.
    Return(&'static str, i64),
    /// The customer's opinion about a product: rating and comment.
    Review(&'static str, i64, &'static str),
}

const STORIES: [Story; 11] = [
    Story {
        name: "delivered",
        buyer: "grace",
        lines: &[("461", 1), ("457", 1)],
        token: Some("tok_ok"),
        has_address: true,
        steps: &[
            Step::Dispatch,
            Step::Deliver,
            Step::Review("461", 4, "Clear sound, and they sit well."),
            Step::Review("457", 5, "Quiet keys."),
        ],
    },
    Story {
        name: "refunded",
        buyer: "ada",
        lines: &[("461", 1)],
        token: Some("tok_ok"),
        has_address: true,
        steps: &[Step::Dispatch, Step::Deliver, Step::Review("461", 2, "Too heavy for me."), Step::Refund],
    },
    Story {
        name: "partly-refunded",
        buyer: "grace",
        lines: &[("459", 3)],
        token: Some("tok_ok"),
        has_address: true,
        steps: &[Step::Dispatch, Step::Return("459", 1)],
    },
    Story {
        name: "shipped",
        buyer: "grace",
        lines: &[("458", 1)],
        token: Some("tok_ok"),
        has_address: true,
        steps: &[Step::Dispatch],
    },
    Story {
        name: "partly-shipped",
        buyer: "grace",
        lines: &[("457", 2), ("463", 1)],
        token: Some("tok_ok"),
        has_address: true,
        steps: &[Step::DispatchPart("457", 1)],
    },
    Story { name: "paid", buyer: "grace", lines: &[("462", 1)], token: Some("tok_ok"), has_address: false, steps: &[] },
    Story {
        name: "cancelled-after-payment",
        buyer: "grace",
        lines: &[("466", 1)],
        token: Some("tok_ok"),
        has_address: true,
        steps: &[Step::Cancel],
    },
    Story {
        name: "cancelled-before-payment",
        buyer: "grace",
        lines: &[("460", 1)],
        token: None,
        has_address: true,
        steps: &[Step::Cancel],
    },
    Story {
        name: "declined",
        buyer: GUEST,
        lines: &[("460", 1)],
        token: Some("tok_declined"),
        has_address: true,
        steps: &[],
    },
    // Far more than there are, so no stock is held.
    Story {
        name: "rejected",
        buyer: GUEST,
        lines: &[("464", 500)],
        token: Some("tok_ok"),
        has_address: true,
        steps: &[],
    },
    Story { name: "reserved", buyer: GUEST, lines: &[("463", 1)], token: None, has_address: true, steps: &[] },
];

/// A buyer without an account, who orders by mail address.
const GUEST: &str = "linus";

/// The shop as the demo knows it.
struct Demo<'a> {
    admin: &'a Client,
    customers: HashMap<&'static str, Client>,
    /// By sku.
    products: HashMap<&'static str, Value>,
}

/// Makes the orders that are not there yet, unless the shop is older than a day.
pub(super) async fn make(admin: &Client) -> anyhow::Result<()> {
    if !is_young(admin).await? {
        return Ok(());
    }
    for customer in CUSTOMERS {
        register(admin, customer).await?;
    }
    admin.settle().await?;
    let mut customers = HashMap::new();
    for customer in CUSTOMERS {
        let credentials = json!({"email": email_of(customer), "password": PASSWORD});
        let answer = admin.ask(Method::POST, "/v1/sessions", Some(&credentials), None).await?;
        match answer.body["access_token"].as_str() {
            Some(token) => customers.insert(customer, admin.with_token(token)),
            // Somebody plays with the account: it is theirs now.
            None => return Ok(()),
        };
    }
    let mut demo = Demo { admin, customers, products: HashMap::new() };
    for (sku, _) in STORIES.iter().flat_map(|story| story.lines) {
        let product = admin.first(&format!("/v1/products?sku={sku}&limit=1")).await?;
        demo.products.insert(sku, product.with_context(|| format!("the shop has no product {sku} any more"))?);
    }
    let mut placed = Vec::new();
    for story in &STORIES {
        placed.push((story, demo.place(story).await?));
    }
    for (story, order_id) in placed {
        for (index, step) in story.steps.iter().enumerate() {
            let key = format!("demo-{}-{}", story.name, index + 1);
            admin.settle().await?;
            demo.take(*step, story, &order_id, &key).await.with_context(|| format!("order {}", story.name))?;
        }
    }
    Ok(())
}

/// True if the demo's first customer was registered lately.
async fn is_young(admin: &Client) -> anyhow::Result<bool> {
    let path = format!("/v1/users?email={}&limit=1", email_of(CUSTOMERS[0]));
    let Some(user) = admin.first(&path).await? else { return Ok(false) };
    let registered = user["created_at"].as_str().and_then(|time| time.parse::<Timestamp>().ok());
    let registered = registered.context("a user has the time of their registration")?;
    Ok(Clock::system().now().duration_since(registered) < CONTINUED_FOR)
}

impl Demo<'_> {
    /// Places an order, as its customer does; an admin does it for a guest. Its id.
    async fn place(&self, story: &Story) -> anyhow::Result<String> {
        let lines: Vec<Value> = story
            .lines
            .iter()
            .map(|(sku, units)| json!({"product_id": self.products[sku]["product_id"], "quantity": units}))
            .collect();
        let mut order = json!({"lines": lines});
        if let Some(token) = story.token {
            order["payment"] = json!({"token": token});
        }
        if story.has_address {
            order["ship_to"] = json!({"name": name_of(story.buyer), "street": "12 St James's Square",
                "city": "London", "postal_code": "SW1Y 4JH", "country": "GB"});
        }
        let customer = self.customers.get(story.buyer);
        if customer.is_none() {
            order["email"] = json!(email_of(story.buyer));
        }
        let client = customer.unwrap_or(self.admin);
        let key = format!("demo-{}", story.name);
        let answer = client.ask(Method::POST, "/v1/orders", Some(&order), Some(&key)).await?;
        let order_id = answer.body["order_id"].as_str();
        order_id.map(str::to_owned).ok_or_else(|| answer.refused("POST /v1/orders"))
    }

    async fn take(&self, step: Step, story: &Story, order_id: &str, key: &str) -> anyhow::Result<()> {
        match step {
            Step::Cancel => self.post(self.admin, &format!("/v1/orders/{order_id}/cancel"), None, key).await,
            Step::Dispatch => self.dispatch(order_id, None, key).await,
            Step::DispatchPart(sku, units) => self.dispatch(order_id, Some((sku, units)), key).await,
            Step::Deliver => {
                let shipment_id = self.of_order("shipments", "shipment_id", order_id).await?;
                self.post(self.admin, &format!("/v1/shipments/{shipment_id}/deliver"), None, key).await
            }
            Step::Refund => self.refund(order_id, json!({"reason": "sent back"}), key).await,
            Step::Return(sku, units) => {
                let product = &self.products[sku];
                let cents = product["price"]["amount"].as_i64().unwrap_or_default() * units;
                let amount = json!({"amount": cents, "currency": product["price"]["currency"]});
                let restock = json!([{"product_id": product["product_id"], "quantity": units}]);
                self.refund(order_id, json!({"amount": amount, "reason": "one too many", "restock": restock}), key)
                    .await
            }
            Step::Review(sku, rating, comment) => {
                let product_id = self.products[sku]["product_id"].as_str().unwrap_or_default();
                let customer = self.customers.get(story.buyer).context("a review is by a customer")?;
                let review = json!({"rating": rating, "comment": comment});
                self.post(customer, &format!("/v1/products/{product_id}/reviews"), Some(&review), key).await
            }
        }
    }

    async fn dispatch(&self, order_id: &str, part: Option<(&str, i64)>, key: &str) -> anyhow::Result<()> {
        let shipment_id = self.of_order("shipments", "shipment_id", order_id).await?;
        let mut body = json!({"carrier": "DHL", "tracking_number": tracking_number(order_id)});
        if let Some((sku, units)) = part {
            body["lines"] = json!([{"product_id": self.products[sku]["product_id"], "quantity": units}]);
        }
        self.post(self.admin, &format!("/v1/shipments/{shipment_id}/dispatch"), Some(&body), key).await
    }

    async fn refund(&self, order_id: &str, body: Value, key: &str) -> anyhow::Result<()> {
        let payment_id = self.of_order("payments", "payment_id", order_id).await?;
        self.post(self.admin, &format!("/v1/payments/{payment_id}/refund"), Some(&body), key).await
    }

    /// The id of the oldest thing that belongs to an order, once its service has made it.
    async fn of_order(&self, list: &str, id: &str, order_id: &str) -> anyhow::Result<String> {
        for _ in 0..LOOKS {
            // The newest come first, and an order of the demo has a few.
            let answer = self.admin.get(&format!("/v1/{list}?order_id={order_id}")).await?;
            let oldest = answer["items"].as_array().and_then(|items| items.last());
            if let Some(found) = oldest.and_then(|item| item[id].as_str()) {
                return Ok(found.to_owned());
            }
            self.admin.settle().await?;
        }
        Err(anyhow!("the order has no {list}"))
    }

    /// Asks for a change. A conflict may be one with an event that is in flight; else somebody was there before, and
    /// the order is theirs.
    async fn post(&self, client: &Client, path: &str, body: Option<&Value>, key: &str) -> anyhow::Result<()> {
        for _ in 0..LOOKS {
            let answer = client.ask(Method::POST, path, body, Some(key)).await?;
            match answer.status {
                status if status.is_success() => return Ok(()),
                StatusCode::CONFLICT => self.admin.settle().await?,
                _ => return Err(answer.refused(path)),
            }
        }
        Ok(())
    }
}

/// The name on a parcel.
fn name_of(buyer: &str) -> &'static str {
    match buyer {
        "ada" => "Ada Lovelace",
        "grace" => "Grace Hopper",
        _ => "Linus Pauling",
    }
}

/// Digits as carriers have them, the same for the same order, so that a repeated request is the same.
fn tracking_number(order_id: &str) -> String {
    let digits: String = order_id.chars().filter(char::is_ascii_digit).take(12).collect();
    format!("00340434{digits}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_steps_of_the_readme_find_their_products_untouched() {
        let sold = STORIES.iter().flat_map(|story| story.lines).map(|(sku, _)| *sku);
        assert_eq!(sold.filter(|sku| ["123", "456", "465"].contains(sku)).collect::<Vec<_>>(), [""; 0]);
    }

    #[test]
    fn a_review_is_by_a_customer_to_whom_the_product_was_delivered() {
        for story in &STORIES {
            for (index, step) in story.steps.iter().enumerate() {
                if let Step::Review(sku, ..) = step {
                    assert!(CUSTOMERS.contains(&story.buyer), "{}", story.name);
                    assert!(story.lines.iter().any(|(sold, _)| sold == sku), "{}", story.name);
                    let before = &story.steps[..index];
                    assert!(before.iter().any(|step| matches!(step, Step::Deliver)), "{}", story.name);
                }
            }
        }
    }
}

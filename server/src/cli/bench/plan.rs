//! The orders of a run: everything about the n-th order follows from n, so that nothing need be kept to check it later.

use std::fmt::Write;
use std::str::FromStr;

use events::ProductId;
use hyper::body::Bytes;
use kernel::{Currency, Money};

/// Cents of the first product; each further one costs a little more, so that a total identifies its product.
const PRICE_FIRST: i64 = 1_000;
const PRICE_STEP: i64 = 7;

/// Units of an order go from 1 to this.
pub const QUANTITY_MAX: i64 = 3;

/// A share of all orders, in hundredths of a percent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share(u64);

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = || "a share from 0% to 100% with at most two decimals, as in 5% or 2.5%, is expected".to_owned();
        let number = text.strip_suffix('%').ok_or_else(expected)?;
        let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
        let is_digits = |part: &str, max| (1..=max).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        if !is_digits(whole, 3) || !is_digits(decimals, 2) {
            return Err(expected());
        }
        let share = format!("{whole}{decimals:0<2}").parse().map_err(|_| expected())?;
        if share <= 10_000 { Ok(Self(share)) } else { Err(expected()) }
    }
}

impl Share {
    /// True if the n-th of many is among the share: spread evenly, and exact over any 10,000.
    fn takes(self, n: u64) -> bool {
        (n + 1) * self.0 / 10_000 > n * self.0 / 10_000
    }
}

/// Customers and products of one run. They are the run's own, so that it can't be confused with others.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Part of every sku and e-mail address.
    pub run: String,
    pub products: u64,
    /// Units of each product to begin with.
    pub stock: i64,
    pub currency: Currency,
    pub decline: Share,
    /// Everybody wants one unit.
    pub is_hot: bool,
    /// Each order is sent and delivered before its client places the next.
    pub is_life: bool,
}

impl Plan {
    pub fn sku(&self, product: u64) -> String {
        format!("bench-{}-{product}", self.run)
    }

    pub fn price(&self, product: u64) -> Money {
        let step = i64::try_from(product).unwrap_or_default() * PRICE_STEP;
        Money::new(PRICE_FIRST + step, self.currency)
    }

    pub fn product_of(&self, n: u64) -> u64 {
        n % self.products
    }

    pub fn quantity(&self, n: u64) -> i64 {
        if self.is_hot { 1 } else { 1 + i64::try_from(n / self.products).unwrap_or_default() % QUANTITY_MAX }
    }

    /// The price of the order, in minor units.
    pub fn total(&self, n: u64) -> i64 {
        self.price(self.product_of(n)).amount * self.quantity(n)
    }

    pub fn is_declined(&self, n: u64) -> bool {
        self.decline.takes(n)
    }

    /// In a domain that can't exist (RFC 2606), in case the shop sends real mail.
    pub fn email(&self, n: u64) -> String {
        format!("bench-{}-{n}@shop.invalid", self.run)
    }

    /// The order of an address, if it is one of this run.
    pub fn by_email(&self, email: &str) -> Option<u64> {
        let number = email.strip_prefix("bench-")?.strip_prefix(&self.run)?.strip_prefix('-')?;
        number.strip_suffix("@shop.invalid")?.parse().ok()
    }

    /// The request's body. Nothing in it needs escaping.
    pub fn body(&self, n: u64, product_id: ProductId) -> Bytes {
        let (run, quantity) = (&self.run, self.quantity(n));
        let token = if self.is_declined(n) { "tok_declined" } else { "tok_ok" };
        let mut body = String::with_capacity(224);
        write!(
            body,
            r#"{{"lines":[{{"product_id":"{product_id}","quantity":{quantity}}}],"email":"bench-{run}-{n}@shop.invalid","payment":{{"token":"{token}"}}}}"#
        )
        .expect("a String takes whatever is written");
        Bytes::from(body)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn plan(decline: &str) -> Plan {
        Plan {
            run: "r7".to_owned(),
            products: 10,
            stock: 100,
            currency: Currency::EUR,
            decline: decline.parse().unwrap(),
            is_hot: false,
            is_life: false,
        }
    }

    #[test]
    fn a_share_is_exact_and_spread() {
        for (share, among_a_thousand) in [("0%", 0), ("5%", 50), ("2.5%", 25), ("0.1%", 1), ("100%", 1_000)] {
            let plan = plan(share);
            let declined: Vec<u64> = (0..1_000).filter(|n| plan.is_declined(*n)).collect();
            assert_eq!(declined.len(), among_a_thousand, "{share}");
            assert!(declined.windows(2).all(|pair| pair[1] - pair[0] == 1_000 / declined.len() as u64), "{share}");
        }
    }

    #[test]
    fn a_share_that_is_none_says_what_one_is() {
        for bad in ["5", "%", "-1%", "101%", "100.01%", "1.005%", "1,5%", ".5%", "5 %", "five%", "99999999999999%"] {
            let error = bad.parse::<Share>().unwrap_err();
            assert!(error.contains("as in 5% or 2.5%"), "{bad}: {error}");
        }
    }

    #[test]
    fn a_body_is_what_the_plan_says() {
        let (plan, product_id) = (plan("10%"), "019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d".parse().unwrap());
        for n in [0, 9, 10, 29, 12_345] {
            let body: Value = serde_json::from_slice(&plan.body(n, product_id)).unwrap();
            let token = if plan.is_declined(n) { "tok_declined" } else { "tok_ok" };
            assert_eq!(
                body,
                json!({"lines": [{"product_id": product_id, "quantity": plan.quantity(n)}],
                    "email": plan.email(n), "payment": {"token": token}})
            );
            assert_eq!(plan.by_email(&plan.email(n)), Some(n));
        }
    }

    #[test]
    fn an_address_of_another_run_is_no_customer_of_this_one() {
        for email in ["ada@example.com", "bench-r8-1@shop.invalid", "bench-r7-x@shop.invalid", "bench-r7-1@x"] {
            assert_eq!(plan("0%").by_email(email), None, "{email}");
        }
    }
}

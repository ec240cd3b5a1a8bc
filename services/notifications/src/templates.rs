//! The texts of mails.

use std::sync::LazyLock;

use events::orders::ShipmentNews;
use events::{Address, OrderLine};
use kernel::Money;
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, Value, context};

use crate::domain::Template;

/// The contents of a mail.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Content<'a> {
    Welcome { username: &'a str },
    Confirmation { number: i64, lines: &'a [OrderLine], total: Money, ship_to: Option<&'a Address> },
    Rejection { number: i64, reason: &'a str },
    PaymentFailed { number: i64, error: &'a str, is_final: bool },
    Cancelled { number: i64, reason: &'a str, was_paid: bool },
    TooLateToCancel { number: i64 },
    Dispatched { number: i64, shipment: &'a ShipmentNews },
    Delivered { number: i64 },
    Refunded { number: i64, amount: Money },
    PasswordReset { username: &'a str, token: &'a str },
    PasswordChanged { username: &'a str },
    Verification { username: &'a str, token: &'a str },
}

/// A mail's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rendered {
    pub subject: String,
    pub text: String,
    pub html: String,
}

macro_rules! sources {
    ($($name:literal),* $(,)?) => { [$(($name, include_str!(concat!("../templates/", $name)))),*] };
}

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let sources = sources!(
        "layout.html",
        "welcome.txt",
        "welcome.html",
        "confirmation.txt",
        "confirmation.html",
        "rejection.txt",
        "rejection.html",
        "payment_failed.txt",
        "payment_failed.html",
        "cancelled.txt",
        "cancelled.html",
        "too_late_to_cancel.txt",
        "too_late_to_cancel.html",
        "dispatched.txt",
        "dispatched.html",
        "delivered.txt",
        "delivered.html",
        "refunded.txt",
        "refunded.html",
        "password_reset.txt",
        "password_reset.html",
        "password_changed.txt",
        "password_changed.html",
        "verification.txt",
        "verification.html",
    );
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_syntax(syntax.expect("the delimiters are the usual ones"));
    for (name, source) in sources {
        environment.add_template(name, source).expect("a test renders every template");
    }
    environment
});

impl Content<'_> {
    pub fn template(&self) -> Template {
        match self {
            Self::Welcome { .. } => Template::Welcome,
            Self::Confirmation { .. } => Template::Confirmation,
            Self::Rejection { .. } => Template::Rejection,
            Self::PaymentFailed { .. } => Template::PaymentFailed,
            Self::Cancelled { .. } => Template::Cancelled,
            Self::TooLateToCancel { .. } => Template::TooLateToCancel,
            Self::Dispatched { .. } => Template::Dispatched,
            Self::Delivered { .. } => Template::Delivered,
            Self::Refunded { .. } => Template::Refunded,
            Self::PasswordReset { .. } => Template::PasswordReset,
            Self::PasswordChanged { .. } => Template::PasswordChanged,
            Self::Verification { .. } => Template::Verification,
        }
    }

    /// True if its order has ended, or is paid: an earlier mail about the order says what is no longer so.
    pub fn is_end_of_order(&self) -> bool {
        match self {
            Self::Confirmation { .. } | Self::Rejection { .. } | Self::Cancelled { .. } => true,
            Self::PaymentFailed { is_final, .. } => *is_final,
            Self::Welcome { .. }
            | Self::TooLateToCancel { .. }
            | Self::Dispatched { .. }
            | Self::Delivered { .. }
            | Self::Refunded { .. }
            | Self::PasswordReset { .. }
            | Self::PasswordChanged { .. }
            | Self::Verification { .. } => false,
        }
    }

    /// The mail's words, with links to the pages at `shop_url`. What comes from outside is escaped in the HTML, and no
    /// part of the subject.
    pub fn render(&self, shop_url: &str) -> Rendered {
        let subject = self.subject();
        let values = context! { subject => subject.as_str(), ..self.values(shop_url) };
        let name = self.template().as_str();
        let (text, html) = (fill(&format!("{name}.txt"), &values), fill(&format!("{name}.html"), &values));
        Rendered { subject, text, html }
    }

    fn subject(&self) -> String {
        match self {
            Self::Welcome { .. } => "Welcome to Tradepost".to_owned(),
            Self::Confirmation { number, .. } => format!("Order {number} is confirmed"),
            Self::Rejection { number, .. } => format!("Order {number} can't be fulfilled"),
            Self::PaymentFailed { number, is_final: true, .. } => {
                format!("Order {number} is cancelled: its payment failed")
            }
            Self::PaymentFailed { number, is_final: false, .. } => format!("The payment for order {number} failed"),
            Self::Cancelled { number, .. } => format!("Order {number} is cancelled"),
            Self::TooLateToCancel { number } => format!("Order {number} can't be cancelled any more"),
            Self::Dispatched { number, shipment } if shipment.carrier.is_empty() => {
                format!("Order {number} was handed over")
            }
            Self::Dispatched { number, .. } => format!("Order {number} has left"),
            Self::Delivered { number } => format!("Order {number} has arrived"),
            Self::Refunded { number, amount } => format!("{amount} of order {number} went back"),
            Self::PasswordReset { .. } => "A new password for Tradepost".to_owned(),
            Self::PasswordChanged { .. } => "Your password was changed".to_owned(),
            Self::Verification { .. } => "Please verify your e-mail address".to_owned(),
        }
    }

    fn values(&self, shop_url: &str) -> Value {
        match *self {
            Self::Welcome { username } => context! { username },
            Self::Confirmation { number, lines, total, ship_to } => {
                let lines: Value = lines.iter().map(line).collect();
                context! { number, lines, total => total.to_string(), ship_to => ship_to.map(address) }
            }
            Self::Rejection { number, reason } => context! { number, reason => why_rejected(reason) },
            Self::PaymentFailed { number, error, is_final } => context! { number, error, is_final },
            Self::Cancelled { number, reason, was_paid } => {
                context! { number, reason => why_cancelled(reason), was_paid }
            }
            Self::TooLateToCancel { number } | Self::Delivered { number } => context! { number },
            Self::Dispatched { number, shipment } => {
                let lines = shipment.lines.iter();
                let lines = lines.map(|line| context! { quantity => line.quantity, name => line.name.as_str() });
                let lines: Value = lines.collect();
                let (carrier, tracking_number) = (&shipment.carrier, &shipment.tracking_number);
                context! { number, lines, carrier, tracking_number }
            }
            Self::Refunded { number, amount } => context! { number, amount => amount.to_string() },
            // The token stands behind the `#`, which no browser sends to a server or in a Referer.
            Self::PasswordReset { username, token } => {
                context! { username, link => format!("{shop_url}/password-reset#token={token}") }
            }
            Self::PasswordChanged { username } => context! { username },
            Self::Verification { username, token } => {
                context! { username, link => format!("{shop_url}/verify-email#token={token}") }
            }
        }
    }
}

fn fill(name: &str, values: &Value) -> String {
    let filled = TEMPLATES.get_template(name).and_then(|template| template.render(values));
    filled.expect("a test renders every template with every content")
}

fn line(line: &OrderLine) -> Value {
    context! {
        quantity => line.quantity,
        name => line.name.as_str(),
        unit_price => line.unit_price.to_string(),
    }
}

fn address(address: &Address) -> Value {
    let city = format!("{} {}", address.postal_code, address.city).trim().to_owned();
    let lines = [&address.name, &address.street, &city].into_iter().chain(&address.state).chain([&address.country]);
    lines.cloned().collect()
}

/// Reasons are codes for programs; people get words.
fn why_rejected(reason: &str) -> &'static str {
    match reason {
        "out_of_stock" => "because there is not enough in stock",
        _ => "because we can't deliver it",
    }
}

fn why_cancelled(reason: &str) -> &'static str {
    match reason {
        "cancelled" => "as requested",
        "payment_failed" | "too_many_attempts" => "because its payment failed",
        "expired" => "because it was not paid in time",
        "account_banned" => "because its account was closed to orders",
        _ => "because it could not be completed",
    }
}

#[cfg(test)]
mod tests {
    use events::orders::ShippedLine;
    use kernel::{Clock, Currency, Ids};

    use super::*;

    fn lines(name: &str) -> Vec<OrderLine> {
        vec![OrderLine {
            product_id: Ids::new(Clock::system()).next(),
            sku: "123".to_owned(),
            name: name.to_owned(),
            quantity: 2,
            unit_price: Money::new(99_900, Currency::EUR),
        }]
    }

    fn ship_to() -> Address {
        Address {
            name: "Ada Lovelace".to_owned(),
            street: "1 Example Street".to_owned(),
            city: "London".to_owned(),
            postal_code: "N1".to_owned(),
            state: None,
            country: "GB".to_owned(),
        }
    }

    #[test]
    fn every_content_renders_with_its_facts_in_both_forms() {
        let (lines, ship_to) = (lines("Laptop"), ship_to());
        let total = Money::new(199_800, Currency::EUR);
        let confirmation = |ship_to| Content::Confirmation { number: 1042, lines: &lines, total, ship_to };
        let failed = |is_final| Content::PaymentFailed { number: 1042, error: "the card was declined", is_final };
        let shipment = |carrier: &str| ShipmentNews {
            shipment_id: Ids::new(Clock::system()).next(),
            carrier: carrier.to_owned(),
            tracking_number: carrier.to_lowercase(),
            lines: vec![ShippedLine { name: "Laptop".to_owned(), quantity: 2 }],
        };
        let (sent, handed_over) = (shipment("DHL"), shipment(""));
        let cancelled = |reason, was_paid| Content::Cancelled { number: 1042, reason, was_paid };
        let cases: [(Content<'_>, &[&str]); 18] = [
            (Content::Welcome { username: "ada" }, &["ada"]),
            (confirmation(None), &["Laptop", "999.00 EUR", "1998.00 EUR"]),
            (confirmation(Some(&ship_to)), &["Laptop", "N1 London"]),
            (Content::Rejection { number: 1042, reason: "out_of_stock" }, &["1042", "not enough in stock"]),
            (failed(true), &["1042", "the card was declined", "order is cancelled"]),
            (failed(false), &["1042", "the card was declined", "still held"]),
            (cancelled("expired", false), &["1042", "not paid in time"]),
            (cancelled("unknown to us", false), &["1042", "could not be completed", "If you were charged"]),
            (cancelled("cancelled", true), &["1042", "as requested", "that you paid for it comes back"]),
            (cancelled("account_banned", true), &["1042", "closed to orders"]),
            (Content::TooLateToCancel { number: 1042 }, &["1042", "has left already"]),
            (Content::Dispatched { number: 1042, shipment: &sent }, &["1042", "Laptop", "DHL", "dhl"]),
            (Content::Dispatched { number: 1042, shipment: &handed_over }, &["1042", "Laptop", "handed over"]),
            (Content::Delivered { number: 1042 }, &["1042", "has arrived"]),
            (Content::Refunded { number: 1042, amount: total }, &["1042", "1998.00 EUR"]),
            (Content::PasswordReset { username: "ada", token: "AZ_t-6" }, &["ada", "password-reset#token=AZ_t-6"]),
            (Content::PasswordChanged { username: "ada" }, &["ada", "new password"]),
            (Content::Verification { username: "ada", token: "AZ_t-6" }, &["ada", "verify-email#token=AZ_t-6"]),
        ];
        for (content, facts) in cases {
            let rendered = content.render("https://shop.example");
            for fact in facts {
                assert!(rendered.text.contains(fact), "{fact} is missing in\n{}", rendered.text);
                assert!(rendered.html.contains(fact), "{fact} is missing in\n{}", rendered.html);
            }
            assert!(!rendered.subject.contains(['\r', '\n']));
        }
    }

    #[test]
    fn the_text_of_a_confirmation_reads_as_written() {
        let (lines, ship_to) = (lines("Laptop"), ship_to());
        let total = Money::new(199_800, Currency::EUR);
        let content = Content::Confirmation { number: 1042, lines: &lines, total, ship_to: Some(&ship_to) };
        let expected = "Thank you. Order 1042 is paid.\n\n2 x Laptop at 999.00 EUR\n\nTotal: 1998.00 EUR\n\n\
            We ship to:\n  Ada Lovelace\n  1 Example Street\n  N1 London\n  GB\n\nTradepost";
        assert_eq!(content.render("").text, expected);
    }

    #[test]
    fn money_has_the_decimals_of_its_currency_in_both_forms() {
        for (code, unit, total, said) in [
            ("EUR", 1_999, 3_998, ["19.99 EUR", "39.98 EUR"]),
            ("JPY", 5_000, 10_000, [" 5000 JPY", " 10000 JPY"]),
            ("KWD", 1_500, 3_000, ["1.500 KWD", "3.000 KWD"]),
        ] {
            let currency: Currency = code.parse().unwrap();
            let [line] = &lines("Laptop")[..] else { panic!("one line") };
            let lines = [OrderLine { unit_price: Money::new(unit, currency), ..line.clone() }];
            let content =
                Content::Confirmation { number: 1, lines: &lines, total: Money::new(total, currency), ship_to: None };
            let Rendered { text, html, .. } = content.render("https://shop.example");
            for amount in said {
                assert!(text.contains(amount), "{amount} is missing in\n{text}");
                assert!(html.contains(amount.trim()), "{amount} is missing in\n{html}");
            }
        }
    }

    #[test]
    fn markup_in_a_name_is_text() {
        let lines = lines("<img src=x onerror=alert(1)> & \"co\"");
        let total = Money::new(199_800, Currency::EUR);
        let html = Content::Confirmation { number: 1, lines: &lines, total, ship_to: None }.render("").html;
        assert!(!html.contains("<img") && html.contains("&lt;img"), "{html}");
    }
}

//! The texts of mails.

use std::sync::LazyLock;

use events::admin::RaisedAlert;
use events::orders::ShipmentNews;
use events::{Address, OrderLine, ProductId, PurchaseOrderId, PurchaseOrderLine};
use kernel::{Money, Timestamp};
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, Value, context};

use crate::domain::{Beyond, Template};

/// The contents of a mail.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Content<'a> {
    Welcome { username: &'a str },
    Confirmation { number: i64, lines: &'a [OrderLine], total: Money, ship_to: Option<&'a Address> },
    Rejection { number: i64, reason: &'a str },
    Backordered { number: i64 },
    PaymentDue { number: i64 },
    PaymentFailed { number: i64, error: &'a str, is_final: bool },
    Cancelled { number: i64, reason: &'a str, was_paid: bool },
    TooLateToCancel { number: i64 },
    Dispatched { number: i64, shipment: &'a ShipmentNews },
    Delivered { number: i64 },
    Refunded { number: i64, amount: Money },
    PasswordReset { username: &'a str, token: &'a str },
    PasswordChanged { username: &'a str },
    Verification { username: &'a str, token: &'a str },
    BackInStock { name: &'a str, product_id: ProductId, token: &'a str },
    PurchaseOrder(Purchase<'a>),
    PurchaseOrderChanged(Purchase<'a>),
    PurchaseOrderCancelled(Purchase<'a>),
    Alerts { alerts: &'a [RaisedAlert], rest: i64 },
}

/// A purchase order, as its supplier reads it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Purchase<'a> {
    pub purchase_order_id: PurchaseOrderId,
    pub supplier: &'a str,
    pub lines: &'a [PurchaseOrderLine],
    /// None of one that is cancelled.
    pub expected_at: Option<Timestamp>,
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
        "backordered.txt",
        "backordered.html",
        "payment_due.txt",
        "payment_due.html",
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
        "back_in_stock.txt",
        "back_in_stock.html",
        "purchase_order.txt",
        "purchase_order.html",
        "purchase_order_changed.txt",
        "purchase_order_changed.html",
        "purchase_order_cancelled.txt",
        "purchase_order_cancelled.html",
        "alerts.txt",
        "alerts.html",
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
            Self::Backordered { .. } => Template::Backordered,
            Self::PaymentDue { .. } => Template::PaymentDue,
            Self::PaymentFailed { .. } => Template::PaymentFailed,
            Self::Cancelled { .. } => Template::Cancelled,
            Self::TooLateToCancel { .. } => Template::TooLateToCancel,
            Self::Dispatched { .. } => Template::Dispatched,
            Self::Delivered { .. } => Template::Delivered,
            Self::Refunded { .. } => Template::Refunded,
            Self::PasswordReset { .. } => Template::PasswordReset,
            Self::PasswordChanged { .. } => Template::PasswordChanged,
            Self::Verification { .. } => Template::Verification,
            Self::BackInStock { .. } => Template::BackInStock,
            Self::PurchaseOrder(_) => Template::PurchaseOrder,
            Self::PurchaseOrderChanged(_) => Template::PurchaseOrderChanged,
            Self::PurchaseOrderCancelled(_) => Template::PurchaseOrderCancelled,
            Self::Alerts { .. } => Template::Alerts,
        }
    }

    /// The treatment of this mail if its recipient got as many as the hour allows.
    pub fn beyond_quota(&self) -> Beyond {
        match self {
            // The money that comes back is announced in no other mail.
            Self::Cancelled { was_paid: true, .. } => Beyond::Hold,
            content => content.template().beyond_quota(),
        }
    }

    /// True if its order has ended, or is paid: an earlier mail about the order says what is no longer so.
    pub fn is_end_of_order(&self) -> bool {
        match self {
            Self::Confirmation { .. } | Self::Rejection { .. } | Self::Cancelled { .. } => true,
            Self::PaymentFailed { is_final, .. } => *is_final,
            Self::Welcome { .. }
            | Self::Backordered { .. }
            | Self::PaymentDue { .. }
            | Self::TooLateToCancel { .. }
            | Self::Dispatched { .. }
            | Self::Delivered { .. }
            | Self::Refunded { .. }
            | Self::PasswordReset { .. }
            | Self::PasswordChanged { .. }
            | Self::Verification { .. }
            | Self::BackInStock { .. }
            | Self::PurchaseOrder(_)
            | Self::PurchaseOrderChanged(_)
            | Self::PurchaseOrderCancelled(_)
            | Self::Alerts { .. } => false,
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
            Self::Backordered { number } => format!("Order {number} waits for stock"),
            Self::PaymentDue { number } => format!("Order {number} is in stock: please pay it"),
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
            Self::BackInStock { .. } => "It is in stock again".to_owned(),
            Self::PurchaseOrder(it) => format!("Purchase order {}", it.purchase_order_id),
            Self::PurchaseOrderChanged(it) => format!("Purchase order {} has changed", it.purchase_order_id),
            Self::PurchaseOrderCancelled(it) => format!("Purchase order {} is cancelled", it.purchase_order_id),
            Self::Alerts { alerts, rest } => {
                match i64::try_from(alerts.len()).unwrap_or(i64::MAX).saturating_add(*rest) {
                    1 => "1 new alert".to_owned(),
                    count => format!("{count} new alerts"),
                }
            }
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
            Self::TooLateToCancel { number }
            | Self::Delivered { number }
            | Self::Backordered { number }
            | Self::PaymentDue { number } => context! { number },
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
            Self::BackInStock { name, product_id, token } => {
                let product = format!("{shop_url}/products/{product_id}");
                context! { name, product, link => format!("{shop_url}/back-in-stock/stop#token={token}") }
            }
            Self::PurchaseOrder(it) | Self::PurchaseOrderChanged(it) | Self::PurchaseOrderCancelled(it) => {
                let lines: Value = it.lines.iter().map(purchase_line).collect();
                let expected = it.expected_at.map(|time| time.strftime("%Y-%m-%d").to_string());
                context! { order => it.purchase_order_id.to_string(), supplier => it.supplier, lines, expected }
            }
            Self::Alerts { alerts, rest } => {
                let alerts: Value = alerts.iter().map(alert).collect();
                context! { alerts, rest }
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

fn purchase_line(line: &PurchaseOrderLine) -> Value {
    context! {
        quantity => line.quantity,
        sku => line.sku.as_str(),
        name => line.name.as_str(),
        unit_cost => line.unit_cost.to_string(),
    }
}

fn alert(alert: &RaisedAlert) -> Value {
    context! {
        kind => kind_of_alert(&alert.kind),
        detail => alert.detail.as_str(),
        since => alert.since.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        alert => alert.alert_id.to_string(),
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

/// A kind that this version does not know yet is shown as it is.
fn kind_of_alert(kind: &str) -> &str {
    match kind {
        "low_stock" => "Low stock",
        "purchase_order_overdue" => "Late purchase order",
        "refund_failed" => "Failed refund",
        "dead_letters" => "Dead letters",
        "order_stuck" => "Stuck order",
        "webhook_disabled" => "Disabled webhook",
        _ => kind,
    }
}

fn why_cancelled(reason: &str) -> &'static str {
    match reason {
        "cancelled" => "as requested",
        "payment_failed" | "too_many_attempts" => "because its payment failed",
        "expired" => "because it was not paid in time",
        "account_banned" => "because its account was closed to orders",
        "not_in_stock" => "because not enough came into stock in time",
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
        let product_id = Ids::new(Clock::system()).next();
        let purchased = [PurchaseOrderLine {
            product_id,
            sku: "123".to_owned(),
            name: "Laptop".to_owned(),
            quantity: 20,
            unit_cost: Money::new(98_000, Currency::EUR),
        }];
        let purchase = |expected_at| Purchase {
            purchase_order_id: Ids::new(Clock::system()).next(),
            supplier: "Nordic Computers",
            lines: &purchased,
            expected_at,
        };
        let expected = Some(Timestamp::UNIX_EPOCH);
        let cases: [(Content<'_>, &[&str]); 25] = [
            (Content::Welcome { username: "ada" }, &["ada"]),
            (confirmation(None), &["Laptop", "999.00 EUR", "1998.00 EUR"]),
            (confirmation(Some(&ship_to)), &["Laptop", "N1 London"]),
            (Content::Rejection { number: 1042, reason: "out_of_stock" }, &["1042", "not enough in stock"]),
            (Content::Backordered { number: 1042 }, &["1042", "in the order in which they were placed"]),
            (Content::PaymentDue { number: 1042 }, &["1042", "is held for you"]),
            (failed(true), &["1042", "the card was declined", "order is cancelled"]),
            (failed(false), &["1042", "the card was declined", "still held"]),
            (cancelled("expired", false), &["1042", "not paid in time"]),
            (cancelled("not_in_stock", false), &["1042", "came into stock in time"]),
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
            (
                Content::BackInStock { name: "Laptop", product_id, token: "AZ_t-6" },
                &["Laptop", "stop#token=AZ_t-6", &product_id.to_string()],
            ),
            (Content::PurchaseOrder(purchase(expected)), &["Nordic", "20", "123", "980.00 EUR", "by 1970-01-01"]),
            (Content::PurchaseOrderChanged(purchase(expected)), &["has changed", "20", "123", "by 1970-01-01"]),
            (Content::PurchaseOrderCancelled(purchase(None)), &["not wanted any more", "20", "123"]),
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
    fn a_mail_about_alerts_names_them_and_counts_the_others() {
        let raised = [RaisedAlert {
            alert_id: Ids::new(Clock::system()).next(),
            kind: "low_stock".to_owned(),
            subject: "a product".to_owned(),
            detail: "Laptop <123>: 2 available".to_owned(),
            since: Timestamp::UNIX_EPOCH,
        }];
        let expected = format!(
            "The shop has new alerts:\n\nLow stock: Laptop <123>: 2 available\n  since 1970-01-01 00:00 UTC, alert {}\n\n\
             And 3 more.\n\n`tradepost alerts list` shows all of them. An alert is resolved by itself when its cause is \
             gone.\n\nTradepost",
            raised[0].alert_id
        );
        let Rendered { subject, text, html } = Content::Alerts { alerts: &raised, rest: 3 }.render("");
        assert_eq!((subject.as_str(), text), ("4 new alerts", expected));
        assert!(html.contains("<strong>Low stock</strong>: Laptop &lt;123&gt;: 2 available"), "{html}");
        let Rendered { subject, text, .. } = Content::Alerts { alerts: &raised, rest: 0 }.render("");
        assert!(subject == "1 new alert" && !text.contains("more"), "{text}");
    }

    #[test]
    fn a_cancellation_waits_for_room_if_the_order_was_paid_and_costs_nothing_if_not() {
        let beyond = |was_paid| Content::Cancelled { number: 1042, reason: "cancelled", was_paid }.beyond_quota();
        assert_eq!((beyond(true), beyond(false)), (Beyond::Hold, Beyond::Drop));
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

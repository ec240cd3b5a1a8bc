//! What must be true of each order once everything has come to rest: its end, its money, its mail.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use kernel::{Clock, Ids};
use payments::{Simulated, Totals};
use serde::Deserialize;

use crate::books::{ALIVE, Books, Money, Order, until_balanced};
use crate::client::Client;
use crate::journal::Journal;
use crate::shop::Shop;

/// Longer than the lease of a charge that the last crash cut off, and the retries after it.
const PATIENCE: Duration = Duration::from_secs(150);

#[derive(Deserialize)]
struct Payment {
    order_id: String,
    amount: Money,
    status: String,
    looked_up: bool,
}

#[derive(Deserialize)]
struct Mail {
    order_id: Option<String>,
    to: String,
    template: String,
}

/// Orders, units, money and mail, as the process tells them.
pub struct FullBooks {
    pub books: Books,
    payments: Vec<Payment>,
    mails: Vec<Mail>,
}

impl FullBooks {
    /// Waits until everything is at rest and as it must be.
    pub async fn at_rest(client: &Client, shop: &Shop, journal: &Journal) -> Self {
        until_balanced(PATIENCE, client, async || Self::read(client).await.findings(shop, journal)).await;
        Self::read(client).await
    }

    async fn read(client: &Client) -> Self {
        Self {
            books: Books::read(client).await,
            payments: client.all("/v1/payments").await.expect(ALIVE),
            mails: client.all("/v1/mail").await.expect(ALIVE),
        }
    }

    fn findings(&self, shop: &Shop, journal: &Journal) -> Vec<String> {
        let mut findings = self.books.findings(shop, journal);
        let mut payments: HashMap<&str, Vec<&Payment>> = HashMap::new();
        for payment in &self.payments {
            payments.entry(&payment.order_id).or_default().push(payment);
        }
        let mut mails: HashMap<&str, Vec<&Mail>> = HashMap::new();
        for mail in &self.mails {
            mails.entry(mail.order_id.as_deref().unwrap_or_default()).or_default().push(mail);
        }
        let entries = journal.entries();
        let tokens: HashMap<&str, Option<&str>> =
            entries.iter().map(|entry| (entry.draft.email.as_str(), entry.draft.token)).collect();
        for order in &self.books.orders {
            let token = tokens.get(order.email.as_str()).copied().flatten();
            let payments = payments.remove(order.order_id.as_str()).unwrap_or_default();
            let mails = mails.remove(order.order_id.as_str()).unwrap_or_default();
            findings.extend(of_money(order, token, &payments));
            findings.extend(of_mail(order, &payments, &mails));
        }
        findings.extend(payments.keys().map(|order_id| format!("a payment of {order_id}, which is no order")));
        findings.extend(mails.keys().map(|order_id| format!("a mail about {order_id:?}, which is no order")));
        findings
    }

    /// What the provider must have in its own books: each charge once, and looked up before it was repeated.
    pub fn expected_totals(&self) -> Totals {
        let sum = |statuses: &[&str]| {
            let chosen = self.payments.iter().filter(|payment| statuses.contains(&payment.status.as_str()));
            chosen.fold((0, 0), |(count, amount), payment| (count + 1, amount + payment.amount.amount))
        };
        let ((charges, charged), (declined, _)) = (sum(&["captured", "refunded"]), sum(&["failed"]));
        let (refunds, refunded) = sum(&["refunded"]);
        Totals { charges, charged, declined, refunds, refunded, repeated: 0 }
    }

    /// Charges whose answer was lost: by what the token simulates, and by crashes.
    pub fn looked_up(&self, journal: &Journal) -> (usize, usize) {
        let simulated = journal.entries().into_iter().filter(|entry| entry.draft.token == Some("tok_timeout"));
        let simulated: Vec<String> = simulated.map(|entry| entry.draft.email).collect();
        let is_simulated = |payment: &&Payment| {
            let order = self.books.orders.iter().find(|order| order.order_id == payment.order_id);
            order.is_some_and(|order| simulated.contains(&order.email))
        };
        let (simulated, crashed): (Vec<_>, Vec<_>) =
            self.payments.iter().filter(|payment| payment.looked_up).partition(is_simulated);
        (simulated.len(), crashed.len())
    }
}

/// Every order is paid once, or holds no money at all; only one that waits for a token is not at its end.
fn of_money(order: &Order, token: Option<&str>, payments: &[&Payment]) -> Option<String> {
    let statuses: Vec<&str> = payments.iter().map(|payment| payment.status.as_str()).collect();
    let is_right = match (order.status.as_str(), order.reason.as_deref()) {
        ("paid", None) => {
            statuses == ["captured"]
                && payments[0].amount.amount == order.total.amount
                && order.payment.status == "captured"
                && matches!(token, Some("tok_ok" | "tok_timeout"))
        }
        ("rejected", Some("out_of_stock")) => statuses.is_empty(),
        ("cancelled", Some("payment_failed")) => statuses == ["failed"] && token == Some("tok_declined"),
        ("cancelled", Some("cancelled")) => matches!(statuses[..], [] | ["failed" | "voided" | "refunded"]),
        ("reserved", None) => match token {
            None => statuses.is_empty(),
            Some(token) => token == "tok_soft" && statuses == ["failed"] && order.payment.status == "failed",
        },
        _ => false,
    };
    let Order { order_id, status, reason, payment, .. } = order;
    (!is_right).then(|| {
        let payment = &payment.status;
        format!("{order_id} with {token:?} is {status} ({reason:?}), its payment {payment}, its payments {statuses:?}")
    })
}

/// Each end is told once, each decline is told once, and nothing else is told.
fn of_mail(order: &Order, payments: &[&Payment], mails: &[&Mail]) -> Option<String> {
    let end = match (order.status.as_str(), order.reason.as_deref()) {
        ("paid", _) => Some("confirmation"),
        ("rejected", _) => Some("rejection"),
        ("cancelled", Some("cancelled")) => Some("cancelled"),
        _ => None,
    };
    let declines = payments.iter().filter(|payment| payment.status == "failed").map(|_| "payment_failed");
    let mut expected: Vec<&str> = end.into_iter().chain(declines).collect();
    expected.sort_unstable();
    let mut told: Vec<&str> = mails.iter().map(|mail| mail.template.as_str()).collect();
    told.sort_unstable();
    let is_right = told == expected && mails.iter().all(|mail| mail.to == order.email);
    let Order { order_id, email, status, reason, .. } = order;
    (!is_right).then(|| format!("{order_id} is {status} ({reason:?}), and {email} was told {told:?}, not {expected:?}"))
}

/// The books of the simulated provider, which are its own. The process must have ended.
pub async fn provider_totals(data: &Path) -> Totals {
    let clock = Clock::system();
    let provider = Simulated::open(&data.join("payment-provider"), clock.clone(), Ids::new(clock));
    let provider = provider.expect("the provider's books can be opened once the process has ended");
    let totals = provider.totals().await.expect("the provider's books can be read");
    provider.close().await;
    totals
}

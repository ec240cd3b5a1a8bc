//! The invariants of each order once everything is settled: its end, its money, its mail.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::time::{Duration, Instant};

use kernel::{Clock, Ids};
use payments::{Simulated, Totals};
use serde::Deserialize;
use service::storage::Location;

use crate::archive::Archive;
use crate::books::{ALIVE, Books, Order, Payment, Shipment};
use crate::client::Client;
use crate::fulfilment::of_shipments;
use crate::journal::{Draft, Journal};
use crate::shop::{SUPPLIER, Shop};

/// The time after which all books must balance once nothing is pending: longer than the waits between the first attempts, and
/// than the lease of what a process held that was killed.
const BALANCED_WITHIN: Duration = Duration::from_mins(2);

/// The wait before the books are read again.
const READ_AGAIN: Duration = Duration::from_millis(500);

/// Findings that are shown at most: one defect tends to show in many orders.
const SHOWN_MAX: usize = 20;

/// The template of a mail to a supplier.
const PURCHASE_ORDER: &str = "purchase_order";

#[derive(Deserialize)]
struct Mail {
    order_id: Option<String>,
    to: String,
    template: String,
    text: String,
}

/// Orders, units, money and mail, as the process reports them.
pub struct FullBooks {
    pub books: Books,
    mails: Vec<Mail>,
}

impl FullBooks {
    /// Waits until everything is settled, and fails unless the books balance and webhooks came in their order.
    pub async fn settled(client: &Client, shop: &Shop, journal: &Journal) -> Self {
        let books = Self::settled_in_any_order(client, shop, journal).await;
        assert_eq!(shop.webhooks.receiver.order_violations(), Vec::<String>::new(), "webhooks came out of order");
        books
    }

    /// The same where webhooks may have come in another order.
    ///
    /// The books are read again for a while: what waits for its next attempt is not pending, and may yet move on.
    pub async fn settled_in_any_order(client: &Client, shop: &Shop, journal: &Journal) -> Self {
        client.settle().await;
        let deadline = Instant::now() + BALANCED_WITHIN;
        loop {
            client.settle().await;
            let books = Self::read(client).await;
            let mut archive = shop.archive.lock().await;
            archive.read(client).await;
            let mut findings = books.findings(shop, journal, &archive);
            findings.extend(archive.of_webhooks(&shop.webhooks));
            findings.extend(archive.of_analytics(client).await);
            if findings.is_empty() {
                shop.supplies.balanced(&books.books.orders);
                return books;
            }
            let shown = findings[..findings.len().min(SHOWN_MAX)].join("\n  ");
            assert!(
                Instant::now() < deadline,
                "after {BALANCED_WITHIN:?} there are {} findings:\n  {shown}",
                findings.len()
            );
            tokio::time::sleep(READ_AGAIN).await;
        }
    }

    async fn read(client: &Client) -> Self {
        Self { books: Books::read(client).await, mails: client.all("/v1/mail").await.expect(ALIVE) }
    }

    fn findings(&self, shop: &Shop, journal: &Journal, archive: &Archive) -> Vec<String> {
        let mut findings = self.books.findings(shop, journal);
        findings.extend(shop.supplies.of_purchases(shop, &self.books.purchases, archive));
        let mut payments: HashMap<&str, Vec<&Payment>> = HashMap::new();
        for payment in &self.books.payments {
            payments.entry(&payment.order_id).or_default().push(payment);
        }
        let mut shipments: HashMap<&str, Vec<&Shipment>> = HashMap::new();
        for shipment in &self.books.shipments {
            shipments.entry(&shipment.order_id).or_default().push(shipment);
        }
        let mut mails: HashMap<&str, Vec<&Mail>> = HashMap::new();
        let (to_supplier, to_customers): (Vec<_>, Vec<_>) =
            self.mails.iter().partition(|mail| mail.template == PURCHASE_ORDER);
        findings.extend(self.of_supplier_mail(&to_supplier));
        for mail in to_customers {
            mails.entry(mail.order_id.as_deref().unwrap_or_default()).or_default().push(mail);
        }
        let entries = journal.entries();
        let tokens: HashMap<&str, Option<&str>> =
            entries.iter().map(|entry| (entry.draft.email.as_str(), entry.draft.token)).collect();
        let waits = archive.waits();
        for order in &self.books.orders {
            let waits = waits.get(order.order_id.as_str()).copied().unwrap_or_default();
            let token = tokens.get(order.email.as_str()).copied().flatten();
            let payments = payments.remove(order.order_id.as_str()).unwrap_or_default();
            let mails = mails.remove(order.order_id.as_str()).unwrap_or_default();
            let shipments = shipments.remove(order.order_id.as_str()).unwrap_or_default();
            findings.extend(of_money(order, token, &payments));
            findings.extend(of_shipments(order, &shipments));
            findings.extend(of_mail(order, &payments, waits, &mails));
        }
        findings.extend(self.books.payments.iter().filter_map(Payment::of_refunds));
        findings.extend(payments.keys().map(|order_id| format!("a payment of {order_id}, which is no order")));
        findings.extend(shipments.keys().map(|order_id| format!("a shipment of {order_id}, which is no order")));
        findings.extend(mails.keys().map(|order_id| format!("a mail about {order_id:?}, which is no order")));
        findings
    }

    /// One mail for each purchase order, and no other.
    fn of_supplier_mail(&self, mails: &[&Mail]) -> Option<String> {
        let purchases = &self.books.purchases;
        let is_mailed_once = |id: &str| mails.iter().filter(|mail| mail.text.contains(id)).count() == 1;
        let is_right = purchases.iter().all(|order| is_mailed_once(&order.purchase_order_id))
            && mails.len() == purchases.len()
            && mails.iter().all(|mail| mail.to == SUPPLIER);
        (!is_right).then(|| format!("{} purchase orders were mailed {} times", purchases.len(), mails.len()))
    }

    /// Number of orders by their ends.
    pub fn ends(&self) -> BTreeMap<&str, usize> {
        let mut ends = BTreeMap::new();
        for order in &self.books.orders {
            *ends.entry(order.reason.as_deref().unwrap_or(&order.status)).or_default() += 1;
        }
        ends
    }

    /// The invariant of the provider's ledger: each charge and each refund once, and looked up before it was repeated.
    pub fn expected_totals(&self) -> Totals {
        let payments = &self.books.payments;
        let charged = payments.iter().filter(|payment| payment.captured.amount > 0);
        let declined = payments.iter().filter(|payment| payment.status == "failed");
        let refunds = payments.iter().flat_map(|payment| &payment.refunds);
        let refunds = refunds.filter(|refund| refund.status == "succeeded");
        let count = |many: usize| i64::try_from(many).expect("a run has few payments");
        Totals {
            charges: count(charged.clone().count()),
            charged: charged.map(|payment| payment.captured.amount).sum(),
            declined: count(declined.count()),
            refunds: count(refunds.clone().count()),
            refunded: refunds.map(|refund| refund.amount.amount).sum(),
            repeated: 0,
        }
    }

    /// Charges whose answer was lost: by what the token simulates, and by crashes.
    pub fn looked_up(&self, journal: &Journal) -> (usize, usize) {
        let entries = journal.entries();
        let simulated = entries.iter().filter(|entry| entry.draft.token == Some("tok_timeout"));
        let customers: HashSet<&str> = simulated.map(|entry| entry.draft.email.as_str()).collect();
        let orders = self.books.orders.iter().filter(|order| customers.contains(order.email.as_str()));
        let orders: HashSet<&str> = orders.map(|order| order.order_id.as_str()).collect();
        let looked_up = self.books.payments.iter().filter(|payment| payment.looked_up);
        let (by_token, by_crash): (Vec<_>, Vec<_>) =
            looked_up.partition(|payment| orders.contains(payment.order_id.as_str()));
        (by_token.len(), by_crash.len())
    }
}

/// Every order is paid once, or holds no money at all; only one that waits for a token is not at its end.
fn of_money(order: &Order, token: Option<&str>, payments: &[&Payment]) -> Option<String> {
    let statuses: Vec<&str> = payments.iter().map(|payment| payment.status.as_str()).collect();
    let kept: i64 = payments.iter().map(|payment| payment.kept()).sum();
    let is_right = match (order.status.as_str(), order.reason.as_deref()) {
        ("paid" | "shipped" | "delivered", None) => {
            let status = if order.payment.refunded.amount > 0 { "partially_refunded" } else { "captured" };
            statuses == ["captured"] && is_as_shown(order, payments[0]) && order.payment.status == status && kept > 0
        }
        ("refunded", None) => {
            let is_back = order.payment.status == "refunded" && kept == 0;
            statuses == ["refunded"] && is_as_shown(order, payments[0]) && is_back
        }
        ("backordered", None) => statuses.is_empty(),
        ("rejected", Some("out_of_stock")) => statuses.is_empty(),
        ("cancelled", Some("payment_failed")) => statuses == ["failed"] && token == Some("tok_declined"),
        ("cancelled", Some("cancelled")) => {
            let is_back = !order.is_cancelled_after_payment() || statuses == ["refunded"];
            matches!(statuses[..], [] | ["failed" | "voided" | "refunded"]) && kept == 0 && is_back
        }
        ("reserved", None) => match token {
            None => statuses.is_empty(),
            Some(token) => token == "tok_soft" && statuses == ["failed"] && order.payment.status == "failed",
        },
        _ => false,
    };
    let is_right = is_right && (!order.is_kept() || Draft::is_good_token(token));
    let Order { order_id, status, reason, payment, .. } = order;
    (!is_right).then(|| {
        let payment = &payment.status;
        format!("{order_id} with {token:?} is {status} ({reason:?}), its payment {payment}, its payments {statuses:?}")
    })
}

/// The total was captured, and the order shows what payments has.
fn is_as_shown(order: &Order, payment: &Payment) -> bool {
    let shown = &order.payment;
    payment.captured.amount == order.total.amount
        && (shown.captured.amount, shown.refunded.amount) == (payment.captured.amount, payment.refunded.amount)
}

/// One mail for each end, one for each decline, dispatch and refund, and no other. An order that was cancelled by its
/// customer says no more about a payment: a decline after that is not mailed. `waits` are the times at which it began to
/// wait for stock, and was asked for money when that had come.
fn of_mail(order: &Order, payments: &[&Payment], waits: (usize, usize), mails: &[&Mail]) -> Option<String> {
    let is_cancelled = order.status == "cancelled" && order.reason.as_deref() == Some("cancelled");
    let has_arrived = matches!(order.status.as_str(), "delivered" | "refunded");
    let expected = [
        ("confirmation", usize::from(order.is_kept() || order.is_cancelled_after_payment())),
        ("backordered", waits.0),
        ("payment_due", waits.1),
        ("rejection", usize::from(order.status == "rejected")),
        ("cancelled", usize::from(is_cancelled)),
        ("too_late_to_cancel", usize::from(order.cancellation.as_deref() == Some("too_late"))),
        ("dispatched", order.shipments.len()),
        ("delivered", usize::from(has_arrived)),
        ("refunded", payments.iter().map(|payment| payment.mailed_refunds()).sum()),
    ];
    let declines = payments.iter().filter(|payment| payment.status == "failed").count();
    let count = |template: &str| mails.iter().filter(|mail| mail.template == template).count();
    let mailed_declines = count("payment_failed");
    let declines_are_right = mailed_declines == declines || is_cancelled && mailed_declines < declines;
    let is_right = declines_are_right
        && (waits.0 == 1 || waits.0 == 0 && !order.is_waiting())
        && expected.iter().all(|(template, times)| count(template) == *times)
        && mails.len() == mailed_declines + expected.iter().map(|(_, times)| times).sum::<usize>()
        && mails.iter().all(|mail| mail.to == order.email);
    let Order { order_id, email, status, reason, .. } = order;
    (!is_right).then(|| {
        let mailed: Vec<&str> = mails.iter().map(|mail| mail.template.as_str()).collect();
        format!("{order_id} is {status} ({reason:?}) after {declines} declines, and {email} was mailed {mailed:?}")
    })
}

/// Waits until the provider is being asked for money whose charge is certain to last longer than a kill takes.
pub async fn until_charging(client: &Client, journal: &Journal) {
    loop {
        let newest: Vec<Payment> = client.first("/v1/payments").await.expect(ALIVE);
        let mut charging = newest.iter().filter(|payment| payment.status == "charging");
        if charging.any(|payment| journal.token_of(&payment.order_id) == Some("tok_slow")) {
            return;
        }
    }
}

/// The books of the simulated provider, which are its own. The process must have ended.
pub async fn provider_totals(data: &Path) -> Totals {
    provider_totals_at(Location::Folder(data.join("payment-provider"))).await
}

/// The same, wherever they are.
pub async fn provider_totals_at(location: Location) -> Totals {
    let clock = Clock::system();
    let provider = Simulated::open(location, clock.clone(), Ids::new(clock)).await;
    let provider = provider.expect("the provider's books can be opened once the process has ended");
    let totals = provider.totals().await.expect("the provider's books can be read");
    provider.close().await;
    totals
}

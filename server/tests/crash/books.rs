//! Orders and units: every acknowledged order is there, and every unit is sold, held or left.

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use serde_json::Value;

use crate::client::Client;
use crate::fulfilment::of_acks;
use crate::journal::{Cancelled, Entry, Journal, Placed};
use crate::shop::Shop;
use crate::supplies::PurchaseOrder;

/// Books are read of a process that nobody kills meanwhile.
pub const ALIVE: &str = "the process is alive";

#[derive(Deserialize)]
pub struct Order {
    pub order_id: String,
    pub number: i64,
    pub email: String,
    pub status: String,
    pub reason: Option<String>,
    pub lines: Vec<Line>,
    pub total: Money,
    pub payment: PaymentState,
    /// Those that have left.
    pub shipments: Vec<Left>,
    /// Of one that was to be cancelled after its payment.
    pub cancellation: Option<String>,
}

#[derive(Deserialize)]
pub struct Left {
    pub shipment_id: String,
    pub status: String,
}

#[derive(Deserialize)]
pub struct Line {
    pub product_id: String,
    pub quantity: i64,
}

#[derive(Clone, Copy, Deserialize)]
pub struct Money {
    pub amount: i64,
}

#[derive(Deserialize)]
pub struct PaymentState {
    pub status: String,
    pub captured: Money,
    pub refunded: Money,
}

#[derive(Deserialize)]
pub struct Shipment {
    pub shipment_id: String,
    pub order_id: String,
    pub status: String,
    pub lines: Vec<Line>,
}

#[derive(Deserialize)]
pub struct Payment {
    pub payment_id: String,
    pub order_id: String,
    pub status: String,
    pub looked_up: bool,
    pub captured: Money,
    pub refunded: Money,
    pub refunds: Vec<Refund>,
}

#[derive(Deserialize)]
pub struct Refund {
    pub refund_id: String,
    pub amount: Money,
    pub status: String,
    pub reason: Option<String>,
    pub restock: Vec<Line>,
}

#[derive(Deserialize)]
pub struct Stock {
    pub product_id: String,
    sku: String,
    on_hand: i64,
    reserved: i64,
    pub available: i64,
}

/// Orders and units, as the process reports them.
pub struct Books {
    pub orders: Vec<Order>,
    pub shipments: Vec<Shipment>,
    pub payments: Vec<Payment>,
    pub purchases: Vec<PurchaseOrder>,
    pub stock: Vec<Stock>,
    dead_letters: Vec<Value>,
}

impl Books {
    pub async fn read(client: &Client) -> Self {
        Self {
            orders: client.all("/v1/orders").await.expect(ALIVE),
            shipments: client.all("/v1/shipments").await.expect(ALIVE),
            payments: client.all("/v1/payments").await.expect(ALIVE),
            purchases: client.all("/v1/purchase-orders").await.expect(ALIVE),
            stock: client.all("/v1/stock").await.expect(ALIVE),
            dead_letters: client.all("/v1/dead-letters").await.expect(ALIVE),
        }
    }

    /// Everything that is not as it must be.
    pub fn findings(&self, shop: &Shop, journal: &Journal) -> Vec<String> {
        let entries = journal.entries();
        let mut findings = self.of_placements(shop, &entries);
        findings.extend(self.of_cancellations(&entries));
        findings.extend(of_acks(&entries, &self.shipments, &self.payments));
        findings.extend(self.of_units(shop));
        findings.extend(shop.supplies.of_waiting(shop, &entries, &self.orders, &self.stock));
        findings.extend(self.dead_letters.iter().map(|letter| format!("a dead letter: {letter}")));
        findings
    }

    /// The invariants of a copy, which lacks later work.
    pub fn of_copies(&self, shop: &Shop) -> Vec<String> {
        let mut findings = self.of_units(shop);
        findings.extend(self.dead_letters.iter().map(|letter| format!("a dead letter: {letter}")));
        findings
    }

    /// An acknowledged order is there; one without an answer is there whole or not at all.
    fn of_placements(&self, shop: &Shop, entries: &[Entry]) -> Vec<String> {
        let mut findings = Vec::new();
        let by_email = self.by_email();
        if by_email.len() < self.orders.len() {
            findings.push(format!("{} orders of {} customers", self.orders.len(), by_email.len()));
        }
        let numbers: HashSet<i64> = self.orders.iter().map(|order| order.number).collect();
        if numbers.len() < self.orders.len() {
            findings.push(format!("{} orders share {} numbers", self.orders.len(), numbers.len()));
        }
        let customers: HashSet<&str> = entries.iter().map(|entry| entry.draft.email.as_str()).collect();
        let unplaced = self.orders.iter().filter(|order| !customers.contains(order.email.as_str()));
        findings.extend(unplaced.map(|order| format!("{} is an order that nobody placed", order.order_id)));
        for Entry { draft, placed, .. } in entries {
            let email = &draft.email;
            match (placed, by_email.get(email.as_str())) {
                (Placed::Refused(answer), _) => {
                    findings.push(format!("the good order of {email} was refused: {answer}"));
                }
                (Placed::As(id), Some(order)) if order.order_id == *id => {}
                (Placed::As(id), _) => findings.push(format!("the order {id} of {email} was accepted and is lost")),
                (Placed::NotSent, Some(order)) => {
                    findings.push(format!("{} of {email} is there and was never sent whole", order.order_id));
                }
                (Placed::Unknown, _) | (Placed::NotSent, None) => {}
            }
            if let Some(order) = by_email.get(email.as_str())
                && !is_as_ordered(order, &draft.lines, shop)
            {
                findings.push(format!("{} has not the lines or not the total that {email} ordered", order.order_id));
            }
        }
        findings
    }

    fn of_cancellations(&self, entries: &[Entry]) -> Vec<String> {
        let by_email = self.by_email();
        let contradictions = entries.iter().filter_map(|entry| {
            let order = by_email.get(entry.draft.email.as_str())?;
            let status = order.status.as_str();
            let is_kept = match entry.cancelled {
                Cancelled::NotAsked | Cancelled::Unknown => true,
                Cancelled::Yes => status == "cancelled",
                Cancelled::Asked => status == "cancelled" || order.cancellation.as_deref() == Some("too_late"),
                Cancelled::TooLate => order.is_kept() || status == "rejected",
            };
            (!is_kept).then(|| format!("{} is {status}, against the answer to its cancellation", order.order_id))
        });
        contradictions.collect()
    }

    /// Units sold and not returned, held and left are the units stocked and received.
    fn of_units(&self, shop: &Shop) -> Vec<String> {
        let mut sold: HashMap<&str, i64> = HashMap::new();
        let mut held: HashMap<&str, i64> = HashMap::new();
        // An order that waits for its only product holds less than it wants.
        let mut held_by_waiting: HashMap<&str, i64> = HashMap::new();
        for line in self.orders.iter().filter(|order| order.is_waiting()).flat_map(|order| &order.lines) {
            *held_by_waiting.entry(&line.product_id).or_default() += line.quantity - 1;
        }
        let mut received: HashMap<&str, i64> = HashMap::new();
        for line in self.purchases.iter().flat_map(|order| &order.receipts).flat_map(|receipt| &receipt.lines) {
            *received.entry(&line.product_id).or_default() += line.quantity;
        }
        let mut kept: HashSet<&str> = HashSet::new();
        for order in &self.orders {
            let side = match order.status.as_str() {
                "reserved" => &mut held,
                _ if order.is_kept() => &mut sold,
                _ => continue,
            };
            for line in &order.lines {
                *side.entry(&line.product_id).or_default() += line.quantity;
            }
            kept.extend(order.is_kept().then_some(order.order_id.as_str()));
        }
        // All units of an order that was cancelled came back, whatever did before.
        let of_kept = self.payments.iter().filter(|payment| kept.contains(payment.order_id.as_str()));
        for line in of_kept.flat_map(Payment::returned) {
            *sold.entry(&line.product_id).or_default() -= line.quantity;
        }
        let mut findings: Vec<String> = self.stock.iter().filter_map(of_level).collect();
        for shelf in &shop.shelves {
            let id = shelf.product_id.as_str();
            let Some(stock) = self.stock.iter().find(|stock| stock.product_id == id) else {
                findings.push(format!("the stock of {id} is lost"));
                continue;
            };
            let [sold, held, waiting, received] =
                [&sold, &held, &held_by_waiting, &received].map(|units| units.get(id).copied().unwrap_or(0));
            let is_held = (held..=held + waiting).contains(&stock.reserved);
            if stock.on_hand != shelf.stocked + received - sold || !is_held {
                findings.push(format!(
                    "{}: {} stocked, {received} received, {sold} sold and not returned, {held} held by orders and up to \
                     {waiting} by those that wait, but {} on hand and {} reserved",
                    stock.sku, shelf.stocked, stock.on_hand, stock.reserved
                ));
            }
        }
        findings
    }

    fn by_email(&self) -> HashMap<&str, &Order> {
        self.orders.iter().map(|order| (order.email.as_str(), order)).collect()
    }
}

/// The invariant of a level at every moment.
pub fn of_level(stock: &Stock) -> Option<String> {
    let Stock { sku, on_hand, reserved, available, .. } = stock;
    let is_sound = *available == on_hand - reserved && *available >= 0 && *reserved >= 0;
    (!is_sound).then(|| format!("{sku}: {on_hand} on hand, {reserved} reserved, {available} available"))
}

fn is_as_ordered(order: &Order, ordered: &[(usize, i64)], shop: &Shop) -> bool {
    let lines = order.lines.iter().map(|line| (line.product_id.as_str(), line.quantity));
    let wanted = ordered.iter().map(|&(shelf, quantity)| (shop.shelves[shelf].product_id.as_str(), quantity));
    let total: i64 = ordered.iter().map(|&(shelf, quantity)| shop.shelves[shelf].price * quantity).sum();
    lines.eq(wanted) && order.total.amount == total
}

//! Products that suppliers deliver, and orders that wait for them: the buyer who receives and orders, and what must be
//! true of it afterwards.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError, Weak};
use std::time::Duration;

use kernel::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::archive::{Archive, id};
use crate::books::{Line, Order, Stock};
use crate::client::{Client, Unanswered};
use crate::journal::Entry;
use crate::load::{Patience, insist};
use crate::shop::Shop;

/// The wait of the buyer between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Units that come first of what was ordered.
const PART: i64 = 3;

/// The one who orders what is low.
const REPLENISHMENT: &str = "replenishment";

#[derive(Deserialize)]
pub struct PurchaseOrder {
    pub purchase_order_id: String,
    pub status: String,
    pub lines: Vec<Line>,
    pub receipts: Vec<Receipt>,
    pub placed_by: String,
    pub created_at: Timestamp,
}

#[derive(Deserialize)]
pub struct Receipt {
    pub receipt_id: String,
    pub lines: Vec<Line>,
    pub received_at: Timestamp,
}

/// Answers to the buyer, and what waited when the books last balanced.
#[derive(Default)]
pub struct Supplies(Mutex<State>);

#[derive(Default)]
struct State {
    /// Ids of purchase orders and receipts.
    acknowledged: Vec<String>,
    refused: Vec<String>,
    /// The newest order of that time, and those that waited.
    newest: String,
    waiting: Vec<String>,
}

impl PurchaseOrder {
    fn is_open(&self) -> bool {
        matches!(self.status.as_str(), "placed" | "partially_received")
    }

    fn has(&self, product_id: &str) -> bool {
        self.lines.iter().any(|line| line.product_id == product_id)
    }

    /// True if units of it were still to come at a time, or it was placed later.
    fn is_open_at(&self, time: Timestamp) -> bool {
        let last = self.receipts.iter().map(|receipt| receipt.received_at).max();
        self.is_open() || self.created_at >= time || last.is_some_and(|last| last >= time)
    }
}

impl Supplies {
    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Remembers the orders of books that balance.
    pub fn balanced(&self, orders: &[Order]) {
        self.with(|state| {
            state.newest = orders.iter().map(|order| order.order_id.clone()).max().unwrap_or_default();
            let waiting = orders.iter().filter(|order| order.is_waiting());
            state.waiting = waiting.map(|order| order.order_id.clone()).collect();
        });
    }

    /// Receives what is ordered, in two parts, and orders what customers wait for, until all of them have left.
    pub async fn buy(
        &self,
        client: &Client,
        shop: &Shop,
        patience: Patience,
        customers: &Weak<()>,
    ) -> Result<(), Unanswered> {
        while customers.strong_count() > 0 {
            tokio::time::sleep(LOOK_AGAIN).await;
            let Some((200, found)) = insist(client, "/v1/purchase-orders?limit=100", None, patience).await? else {
                continue;
            };
            let found: Vec<PurchaseOrder> =
                serde_json::from_value(found["items"].clone()).expect("purchase orders are listed");
            for order in found.iter().filter(|order| order.is_open()) {
                let line = &order.lines[0];
                let part = json!({"lines": [{"product_id": line.product_id, "quantity": PART}]});
                let path = format!("/v1/purchase-orders/{}/receive", order.purchase_order_id);
                if order.status == "placed" {
                    self.send(client, &path, &part, patience).await?;
                }
                self.send(client, &path, &json!({}), patience).await?;
            }
            for supplied in &shop.supplied {
                let product_id = &shop.shelves[supplied.shelf].product_id;
                if found.iter().any(|order| order.is_open() && order.has(product_id)) {
                    continue;
                }
                let path = format!("/v1/stock/{product_id}");
                let Some((200, stock)) = insist(client, &path, None, patience).await? else { continue };
                if stock["available"] == 0 {
                    let order = json!({"supplier_id": supplied.supplier_id, "lines": [{"product_id": product_id}]});
                    self.send(client, "/v1/purchase-orders", &order, patience).await?;
                }
            }
        }
        Ok(())
    }

    async fn send(&self, client: &Client, path: &str, body: &Value, patience: Patience) -> Result<(), Unanswered> {
        match insist(client, path, Some(body), patience).await? {
            None => {}
            Some((200 | 201, order)) => {
                let order: PurchaseOrder = serde_json::from_value(order).expect("a purchase order is answered");
                self.with(|state| {
                    state.acknowledged.extend(order.receipts.into_iter().map(|receipt| receipt.receipt_id));
                    state.acknowledged.push(order.purchase_order_id);
                });
            }
            // What had no answer was done all the same.
            Some((409, body)) if matches!(body["code"].as_str(), Some("already_received" | "exceeds_ordered")) => {}
            Some((status, body)) => self.with(|state| state.refused.push(format!("POST {path}: {status} {body}"))),
        }
        Ok(())
    }

    /// The answers are on record, and each shortage has one order.
    pub fn of_purchases(&self, shop: &Shop, purchases: &[PurchaseOrder], archive: &Archive) -> Vec<String> {
        let mut findings = self.with(|state| state.refused.clone());
        let receipts = purchases.iter().flat_map(|order| &order.receipts).map(|it| it.receipt_id.as_str());
        let known: HashSet<&str> = purchases.iter().map(|it| it.purchase_order_id.as_str()).chain(receipts).collect();
        let lost = self.with(|state| {
            state.acknowledged.iter().filter(|it| !known.contains(it.as_str())).cloned().collect::<Vec<_>>()
        });
        findings.extend(lost.iter().map(|id| format!("{id} was answered by suppliers, and is lost")));
        let low: HashMap<&str, &Value> =
            archive.of_type("inventory.stock_low.v1").map(|event| (id(event), event)).collect();
        let mut covered = HashSet::new();
        let by_itself = purchases.iter().filter(|order| order.placed_by == REPLENISHMENT);
        for order in by_itself {
            let placed = archive
                .of_type("suppliers.purchase_order_placed.v1")
                .find(|event| event["data"]["purchase_order_id"] == order.purchase_order_id.as_str());
            let cause = placed.and_then(|event| event["caused_by"].as_str()).unwrap_or_default();
            let is_low = low.get(cause).is_some_and(|event| order.has(event["subject"].as_str().unwrap_or_default()));
            if !is_low || !covered.insert(cause) {
                findings.push(format!("{} is of no shortage, or a second one of {cause:?}", order.purchase_order_id));
            }
        }
        for supplied in &shop.supplied {
            let product_id = shop.shelves[supplied.shelf].product_id.as_str();
            let of_product: Vec<_> = purchases.iter().filter(|order| order.has(product_id)).collect();
            let open = of_product.iter().filter(|order| order.is_open() && order.placed_by == REPLENISHMENT).count();
            if open > 1 {
                findings.push(format!("{product_id}: {open} open orders were placed because it is low"));
            }
            let shortages = low.values().filter(|event| supplied.is_replenished && event["subject"] == product_id);
            for shortage in shortages {
                let time = shortage["time"].as_str().and_then(|it| it.parse().ok()).expect("an event has a time");
                if !of_product.iter().any(|order| order.is_open_at(time)) {
                    findings.push(format!("nothing was ordered for the shortage {shortage}"));
                }
            }
        }
        findings
    }

    /// Orders wait only while there are no units, and are served in their order.
    pub fn of_waiting(&self, shop: &Shop, entries: &[Entry], orders: &[Order], stock: &[Stock]) -> Vec<String> {
        let mut findings = Vec::new();
        let wishes: HashMap<&str, bool> =
            entries.iter().map(|entry| (entry.draft.email.as_str(), entry.draft.waits)).collect();
        for order in orders {
            let waits = wishes.get(order.email.as_str()).copied().unwrap_or_default();
            if waits && order.status == "rejected" || !waits && order.is_waiting() {
                findings.push(format!("{} is {}, and wants to wait: {waits}", order.order_id, order.status));
            }
        }
        let (newest, waited) = self.with(|state| (state.newest.clone(), state.waiting.clone()));
        let waited: HashSet<&str> = waited.iter().map(String::as_str).collect();
        for supplied in &shop.supplied {
            let product_id = shop.shelves[supplied.shelf].product_id.as_str();
            let of_product: Vec<&Order> =
                orders.iter().filter(|order| order.lines.iter().any(|line| line.product_id == product_id)).collect();
            let waiting = of_product.iter().filter(|order| order.is_waiting());
            let available = stock.iter().find(|it| it.product_id == product_id).map(|it| it.available);
            if waiting.clone().count() > 0 && available != Some(0) {
                findings.push(format!("orders wait for {product_id}, of which {available:?} are available"));
            }
            // It has waited ever since.
            let first = waiting.map(|order| order.order_id.as_str()).filter(|id| waited.contains(id)).min();
            let Some(first) = first else { continue };
            let served = of_product.iter().filter(|order| order.status == "reserved" || order.is_kept());
            let overtook = served.map(|order| order.order_id.as_str()).filter(|id| {
                let had_waited = waited.contains(id) && *id > first;
                had_waited || *id > newest.as_str()
            });
            findings.extend(overtook.map(|id| format!("{id} got units of {product_id} before {first}, which waits")));
        }
        findings
    }
}

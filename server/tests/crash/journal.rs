//! The customers' own record: what each asked for, and what it was answered.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::rng::Rng;
use crate::shop::Shop;

/// The longest wait before a customer cancels: with none the order is not yet reserved, with this it is often paid.
const SECOND_THOUGHTS_MAX: Duration = Duration::from_millis(300);

/// Orders in a hundred of products that suppliers deliver, and those of them that wait if there is too little.
const SUPPLIED: usize = 12;
const WAITS: usize = 75;

/// The order of a customer. The e-mail address is in no other order: it finds the order whose answer was lost.
#[derive(Clone)]
pub struct Draft {
    pub email: String,
    /// Shelf and quantity.
    pub lines: Vec<(usize, i64)>,
    pub token: Option<&'static str>,
    /// It waits for units of which there are none.
    pub waits: bool,
    pub cancel_after: Option<Duration>,
    pub plan: Plan,
}

/// The plan of the shop for an order, once it is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// It waits to be sent.
    Wait,
    Send,
    SendPart,
    Deliver,
    /// Sent in two parts.
    DeliverParts,
    /// Delivered, then a unit comes back.
    ReturnPart,
    /// Delivered, then all of it comes back.
    ReturnAll,
    Cancel,
    /// Sent and cancelled at the same time.
    Race,
}

/// An order with which something is to be done.
pub struct Task {
    pub at: usize,
    pub order_id: String,
    /// Times that it was looked at in vain.
    pub looks: u32,
}

/// Of so many orders that are slowed down one is.
const EVERY_SLOW: usize = 5;

/// An answer that says that something was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ack {
    /// With the shipment.
    Dispatched(String),
    Delivered(String),
    /// With the refund.
    Refund(String),
}

/// The result of placing it.
#[derive(Clone, PartialEq, Eq)]
pub enum Placed {
    NotSent,
    /// It was sent, and the process died or the customer left before the answer: all or nothing.
    Unknown,
    As(String),
    Refused(String),
}

/// The result of cancelling it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    NotAsked,
    Unknown,
    Yes,
    /// It was paid: it will be, unless something has left.
    Asked,
    TooLate,
}

#[derive(Clone)]
pub struct Entry {
    pub draft: Draft,
    pub placed: Placed,
    pub cancelled: Cancelled,
    pub acks: Vec<Ack>,
}

pub struct Journal {
    entries: Mutex<Vec<Entry>>,
    tasks: Mutex<VecDeque<Task>>,
    answers: watch::Sender<usize>,
}

impl Draft {
    /// An order of one to three products. Most are paid at once; all other ends occur in every round.
    pub fn random(email: String, rng: &mut Rng) -> Self {
        let is_supplied = rng.percent(SUPPLIED);
        let waits = is_supplied && rng.percent(WAITS);
        // Of those that suppliers deliver one only, so that an order waits for that and for no other.
        let first = rng.between(if is_supplied { Shop::PRODUCTS..Shop::SHELVES } else { 0..Shop::PRODUCTS });
        let products = if is_supplied { 1 } else { rng.between(1..4) };
        let shelf = |n| if is_supplied { first } else { (first + n) % Shop::PRODUCTS };
        let lines = (0..products).map(|n| (shelf(n), rng.between(1..4)));
        let lines = lines.map(|(shelf, quantity)| (shelf, i64::try_from(quantity).expect("it is below 4"))).collect();
        let token = match rng.between(0..100) {
            0..64 => Some("tok_ok"),
            64..70 => Some("tok_refund_timeout"),
            70..78 => Some("tok_declined"),
            78..86 => Some("tok_timeout"),
            86..92 => Some("tok_soft"),
            _ => None,
        };
        let cancel_after =
            rng.percent(if waits { 25 } else { 8 }).then(|| rng.duration(Duration::ZERO..SECOND_THOUGHTS_MAX));
        // Whoever cancels gets one answer.
        let is_cancelled = cancel_after.is_some();
        let plan = match rng.between(0..100) {
            0..5 => Plan::Send,
            5..10 => Plan::SendPart,
            10..14 => Plan::Deliver,
            14..18 => Plan::DeliverParts,
            18..23 => Plan::ReturnPart,
            23..26 => Plan::ReturnAll,
            26..31 if !is_cancelled => Plan::Cancel,
            31..36 if !is_cancelled => Plan::Race,
            _ => Plan::Wait,
        };
        Self { email, lines, token, waits, cancel_after, plan }
    }

    /// A token that is charged in the end, unless the order is cancelled before.
    pub fn is_good_token(token: Option<&str>) -> bool {
        matches!(token, Some("tok_ok" | "tok_slow" | "tok_timeout" | "tok_refund_timeout"))
    }

    pub fn body(&self, shop: &Shop) -> Value {
        let lines = self.lines.iter();
        let lines: Vec<Value> = lines
            .map(|(shelf, quantity)| json!({"product_id": shop.shelves[*shelf].product_id, "quantity": quantity}))
            .collect();
        let mut body = json!({"email": self.email, "lines": lines});
        if self.waits {
            body["wait_for_stock"] = true.into();
        }
        if let Some(token) = self.token {
            body["payment"] = json!({"token": token});
        }
        body
    }
}

impl Entry {
    fn new(draft: Draft, placed: Placed) -> Self {
        Self { draft, placed, cancelled: Cancelled::NotAsked, acks: Vec::new() }
    }
}

impl Journal {
    pub fn new() -> Self {
        Self { entries: Mutex::default(), tasks: Mutex::default(), answers: watch::Sender::new(0) }
    }

    /// Plans more orders.
    pub fn plan(&self, count: usize, rng: &mut Rng) {
        let mut entries = self.lock();
        for _ in 0..count {
            let draft = Draft::random(format!("customer-{}@example.com", entries.len()), rng);
            entries.push(Entry::new(draft, Placed::NotSent));
        }
    }

    /// Has some of the orders that are still to be placed paid by a token whose answer takes seconds: charges that a kill
    /// meets on any machine.
    pub fn slow_down(&self) {
        let mut entries = self.lock();
        let not_sent = entries.iter_mut().filter(|entry| entry.placed == Placed::NotSent);
        for Entry { draft, .. } in not_sent.step_by(EVERY_SLOW) {
            *draft = Draft { token: Some("tok_slow"), waits: false, cancel_after: None, ..draft.clone() };
        }
    }

    /// Records an order that was placed in another way.
    pub fn record(&self, draft: Draft, placed: Placed) {
        self.lock().push(Entry::new(draft, placed));
    }

    /// The next order to place. From now on nobody knows whether it is placed, until its answer comes.
    pub fn take(&self) -> Option<(usize, Draft)> {
        let mut entries = self.lock();
        // They are taken in their order, so the last is the first to say that all are.
        let at = entries.partition_point(|entry| entry.placed != Placed::NotSent);
        let entry = entries.get_mut(at)?;
        entry.placed = Placed::Unknown;
        Some((at, entry.draft.clone()))
    }

    pub fn placed(&self, at: usize, placed: Placed) {
        self.lock()[at].placed = placed;
        self.answers.send_modify(|answers| *answers += 1);
    }

    pub fn cancelled(&self, at: usize, cancelled: Cancelled) {
        self.lock()[at].cancelled = cancelled;
    }

    /// Something good was refused.
    pub fn refused(&self, at: usize, wish: &str, (status, body): &(u16, Value)) {
        self.lock()[at].placed = Placed::Refused(format!("{wish}: {status} {body}"));
    }

    pub fn acknowledged(&self, at: usize, ack: Ack) {
        self.lock()[at].acks.push(ack);
    }

    pub fn draft(&self, at: usize) -> Draft {
        self.lock()[at].draft.clone()
    }

    /// The payment token of an order that was answered.
    pub fn token_of(&self, order_id: &str) -> Option<&'static str> {
        let entries = self.lock();
        let entry = entries.iter().rev().find(|entry| matches!(&entry.placed, Placed::As(id) if id == order_id))?;
        entry.draft.token
    }

    /// Remembers what is planned for an order, if it will ever be paid.
    pub fn plan_for(&self, at: usize, order_id: &str) {
        let Draft { plan, token, .. } = self.draft(at);
        if plan != Plan::Wait && Draft::is_good_token(token) {
            self.put_back(Task { at, order_id: order_id.to_owned(), looks: 0 });
        }
    }

    /// The order with which something is to be done next.
    pub fn next_task(&self) -> Option<Task> {
        self.tasks().pop_front()
    }

    pub fn put_back(&self, task: Task) {
        self.tasks().push_back(task);
    }

    /// Orders that were answered so far.
    pub fn answers(&self) -> watch::Receiver<usize> {
        self.answers.subscribe()
    }

    pub fn not_sent(&self) -> usize {
        self.count(|entry| entry.placed == Placed::NotSent)
    }

    pub fn unknown(&self) -> usize {
        self.count(|entry| entry.placed == Placed::Unknown)
    }

    pub fn entries(&self) -> Vec<Entry> {
        self.lock().clone()
    }

    fn count(&self, is_counted: impl Fn(&Entry) -> bool) -> usize {
        self.lock().iter().filter(|entry| is_counted(entry)).count()
    }

    fn tasks(&self) -> MutexGuard<'_, VecDeque<Task>> {
        self.tasks.lock().expect("nobody panics with the tasks in hand")
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().expect("nobody panics with the journal in hand")
    }
}

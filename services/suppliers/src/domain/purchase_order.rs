//! A purchase order's life: placed → partially received → received, or cancelled.

use std::collections::BTreeMap;

use events::{
    ProductId, PurchaseOrderCancelled, PurchaseOrderChanged, PurchaseOrderId, PurchaseOrderLine, PurchaseOrderOverdue,
    PurchaseOrderPlaced, PurchaseOrderReceived, ReceiptId, SupplierId,
};
use kernel::{Money, SignedDuration, Timestamp, Version};

use super::{Offer, Supplier};

/// The domain of suppliers that deliver by themselves, in a shop that simulates deliveries. No mail server has it
/// (RFC 2606), so no supplier that exists is taken for one.
const SIMULATED_DOMAIN: &str = "simulated.example";

/// Receipts of a purchase order at the most: they are read and answered with as a whole.
pub(crate) const RECEIPTS_MAX: usize = 100;

/// The status of a purchase order. `received` and `cancelled` are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Placed,
    PartiallyReceived,
    Received,
    /// Units that had not come by then are not wanted any more.
    Cancelled,
}

kernel::named!(Status {
    Placed = "placed",
    PartiallyReceived = "partially_received",
    Received = "received",
    Cancelled = "cancelled",
});

/// The supplier of a purchase order, as it is reached now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recipient {
    pub supplier_id: SupplierId,
    pub name: String,
    pub email: String,
}

/// Units of a product in a purchase order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub product_id: ProductId,
    pub sku: String,
    /// Its name when it was ordered.
    pub name: String,
    pub quantity: i64,
    pub unit_cost: Money,
    /// Units that came; more than were ordered if the shop took them.
    pub received: i64,
    /// The product was deleted while units were still to come.
    pub is_cancelled: bool,
}

/// One delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Receipt {
    pub receipt_id: ReceiptId,
    pub lines: Vec<(ProductId, i64)>,
    pub received_by: String,
    pub received_at: Timestamp,
}

/// A purchase order as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PurchaseOrder {
    pub purchase_order_id: PurchaseOrderId,
    pub supplier: Recipient,
    pub status: Status,
    /// Each product once.
    pub lines: Vec<Line>,
    pub receipts: Vec<Receipt>,
    /// An admin's account, `automation`, or `replenishment`.
    pub placed_by: String,
    pub expected_at: Timestamp,
    /// The time at which it was reported as overdue.
    pub overdue_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// As it was read: a transition leaves it, and its commit is guarded by it.
    pub version: Version,
}

/// A line of which units are still to come, in its place among those of the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    pub product_id: ProductId,
    pub place: i64,
    pub purchase_order_id: PurchaseOrderId,
}

/// Units of a product that an admin or a shortage wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WantedLine {
    pub product_id: ProductId,
    /// If there is none, the supplier's order quantity, or that of the line as it is.
    pub quantity: Option<i64>,
    /// If there is none, that of the supplier, or of the line as it is.
    pub unit_cost: Option<Money>,
}

/// Units that came.
#[derive(Clone, Debug)]
pub(crate) struct Delivered {
    /// If there are none, all that is still to come.
    pub lines: Option<Vec<(ProductId, i64)>>,
    /// More than was ordered is taken.
    pub over: bool,
    pub by: String,
}

/// A purchase order that is new.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Placed {
    pub order: PurchaseOrder,
    pub opened: Vec<Opened>,
    /// The supplier at the version that was read, so that it is not deleted at the same instant.
    pub supplier: (SupplierId, Version),
    /// The same of its products.
    pub products: Vec<(ProductId, Version)>,
    pub event: PurchaseOrderPlaced,
}

/// A change of a purchase order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Happened {
    pub order: PurchaseOrder,
    pub opened: Vec<Opened>,
    /// The products of the lines that were opened, at the versions that were read.
    pub products: Vec<(ProductId, Version)>,
    /// The products of the lines of which nothing is to come any more.
    pub closed: Vec<ProductId>,
    pub event: Event,
}

/// The report of a change.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Event {
    Changed(PurchaseOrderChanged),
    Cancelled(PurchaseOrderCancelled),
    Received(PurchaseOrderReceived),
    Overdue(PurchaseOrderOverdue),
}

/// More units of a product than are still to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Excess {
    pub product_id: ProductId,
    pub sku: String,
    pub received: i64,
    pub outstanding: i64,
}

/// Units of a product that came already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Received {
    pub product_id: ProductId,
    pub sku: String,
    pub received: i64,
}

/// Lines by index whose product the supplier does not deliver, or that is no longer for sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CannotPlace(pub Vec<usize>);

/// The reason why a purchase order can't be changed so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CannotChange {
    AlreadyReceived,
    Cancelled,
    NotOfSupplier(Vec<usize>),
    /// More came already.
    BelowReceived(Vec<Received>),
}

/// The reason why a purchase order can't be cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CannotCancel {
    AlreadyReceived,
    AlreadyCancelled,
}

/// The reason why units can't be received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CannotReceive {
    AlreadyReceived,
    Cancelled,
    /// Lines by index whose product is not in the order.
    NotInOrder(Vec<usize>),
    /// Products, by sku, that are no longer for sale.
    ProductDeleted(Vec<String>),
    Exceeds(Vec<Excess>),
    TooManyReceipts,
}

/// A purchase order with a supplier; `open` are the open lines of its products.
pub(crate) fn place(
    supplier: &Supplier,
    wanted: &[WantedLine],
    open: &[Opened],
    by: &str,
    purchase_order_id: PurchaseOrderId,
    now: Timestamp,
) -> Result<Placed, CannotPlace> {
    let (mut lines, mut opened, mut products, mut missing) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (index, wanted) in wanted.iter().enumerate() {
        let Some(offer) = supplier.offer(wanted.product_id) else {
            missing.push(index);
            continue;
        };
        lines.push(Line::of(offer, wanted));
        opened.push(Opened::next(wanted.product_id, open, purchase_order_id));
        products.push((wanted.product_id, offer.product.version));
    }
    if !missing.is_empty() {
        return Err(CannotPlace(missing));
    }
    let (supplier_id, name, email) = (supplier.supplier_id, supplier.name.clone(), supplier.email.clone());
    let order = PurchaseOrder {
        purchase_order_id,
        supplier: Recipient { supplier_id, name, email },
        status: Status::Placed,
        lines,
        receipts: Vec::new(),
        placed_by: by.to_owned(),
        expected_at: now + SignedDuration::from_hours(24 * supplier.lead_time_days),
        overdue_at: None,
        created_at: now,
        updated_at: now,
        version: Version::FIRST,
    };
    let event = PurchaseOrderPlaced {
        purchase_order_id,
        supplier_id,
        supplier_name: order.supplier.name.clone(),
        supplier_email: order.supplier.email.clone(),
        lines: order.wanted(),
        expected_at: order.expected_at,
    };
    Ok(Placed { order, opened, supplier: (supplier_id, supplier.version), products, event })
}

impl Recipient {
    /// True of a supplier that delivers by itself where deliveries are simulated.
    pub fn is_simulated(&self) -> bool {
        let domain = self.email.rsplit_once('@').map(|(_, domain)| domain);
        domain.is_some_and(|domain| domain.eq_ignore_ascii_case(SIMULATED_DOMAIN))
    }
}

impl Opened {
    /// The next place among a product's open lines.
    fn next(product_id: ProductId, open: &[Self], purchase_order_id: PurchaseOrderId) -> Self {
        let taken = open.iter().filter(|line| line.product_id == product_id).map(|line| line.place);
        Self { product_id, place: taken.max().map_or(0, |last| last + 1), purchase_order_id }
    }
}

impl Line {
    fn of(offer: &Offer, wanted: &WantedLine) -> Self {
        Self {
            product_id: wanted.product_id,
            sku: offer.product.sku.clone(),
            name: offer.product.name.clone(),
            quantity: wanted.quantity.unwrap_or(offer.order_quantity),
            unit_cost: wanted.unit_cost.unwrap_or(offer.unit_cost),
            received: 0,
            is_cancelled: false,
        }
    }

    /// Units that are still to come.
    pub fn outstanding(&self) -> i64 {
        if self.is_cancelled { 0 } else { (self.quantity - self.received).max(0) }
    }

    fn is_open(&self) -> bool {
        self.outstanding() > 0
    }

    fn units(&self, quantity: i64) -> PurchaseOrderLine {
        PurchaseOrderLine {
            product_id: self.product_id,
            sku: self.sku.clone(),
            name: self.name.clone(),
            quantity,
            unit_cost: self.unit_cost,
        }
    }
}

impl PurchaseOrder {
    /// The cost of all that is wanted; `None` if it does not fit.
    pub fn total(&self) -> Option<Money> {
        let mut lines = self.lines.iter().filter(|line| !line.is_cancelled).peekable();
        let currency = lines
            .peek()
            .map(|line| line.unit_cost.currency)
            .or(self.lines.first().map(|line| line.unit_cost.currency))?;
        lines.try_fold(Money::new(0, currency), |total, line| total.plus(line.unit_cost.times(line.quantity)?))
    }

    /// True while units are still to come.
    pub fn is_open(&self) -> bool {
        matches!(self.status, Status::Placed | Status::PartiallyReceived)
    }

    /// The lines as they are wanted now.
    pub fn wanted(&self) -> Vec<PurchaseOrderLine> {
        self.lines.iter().filter(|line| !line.is_cancelled).map(|line| line.units(line.quantity)).collect()
    }

    /// The units that are still to come.
    fn outstanding(&self) -> Vec<PurchaseOrderLine> {
        let open = self.lines.iter().filter(|line| line.is_open());
        open.map(|line| line.units(line.outstanding())).collect()
    }

    fn line(&self, product_id: ProductId) -> Option<&Line> {
        self.lines.iter().find(|line| line.product_id == product_id)
    }

    /// Refuses the change of an order that has ended.
    pub fn may_change(&self) -> Result<(), CannotChange> {
        match self.status {
            Status::Received => Err(CannotChange::AlreadyReceived),
            Status::Cancelled => Err(CannotChange::Cancelled),
            Status::Placed | Status::PartiallyReceived => Ok(()),
        }
    }

    /// The order with these lines. What came stays; `open` are the open lines of all products that are wanted.
    pub fn change(
        &self,
        wanted: &[WantedLine],
        supplier: &Supplier,
        open: &[Opened],
        now: Timestamp,
    ) -> Result<Option<Happened>, CannotChange> {
        self.may_change()?;
        let (mut lines, mut missing, mut below) = (Vec::new(), Vec::new(), Vec::new());
        for (index, wanted) in wanted.iter().enumerate() {
            let line = self.line(wanted.product_id).filter(|line| !line.is_cancelled);
            let offer = supplier.offer(wanted.product_id);
            let line = match (line, offer) {
                (Some(line), _) => Line {
                    quantity: wanted.quantity.unwrap_or(line.quantity),
                    unit_cost: wanted.unit_cost.unwrap_or(line.unit_cost),
                    ..line.clone()
                },
                (None, Some(offer)) => Line::of(offer, wanted),
                (None, None) => {
                    missing.push(index);
                    continue;
                }
            };
            let was_open = self.line(line.product_id).is_some_and(Line::is_open);
            if line.is_open() && !was_open && offer.is_none() {
                missing.push(index);
            }
            lines.push(line);
        }
        let stays = |line: &&Line| !lines.iter().any(|other| other.product_id == line.product_id);
        let left: Vec<Line> = self.lines.iter().filter(stays).cloned().collect();
        let came =
            |line: &Line| Received { product_id: line.product_id, sku: line.sku.clone(), received: line.received };
        below.extend(lines.iter().filter(|line| line.quantity < line.received.min(self.ordered(line))).map(came));
        below.extend(left.iter().filter(|line| !line.is_cancelled && line.received > 0).map(came));
        if !missing.is_empty() {
            return Err(CannotChange::NotOfSupplier(missing));
        }
        if !below.is_empty() {
            return Err(CannotChange::BelowReceived(below));
        }
        // A line whose product was deleted stays, for it says what became of it.
        lines.extend(left.into_iter().filter(|line| line.is_cancelled));
        if lines == self.lines {
            return Ok(None);
        }
        let mut changed = Self { lines, updated_at: now, ..self.clone() };
        changed.status = changed.status_by_lines();
        let event = Event::Changed(changed.changed_event());
        let mut happened = self.becomes(changed, event);
        for line in happened.order.lines.iter().filter(|line| line.is_open()) {
            let was_open = self.line(line.product_id).is_some_and(Line::is_open);
            if let Some(offer) = supplier.offer(line.product_id).filter(|_| !was_open) {
                happened.opened.push(Opened::next(line.product_id, open, self.purchase_order_id));
                happened.products.push((line.product_id, offer.product.version));
            }
        }
        Ok(Some(happened))
    }

    /// Units of the line as it was ordered; more may have come than that.
    fn ordered(&self, line: &Line) -> i64 {
        self.line(line.product_id).map_or(0, |line| line.quantity)
    }

    /// Nothing more of it is wanted.
    pub fn cancel(&self, now: Timestamp) -> Result<Happened, CannotCancel> {
        match self.status {
            Status::Received => Err(CannotCancel::AlreadyReceived),
            Status::Cancelled => Err(CannotCancel::AlreadyCancelled),
            Status::Placed | Status::PartiallyReceived => {
                let cancelled = Self { status: Status::Cancelled, updated_at: now, ..self.clone() };
                Ok(self.becomes(cancelled, Event::Cancelled(self.cancelled_event())))
            }
        }
    }

    /// Units came. `deleted` are those of its products that are no longer for sale.
    pub fn receive(
        &self,
        delivered: &Delivered,
        deleted: &[ProductId],
        receipt_id: ReceiptId,
        now: Timestamp,
    ) -> Result<Happened, CannotReceive> {
        if self.status == Status::Cancelled {
            return Err(CannotReceive::Cancelled);
        }
        if self.receipts.len() >= RECEIPTS_MAX {
            return Err(CannotReceive::TooManyReceipts);
        }
        let units = match &delivered.lines {
            Some(lines) => self.named(lines, deleted)?,
            None if self.is_open() => self.outstanding().iter().map(|line| (line.product_id, line.quantity)).collect(),
            None => return Err(CannotReceive::AlreadyReceived),
        };
        let excess = self.lines.iter().filter_map(|line| {
            let (received, outstanding) = (*units.get(&line.product_id)?, line.outstanding());
            let (product_id, sku) = (line.product_id, line.sku.clone());
            (received > outstanding).then_some(Excess { product_id, sku, received, outstanding })
        });
        let excess: Vec<Excess> = excess.collect();
        if !delivered.over && !excess.is_empty() {
            return Err(CannotReceive::Exceeds(excess));
        }
        let came = |line: &Line| units.get(&line.product_id).copied().unwrap_or_default();
        let lines = self.lines.iter().map(|line| Line { received: line.received + came(line), ..line.clone() });
        let receipt = Receipt {
            receipt_id,
            lines: units.iter().map(|(&product_id, &quantity)| (product_id, quantity)).collect(),
            received_by: delivered.by.clone(),
            received_at: now,
        };
        let receipts = self.receipts.iter().cloned().chain([receipt]).collect();
        let mut received = Self { lines: lines.collect(), receipts, updated_at: now, ..self.clone() };
        received.status = received.status_by_lines();
        let arrived = self.lines.iter().filter(|line| came(line) > 0).map(|line| line.units(came(line)));
        let event = PurchaseOrderReceived {
            purchase_order_id: self.purchase_order_id,
            supplier_id: self.supplier.supplier_id,
            supplier_email: self.supplier.email.clone(),
            receipt_id,
            lines: arrived.collect(),
        };
        Ok(self.becomes(received, Event::Received(event)))
    }

    /// The units of a delivery that names them, each product once.
    fn named(
        &self,
        lines: &[(ProductId, i64)],
        deleted: &[ProductId],
    ) -> Result<BTreeMap<ProductId, i64>, CannotReceive> {
        let mut units: BTreeMap<ProductId, i64> = BTreeMap::new();
        let (mut missing, mut gone) = (Vec::new(), Vec::new());
        for (index, &(product_id, quantity)) in lines.iter().enumerate() {
            match self.line(product_id) {
                None => missing.push(index),
                Some(line) if line.is_cancelled || deleted.contains(&product_id) => gone.push(line.sku.clone()),
                Some(_) => *units.entry(product_id).or_default() += quantity,
            }
        }
        if !missing.is_empty() {
            return Err(CannotReceive::NotInOrder(missing));
        }
        if gone.is_empty() { Ok(units) } else { Err(CannotReceive::ProductDeleted(gone)) }
    }

    /// A product is no longer for sale: what is still to come of it is not wanted. `None` if nothing is to come.
    pub fn without_product(&self, product_id: ProductId, now: Timestamp) -> Option<Happened> {
        self.line(product_id).filter(|line| self.is_open() && line.is_open())?;
        let without = |line: &Line| Line { is_cancelled: line.product_id == product_id, ..line.clone() };
        let lines = self.lines.iter().map(|line| if line.is_cancelled { line.clone() } else { without(line) });
        let mut order = Self { lines: lines.collect(), updated_at: now, ..self.clone() };
        if order.lines.iter().any(Line::is_open) {
            let event = Event::Changed(order.changed_event());
            return Some(self.becomes(order, event));
        }
        order.status = Status::Cancelled;
        Some(self.becomes(order, Event::Cancelled(self.cancelled_event())))
    }

    /// The lead time is over; `None` if nothing is to come, or it was reported.
    pub fn overdue(&self, now: Timestamp) -> Option<Happened> {
        let is_late = self.is_open() && self.overdue_at.is_none() && now >= self.expected_at;
        is_late.then(|| {
            let event = PurchaseOrderOverdue {
                purchase_order_id: self.purchase_order_id,
                supplier_id: self.supplier.supplier_id,
                supplier_email: self.supplier.email.clone(),
                lines: self.outstanding(),
                expected_at: self.expected_at,
            };
            let overdue = Self { overdue_at: Some(now), updated_at: now, ..self.clone() };
            self.becomes(overdue, Event::Overdue(event))
        })
    }

    fn status_by_lines(&self) -> Status {
        let came = self.lines.iter().any(|line| line.received > 0);
        match (self.lines.iter().any(Line::is_open), came) {
            (false, _) => Status::Received,
            (true, true) => Status::PartiallyReceived,
            (true, false) => Status::Placed,
        }
    }

    /// The change from this order to another.
    fn becomes(&self, order: Self, event: Event) -> Happened {
        let is_open = |product_id| order.is_open() && order.line(product_id).is_some_and(Line::is_open);
        let open = self.lines.iter().filter(|line| self.is_open() && line.is_open());
        let closed = open.map(|line| line.product_id).filter(|product_id| !is_open(*product_id)).collect();
        Happened { order, opened: Vec::new(), products: Vec::new(), closed, event }
    }

    fn changed_event(&self) -> PurchaseOrderChanged {
        PurchaseOrderChanged {
            purchase_order_id: self.purchase_order_id,
            supplier_id: self.supplier.supplier_id,
            supplier_name: self.supplier.name.clone(),
            supplier_email: self.supplier.email.clone(),
            lines: self.wanted(),
            expected_at: self.expected_at,
        }
    }

    fn cancelled_event(&self) -> PurchaseOrderCancelled {
        PurchaseOrderCancelled {
            purchase_order_id: self.purchase_order_id,
            supplier_id: self.supplier.supplier_id,
            supplier_name: self.supplier.name.clone(),
            supplier_email: self.supplier.email.clone(),
            lines: self.outstanding(),
        }
    }
}

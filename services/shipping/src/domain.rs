//! A shipment's life: pending → dispatched → delivered, or pending → stopped.
//!
//! An order's shipments are a chain: a dispatch of a part leaves the rest as the next shipment, so at most the last one
//! is pending. A cancellation stops the chain if nothing of it has left, else it stops nothing. A refund of units that
//! have not left withholds them from the pending one, see [`refund`].

mod refund;

pub(crate) use refund::{Reduced, Refund, Withheld, withhold};

use std::collections::BTreeMap;

use events::{
    Address, CancellationRequested, OrderId, OrderPaid, ProductId, ShipmentContent, ShipmentDelivered,
    ShipmentDispatched, ShipmentId, ShipmentLine, ShipmentReduced, ShipmentStopped,
};
use kernel::{Timestamp, UserId, Version};

/// Shipments of an order at the most: its shipments are read and answered with as a whole.
pub(crate) const PARTS_MAX: i64 = 100;

/// The place of an order's first shipment among its shipments.
pub(crate) const FIRST_PART: i64 = 1;

/// The status of a shipment. `delivered` and `stopped` are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Pending,
    Dispatched,
    Delivered,
    /// Its order was cancelled before any of it left, or all its units were refunded before they did.
    Stopped,
}

kernel::named!(Status {
    Pending = "pending",
    Dispatched = "dispatched",
    Delivered = "delivered",
    Stopped = "stopped",
});

/// The way of a shipment to its customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Delivery,
    /// The customer comes for it: the order has no address.
    Collection,
}

kernel::named!(Method { Delivery = "delivery", Collection = "collection" });

/// A part of an order, or all of it, that leaves together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shipment {
    pub shipment_id: ShipmentId,
    pub order_id: OrderId,
    /// Its place among the shipments of its order, from 1.
    pub part: i64,
    /// The order's number for people.
    pub number: i64,
    /// The customer's account; none of a guest.
    pub user_id: Option<UserId>,
    pub status: Status,
    pub ship_to: Option<Address>,
    pub lines: Vec<ShipmentLine>,
    /// Units that it has lost: they were refunded before it left.
    pub withheld: Vec<ShipmentLine>,
    /// Empty until it leaves, and of one that is collected.
    pub carrier: String,
    pub tracking_number: String,
    pub dispatched_by: Option<String>,
    pub delivered_by: Option<String>,
    pub dispatched_at: Option<Timestamp>,
    pub delivered_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// As it was read: a transition leaves it, and its commit is guarded by it.
    pub version: Version,
}

/// The way in which a shipment leaves.
#[derive(Clone, Debug)]
pub(crate) struct Departure {
    pub carrier: Option<String>,
    pub tracking_number: Option<String>,
    /// The units that leave; all if there are none.
    pub lines: Option<Vec<(ProductId, i64)>>,
    /// The actor who dispatches it.
    pub by: String,
}

/// A dispatch.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Dispatched {
    pub shipment: Shipment,
    /// The next shipment, if units stay.
    pub rest: Option<Shipment>,
    pub event: ShipmentDispatched,
}

/// More units of a product than the shipment has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Excess {
    pub product_id: ProductId,
    pub sku: String,
    pub asked: i64,
    pub there: i64,
}

/// The reason why a shipment can't leave so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CannotDispatch {
    AlreadyDispatched,
    Stopped,
    /// It goes to an address, and these fields of the departure are not given.
    Required(Vec<&'static str>),
    /// Lines by index whose product is not in the shipment.
    NotInShipment(Vec<usize>),
    Exceeds(Vec<Excess>),
    /// The rest would be a shipment too many.
    TooManyShipments,
}

/// The reason why a shipment can't have arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CannotDeliver {
    NotDispatched,
    AlreadyDelivered,
    Stopped,
}

/// An order's shipment, as its payment makes it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Paid {
    /// It is new.
    New(Shipment),
    /// A cancellation or a refund was known before the payment. Now it has its lines: those of an order that was cancelled
    /// stay stopped, and those that were refunded are withheld.
    Known(Shipment, Option<ShipmentReduced>),
}

/// The answer to a cancellation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    /// The shipments that it stops.
    pub stopped: Vec<Shipment>,
    /// The shipment that stands for an order whose payment is not known yet.
    pub unpaid: Option<Shipment>,
    /// The version of what it is about.
    pub version: Version,
    pub event: ShipmentStopped,
}

/// The shipment of a paid order of which `first` is known, without the units of these refunds; `None` if its payment is
/// known already.
pub(crate) fn paid(
    order: &OrderPaid,
    first: Option<&Shipment>,
    refunds: &[Refund],
    shipment_id: ShipmentId,
    now: Timestamp,
) -> Option<Paid> {
    let (user_id, ship_to) = (order.user_id, order.ship_to.clone());
    let lines = order.lines.iter().map(|line| ShipmentLine {
        product_id: line.product_id,
        sku: line.sku.clone(),
        name: line.name.clone(),
        quantity: line.quantity,
    });
    match first {
        None => {
            let made = Shipment::first(shipment_id, order.order_id, order.number, now);
            Some(Paid::New(Shipment { user_id, ship_to, lines: lines.collect(), ..made }))
        }
        Some(first) if first.is_of_unpaid_order() => {
            let (number, lines) = (order.number, lines.collect());
            let known = Shipment { number, user_id, ship_to, lines, updated_at: now, ..first.clone() };
            Some(match known.reduced(&mut refund::units(refunds), now) {
                Some(Reduced { shipment, event }) => Paid::Known(shipment, Some(event)),
                None => Paid::Known(known, None),
            })
        }
        Some(_) => None,
    }
}

/// Stops all shipments of an order, if nothing of it has left.
///
/// Asked again, it answers alike: nothing leaves once it is stopped, and nothing is stopped once something has left.
/// An order whose payment is not known yet gets a stopped shipment without lines, by which its payment finds that it was
/// cancelled: both would insert the order's first shipment, so only one of two that cross decides on what it read.
pub(crate) fn cancel(
    request: &CancellationRequested,
    shipments: &[Shipment],
    unpaid_id: ShipmentId,
    now: Timestamp,
) -> Answer {
    let order_id = request.order_id;
    let version = shipments.iter().map(|shipment| shipment.version).max().unwrap_or(Version::FIRST);
    let left: Vec<ShipmentContent> = shipments.iter().filter(|it| it.has_left()).map(Shipment::content).collect();
    if !left.is_empty() {
        let event = ShipmentStopped { order_id, stopped: Vec::new(), left };
        return Answer { stopped: Vec::new(), unpaid: None, version, event };
    }
    let pending = shipments.iter().filter(|it| it.status == Status::Pending);
    let stopped = pending.map(|it| Shipment { number: request.number, ..it.moved(Status::Stopped, now) });
    let stopped: Vec<Shipment> = stopped.collect();
    let unpaid = shipments
        .is_empty()
        .then(|| Shipment { status: Status::Stopped, ..Shipment::first(unpaid_id, order_id, request.number, now) });
    let contents = shipments.iter().filter(|it| !it.lines.is_empty()).map(Shipment::content).collect();
    let version = if stopped.is_empty() { version } else { version.next() };
    Answer { stopped, unpaid, version, event: ShipmentStopped { order_id, stopped: contents, left } }
}

impl Shipment {
    /// A pending shipment of an order, to be filled.
    fn first(shipment_id: ShipmentId, order_id: OrderId, number: i64, now: Timestamp) -> Self {
        Self {
            shipment_id,
            order_id,
            part: FIRST_PART,
            number,
            user_id: None,
            status: Status::Pending,
            ship_to: None,
            lines: Vec::new(),
            withheld: Vec::new(),
            carrier: String::new(),
            tracking_number: String::new(),
            dispatched_by: None,
            delivered_by: None,
            dispatched_at: None,
            delivered_at: None,
            created_at: now,
            updated_at: now,
            version: Version::FIRST,
        }
    }

    /// The way to its customer.
    pub fn method(&self) -> Method {
        if self.ship_to.is_some() { Method::Delivery } else { Method::Collection }
    }

    /// It leaves, or a part of it does: then the rest becomes the next shipment.
    pub fn dispatch(
        &self,
        departure: &Departure,
        rest_id: ShipmentId,
        now: Timestamp,
    ) -> Result<Dispatched, CannotDispatch> {
        match self.status {
            Status::Pending => {}
            Status::Dispatched | Status::Delivered => return Err(CannotDispatch::AlreadyDispatched),
            Status::Stopped => return Err(CannotDispatch::Stopped),
        }
        self.check(departure)?;
        let (leaving, staying) = match &departure.lines {
            Some(wanted) => self.split(wanted)?,
            None => (self.lines.clone(), Vec::new()),
        };
        if !staying.is_empty() && self.part >= PARTS_MAX {
            return Err(CannotDispatch::TooManyShipments);
        }
        let rest = (!staying.is_empty()).then(|| Self {
            part: self.part + 1,
            user_id: self.user_id,
            ship_to: self.ship_to.clone(),
            lines: staying,
            ..Self::first(rest_id, self.order_id, self.number, now)
        });
        let shipment = Self {
            lines: leaving,
            carrier: departure.carrier.clone().unwrap_or_default(),
            tracking_number: departure.tracking_number.clone().unwrap_or_default(),
            dispatched_by: Some(departure.by.clone()),
            dispatched_at: Some(now),
            ..self.moved(Status::Dispatched, now)
        };
        let event = ShipmentDispatched {
            shipment_id: shipment.shipment_id,
            order_id: shipment.order_id,
            user_id: shipment.user_id,
            carrier: shipment.carrier.clone(),
            tracking_number: shipment.tracking_number.clone(),
            lines: shipment.lines.clone(),
        };
        Ok(Dispatched { shipment, rest, event })
    }

    /// It arrived.
    pub fn deliver(&self, by: &str, now: Timestamp) -> Result<(Self, ShipmentDelivered), CannotDeliver> {
        match self.status {
            Status::Dispatched => {}
            Status::Pending => return Err(CannotDeliver::NotDispatched),
            Status::Delivered => return Err(CannotDeliver::AlreadyDelivered),
            Status::Stopped => return Err(CannotDeliver::Stopped),
        }
        let delivered =
            Self { delivered_by: Some(by.to_owned()), delivered_at: Some(now), ..self.moved(Status::Delivered, now) };
        let event = ShipmentDelivered {
            shipment_id: self.shipment_id,
            order_id: self.order_id,
            user_id: self.user_id,
            carrier: self.carrier.clone(),
            tracking_number: self.tracking_number.clone(),
            lines: self.lines.clone(),
        };
        Ok((delivered, event))
    }

    /// The shipment without the fields that identify its customer. The country stays, for the books.
    pub fn without_customer(&self) -> Self {
        Self { user_id: None, ship_to: self.ship_to.as_ref().map(Address::only_country), ..self.clone() }
    }

    fn check(&self, departure: &Departure) -> Result<(), CannotDispatch> {
        let given = [("carrier", &departure.carrier), ("tracking_number", &departure.tracking_number)];
        let missing: Vec<_> = given.into_iter().filter(|(_, value)| value.is_none()).map(|(name, _)| name).collect();
        match self.method() {
            Method::Delivery if !missing.is_empty() => Err(CannotDispatch::Required(missing)),
            Method::Delivery | Method::Collection => Ok(()),
        }
    }

    /// The lines that leave, and those that stay. A product of which all units were withheld is there no times.
    fn split(&self, wanted: &[(ProductId, i64)]) -> Result<(Vec<ShipmentLine>, Vec<ShipmentLine>), CannotDispatch> {
        let lines = self.lines.iter().map(|line| (line.product_id, line.quantity));
        let there = totals(lines.chain(self.withheld.iter().map(|line| (line.product_id, 0))));
        let is_there = |(product_id, _): &(ProductId, i64)| there.contains_key(product_id);
        let unknown: Vec<usize> =
            (0..).zip(wanted).filter(|(_, line)| !is_there(line)).map(|(index, _)| index).collect();
        if !unknown.is_empty() {
            return Err(CannotDispatch::NotInShipment(unknown));
        }
        let mut to_leave = totals(wanted.iter().copied());
        let excess: Vec<Excess> = to_leave
            .iter()
            .map(|(&product_id, &asked)| (product_id, asked, there.get(&product_id).copied().unwrap_or(0)))
            .filter(|(_, asked, there)| asked > there)
            .map(|(product_id, asked, there)| Excess { product_id, sku: self.sku_of(product_id), asked, there })
            .collect();
        if !excess.is_empty() {
            return Err(CannotDispatch::Exceeds(excess));
        }
        Ok(take(&self.lines, &mut to_leave))
    }

    fn sku_of(&self, product_id: ProductId) -> String {
        let mut lines = self.lines.iter().chain(&self.withheld);
        lines.find(|line| line.product_id == product_id).map(|line| line.sku.clone()).unwrap_or_default()
    }

    fn has_left(&self) -> bool {
        matches!(self.status, Status::Dispatched | Status::Delivered)
    }

    /// It was made by a cancellation or a refund that came before the payment. A paid order has lines.
    pub fn is_of_unpaid_order(&self) -> bool {
        self.lines.is_empty() && self.withheld.is_empty()
    }

    fn content(&self) -> ShipmentContent {
        ShipmentContent { shipment_id: self.shipment_id, lines: self.lines.clone() }
    }

    fn moved(&self, status: Status, now: Timestamp) -> Self {
        Self { status, updated_at: now, ..self.clone() }
    }
}

/// The lines with these units, and those with the others. A product may be in more than one line, on either side. What is
/// found is taken out of `wanted`.
fn take(lines: &[ShipmentLine], wanted: &mut BTreeMap<ProductId, i64>) -> (Vec<ShipmentLine>, Vec<ShipmentLine>) {
    let (mut taken, mut staying) = (Vec::new(), Vec::new());
    for line in lines {
        let wanted = wanted.entry(line.product_id).or_default();
        let units = line.quantity.min(*wanted);
        *wanted -= units;
        for (units, side) in [(units, &mut taken), (line.quantity - units, &mut staying)] {
            if units > 0 {
                side.push(ShipmentLine { quantity: units, ..line.clone() });
            }
        }
    }
    (taken, staying)
}

/// Units of each product.
fn totals(lines: impl IntoIterator<Item = (ProductId, i64)>) -> BTreeMap<ProductId, i64> {
    let mut totals = BTreeMap::new();
    for (product_id, quantity) in lines {
        let total: &mut i64 = totals.entry(product_id).or_default();
        *total = total.saturating_add(quantity);
    }
    totals
}

#[cfg(test)]
mod tests;

//! The way of an order from the shop to its customer.

use std::collections::BTreeMap;

use events::orders::{NOT_SENT, ShipmentNews, ShippedLine};
use events::shipping::{ShipmentContent, ShipmentLine};
use events::{OrderUpdated, ProductId, ShipmentDelivered, ShipmentDispatched, ShipmentId, ShipmentReduced};
use kernel::Timestamp;

use super::{Decision, Order, OrderEvent, Status};

/// The status of a shipment that left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ShipmentStatus {
    Dispatched,
    Delivered,
}

kernel::named!(ShipmentStatus { Dispatched = "dispatched", Delivered = "delivered" });

/// A shipment of an order that left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shipment {
    pub shipment_id: ShipmentId,
    pub status: ShipmentStatus,
    /// Empty if it is collected.
    pub carrier: String,
    /// Empty if it is collected.
    pub tracking_number: String,
    pub lines: Vec<ShipmentLine>,
}

impl From<&ShipmentDispatched> for Shipment {
    fn from(event: &ShipmentDispatched) -> Self {
        Self {
            shipment_id: event.shipment_id,
            status: ShipmentStatus::Dispatched,
            carrier: event.carrier.clone(),
            tracking_number: event.tracking_number.clone(),
            lines: event.lines.clone(),
        }
    }
}

impl From<&ShipmentDelivered> for Shipment {
    fn from(event: &ShipmentDelivered) -> Self {
        Self {
            shipment_id: event.shipment_id,
            status: ShipmentStatus::Delivered,
            carrier: event.carrier.clone(),
            tracking_number: event.tracking_number.clone(),
            lines: event.lines.clone(),
        }
    }
}

impl Order {
    /// A shipment left or arrived. Whichever of the two is learnt first, and however often, the order ends up the same.
    pub fn shipment_moved(&self, shipment: Shipment, now: Timestamp) -> Option<Decision> {
        let known = self.shipments.binary_search_by_key(&shipment.shipment_id, |known| known.shipment_id);
        let mut shipments = self.shipments.clone();
        let news = match known {
            Ok(at) if shipment.status <= shipments[at].status => return None,
            Ok(at) => {
                shipments[at] = shipment;
                None
            }
            Err(at) => {
                let news = news_of(&shipment);
                shipments.insert(at, shipment);
                Some(news)
            }
        };
        let order = Self { shipments, ..self.clone() }.rested();
        let event = (news.is_some() || order.status != self.status)
            .then(|| OrderEvent::Updated(OrderUpdated { shipment: news, ..order.updated(self.status) }));
        Some(Decision { event, ..Decision::of(order) }.after(self, now))
    }

    /// Units of a shipment will not leave. Of what is known of one, the most counts, so an older event changes nothing.
    pub fn shipment_reduced(&self, reduced: &ShipmentReduced, now: Timestamp) -> Option<Decision> {
        let ShipmentReduced { shipment_id, lines, .. } = reduced;
        let units = |lines: &[ShipmentLine]| -> i64 { lines.iter().map(|line| line.quantity).sum() };
        let content = ShipmentContent { shipment_id: *shipment_id, lines: lines.clone() };
        let mut withheld = self.withheld.clone();
        match withheld.binary_search_by_key(shipment_id, |known| known.shipment_id) {
            Ok(at) if units(lines) <= units(&withheld[at].lines) => return None,
            Ok(at) => withheld[at] = content,
            Err(at) => withheld.insert(at, content),
        }
        let order = Self { withheld, ..self.clone() }.rested();
        let has_moved = order.status != self.status;
        let event = has_moved.then(|| OrderEvent::Updated(order.updated(self.status)));
        Some(Decision { event, ..Decision::of(order) }.after(self, now))
    }

    /// The reason of a move to this status, if no unit of the order was sent: its customer is not mailed that it arrived.
    pub(super) fn why_not_sent(&self, previous: Status) -> Option<String> {
        let has_ended = self.status == Status::Refunded && previous != Status::Refunded;
        (has_ended && self.is_all_withheld()).then(|| NOT_SENT.to_owned())
    }

    /// The order in the status that its shipments and its money say, once it is paid and as long as it is not ended.
    pub(super) fn rested(self) -> Self {
        let is_kept = matches!(self.status, Status::Paid | Status::Shipped | Status::Delivered);
        if !is_kept {
            return self;
        }
        let status = if self.is_all_withheld() {
            // A unit is withheld because of a refund, of which the order may learn later.
            if self.refunded > 0 { Status::Refunded } else { Status::Paid }
        } else if !self.is_complete(ShipmentStatus::Dispatched) {
            Status::Paid
        } else if !self.is_complete(ShipmentStatus::Delivered) {
            Status::Shipped
        } else if self.refunded < self.total.amount || self.total.amount == 0 {
            Status::Delivered
        } else {
            Status::Refunded
        };
        Self { status, ..self }
    }

    /// True if all units were withheld before they left.
    fn is_all_withheld(&self) -> bool {
        self.are_all_units(self.withheld.iter().flat_map(|withheld| &withheld.lines))
    }

    /// True if all units are in shipments that came this far, or will not leave.
    fn is_complete(&self, status: ShipmentStatus) -> bool {
        let came = self.shipments.iter().filter(|shipment| shipment.status >= status);
        let withheld = self.withheld.iter().flat_map(|withheld| &withheld.lines);
        self.are_all_units(came.flat_map(|shipment| &shipment.lines).chain(withheld))
    }

    fn are_all_units<'a>(&self, lines: impl Iterator<Item = &'a ShipmentLine>) -> bool {
        let mut missing: BTreeMap<ProductId, i64> = BTreeMap::new();
        for line in &self.lines {
            *missing.entry(line.product_id).or_default() += line.quantity;
        }
        for line in lines {
            *missing.entry(line.product_id).or_default() -= line.quantity;
        }
        missing.values().all(|units| *units <= 0)
    }
}

fn news_of(shipment: &Shipment) -> ShipmentNews {
    let lines = shipment.lines.iter();
    ShipmentNews {
        shipment_id: shipment.shipment_id,
        carrier: shipment.carrier.clone(),
        tracking_number: shipment.tracking_number.clone(),
        lines: lines.map(|line| ShippedLine { name: line.name.clone(), quantity: line.quantity }).collect(),
    }
}

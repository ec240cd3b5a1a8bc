//! An order as far as it is counted: its status, and the steps that it has reached.

use std::collections::BTreeSet;

use events::orders::NOT_SENT;
use kernel::Version;

use super::Fact;

/// A step on the way from the shop to the customer. An order that was paid, and then cancelled, has reached `paid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    Placed,
    Paid,
    /// All of it has left.
    Shipped,
    /// All of it has arrived.
    Delivered,
}

kernel::named!(Step { Placed = "placed", Paid = "paid", Shipped = "shipped", Delivered = "delivered" });

/// An order, as events have reported it so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Order {
    /// That of the event with the highest sequence; none if no event reported one.
    pub status: Option<String>,
    pub sequence: i64,
    pub steps: BTreeSet<Step>,
    /// The version of the row that was read; none of an order that is new here.
    pub version: Option<Version>,
}

impl Order {
    /// Takes in an event about the order. In whatever order they arrive, the result is the same.
    pub(super) fn learn(&mut self, sequence: i64, fact: &Fact) {
        let (status, steps): (&str, &[Step]) = match fact {
            Fact::Placed(_) => ("placed", &[Step::Placed]),
            Fact::Paid(_) => ("paid", &[Step::Paid]),
            Fact::CancellationRequested(_) => ("cancelling", &[]),
            Fact::Cancelled(_) => ("cancelled", &[]),
            Fact::Updated(updated) => {
                let has_moved = updated.previous_status != updated.status;
                let steps: &[Step] = match updated.status.as_str() {
                    "shipped" => &[Step::Shipped],
                    "delivered" => &[Step::Shipped, Step::Delivered],
                    // All of it had arrived, unless nothing of it was to be sent any more.
                    "refunded" if has_moved && updated.reason.as_deref() != Some(NOT_SENT) => {
                        &[Step::Shipped, Step::Delivered]
                    }
                    _ => &[],
                };
                (&updated.status, steps)
            }
            _ => return,
        };
        self.steps.extend(steps);
        if self.status.is_none() || sequence > self.sequence {
            self.status = Some(status.to_owned());
            self.sequence = sequence;
        }
    }
}

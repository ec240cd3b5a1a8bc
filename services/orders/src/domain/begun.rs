//! An order at its beginning, whoever places it.

use events::{OrderId, OrderLine};
use kernel::{Money, Timestamp, Version};

use super::{Order, PaymentStatus, Status};

impl Order {
    /// An order of nobody, with all that follows still to come.
    pub(super) fn begun(order_id: OrderId, lines: Vec<OrderLine>, total: Money, now: Timestamp) -> Self {
        Self {
            order_id,
            number: 0,
            user_id: None,
            email: String::new(),
            follows_account: false,
            ship_to: None,
            lines,
            total,
            status: Status::Placed,
            reason: None,
            payment_status: PaymentStatus::None,
            payment_id: None,
            payment_token: None,
            payment_error: None,
            declines: 0,
            refunded: 0,
            refunds: Vec::new(),
            shipments: Vec::new(),
            withheld: Vec::new(),
            waits_for: Vec::new(),
            cancellation: None,
            cancelled_by: None,
            placed_from: None,
            access_digest: Vec::new(),
            external: None,
            created_at: now,
            updated_at: now,
            stuck_at: None,
            version: Version::FIRST,
        }
    }
}

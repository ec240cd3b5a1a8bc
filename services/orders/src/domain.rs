//! An order's transitions: state + input + now → changes + events, or a refusal.

mod begun;
mod cancellation;
mod external;
mod refunds;
mod shipment;
mod stock;

pub(crate) use cancellation::{BAN, CUSTOMER, Cancellation, CannotCancel};
pub(crate) use external::{CannotRecord, External, Recorded, record};
pub(crate) use refunds::DecidedRefund;
pub(crate) use shipment::{Shipment, ShipmentStatus};
pub(crate) use stock::Rejection;

use events::orders::RefundNews;
use events::shipping::ShipmentContent;
use events::{
    Address, CancellationRequested, OrderCancelled, OrderId, OrderLine, OrderPaid, OrderPlaced, OrderStuck,
    OrderUpdated, PaymentDeclined, PaymentId, PaymentRefunded, PaymentRequested, ProductId,
};
use kernel::{Currency, Money, SignedDuration, Timestamp, UserId, Version};

/// The reason of an order whose payment was declined for good.
const PAYMENT_FAILED: &str = "payment_failed";

/// The reason of an order whose payments were declined as often as is allowed.
const TOO_MANY_ATTEMPTS: &str = "too_many_attempts";

/// The reason of an order that waited for stock as long as it may.
const NOT_IN_STOCK: &str = "not_in_stock";

/// Beyond the promised time, for it begins when the customer can see the order, and not when it is decided: between the
/// two are the commit and the answer, tens of milliseconds, or seconds where the store is slow.
const EXPIRY_GRACE: SignedDuration = SignedDuration::from_secs(5);

/// The time for which a settled order of a closed account keeps its customer: mails and money that are in flight arrive
/// within it.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// The status of an order. `rejected`, `cancelled` and `refunded` are final, and so is `delivered`, unless all its money
/// goes back later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Status {
    Placed,
    /// Waits for stock.
    Backordered,
    Reserved,
    /// Waits until somebody ships it.
    Paid,
    /// Was paid, and waits for shipping to say if it can still be cancelled.
    Cancelling,
    /// All of it has left.
    Shipped,
    /// All of it has arrived.
    Delivered,
    Rejected,
    Cancelled,
    /// All of it had arrived, and all its money went back; or money went back and none of it is to be sent any more.
    Refunded,
}

/// The status of an order's current payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum PaymentStatus {
    None,
    Requested,
    Captured,
    Failed,
    /// Ended before the provider was asked, because the order was cancelled.
    Voided,
    PartiallyRefunded,
    Refunded,
}

kernel::named!(Status {
    Placed = "placed",
    Backordered = "backordered",
    Reserved = "reserved",
    Paid = "paid",
    Cancelling = "cancelling",
    Shipped = "shipped",
    Delivered = "delivered",
    Rejected = "rejected",
    Cancelled = "cancelled",
    Refunded = "refunded",
});

kernel::named!(PaymentStatus {
    None = "none",
    Requested = "requested",
    Captured = "captured",
    Failed = "failed",
    Voided = "voided",
    PartiallyRefunded = "partially_refunded",
    Refunded = "refunded",
});

/// An order as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub order_id: OrderId,
    pub number: i64,
    /// The customer's account; none of a guest.
    pub user_id: Option<UserId>,
    pub email: String,
    pub ship_to: Option<Address>,
    pub lines: Vec<OrderLine>,
    pub total: Money,
    pub status: Status,
    pub reason: Option<String>,
    pub payment_status: PaymentStatus,
    pub payment_id: Option<PaymentId>,
    pub payment_token: Option<String>,
    /// The provider's reason, if the current payment was declined.
    pub payment_error: Option<String>,
    /// Payments that were declined.
    pub declines: i64,
    /// Minor units that went back, in the currency of the total.
    pub refunded: i64,
    /// Those that were decided, by id. None are known from before they were kept.
    pub refunds: Vec<DecidedRefund>,
    /// Those that left, by id.
    pub shipments: Vec<Shipment>,
    /// Units that will not leave, by shipment: they were refunded before they did.
    pub withheld: Vec<ShipmentContent>,
    /// Products of which there was too little, if it waits for stock.
    pub waits_for: Vec<ProductId>,
    pub cancellation: Option<Cancellation>,
    /// The one who wished to cancel it: `customer`, an admin's account, `automation`, or `ban`.
    pub cancelled_by: Option<String>,
    /// The e-mail address is that of the account, and changes with it.
    pub follows_account: bool,
    /// The address of the client that placed it.
    pub placed_from: Option<String>,
    pub access_digest: Vec<u8>,
    /// The place where it was placed and is settled; none of an order of this shop's own.
    pub external: Option<External>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// The time at which it was reported as stuck in the status that it has.
    pub stuck_at: Option<Timestamp>,
    pub version: Version,
}

/// A product as it can be ordered now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Product {
    pub product_id: ProductId,
    pub sku: String,
    pub name: String,
    pub price: Money,
}

/// The wishes of a customer.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub order_id: OrderId,
    pub number: i64,
    /// The customer's account; none of a guest.
    pub user_id: Option<UserId>,
    pub email: String,
    /// The e-mail address is that of the account.
    pub follows_account: bool,
    pub ship_to: Option<Address>,
    pub lines: Vec<(ProductId, i64)>,
    /// The shop's.
    pub currency: Currency,
    pub payment_token: Option<String>,
    /// The address of the client that asks.
    pub placed_from: Option<String>,
    /// The total that the customer was shown.
    pub expected_total: Option<Money>,
    pub access_digest: Vec<u8>,
}

/// The reason why an order can't be placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CannotPlace {
    /// Lines by index whose product isn't for sale.
    ProductUnknown(Vec<usize>),
    /// Lines by index whose product has changed in a way that is known and not carried out yet.
    ProductChanging(Vec<usize>),
    /// The total is another than the customer was shown.
    PriceChanged { total: Money },
    /// A line is priced in another currency than the shop's.
    CurrenciesDiffer,
    /// The total is beyond what money can count.
    TotalTooLarge,
}

/// The reason why a payment token isn't taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CannotPay {
    /// A token was given already, and its payment isn't decided.
    Pending,
    /// As many payments were declined as an order may have: it was cancelled for it.
    TooManyAttempts,
    /// It was placed elsewhere, and is settled there.
    SettledElsewhere,
    /// The order is not waiting for money.
    NotPayable(Status),
}

/// The reason why the provider took no money, and if another token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decline<'a> {
    pub error: &'a str,
    pub is_final: bool,
}

/// The event of a transition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum OrderEvent {
    PaymentRequested(PaymentRequested),
    Paid(OrderPaid),
    Declined(PaymentDeclined),
    CancellationRequested(CancellationRequested),
    Cancelled(OrderCancelled),
    Updated(OrderUpdated),
}

/// The change to a timer of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Keep,
    At(Timestamp),
    Clear,
}

/// A transition: the order after it, under the version that was read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Decision {
    pub order: Order,
    pub event: Option<OrderEvent>,
    /// The report that it is in its status for too long.
    pub stuck: Option<OrderStuck>,
    /// The timer that cancels an unpaid order.
    pub expiry: Due,
    /// The timer that asks shipping again about a cancellation.
    pub ask_again: Due,
    /// Products for which it waited, and does not any more.
    pub waited_for: Vec<ProductId>,
    /// The status is another than before.
    pub has_moved: bool,
}

/// The time at which an unpaid order is cancelled that was decided upon at `now`.
pub(crate) fn expires_at(now: Timestamp, ttl: SignedDuration) -> Timestamp {
    now.checked_add(ttl).and_then(|promised| promised.checked_add(EXPIRY_GRACE)).unwrap_or(Timestamp::MAX)
}

/// A new order at the prices of now, or why not. Of the products in `changing`, the prices known here are out of date.
pub(crate) fn place(
    draft: Draft,
    products: &[Product],
    changing: &[ProductId],
    now: Timestamp,
) -> Result<Order, CannotPlace> {
    let find = |id: ProductId| products.iter().find(|product| product.product_id == id);
    let lines_of = |is_at_fault: &dyn Fn(ProductId) -> bool| -> Vec<usize> {
        draft.lines.iter().enumerate().filter(|(_, (id, _))| is_at_fault(*id)).map(|(index, _)| index).collect()
    };
    let outdated = lines_of(&|id| changing.contains(&id));
    if !outdated.is_empty() {
        return Err(CannotPlace::ProductChanging(outdated));
    }
    let unknown = lines_of(&|id| find(id).is_none());
    if !unknown.is_empty() {
        return Err(CannotPlace::ProductUnknown(unknown));
    }
    let lines: Vec<OrderLine> =
        draft.lines.iter().filter_map(|(id, quantity)| find(*id).map(|product| line(product, *quantity))).collect();
    let total = total(&lines, draft.currency)?;
    if draft.expected_total.is_some_and(|expected| expected != total) {
        return Err(CannotPlace::PriceChanged { total });
    }
    Ok(Order {
        number: draft.number,
        user_id: draft.user_id,
        email: draft.email,
        follows_account: draft.follows_account,
        ship_to: draft.ship_to,
        payment_token: draft.payment_token,
        placed_from: draft.placed_from,
        access_digest: draft.access_digest,
        ..Order::begun(draft.order_id, lines, total, now)
    })
}

fn line(product: &Product, quantity: i64) -> OrderLine {
    OrderLine {
        product_id: product.product_id,
        sku: product.sku.clone(),
        name: product.name.clone(),
        quantity,
        unit_price: product.price,
    }
}

fn total(lines: &[OrderLine], currency: Currency) -> Result<Money, CannotPlace> {
    if lines.iter().any(|line| line.unit_price.currency != currency) {
        return Err(CannotPlace::CurrenciesDiffer);
    }
    let mut amounts = lines.iter().map(|line| line.unit_price.times(line.quantity));
    let total = amounts.try_fold(Money::new(0, currency), |sum, amount| sum.plus(amount?));
    total.ok_or(CannotPlace::TotalTooLarge)
}

impl Order {
    /// Units of all lines.
    pub fn units(&self) -> i64 {
        self.lines.iter().map(|line| line.quantity).sum()
    }

    /// Its units are held, or soon will be, and nothing is paid or being paid for them. An order that waits for stock holds
    /// some for a long time before its payment token is tried. One that is settled elsewhere holds none.
    pub fn awaits_customer(&self) -> bool {
        if self.external.is_some() {
            return false;
        }
        let has_time = matches!(self.status, Status::Placed | Status::Reserved);
        let is_unpaid = self.payment_token.is_none() && self.payment_status != PaymentStatus::Requested;
        self.status == Status::Backordered || has_time && is_unpaid
    }

    /// The event of an order that was accepted.
    pub fn placed(&self, wait_for_stock: bool) -> OrderPlaced {
        OrderPlaced {
            order_id: self.order_id,
            number: self.number,
            user_id: self.user_id,
            email: self.email.clone(),
            ship_to: self.ship_to.clone(),
            lines: self.lines.clone(),
            total: self.total,
            wait_for_stock,
        }
    }

    /// The money came.
    pub fn payment_captured(&self, payment_id: PaymentId, now: Timestamp) -> Option<Decision> {
        match self.status {
            Status::Reserved if self.payment_id == Some(payment_id) => {
                let order = Self { status: Status::Paid, payment_status: PaymentStatus::Captured, ..self.clone() };
                let event = OrderEvent::Paid(OrderPaid {
                    order_id: self.order_id,
                    number: self.number,
                    user_id: self.user_id,
                    email: self.email.clone(),
                    payment_id,
                    amount: self.total,
                    ship_to: self.ship_to.clone(),
                    lines: self.lines.clone(),
                });
                Some(Decision { event: Some(event), expiry: Due::Clear, ..Decision::of(order) }.after(self, now))
            }
            // Too late: emitting the end again makes the payments service give the money back.
            Status::Cancelled if self.payment_status != PaymentStatus::Refunded => {
                let order = Self { payment_status: PaymentStatus::Captured, ..self.clone() };
                Some(order.cancelled_again(now))
            }
            _ => None,
        }
    }

    /// The money was declined: for good, or so that another token may be tried, as often as `attempts_max` allows.
    pub fn payment_failed(
        &self,
        payment_id: PaymentId,
        decline: Decline<'_>,
        attempts_max: i64,
        now: Timestamp,
    ) -> Option<Decision> {
        let is_awaited = self.payment_id == Some(payment_id) && self.payment_status == PaymentStatus::Requested;
        if !is_awaited {
            return None;
        }
        let failed = Self {
            payment_status: PaymentStatus::Failed,
            payment_error: Some(decline.error.to_owned()),
            declines: self.declines + 1,
            ..self.clone()
        };
        let decision = match self.status {
            Status::Reserved if decline.is_final => failed.end(PAYMENT_FAILED),
            Status::Reserved if failed.declines >= attempts_max => failed.end(TOO_MANY_ATTEMPTS),
            Status::Reserved => {
                let event = OrderEvent::Declined(PaymentDeclined {
                    order_id: self.order_id,
                    number: self.number,
                    email: self.email.clone(),
                    payment_id,
                    error: decline.error.to_owned(),
                });
                Decision { event: Some(event), ..Decision::of(failed) }
            }
            _ => Decision::of(failed),
        };
        Some(decision.after(self, now))
    }

    /// The payment was voided before the provider was asked.
    pub fn payment_voided(&self, payment_id: PaymentId, now: Timestamp) -> Option<Decision> {
        let is_awaited = self.payment_id == Some(payment_id) && self.payment_status == PaymentStatus::Requested;
        is_awaited.then(|| {
            let order = Self { payment_status: PaymentStatus::Voided, ..self.clone() };
            Decision::of(order).after(self, now)
        })
    }

    /// Money went back. It is reported, unless the mail about the cancellation says so.
    pub fn payment_refunded(&self, refund: &PaymentRefunded, now: Timestamp) -> Option<Decision> {
        let refunded = refund.refunded_total.unwrap_or(refund.amount).amount;
        if self.payment_id != Some(refund.payment_id) {
            return None;
        }
        let refunds = self.refunds_after(refund);
        // An older sum arrives late: it says nothing but that the refund succeeded.
        if refunded <= self.refunded {
            return refunds.map(|refunds| Decision::of(Self { refunds, ..self.clone() }).after(self, now));
        }
        let refunds = refunds.unwrap_or_else(|| self.refunds.clone());
        let is_all = refunded >= self.total.amount;
        let payment_status = if is_all { PaymentStatus::Refunded } else { PaymentStatus::PartiallyRefunded };
        let order = Self { payment_status, refunded, refunds, ..self.clone() }.rested();
        let news = refund.refund_id.filter(|_| !refund.is_of_cancellation());
        let news = news.map(|refund_id| RefundNews { refund_id, amount: refund.amount });
        let event = (news.is_some() || order.status != self.status)
            .then(|| OrderEvent::Updated(OrderUpdated { refund: news, ..order.updated(self.status) }));
        Some(Decision { event, ..Decision::of(order) }.after(self, now))
    }

    /// Money that came, in minor units.
    pub fn captured(&self) -> i64 {
        match self.payment_status {
            PaymentStatus::Captured | PaymentStatus::PartiallyRefunded | PaymentStatus::Refunded => self.total.amount,
            PaymentStatus::None | PaymentStatus::Requested | PaymentStatus::Failed | PaymentStatus::Voided => 0,
        }
    }

    /// The customer gives a payment token.
    pub fn request_payment(&self, payment_id: PaymentId, token: String, now: Timestamp) -> Result<Decision, CannotPay> {
        if self.external.is_some() {
            return Err(CannotPay::SettledElsewhere);
        }
        match (self.status, self.payment_status) {
            (Status::Placed | Status::Backordered, _) if self.payment_token.is_some() => Err(CannotPay::Pending),
            (Status::Reserved, PaymentStatus::Requested) => Err(CannotPay::Pending),
            (Status::Placed | Status::Backordered, _) => {
                let order = Self { payment_token: Some(token), ..self.clone() };
                Ok(Decision::of(order).after(self, now))
            }
            (Status::Reserved, _) => Ok(self.clone().ask_for_payment(payment_id, token).after(self, now)),
            (Status::Cancelled, _) if self.reason.as_deref() == Some(TOO_MANY_ATTEMPTS) => {
                Err(CannotPay::TooManyAttempts)
            }
            (status, _) => Err(CannotPay::NotPayable(status)),
        }
    }

    /// Its time to be paid, or to wait for stock, is over.
    pub fn expire(&self, now: Timestamp) -> Option<Decision> {
        match self.status {
            Status::Backordered => Some(self.clone().end(NOT_IN_STOCK).after(self, now)),
            Status::Placed | Status::Reserved => Some(self.clone().end("expired").after(self, now)),
            _ => None,
        }
    }

    /// The account has another address. The mails to come go there, if the order was placed with the account's.
    pub fn with_address_of_account(&self, email: &str) -> Option<Self> {
        let is_open = !matches!(self.status, Status::Rejected | Status::Cancelled | Status::Refunded);
        (is_open && self.follows_account && self.email != email)
            .then(|| Self { email: email.to_owned(), ..self.clone() })
    }

    /// The order without the fields that identify its customer, once it is settled long enough for its mails and money
    /// to be too. Books keep its number, lines, total, times and country.
    pub fn without_customer(&self, now: Timestamp) -> Option<Self> {
        let is_settled = match self.status {
            Status::Delivered | Status::Rejected | Status::Cancelled | Status::Refunded => true,
            // Nothing follows here: it is sent from elsewhere.
            Status::Paid => self.external.is_some(),
            Status::Placed | Status::Backordered | Status::Reserved | Status::Cancelling | Status::Shipped => false,
        };
        (is_settled && now >= self.updated_at + FORGOTTEN_AFTER).then(|| Self {
            user_id: None,
            email: String::new(),
            ship_to: self.ship_to.as_ref().map(Address::only_country),
            ..self.clone()
        })
    }

    fn ask_for_payment(mut self, payment_id: PaymentId, token: String) -> Decision {
        self.payment_status = PaymentStatus::Requested;
        self.payment_id = Some(payment_id);
        self.payment_token = None;
        self.payment_error = None;
        let event = OrderEvent::PaymentRequested(PaymentRequested {
            payment_id,
            order_id: self.order_id,
            number: self.number,
            email: self.email.clone(),
            amount: self.total,
            token,
            lines: self.lines.clone(),
        });
        Decision { event: Some(event), ..Decision::of(self) }
    }

    /// The report of this order, which was in that status before.
    fn updated(&self, previous: Status) -> OrderUpdated {
        OrderUpdated {
            order_id: self.order_id,
            number: self.number,
            email: self.email.clone(),
            previous_status: previous.as_str().to_owned(),
            status: self.status.as_str().to_owned(),
            reason: self.why_not_sent(previous),
            shipment: None,
            refund: None,
        }
    }

    fn end(mut self, reason: &str) -> Decision {
        self.status = Status::Cancelled;
        self.reason = Some(reason.to_owned());
        self.payment_token = None;
        let event = OrderEvent::Cancelled(self.cancelled());
        Decision { event: Some(event), expiry: Due::Clear, ..Decision::of(self) }
    }

    fn cancelled_again(&self, now: Timestamp) -> Decision {
        let event = OrderEvent::Cancelled(self.cancelled());
        Decision { event: Some(event), ..Decision::of(self.clone()) }.after(self, now)
    }

    fn cancelled(&self) -> OrderCancelled {
        let reason = self.reason.clone().unwrap_or_default();
        let is_by_payment = [PAYMENT_FAILED, TOO_MANY_ATTEMPTS].contains(&reason.as_str());
        OrderCancelled {
            order_id: self.order_id,
            number: self.number,
            email: self.email.clone(),
            reason,
            payment_id: self.payment_id.filter(|_| is_by_payment),
            error: self.payment_error.clone().filter(|_| is_by_payment),
            cancelled_by: self.cancelled_by.clone(),
            lines: self.lines.clone(),
            was_paid: self.cancellation.is_some(),
        }
    }
}

impl Decision {
    fn of(order: Order) -> Self {
        let (expiry, ask_again) = (Due::Keep, Due::Keep);
        Self { order, event: None, stuck: None, expiry, ask_again, waited_for: Vec::new(), has_moved: false }
    }

    fn after(mut self, before: &Order, now: Timestamp) -> Self {
        self.has_moved = self.order.status != before.status;
        if self.has_moved {
            self.order.stuck_at = None;
        }
        if self.order.status != Status::Backordered {
            self.waited_for = std::mem::take(&mut self.order.waits_for);
        }
        self.order.updated_at = now;
        self
    }
}

#[cfg(test)]
mod tests;

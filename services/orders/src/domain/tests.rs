use kernel::{Currency, Uuid};
use proptest::prelude::*;

mod external;
mod waiting;
mod withheld;

use events::RefundFailed;
use events::shipping::ShipmentLine;

use super::cancellation::{ACCOUNT_BANNED, ASK_AGAIN_AFTER, TOO_LATE_TO_CANCEL};
use super::*;

fn now() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().unwrap()
}

fn ttl() -> SignedDuration {
    SignedDuration::from_mins(15)
}

/// Payments of an order that may be declined.
const ATTEMPTS: i64 = 3;

fn decline(is_final: bool) -> Decline<'static> {
    Decline { error: "the card was declined", is_final }
}

fn payment(n: u128) -> PaymentId {
    Uuid::from_u128(n).into()
}

fn product(n: u128, cents: i64) -> Product {
    Product {
        product_id: Uuid::from_u128(n).into(),
        sku: n.to_string(),
        name: "Thing".to_owned(),
        price: Money::new(cents, Currency::EUR),
    }
}

fn draft(lines: Vec<(u128, i64)>, token: Option<&str>) -> Draft {
    Draft {
        order_id: Uuid::from_u128(7).into(),
        number: 1,
        user_id: None,
        email: "ada@example.com".to_owned(),
        follows_account: true,
        ship_to: None,
        lines: lines.into_iter().map(|(id, quantity)| (Uuid::from_u128(id).into(), quantity)).collect(),
        currency: Currency::EUR,
        payment_token: token.map(str::to_owned),
        placed_from: None,
        expected_total: None,
        access_digest: vec![0; 32],
    }
}

fn placed(token: Option<&str>) -> Order {
    place(draft(vec![(1, 2)], token), &[product(1, 500)], &[], now()).unwrap()
}

fn reserved(token: Option<&str>) -> Order {
    stored(placed(token).stock_reserved(payment(1), now(), ttl()).unwrap())
}

/// The order as it is read back after the decision was written.
fn stored(decision: Decision) -> Order {
    Order { version: decision.order.version.next(), ..decision.order }
}

#[test]
fn the_total_is_computed_from_the_lines() {
    let order = place(draft(vec![(1, 2), (2, 3)], None), &[product(1, 500), product(2, 10)], &[], now()).unwrap();
    assert_eq!(order.total, Money::new(1_030, Currency::EUR));
}

#[test]
fn products_that_are_not_for_sale_are_named() {
    let refused = place(draft(vec![(1, 1), (9, 1)], None), &[product(1, 500)], &[], now());
    assert_eq!(refused, Err(CannotPlace::ProductUnknown(vec![1])));
}

#[test]
fn a_total_that_cannot_be_counted_is_refused() {
    let refused = place(draft(vec![(1, 2)], None), &[product(1, i64::MAX)], &[], now());
    assert_eq!(refused, Err(CannotPlace::TotalTooLarge));
}

#[test]
fn a_reserved_order_with_a_token_asks_for_its_money() {
    let decision = placed(Some("tok_ok")).stock_reserved(payment(1), now(), ttl()).unwrap();
    assert!(matches!(&decision.event, Some(OrderEvent::PaymentRequested(ask)) if ask.token == "tok_ok"));
    assert_eq!(decision.order.payment_token, None, "a token is for one use");
    assert_eq!(decision.expiry, Due::At(expires_at(now(), ttl())));
}

#[test]
fn a_reserved_order_without_a_token_waits_for_one() {
    let order = reserved(None);
    assert_eq!(order.payment_status, PaymentStatus::None);
    let decision = order.request_payment(payment(2), "tok_ok".to_owned(), now()).unwrap();
    assert_eq!(decision.order.payment_id, Some(payment(2)));
    assert_eq!(stored(decision).request_payment(payment(3), "tok".to_owned(), now()), Err(CannotPay::Pending));
}

fn paid() -> Order {
    stored(reserved(Some("tok_ok")).payment_captured(payment(1), now()).unwrap())
}

fn refund(payment_id: PaymentId, total: i64) -> PaymentRefunded {
    PaymentRefunded {
        payment_id,
        refund_id: Some(Uuid::from_u128(total.unsigned_abs().into()).into()),
        order_id: Uuid::from_u128(7).into(),
        amount: Money::new(100, Currency::EUR),
        refunded_total: Some(Money::new(total, Currency::EUR)),
        restock: Vec::new(),
        reason: None,
        of_cancellation: None,
    }
}

/// A refund of 1.00 EUR of the first payment that failed. Those that succeeded have their sums for ids.
fn refund_failed(id: u128) -> RefundFailed {
    RefundFailed {
        refund_id: Uuid::from_u128(id).into(),
        payment_id: payment(1),
        order_id: Uuid::from_u128(7).into(),
        amount: Money::new(100, Currency::EUR),
        error: format!("the card was closed ({id})"),
    }
}

fn shipment(id: u128, quantity: i64, status: ShipmentStatus) -> Shipment {
    let product = product(1, 500);
    let line = ShipmentLine { product_id: product.product_id, sku: product.sku, name: product.name, quantity };
    Shipment {
        shipment_id: Uuid::from_u128(id).into(),
        status,
        carrier: "DHL".to_owned(),
        tracking_number: id.to_string(),
        lines: vec![line],
    }
}

#[test]
fn a_paid_order_is_cancelled_if_nothing_has_left() {
    assert_eq!(paid().expire(now()), None);
    let asked = paid().cancel("customer", now()).unwrap().unwrap();
    assert!(matches!(&asked.event, Some(OrderEvent::CancellationRequested(ask)) if ask.requested_by == "customer"));
    assert_eq!((asked.order.status, asked.ask_again), (Status::Cancelling, Due::At(now() + ASK_AGAIN_AFTER)));
    let asked = stored(asked);
    assert_eq!(asked.cancel("customer", now()), Ok(None), "it is asked once");
    assert!(asked.ask_again(now()).unwrap().event.is_some(), "and again if no answer comes");

    let ended = asked.shipment_stopped(false, now()).unwrap();
    assert!(matches!(&ended.event, Some(OrderEvent::Cancelled(end)) if end.was_paid && end.reason == "cancelled"));
    assert_eq!((ended.order.status, ended.ask_again), (Status::Cancelled, Due::Clear));
    assert_eq!(stored(ended).shipment_stopped(false, now()), None);
}

#[test]
fn an_order_that_waits_for_shipping_is_reported_as_stuck_once_for_each_stay() {
    let asked = stored(paid().cancel("customer", now()).unwrap().unwrap());
    let later = now() + ASK_AGAIN_AFTER;
    let again = asked.ask_again(later).unwrap();
    let stuck = again.stuck.clone().unwrap();
    assert_eq!((stuck.number, stuck.status.as_str(), stuck.since), (asked.number, "cancelling", now()));
    let again = stored(again);
    assert_eq!(again.ask_again(later).unwrap().stuck, None, "it is reported already");
    let ended = stored(again.shipment_stopped(true, later).unwrap());
    assert_eq!((ended.status, ended.stuck_at), (Status::Paid, None), "the next stay is another");
}

#[test]
fn an_order_goes_on_if_something_has_left() {
    let asked = stored(paid().cancel("customer", now()).unwrap().unwrap());
    let left = stored(asked.shipment_moved(shipment(1, 1, ShipmentStatus::Dispatched), now()).unwrap());
    assert_eq!(left.status, Status::Cancelling, "shipping has not answered yet");
    let goes_on = left.shipment_stopped(true, now()).unwrap();
    assert!(
        matches!(&goes_on.event, Some(OrderEvent::Updated(news)) if news.reason.as_deref() == Some(TOO_LATE_TO_CANCEL))
    );
    let order = stored(goes_on);
    assert_eq!((order.status, order.cancellation), (Status::Paid, Some(Cancellation::TooLate)));
    assert_eq!(order.cancel("customer", now()), Err(CannotCancel::TooLate(Status::Paid)));
    let order = stored(order.shipment_moved(shipment(2, 1, ShipmentStatus::Dispatched), now()).unwrap());
    assert_eq!(order.status, Status::Shipped);
}

#[test]
fn the_orders_of_a_banned_customer_say_why_they_ended() {
    let unpaid = reserved(None).cancel(BAN, now()).unwrap().unwrap();
    assert_eq!(unpaid.order.reason.as_deref(), Some(ACCOUNT_BANNED));
    let paid = stored(paid().cancel(BAN, now()).unwrap().unwrap());
    let ended = paid.shipment_stopped(false, now()).unwrap();
    assert_eq!(ended.order.reason.as_deref(), Some(ACCOUNT_BANNED));
}

#[test]
fn a_delivered_order_whose_money_went_back_is_refunded() {
    let delivered = stored(paid().shipment_moved(shipment(1, 2, ShipmentStatus::Delivered), now()).unwrap());
    assert_eq!(delivered.status, Status::Delivered);
    let part = delivered.payment_refunded(&refund(payment(1), 400), now()).unwrap();
    assert!(matches!(&part.event, Some(OrderEvent::Updated(news)) if news.refund.is_some()));
    let part = stored(part);
    assert_eq!((part.status, part.payment_status), (Status::Delivered, PaymentStatus::PartiallyRefunded));
    assert_eq!((part.captured(), part.refunded), (1_000, 400));
    let all = stored(part.payment_refunded(&refund(payment(1), 1_000), now()).unwrap());
    assert_eq!((all.status, all.payment_status), (Status::Refunded, PaymentStatus::Refunded));
    assert_eq!(all.payment_refunded(&refund(payment(1), 400), now()), None, "an older sum changes nothing");
}

#[test]
fn a_refund_that_failed_says_why_until_later_ones_gave_back_as_much() {
    let error = |order: &Order| order.refund_error().map(str::to_owned);
    let closed = |id: u128| Some(format!("the card was closed ({id})"));
    let failed = paid().refund_failed(&refund_failed(250), now()).unwrap();
    assert_eq!((failed.event, failed.has_moved, failed.order.payment_status), (None, false, PaymentStatus::Captured));
    let failed = stored(Decision::of(failed.order));
    assert_eq!(error(&failed), closed(250));
    assert_eq!(failed.refund_failed(&refund_failed(250), now()), None, "it is known");

    let earlier = stored(failed.payment_refunded(&refund(payment(1), 200), now()).unwrap());
    assert_eq!(error(&earlier), closed(250), "that one was asked for before");
    let half = PaymentRefunded { amount: Money::new(50, Currency::EUR), ..refund(payment(1), 300) };
    let half = stored(earlier.payment_refunded(&half, now()).unwrap());
    assert_eq!(error(&half), closed(250), "half of it is still to go back");
    let rest = PaymentRefunded { amount: Money::new(50, Currency::EUR), ..refund(payment(1), 400) };
    let done = stored(half.payment_refunded(&rest, now()).unwrap());
    assert_eq!(error(&done), None);
    let late = stored(done.refund_failed(&refund_failed(220), now()).unwrap());
    assert_eq!(error(&late), None, "what failed before and arrives late says nothing");
    let again = stored(late.refund_failed(&refund_failed(450), now()).unwrap());
    assert_eq!(error(&again), closed(450));
    let all = stored(again.payment_refunded(&refund(payment(1), 1_000), now()).unwrap());
    assert_eq!(error(&all), None);
    let other = RefundFailed { payment_id: payment(2), ..refund_failed(460) };
    assert_eq!(again.refund_failed(&other, now()), None, "of another payment");
}

#[test]
fn the_end_of_an_order_names_the_one_who_wished_it() {
    let by = |decision: &Decision| match &decision.event {
        Some(OrderEvent::Cancelled(end)) => end.cancelled_by.clone(),
        other => panic!("{other:?}"),
    };
    let unpaid = reserved(None).cancel("automation", now()).unwrap().unwrap();
    assert_eq!(by(&unpaid).as_deref(), Some("automation"));
    let asked = stored(paid().cancel(CUSTOMER, now()).unwrap().unwrap());
    let ended = asked.shipment_stopped(false, now()).unwrap();
    assert_eq!(by(&ended).as_deref(), Some(CUSTOMER));
    let late = stored(unpaid).stock_reserved(payment(9), now(), ttl()).unwrap();
    assert_eq!(by(&late).as_deref(), Some("automation"), "emitted again, it says the same");
    assert_eq!(by(&reserved(None).expire(now()).unwrap()), None);
}

#[test]
fn the_refund_of_a_cancelled_order_is_no_news_of_its_own() {
    let cancelled =
        stored(stored(paid().cancel("customer", now()).unwrap().unwrap()).shipment_stopped(false, now()).unwrap());
    let by_cancellation =
        PaymentRefunded { reason: Some(events::payments::ORDER_CANCELLED.to_owned()), ..refund(payment(1), 1_000) };
    let refunded = cancelled.payment_refunded(&by_cancellation, now()).unwrap();
    assert_eq!((refunded.event, refunded.order.status), (None, Status::Cancelled));
    let of_cancellation = PaymentRefunded { of_cancellation: Some(true), ..refund(payment(1), 1_000) };
    assert_eq!(cancelled.payment_refunded(&of_cancellation, now()).unwrap().event, None, "whatever its reason");
    let by_admin = PaymentRefunded { of_cancellation: Some(false), ..by_cancellation };
    let refunded = paid().payment_refunded(&by_admin, now()).unwrap();
    assert!(
        matches!(refunded.event, Some(OrderEvent::Updated(news)) if news.refund.is_some()),
        "a reason is only text"
    );
}

#[test]
fn mails_follow_the_account_only_where_its_address_was_taken() {
    assert_eq!(paid().with_address_of_account("new@example.com").unwrap().email, "new@example.com");
    let sent = Order { follows_account: false, ..paid() };
    assert_eq!(sent.with_address_of_account("new@example.com"), None);
    assert_eq!(paid().with_address_of_account("ada@example.com"), None);
}

#[test]
fn a_soft_decline_takes_another_token_and_a_final_one_ends_the_order() {
    let order = reserved(Some("tok_soft"));
    let soft = stored(order.payment_failed(payment(1), decline(false), ATTEMPTS, now()).unwrap());
    assert_eq!((soft.status, soft.payment_status), (Status::Reserved, PaymentStatus::Failed));
    assert!(soft.request_payment(payment(2), "tok_ok".to_owned(), now()).is_ok());

    let hard = order.payment_failed(payment(1), decline(true), ATTEMPTS, now()).unwrap();
    assert!(matches!(&hard.event, Some(OrderEvent::Cancelled(ended)) if ended.reason == "payment_failed"));
}

#[test]
fn as_many_payments_are_declined_as_an_order_may_have() {
    let mut order = reserved(Some("tok_soft"));
    for attempt in 1..ATTEMPTS {
        let declined = order.payment_failed(order.payment_id.unwrap(), decline(false), ATTEMPTS, now()).unwrap();
        assert!(matches!(declined.event, Some(OrderEvent::Declined(_))), "attempt {attempt} leaves another");
        let next = payment(u128::from(attempt.unsigned_abs()) + 1);
        order = stored(stored(declined).request_payment(next, "tok".to_owned(), now()).unwrap());
    }
    let last = order.payment_failed(order.payment_id.unwrap(), decline(false), ATTEMPTS, now()).unwrap();
    assert!(matches!(&last.event, Some(OrderEvent::Cancelled(end)) if end.reason == "too_many_attempts"
        && end.error.as_deref() == Some("the card was declined") && end.payment_id == order.payment_id));
    let refused = stored(last).request_payment(payment(9), "tok".to_owned(), now());
    assert_eq!(refused, Err(CannotPay::TooManyAttempts));
}

#[test]
fn a_decline_that_reaches_a_cancelled_order_is_recorded_and_emits_nothing() {
    let order = stored(reserved(Some("tok_soft")).cancel("customer", now()).unwrap().unwrap());
    let late = order.payment_failed(payment(1), decline(false), ATTEMPTS, now()).unwrap();
    assert_eq!((late.event, late.order.payment_status), (None, PaymentStatus::Failed));
    let voided = order.payment_voided(payment(1), now()).unwrap();
    assert_eq!((voided.event, voided.order.payment_status), (None, PaymentStatus::Voided));
}

#[test]
fn a_product_whose_change_is_not_carried_out_is_not_sold() {
    let changing = [Uuid::from_u128(2).into()];
    let both = draft(vec![(1, 1), (2, 1)], None);
    let refused = place(both, &[product(1, 500), product(2, 10)], &changing, now());
    assert_eq!(refused, Err(CannotPlace::ProductChanging(vec![1])));
}

#[test]
fn an_order_is_at_the_total_that_was_shown_or_refused() {
    let expecting = |amount, currency: &str| Draft {
        expected_total: Some(Money::new(amount, currency.parse().unwrap())),
        ..draft(vec![(1, 2)], None)
    };
    let placed = |draft| place(draft, &[product(1, 500)], &[], now()).map(|order| order.total);
    let total = Money::new(1_000, Currency::EUR);
    assert_eq!(placed(expecting(1_000, "EUR")), Ok(total));
    for other in [expecting(999, "EUR"), expecting(1_001, "EUR"), expecting(1_000, "USD")] {
        assert_eq!(placed(other), Err(CannotPlace::PriceChanged { total }));
    }
}

#[test]
fn a_product_in_another_currency_than_the_shops_is_not_sold() {
    let dollars = Product { price: Money::new(10, "USD".parse().unwrap()), ..product(2, 10) };
    for lines in [vec![(1, 1), (2, 1)], vec![(2, 1)]] {
        let refused = place(draft(lines, None), &[product(1, 500), dollars.clone()], &[], now());
        assert_eq!(refused, Err(CannotPlace::CurrenciesDiffer));
    }
}

#[test]
fn an_order_expires_after_the_promised_time_and_not_at_it() {
    assert!(expires_at(now(), ttl()) > now() + ttl());
    assert_eq!(expires_at(now(), SignedDuration::MAX), Timestamp::MAX);
}

#[test]
fn late_facts_make_a_cancelled_order_emit_its_end_again() {
    let order = stored(reserved(Some("tok_ok")).cancel("customer", now()).unwrap().unwrap());
    let late = order.payment_captured(payment(1), now()).unwrap();
    assert!(matches!(late.event, Some(OrderEvent::Cancelled(_))));
    assert!(!late.has_moved);
    let refunded = stored(stored(late).payment_refunded(&refund(payment(1), 1_000), now()).unwrap());
    assert_eq!(refunded.payment_status, PaymentStatus::Refunded);
    assert!(matches!(order.stock_reserved(payment(9), now(), ttl()).unwrap().event, Some(OrderEvent::Cancelled(_))));
}

#[test]
fn every_status_has_a_name_that_reads_back() {
    for status in Status::ALL {
        assert_eq!(status.as_str().parse(), Ok(*status));
    }
    for cancellation in Cancellation::ALL {
        assert_eq!(cancellation.as_str().parse(), Ok(*cancellation));
    }
    for status in PaymentStatus::ALL {
        assert_eq!(status.as_str().parse(), Ok(*status));
    }
}

#[derive(Clone, Debug)]
enum Step {
    Reserved,
    Rejected(bool),
    Token,
    Captured(u128),
    Failed(u128, bool),
    Voided(u128),
    Refunded(u128, i64),
    RefundFailed(u128),
    Moved(u128, ShipmentStatus),
    Reduced(u128, i64),
    Stopped,
    Cancel,
    AskAgain,
    Expire,
}

fn moved() -> impl Strategy<Value = (u128, ShipmentStatus)> {
    (1_u128..3, prop_oneof![Just(ShipmentStatus::Dispatched), Just(ShipmentStatus::Delivered)])
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Reserved),
        any::<bool>().prop_map(Step::Rejected),
        Just(Step::Token),
        (1_u128..4).prop_map(Step::Captured),
        (1_u128..4, any::<bool>()).prop_map(|(id, is_final)| Step::Failed(id, is_final)),
        (1_u128..4).prop_map(Step::Voided),
        (1_u128..4, 1_i64..11).prop_map(|(id, part)| Step::Refunded(id, part * 100)),
        (1_u128..11).prop_map(|nth| Step::RefundFailed(nth * 100 + 50)),
        moved().prop_map(|(id, status)| Step::Moved(id, status)),
        (1_u128..3, 1_i64..3).prop_map(|(id, units)| Step::Reduced(id, units)),
        Just(Step::Stopped),
        Just(Step::Cancel),
        Just(Step::AskAgain),
        Just(Step::Expire),
    ]
}

/// The step, if the services that emit its event may take it: shipping answers only if it was asked, and what it
/// stopped never leaves.
fn take(order: &Order, step: &Step, next_payment: u128) -> Option<Decision> {
    match step {
        Step::Reserved => order.stock_reserved(payment(next_payment), now(), ttl()),
        Step::Rejected(waits) => waiting::rejected(order, *waits),
        Step::Token => order.request_payment(payment(next_payment), "tok".to_owned(), now()).ok(),
        Step::Captured(id) => order.payment_captured(payment(*id), now()),
        Step::Failed(id, is_final) => order.payment_failed(payment(*id), decline(*is_final), ATTEMPTS, now()),
        // Payments voids only what an ended order asked for.
        Step::Voided(id) if order.status == Status::Cancelled => order.payment_voided(payment(*id), now()),
        Step::Voided(_) => None,
        Step::Refunded(id, total) if order.captured() > 0 => {
            order.payment_refunded(&refund(payment(*id), *total), now())
        }
        Step::Refunded(..) => None,
        Step::RefundFailed(id) if order.captured() > 0 => order.refund_failed(&refund_failed(*id), now()),
        Step::RefundFailed(_) => None,
        Step::Moved(id, status) if was_paid(order) => {
            order.shipment_moved(shipment(*id, 1, *status), now()).filter(withheld::is_possible)
        }
        Step::Reduced(id, units) if was_paid(order) => {
            order.shipment_reduced(&withheld::reduced(*id, *units), now()).filter(withheld::is_possible)
        }
        Step::Moved(..) | Step::Reduced(..) => None,
        Step::Stopped => order.shipment_stopped(!order.shipments.is_empty(), now()),
        Step::Cancel => order.cancel("customer", now()).ok().flatten(),
        Step::AskAgain => order.ask_again(now()),
        Step::Expire => order.expire(now()),
    }
}

/// Shipping knows of the order, and has not stopped it.
fn was_paid(order: &Order) -> bool {
    use Status::{Backordered, Cancelled, Placed, Rejected, Reserved};
    !matches!(order.status, Placed | Backordered | Reserved | Rejected | Cancelled)
}

fn may_follow(before: Status, after: Status) -> bool {
    use Status::{Backordered, Cancelled, Cancelling, Delivered, Paid, Placed, Refunded, Rejected, Reserved, Shipped};
    before == after
        || matches!(
            (before, after),
            (Placed, Backordered | Reserved | Rejected | Cancelled)
                | (Backordered, Reserved | Rejected | Cancelled)
                | (Reserved, Paid | Cancelled)
                | (Paid, Cancelling | Shipped | Delivered | Refunded)
                | (Cancelling, Cancelled | Paid | Shipped | Delivered | Refunded)
                | (Shipped, Delivered | Refunded)
                | (Delivered, Refunded)
        )
}

proptest! {
    /// Whatever arrives in whatever order, late, early or twice, an order follows its state machine.
    #[test]
    fn an_order_follows_its_state_machine(with_token: bool, steps in prop::collection::vec(step(), 0..60)) {
        let mut order = placed(with_token.then_some("tok"));
        let (mut asked, mut paid_emitted, mut next_payment, mut has_ended) = (0, 0, 1, false);
        for step in steps {
            let Some(decision) = take(&order, &step, next_payment) else { continue };
            prop_assert!(may_follow(order.status, decision.order.status), "{:?} by {step:?}", order.status);
            prop_assert_eq!(decision.has_moved, order.status != decision.order.status);
            prop_assert_eq!(decision.order.total, order.total);
            prop_assert_eq!(&decision.order.lines, &order.lines);
            match &decision.event {
                Some(OrderEvent::PaymentRequested(ask)) => {
                    prop_assert_eq!(decision.order.status, Status::Reserved);
                    prop_assert_eq!(ask.amount, order.total);
                    asked += 1;
                    next_payment += 1;
                }
                Some(OrderEvent::Paid(_)) => paid_emitted += 1,
                // No mail says that the order waits for another payment unless it does, and none after its end.
                Some(OrderEvent::Declined(_)) => {
                    prop_assert!(decision.order.awaits_customer());
                    prop_assert!(!has_ended);
                }
                Some(OrderEvent::CancellationRequested(_)) => {
                    prop_assert_eq!(decision.order.status, Status::Cancelling);
                    prop_assert!(matches!(decision.ask_again, Due::At(_)));
                }
                Some(OrderEvent::Cancelled(end)) => {
                    prop_assert_eq!(decision.order.status, Status::Cancelled);
                    prop_assert_eq!(end.was_paid, paid_emitted == 1);
                    has_ended = true;
                }
                Some(OrderEvent::Updated(news)) => {
                    let is_reported = decision.has_moved || news.shipment.is_some() || news.refund.is_some();
                    prop_assert!(is_reported, "no news: {news:?}");
                }
                None => {}
            }
            // A state that ends takes its timer along; a state that waits keeps it.
            let is_unpaid = |status| matches!(status, Status::Placed | Status::Backordered | Status::Reserved);
            if decision.has_moved && is_unpaid(order.status) {
                let waits_on = is_unpaid(decision.order.status);
                prop_assert_eq!(matches!(decision.expiry, Due::At(_)), waits_on);
                prop_assert_eq!(decision.expiry == Due::Clear, !waits_on);
            }
            // Its place among those that wait begins and ends with the status.
            let is_waiting = decision.order.status == Status::Backordered;
            prop_assert_eq!(decision.order.waits_for.is_empty(), !is_waiting);
            prop_assert_eq!(decision.waited_for.is_empty(), is_waiting || order.status != Status::Backordered);
            if order.status == Status::Cancelling && decision.has_moved {
                prop_assert_eq!(decision.ask_again, Due::Clear);
            }
            order = stored(decision);
            prop_assert!(order.declines <= ATTEMPTS);
            prop_assert!(order.payment_error.is_none() || order.declines > 0);
            prop_assert!(order.refunded <= order.captured());
            let is_cancelled_and_shipped = order.status == Status::Cancelled && !order.shipments.is_empty();
            prop_assert!(!is_cancelled_and_shipped);
        }
        prop_assert!(paid_emitted <= 1);
        prop_assert!(paid_emitted <= asked);
        prop_assert_eq!(paid_emitted == 1, was_paid(&order) || order.cancellation.is_some());
    }

    /// Any order of the news about its shipments and its money, with duplicates, ends in the same state.
    #[test]
    fn the_news_of_shipments_and_refunds_may_come_in_any_order(
        news in prop::collection::vec(
            prop_oneof![
                moved().prop_map(|(id, status)| Step::Moved(id, status)),
                (1_i64..11).prop_map(|part| Step::Refunded(1, part * 100)),
                (1_u128..11).prop_map(|nth| Step::RefundFailed(nth * 100 + 50)),
            ],
            0..12,
        ),
        seed: u64,
    ) {
        let end = |news: &[Step]| {
            let all = news.iter().fold(paid(), |order, step| take(&order, step, 2).map_or(order.clone(), stored));
            let error = all.refund_error().map(str::to_owned);
            (all.status, all.payment_status, all.refunded, all.refunds, error, all.shipments)
        };
        let mut other: Vec<Step> = news.iter().chain(&news).cloned().collect();
        // A shuffle that the case itself determines.
        let mut state = seed | 1;
        for at in (1..other.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            other.swap(at, usize::try_from(state >> 33).unwrap() % (at + 1));
        }
        prop_assert_eq!(end(&news), end(&other));
    }
}

use kernel::{Clock, Currency, Ids, Money, Timestamp};

use super::*;
use crate::cli::bench::shop::{DeadLetter, Line, Refund, Stock};

const ORDERS: u64 = 30;
/// An order without an answer, and one whose card is declined; both are there.
const UNKNOWN: u64 = 3;
const DECLINED: usize = 9;

/// A run of thirty orders over two products, all of which ended as they should.
struct Run {
    plan: Plan,
    ids: Ids,
    product_ids: Vec<ProductId>,
    accepted: Vec<(u64, OrderId)>,
    found: Found,
}

impl Run {
    fn sound() -> Self {
        let ids = Ids::new(Clock::mock(Timestamp::UNIX_EPOCH).0);
        let decline = "10%".parse().unwrap();
        let (run, currency) = ("r1".to_owned(), Currency::EUR);
        let plan = Plan { run, products: 2, stock: 1_000, currency, decline, is_hot: false, is_life: false };
        let product_ids: Vec<ProductId> = (0..plan.products).map(|_| ids.next()).collect();
        let mut run = Self { plan, ids, product_ids, accepted: Vec::new(), found: Found::default() };
        for &product_id in &run.product_ids {
            run.found.stock.push(Stock { product_id, on_hand: run.plan.stock, reserved: 0 });
        }
        (0..ORDERS).for_each(|n| run.add(n));
        run
    }

    /// An order that was paid, or cancelled because its card was declined.
    fn add(&mut self, n: u64) {
        let (plan, order_id) = (&self.plan, self.ids.next());
        let product = usize::try_from(plan.product_of(n)).unwrap();
        let is_declined = plan.is_declined(n);
        assert_eq!(is_declined, n % 10 == DECLINED as u64);
        let (status, template) = if is_declined { ("cancelled", "payment_failed") } else { ("paid", "confirmation") };
        let total = Money::new(plan.total(n), plan.currency);
        let lines = vec![Line { product_id: self.product_ids[product], quantity: plan.quantity(n) }];
        let text = str::to_owned;
        self.found.orders.push(Order {
            order_id,
            number: i64::try_from(n).unwrap(),
            status: text(status),
            reason: is_declined.then(|| text("payment_failed")),
            email: plan.email(n),
            lines: lines.clone(),
            total,
            cancellation: None,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        });
        let nothing = Money { amount: 0, ..total };
        let captured = if is_declined { nothing } else { total };
        let (payment_id, refunds) = (self.ids.next(), Vec::new());
        self.found.payments.push(Payment { payment_id, order_id, captured, refunded: nothing, refunds });
        let (mail_id, to) = (self.ids.next(), plan.email(n));
        self.found.mails.push(Mail { mail_id, order_id: Some(order_id), to, template: text(template) });
        if !is_declined {
            self.found.stock[product].on_hand -= plan.quantity(n);
            let shipment_id = self.ids.next();
            self.found.shipments.push(Shipment { shipment_id, order_id, status: text("pending"), lines });
        }
        if n != UNKNOWN {
            self.accepted.push((n, order_id));
        }
    }

    /// The first order, in another status, with these mails beside its confirmation.
    fn first_is(&mut self, order: &str, shipment: &str, mails: &[&str]) {
        self.found.orders[0].status = order.to_owned();
        self.found.shipments[0].status = shipment.to_owned();
        for template in mails {
            let mail = Mail { template: (*template).to_owned(), ..self.found.mails[0].clone() };
            self.found.mails.push(mail);
        }
    }

    /// Money of the first order goes back, and units with it.
    fn refund_first(&mut self, amount: i64, quantity: i64, reason: Option<&str>) {
        let payment = &mut self.found.payments[0];
        let amount = Money { amount, ..payment.captured };
        payment.refunded.amount += amount.amount;
        let restock = vec![Line { product_id: self.product_ids[0], quantity }];
        let (status, reason) = ("succeeded".to_owned(), reason.map(str::to_owned));
        payment.refunds.push(Refund { amount, status, reason, restock });
        self.found.stock[0].on_hand += quantity;
    }

    /// As if the provider had taken the money of a declined card.
    fn capture_declined(&mut self) {
        self.found.payments[DECLINED].captured = self.found.orders[DECLINED].total;
    }

    fn broken(&self) -> Vec<&'static str> {
        let (plan, product_ids, accepted) = (&self.plan, &self.product_ids, &self.accepted);
        let books = Books::check(Ordered { plan, product_ids, accepted, unknown: &[UNKNOWN, ORDERS] }, &self.found);
        let broken: Vec<&str> = books.checks.iter().filter(|check| !check.ok).map(|check| check.name).collect();
        assert_eq!(books.balanced, broken.is_empty());
        broken
    }
}

/// The checks that fail when one thing in sound books is changed.
fn after(change: impl FnOnce(&mut Run)) -> Vec<&'static str> {
    let mut run = Run::sound();
    change(&mut run);
    run.broken()
}

#[test]
fn sound_books_balance_and_an_order_without_an_answer_may_be_there_or_not() {
    assert_eq!(after(|_| {}), [""; 0]);
}

#[test]
fn other_peoples_things_are_not_looked_at() {
    let of_others = after(|run| {
        let mut order = run.found.orders[0].clone();
        order.email = "ada@example.com".to_owned();
        order.status = "reserved".to_owned();
        order.order_id = run.ids.next();
        run.found.orders.push(order);
        let mail = Mail { order_id: None, template: "welcome".to_owned(), ..run.found.mails[0].clone() };
        run.found.mails.push(mail);
        let key = run.ids.next::<OrderId>().into();
        run.found.dead_letters.push(dead_letter(run, key));
    });
    assert_eq!(of_others, [""; 0]);
}

#[test]
fn an_order_is_there_once_and_as_it_was_ordered() {
    assert_eq!(after(|run| run.accepted.push((ORDERS + 1, run.ids.next()))), ["orders"], "accepted and lost");
    assert_eq!(after(|run| run.accepted.retain(|(n, _)| *n != 7)), ["orders"], "there and never accepted");
    assert_eq!(after(|run| run.accepted[5].1 = run.ids.next()), ["orders"], "under another id");
    assert_eq!(after(|run| run.found.orders[5].number = 6), ["orders"], "under another's number");
    let twice = after(|run| {
        run.add(UNKNOWN);
        run.found.orders.last_mut().unwrap().number = 77;
    });
    assert_eq!(twice, ["orders"], "one request, two orders");
    assert_eq!(after(|run| run.found.orders[DECLINED].lines[0].quantity += 1), ["orders"]);
}

#[test]
fn nothing_is_stuck_and_everything_ends_as_its_card_and_its_stock_have_it() {
    let stuck = after(|run| {
        run.found.orders[0].status = "reserved".to_owned();
        run.found.stock[0] = Stock { reserved: 1, on_hand: run.found.stock[0].on_hand + 1, ..run.found.stock[0] };
        run.found.payments.remove(0);
        run.found.shipments.remove(0);
        run.found.mails.remove(0);
    });
    assert_eq!(stuck, ["states", "units"]);
    let paid_with_a_bad_card = after(|run| {
        let (order, units) = (&mut run.found.orders[DECLINED], run.plan.quantity(DECLINED as u64));
        (order.status, order.reason) = ("paid".to_owned(), None);
        run.capture_declined();
        let shipment = Shipment { order_id: run.found.orders[DECLINED].order_id, ..run.found.shipments[1].clone() };
        run.found.shipments.push(Shipment { lines: run.found.orders[DECLINED].lines.clone(), ..shipment });
        run.found.mails[DECLINED].template = "confirmation".to_owned();
        run.found.stock[1].on_hand -= units;
    });
    assert_eq!(paid_with_a_bad_card, ["outcomes"]);
    let rejected = |run: &mut Run| {
        (run.found.orders[0].status, run.found.orders[0].reason) = ("rejected".to_owned(), None);
        run.found.stock[0].on_hand += run.plan.quantity(0);
        run.found.payments.remove(0);
        run.found.shipments.remove(0);
        run.found.mails[0].template = "rejection".to_owned();
    };
    assert_eq!(after(rejected), ["outcomes"], "rejected for nothing");
    let sold_out = after(|run| {
        rejected(run);
        let left = run.found.stock[0].on_hand;
        run.plan.stock -= left;
        run.found.stock.iter_mut().for_each(|level| level.on_hand -= left);
    });
    assert_eq!(sold_out, [""; 0], "rejected for want of units");
}

#[test]
fn units_cents_and_mails_are_counted() {
    assert_eq!(after(|run| run.found.stock[0].on_hand += 1), ["units"], "sold and still there");
    assert_eq!(after(|run| run.found.stock[1].reserved = 1), ["units"], "held for nobody");
    assert_eq!(after(|run| run.found.stock.truncate(1)), ["units"], "lost");
    assert_eq!(after(|run| run.found.payments[0].captured.amount = 0), ["charges"], "paid, not charged");
    assert_eq!(after(|run| run.found.payments.push(run.found.payments[0].clone())), ["charges"], "charged twice");
    assert_eq!(after(Run::capture_declined), ["charges"]);
    assert_eq!(after(|run| run.found.mails.push(run.found.mails[0].clone())), ["mails"], "mailed twice");
    assert_eq!(after(|run| drop(run.found.mails.pop())), ["mails"], "never mailed");
    assert_eq!(
        after(|run| run.found.mails[0].to = "eve@example.com".to_owned()),
        ["mails"],
        "mailed to another address"
    );
    assert_eq!(after(|run| run.found.mails[0].template = "rejection".to_owned()), ["mails"], "mailed another template");
    let parked = after(|run| run.found.dead_letters.push(dead_letter(run, run.found.orders[0].order_id.into())));
    assert_eq!(parked, ["dead_letters"]);
}

#[test]
fn what_was_sent_and_arrived_is_mailed_and_all_of_the_order() {
    assert_eq!(after(|run| run.first_is("shipped", "dispatched", &["dispatched"])), [""; 0]);
    assert_eq!(after(|run| run.first_is("delivered", "delivered", &["dispatched", "delivered"])), [""; 0]);
    assert_eq!(after(|run| run.first_is("shipped", "pending", &[])), ["shipments"], "shipped, and not sent");
    assert_eq!(
        after(|run| run.first_is("paid", "dispatched", &["dispatched"])),
        ["shipments"],
        "sent, and not shipped"
    );
    assert_eq!(after(|run| run.first_is("paid", "stopped", &[])), ["shipments"], "it waits for nothing");
    assert_eq!(after(|run| run.first_is("shipped", "dispatched", &[])), ["mails"], "sent in silence");
    assert_eq!(after(|run| drop(run.found.shipments.remove(0))), ["shipments"], "paid, and never to be sent");
    assert_eq!(after(|run| run.found.shipments[0].lines[0].quantity += 1), ["shipments"], "more than was ordered");
    let in_parts = after(|run| {
        // The last order of the first product has three units.
        let at = run.found.shipments.iter().position(|it| it.lines[0].quantity == 3).unwrap();
        let part = Shipment { shipment_id: run.ids.next(), ..run.found.shipments[at].clone() };
        run.found.shipments.push(part);
        run.found.shipments[at].lines[0].quantity = 1;
        run.found.shipments.last_mut().unwrap().lines[0].quantity = 2;
    });
    assert_eq!(in_parts, [""; 0]);
}

#[test]
fn what_came_back_is_on_hand_and_its_money_gone() {
    let units = 1;
    let cancelled = |run: &mut Run| {
        run.first_is("cancelled", "stopped", &["cancelled"]);
        run.found.orders[0].cancellation = Some("requested".to_owned());
        run.found.orders[0].reason = Some("cancelled".to_owned());
    };
    let whole = |run: &Run| run.found.orders[0].total.amount;
    let after_payment = after(|run| {
        cancelled(run);
        run.refund_first(whole(run), 0, Some(ORDER_CANCELLED));
        run.found.stock[0].on_hand += units;
    });
    assert_eq!(after_payment, [""; 0]);
    let without_units = after(|run| {
        cancelled(run);
        run.refund_first(whole(run), 0, Some(ORDER_CANCELLED));
    });
    assert_eq!(without_units, ["units"]);
    let in_part = after(|run| {
        cancelled(run);
        run.refund_first(whole(run) - 1, 0, Some(ORDER_CANCELLED));
        run.found.stock[0].on_hand += units;
    });
    assert_eq!(in_part, ["charges"], "a cent is kept");
    let sent = after(|run| {
        cancelled(run);
        run.refund_first(whole(run), 0, Some(ORDER_CANCELLED));
        run.found.stock[0].on_hand += units;
        run.found.shipments[0].status = "dispatched".to_owned();
    });
    assert_eq!(sent, ["shipments", "mails"], "cancelled and sent");

    let returned = after(|run| {
        run.first_is("delivered", "delivered", &["dispatched", "delivered", "refunded"]);
        run.refund_first(1, units, None);
    });
    assert_eq!(returned, [""; 0]);
    let refunded = after(|run| {
        run.first_is("refunded", "delivered", &["dispatched", "delivered", "refunded"]);
        run.refund_first(whole(run), units, None);
    });
    assert_eq!(refunded, [""; 0]);
    let unmailed = after(|run| run.refund_first(1, units, None));
    assert_eq!(unmailed, ["mails"]);
    let more_than_captured = after(|run| {
        run.first_is("paid", "pending", &["refunded"]);
        run.refund_first(whole(run) + 1, 0, None);
    });
    assert_eq!(more_than_captured, ["charges"]);
    let unbooked = after(|run| run.found.payments[0].refunded.amount = 1);
    assert_eq!(unbooked, ["charges"], "gone, and no refund says why");
}

#[test]
fn many_findings_are_counted_and_some_are_reported() {
    let mut run = Run::sound();
    run.found.mails.clear();
    let (plan, product_ids, accepted) = (&run.plan, &run.product_ids, &run.accepted);
    let books = Books::check(Ordered { plan, product_ids, accepted, unknown: &[UNKNOWN] }, &run.found);
    let mails = books.checks.iter().find(|check| check.name == "mails").unwrap();
    assert_eq!((mails.expected.as_str(), mails.found.as_str()), ("30 mails, one for each order that ended", "0 mails"));
    assert_eq!((mails.findings.len(), mails.findings[REPORTED_MAX].as_str()), (REPORTED_MAX + 1, "and 25 more"));
}

fn dead_letter(run: &Run, key: Uuid) -> DeadLetter {
    let (consumer, event_type) = ("inventory".to_owned(), "orders.order_placed.v1".to_owned());
    DeadLetter { dead_letter_id: run.ids.next(), key, consumer, event_type, reason: None }
}

//! Properties of a payment with its refunds: whatever comes, in whatever order and however often.

use std::collections::HashMap;

use events::inventory::ReservedLine;
use events::orders::OrderLine;
use events::{ProductId, RefundId};
use kernel::{Money, SignedDuration, Timestamp, Uuid};
use proptest::prelude::*;

use super::refund::{Refund, RefundEvent, RefundIntent, RefundRequest, RefundStatus};
use super::tests::payment;
use super::{Cancelled, Charge, ChargeEvent, Decided, Payment, Status};

const ORDERED: i64 = 5;

#[derive(Clone, Copy, Debug)]
enum Input {
    Begin,
    Charged,
    Declined,
    Cancel,
    /// Of so much, or of what is left, with so many units.
    Request(Option<i64>, i64),
    /// Decides one of the refunds, be it decided already or not.
    Settle(usize, Decision),
}

#[derive(Clone, Copy, Debug)]
enum Decision {
    Done,
    Refused,
    Abandoned,
}

/// A payment, its refunds, and what was published about them.
struct Machine {
    payment: Payment,
    refunds: Vec<RefundIntent>,
    ids: u128,
    captured: usize,
    failed: usize,
    voided: usize,
    /// Of each refund: how often an outcome was published, and how much went back by it.
    outcomes: HashMap<RefundId, (usize, i64)>,
    refunded_total: i64,
}

impl Machine {
    fn new() -> Self {
        let line = |payment: &Payment| OrderLine {
            product_id: product(),
            sku: "1".to_owned(),
            name: "Lamp".to_owned(),
            quantity: ORDERED,
            unit_price: payment.amount,
        };
        let payment = payment();
        let payment = Payment { lines: vec![line(&payment)], ..payment };
        let (refunds, outcomes) = (Vec::new(), HashMap::new());
        Self { payment, refunds, ids: 0, captured: 0, failed: 0, voided: 0, outcomes, refunded_total: 0 }
    }

    fn after(inputs: impl IntoIterator<Item = Input>) -> Self {
        let mut machine = Self::new();
        inputs.into_iter().for_each(|input| machine.step(input));
        machine
    }

    fn step(&mut self, input: Input) {
        let now = self.payment.updated_at + SignedDuration::from_secs(1);
        match input {
            Input::Begin => self.payment = self.payment.begin(now).unwrap_or_else(|| self.payment.clone()),
            Input::Charged => self.decide(Charge::Charged, now),
            Input::Declined => self.decide(Charge::abandoned(), now),
            Input::Cancel => self.cancel(now),
            Input::Request(amount, units) => self.request(amount, units, now),
            Input::Settle(nth, decision) => self.settle(nth, decision, now),
        }
    }

    fn id(&mut self) -> RefundId {
        self.ids += 1;
        Uuid::from_u128(self.ids).into()
    }

    fn decide(&mut self, charge: Charge, now: Timestamp) {
        let Some((payment, event)) = self.payment.decide(&Decided { answer: Some(charge), looked_up: false }, now)
        else {
            return;
        };
        self.payment = payment;
        match event {
            ChargeEvent::Captured(_) => self.captured += 1,
            ChargeEvent::Failed(_) => self.failed += 1,
        }
    }

    fn cancel(&mut self, now: Timestamp) {
        let refund_id = self.id();
        match self.payment.cancel(refund_id, now) {
            None => {}
            Some(Cancelled::Voided(payment, _)) => {
                self.payment = payment;
                self.voided += 1;
            }
            Some(Cancelled::Refunding(payment, refund)) => {
                self.payment = payment;
                self.refunds.push(refund);
            }
            Some(Cancelled::Marked(payment)) => self.payment = payment,
        }
    }

    fn request(&mut self, amount: Option<i64>, units: i64, now: Timestamp) {
        let request = RefundRequest {
            amount: amount.map(|amount| Money { amount, ..self.payment.amount }),
            restock: Some(ReservedLine { product_id: product(), quantity: units })
                .filter(|line| line.quantity > 0)
                .into_iter()
                .collect(),
            requested_by: "automation".to_owned(),
            ..RefundRequest::default()
        };
        let refund_id = self.id();
        if let Ok((payment, refund)) = self.payment.request_refund(refund_id, &request, &self.refunds, now) {
            self.payment = payment;
            self.refunds.push(refund);
        }
    }

    fn settle(&mut self, nth: usize, decision: Decision, now: Timestamp) {
        let renewal = self.id();
        let count = self.refunds.len();
        let Some(refund) = self.refunds.get_mut(nth % count.max(1)) else { return };
        let decision = match decision {
            Decision::Done => Some(Refund::Done),
            Decision::Refused => Some(Refund::Refused { error: "the card was closed".to_owned() }),
            Decision::Abandoned => None,
        };
        let decided = Decided { answer: decision, looked_up: false };
        let Some(settled) = self.payment.settle_refund(refund, &decided, renewal, now) else { return };
        self.payment = settled.payment;
        *refund = settled.refund;
        let published = match settled.event {
            RefundEvent::Refunded(event) => {
                self.refunded_total = event.refunded_total.unwrap().amount;
                (event.refund_id.unwrap(), event.amount.amount)
            }
            RefundEvent::Failed(event) => (event.refund_id, 0),
        };
        let outcome = self.outcomes.entry(published.0).or_default();
        *outcome = (outcome.0 + 1, outcome.1 + published.1);
        self.refunds.extend(settled.renewal);
    }

    fn sum_of(&self, status: RefundStatus) -> i64 {
        self.refunds.iter().filter(|refund| refund.status == status).map(|refund| refund.amount.amount).sum()
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let payment = &self.payment;
        let money = payment.amount.amount;
        prop_assert!(self.captured + self.failed + self.voided <= 1);
        prop_assert_eq!(self.voided, usize::from(payment.status == Status::Voided));
        prop_assert_eq!(self.failed, usize::from(payment.status == Status::Failed));
        prop_assert_eq!(payment.captured().amount, if self.captured == 1 { money } else { 0 });

        prop_assert_eq!(payment.refunded_amount, self.sum_of(RefundStatus::Succeeded));
        prop_assert_eq!(payment.pending_refunds, self.sum_of(RefundStatus::Pending));
        prop_assert!(payment.left().amount >= 0, "more goes back than was captured: {:?}", self.refunds);
        let published: i64 = self.outcomes.values().map(|(_, amount)| amount).sum();
        prop_assert_eq!((published, self.refunded_total), (payment.refunded_amount, payment.refunded_amount));
        for refund in &self.refunds {
            let times = self.outcomes.get(&refund.refund_id).map_or(0, |(times, _)| *times);
            prop_assert_eq!(times, usize::from(refund.status != RefundStatus::Pending));
            prop_assert_eq!(refund.error.is_some(), refund.status == RefundStatus::Failed);
            prop_assert!(refund.amount.amount > 0);
        }
        let units = self.refunds.iter().filter(|refund| refund.status != RefundStatus::Failed);
        let units: i64 = units.flat_map(|refund| &refund.restock).map(|line| line.quantity).sum();
        prop_assert!(units <= ORDERED);

        let is_back = self.captured == 1 && payment.refunded_amount == money;
        prop_assert_eq!(payment.status == Status::Refunded, is_back);
        let goes_back = self.captured == 1 && !is_back && payment.left().amount == 0;
        prop_assert_eq!(payment.status == Status::Refunding, goes_back);
        let is_undecided = matches!(payment.status, Status::Requested | Status::Charging);
        prop_assert_eq!(payment.token.is_some(), is_undecided);
        prop_assert_eq!(payment.error.is_some(), payment.status == Status::Failed);
        Ok(())
    }
}

fn product() -> ProductId {
    Uuid::from_u128(4711).into()
}

fn decision() -> impl Strategy<Value = Decision> {
    prop_oneof![Just(Decision::Done), Just(Decision::Refused), Just(Decision::Abandoned)]
}

fn request() -> impl Strategy<Value = Input> {
    (prop::option::of(1_i64..2_500), 0..=ORDERED).prop_map(|(amount, units)| Input::Request(amount, units))
}

fn settle() -> impl Strategy<Value = Input> {
    (0_usize..8, decision()).prop_map(|(nth, decision)| Input::Settle(nth, decision))
}

/// All inputs. A few begin with a capture, for most refunds need one.
fn inputs() -> impl Strategy<Value = Vec<Input>> {
    let input = prop_oneof![
        1 => Just(Input::Begin),
        1 => Just(Input::Charged),
        1 => Just(Input::Declined),
        1 => Just(Input::Cancel),
        4 => request(),
        4 => settle(),
    ];
    (any::<bool>(), prop::collection::vec(input, 0..30)).prop_map(|(is_captured, inputs)| {
        let first = if is_captured { vec![Input::Begin, Input::Charged] } else { Vec::new() };
        first.into_iter().chain(inputs).collect()
    })
}

proptest! {
    #[test]
    fn whatever_comes_no_more_goes_back_than_was_captured_and_each_outcome_is_published_once(inputs in inputs()) {
        let mut machine = Machine::new();
        for input in inputs {
            let before = machine.payment.clone();
            machine.step(input);
            machine.check()?;
            if matches!(before.status, Status::Failed | Status::Voided | Status::Refunded) {
                prop_assert_eq!(&machine.payment, &before);
            }
        }
    }

    #[test]
    fn no_money_is_kept_for_a_cancelled_order(
        requests in prop::collection::vec(prop_oneof![request(), settle()], 0..12),
        is_captured: bool,
        charge_succeeds: bool,
        is_reachable in prop::collection::vec(any::<bool>(), 12),
    ) {
        let first = if is_captured { vec![Input::Begin, Input::Charged] } else { vec![Input::Begin] };
        let mut machine = Machine::after(first.into_iter().chain(requests));
        // The order is cancelled; what is in flight ends, and a capture is answered by another cancellation.
        let decided = if charge_succeeds { Input::Charged } else { Input::Declined };
        for input in [Input::Cancel, decided, Input::Cancel] {
            machine.step(input);
        }
        // The refunds that admins asked for end as they like; those for the cancellation find the provider.
        for nth in 0..machine.refunds.len() {
            let is_of_cancellation = machine.refunds[nth].requested_by == "orders";
            let is_done = is_of_cancellation || is_reachable.get(nth).copied().unwrap_or(true);
            machine.step(Input::Settle(nth, if is_done { Decision::Done } else { Decision::Abandoned }));
        }
        for nth in 0..machine.refunds.len() {
            machine.step(Input::Settle(nth, Decision::Done));
        }
        machine.step(Input::Cancel);
        machine.check()?;
        prop_assert!(matches!(machine.payment.status, Status::Failed | Status::Refunded), "{:?}", machine.payment);
        prop_assert_eq!(machine.payment.refunded(), machine.payment.captured());
        prop_assert_eq!(machine.sum_of(RefundStatus::Pending), 0);
    }
}

/// A refund: amount, status, and if it is for the cancellation.
type Shown = (i64, RefundStatus, bool);

fn refunds_after(inputs: &[Input]) -> Vec<Shown> {
    let machine = Machine::after([Input::Begin, Input::Charged].into_iter().chain(inputs.iter().copied()));
    let shown = |refund: &RefundIntent| (refund.amount.amount, refund.status, refund.requested_by == "orders");
    machine.refunds.iter().map(shown).collect()
}

#[test]
fn the_money_of_an_abandoned_refund_goes_back_once_more_if_the_order_was_cancelled() {
    use RefundStatus::{Failed, Pending, Succeeded};
    let part = Input::Request(Some(500), 0);
    let ends = |nth, decision| Input::Settle(nth, decision);
    let (rest, all) = ((1_499, Succeeded, true), 1_999);
    // (inputs, refunds)
    let table: [(&[Input], &[Shown]); 5] = [
        (&[part, Input::Cancel, ends(1, Decision::Done), ends(0, Decision::Done)], &[(500, Succeeded, false), rest]),
        (
            &[part, Input::Cancel, ends(1, Decision::Done), ends(0, Decision::Abandoned), Input::Cancel],
            &[(500, Failed, false), rest, (500, Pending, true)],
        ),
        (
            &[part, Input::Cancel, ends(1, Decision::Done), ends(0, Decision::Refused), Input::Cancel],
            &[(500, Failed, false), rest],
        ),
        (&[part, ends(0, Decision::Abandoned)], &[(500, Failed, false)]),
        (&[Input::Cancel, ends(0, Decision::Abandoned), Input::Cancel], &[(all, Failed, true)]),
    ];
    for (inputs, expected) in table {
        assert_eq!(refunds_after(inputs), expected, "{inputs:?}");
    }
}

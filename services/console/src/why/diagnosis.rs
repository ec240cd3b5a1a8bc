//! The one reason why an order is where it is: what it waits for is compared with what has happened.

use events::OrderId;
use kernel::{DeadLetterId, SignedDuration, Timestamp};

/// Work that is younger is in progress, and nothing is wrong with it.
const IN_PROGRESS_FOR: SignedDuration = SignedDuration::from_secs(2);

/// Services for which nothing of an order waits. They let others go first, a minute at the most.
const OBSERVERS: [&str; 4] = ["admin", "analytics", "bridge", "webhooks"];

/// Events are handled by those within this time.
const OBSERVED_WITHIN: SignedDuration = SignedDuration::from_mins(2);

/// A charge usually takes less.
const CHARGE_USUALLY_TAKES: SignedDuration = SignedDuration::from_secs(2);

/// A timer is handled within this time of when it is due.
const TIMER_LATE_AFTER: SignedDuration = SignedDuration::from_secs(10);

/// All that is known of an order.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) order_id: OrderId,
    pub(super) now: Timestamp,
    /// Its status at the orders service, that of its payment there, and since when.
    pub(super) order: Option<(String, String, Timestamp)>,
    /// Services that did not answer.
    pub(super) unreachable: Vec<Unreachable>,
    /// Services whose broker does not work, with the reason.
    pub(super) degraded: Vec<(&'static str, String)>,
    /// Events that their service has not sent: the type and the service, oldest first.
    pub(super) unsent: Vec<(String, &'static str, Timestamp)>,
    pub(super) deliveries: Vec<Unhandled>,
    pub(super) timers: Vec<PendingTimer>,
    /// The payment that is being charged: since when.
    pub(super) charging_since: Option<Timestamp>,
}

/// A service that did not answer.
#[derive(Clone, Debug)]
pub(super) struct Unreachable {
    pub(super) service: &'static str,
    pub(super) reason: String,
    /// It is its store that does not answer.
    pub(super) is_store: bool,
}

/// An event that a service has not handled.
#[derive(Clone, Debug)]
pub(super) struct Unhandled {
    pub(super) event_type: String,
    pub(super) emitted_at: Timestamp,
    pub(super) consumer: &'static str,
    pub(super) attempts: i64,
    pub(super) reason: Option<String>,
    pub(super) state: State,
    /// Deliveries that wait at that service.
    pub(super) queued: Option<u64>,
}

/// The state of an event that is not handled.
#[derive(Clone, Copy, Debug)]
pub(super) enum State {
    Pending,
    Retrying(Option<Timestamp>),
    Parked(Option<DeadLetterId>),
    /// An earlier one of the same order is retried or parked.
    Waiting,
}

/// A timer about the order.
#[derive(Clone, Debug)]
pub(super) struct PendingTimer {
    pub(super) service: &'static str,
    pub(super) name: String,
    pub(super) due_at: Timestamp,
    pub(super) attempts: i64,
    pub(super) is_leased: bool,
}

/// The reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Diagnosis {
    pub(super) is_healthy: bool,
    pub(super) cause: &'static str,
    pub(super) sentence: String,
    pub(super) evidence: Vec<String>,
    pub(super) remedy: Option<String>,
}

impl Diagnosis {
    fn healthy(cause: &'static str, sentence: impl Into<String>) -> Self {
        Self { is_healthy: true, cause, sentence: sentence.into(), evidence: Vec::new(), remedy: None }
    }

    fn wrong(cause: &'static str, sentence: impl Into<String>) -> Self {
        Self { is_healthy: false, ..Self::healthy(cause, sentence) }
    }

    fn seen(mut self, evidence: impl Into<String>) -> Self {
        self.evidence.push(evidence.into());
        self
    }

    fn mended_by(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }
}

impl Facts {
    /// Finds it: what holds an event up before what an order waits for, and what is certain before what is likely.
    pub(super) fn diagnose(&self) -> Diagnosis {
        let found = self.of_orders().or_else(|| self.of_deliveries()).or_else(|| self.of_outbox());
        let found = found.or_else(|| self.of_pending()).or_else(|| self.of_timers());
        found.unwrap_or_else(|| self.of_state())
    }

    /// Without the orders service nothing is known of the order.
    fn of_orders(&self) -> Option<Diagnosis> {
        let it = self.unreachable.iter().find(|it| it.service == "orders")?;
        Some(it.diagnosis("which knows the order"))
    }

    /// Dead letters, retries, and what waits behind them.
    fn of_deliveries(&self) -> Option<Diagnosis> {
        let parked = self.deliveries.iter().find(|it| matches!(it.state, State::Parked(_)));
        if let Some(it @ Unhandled { state: State::Parked(id), .. }) = parked {
            let sentence = format!("{} is a dead letter at {}.", name(&it.event_type), it.consumer);
            let replay = id.map_or_else(
                || format!("tradepost dlq list --consumer {}", it.consumer),
                |id| format!("tradepost dlq replay {id}"),
            );
            let is_held_up = self.deliveries.iter().any(|other| matches!(other.state, State::Waiting));
            let diagnosis = Diagnosis::wrong("parked", sentence).seen(it.tried()).mended_by(replay);
            return Some(if is_held_up {
                diagnosis.seen("later events of the order wait behind it")
            } else {
                diagnosis
            });
        }
        let retried = self.deliveries.iter().find(|it| matches!(it.state, State::Retrying(_)));
        if let Some(it @ Unhandled { state: State::Retrying(due_at), .. }) = retried {
            let until = due_at.map_or_else(String::new, |due_at| format!(" at {}", clock_time(due_at)));
            let sentence =
                format!("{} failed at {} and will be tried again{until}.", name(&it.event_type), it.consumer);
            return Some(Diagnosis::wrong("backing_off", sentence).seen(it.tried()));
        }
        let waiting = self.deliveries.iter().find(|it| matches!(it.state, State::Waiting))?;
        let sentence = format!(
            "{} waits at {} behind an earlier event of the same key that is not handled.",
            name(&waiting.event_type),
            waiting.consumer
        );
        let list = format!("tradepost dlq list --consumer {}", waiting.consumer);
        Some(Diagnosis::wrong("behind_parked", sentence).mended_by(list))
    }

    /// Events that were committed and not sent.
    fn of_outbox(&self) -> Option<Diagnosis> {
        let (event_type, service, since) = self.unsent.iter().find(|(_, _, since)| self.is_late(*since))?;
        let sentence = format!("{} is committed at {service} and not sent.", name(event_type));
        let broker = self.degraded.iter().find(|(degraded, _)| degraded == service);
        let diagnosis = Diagnosis::wrong("outbox_unsent", sentence).seen(format!("committed {}", self.ago(*since)));
        Some(match broker {
            Some((_, reason)) => diagnosis.seen(format!("the broker: {reason}")).mended_by("tradepost doctor"),
            None => diagnosis,
        })
    }

    /// Events that a service has not taken.
    fn of_pending(&self) -> Option<Diagnosis> {
        let is_pending = |it: &&Unhandled| matches!(it.state, State::Pending);
        if let Some(it) = self.unreachable.iter().find(|it| self.is_awaited(it.service)) {
            return Some(it.diagnosis("which has to act next"));
        }
        let it = self.deliveries.iter().filter(is_pending).find(|it| self.is_behind(it))?;
        let event = name(&it.event_type);
        if let Some((_, reason)) = self.degraded.iter().find(|(service, _)| *service == it.consumer) {
            let sentence = format!("{} does not receive events, and has to handle {event}.", it.consumer);
            let diagnosis = Diagnosis::wrong("consumer_not_receiving", sentence).seen(format!("the broker: {reason}"));
            return Some(diagnosis.mended_by("tradepost doctor"));
        }
        let since = format!("emitted {}", self.ago(it.emitted_at));
        if let Some(queued @ 1..) = it.queued {
            let sentence = format!("{event} waits in the queue of {}, which is behind.", it.consumer);
            return Some(
                Diagnosis::wrong("queue_backlog", sentence).seen(format!("{queued} deliveries wait there")).seen(since),
            );
        }
        let sentence = format!("{event} was sent to {} and is not handled: its process may be frozen.", it.consumer);
        Some(Diagnosis::wrong("consumer_frozen", sentence).seen(since).mended_by("tradepost doctor"))
    }

    /// Timers whose time has long come.
    fn of_timers(&self) -> Option<Diagnosis> {
        let is_late = |it: &&PendingTimer| !it.is_leased && self.now > it.due_at + TIMER_LATE_AFTER;
        let it = self.timers.iter().find(is_late)?;
        let sentence = format!("The timer {} of {} is due and was not handled.", it.name, it.service);
        Some(Diagnosis::wrong("timer_late", sentence).seen(format!("due {}", self.ago(it.due_at))))
    }

    /// Nothing is held up: what the order waits for by its status.
    fn of_state(&self) -> Diagnosis {
        let Some((status, payment, since)) = &self.order else {
            return Diagnosis::healthy("unknown", "The orders service does not know the order.");
        };
        let diagnosis = match (&**status, &**payment) {
            ("backordered", _) => Diagnosis::healthy("waiting_for_stock", "The order waits for stock."),
            ("reserved", "requested") => self.of_charge(),
            ("reserved", "failed") => Diagnosis::healthy(
                "waiting_for_customer",
                "The payment was declined, and the order waits for another one of its customer.",
            ),
            ("reserved", _) => {
                Diagnosis::healthy("waiting_for_customer", "The units are held, and the customer has not paid yet.")
            }
            ("paid", _) => {
                Diagnosis::healthy("waiting_for_shipping", "The order is paid, and nobody has shipped it yet.")
            }
            ("shipped", _) => {
                Diagnosis::healthy("waiting_for_delivery", "The order was shipped, and is not delivered yet.")
            }
            ("placed" | "cancelling", _) if self.is_late(*since) => {
                let sentence = "Everything that was sent is handled, and no answer has come.";
                Diagnosis::wrong("no_answer", sentence).mended_by(format!("tradepost orders show {}", self.order_id))
            }
            ("placed" | "cancelling", _) => Diagnosis::healthy("in_progress", "The order is being worked on."),
            _ => Diagnosis::healthy("finished", "The order is at its end."),
        };
        let expires = self.timers.iter().find(|it| it.name == EXPIRE_RESERVATION);
        let diagnosis = diagnosis.seen(format!("{status} {}", self.since(*since)));
        match expires {
            Some(timer) => {
                diagnosis.seen(format!("it is cancelled at {} if nothing changes", clock_time(timer.due_at)))
            }
            None => diagnosis,
        }
    }

    /// The provider has been asked, or is about to be.
    fn of_charge(&self) -> Diagnosis {
        let Some(since) = self.charging_since else {
            return Diagnosis::healthy("in_progress", "The payment is about to be charged.");
        };
        let timer = self.timers.iter().find(|it| it.service == "payments");
        if let Some(timer) = timer.filter(|it| it.attempts > 1) {
            let sentence = "The answer of the payment provider was lost, and it is asked what became of the charge.";
            let attempts = format!("attempt {} at {}", timer.attempts + 1, clock_time(timer.due_at));
            return Diagnosis::wrong("provider_in_doubt", sentence).seen(attempts);
        }
        if self.now > since + CHARGE_USUALLY_TAKES {
            let sentence = "The payment provider has been asked and has not answered yet.";
            return Diagnosis::wrong("provider_slow", sentence).seen(format!("asked {}", self.ago(since)));
        }
        Diagnosis::healthy("in_progress", "The payment is being charged.")
    }

    /// True if the order waits for something that this service does.
    fn is_awaited(&self, service: &str) -> bool {
        let Some((status, payment, _)) = &self.order else { return false };
        match (&**status, &**payment) {
            ("placed" | "backordered", _) => service == "inventory",
            ("reserved", "requested") => service == "payments",
            ("cancelling", _) => service == "shipping",
            _ => false,
        }
    }

    /// True if a service should have handled it by now.
    fn is_behind(&self, it: &Unhandled) -> bool {
        let within = if OBSERVERS.contains(&it.consumer) { OBSERVED_WITHIN } else { IN_PROGRESS_FOR };
        self.now > it.emitted_at + within
    }

    fn is_late(&self, since: Timestamp) -> bool {
        self.now > since + IN_PROGRESS_FOR
    }

    fn ago(&self, since: Timestamp) -> String {
        format!("{} ago", age(self.now.duration_since(since)))
    }

    fn since(&self, since: Timestamp) -> String {
        format!("since {}, for {}", clock_time(since), age(self.now.duration_since(since)))
    }
}

impl Unreachable {
    fn diagnosis(&self, role: &str) -> Diagnosis {
        let Self { service, reason, is_store } = self;
        if *is_store {
            let sentence = format!("The store of {service}, {role}, does not answer.");
            return Diagnosis::wrong("store_unreachable", sentence).seen(reason).mended_by("tradepost doctor");
        }
        let sentence = format!("{service}, {role}, does not answer.");
        let serve = format!("tradepost serve {service}");
        Diagnosis::wrong("consumer_unreachable", sentence).seen(reason).mended_by(serve)
    }
}

/// The timer by which orders cancels what was not paid in time.
const EXPIRE_RESERVATION: &str = "expire_reservation";

impl Unhandled {
    fn tried(&self) -> String {
        let reason = self.reason.as_deref().unwrap_or("no reason is known");
        format!("{} attempts; the last: {reason}", self.attempts)
    }
}

/// `OrderPaid` for `orders.order_paid.v1`.
fn name(event_type: &str) -> &str {
    events::find(event_type).map_or(event_type, |event| event.name)
}

/// A time for people, in its largest unit.
fn age(age: SignedDuration) -> String {
    let seconds = age.as_secs().max(0);
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn clock_time(time: Timestamp) -> String {
    format!("{time:.0}")
}

#[cfg(test)]
mod tests {
    use kernel::Uuid;

    use super::*;

    fn now() -> Timestamp {
        "2026-01-01T12:00:00Z".parse().unwrap()
    }

    fn ago(seconds: i64) -> Timestamp {
        now() - SignedDuration::from_secs(seconds)
    }

    /// An order about which nothing is held up.
    fn facts(status: &str, payment: &str) -> Facts {
        Facts {
            order_id: Uuid::from_u128(1).into(),
            now: now(),
            order: Some((status.to_owned(), payment.to_owned(), ago(60))),
            unreachable: Vec::new(),
            degraded: Vec::new(),
            unsent: Vec::new(),
            deliveries: Vec::new(),
            timers: Vec::new(),
            charging_since: None,
        }
    }

    fn unhandled(consumer: &'static str, state: State, seconds: i64) -> Unhandled {
        Unhandled {
            event_type: "orders.order_placed.v1".to_owned(),
            emitted_at: ago(seconds),
            consumer,
            attempts: 3,
            reason: Some("no such product".to_owned()),
            state,
            queued: None,
        }
    }

    fn timer(service: &'static str, name: &str, due_at: Timestamp, attempts: i64) -> PendingTimer {
        PendingTimer { service, name: name.to_owned(), due_at, attempts, is_leased: false }
    }

    fn cause(facts: &Facts) -> (&'static str, bool) {
        let Diagnosis { cause, is_healthy, .. } = facts.diagnose();
        (cause, is_healthy)
    }

    #[test]
    fn orders_that_wait_for_somebody_outside_are_healthy() {
        for (status, payment, expected) in [
            ("backordered", "none", "waiting_for_stock"),
            ("reserved", "none", "waiting_for_customer"),
            ("reserved", "failed", "waiting_for_customer"),
            ("paid", "captured", "waiting_for_shipping"),
            ("shipped", "captured", "waiting_for_delivery"),
            ("delivered", "captured", "finished"),
            ("rejected", "none", "finished"),
            ("cancelled", "refunded", "finished"),
            ("refunded", "refunded", "finished"),
        ] {
            assert_eq!(cause(&facts(status, payment)), (expected, true), "{status}, {payment}");
        }
        let unknown = Facts { order: None, ..facts("", "") };
        assert_eq!(cause(&unknown), ("unknown", true));
    }

    #[test]
    fn an_age_is_in_its_largest_unit() {
        let shown = [-5, 0, 119, 120, 7_199, 7_200, 172_800].map(|seconds| age(SignedDuration::from_secs(seconds)));
        assert_eq!(shown, ["0 s", "0 s", "119 s", "2 min", "119 min", "2 h", "2 days"]);
    }

    #[test]
    fn what_is_young_is_in_progress() {
        let young = Facts { order: Some(("placed".to_owned(), "none".to_owned(), ago(1))), ..facts("", "") };
        assert_eq!(cause(&young), ("in_progress", true));
        let pending = Facts { deliveries: vec![unhandled("inventory", State::Pending, 1)], ..young };
        assert_eq!(cause(&pending), ("in_progress", true));
        let observed =
            Facts { deliveries: vec![unhandled("analytics", State::Pending, 60)], ..facts("paid", "captured") };
        assert_eq!(cause(&observed), ("waiting_for_shipping", true));
        let charging = Facts { charging_since: Some(ago(1)), ..facts("reserved", "requested") };
        assert_eq!(cause(&charging), ("in_progress", true));
    }

    #[test]
    fn each_cause_is_named_with_its_remedy() {
        let id = Uuid::from_u128(7);
        let held = |state| Facts { deliveries: vec![unhandled("inventory", state, 60)], ..facts("placed", "none") };
        let queued = |queued| {
            let it = Unhandled { queued, ..unhandled("inventory", State::Pending, 60) };
            Facts { deliveries: vec![it], ..facts("placed", "none") }
        };
        let broker =
            || vec![("inventory", "connection refused".to_owned()), ("orders", "connection refused".to_owned())];
        let unreachable = |is_store| {
            let it = Unreachable { service: "inventory", reason: "connection refused".to_owned(), is_store };
            Facts { unreachable: vec![it], ..facts("placed", "none") }
        };
        let unsent = vec![("orders.order_placed.v1".to_owned(), "orders", ago(60))];
        let charged = |attempts, since| Facts {
            charging_since: Some(ago(since)),
            timers: vec![timer("payments", "charge", now(), attempts)],
            ..facts("reserved", "requested")
        };
        for (facts, expected, remedy) in [
            (held(State::Parked(Some(id.into()))), "parked", Some(format!("tradepost dlq replay {id}"))),
            (held(State::Retrying(Some(now()))), "backing_off", None),
            (held(State::Waiting), "behind_parked", Some("tradepost dlq list --consumer inventory".to_owned())),
            (unreachable(false), "consumer_unreachable", Some("tradepost serve inventory".to_owned())),
            (unreachable(true), "store_unreachable", Some("tradepost doctor".to_owned())),
            (Facts { unsent: unsent.clone(), ..facts("placed", "none") }, "outbox_unsent", None),
            (
                Facts { unsent, degraded: broker(), ..facts("placed", "none") },
                "outbox_unsent",
                Some("tradepost doctor".to_owned()),
            ),
            (queued(Some(12)), "queue_backlog", None),
            (queued(None), "consumer_frozen", Some("tradepost doctor".to_owned())),
            (
                Facts { degraded: broker(), ..queued(Some(12)) },
                "consumer_not_receiving",
                Some("tradepost doctor".to_owned()),
            ),
            (charged(1, 10), "provider_slow", None),
            (charged(3, 10), "provider_in_doubt", None),
            (
                Facts { timers: vec![timer("orders", "expire_reservation", ago(60), 0)], ..facts("reserved", "none") },
                "timer_late",
                None,
            ),
        ] {
            let found = facts.diagnose();
            assert_eq!((found.cause, found.is_healthy, found.remedy), (expected, false, remedy), "{facts:?}");
        }
    }

    #[test]
    fn a_dead_letter_comes_before_what_waits_behind_it() {
        let deliveries =
            vec![unhandled("inventory", State::Waiting, 50), unhandled("inventory", State::Parked(None), 60)];
        let found = Facts { deliveries, ..facts("placed", "none") }.diagnose();
        assert_eq!(found.cause, "parked");
        assert_eq!(found.sentence, "OrderPlaced is a dead letter at inventory.");
        assert_eq!(found.evidence[0], "3 attempts; the last: no such product");
    }
}

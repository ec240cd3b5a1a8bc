//! The timer that charges: asks the provider outside of any transaction, and commits what it decided.
//!
//! Two steps, each its own commit, under one lease. First the payments are marked as charging, so that a cancellation
//! which comes now leaves them alone; then the provider is asked about each. An answer that was lost is looked up, and
//! the charge is repeated, under the same key, only where the provider knows of none.

use kernel::Timestamp;
use service::storage::{Batch, Error};
use service::{Committed, Failure, Timer, TimerKind, ends, holds};

use crate::domain::{Charge, ChargeEvent, Decided, Payment, Status};
use crate::provider::{Provider, Unknown, answer_of};
use crate::{Ctx, store};

pub(crate) const CHARGE: TimerKind = TimerKind::external("charge");

/// Marks what nobody asked about yet, and answers with all that is to be asked about.
pub(crate) async fn begin(ctx: Ctx, timers: Vec<Timer>) -> Result<Vec<(Timer, Payment)>, Failure> {
    let mut payments = store::payments_of(&ctx.db, &timers).await?;
    let now = ctx.clock.now();
    let (mut charging, mut over) = (Vec::with_capacity(timers.len()), Vec::new());
    let (mut marks, mut marked) = (Batch::new(), Vec::new());
    for timer in timers {
        let payment = payments.remove(&timer.key.into());
        let payment = payment.ok_or_else(|| Failure::park("the timer's payment is not in the store"))?;
        if let Some(begun) = payment.begin(now) {
            marks = marks.and(store::update(&begun));
            marked.push(charging.len());
            charging.push((timer, begun.stored()));
        } else if payment.status == Status::Charging {
            charging.push((timer, payment));
        } else {
            over.push(timer);
        }
    }
    if !marked.is_empty() {
        ctx.commit(marks, holds(marked.into_iter().map(|at| &charging[at].0))).await?;
    }
    if !over.is_empty() {
        ctx.commit(Batch::new(), ends(over)).await?;
    }
    Ok(charging)
}

/// Asks about one payment that is marked as charging.
pub(crate) async fn ask(ctx: Ctx, timer: Timer, payment: Payment) -> Result<Committed, Failure> {
    let decided = ask_provider(&*ctx.state.provider, &payment, timer.attempts, ctx.clock.now())
        .await
        .map_err(|unknown| Failure::retry(unknown.to_string()))?;
    let batch = match payment.decide(&decided, ctx.clock.now()) {
        Some((payment, ChargeEvent::Captured(event))) => store::update(&payment).emit(payment.version.next(), &event),
        Some((payment, ChargeEvent::Failed(event))) => store::update(&payment).emit(payment.version.next(), &event),
        None => Batch::new(),
    };
    let committed = match ctx.commit(batch, timer.cause()).await {
        // Nobody else decides a charge that is in flight. Should it happen, the next attempt looks first.
        Err(Error::Conflict { .. }) => return Err(Failure::retry("the payment changed while its charge was decided")),
        committed => committed?,
    };
    if decided.looked_up {
        ctx.state.looked_up.count([]);
        tracing::info!(payment_id = %payment.payment_id, order_id = %payment.order_id, "a charge was looked up");
    }
    Ok(committed)
}

/// The decision of the provider. `attempts` counts those since the payment was asked for, this one included.
async fn ask_provider(
    provider: &dyn Provider,
    payment: &Payment,
    attempts: i64,
    now: Timestamp,
) -> Result<Decided, Unknown> {
    let key = payment.payment_id;
    let look_up = async || answer_of(provider.look_up(key)).await;
    let found = |charge| Decided { charge, looked_up: true };
    let answered = |charge| Decided { charge, looked_up: false };

    if attempts > 1 {
        if let Some(charge) = look_up().await? {
            return Ok(found(charge));
        }
        if payment.is_overdue(now) {
            return Ok(answered(Charge::abandoned()));
        }
    }
    let token = payment.token.as_ref().ok_or_else(|| Unknown("the payment's token is gone".to_owned()))?;
    match answer_of(provider.charge(key, payment.amount, token)).await {
        Ok(charge) => Ok(answered(charge)),
        // Not found now doesn't mean never: the charge may still be in flight, so the next attempt asks again.
        Err(lost) => look_up().await?.map(found).ok_or(lost),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use events::{PaymentId, RefundId};
    use futures_util::future::{BoxFuture, FutureExt};
    use kernel::{Money, SignedDuration};

    use super::*;
    use crate::domain::tests::payment;
    use crate::provider::{Refund, Token};

    type ProviderResult<T> = Result<T, Unknown>;

    /// Answers as the test states, and records the calls.
    struct Scripted {
        charge: ProviderResult<Charge>,
        look_up: ProviderResult<Option<Charge>>,
        asked: Mutex<Vec<&'static str>>,
    }

    impl Scripted {
        fn answer<T: Clone + Send + 'static>(
            &self,
            call: &'static str,
            answer: &ProviderResult<T>,
        ) -> BoxFuture<'_, ProviderResult<T>> {
            self.asked.lock().unwrap().push(call);
            std::future::ready(answer.clone()).boxed()
        }
    }

    impl Provider for Scripted {
        fn charge<'a>(&'a self, _: PaymentId, _: Money, _: &'a Token) -> BoxFuture<'a, ProviderResult<Charge>> {
            self.answer("charge", &self.charge)
        }

        fn look_up(&self, _: PaymentId) -> BoxFuture<'_, ProviderResult<Option<Charge>>> {
            self.answer("look up", &self.look_up)
        }

        fn refund(&self, _: RefundId, _: PaymentId, _: Money) -> BoxFuture<'_, ProviderResult<Refund>> {
            self.answer("refund", &Ok(Refund::Done))
        }

        fn look_up_refund(&self, _: RefundId) -> BoxFuture<'_, ProviderResult<Option<Refund>>> {
            self.answer("look up the refund", &Ok(None))
        }
    }

    struct Case {
        name: &'static str,
        attempts: i64,
        after_hours: i64,
        charge: ProviderResult<Charge>,
        look_up: ProviderResult<Option<Charge>>,
        asked: &'static [&'static str],
        decided: Option<(Charge, bool)>,
    }

    fn cases() -> Vec<Case> {
        let silence = || Unknown("silence".to_owned());
        let charged = || Ok(Charge::Charged);
        let case = |name, (attempts, after_hours), charge, look_up, asked, decided| Case {
            name,
            attempts,
            after_hours,
            charge,
            look_up,
            asked,
            decided,
        };
        let taken = Some((Charge::Charged, false));
        let found = Some((Charge::Charged, true));
        vec![
            case("the first attempt charges", (1, 0), charged(), Ok(None), &["charge"], taken.clone()),
            case(
                "a lost answer is looked up",
                (1, 0),
                Err(silence()),
                Ok(Some(Charge::Charged)),
                &["charge", "look up"],
                found.clone(),
            ),
            case(
                "what isn't found yet is not charged again at once",
                (1, 0),
                Err(silence()),
                Ok(None),
                &["charge", "look up"],
                None,
            ),
            case(
                "a later attempt looks first and repeats nothing",
                (2, 0),
                charged(),
                Ok(Some(Charge::Charged)),
                &["look up"],
                found.clone(),
            ),
            case("what was never charged is charged", (2, 0), charged(), Ok(None), &["look up", "charge"], taken),
            case("without a look-up nothing is charged", (2, 0), charged(), Err(silence()), &["look up"], None),
            case(
                "after a day it is abandoned",
                (90, 24),
                charged(),
                Ok(None),
                &["look up"],
                Some((Charge::abandoned(), false)),
            ),
            case("but never without a look-up", (90, 48), charged(), Err(silence()), &["look up"], None),
            case("nor when there is a charge", (90, 48), charged(), Ok(Some(Charge::Charged)), &["look up"], found),
        ]
    }

    #[tokio::test]
    async fn a_charge_is_never_repeated_without_looking() {
        for case in cases() {
            let provider = Scripted { charge: case.charge, look_up: case.look_up, asked: Mutex::default() };
            let payment = payment();
            let now = payment.created_at + SignedDuration::from_hours(case.after_hours);
            let decided = ask_provider(&provider, &payment, case.attempts, now).await.ok();
            let expected = case.decided.map(|(charge, looked_up)| Decided { charge, looked_up });
            assert_eq!(decided, expected, "{}", case.name);
            assert_eq!(*provider.asked.lock().unwrap(), case.asked, "{}", case.name);
        }
    }
}

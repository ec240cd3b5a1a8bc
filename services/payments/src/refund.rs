//! The timer that gives money back: asks the provider outside of any transaction, and commits what it decided.
//!
//! The money is held by the payment before this timer is set, so that all refunds together never exceed the capture.
//! An answer that was lost is looked up, and the refund is repeated, under the same key, only where the provider knows
//! of none.

use kernel::{Cause, Timestamp};
use service::storage::{Batch, Error};
use service::{Committed, Failure, Timer, TimerKind, holds};

use crate::domain::refund::{DecidedRefund, REFUNDS_MAX, RefundEvent, RefundIntent, RefundStatus, SettledRefund};
use crate::provider::{Provider, Unknown, answer_of};
use crate::{Ctx, store};

pub(crate) const REFUND: TimerKind = TimerKind::external("refund");

/// Reads and decisions about one answer of the provider. Each is repeated because another refund of the same payment was
/// asked for or decided, of which there are so many.
const DECISIONS: usize = 2 * REFUNDS_MAX;

pub(crate) async fn handle(ctx: Ctx, timer: Timer) -> Result<Committed, Failure> {
    let (refund, _) = store::refund_of(&ctx.db, &timer).await?;
    if refund.status != RefundStatus::Pending {
        return Ok(ctx.commit(Batch::new(), timer.cause()).await?);
    }
    let decided = ask_provider(&*ctx.state.provider, &refund, timer.attempts, ctx.clock.now())
        .await
        .map_err(|unknown| Failure::retry(unknown.to_string()))?;
    let committed = settle(&ctx, &timer, &decided).await?;
    if decided.looked_up {
        ctx.state.refunds_looked_up.count([]);
        tracing::info!(refund_id = %refund.refund_id, order_id = %refund.order_id, "a refund was looked up");
    }
    Ok(committed)
}

/// The decision of the provider. `attempts` counts those since the refund was asked for, this one included.
async fn ask_provider(
    provider: &dyn Provider,
    refund: &RefundIntent,
    attempts: i64,
    now: Timestamp,
) -> Result<DecidedRefund, Unknown> {
    let key = refund.refund_id;
    let look_up = async || answer_of(provider.look_up_refund(key)).await;
    let found = |refund| DecidedRefund { refund: Some(refund), looked_up: true };
    let answered = |refund| DecidedRefund { refund, looked_up: false };

    if attempts > 1 {
        if let Some(refund) = look_up().await? {
            return Ok(found(refund));
        }
        if refund.is_overdue(now) {
            return Ok(answered(None));
        }
    }
    match answer_of(provider.refund(key, refund.payment_id, refund.amount)).await {
        Ok(refund) => Ok(answered(Some(refund))),
        // Not found now doesn't mean never: the refund may still be in flight, so the next attempt asks again.
        Err(lost) => look_up().await?.map(found).ok_or(lost),
    }
}

/// Commits what the provider decided. It is decided again, without asking again, while the payment changes: two refunds
/// of one payment may be decided at once.
async fn settle(ctx: &Ctx, timer: &Timer, decided: &DecidedRefund) -> Result<Committed, Failure> {
    for _ in 0..DECISIONS {
        let (refund, payment) = store::refund_of(&ctx.db, timer).await?;
        let now = ctx.clock.now();
        let settled = payment.settle_refund(&refund, decided, ctx.ids.next(), now);
        let batch = settled.map_or_else(Batch::new, |settled| batch(&settled, now));
        match ctx.commit(batch, end_of(timer)).await {
            Err(Error::Conflict { .. }) => {}
            committed => return Ok(committed?),
        }
    }
    Err(Failure::retry("the payment changed while its refund was decided"))
}

fn batch(settled: &SettledRefund, now: Timestamp) -> Batch {
    let SettledRefund { payment, refund, event, renewal } = settled;
    let version = payment.version.next();
    let batch = store::update(payment).and(store::settle_refund(refund));
    let batch = match event {
        RefundEvent::Refunded(event) => batch.emit(version, event),
        RefundEvent::Failed(event) => batch.emit(version, event),
    };
    match renewal {
        Some(refund) => batch.and(store::insert_refund(refund)).schedule(REFUND.name, refund.refund_id, now),
        None => batch,
    }
}

/// The end of the timer, for a commit that is tried again if it finds the payment changed: it wrote nothing then.
fn end_of(timer: &Timer) -> Cause {
    match holds([timer]) {
        Cause::Leases(timers) => Cause::Timers(timers),
        cause => cause,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use events::{PaymentId, RefundId};
    use futures_util::future::{BoxFuture, FutureExt};
    use kernel::{Money, SignedDuration};

    use super::*;
    use crate::domain::refund::Refund;
    use crate::domain::refund::tests::pending;
    use crate::provider::{Charge, Token};

    type ProviderResult<T> = Result<T, Unknown>;

    /// Answers as the test states, and records the calls.
    struct Scripted {
        refund: ProviderResult<Refund>,
        look_up: ProviderResult<Option<Refund>>,
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
            self.answer("charge", &Ok(Charge::Charged))
        }

        fn look_up(&self, _: PaymentId) -> BoxFuture<'_, ProviderResult<Option<Charge>>> {
            self.answer("look up the charge", &Ok(None))
        }

        fn refund(&self, _: RefundId, _: PaymentId, _: Money) -> BoxFuture<'_, ProviderResult<Refund>> {
            self.answer("refund", &self.refund)
        }

        fn look_up_refund(&self, _: RefundId) -> BoxFuture<'_, ProviderResult<Option<Refund>>> {
            self.answer("look up", &self.look_up)
        }
    }

    struct Case {
        name: &'static str,
        attempts: i64,
        after_hours: i64,
        refund: ProviderResult<Refund>,
        look_up: ProviderResult<Option<Refund>>,
        asked: &'static [&'static str],
        decided: Option<(Option<Refund>, bool)>,
    }

    fn cases() -> Vec<Case> {
        let silence = || Unknown("silence".to_owned());
        let done = || Ok(Refund::Done);
        let case = |name, (attempts, after_hours), refund, look_up, asked, decided| Case {
            name,
            attempts,
            after_hours,
            refund,
            look_up,
            asked,
            decided,
        };
        let given = Some((Some(Refund::Done), false));
        let found = Some((Some(Refund::Done), true));
        let refused = Refund::Refused { error: "the card was closed".to_owned() };
        vec![
            case("the first attempt asks", (1, 0), done(), Ok(None), &["refund"], given.clone()),
            case(
                "a refusal is final",
                (1, 0),
                Ok(refused.clone()),
                Ok(None),
                &["refund"],
                Some((Some(refused.clone()), false)),
            ),
            case(
                "a lost answer is looked up",
                (1, 0),
                Err(silence()),
                Ok(Some(Refund::Done)),
                &["refund", "look up"],
                found.clone(),
            ),
            case(
                "what isn't found yet is not repeated at once",
                (1, 0),
                Err(silence()),
                Ok(None),
                &["refund", "look up"],
                None,
            ),
            case(
                "a later attempt looks first and repeats nothing",
                (2, 0),
                done(),
                Ok(Some(refused.clone())),
                &["look up"],
                Some((Some(refused), true)),
            ),
            case("what never went back goes back", (2, 0), done(), Ok(None), &["look up", "refund"], given.clone()),
            case("without a look-up nothing is repeated", (2, 0), done(), Err(silence()), &["look up"], None),
            case("after a day it is abandoned", (90, 24), done(), Ok(None), &["look up"], Some((None, false))),
            case("but never without a look-up", (90, 48), done(), Err(silence()), &["look up"], None),
            case("nor when it was done", (90, 48), done(), Ok(Some(Refund::Done)), &["look up"], found),
            case("nor before it was asked for", (1, 48), done(), Ok(None), &["refund"], given),
        ]
    }

    #[tokio::test]
    async fn a_refund_is_never_repeated_without_looking() {
        for case in cases() {
            let provider = Scripted { refund: case.refund, look_up: case.look_up, asked: Mutex::default() };
            let refund = pending();
            let now = refund.created_at + SignedDuration::from_hours(case.after_hours);
            let decided = ask_provider(&provider, &refund, case.attempts, now).await.ok();
            let expected = case.decided.map(|(refund, looked_up)| DecidedRefund { refund, looked_up });
            assert_eq!(decided, expected, "{}", case.name);
            assert_eq!(*provider.asked.lock().unwrap(), case.asked, "{}", case.name);
        }
    }
}

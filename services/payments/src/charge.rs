//! The timer that charges: asks the provider outside of any transaction, and commits what it decided.
//!
//! Two steps, each its own commit, under one lease. First the payments are marked as charging, so that a cancellation
//! which comes now leaves them alone; then the provider is asked about each (`ask_once.rs`).

use futures_util::future::{FutureExt, ready};
use service::storage::{Batch, Error};
use service::{Committed, Failure, Timer, TimerKind, ends, holds};

use crate::ask_once::ask_once;
use crate::domain::{ChargeEvent, Payment, Status};
use crate::provider::Unknown;
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
    let (provider, key) = (&ctx.state.provider, payment.payment_id);
    let charge = || match &payment.token {
        Some(token) => provider.charge(key, payment.amount, token),
        None => ready(Err(Unknown("the payment's token is gone".to_owned()))).boxed(),
    };
    let is_overdue = payment.is_overdue(ctx.clock.now());
    let decided = ask_once(timer.attempts, is_overdue, || provider.look_up(key), charge)
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

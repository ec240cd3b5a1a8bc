//! Asks all services for their dead letters: an alert says which has some, until it has none.
//!
//! One timer for all instances: whoever has its lease asks, and what it found is committed only while the lease holds, so
//! that an older answer never overwrites a newer.

use std::time::Duration;

use kernel::SignedDuration;
use service::{Committed, Failure, Timer, TimerKind};

use crate::Ctx;
use crate::dead_letters::ServiceDeadLetters;
use crate::domain::{Fact, Kind};
use crate::follow_conditions::{Report, follow_all};

pub(crate) const LOOK_FOR_DEAD_LETTERS: TimerKind = TimerKind::external("look_for_dead_letters");

/// The time between two looks.
pub(crate) const INTERVAL: SignedDuration = SignedDuration::from_secs(10);

/// The wait for the services' answers: within the lease, with time to commit. Those that take longer are left out by who
/// asks them, so it only bounds a defect.
const ANSWERS_WITHIN: Duration = Duration::from_secs(20);

pub(crate) async fn handle(ctx: Ctx, timer: Timer) -> Result<Committed, Failure> {
    let asked = tokio::time::timeout(ANSWERS_WITHIN, ctx.state.dead_letters.ask()).await.unwrap_or_default();
    let asked_at = ctx.clock.now();
    let report = |ServiceDeadLetters { service, count, newest }: ServiceDeadLetters| Report {
        subject: service.to_owned(),
        fact: Fact::DeadLetters { count, newest, asked_at },
        origin: timer.origin().clone(),
    };
    let reports = asked.into_iter().map(report).collect();
    let batch = follow_all(&ctx, Kind::DeadLetters, reports).await?;
    Ok(ctx.commit(batch.schedule(LOOK_FOR_DEAD_LETTERS.name, timer.key, asked_at + INTERVAL), timer.cause()).await?)
}

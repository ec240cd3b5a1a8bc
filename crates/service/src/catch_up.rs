//! Catching up: a consumer that is new to a shop, or to an event type, takes the archives of its sources first.
//!
//! Each store records which event types its service has subscribed to. For a type that is missing there, the archive of
//! its source is copied into the consumer's backlog, up to the newest position after the live destination exists: a
//! queue on a broker that processes share, a pointer at each commit on the embedded one. Then the subscription is live.
//! The consumer's runners handle the backlog before they receive what is live; what is in both, the inbox drops.
//!
//! Every step is repeated without harm, so a crash at any point goes on where it was.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use storage::{Db, Error, archive, backlog, subscriptions};

use crate::catching_up::missing;
use crate::history::Archive;
use crate::{AnyService, History};

/// Events that are copied in one transaction: few enough that commits beside it don't wait for long.
const PAGE: i64 = 512;

/// The time between two reports about progress.
const REPORT_EVERY: Duration = Duration::from_secs(5);

/// The types to which each service reacted in the version before stores recorded their subscriptions.
pub type RecordedBefore = &'static [(&'static str, &'static [&'static str])];

/// A consumer's store, and the event types to which it reacts.
pub struct Consumer {
    /// Its store.
    pub db: Db,
    /// The types.
    pub types: Vec<&'static str>,
    /// Those of them of which it takes no history: it wants none from before it wanted them.
    pub on_demand: BTreeSet<&'static str>,
    /// The types to which it reacted in the version before stores recorded their subscriptions. A store that was used
    /// then, and has no record, has been delivered all of them. `None` stands for all types of today.
    pub recorded_before: Option<&'static [&'static str]>,
}

/// Records what a store of an earlier version was delivered, which kept no record of it.
async fn take_over(consumer: &Consumer) -> Result<(), Error> {
    let db = &consumer.db;
    if !subscriptions::all(db).await?.is_empty() || !db.has_run().await? {
        return Ok(());
    }
    let was_delivered = |event_type: &&str| consumer.recorded_before.is_none_or(|before| before.contains(event_type));
    let types: Vec<String> = consumer.types.iter().copied().filter(was_delivered).map(str::to_owned).collect();
    subscriptions::copied(db, &types, 0).await?;
    subscriptions::go_live(db, types).await
}

/// A service's store, as what is to be caught up with all others.
pub fn consumer(service: &dyn AnyService, db: Db, recorded_before: RecordedBefore) -> Consumer {
    let types = service.subscriptions().into_iter().map(|(event_type, _)| event_type).collect();
    let of_service = recorded_before.iter().find(|(name, _)| *name == db.service());
    let on_demand = service.on_demand().map(|it| it.types().clone()).unwrap_or_default();
    Consumer { db, types, on_demand, recorded_before: of_service.map(|(_, types)| *types) }
}

/// Takes stores of an earlier version over; answers if any consumer is missing history.
pub async fn begin(consumers: &[Consumer]) -> Result<bool, Error> {
    let mut is_missing = false;
    for consumer in consumers {
        take_over(consumer).await?;
        is_missing |= !missing(&consumer.db, consumer.types.iter().copied()).await?.is_empty();
    }
    Ok(is_missing)
}

/// Other users of the stores meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// Nobody: none of the services runs.
    Nobody,
    /// Processes of this or of another version.
    Others,
}

/// Catches all consumers up, each from all others and from `sources`, the stores of further services; answers with how
/// many events were copied.
pub async fn catch_up_all(
    consumers: &[Consumer],
    sources: &[Db],
    beside: Beside,
    mut report: impl FnMut(String),
) -> Result<u64, Error> {
    let sources: Vec<Db> = consumers.iter().map(|consumer| &consumer.db).chain(sources).cloned().collect();
    let mut copied = 0;
    for consumer in consumers {
        if beside == Beside::Nobody {
            end_others(consumer, &sources).await?;
        }
        copied += catch_up(consumer, &sources, &mut report).await?;
    }
    Ok(copied)
}

/// Copies what a consumer is missing from the archives of all `sources`; answers with how many events were copied.
///
/// The live destinations must exist: from now on, nothing that is committed is missed.
pub async fn catch_up(consumer: &Consumer, sources: &[Db], mut report: impl FnMut(String)) -> Result<u64, Error> {
    let missing = missing(&consumer.db, consumer.types.iter().copied()).await?;
    let (on_demand, always): (BTreeSet<_>, _) = missing.iter().partition(|it| consumer.on_demand.contains(**it));
    let copied = copy(&consumer.db, &always, sources, &mut report).await?;
    let on_demand: Vec<String> = on_demand.into_iter().map(str::to_owned).collect();
    subscriptions::copied(&consumer.db, &on_demand, 0).await?;
    let live = missing.into_iter().map(str::to_owned).collect();
    subscriptions::go_live(&consumer.db, live).await?;
    Ok(copied)
}

/// All of what a new consumer is missing, to be handled without a copy; see [`AnyService::rebuild`]. Its store says that it
/// is caught up, so it must be discarded if not all of that is handled.
///
/// The live destinations must exist, as for [`catch_up`].
pub async fn history(consumer: &Consumer, sources: &[Db]) -> Result<Arc<History>, Error> {
    let always = consumer.types.iter().copied().filter(|it| !consumer.on_demand.contains(it));
    let mut archives = Vec::new();
    for (source, types) in by_source(always) {
        let Some(db) = sources.iter().find(|db| db.service() == source) else { continue };
        let newest = archive::newest(db).await?;
        subscriptions::copied(&consumer.db, &types, newest).await?;
        archives.push(Archive { db: db.clone(), types, newest });
    }
    let all = consumer.types.iter().copied().map(str::to_owned).collect();
    subscriptions::go_live(&consumer.db, all).await?;
    History::of(archives).await
}

/// Types by the services that emit them.
fn by_source<'a>(types: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, Vec<String>> {
    let mut of_source: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for event_type in types {
        let source = event_type.split('.').next().unwrap_or_default();
        of_source.entry(source).or_default().push(event_type.to_owned());
    }
    of_source
}

/// Copies events of these types that were not copied yet, up to the newest.
pub(crate) async fn copy(
    consumer: &Db,
    types: &BTreeSet<&'static str>,
    sources: &[Db],
    report: &mut impl FnMut(String),
) -> Result<u64, Error> {
    let mut progress = Progress { consumer: consumer.service(), copied: 0, reported: Instant::now() };
    for (source, types) in by_source(types.iter().copied()) {
        match sources.iter().find(|db| db.service() == source) {
            Some(source) => copy_from(consumer, source, &types, &mut progress, report).await?,
            // Nobody of this shop emits it, so there is no history of it.
            None => subscriptions::copied(consumer, &types, 0).await?,
        }
    }
    if progress.copied > 0 {
        report(format!("{}: {} events of the archives are copied", consumer.service(), progress.copied));
    }
    Ok(progress.copied)
}

struct Progress {
    consumer: &'static str,
    copied: u64,
    reported: Instant,
}

impl Progress {
    fn add(&mut self, events: usize, report: &mut impl FnMut(String)) {
        if self.copied == 0 && events > 0 {
            report(format!("{}: copies the archives of the services to whose events it reacts", self.consumer));
        }
        self.copied += events as u64;
        if self.reported.elapsed() > REPORT_EVERY {
            self.reported = Instant::now();
            report(format!("{}: {} events copied so far", self.consumer, self.copied));
        }
    }
}

async fn copy_from(
    consumer: &Db,
    source: &Db,
    types: &[String],
    progress: &mut Progress,
    report: &mut impl FnMut(String),
) -> Result<(), Error> {
    let newest = archive::newest(source).await?;
    let known = subscriptions::all(consumer).await?;
    let begun = |event_type| known.get(event_type).map_or(0, |subscription| subscription.position);
    // Where one type was copied further than another, some events are met twice, which changes nothing.
    let mut position = types.iter().map(begun).min().unwrap_or_default();
    loop {
        let events = archive::of_types(source, types.to_vec(), position, newest, PAGE).await?;
        let is_last = i64::try_from(events.len()).is_ok_and(|count| count < PAGE);
        position = match events.last() {
            Some(last) if !is_last => last.position,
            _ => newest,
        };
        progress.add(events.len(), report);
        backlog::append(consumer, types, events, position).await?;
        if is_last {
            return Ok(());
        }
    }
}

/// Ends subscriptions to types to which the consumer no longer reacts: what their sources commit from now on has no
/// pointer to it, and is copied should it react to them again.
///
/// Only where nobody else uses the stores: beside others, a process of another version may react to them.
async fn end_others(consumer: &Consumer, sources: &[Db]) -> Result<(), Error> {
    let ended = subscriptions::all(&consumer.db).await?;
    let ended = ended.into_iter().filter(|(event_type, it)| it.is_live && !consumer.types.contains(&&**event_type));
    for (event_type, _) in ended {
        let source = event_type.split('.').next().unwrap_or_default();
        let position = match sources.iter().find(|db| db.service() == source) {
            Some(source) => archive::newest(source).await?,
            None => 0,
        };
        subscriptions::end(&consumer.db, &event_type, position).await?;
    }
    Ok(())
}

//! A consumer that comes late: it takes the archives of the others first, and goes on live.
//!
//! Each store says of which event types its service has been served all there ever were. Whoever migrates serves what
//! is missing: the live queues are bound already, so that nothing is missed from then on; the archives up to now are
//! copied to the consumer alone; then the store says so. Only then does a process of the service start, so that nothing
//! takes effect before what its key told earlier. Copied twice, after a crash, is harmless: the inbox knows it.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use bus::{Archives, Message, Outcome};
use futures_util::future::join_all;
use kernel::Uuid;
use storage::archive::StoredEvent;
use storage::{Db, Error};

use crate::relay::message;

/// Events of a source that are in memory at once.
const PAGE: i64 = 512;

/// Events that are kept as a piece, of which those of different keys are on their way side by side.
const PIECE: usize = 512;

/// How long the broker may refuse one and the same events before it is given up: longer than it takes to elect a leader
/// for a queue, or to connect anew.
const PATIENCE: Duration = Duration::from_mins(1);

/// The wait before what was not stored is sent again.
const AGAIN: Duration = Duration::from_millis(250);

/// The time between two words about how far it is.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// Why a consumer could not be served.
#[derive(Debug, thiserror::Error)]
pub enum LateError {
    /// A store failed.
    #[error(transparent)]
    Store(#[from] Error),
    /// The broker failed.
    #[error(transparent)]
    Broker(#[from] bus::Error),
    /// The broker does not take what is to be kept.
    #[error("the broker took none of {consumer}'s archive for {PATIENCE:?}: {outcome:?}")]
    NotKept {
        /// Whose archive.
        consumer: String,
        /// What it said last.
        outcome: Outcome,
    },
}

/// What a consumer has yet to be served.
pub async fn unserved<T: Into<String>>(db: &Db, types: impl IntoIterator<Item = T>) -> Result<BTreeSet<String>, Error> {
    let types: BTreeSet<String> = types.into_iter().map(Into::into).collect();
    let served = db.subscribed().await?.unwrap_or_default();
    Ok(types.difference(&served).cloned().collect())
}

/// Refuses to go on where events would take effect before older ones, or without them.
pub(crate) async fn refuse_unserved(db: &Db, types: impl Iterator<Item = &'static str>) -> Result<(), Error> {
    let unserved = unserved(db, types).await?;
    let Some(first) = unserved.first() else { return Ok(()) };
    let more = if unserved.len() > 1 { format!(" and {} more", unserved.len() - 1) } else { String::new() };
    let detail = format!("{} is not subscribed to {first}{more} yet: run `tradepost migrate`", db.service());
    Err(Error::Unusable { store: db.service().to_owned(), detail })
}

/// Serves a consumer what it has not been served of these types, from the archives of all `sources`. The consumer's
/// queues must be bound to them already. `tell` hears, now and then, how far it is. Answers with how much was copied.
pub async fn serve(
    consumer: &Db,
    types: &[&str],
    sources: &[Db],
    archives: &dyn Archives,
    mut tell: impl FnMut(String),
) -> Result<u64, LateError> {
    let name = consumer.service();
    let unserved = unserved(consumer, types.iter().copied()).await?;
    if unserved.is_empty() {
        archives.close_archive(name).await?;
        return Ok(0);
    }
    // A store of an earlier version, which kept no account: its service has heard all there was from the beginning.
    let has_all = consumer.subscribed().await?.is_none() && consumer.has_run().await?;
    let copied = if has_all { 0 } else { copy(name, &unserved, sources, archives, &mut tell).await? };
    let mut served = consumer.subscribed().await?.unwrap_or_default();
    served.extend(unserved);
    consumer.set_subscribed(&served).await?;
    if copied > 0 {
        tell(format!("{name}: {copied} events of the archives wait for it, before those that come"));
    }
    Ok(copied)
}

async fn copy(
    consumer: &str,
    types: &BTreeSet<String>,
    sources: &[Db],
    archives: &dyn Archives,
    tell: &mut impl FnMut(String),
) -> Result<u64, LateError> {
    let mut told = Told::by(sources, types).await?;
    let (mut copied, mut last) = (0, Instant::now());
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        while piece.len() < PIECE
            && let Some(message) = told.next().await?
        {
            piece.push(message);
        }
        if piece.is_empty() {
            return Ok(copied);
        }
        if copied == 0 {
            tell(format!("{consumer}: the archives are copied for it"));
            archives.open_archive(consumer).await?;
        }
        copied += piece.len() as u64;
        for side_by_side in waves(piece) {
            keep(consumer, side_by_side, archives).await?;
        }
        if last.elapsed() > TELL_EVERY {
            last = Instant::now();
            tell(format!("{consumer}: {copied} events copied so far"));
        }
    }
}

/// Sends messages of different keys until all of them are kept.
async fn keep(consumer: &str, mut messages: Vec<Message>, archives: &dyn Archives) -> Result<(), LateError> {
    let began = Instant::now();
    loop {
        let outcomes = join_all(messages.iter().map(|message| archives.keep(consumer, message.clone()))).await;
        let (mut left, mut failed) = (Vec::new(), None);
        for (message, outcome) in messages.into_iter().zip(outcomes) {
            if outcome != Outcome::Stored {
                left.push(message);
                failed = Some(outcome);
            }
        }
        let Some(outcome) = failed else { return Ok(()) };
        messages = left;
        if began.elapsed() > PATIENCE {
            return Err(LateError::NotKept { consumer: consumer.to_owned(), outcome });
        }
        tokio::time::sleep(AGAIN).await;
        if outcome == Outcome::Unroutable {
            // Somebody removed its queue.
            archives.open_archive(consumer).await?;
        }
    }
}

/// What may be on its way at once, one after the other: of each key one message.
fn waves(piece: Vec<Message>) -> Vec<Vec<Message>> {
    let mut waves: Vec<Vec<Message>> = Vec::new();
    let mut of_key: HashMap<(String, Uuid), usize> = HashMap::new();
    for message in piece {
        let wave = of_key.entry((message.envelope.source.clone(), message.envelope.key)).or_default();
        if waves.len() == *wave {
            waves.push(Vec::new());
        }
        waves[*wave].push(message);
        *wave += 1;
    }
    waves
}

/// What all sources told of some types up to now, about in the order of its times and exactly in that of each source.
struct Told<'a> {
    types: Vec<String>,
    sources: BTreeMap<&'static str, Source<'a>>,
}

struct Source<'a> {
    db: &'a Db,
    page: VecDeque<StoredEvent>,
    /// The position up to which it was read.
    read: i64,
    /// The newest that is read: what came later is live.
    newest: i64,
}

impl<'a> Told<'a> {
    async fn by(sources: &'a [Db], types: &BTreeSet<String>) -> Result<Self, Error> {
        let mut found = BTreeMap::new();
        for db in sources {
            let emits = |event_type: &String| event_type.split('.').next() == Some(db.service());
            if types.iter().any(emits) {
                let newest = storage::archive::newest(db).await?;
                found.insert(db.service(), Source { db, page: VecDeque::new(), read: 0, newest });
            }
        }
        Ok(Self { types: types.iter().cloned().collect(), sources: found })
    }

    async fn next(&mut self) -> Result<Option<Message>, Error> {
        for source in self.sources.values_mut().filter(|source| source.page.is_empty() && source.read < source.newest) {
            let types = self.types.clone();
            let page = storage::archive::of_types(source.db, types, source.read, source.newest, PAGE).await?;
            source.read = page.last().map_or(source.newest, |event| event.position);
            source.page = page.into();
        }
        let with_next = self.sources.iter_mut().filter(|(_, source)| !source.page.is_empty());
        let oldest = with_next.min_by_key(|(_, source)| source.page.front().map(|event| event.envelope.id));
        let Some((_, source)) = oldest else { return Ok(None) };
        Ok(source.page.pop_front().map(|event| message(&event)))
    }
}

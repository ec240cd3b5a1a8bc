//! Assignment of shards to this instance, among all instances of its service.
//!
//! Every second each instance moves its counter on in the service's store and looks at those of the others. From who
//! lives follows who should have which shard: the same for everybody. An instance releases what is no longer its own,
//! once nothing of it is in flight, and claims what has no owner or whose owner is gone.
//!
//! Leases keep a key's events together; they are not what keeps an effect from happening twice. That is the inbox,
//! which is written with the effect: whoever is late finds the row there, however long it was frozen.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use kernel::{Lane, Shards, Uuid};
use storage::shards::{self, Owner, Ownership, Shard};
use storage::{Db, Error};
use tokio::sync::{Notify, watch};

use crate::Tasks;

/// The time between two beats.
const BEAT: Duration = Duration::from_secs(1);

/// An instance whose counter stands still for this long is gone: four beats, for a busy machine may miss some.
const LEASE: Duration = Duration::from_secs(4);

/// The greatest part of the time between two looks that counts towards the end of others' leases.
const LOOK_MAX: Duration = Duration::from_secs(2);

/// The time that each beat waits until nothing is in flight of the shards that are released.
const RELEASE: Duration = Duration::from_millis(500);

/// The same when the instance ends: its work is being finished then.
const RELEASE_AT_END: Duration = Duration::from_secs(15);

/// The shards of one instance at the moment.
#[derive(Debug, Default)]
struct Assignment {
    /// Grows with each change.
    generation: u64,
    shards: BTreeMap<Lane, Vec<u16>>,
    /// No other instance lives.
    is_alone: bool,
}

/// The part that one instance has in the work of its service. Clones share it.
#[derive(Clone)]
pub(crate) struct Membership(Arc<Inner>);

struct Inner {
    assignment: watch::Sender<Arc<Assignment>>,
    /// For each relay and runner, the generation that it uses.
    users: Mutex<Vec<Arc<AtomicU64>>>,
    released: Notify,
    /// The time at which the leases end unless they are renewed; none where nobody else can have them.
    ends: Option<Mutex<Instant>>,
}

/// The view of one relay or runner: the shards of its lane.
pub(crate) struct Share {
    lane: Lane,
    membership: Membership,
    assignment: watch::Receiver<Arc<Assignment>>,
    generation_in_use: Arc<AtomicU64>,
}

impl Membership {
    /// The only instance there can be.
    pub fn alone(shards: Shards) -> Self {
        let all = Lane::ALL.map(|lane| (lane, shards.all(lane).collect()));
        Self::new(Assignment { generation: 0, shards: all.into(), is_alone: true }, None)
    }

    /// One of several instances, with no shards yet: [`keep`](Self::keep) gets it some.
    pub fn of_many() -> Self {
        Self::new(Assignment::default(), Some(Mutex::new(Instant::now() + LEASE)))
    }

    fn new(assignment: Assignment, ends: Option<Mutex<Instant>>) -> Self {
        Self(Arc::new(Inner {
            assignment: watch::Sender::new(Arc::new(assignment)),
            users: Mutex::default(),
            released: Notify::new(),
            ends,
        }))
    }

    /// The part of a relay or runner.
    pub fn share(&self, lane: Lane) -> Share {
        let generation_in_use = Arc::new(AtomicU64::new(0));
        self.0.users.lock().unwrap_or_else(PoisonError::into_inner).push(generation_in_use.clone());
        Share { lane, membership: self.clone(), assignment: self.0.assignment.subscribe(), generation_in_use }
    }

    /// Takes part until the tasks stop, then hands everything over.
    pub async fn keep(self, db: Db, instance_id: Uuid, tasks: Tasks) {
        let mut heartbeat =
            Heartbeat { membership: self, db, instance_id, beat: 0, sightings: Sightings::default(), has_made: false };
        while !tasks.is_stopping() {
            if let Err(error) = heartbeat.beat().await {
                tracing::debug!(service = heartbeat.db.service(), %error, "the other instances can't be seen");
            }
            tokio::select! {
                () = tokio::time::sleep(BEAT) => {}
                () = tasks.stopping() => {}
            }
        }
        heartbeat.leave().await;
    }

    fn assign(&self, shards: BTreeMap<Lane, Vec<u16>>, is_alone: bool) {
        self.0.assignment.send_if_modified(|now| {
            if now.shards == shards && now.is_alone == is_alone {
                return false;
            }
            *now = Arc::new(Assignment { generation: now.generation + 1, shards, is_alone });
            true
        });
    }

    /// Waits until every relay and runner uses the present assignment; false if some do not within the time.
    async fn is_released(&self, patience: Duration) -> bool {
        let generation = self.0.assignment.borrow().generation;
        let all_use_it = || {
            let users = self.0.users.lock().unwrap_or_else(PoisonError::into_inner);
            users.iter().all(|generation_in_use| generation_in_use.load(Ordering::SeqCst) >= generation)
        };
        let wait = async {
            while !all_use_it() {
                self.0.released.notified().await;
            }
        };
        tokio::time::timeout(patience, wait).await.is_ok()
    }
}

impl Share {
    /// The shards, as they are now, and what to call [`apply`](Self::apply) with once they are gone by.
    pub fn look(&mut self) -> (Vec<u16>, u64) {
        let now = self.assignment.borrow_and_update();
        (now.shards.get(&self.lane).cloned().unwrap_or_default(), now.generation)
    }

    /// Waits for a change.
    pub async fn changed(&mut self) {
        if self.assignment.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Nothing is in flight any more of a shard that this generation does not have.
    pub fn apply(&self, generation: u64) {
        self.generation_in_use.store(generation, Ordering::SeqCst);
        self.membership.0.released.notify_one();
    }

    /// No other instance lives that could commit something for this one to send.
    pub fn is_alone(&self) -> bool {
        self.assignment.borrow().is_alone
    }

    /// True if the leases hold: an instance that was frozen for longer has lost them, whatever it believes.
    pub fn holds(&self) -> bool {
        let ends = self.membership.0.ends.as_ref();
        ends.is_none_or(|ends| Instant::now() < *ends.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.apply(u64::MAX);
    }
}

/// Renews the leases and shares the work out.
struct Heartbeat {
    membership: Membership,
    db: Db,
    instance_id: Uuid,
    beat: i64,
    sightings: Sightings,
    has_made: bool,
}

/// The last observations of the other instances.
#[derive(Default)]
struct Sightings {
    /// The counter of each, and since when it stands there.
    seen: HashMap<Uuid, (i64, Instant)>,
    looked_at: Option<Instant>,
    /// The last look came later than a lease after the one before it.
    was_late: bool,
}

impl Heartbeat {
    async fn beat(&mut self) -> Result<(), Error> {
        let began = Instant::now();
        if !self.has_made {
            shards::make(&self.db, &self.all()).await?;
            self.has_made = true;
        }
        self.beat += 1;
        shards::beat(&self.db, self.instance_id, self.beat).await?;
        let ownership = shards::ownership(&self.db).await?;
        let (live, gone) = self.sightings.living_and_gone(self.instance_id, &ownership.beats, began);
        if !gone.is_empty() {
            tracing::warn!(service = self.db.service(), instances = ?gone, "instances are gone; their work is taken over");
            shards::forget(&self.db, &gone).await?;
        }
        self.share_out(&ownership, &live).await?;
        if let Some(ends) = &self.membership.0.ends {
            *ends.lock().unwrap_or_else(PoisonError::into_inner) = began + LEASE;
        }
        Ok(())
    }

    fn all(&self) -> Vec<Shard> {
        let shards = self.db.shards();
        let of_lane = |lane| shards.all(lane).map(move |number| Shard { lane, number });
        Lane::ALL.into_iter().flat_map(of_lane).collect()
    }

    async fn share_out(&mut self, ownership: &Ownership, live: &[Uuid]) -> Result<(), Error> {
        let is_mine =
            |shard: &Shard| ownership.owners.get(shard).is_some_and(|it| it.instance_id == Some(self.instance_id));
        let all = self.all();
        let (wanted, others): (Vec<Shard>, Vec<Shard>) =
            all.into_iter().partition(|shard| should_have(*shard, live) == self.instance_id);
        let free: Vec<(Shard, Owner)> = wanted
            .iter()
            .filter_map(|shard| {
                let owner = ownership.owners.get(shard)?;
                let is_free = owner.instance_id.is_none_or(|id| !live.contains(&id));
                is_free.then_some((*shard, *owner))
            })
            .collect();
        let mut has: HashSet<Shard> = wanted.iter().copied().filter(is_mine).collect();
        if !free.is_empty() {
            has.extend(shards::claim(&self.db, self.instance_id, &free).await?);
        }
        let mut by_lane: BTreeMap<Lane, Vec<u16>> = BTreeMap::new();
        for shard in wanted.into_iter().filter(|shard| has.contains(shard)) {
            by_lane.entry(shard.lane).or_default().push(shard.number);
        }
        self.membership.assign(by_lane, live.len() == 1);
        let to_release: Vec<Shard> = others.into_iter().filter(is_mine).collect();
        if !to_release.is_empty() && self.membership.is_released(RELEASE).await {
            shards::release(&self.db, self.instance_id, &to_release).await?;
        }
        Ok(())
    }

    /// Hands everything over: whoever lives has it at the next beat.
    async fn leave(mut self) {
        self.membership.assign(BTreeMap::new(), false);
        let began = Instant::now();
        while !self.membership.is_released(BEAT).await {
            if began.elapsed() > RELEASE_AT_END {
                return;
            }
            // Work is still being finished: nobody may take it for left behind.
            self.beat += 1;
            let _ = shards::beat(&self.db, self.instance_id, self.beat).await;
        }
        let all = self.all();
        let left = async {
            shards::release(&self.db, self.instance_id, &all).await?;
            shards::forget(&self.db, &[(self.instance_id, self.beat)]).await
        };
        if let Err(error) = left.await {
            tracing::debug!(service = self.db.service(), %error, "the shards are handed over when their lease ends");
        }
    }
}

impl Sightings {
    /// The instances that live, in the order of their ids, and those that are gone.
    fn living_and_gone(
        &mut self,
        own: Uuid,
        beats: &HashMap<Uuid, i64>,
        now: Instant,
    ) -> (Vec<Uuid>, Vec<(Uuid, i64)>) {
        let gap = self.looked_at.map_or(Duration::ZERO, |at| now.duration_since(at));
        self.looked_at = Some(now);
        let is_late = gap >= LEASE;
        if is_late && !self.was_late {
            // This instance did not look, or could not: that nobody's counter moved meanwhile means nothing.
            self.seen.clear();
        } else {
            // It is slow, and so may be the others: what it did not see counts for no more than what it may miss, and
            // for a beat where it is late each time. To count nothing would leave the work of a dead instance undone
            // for as long as the store is slow.
            let unseen = gap.saturating_sub(if is_late { BEAT } else { LOOK_MAX });
            for (_, since) in self.seen.values_mut() {
                *since += unseen;
            }
        }
        self.was_late = is_late;
        self.seen.retain(|id, _| beats.contains_key(id));
        let (mut live, mut gone) = (vec![own], Vec::new());
        for (id, beat) in beats.iter().filter(|(id, _)| **id != own) {
            let seen = self.seen.entry(*id).or_insert((*beat, now));
            if seen.0 != *beat {
                *seen = (*beat, now);
            }
            if now.duration_since(seen.1) < LEASE { live.push(*id) } else { gone.push((*id, *beat)) }
        }
        live.sort_unstable();
        (live, gone)
    }
}

/// The instance that should have a shard, of those that live: the same for whoever asks.
fn should_have(shard: Shard, live: &[Uuid]) -> Uuid {
    let at = match shard.lane {
        Lane::Background => usize::from(shard.number) % live.len(),
        // The last, for the first has one shard more where they don't come out even.
        Lane::Immediate => live.len() - 1,
    };
    live[at]
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Uuid = Uuid::from_u128(1);
    const OTHER: Uuid = Uuid::from_u128(2);

    #[test]
    fn every_shard_has_one_owner_and_nobody_has_two_more_than_another() {
        for count in 1..=9 {
            let live: Vec<Uuid> = (1..=count).map(Uuid::from_u128).collect();
            let mut shards: HashMap<Uuid, usize> = live.iter().map(|id| (*id, 0)).collect();
            for lane in Lane::ALL {
                for number in Shards::DEFAULT.all(lane) {
                    *shards.get_mut(&should_have(Shard { lane, number }, &live)).unwrap() += 1;
                }
            }
            let (least, most) = (shards.values().min().unwrap(), shards.values().max().unwrap());
            assert!(most - least <= 1, "{shards:?}");
        }
    }

    #[test]
    fn an_instance_lives_as_long_as_its_counter_moves_on() {
        let mut sightings = Sightings::default();
        let mut now = Instant::now();
        for beat in 1..20 {
            now += BEAT;
            assert_eq!(sightings.living_and_gone(OWN, &beats(beat), now), (vec![OWN, OTHER], vec![]));
        }
        // It stands still from here on, and is gone after a lease.
        for _ in 0..3 {
            now += BEAT;
            assert_eq!(sightings.living_and_gone(OWN, &beats(19), now), (vec![OWN, OTHER], vec![]));
        }
        now += BEAT;
        assert_eq!(sightings.living_and_gone(OWN, &beats(19), now), (vec![OWN], vec![(OTHER, 19)]));
    }

    #[test]
    fn whoever_did_not_look_takes_nobody_for_gone() {
        let mut sightings = Sightings::default();
        let now = Instant::now();
        sightings.living_and_gone(OWN, &beats(7), now);
        // The store was unavailable, for everybody, or this process was frozen.
        let later = now + LEASE * 10;
        assert_eq!(sightings.living_and_gone(OWN, &beats(7), later), (vec![OWN, OTHER], vec![]));
        let step = LEASE / 4;
        for steps in 1..4 {
            assert_eq!(sightings.living_and_gone(OWN, &beats(7), later + step * steps), (vec![OWN, OTHER], vec![]));
        }
        assert_eq!(sightings.living_and_gone(OWN, &beats(7), later + LEASE), (vec![OWN], vec![(OTHER, 7)]));
    }

    #[test]
    fn whoever_looks_seldom_finds_who_is_gone_all_the_same() {
        let mut sightings = Sightings::default();
        let mut now = Instant::now();
        let mut looks = 0;
        while sightings.living_and_gone(OWN, &beats(7), now).1.is_empty() {
            now += LEASE * 9 / 10;
            looks += 1;
        }
        assert_eq!(looks, 2, "two seconds of each look count");
    }

    #[test]
    fn whoever_is_late_each_time_finds_who_is_gone_all_the_same() {
        let mut sightings = Sightings::default();
        let mut now = Instant::now();
        for _ in 0..5 {
            assert_eq!(sightings.living_and_gone(OWN, &beats(7), now), (vec![OWN, OTHER], vec![]));
            now += LEASE * 2;
        }
        assert_eq!(sightings.living_and_gone(OWN, &beats(7), now), (vec![OWN], vec![(OTHER, 7)]));
        // An instance that is as slow, and lives.
        for beat in 8..20 {
            now += LEASE * 2;
            assert_eq!(sightings.living_and_gone(OWN, &beats(beat), now), (vec![OWN, OTHER], vec![]));
        }
    }

    fn beats(other: i64) -> HashMap<Uuid, i64> {
        HashMap::from([(OWN, 1), (OTHER, other)])
    }
}

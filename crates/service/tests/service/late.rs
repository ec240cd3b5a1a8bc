//! What a consumer that comes late is served, by a broker that is a list.

use std::collections::HashMap;
use std::sync::Mutex;

use bus::{Archives, Error, Message, Outcome};
use events::{UserProfileUpdated, UserRegistered};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use kernel::{Cause, Clock, Event, EventId, Ids, RequestCause, Shards, Version};
use storage::{Batch, Db, Location, Migrations, Options};
use tempfile::TempDir;
use tradepost_service::late;

/// More than a page, so that there are several.
const USERS: usize = 700;

const TYPES: [&str; 2] = [UserRegistered::TYPE, UserProfileUpdated::TYPE];

/// Keeps everything, but for what it is told to fail at first.
#[derive(Default)]
struct List {
    kept: Mutex<Vec<Message>>,
    is_open: Mutex<bool>,
    refusals: Mutex<usize>,
}

impl List {
    fn kept(&self) -> Vec<EventId> {
        self.kept.lock().unwrap().drain(..).map(|message| message.envelope.id).collect()
    }
}

impl Archives for List {
    fn open_archive(&self, _: &str) -> BoxFuture<'_, Result<(), Error>> {
        *self.is_open.lock().unwrap() = true;
        ready(Ok(())).boxed()
    }

    fn keep(&self, _: &str, message: Message) -> BoxFuture<'static, Outcome> {
        let mut refusals = self.refusals.lock().unwrap();
        if *refusals > 0 {
            *refusals -= 1;
            *self.is_open.lock().unwrap() = false;
        }
        let outcome = if *self.is_open.lock().unwrap() {
            self.kept.lock().unwrap().push(message);
            Outcome::Stored
        } else {
            Outcome::Unroutable
        };
        ready(outcome).boxed()
    }

    fn close_archive(&self, _: &str) -> BoxFuture<'_, Result<(), Error>> {
        *self.is_open.lock().unwrap() = false;
        ready(Ok(())).boxed()
    }
}

struct House {
    _folder: TempDir,
    sources: Vec<Db>,
    consumer: Db,
    ids: Ids,
}

impl House {
    /// A shop whose users told a few things each.
    async fn open() -> (Self, Vec<EventId>) {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let ids = Ids::new(clock.clone());
        let open = |service: &'static str| {
            Db::open(Options {
                service,
                location: Location::Folder(folder.path().to_owned()),
                migrations: Migrations { set: service, steps: &[] },
                destinations: HashMap::new(),
                shards: Shards::DEFAULT,
                outbox_cap: 1_000_000,
                clock: clock.clone(),
                ids: ids.clone(),
            })
        };
        let sources = vec![open("users").await.unwrap(), open("orders").await.unwrap()];
        let house = Self { consumer: open("mail").await.unwrap(), sources, ids, _folder: folder };
        let mut told = Vec::new();
        for _ in 0..USERS {
            told.extend(house.tell().await);
        }
        (house, told)
    }

    /// A user registers, and moves.
    async fn tell(&self) -> Vec<EventId> {
        let user_id = self.ids.next();
        let (username, email) = ("ada".to_owned(), "ada@example.com".to_owned());
        let registered = UserRegistered { user_id, username: username.clone(), email: email.clone() };
        let updated = UserProfileUpdated { user_id, username, email, version: 2 };
        let batch = Batch::new()
            .emit(Version::FIRST, &registered)
            .emit(Version::from_stored(2), &updated)
            .emit(Version::from_stored(3), &updated);
        let cause = Cause::Request(RequestCause { request_id: self.ids.next(), traceparent: None, keyed: None });
        self.sources[0].commit(batch, cause).await.unwrap().events
    }

    async fn serve(&self, types: &[&str], list: &List) -> u64 {
        late::serve(&self.consumer, types, &self.sources, list, |_| {}).await.unwrap()
    }
}

#[tokio::test]
async fn a_consumer_is_served_all_that_was_told_in_its_order_and_only_once() {
    let (house, told) = House::open().await;
    let list = List::default();
    assert!(house.consumer.subscribed().await.unwrap().is_none());
    assert_eq!(house.serve(&TYPES, &list).await, told.len() as u64);
    // Of different keys it may come in any order; three of each key were told.
    let place: HashMap<EventId, usize> = list.kept().into_iter().enumerate().map(|(at, id)| (id, at)).collect();
    assert_eq!(place.len(), told.len());
    assert!(told.chunks(3).all(|of_key| of_key.is_sorted_by_key(|id| place[id])));
    house.tell().await;
    assert_eq!(house.serve(&TYPES, &list).await, 0, "what is told since is live");
    assert!(!*list.is_open.lock().unwrap(), "what is read is removed");
}

#[tokio::test]
async fn a_type_that_is_new_to_a_consumer_is_served_alone() {
    let (house, told) = House::open().await;
    let list = List::default();
    house.serve(&TYPES[..1], &list).await;
    assert_eq!(list.kept().len(), USERS);
    assert_eq!(house.serve(&TYPES, &list).await, (told.len() - USERS) as u64);
    // An older version that migrates beside this one takes nothing back.
    assert_eq!(house.serve(&TYPES[..1], &list).await, 0);
    list.kept();
    assert_eq!(house.serve(&TYPES, &list).await, 0);
}

#[tokio::test]
async fn a_store_that_was_used_before_anybody_kept_account_has_heard_all() {
    let (house, _) = House::open().await;
    house.consumer.mark_running().await.unwrap();
    let list = List::default();
    assert_eq!(house.serve(&TYPES, &list).await, 0);
    assert!(late::unserved(&house.consumer, TYPES).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_the_broker_does_not_keep_is_sent_again_before_what_follows_of_its_key() {
    let (house, told) = House::open().await;
    let list = List { refusals: Mutex::new(3), ..List::default() };
    house.serve(&TYPES, &list).await;
    let place: HashMap<EventId, usize> = list.kept().into_iter().enumerate().map(|(at, id)| (id, at)).collect();
    assert_eq!(place.len(), told.len());
    assert!(told.chunks(3).all(|of_key| of_key.is_sorted_by_key(|id| place[id])));
}

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use bus::{Destination, Embedded, Error, Guarantees, Health, Message, Publishing, Subscribing};
use events::{OrderPaid, OrderPlaced, UserBanned};
use futures_util::FutureExt;
use futures_util::future::ready;
use kernel::{Cause, Clock, Event, Ids, Lane, RequestCause, Shards};
use storage::{Location, Migrations, Options};
use tempfile::tempdir;

use super::*;

/// Types that the store of a test wants.
#[derive(Clone, Default)]
struct Store(Arc<Mutex<Selection>>);

impl Store {
    fn wants(&self, selection: &Selection) {
        *self.0.lock().unwrap() = selection.clone();
    }
}

type Hook = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

/// The bindings of a broker.
#[derive(Default)]
struct Routing {
    bound: Mutex<BTreeMap<i64, BTreeSet<String>>>,
    is_down: Mutex<bool>,
    /// Happens once, after something is bound and before its caller knows.
    meanwhile: Mutex<Option<Hook>>,
}

impl Routing {
    fn bound(&self) -> BTreeMap<i64, BTreeSet<String>> {
        let bound = self.bound.lock().unwrap().clone();
        bound.into_iter().filter(|(_, types)| !types.is_empty()).collect()
    }

    fn delivers<E: Event>(&self) -> bool {
        self.bound().values().any(|types| types.contains(E::TYPE))
    }
}

/// The connection of one process to it.
struct Connection(Arc<Routing>);

impl Broker for Connection {
    fn name(&self) -> &'static str {
        "routing"
    }

    fn guarantees(&self) -> Guarantees {
        Guarantees { destination_per_consumer: false, ..Embedded::GUARANTEES }
    }

    fn destinations(&self, _: &str) -> Vec<Destination> {
        Vec::new()
    }

    fn all_destinations(&self) -> Vec<Destination> {
        Vec::new()
    }

    fn publish(&self, _: &Destination, _: Message) -> Publishing {
        unreachable!("nothing is published")
    }

    fn subscribe(&self, _: &str, _: Lane, _: u16) -> Subscribing {
        unreachable!("nobody subscribes")
    }

    fn bind(&self, _: &str, wanted: Wanted) -> BoxFuture<'static, Result<(), Error>> {
        if *self.0.is_down.lock().unwrap() {
            return ready(Err(Error::Unavailable("it is down".to_owned()))).boxed();
        }
        self.0.bound.lock().unwrap().entry(wanted.generation).or_default().extend(wanted.types);
        let meanwhile = self.0.meanwhile.lock().unwrap().take();
        async move {
            if let Some(meanwhile) = meanwhile {
                meanwhile().await;
            }
            Ok(())
        }
        .boxed()
    }

    fn unbind(&self, _: &str, generation: i64) -> BoxFuture<'static, Result<(), Error>> {
        self.0.bound.lock().unwrap().remove(&generation);
        ready(Ok(())).boxed()
    }

    fn waiting(&self, _: &str) -> BoxFuture<'static, Result<u64, Error>> {
        ready(Ok(0)).boxed()
    }

    fn health(&self) -> Health {
        Health::Ready
    }
}

/// One instance of a service.
#[derive(Clone)]
struct Instance {
    db: Db,
    bindings: Bindings,
    ids: Ids,
    store: Store,
}

impl Instance {
    /// A request that adds to what is wanted, decided again while it conflicts.
    async fn register(&self, wanted: &Selection) -> Result<(), BindError> {
        loop {
            let batch = self.bindings.bind(&self.db, wanted).await?;
            match self.commit(batch, wanted).await {
                Err(storage::Error::Conflict { .. }) => {}
                committed => return Ok(committed?),
            }
        }
    }

    async fn commit(&self, batch: Batch, wanted: &Selection) -> Result<(), storage::Error> {
        let cause = Cause::Request(RequestCause { request_id: self.ids.next(), traceparent: None, keyed: None });
        self.db.commit(batch, cause).await?;
        self.store.wants(wanted);
        Ok(())
    }

    async fn look(&self) -> Result<(), BindError> {
        self.bindings.0.as_ref().unwrap().look(&self.db, true).await
    }
}

fn on_demand(store: &Store) -> OnDemand {
    let store = store.clone();
    OnDemand::new(&Selection::every(), &Selection::of::<UserBanned>(), move |_| {
        ready(Ok(store.0.lock().unwrap().clone()))
    })
}

async fn instance(folder: &Path, routing: &Arc<Routing>, store: &Store) -> Instance {
    let clock = Clock::system();
    let ids = Ids::new(clock.clone());
    let options = Options {
        service: "webhooks",
        location: Location::Folder(folder.to_owned()),
        migrations: Migrations { set: "webhooks", steps: &[] },
        destinations: HashMap::new(),
        shards: Shards::DEFAULT,
        outbox_cap: 1_000,
        clock,
        ids: ids.clone(),
    };
    let db = Db::open(options).await.unwrap();
    let broker: Arc<dyn Broker> = Arc::new(Connection(routing.clone()));
    Instance { db, bindings: Bindings::new(Some(on_demand(store)), &broker), ids, store: store.clone() }
}

fn types(selection: &Selection) -> BTreeSet<String> {
    selection.types().map(|(event_type, _)| event_type.to_owned()).collect()
}

#[tokio::test]
async fn what_is_always_wanted_is_not_on_demand() {
    let on_demand = on_demand(&Store::default());
    assert!(on_demand.types().contains(OrderPlaced::TYPE));
    assert!(!on_demand.types().contains(UserBanned::TYPE));
}

#[tokio::test]
async fn a_request_that_binds_beside_one_that_unbinds_has_its_types_bound_in_the_end() {
    let (folder, routing, store) = (tempdir().unwrap(), Arc::<Routing>::default(), Store::default());
    let one = instance(folder.path(), &routing, &store).await;
    let broker = Connection(routing.clone());
    let placed = Selection::of::<OrderPlaced>();

    // The other unbinds between the binding and the commit, which is then a conflict.
    let batch = one.bindings.bind(&one.db, &placed).await.unwrap();
    narrow(&on_demand(&store), &one.db, &broker).await.unwrap();
    assert!(!routing.delivers::<OrderPlaced>());
    assert!(matches!(one.commit(batch, &placed).await, Err(storage::Error::Conflict { .. })));
    one.register(&placed).await.unwrap();
    assert!(routing.delivers::<OrderPlaced>());

    // The commit comes between the other's look and its unbinding, which then looks again.
    let both = placed.and(Selection::of::<OrderPaid>());
    let (registrant, wanted) = (one.clone(), both.clone());
    let register = async move { registrant.register(&wanted).await.unwrap() };
    *routing.meanwhile.lock().unwrap() = Some(Box::new(move || register.boxed()));
    narrow(&on_demand(&store), &one.db, &broker).await.unwrap();
    assert!(routing.delivers::<OrderPlaced>() && routing.delivers::<OrderPaid>());
    assert_eq!(routing.bound().into_values().collect::<Vec<_>>(), [types(&both)], "and nothing else is bound");
}

#[tokio::test]
async fn an_instance_that_looks_binds_what_others_registered_and_unbinds_what_nobody_wants_any_more() {
    let (folder, routing, store) = (tempdir().unwrap(), Arc::<Routing>::default(), Store::default());
    let one = instance(folder.path(), &routing, &store).await;
    let other = instance(folder.path(), &routing, &store).await;
    // As an earlier version left it.
    routing.bound.lock().unwrap().insert(0, types(&Selection::every()));
    narrow(&on_demand(&store), &one.db, &Connection(routing.clone())).await.unwrap();
    assert!(routing.bound().is_empty());
    one.look().await.unwrap();
    other.look().await.unwrap();

    let both = Selection::of::<OrderPlaced>().and(Selection::of::<OrderPaid>());
    one.register(&both).await.unwrap();
    // The broker has lost it meanwhile.
    routing.bound.lock().unwrap().clear();
    other.look().await.unwrap();
    assert_eq!(routing.bound(), BTreeMap::from([(1, types(&both))]));

    // One is deleted: whoever looks first unbinds it, and the other goes over to the new generation.
    let placed = Selection::of::<OrderPlaced>();
    store.wants(&placed);
    one.look().await.unwrap();
    assert_eq!(routing.bound(), BTreeMap::from([(2, types(&placed))]));
    // The other's broker has made the former generation anew meanwhile.
    routing.bound.lock().unwrap().insert(1, types(&both));
    other.look().await.unwrap();
    other.look().await.unwrap();
    one.look().await.unwrap();
    assert_eq!(routing.bound(), BTreeMap::from([(2, types(&placed))]));
}

#[tokio::test]
async fn what_a_request_bound_that_failed_later_is_unbound() {
    let (folder, routing, store) = (tempdir().unwrap(), Arc::<Routing>::default(), Store::default());
    let one = instance(folder.path(), &routing, &store).await;
    one.look().await.unwrap();
    drop(one.bindings.bind(&one.db, &Selection::of::<OrderPlaced>()).await.unwrap());
    assert!(routing.delivers::<OrderPlaced>());
    one.look().await.unwrap();
    assert!(routing.bound().is_empty());
}

#[tokio::test]
async fn what_was_bound_before_the_first_look_is_unbound_once_nobody_wants_it() {
    let (folder, routing, store) = (tempdir().unwrap(), Arc::<Routing>::default(), Store::default());
    let one = instance(folder.path(), &routing, &store).await;
    let placed = Selection::of::<OrderPlaced>();
    one.register(&placed.clone().and(Selection::of::<OrderPaid>())).await.unwrap();
    store.wants(&placed);
    one.look().await.unwrap();
    assert_eq!(routing.bound().into_values().collect::<Vec<_>>(), [types(&placed)]);
}

#[tokio::test]
async fn without_a_broker_nothing_is_promised_and_what_is_wanted_is_bound_once_it_is_back() {
    let (folder, routing, store) = (tempdir().unwrap(), Arc::<Routing>::default(), Store::default());
    let one = instance(folder.path(), &routing, &store).await;
    *routing.is_down.lock().unwrap() = true;
    let placed = Selection::of::<OrderPlaced>();
    let refused = one.register(&placed).await.unwrap_err();
    assert!(matches!(refused, BindError::Broker(_)));
    let problem = Problem::from(refused);
    assert_eq!((problem.status(), problem.code()), (StatusCode::SERVICE_UNAVAILABLE, "broker_unavailable"));
    // Of another instance.
    store.wants(&placed);
    one.look().await.unwrap_err();
    *routing.is_down.lock().unwrap() = false;
    one.look().await.unwrap();
    assert!(routing.delivers::<OrderPlaced>());
}

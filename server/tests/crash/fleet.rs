//! A shop whose services are processes of their own.
//!
//! It is on servers that the tests share, or on servers of its own, which a test may stop and kill.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use server::shop::{CONSOLE, Shop as Tradepost};
use test_servers::{BrokerKind, BrokerSpace, Database, Options, Postgres, RabbitMq, free_port};

use crate::client::Client;
use crate::process::{Process, SHARDS_VARIABLE, shards};

/// Each service, and how many of it run.
pub type Sizes = [(&'static str, usize)];

/// The services and the console. Read once: a shop describes its whole API whenever it is made.
static NAMES: LazyLock<Vec<&str>> = LazyLock::new(|| Tradepost::tradepost().names().collect());

/// The services of the shop, each with a store.
pub fn services() -> impl Iterator<Item = &'static str> {
    NAMES.iter().copied().filter(|name| *name != CONSOLE)
}

/// So many of each service, and of the console.
pub fn of_each(count: usize) -> Vec<(&'static str, usize)> {
    NAMES.iter().map(|name| (*name, count)).collect()
}

/// One of each, and two of those whose work must be shared.
pub fn two_of_some() -> Vec<(&'static str, usize)> {
    let shared = ["orders", "inventory"];
    NAMES.iter().map(|name| (*name, if shared.contains(name) { 2 } else { 1 })).collect()
}

/// Connections of one store in one process: one writes, two read.
const CONNECTIONS_OF_A_STORE: u32 = 3;

/// Connections for the largest fleet: three processes of each service, as many again while one of them is started anew
/// before PostgreSQL has noticed its end, ten migrations, and some for the tests themselves.
pub fn connections_max() -> u32 {
    let stores = u32::try_from(services().count()).expect("a shop has few services") + 1;
    stores * CONNECTIONS_OF_A_STORE * (3 + 3 + 1) + 100
}

/// The heartbeat: the broker closes a connection that is silent for two of these seconds, as a lease is four.
const HEARTBEAT: &str = "heartbeat=2";

/// Longer than a lease and a rebalance, and than the broker takes to find that somebody is gone.
pub const TAKEN_OVER: Duration = Duration::from_secs(8);

/// One process.
pub struct Instance {
    pub service: &'static str,
    port: u16,
    pub process: Process,
    is_up: bool,
}

/// The PostgreSQL of a fleet.
pub enum Stores {
    Shared(Database),
    Own(Postgres),
}

/// The broker of a fleet.
pub enum Queues {
    Shared(BrokerSpace),
    Own(RabbitMq),
}

impl Queues {
    /// On a server that other tests use too.
    pub fn shared(kind: BrokerKind) -> Self {
        Self::Shared(BrokerSpace::create(kind))
    }

    fn url(&self) -> String {
        match self {
            Self::Shared(BrokerSpace::KeyPrefix(keys)) => keys.url(),
            Self::Shared(BrokerSpace::Vhost(vhost)) => format!("{}?{HEARTBEAT}", vhost.url()),
            Self::Own(rabbitmq) => format!("{}?{HEARTBEAT}", rabbitmq.create_vhost()),
        }
    }
}

/// All processes of a shop, and the servers on which they meet.
pub struct Fleet {
    pub store: String,
    pub broker: String,
    pub instances: Vec<Instance>,
    settings: Vec<(String, String)>,
    routes: Routes,
    /// They go last, after the processes that use them.
    stores: Stores,
    queues: Queues,
}

/// The processes that serve now, as a reverse proxy would know.
#[derive(Clone, Default)]
pub struct Routes(Arc<Mutex<Vec<(&'static str, u16)>>>);

impl Fleet {
    /// Starts processes on servers that other tests use too; answers once all of them serve.
    pub async fn start(sizes: &Sizes) -> Self {
        Self::start_with(sizes, shards()).await
    }

    /// The same with this number of shards.
    pub async fn start_with(sizes: &Sizes, shards: usize) -> Self {
        Self::start_on_broker(BrokerKind::RabbitMq, sizes, shards).await
    }

    /// The same on this broker.
    pub async fn start_on_broker(broker: BrokerKind, sizes: &Sizes, shards: usize) -> Self {
        let database = Database::create();
        let store = database.url();
        let settings = vec![(SHARDS_VARIABLE.to_owned(), shards.to_string())];
        let (stores, queues) = (Stores::Shared(database), Queues::shared(broker));
        Self::start_on_with(stores, store, queues, sizes, settings).await
    }

    /// The same on servers of its own, for a test that stops or kills them.
    pub async fn start_on_own_servers(sizes: &Sizes) -> Self {
        let options = Options { max_connections: connections_max(), ..Options::default() };
        let postgres = options.start().expect("PostgreSQL starts");
        let store = postgres.create_database();
        Self::start_on(Stores::Own(postgres), store, Queues::Own(RabbitMq::start()), sizes).await
    }

    /// The same, with the stores where the URL says.
    pub async fn start_on(stores: Stores, store: String, queues: Queues, sizes: &Sizes) -> Self {
        Self::start_on_with(stores, store, queues, sizes, Vec::new()).await
    }

    async fn start_on_with(
        stores: Stores,
        store: String,
        queues: Queues,
        sizes: &Sizes,
        settings: Vec<(String, String)>,
    ) -> Self {
        let broker = queues.url();
        migrated(Process::migrate_with(&store, &broker, &settings)).await;
        let mut fleet =
            Self { stores, queues, store, broker, instances: Vec::new(), settings, routes: Routes::default() };
        let planned: Vec<(&str, u16)> =
            sizes.iter().flat_map(|(service, count)| (0..*count).map(move |_| (*service, free_port()))).collect();
        for service in services() {
            // A console asks one address of each service: here the first of it.
            let first = planned.iter().find(|(name, _)| *name == service).map_or(1, |(_, port)| *port);
            let variable = format!("TRADEPOST_PEERS_{}", service.to_uppercase());
            fleet.settings.push((variable, format!("http://127.0.0.1:{first}")));
        }
        for (service, port) in planned {
            let process = Process::serve(&[service], port, &fleet.store, &fleet.broker, &fleet.settings);
            fleet.instances.push(Instance { service, port, process, is_up: true });
        }
        for instance in &mut fleet.instances {
            instance.until_ready().await;
        }
        fleet.publish_routes();
        fleet
    }

    /// The server of its stores, which must be its own.
    pub fn postgres(&mut self) -> &mut Postgres {
        match &mut self.stores {
            Stores::Own(postgres) => postgres,
            Stores::Shared(_) => panic!("other tests use this server too: the fleet must start on its own"),
        }
    }

    /// Its broker, which must be its own.
    pub fn rabbitmq(&mut self) -> &mut RabbitMq {
        match &mut self.queues {
            Queues::Own(rabbitmq) => rabbitmq,
            Queues::Shared(_) => panic!("other tests use this broker too: the fleet must start on its own"),
        }
    }

    /// The value of an Erlang expression in its broker, which must be RabbitMQ.
    pub fn eval(&self, expression: &str) -> String {
        match &self.queues {
            Queues::Shared(BrokerSpace::Vhost(vhost)) => vhost.eval(expression),
            Queues::Shared(BrokerSpace::KeyPrefix(_)) => panic!("Redis knows no Erlang"),
            Queues::Own(rabbitmq) => rabbitmq.eval(expression),
        }
    }

    /// Asks whichever process serves a path.
    pub fn client(&self) -> Client {
        Client::of_many(self.routes.clone())
    }

    /// Starts one more of a service.
    pub async fn add(&mut self, service: &'static str) -> usize {
        let port = free_port();
        let process = Process::serve(&[service], port, &self.store, &self.broker, &self.settings);
        let mut instance = Instance { service, port, process, is_up: true };
        instance.until_ready().await;
        self.instances.push(instance);
        self.publish_routes();
        self.instances.len() - 1
    }

    /// `kill -9`.
    pub async fn kill(&mut self, at: usize) {
        self.instances[at].is_up = false;
        self.publish_routes();
        self.instances[at].process.kill().await;
    }

    /// Stops it as a service manager does, and waits for its end.
    pub async fn drain(&mut self, at: usize) {
        self.instances[at].is_up = false;
        self.publish_routes();
        self.instances[at].process.ask_to_stop();
        let ended = self.instances[at].process.ended().await;
        assert!(ended.status.success(), "it did not stop well: {ended:?}");
    }

    /// Starts a process again, on the port that it had.
    pub async fn restart(&mut self, at: usize) {
        let instance = &mut self.instances[at];
        let Instance { service, port, .. } = *instance;
        instance.process = Process::serve(&[service], port, &self.store, &self.broker, &self.settings);
        instance.until_ready().await;
        instance.is_up = true;
        self.publish_routes();
    }

    /// Starts a process again that is to be refused; answers with what it said.
    pub async fn refused(&mut self, at: usize) -> String {
        let Instance { service, port, .. } = self.instances[at];
        let mut process = Process::serve(&[service], port, &self.store, &self.broker, &self.settings);
        let Err(ended) = process.ready().await else { panic!("{service} was not refused") };
        assert!(ended.status.code().is_some_and(|code| code != 0), "{ended:?}");
        ended.stderr
    }

    /// The virtual host, as an Erlang binary.
    pub fn vhost(&self) -> String {
        format!("<<\"{}\">>", self.vhost_name())
    }

    /// The virtual host.
    pub fn vhost_name(&self) -> &str {
        let last = self.broker.rsplit('/').next().expect("a URL ends with its virtual host");
        last.split('?').next().unwrap_or_default()
    }

    /// The value of an expression about `Q` for each queue whose name begins so.
    pub fn each_queue(&self, prefix: &str, expression: &str) -> String {
        let vhost = self.vhost();
        // As numbers, for small ones in a list would be printed as text.
        self.eval(&format!(
            "[{{element(1, {{{expression}}})}} || Q <- rabbit_amqqueue:list({vhost}), \
                 lists:prefix(\"{prefix}\", binary_to_list(element(4, amqqueue:get_name(Q))))]"
        ))
    }

    /// Deletes the queues or streams whose names begin so, with what is in them.
    pub fn delete_queues(&self, prefix: &str) {
        if let Queues::Shared(BrokerSpace::KeyPrefix(keys)) = &self.queues {
            return keys.remove(prefix);
        }
        self.each_queue(prefix, "rabbit_amqqueue:delete(Q, false, false, <<\"test\">>)");
    }

    /// Freezes a process, which then answers nothing, and no proxy sends it anything.
    pub fn freeze(&mut self, at: usize) {
        self.instances[at].is_up = false;
        self.publish_routes();
        self.instances[at].process.signal("STOP");
    }

    /// Lets it go on, as if nothing had been.
    pub fn thaw(&mut self, at: usize) {
        self.instances[at].process.signal("CONT");
        self.instances[at].is_up = true;
        self.publish_routes();
    }

    /// Those that run, of a service.
    pub fn of(&self, service: &str) -> Vec<usize> {
        let running = self.instances.iter().enumerate().filter(|(_, it)| it.service == service && it.is_up);
        running.map(|(at, _)| at).collect()
    }

    /// Log lines of processes that must not occur.
    pub fn panics(&self) -> Vec<String> {
        self.instances.iter().flat_map(|it| it.process.panics()).collect()
    }

    /// The sum of a metric of one process.
    pub async fn metric_of(&self, at: usize, name: &str, label: &str) -> u64 {
        let text = self.instances[at].client().text("/metrics").await.expect("the process is alive");
        let lines = text.lines().filter(|line| line.starts_with(name) && line.contains(label));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }

    /// Events of one source, key and lane that took effect after one that was emitted later, for each consumer.
    pub fn order_violations(&self) -> Vec<String> {
        let union = |rows: &dyn Fn(&str) -> String| services().map(rows).collect::<Vec<_>>().join(" union all ");
        let events =
            union(&|it| format!("select '{it}' as source, event_id, key, lane, position, type from {it}.events"));
        let inboxes = union(&|it| format!("select '{it}' as consumer, event_id, attempts, handled_at from {it}.inbox"));
        // One query, for there are as many pairs of services as their square.
        let found = self.sql(&format!(
            "with events as ({events}), inboxes as ({inboxes}), \
             handled as (select *, max(handled_at) over (partition by source, consumer, key, lane order by position \
                 rows between unbounded preceding and 1 preceding) as before from events join inboxes using (event_id)), \
             late as (select distinct source, consumer, key, lane from handled where handled_at < before) \
             select format('%s to %s: %s', source, consumer, string_agg(format('%s %s %s (%s) at %s', key, position, type, \
                 attempts, handled_at), '; ' order by position)) \
             from handled join late using (source, consumer, key, lane) group by source, consumer"
        ));
        found.lines().map(str::to_owned).collect()
    }

    /// Runs a command of an operator against the console, and answers with what it printed.
    pub async fn command(&self, arguments: &[&str]) -> String {
        Process::command(&self.routes.url("/v1/events", 0), arguments).await
    }

    /// Rows that some SQL finds in the shop's database.
    pub fn sql(&self, sql: &str) -> String {
        match &self.stores {
            Stores::Shared(database) => database.execute(sql),
            Stores::Own(postgres) => {
                postgres.execute(self.store.rsplit('/').next().expect("a URL ends with its database"), sql)
            }
        }
    }

    /// Number of events of a type that a consumer has neither handled nor still to handle.
    pub fn missed(&self, consumer: &str, source: &str, event_type: &str) -> u64 {
        let known = format!("select event_id from {consumer}.inbox union all select event_id from {consumer}.held");
        let missed = self.sql(&format!(
            "select count(*) from {source}.events where type = '{event_type}' and event_id not in ({known})"
        ));
        missed.parse().expect("a count is a number")
    }

    /// Stops all processes, each of which must end well.
    pub async fn stop(&mut self) {
        for instance in self.instances.iter().filter(|it| it.is_up) {
            instance.process.ask_to_stop();
        }
        for instance in self.instances.iter_mut().filter(|it| it.is_up) {
            let ended = instance.process.ended().await;
            assert!(ended.status.success(), "{} did not stop well: {ended:?}", instance.service);
        }
    }

    fn publish_routes(&self) {
        let up = self.instances.iter().filter(|it| it.is_up).map(|it| (it.service, it.port)).collect();
        *self.routes.0.lock().unwrap_or_else(PoisonError::into_inner) = up;
    }
}

impl Instance {
    /// A client of this process alone.
    pub fn client(&self) -> Client {
        Client::new(&format!("http://127.0.0.1:{}", self.port))
    }

    async fn until_ready(&mut self) {
        let service = self.service;
        self.process.ready().await.unwrap_or_else(|ended| panic!("{service} did not start: {ended:?}"));
    }
}

impl Routes {
    /// A process that serves a path: one of several takes turns with the others.
    pub fn url(&self, path: &str, turn: usize) -> String {
        let service = service_of(path);
        let up = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ports: Vec<u16> = up.iter().filter(|(name, _)| *name == service).map(|(_, port)| *port).collect();
        // Nobody listens on port 1, where a service has no process now.
        let port = ports.get(turn % ports.len().max(1)).copied().unwrap_or(1);
        format!("http://127.0.0.1:{port}")
    }
}

/// The routes of the API as templates, each with the service that serves it.
static ROUTES: LazyLock<Vec<(Vec<String>, &'static str)>> = LazyLock::new(|| {
    let api: Value = serde_json::from_str(include_str!("../../../docs/openapi.json")).expect("it is JSON");
    let paths = api["paths"].as_object().expect("an API has paths");
    let tag = |operations: &Value| {
        let operations = operations.as_object().expect("a path has operations");
        operations.values().find_map(|operation| operation["tags"][0].as_str()).map(str::to_owned)
    };
    let served = paths.iter().map(|(path, operations)| {
        let tag = tag(operations);
        let service = NAMES.iter().copied().find(|name| tag.as_deref() == Some(name)).unwrap_or(CONSOLE);
        (path.split('/').map(str::to_owned).collect(), service)
    });
    served.collect()
});

/// The service that serves a path; the console serves what no service does.
fn service_of(path: &str) -> &'static str {
    let path: Vec<&str> = path.split('?').next().unwrap_or(path).split('/').collect();
    let fits = |template: &[String]| {
        let same = |(part, found): (&String, &&str)| part == found || part.starts_with('{');
        template.len() == path.len() && template.iter().zip(&path).all(same)
    };
    ROUTES.iter().find(|(template, _)| fits(template)).map_or(CONSOLE, |(_, service)| service)
}

/// Makes what the processes of a shop share.
pub async fn migrate(store: &str, broker: &str) {
    migrated(Process::migrate(store, broker)).await;
}

async fn migrated(mut process: Process) {
    let ended = process.ended().await;
    assert!(ended.status.success(), "the schemas and queues could not be made: {ended:?}");
}

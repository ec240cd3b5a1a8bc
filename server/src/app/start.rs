//! Starting an app: its folder and its token once, then its stores and services, again while a store is unavailable.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use bus::{Broker, Setup};
use console::{Api, Pages, Peer, Replays, Watcher};
use futures_util::future::try_join_all;
use kernel::Ids;
use payments::{Provider, Simulated};
use service::http::Keyring;
use service::http::auth::{Auth, digest};
use service::http::overload::Overload;
use service::shell::{Shell, served_by};
use service::storage::{Db, Location};
use service::telemetry::Metrics;
use service::{AnyService, CannotStart, CatchingUp, Operator, Running, Runtime, Tasks};

use super::dead_letters::AskedDeadLetters;
use super::folder::Folder;
use super::retry::{waited_in_vain, while_unavailable};
use super::{App, DRAIN, Options, Scope, broker, catch_up, docs, peers, provider, token};
use crate::config::BrokerSetting;
use crate::shop::{CONSOLE, Outside};

impl App {
    /// Opens what is needed and starts the services.
    pub async fn start(mut options: Options) -> anyhow::Result<Self> {
        let ids = Ids::new(options.clock.clone());
        let own_token = ids.secret().reveal();
        let api_token = match &options.scope {
            Scope::Whole { .. } => Some(&own_token),
            Scope::Part { .. } => options.admin_token.as_ref(),
        };
        if let Some(token) = api_token {
            options.services = options.services.or(&bridge::settings::API_TOKEN, token);
        }
        // The services are described before anything is opened: the folder is checked against their tables.
        let described = options.shop.described();
        let (mut folder, token) = home(&options, &described, &ids)?;
        let admins = token.digests.iter().copied().chain([digest(own_token.as_bytes())]).collect();
        let object_tokens = described.iter().filter_map(|service| service.object_token()).collect();
        let auth = Arc::new(Auth::new(admins, options.clock.clone()).with_object_tokens(object_tokens));
        let here: Vec<&'static str> =
            described.iter().map(|service| service.name()).filter(|name| options.scope.includes(name)).collect();
        if here.is_empty() {
            // A console alone: it uses neither, and says what is wrong with others while they are unreachable.
            options.broker = BrokerSetting::embedded();
        }
        let setup = broker::setup(options.shop.topology_of(&described), options.settings.shards, &options.clock);
        // Before they are made once more: the descriptions of their routes are the most that a start holds.
        drop(described);
        let dead_letters = AskedDeadLetters::default();
        let mut start = Start { options, ids, auth, here, setup, broker: None, dead_letters };
        let location = start.options.store.clone();
        let started = while_unavailable(&location, async || start.attempt(&mut folder).await).await?;
        start.finish(started, folder, own_token, token.made)
    }
}

/// The parts that all attempts to start have in common.
struct Start {
    options: Options,
    ids: Ids,
    auth: Arc<Auth>,
    /// The services of this process.
    here: Vec<&'static str>,
    setup: Setup,
    /// Once there is a connection, or one that is being made.
    broker: Option<Arc<dyn Broker>>,
    /// Asks nobody until the services run.
    dead_letters: AskedDeadLetters,
}

/// Services at work.
struct Started {
    runtime: Runtime,
    running: Vec<Running>,
    provider: Option<Arc<Simulated>>,
}

impl Start {
    /// Opens the stores and starts the services. What an interrupted try has begun is ended before it answers.
    async fn attempt(&mut self, folder: &mut Option<Folder>) -> anyhow::Result<Started> {
        let options = &self.options;
        if !self.here.is_empty() {
            prepare(&options.store, self.here.iter().copied()).await?;
        }
        let broker = match &self.broker {
            Some(broker) => broker.clone(),
            None => self.broker.insert(connect(options, self.setup.clone()).await?).clone(),
        };
        let options = &self.options;
        let provider = provider::open(options, &self.ids).await?;
        let outside = Outside {
            provider: or_absent(provider.as_ref()),
            settings: options.services.clone(),
            dead_letters: Arc::new(self.dead_letters.clone()),
        };
        let services = options.shop.make(&outside);
        let runtime = self.runtime(broker, &services);
        let services: Vec<_> = services.into_iter().filter(|service| options.scope.includes(service.name())).collect();
        let mut stores = Vec::new();
        match self.run(services, &runtime, folder, &mut stores).await {
            Ok(running) => Ok(Started { runtime, running, provider }),
            Err(error) => {
                runtime.tasks.stop(DRAIN).await;
                for store in stores {
                    store.close().await;
                }
                if let Some(provider) = provider {
                    provider.close().await;
                }
                Err(error)
            }
        }
    }

    /// Leaves the stores that are open in `stores`, also where it fails.
    async fn run(
        &self,
        services: Vec<Box<dyn AnyService>>,
        runtime: &Runtime,
        folder: &mut Option<Folder>,
        stores: &mut Vec<Db>,
    ) -> anyhow::Result<Vec<Running>> {
        stores.extend(try_join_all(services.iter().map(|service| service.open(runtime))).await?);
        if let Some(folder) = folder {
            folder.list_stores()?;
        }
        let options = &self.options;
        if let Scope::Whole { .. } = &options.scope {
            catch_up::before_start(&options.broker, self.setup.clone(), &services, stores, options.report).await?;
        }
        let started = services.into_iter().zip(stores.iter());
        let running = try_join_all(started.map(|(service, store)| service.start(store.clone(), runtime))).await;
        // A store's failure goes on as what it is: its kind decides if the start is tried again.
        running.map_err(|error| match error {
            CannotStart::Store(error) => error.into(),
            refused @ CannotStart::Refused(_) => refused.into(),
        })
    }

    /// Tasks and counters of its own for each try.
    fn runtime(&self, broker: Arc<dyn Broker>, services: &[Box<dyn AnyService>]) -> Runtime {
        let options = &self.options;
        let mut settings = options.settings.clone();
        settings.late_after = late_after(services).unwrap_or(settings.late_after);
        Runtime {
            store: options.store.clone(),
            broker,
            clock: options.clock.clone(),
            ids: self.ids.clone(),
            settings: Arc::new(settings),
            metrics: Arc::new(Metrics::new(options.clock.now())),
            tracer: options.tracer.clone(),
            auth: self.auth.clone(),
            overload: Overload::new(&console::SLOW_ROUTES),
            catching_up: CatchingUp::default(),
            tasks: Tasks::new(),
        }
    }

    /// Puts the console and what all routes have in common around the services.
    fn finish(
        self,
        started: Started,
        folder: Option<Folder>,
        own_token: String,
        made_token: Option<String>,
    ) -> anyhow::Result<App> {
        let (Self { options, ids, auth, here, dead_letters, .. }, Started { runtime, running, provider }) =
            (self, started);
        let operators: Arc<Vec<Operator>> = Arc::new(running.iter().map(|it| it.operator.clone()).collect());
        // What all services share takes a token that any of them knows the key of.
        let auth = auth.with_keys(running.iter().map(|it| it.keys.clone()).collect());
        let auth = Arc::new(match running.first() {
            Some(any) => auth.with_accounts(any.accounts.clone()),
            None => auth,
        });
        let peers = || peers(&options.shop, &options.peers, options.admin_token.as_deref(), &operators);
        if here.contains(&admin::NAME) {
            dead_letters.ask_from_now_on(peers()?);
        }
        let (of_console, pages) = if options.scope.includes(CONSOLE) {
            let peers = peers()?;
            let pages = pages(&options, &peers, &ids, &own_token);
            (start_console(&options.scope, peers, &running, &runtime).merge(pages.clone().routes()), Some(pages))
        } else {
            (Router::new(), None)
        };
        let routes = running.into_iter().fold(of_console, |routes, service| routes.merge(service.router));
        let broker = runtime.broker.clone();
        let shell = Shell {
            asyncapi: docs::asyncapi,
            operators: operators.to_vec(),
            broker: runtime.broker,
            metrics: runtime.metrics,
            tracer: options.tracer,
            auth,
            ids,
            clock: options.clock,
            settings: runtime.settings,
            overload: runtime.overload,
            tasks: runtime.tasks.clone(),
        };
        let shop = options.shop;
        let router = shell.wrap(routes, move |own| docs::document(&shop, own), docs::page);
        let reached = Arc::new(router.clone());
        if let Some(pages) = &pages {
            pages.serve(&reached);
        }
        Ok(App {
            router,
            pages,
            _reached: reached,
            operators,
            made_token,
            broker,
            tasks: runtime.tasks,
            own_token,
            provider,
            folder,
        })
    }
}

/// The broker, which need not be reachable yet. One that does not let a part of a shop in is refused.
async fn connect(options: &Options, setup: Setup) -> anyhow::Result<Arc<dyn Broker>> {
    if let Scope::Part { .. } = &options.scope {
        broker::refuse_unusable(&options.broker).await?;
    }
    Ok(options.broker.adapter.connect(options.broker.url.reveal(), setup)?)
}

/// The provider of this process, or one that refuses: only a process with the payments service has one.
fn or_absent(provider: Option<&Arc<Simulated>>) -> Arc<dyn Provider> {
    match provider {
        Some(provider) => provider.clone(),
        None => Arc::new(provider::Absent),
    }
}

/// The console, which asks the services of this process in it, and the others where they are.
fn start_console(scope: &Scope, peers: Vec<Peer>, running: &[Running], runtime: &Runtime) -> Router {
    let (keyring, tasks) = (Keyring::default(), runtime.tasks.clone());
    if let Scope::Part { .. } = scope {
        tasks.spawn(console::keep_keys(peers.clone(), keyring.clone(), tasks.clone()));
    }
    let keys = running.iter().map(|it| it.keys.clone()).chain([keyring]).collect();
    let (peers, flow) = (Arc::new(peers), Watcher::default());
    tasks.spawn(flow.clone().run(peers.clone(), runtime.clock.clone(), tasks.clone()));
    let accounts = console::AskedAccounts::of(peers.clone());
    let routes = console::routes(console::Console {
        peers,
        auth: Arc::new(runtime.auth.with_keys(keys).with_accounts(Arc::new(accounts))),
        clock: runtime.clock.clone(),
        flow,
        replays: Replays::default(),
        republish_window: runtime.settings.republish_window,
        tasks,
    });
    served_by(CONSOLE, routes)
}

/// The web pages. Services of other processes are reached at their addresses, by the paths that they describe.
fn pages(options: &Options, peers: &[Peer], ids: &Ids, own_token: &str) -> Pages {
    let elsewhere = peers.iter().filter(|peer| peer.is_elsewhere());
    let elsewhere: HashMap<&str, &Peer> = elsewhere.map(|peer| (peer.service(), peer)).collect();
    let described = if elsewhere.is_empty() { Vec::new() } else { options.shop.described() };
    let routes = described.iter().filter_map(|service| Some((service, *elsewhere.get(service.name())?)));
    let routes = routes.flat_map(|(service, peer)| {
        service.openapi().paths.paths.into_keys().map(move |path| (path, peer.clone())).collect::<Vec<_>>()
    });
    // A process of a part has no token of its own that others would take, so it has no links.
    let link_token = matches!(options.scope, Scope::Whole { .. }).then(|| own_token.to_owned());
    Pages::new(Api::new(routes), options.clock.clone(), ids.clone(), link_token, options.features)
}

/// The folder of a whole shop, and who is let in as admin.
fn home(
    options: &Options,
    services: &[Box<dyn AnyService>],
    ids: &Ids,
) -> anyhow::Result<(Option<Folder>, token::AdminToken)> {
    let (now, previous) = (options.admin_token.as_deref(), options.admin_token_previous.as_deref());
    let configured = token::Configured { token: now, previous };
    match &options.scope {
        Scope::Whole { data } => {
            let folder = Folder::open(data, &options.store, services, options.missing_stores)?;
            let token = token::admin_token(folder.path(), &configured, ids)?;
            Ok((Some(folder), token))
        }
        Scope::Part { .. } => {
            now.context("admin_token: the processes of a shop need one that all of them have")?;
            Ok((None, token::AdminToken { digests: configured.digests(), made: None }))
        }
    }
}

/// Makes the folder; waits for a server here, so that one line is logged about it and not one for each service.
pub(super) async fn prepare(store: &Location, services: impl IntoIterator<Item = &'static str>) -> anyhow::Result<()> {
    match store {
        Location::Folder(folder) => {
            std::fs::create_dir_all(folder).with_context(|| format!("{} can't be made", folder.display()))?;
        }
        Location::Postgres(server) if server.is_apart() => {
            for service in services {
                server.of(service)?.ready().await.map_err(waited_in_vain)?;
            }
        }
        Location::Postgres(server) => server.ready().await.map_err(waited_in_vain)?,
    }
    Ok(())
}

/// The age from which work is late for the service that can't wait longer.
fn late_after(services: &[Box<dyn AnyService>]) -> Option<Duration> {
    services.iter().filter_map(|service| service.late_after()).min()
}

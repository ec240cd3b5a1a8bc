//! `tradepost up`: start, listen, drain.

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, anyhow};
use kernel::Clock;
use service::http::listener::{self, Bounds};
use service::http::overload::{Limits, Rate};
use service::setting::Values;
use service::{Backoff, Settings};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, reload};

use super::{App, Features, MissingStores, Options, Scope, Target, Traces, banner, demo};
use crate::config::{self, LogFormat};
use crate::shop::Shop;

/// The time that open requests may take once the process drains.
const REQUESTS_DRAIN: Duration = Duration::from_secs(10);

/// The beginning of each filter: the client of RabbitMQ would log returned messages with their bodies, and as an error
/// each queue that is looked for and is not there. What matters the adapter says itself.
const QUIET: &str = "lapin=off";

/// The time that the simulated provider takes for `tok_slow`.
const SLOW_CHARGE: Duration = Duration::from_secs(5);

/// The time after which the demo's supplier delivers.
const DEMO_DELIVERY: &str = "10s";

/// The options of a process beside its settings.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Its services.
    pub scope: Scope,
    /// Fill an empty shop with a dozen products, two customers, two suppliers, and orders in every state.
    pub demo: bool,
    /// Decision about stores that the data folder lists and that are missing.
    pub missing_stores: MissingStores,
}

/// Starts everything and serves until a signal asks it to stop. The first signal drains, the second ends at once.
pub async fn run(shop: Shop, settings: config::Settings, options: RunOptions) -> anyhow::Result<()> {
    let log = Log::to_stderr(&settings)?;
    let traces = traces(&settings, &options.scope)?;
    let address = SocketAddr::new(settings.listen, settings.port);
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("{address} can't be listened on: is another program using it? Choose another with --port")
    })?;
    let url = format!("http://{}", listener.local_addr()?);
    let mut start = start_options(shop, &settings, &options, &traces);
    start.services = start.services.or(&bridge::settings::LISTEN, &settings.listen.to_string());
    if matches!(options.scope, Scope::Whole { .. }) {
        start.services = start.services.or(&bridge::settings::API_URL, &url);
    }
    let app = App::start(start).await?;
    if options.demo {
        demo::seed(&app).await?;
    }
    log.begin()?;
    let mut stop_signals = StopSignals::new()?;
    say(&banner::of(&url, &app, &options, settings.admin_token.is_some()));
    app.keep_made_token()?;
    let (router, stop) = (app.router.clone(), app.tasks.stop_token());
    let mut server =
        Box::pin(listener::serve(listener, router, Bounds::for_this_process(), &settings.trusted_proxies, stop));
    let mut ended = Ok(());
    tokio::select! {
        // It ends once the tasks are asked to stop, which only the drain does.
        () = &mut server => {}
        () = stop_signals.next() => {}
        // Whoever watches over the process starts it again, and nothing is left undone unnoticed.
        () = app.tasks.broken() => ended = Err(anyhow!("a part of the process ended by a defect, so all of it ends")),
    }
    say("draining: open requests and begun work are finished; press Ctrl-C again to end at once\n");
    let drain = async {
        app.tasks.cancel();
        if tokio::time::timeout(REQUESTS_DRAIN, server).await.is_err() {
            tracing::warn!("some requests were still open after {REQUESTS_DRAIN:?} and were cut off");
        }
        app.stop().await;
        traces.stop().await;
    };
    tokio::select! {
        () = drain => ended,
        () = stop_signals.next() => std::process::exit(130),
    }
}

/// Prints a line for a person. A closed output is no reason to end.
fn say(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Ctrl-C, and what service managers send.
struct StopSignals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl StopSignals {
    fn new() -> anyhow::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// The collector of spans, if any.
fn traces(settings: &config::Settings, scope: &Scope) -> anyhow::Result<Traces> {
    let Some(endpoint) = &settings.otlp_endpoint else { return Ok(Traces::off()) };
    let service = match scope {
        Scope::Whole { .. } => "tradepost".to_owned(),
        Scope::Part { services } => format!("tradepost-{}", services.join("+")),
    };
    Traces::start(Target { endpoint: endpoint.clone(), share: settings.trace_sample, service }, &Clock::system())
}

fn start_options(shop: Shop, settings: &config::Settings, options: &RunOptions, traces: &Traces) -> Options {
    Options {
        features: Features { r#try: options.demo },
        shop,
        scope: options.scope.clone(),
        store: settings.location(),
        broker: settings.broker.clone(),
        settings: shared_settings(settings),
        clock: Clock::system(),
        admin_token: settings.admin_token.as_ref().map(|token| token.reveal().to_owned()),
        admin_token_previous: settings.admin_token_previous.as_ref().map(|token| token.reveal().to_owned()),
        services: services(settings, options.demo),
        slow_charge: SLOW_CHARGE,
        tracer: traces.tracer(),
        peers: settings.peers.clone(),
        missing_stores: options.missing_stores,
        report: |line| say(&format!("{line}\n")),
    }
}

/// The settings that services declare. A demo simulates deliveries, so that its stock is filled up without an admin.
fn services(settings: &config::Settings, is_demo: bool) -> Values {
    let services = settings.services.clone();
    if is_demo { services.or(&suppliers::settings::SIMULATED_DELIVERY, DEMO_DELIVERY) } else { services }
}

/// The settings that all services share.
pub(super) fn shared_settings(settings: &config::Settings) -> Settings {
    Settings {
        retry: Backoff { base: settings.retry_base, max: settings.retry_max },
        retry_attempts: settings.retry_attempts,
        workers: settings.workers,
        handler_deadline: settings.handler_deadline,
        inbox_retention: settings.inbox_retention,
        republish_window: settings.republish_window,
        shards: settings.shards,
        late_after: Duration::MAX,
        outbox_cap: settings.outbox_cap,
        limits: Limits { writes: Rate::new(settings.write_limit, Duration::from_secs(1)) },
        trusted_proxies: settings.trusted_proxies.clone(),
        cors_origins: settings.cors_origins.clone(),
    }
}

/// The log on stderr. Until the process is ready it shows warnings only, so that the banner comes first.
struct Log {
    filter: reload::Handle<Targets, Registry>,
    wanted: Targets,
}

impl Log {
    fn to_stderr(settings: &config::Settings) -> anyhow::Result<Self> {
        let filter = |wanted: &str| format!("{QUIET},{wanted}").parse::<Targets>();
        let wanted = filter(&settings.log).context("log: not a filter as in info,orders=debug")?;
        let as_text = match settings.log_format {
            LogFormat::Text => true,
            LogFormat::Json => false,
            LogFormat::Auto => std::io::stderr().is_terminal(),
        };
        // No report on stderr: a log that reports its own failure would never end.
        let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).log_internal_errors(false);
        let lines = if as_text {
            lines.compact().with_ansi(std::io::stderr().is_terminal()).boxed()
        } else {
            lines.json().flatten_event(true).boxed()
        };
        let (layer, filter) = reload::Layer::new(filter("warn").expect("it is a filter"));
        tracing_subscriber::registry().with(layer).with(lines).try_init().context("logging can't be set up")?;
        Ok(Self { filter, wanted })
    }

    fn begin(self) -> anyhow::Result<()> {
        self.filter.reload(self.wanted).context("logging can't be set up")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_of_the_services_are_those_of_the_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("tradepost.toml");
        std::fs::write(&empty, "").unwrap();
        let flags = config::Flags::default();
        let loaded = config::load(&Shop::tradepost(), &flags, Some(&empty), &config::Environment::default()).unwrap();
        assert_eq!(format!("{:?}", shared_settings(&loaded.settings)), format!("{:?}", Settings::default()));
    }
}

//! Generated files that are checked in, and promises of the code as a whole.
//!
//! `cargo xtask bless` runs the tests named `…up_to_date` so that they write their file instead of comparing it.

mod asyncapi;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use bus::conformance::compared;
use events::Descriptor;
use kernel::{Clock, Ids, Shards};
use payments::Simulated;
use server::shop::Shop;
use service::AnyService;
use storage::{Db, Location, Migrations, Options, Registered};
use test_servers::Database;
use testkit::TestShop;

const CATALOGUE_HEAD: &str = "\
# Events

Generated from the code by `cargo xtask bless`, and held to it by `server/tests/generated/`.

An event is a fact that one service publishes to the others.
It is kept in order among the events of its emitter that have the same key and the same lane.
An event to which nobody reacts is kept in the archive of its emitter, as all are.
Payment tokens are redacted wherever events are shown.
On RabbitMQ webhooks receives a type only while one of its endpoints wants it ([ADR 43](adr/0043-a-consumer-is-bound-to-what-is-wanted.md)).

";

const BROKERS_HEAD: &str = "\
# Brokers

Generated from the code by `cargo xtask bless`, and held to it by `server/tests/generated/`.

Every broker passes the same suite (`crates/bus/src/conformance/`): order for each key, lanes that don't delay one another, nothing lost, nothing settled twice.
What only some promise is asked of those that do.

";

#[test]
fn the_catalogue_of_events_is_up_to_date() {
    hold("docs/events.md", &catalogue());
}

#[test]
fn the_comparison_of_brokers_is_up_to_date() {
    let shop = Shop::tradepost();
    let brokers = shop.brokers().iter().map(|adapter| (adapter.name(), adapter.guarantees())).collect::<Vec<_>>();
    hold("docs/brokers.md", &format!("{BROKERS_HEAD}{}", compared(&brokers)));
}

#[tokio::test]
async fn the_description_of_the_api_is_up_to_date() {
    let shop = TestShop::start().await;
    let document = shop.get("/openapi.json").await.expect(200);
    shop.stop().await;
    let text = std::str::from_utf8(&document.body).unwrap();
    hold("docs/openapi.json", &format!("{}\n", text.trim_end()));
}

#[test]
fn the_description_of_the_events_is_up_to_date() {
    let reactions = reactions();
    let document = asyncapi::document(
        |event| reactions[event.event_type].clone(),
        |event| serde_json::from_str(&example(event)).expect("an example is JSON"),
    );
    hold("docs/asyncapi.json", &format!("{document:#}\n"));
}

#[test]
fn every_event_is_emitted_by_its_service() {
    let silent: Vec<&str> = events::all().filter(|event| emitters(event).is_empty()).map(|event| event.name).collect();
    assert!(silent.is_empty(), "nothing in the source of their services makes these events: {}", silent.join(", "));
}

#[test]
fn every_subscription_is_to_an_event_and_has_the_file_of_its_name() {
    for service in services() {
        for (event_type, lane) in service.subscriptions() {
            let event = events::find(event_type);
            let event = event.unwrap_or_else(|| panic!("{} reacts to {event_type}, which is no event", service.name()));
            assert_eq!(lane, event.lane, "{} reacts to {event_type} in another lane", service.name());
            let file = reaction(service.name(), event);
            assert!(root().join(&file).is_file(), "the reaction to {event_type} stands in {file}");
        }
    }
}

#[tokio::test]
async fn every_statement_keeps_the_rules_of_the_kit_and_fits_its_tables_on_both_databases() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::create();
    let places = [
        Location::Folder(folder.path().to_owned()),
        Location::Postgres(database.url().parse().expect("the test's server has a proper URL")),
    ];
    let mut faults = Vec::new();
    for (service, place) in services().iter().flat_map(|service| places.iter().map(move |place| (service, place))) {
        let db = open(service.name(), place.clone(), service.migrations()).await;
        faults.extend(check(&db, service.statements()).await);
    }

    let clock = Clock::system();
    let provider =
        Simulated::open(Location::Folder(folder.path().to_owned()), clock.clone(), Ids::new(clock)).await.unwrap();
    provider.close().await;
    // The provider's tables are its own: here its file is opened as one that has them already.
    let nothing = Migrations { set: "none", steps: &[] };
    let db = open("payment-provider", Location::Folder(folder.path().to_owned()), nothing).await;
    faults.extend(check(&db, Simulated::STATEMENTS).await);

    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

async fn open(service: &'static str, location: Location, migrations: Migrations) -> Db {
    let clock = Clock::system();
    let options = Options {
        service,
        location,
        migrations,
        destinations: HashMap::new(),
        shards: Shards::DEFAULT,
        outbox_cap: 1,
        ids: Ids::new(clock.clone()),
        clock,
    };
    Db::open(options).await.expect("an empty place takes any tables")
}

async fn check(db: &Db, statements: &[Registered]) -> Vec<String> {
    let mut faults = Vec::new();
    for statement in statements {
        if let Err(fault) = db.check(*statement).await {
            faults.push(format!("{}: {fault}", db.service()));
        }
    }
    db.close().await;
    faults
}

fn services() -> Vec<Box<dyn AnyService>> {
    Shop::tradepost().described()
}

fn catalogue() -> String {
    let reactions = reactions();
    let mut text = CATALOGUE_HEAD.to_owned();
    text += "| event | emitted by | lane | key | reactions |\n|---|---|---|---|---|\n";
    for event in events::all() {
        text += &row(event, &reactions[event.event_type]);
    }
    for event in events::all() {
        text += &described(event, &reactions[event.event_type]);
    }
    text
}

fn row(event: &Descriptor, reacting: &[&str]) -> String {
    let (name, anchor) = (event.name, event.name.to_lowercase());
    let (source, lane, key, reacting) = (event.source, event.lane, event.key, listed(reacting));
    format!("| [{name}](#{anchor}) | {source} | {lane} | `{key}` | {reacting} |\n")
}

fn described(event: &Descriptor, reacting: &[&str]) -> String {
    let doc: Vec<&str> = event.doc.lines().map(str::trim).collect();
    let example = example(event);
    let links = |files: Vec<String>| {
        let links: Vec<String> = files.iter().map(|file| format!("[`{file}`](../{file})")).collect();
        listed(&links)
    };
    let mut reactions: Vec<String> = Vec::new();
    for file in reacting.iter().map(|service| reaction(service, event)) {
        if !reactions.contains(&file) {
            reactions.push(file);
        }
    }
    format!(
        "\n## {}\n\n{}\n\n- Type: `{}`\n- Lane: {}\n- Key: `{}`\n- Fields: {}\n- Struct: {}\n- Emitted: {}\n\
         - Reactions: {}\n\n```json\n{example}```\n",
        event.name,
        doc.join("\n"),
        event.event_type,
        event.lane,
        event.key,
        fields(&example).join(", "),
        links(vec![format!("crates/events/src/{}.rs", event.source)]),
        links(emitters(event)),
        links(reactions),
    )
}

fn listed<T: AsRef<str>>(items: &[T]) -> String {
    let items: Vec<&str> = items.iter().map(T::as_ref).collect();
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}

/// The services that react to each type.
fn reactions() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut reactions: BTreeMap<_, Vec<_>> = events::all().map(|event| (event.event_type, Vec::new())).collect();
    for service in services() {
        for (event_type, _) in service.subscriptions() {
            reactions.entry(event_type).or_default().push(service.name());
        }
    }
    reactions
}

/// The events to which every service reacts, and the files in which it does.
const OF_ALL: [(&str, &str); 4] = [
    ("SigningKeyPublished", "crates/service/src/on_signing_key_published.rs"),
    ("UserBanned", "crates/service/src/on_account_changed.rs"),
    ("UserUnbanned", "crates/service/src/on_account_changed.rs"),
    ("UserRolesChanged", "crates/service/src/on_account_changed.rs"),
];

/// The file in which a service reacts to an event: one search for its name finds it.
fn reaction(service: &str, event: &Descriptor) -> String {
    let name = event.event_type.split('.').nth(1).expect("a type is source, name and version");
    let file = |name: &str| format!("services/{service}/src/on_{name}.rs");
    let (own, any) = (file(name), file("any"));
    if root().join(&own).exists() {
        return own;
    }
    // What the machinery does for every service stands there once.
    if let Some((_, of_all)) = OF_ALL.iter().find(|(of, _)| *of == event.name) {
        return (*of_all).to_owned();
    }
    // One handler of a selection of types stands in `on_any.rs`.
    if root().join(&any).exists() { any } else { own }
}

fn example(event: &Descriptor) -> String {
    let file = format!("crates/events/golden/{}.json", event.event_type);
    fs::read_to_string(root().join(&file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The payload's fields as they are written, in their order.
fn fields(example: &str) -> Vec<String> {
    let names = example.lines().filter_map(|line| line.strip_prefix("  \"")?.split_once('"'));
    names.map(|(name, _)| format!("`{name}`")).collect()
}

/// The files of its service that make this event.
fn emitters(event: &Descriptor) -> Vec<String> {
    let mut files = Vec::new();
    collect(&root().join("services").join(event.source).join("src"), &mut files);
    files.sort();
    let made = files.into_iter().filter(|file| {
        let text = fs::read_to_string(file).expect("a source file can be read");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        makes(code, event.name)
    });
    made.map(|file| file.strip_prefix(root()).expect("it is in the repository").display().to_string()).collect()
}

/// True if the code has an expression of this struct: `Name { … }`, and not `-> Name {`.
fn makes(code: &str, name: &str) -> bool {
    code.match_indices(&format!("{name} {{")).any(|(at, _)| {
        let before = &code[..at];
        !before.ends_with("-> ") && !before.ends_with(|c: char| c.is_alphanumeric() || c == '_')
    })
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("every source of events is a service") {
        let path = entry.expect("a folder of the repository can be read").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Compares a generated file with what is checked in, or writes it.
fn hold(file: &str, generated: &str) {
    let path = root().join(file);
    #[expect(clippy::disallowed_methods, reason = "it is an option of this test, and no setting of the product")]
    let is_blessing = std::env::var("TRADEPOST_BLESS").is_ok_and(|value| value == "1");
    if is_blessing {
        fs::write(&path, generated).unwrap_or_else(|error| panic!("{file}: {error}"));
        return;
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    if kept == generated {
        return;
    }
    let mut pairs = (1..).zip(kept.lines().zip(generated.lines()));
    let difference = pairs.find(|(_, (kept, generated))| kept != generated);
    let place = difference.map_or_else(
        || format!("{} lines instead of {}", kept.lines().count(), generated.lines().count()),
        |(line, (kept, generated))| format!("line {line} is\n  {kept}\nand the code says\n  {generated}"),
    );
    panic!("{file} is not what the code says: run `cargo xtask bless` and look at the difference.\n{place}");
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("server is a folder of the repository")
}

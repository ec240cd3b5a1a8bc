//! The contract between services, held to one example of every event: `golden/<type>.json`.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use tradepost_events as events;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden")
}

fn declared() -> BTreeSet<String> {
    events::all().map(|event| event.event_type.to_owned()).collect()
}

#[test]
fn what_was_written_once_is_read_and_written_the_same() {
    for event in events::all() {
        let event_type = event.event_type;
        let path = folder().join(format!("{event_type}.json"));
        let example = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{event_type} has no example: {error}"));
        let written = (event.round_trip)(example.as_bytes()).unwrap_or_else(|error| panic!("{event_type}: {error}"));
        assert_eq!(
            String::from_utf8(written).unwrap() + "\n",
            example,
            "{event_type} is written otherwise than before. A field may be added, as `Option` or with a default, \
             and then to the example too; anything else is a new version beside this one."
        );
    }
}

#[test]
fn every_event_has_an_example_and_every_example_an_event() {
    let names = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let examples: BTreeSet<String> = names.map(|name| name.trim_end_matches(".json").to_owned()).collect();
    assert_eq!(examples, declared(), "golden/ has one file for each event");
}

#[test]
fn a_struct_and_its_type_have_the_same_name() {
    for event in events::all() {
        let parts: Vec<&str> = event.event_type.split('.').collect();
        let [source, name, version] = parts[..] else { panic!("{} has three parts", event.event_type) };
        assert_eq!((source, name), (event.source, snake_case(event.name).as_str()), "{}", event.event_type);
        let number: u32 = version.strip_prefix('v').and_then(|number| number.parse().ok()).unwrap();
        let in_name = event.name.rsplit_once('V').and_then(|(_, number)| number.parse::<u32>().ok()).unwrap_or(1);
        assert_eq!(number, in_name, "{}", event.event_type);
    }
}

/// `OrderPlaced` is `order_placed`, and so is `OrderPlacedV2`.
fn snake_case(name: &str) -> String {
    let name = match name.rsplit_once('V') {
        Some((before, number)) if number.parse::<u32>().is_ok() => before,
        _ => name,
    };
    let mut snake = String::new();
    for (at, c) in name.char_indices() {
        if c.is_uppercase() && at > 0 {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake
}

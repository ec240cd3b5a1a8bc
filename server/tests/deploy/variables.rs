//! Every variable that a file names is one that the binary knows.

use std::collections::BTreeSet;

use server::shop::Shop;

use crate::files;

const PREFIX: &str = "TRADEPOST_";

/// The variables that a text names.
fn named(text: &str) -> BTreeSet<&str> {
    let is_part = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let starts = text.match_indices(PREFIX).filter(|(at, _)| !text[..*at].ends_with(is_part));
    starts.map(|(at, _)| text[at..].split(|c| !is_part(c)).next().unwrap()).collect()
}

#[test]
fn every_variable_is_known_to_the_binary() {
    let known = server::config::variables(&Shop::tradepost());
    let mut unknown = Vec::new();
    for file in files::all() {
        let text = files::text(&file);
        let names = named(&text).into_iter().filter(|name| !known.iter().any(|known| known == name));
        unknown.extend(names.map(|name| format!("{file}: {name}")));
    }
    assert!(unknown.is_empty(), "no setting has these variables:\n{}", unknown.join("\n"));
}

#[test]
fn a_variable_is_found_wherever_it_stands() {
    let text = "${TRADEPOST_PORT} MY_TRADEPOST_X TRADEPOST_STORE_FILE=/run \"TRADEPOST_LOG\"";
    assert_eq!(named(text), BTreeSet::from(["TRADEPOST_PORT", "TRADEPOST_STORE_FILE", "TRADEPOST_LOG"]));
}

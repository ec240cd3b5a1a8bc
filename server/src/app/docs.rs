//! The API's description: the document for programs, and a page for people that is made from it and fetches nothing.
//!
//! Any process answers with that of the whole shop, whichever services it runs.

#[cfg(feature = "describe")]
mod described;

use std::collections::BTreeSet;
use std::io::Read;

use flate2::read::GzDecoder;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, context};
use serde_json::Value;

use crate::shop::CONSOLE;

#[cfg(feature = "describe")]
pub(super) use described::document;

/// The description as it is in `docs/`, which a test holds to the program.
#[cfg(not(feature = "describe"))]
pub(super) fn document(_: &crate::shop::Shop, _: &utoipa::openapi::OpenApi) -> String {
    inflated(include_bytes!(concat!(env!("OUT_DIR"), "/openapi.json.gz")))
}

/// The description of the shop's events.
pub(super) fn asyncapi() -> String {
    inflated(include_bytes!(concat!(env!("OUT_DIR"), "/asyncapi.json.gz")))
}

fn inflated(gzip: &[u8]) -> String {
    let mut text = String::new();
    GzDecoder::new(gzip).read_to_string(&mut text).expect("it was compressed when the program was built");
    text
}

/// The page.
pub(super) fn page(document: &str) -> String {
    let api: Value = serde_json::from_str(document).expect("the description is JSON");
    let groups = groups(&api);
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_filter("schema_name", |reference: String| reference.rsplit('/').next().unwrap_or("").to_owned());
    environment
        .render_str(include_str!("docs.html"), context! { api => Serde(api), groups => groups })
        .expect("the template fits every OpenAPI document, and a test renders this one")
}

/// The tags of the operations: those of the services first, then what every process has.
fn groups(api: &Value) -> Vec<String> {
    const OF_ALL: [&str; 2] = [CONSOLE, "process"];
    let operations = api["paths"].as_object().into_iter().flat_map(|paths| paths.values());
    let operations = operations.filter_map(Value::as_object).flat_map(|methods| methods.values());
    let tags: BTreeSet<&str> = operations.filter_map(|operation| operation["tags"][0].as_str()).collect();
    let services = tags.iter().copied().filter(|tag| !OF_ALL.contains(tag));
    services.chain(OF_ALL.into_iter().filter(|tag| tags.contains(tag))).map(str::to_owned).collect()
}

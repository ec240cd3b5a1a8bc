//! The map of the proxy and its locations, from the tags of the API.

use std::collections::BTreeMap;

use serde_json::Value;
use server::shop::Shop;

use super::{CONSOLE, Part, host};

const FILE: &str = "deploy/nginx/nginx.conf";

/// Routes that are closed here, or that the proxy answers itself.
const NOT_PASSED: [&str; 2] = ["/metrics", "/healthz"];

/// The type of an answer that never ends.
const STREAM: &str = "text/event-stream";

pub fn parts(shop: &Shop, api: &Value) -> Vec<Part> {
    let longest = shop.names().map(str::len).max().unwrap_or(0);
    let locations = locations(&routes(api));
    let width = locations.iter().map(|(pattern, _)| pattern.len()).max().unwrap_or(0);
    vec![
        Part::each(FILE, "map", shop.ports(), |(name, port)| {
            format!("    map $host ${name:<longest$} {{ default http://{}$suffix:{port}; }}", host(name))
        }),
        Part::each(FILE, "locations", locations, |(pattern, service)| {
            format!("        location {pattern:<width$} {{ proxy_pass ${service}; }}")
        }),
    ]
}

/// The paths that are passed on, each with its service. Streams have a location of their own, written by hand.
fn routes(api: &Value) -> BTreeMap<&str, &str> {
    let paths = api["paths"].as_object().expect("an API has paths");
    let mut routes = BTreeMap::new();
    for (path, operations) in paths.iter().filter(|(path, _)| !NOT_PASSED.contains(&path.as_str())) {
        let mut operations = operations.as_object().expect("a path has operations").values();
        let Some(tag) = operations.clone().find_map(|operation| operation["tags"][0].as_str()) else { continue };
        if !operations.any(|operation| operation["responses"]["200"]["content"][STREAM].is_object()) {
            routes.insert(path.as_str(), if tag == "process" { CONSOLE } else { tag });
        }
    }
    routes
}

/// One prefix for each resource under `/v1`, which goes to the service that has the resource itself, and a location of
/// its own for every path that is elsewhere or whose service is another.
fn locations<'a>(routes: &BTreeMap<&'a str, &'a str>) -> Vec<(String, &'a str)> {
    let mut prefixes = BTreeMap::new();
    let mut single = Vec::new();
    for (path, service) in routes {
        match resource(path) {
            None => single.push((path, service)),
            Some(resource) => {
                if *prefixes.entry(resource).or_insert(service) != service {
                    single.push((path, service));
                }
            }
        }
    }
    let prefixes = prefixes.into_iter().map(|(resource, service)| (resource.to_owned(), *service));
    prefixes.chain(single.into_iter().map(|(path, service)| (pattern(path), *service))).collect()
}

/// `/v1/orders` of `/v1/orders/{id}/cancel`.
fn resource(path: &str) -> Option<&str> {
    let name = path.strip_prefix("/v1/")?;
    let end = name.find('/').map_or(path.len(), |slash| "/v1/".len() + slash);
    Some(&path[..end])
}

/// A location for one path alone.
fn pattern(path: &str) -> String {
    if !path.contains('{') {
        return format!("= {path}");
    }
    let parts = path.split('/').map(|part| if part.starts_with('{') { "[^/]+" } else { part });
    format!("~ ^{}$", parts.collect::<Vec<_>>().join("/"))
}

#[test]
fn a_resource_is_one_prefix_and_a_path_of_another_service_in_it_is_a_location_of_its_own() {
    let routes = [("/docs", "console"), ("/v1/a", "x"), ("/v1/a/{id}", "x"), ("/v1/a/{id}/b", "y"), ("/v1/a/c", "y")];
    let locations = locations(&BTreeMap::from(routes));
    let expected = [("/v1/a", "x"), ("= /docs", "console"), ("= /v1/a/c", "y"), ("~ ^/v1/a/[^/]+/b$", "y")];
    let found: Vec<(&str, &str)> = locations.iter().map(|(pattern, service)| (pattern.as_str(), *service)).collect();
    assert_eq!(found, expected);
}

//! The tables of the services in the documents.

use server::shop::Shop;

use super::Part;
use crate::files;

pub fn parts(shop: &Shop) -> Vec<Part> {
    let ports = Part::each("README.md", "ports", shop.ports(), |(name, port)| format!("| `{name}` | {port} |"));
    let ports = Part { lines: format!("| process | port |\n|---|---|\n{}", ports.lines), ..ports };
    let rows = Part::each("ARCHITECTURE.md", "services", shop.names(), row);
    let rows = Part { lines: format!("| service | purpose | invariant |\n|---|---|---|\n{}", rows.lines), ..rows };
    vec![ports, rows]
}

/// A service as its package and its README describe it. One that has no folder yet has a row all the same.
fn row(name: &str) -> String {
    let folder = format!("services/{name}");
    if !files::root().join(&folder).is_dir() {
        return format!("| {name} | | |");
    }
    let manifest = files::text(&format!("{folder}/Cargo.toml"));
    let purpose = manifest.lines().find_map(|line| line.strip_prefix("description = "));
    let purpose = purpose.unwrap_or_else(|| panic!("{folder}/Cargo.toml has a description")).trim_matches('"');
    let readme = files::text(&format!("{folder}/README.md"));
    let invariant = readme.split_once("**Invariant:** ").unwrap_or_else(|| panic!("{folder}/README.md has none")).1;
    let invariant = invariant.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    // The first sentence: what follows says how it is held.
    let invariant =
        invariant.split_inclusive(". ").next().unwrap_or_default().trim_end().trim_end_matches('.').to_owned();
    format!("| [{name}]({folder}/README.md) | {purpose} | {invariant} |")
}

#[test]
fn the_readme_of_a_service_names_its_routes_and_its_events() {
    let api = super::api();
    let shop = Shop::tradepost();
    let mut missing = Vec::new();
    for service in shop.described() {
        let name = service.name();
        let file = format!("services/{name}/README.md");
        let readme = files::text(&file);
        for (path, operations) in api["paths"].as_object().expect("an API has paths") {
            for (method, operation) in operations.as_object().expect("a path has operations") {
                let route = format!("{} {path}", method.to_uppercase());
                if operation["tags"][0] == name && !readme.contains(&route) {
                    missing.push(format!("{file}: {route}"));
                }
            }
        }
        let reacts = service.subscriptions().into_iter().filter_map(|(event_type, _)| events::find(event_type));
        // Every service checks users' tokens, by what these say.
        let reacts = reacts.filter(|event| {
            !["SigningKeyPublished", "UserBanned", "UserUnbanned", "UserRolesChanged"].contains(&event.name)
        });
        // One that reacts to whatever others emit says so once.
        let of_others = events::all().filter(|event| event.source != name).count();
        let reacts_to_all = service.subscriptions().len() >= of_others && readme.contains("\n| all");
        let reacts = reacts.filter(|_| !reacts_to_all);
        for event in reacts.chain(events::all().filter(|event| event.source == name)) {
            if !readme.contains(&format!("`{}`", event.name)) {
                missing.push(format!("{file}: {}", event.name));
            }
        }
    }
    assert!(missing.is_empty(), "not in the README of their service:\n{}", missing.join("\n"));
}

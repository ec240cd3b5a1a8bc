//! The form of a service.

use crate::dependencies::packages;
use crate::hold;
use crate::tree::{self, File};

/// A service's wiring fits on one screen.
const WIRING_LINES_MAX: usize = 60;

#[test]
fn a_domain_knows_nothing_but_kernel_and_events() {
    let packages = packages();
    let mut broken = Vec::new();
    for file in tree::files() {
        let Some((folder, inside)) = file.in_service() else { continue };
        let is_root = inside == "src/domain.rs";
        if !file.is_rust() || !(is_root || inside.starts_with("src/domain/")) {
            continue;
        }
        let package = packages.iter().find(|package| package.folder == folder);
        let package = package.expect("a service's folder is a member of the workspace");
        let foreign = package.dependencies.iter().map(|(_, in_code)| in_code.as_str());
        let foreign: Vec<&str> = foreign.filter(|name| !["kernel", "events"].contains(name)).collect();
        for (number, line) in file.code() {
            let leaves = foreign.iter().any(|name| names_root(line, name)) || leaves_domain(line, is_root);
            if leaves || waits(line) || holds_sql(line) {
                broken.push(file.at(number, line));
            }
        }
    }
    hold(
        "domain.rs decides and does nothing else: it names std, kernel, events and itself, \
         has no async and no SQL. Pass in what it needs to know; hand out what is to be done.",
        &broken,
    );
}

/// Does a path in this line begin with the crate `name`?
fn names_root(line: &str, name: &str) -> bool {
    let is_path = line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let begins = before.is_none_or(|c| !(c.is_alphanumeric() || c == '_' || c == ':'));
        begins && line[at + name.len()..].starts_with("::")
    });
    is_path || line.trim() == format!("use {name};")
}

/// Does a path in this line lead out of the domain module, into the rest of the service?
fn leaves_domain(line: &str, is_root: bool) -> bool {
    let to_crate = line.match_indices("crate::").any(|(at, root)| !line[at + root.len()..].starts_with("domain"));
    to_crate || line.contains("super::super::") || (is_root && line.contains("super::"))
}

fn waits(line: &str) -> bool {
    // Whole words, so that a method named `awaits_customer` is no `.await`.
    line.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == "async" || word == "await")
}

#[test]
fn only_the_keywords_wait() {
    assert!(waits("let rows = store.read().await?;"));
    assert!(waits("async fn read() {"));
    assert!(!waits("if order.status.awaits_customer() {"));
}

fn holds_sql(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    let pairs = [("select ", " from "), ("insert ", "into "), ("update ", " set "), ("delete ", "from ")];
    line.contains("statements!") || pairs.iter().any(|(verb, rest)| line.contains(verb) && line.contains(rest))
}

#[test]
fn a_service_is_wired_on_one_screen() {
    let mut broken = Vec::new();
    for file in tree::files().iter().filter(|file| is_wiring(file)) {
        let mut lines = file.text.lines().skip_while(|line| !line.starts_with("pub fn service"));
        let wiring = lines.by_ref().take_while(|line| *line != "}").count();
        if wiring > WIRING_LINES_MAX {
            broken.push(format!("{}: `pub fn service` has {wiring} lines", file.path));
        }
    }
    hold(
        &format!("A service's lib.rs lists routes, reactions and timers in at most {WIRING_LINES_MAX} lines."),
        &broken,
    );
}

#[test]
fn subscriptions_stand_in_lib_rs_and_nowhere_else() {
    let mut broken = Vec::new();
    for file in tree::files().iter().filter(|file| file.is_rust() && file.in_service().is_some() && !is_wiring(file)) {
        let found = file.code().filter(|(_, line)| {
            [".on::<", ".on_many::<", ".on_any(", ".on_any_many("].iter().any(|call| line.contains(call))
        });
        broken.extend(found.map(|(number, line)| file.at(number, line)));
    }
    hold("Who reacts to an event is read in the services' lib.rs, so subscriptions stand only there.", &broken);
}

fn is_wiring(file: &File) -> bool {
    file.in_service().is_some_and(|(_, inside)| inside == "src/lib.rs")
}

//! The rules of the machinery: it knows no business, and its modules can be read one after another.

use std::collections::{BTreeMap, BTreeSet};

use crate::hold;
use crate::tree::{self, File};

/// The crates that carry any business.
const MACHINERY: [&str; 7] = ["kernel", "storage", "bus", "bus-rabbitmq", "bus-redis", "http", "service"];

/// Crates without circles of modules.
const IN_LINE: [&str; 2] = ["http", "service"];

/// Words of a shop. A word that is of a machine too stands with what makes it one of a shop: `order` is an order of
/// things, and `order_id` is not.
const BUSINESS: &[&[&str]] = &[
    &["orders"],
    &["order", "id"],
    &["order", "kind"],
    &["order", "token"],
    &["order", "placed"],
    &["order", "status"],
    &["new", "order"],
    &["payment"],
    &["payments"],
    &["stock"],
    &["products"],
    &["product", "id"],
    &["cart"],
    &["checkout"],
    &["sku"],
    &["reservation"],
    &["reservations"],
    &["refund"],
    &["refunds"],
    &["invoice"],
    &["shipment"],
    &["shipping"],
    &["mail", "id"],
    &["mails"],
    &["mailer"],
    &["inventory"],
];

#[test]
fn the_machinery_names_no_business() {
    let mut broken = Vec::new();
    for file in tree::files() {
        if !MACHINERY.iter().any(|name| is_source_of(&file, name)) {
            continue;
        }
        for (number, line) in file.code() {
            if names_business(line) {
                broken.push(file.at(number, line));
            }
        }
    }
    hold(
        "crates/{kernel,storage,bus,bus-rabbitmq,bus-redis,http,service} know no business: settings, counters, ids and \
         tokens of a service are declared in its folder.",
        &broken,
    );
}

#[test]
fn a_word_of_a_shop_is_found_in_any_spelling_and_one_of_a_machine_is_not() {
    for business in
        ["let order_id = 1;", "struct OrderId;", "\"tradepost_orders\"", "ctx.settings.reservation_ttl", "MAILS"]
    {
        assert!(names_business(business), "{business}");
    }
    for machine in
        ["order by position", "its order per key", "server.product", "an e-mail address", "preorder", "Ordering"]
    {
        assert!(!names_business(machine), "{machine}");
    }
}

fn names_business(line: &str) -> bool {
    let words = words(line);
    BUSINESS.iter().any(|business| words.windows(business.len()).any(|window| window == *business))
}

/// The words of names and texts, each in small letters: `OrderId` and `order_id` have two.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut before = ' ';
    for c in line.chars() {
        let begins = !before.is_alphabetic() || (before.is_lowercase() && c.is_uppercase());
        if c.is_alphabetic() {
            if begins {
                words.push(String::new());
            }
            words.last_mut().expect("a word has begun").extend(c.to_lowercase());
        }
        before = c;
    }
    words
}

#[test]
fn modules_that_use_one_another_stand_in_a_line() {
    let files = tree::files();
    let mut broken = Vec::new();
    for name in IN_LINE {
        let uses = uses(&files, name);
        assert!(uses.len() > 10, "the modules of {name} were not found");
        for module in uses.keys() {
            if let Some(way) = way_back(&uses, module) {
                broken.push(format!("crates/{name}/src: {}", way.join(" uses ")));
            }
        }
    }
    hold(
        "the modules of crates/http and crates/service have no circles: what two of them need is a third, which uses neither.",
        &broken,
    );
}

/// The modules of a crate, and those of its modules that each uses.
fn uses(files: &[File], name: &str) -> BTreeMap<String, BTreeSet<String>> {
    let source = format!("crates/{name}/src/");
    let of_crate: Vec<(&str, &File)> = files
        .iter()
        .filter(|file| is_source_of(file, name))
        .filter_map(|file| Some((file.path.strip_prefix(&source)?, file)))
        .collect();
    let (_, root) = of_crate.iter().find(|(path, _)| *path == "lib.rs").expect("a crate has a root");
    let root: String = root.code().map(|(_, line)| line).collect::<Vec<_>>().join("\n");
    let modules: BTreeSet<&str> = statements(&root, "mod ").map(str::trim).collect();
    // What the root hands on is used under the root's name.
    let handed_on: BTreeMap<&str, &str> = statements(&root, "use ")
        .filter_map(|path| path.split_once("::"))
        .flat_map(|(module, names)| {
            names.split(|c: char| !is_in_name(c)).filter(|name| !name.is_empty()).map(move |name| (name, module))
        })
        .collect();
    let mut uses: BTreeMap<String, BTreeSet<String>> =
        modules.iter().map(|module| ((*module).to_owned(), BTreeSet::new())).collect();
    for (path, file) in of_crate {
        let module = path.split('/').next().unwrap_or(path).trim_end_matches(".rs");
        let Some(used) = uses.get_mut(module) else { continue };
        let code: String = file.code().map(|(_, line)| line).collect::<Vec<_>>().join("\n");
        let is_root_of_module = !path.contains('/') || path.ends_with("/mod.rs");
        let roots: &[&str] = if is_root_of_module { &["crate::", "super::"] } else { &["crate::"] };
        for name in roots.iter().flat_map(|root| first_names(&code, root)) {
            let of = if modules.contains(name) { Some(name) } else { handed_on.get(name).copied() };
            used.extend(of.filter(|of| *of != module && modules.contains(of)).map(str::to_owned));
        }
    }
    uses
}

fn is_source_of(file: &File, name: &str) -> bool {
    let is_source = file.path.strip_prefix("crates/").and_then(|path| path.strip_prefix(name));
    file.is_rust() && is_source.is_some_and(|path| path.starts_with("/src/") && !path.ends_with("/tests.rs"))
}

/// The rest of each statement that begins with a keyword, whatever its visibility.
fn statements<'a>(code: &'a str, keyword: &'a str) -> impl Iterator<Item = &'a str> {
    let of_all = code.split(';').filter_map(move |statement| {
        let (before, rest) = statement.split_once(keyword)?;
        let before = before.rsplit(['\n', '}', ']']).next().unwrap_or_default().trim();
        (before.is_empty() || before == "pub" || before == "pub(crate)").then_some(rest)
    });
    of_all.filter(|rest| !rest.contains('{') || rest.trim_end().ends_with('}'))
}

/// The first names behind a root: of `crate::a::b` it is `a`, of `crate::{a::b, c}` they are `a` and `c`.
fn first_names<'a>(code: &'a str, root: &str) -> Vec<&'a str> {
    let mut names = Vec::new();
    for (at, _) in code.match_indices(root) {
        let rest = &code[at + root.len()..];
        let Some(list) = rest.strip_prefix('{') else {
            names.extend(rest.split(|c: char| !is_in_name(c)).next());
            continue;
        };
        let mut depth = 0_usize;
        for part in list.split_inclusive(['{', '}', ',']) {
            if depth == 0 {
                names.extend(part.trim().split(|c: char| !is_in_name(c)).next());
            }
            match part.chars().next_back() {
                Some('{') => depth += 1,
                Some('}') if depth == 0 => break,
                Some('}') => depth -= 1,
                _ => {}
            }
        }
    }
    names
}

fn is_in_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The shortest way from a module back to it.
fn way_back<'a>(uses: &'a BTreeMap<String, BTreeSet<String>>, module: &'a str) -> Option<Vec<&'a str>> {
    let mut ways = vec![vec![module]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            let last = *way.last().expect("a way begins somewhere");
            for next in &uses[last] {
                let further: Vec<&str> = way.iter().copied().chain([next.as_str()]).collect();
                if next == module {
                    return Some(further);
                }
                if seen.insert(next.as_str()) {
                    longer.push(further);
                }
            }
        }
        ways = longer;
    }
    None
}

#[test]
fn a_circle_is_found() {
    let file = |path: &str, text: &str| File { path: format!("crates/sample/src/{path}"), text: text.to_owned() };
    let files = [
        file("lib.rs", "mod first;\npub mod second;\nmod third;\n\npub use third::{Third, Other};\n"),
        file("first.rs", "use crate::{Third, unknown::{second}};\n"),
        file("second.rs", "use super::first;\n"),
        file("third/inner.rs", "fn f() { crate::second::g() }\n"),
    ];
    let uses = uses(&files, "sample");
    assert_eq!(way_back(&uses, "first"), Some(vec!["first", "third", "second", "first"]));
    let in_line = [("first".to_owned(), BTreeSet::from(["third".to_owned()])), ("third".to_owned(), BTreeSet::new())];
    assert_eq!(way_back(&BTreeMap::from(in_line), "first"), None);
}

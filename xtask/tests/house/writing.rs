//! Rules for the text of any file.

use crate::{hold, tree};

const RUST_FILE_LINES_MAX: usize = 600;

#[test]
fn no_file_is_too_long_to_read() {
    let long =
        tree::files().into_iter().filter(|file| file.is_rust() && file.text.lines().count() > RUST_FILE_LINES_MAX);
    let broken: Vec<String> = long.map(|file| format!("{}: {} lines", file.path, file.text.lines().count())).collect();
    hold(&format!("A Rust file has at most {RUST_FILE_LINES_MAX} lines: find the seam and split it."), &broken);
}

#[test]
fn sql_never_replaces_a_row() {
    // In two parts, so that this file does not break its own rule.
    let forbidden = ["insert or", " replace"].concat();
    let broken = lines_with(&[&forbidden], |file| file.is_rust() || file.is_sql());
    hold(
        "`on conflict`, never a replacing insert: it deletes the row first, and what hangs on the row with it.",
        &broken,
    );
}

#[test]
fn sql_makes_no_time_id_or_randomness() {
    let times = ["current_timestamp", "current_date", "now()", "datetime(", "strftime(", "unixepoch("];
    let chances = ["random(", "randomblob(", "gen_random_uuid(", "uuidv7("];
    let broken = lines_with(&[&times[..], &chances].concat(), tree::File::is_sql);
    hold("Times, ids and randomness are parameters (Clock, Ids), so that a test and a replay see the same.", &broken);
}

/// The lines of the files it applies to that have one of these in them, in whatever case, comments left out.
fn lines_with(forbidden: &[&str], applies: impl Fn(&tree::File) -> bool) -> Vec<String> {
    let mut broken = Vec::new();
    for file in tree::files().iter().filter(|file| applies(file)) {
        for (number, line) in file.code() {
            let code = line.split_once("--").map_or(line, |(code, _comment)| code).to_ascii_lowercase();
            if forbidden.iter().any(|text| code.contains(text)) {
                broken.push(file.at(number, line));
            }
        }
    }
    broken
}

#[test]
fn the_tree_names_no_registry_and_no_machine() {
    // In parts, so that this file does not break its own rule.
    let hosts = [("crates", "io"), ("npmjs", "org"), ("npmjs", "com"), ("pypi", "org"), ("pythonhosted", "org")];
    let hosts = hosts.map(|(name, domain)| format!("{name}.{domain}"));
    let folders = ["root", "work", "home", "Users"].map(|folder| format!("/{folder}/"));
    let mut broken = Vec::new();
    for file in tree::files().iter().filter(|file| file.path != "Cargo.lock") {
        for (number, line) in (1..).zip(file.text.lines()) {
            let names_host = hosts.iter().any(|host| line.contains(host.as_str()));
            if names_host || folders.iter().any(|folder| has_absolute(line, folder)) {
                broken.push(file.at(number, line));
            }
        }
    }
    hold(
        "The repository builds anywhere: no file but Cargo.lock names a package registry or a developer's folder.",
        &broken,
    );
}

/// Is there a path in this line that begins with `folder`, not one that merely passes through a folder of that name?
fn has_absolute(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !(c.is_alphanumeric() || "_-./~}".contains(c)))
    })
}

#[test]
fn every_rust_file_is_compiled() {
    let files = tree::files();
    let names = |path: &str, module: &str| {
        let parent = files.iter().find(|file| file.path == path);
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let code = |line: &str| line.split_once("//").map_or(line, |(code, _comment)| code).to_owned();
        parent
            .is_some_and(|it| it.text.lines().any(|line| code(line).split(|c| !is_part(c)).any(|word| word == module)))
    };
    let mut broken = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
        let is_root = ["lib.rs", "main.rs", "build.rs"].contains(&name)
            || folder.ends_with("/tests")
            || folder.ends_with("/src/bin")
            || folder.ends_with("/examples");
        // `mod.rs` is named where its folder stands.
        let (folder, module) = match name {
            "mod.rs" => folder.rsplit_once('/').expect("a module stands in a crate"),
            name => (folder, name.trim_end_matches(".rs")),
        };
        let parents = ["mod.rs", "lib.rs", "main.rs"].map(|parent| format!("{folder}/{parent}"));
        let is_named = parents.iter().any(|parent| names(parent, module)) || names(&format!("{folder}.rs"), module);
        if !is_root && !is_named {
            broken.push(file.path.clone());
        }
    }
    hold("A file that no module names is never compiled: name it in its parent, or delete it.", &broken);
}

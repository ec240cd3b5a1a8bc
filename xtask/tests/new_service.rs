//! `cargo xtask new-service` on a copy of the work tree: what it writes compiles, and in the long form passes the
//! tests.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Folders that are no part of the work tree, or of no use to the copy.
const LEFT_OUT: [&str; 3] = [".git", "target", "secrets"];

/// The tests of the whole workspace that a new service could break, and its own.
const TESTS: [&str; 9] =
    ["deploy", "generated", "description", "schemas", "house", "flows", "traces", "peers", "republish"];

/// The services that are generated: one of two words, and a second one beside it.
const NAMES: [&str; 2] = ["gift_cards", "reviews"];

/// The work tree, copied.
struct Copy {
    root: PathBuf,
    target: PathBuf,
}

impl Copy {
    /// Stands always in the same place, and files keep their times: cargo compiles again only what has changed since.
    fn make() -> Self {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().to_owned();
        let root = target.join("new-service");
        if root.exists() {
            fs::remove_dir_all(&root).unwrap();
        }
        copy(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap(), &root);
        Self { root, target }
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.root).env("CARGO_TARGET_DIR", &self.target);
        command.output().unwrap_or_else(|error| panic!("{program} can't be run: {error}"))
    }

    #[track_caller]
    fn run(&self, program: &str, arguments: &[&str]) {
        let Output { status, stdout, stderr } = self.command(program, arguments);
        let said = [String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)].concat();
        assert!(status.success(), "{program} {}:\n{said}", arguments.join(" "));
    }

    fn new_service(&self, name: &str) -> Output {
        self.command(env!("CARGO_BIN_EXE_xtask"), &["new-service", name, "--no-bless"])
    }

    fn text(&self, file: &str) -> String {
        fs::read_to_string(self.root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }
}

/// The commands that the guide gives for a new service.
fn commands_of_the_guide() -> Vec<String> {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/how-to/extend.md");
    let text = fs::read_to_string(guide).unwrap();
    let (_, rest) = text.split_once("\n## A service in the house\n\n```sh\n").unwrap();
    rest.split_once("```").unwrap().0.lines().map(str::to_owned).collect()
}

#[test]
fn the_commands_of_the_guide_are_those_that_are_tested() {
    let service = NAMES[0];
    // The first is run below, and so is the test that the second runs, in the long form.
    let run = [format!("cargo xtask new-service {service}"), format!("cargo test -p tradepost-{service}")];
    assert_eq!(commands_of_the_guide(), run);
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("sample/Cargo.toml")).unwrap();
    assert!(manifest.contains("name = \"tradepost-sample\""), "a package has the name of its folder");
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if LEFT_OUT.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).unwrap();
            let copied = fs::File::options().write(true).open(&to).unwrap();
            copied.set_modified(entry.metadata().unwrap().modified().unwrap()).unwrap();
        }
    }
}

#[test]
fn services_that_are_generated_compile_and_stand_in_every_file() {
    let copy = Copy::make();
    for name in NAMES {
        let ran = copy.new_service(name);
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        assert_eq!(copy.new_service(name).status.code(), Some(1), "a name is taken once");
        assert!(copy.text("server/src/shop.rs").contains(&format!("|_| {name}::service())")));
    }
    for file in ["src/lib.rs", "src/queries.rs", "README.md", "Cargo.toml", "tests/gift_cards.rs"] {
        let text = copy.text(&format!("services/gift_cards/{file}"));
        let is_left = text.to_lowercase().contains("sample") || text.contains("Setup");
        assert!(!is_left, "{file} has something of the sample:\n{text}");
    }
    assert!(copy.text("services/gift_cards/src/queries.rs").contains("\"/v1/gift-cards\""));

    copy.run("cargo", &["check", "--workspace", "--offline"]);
    let is_long = std::env::var_os("TRADEPOST_SOAK").is_some_and(|value| value != "0");
    if is_long {
        copy.run("cargo", &["fmt", "--all", "--check"]);
        // Not the command itself, for it would compile for another set of targets than the tests.
        let named: Vec<&str> = TESTS.iter().chain(&NAMES).flat_map(|name| ["--test", *name]).collect();
        let tests = [&["test", "--workspace", "--offline", "--no-fail-fast"], &named[..]].concat();
        copy.run("env", &[&["TRADEPOST_BLESS=1", "cargo"], &tests[..], &["--", "up_to_date"]].concat());
        copy.run("cargo", &tests);
    }
}

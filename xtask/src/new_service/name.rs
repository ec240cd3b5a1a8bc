//! The name of a new service, in the spellings that the files need.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// Short enough for the identifiers of PostgreSQL (63 bytes) with what is put before it.
const LENGTH_MAX: usize = 32;

/// Names that mean something in the deployment files, in the databases, in the API or in this command.
const RESERVED: [&str; 8] = ["all", "information_schema", "kit", "migrate", "process", "provider", "public", "sample"];

/// Names that Rust keeps for itself, and crates that every crate sees.
const RUST: &str = "abstract alloc as async await become box break const continue core crate do dyn else enum extern \
    false final fn for gen if impl in let loop macro match mod move mut override priv pub ref return self static std \
    struct super test trait true try type typeof unsafe unsized use virtual where while yield";

/// A name that no service has yet.
#[derive(Debug)]
pub(super) struct Name(String);

impl Name {
    /// Checks a name against the rules and against what the work tree has already.
    pub fn new(name: &str, root: &Path) -> Result<Self> {
        ensure!(
            is_snake_case(name) && name.len() <= LENGTH_MAX,
            "`{name}` can't be the name of a service: lowercase letters and digits in words joined by `_`, a letter \
             first, at most {LENGTH_MAX} characters, as in gift_cards"
        );
        let name = Self(name.to_owned());
        if let Some(taken) = name.taken_by(root)? {
            bail!("`{}` can't be the name of a service: {taken}", name.as_str());
        }
        Ok(name)
    }

    /// `gift_cards`: the folder, the crate in code, the store, the event types.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `gift-cards`: the path of its routes.
    pub fn path(&self) -> String {
        self.0.replace('_', "-")
    }

    /// `GiftCards`: a part of the names of types.
    pub fn camel(&self) -> String {
        self.0.split('_').map(capitalised).collect()
    }

    /// `Gift cards`: prose.
    pub fn title(&self) -> String {
        capitalised(&self.0.replace('_', " "))
    }

    /// `tradepost-gift_cards`: the package.
    pub fn package(&self) -> String {
        format!("tradepost-{}", self.0)
    }

    /// From the root.
    pub fn folder(&self) -> String {
        format!("services/{}", self.0)
    }

    /// The holder of the name, or of a name that is made of it.
    fn taken_by(&self, root: &Path) -> Result<Option<String>> {
        let is_of_rust = RUST.split_whitespace().any(|word| word == self.0);
        if is_of_rust || RESERVED.contains(&self.as_str()) || self.0.starts_with("pg_") {
            return Ok(Some(
                "it has a meaning of its own in Rust, in a database or in the deployment files".to_owned(),
            ));
        }
        if root.join(self.folder()).exists() {
            return Ok(Some(format!("{} is there already", self.folder())));
        }
        let read = |file: &str| fs::read_to_string(root.join(file)).with_context(|| format!("{file} can't be read"));
        let crates = read("Cargo.toml")?;
        let names = crates.lines().filter_map(|line| line.split_once(" = ")).map(|(name, _)| name.replace('-', "_"));
        if names.into_iter().any(|name| name == self.0) {
            return Ok(Some("Cargo.toml has a crate of this name".to_owned()));
        }
        // Servers and volumes beside the services: two spaces, a name, a colon.
        let compose = read("compose.yaml")?;
        if compose.lines().any(|line| line.trim_end() == format!("  {}:", self.path())) {
            return Ok(Some("compose.yaml has a container of this name".to_owned()));
        }
        let api: Value = serde_json::from_str(&read("docs/openapi.json")?).context("docs/openapi.json is no JSON")?;
        let route = format!("/v1/{}", self.path());
        if api["paths"].as_object().is_some_and(|paths| paths.keys().any(|path| is_at_or_below(path, &route))) {
            return Ok(Some(format!("another service has the route {route}")));
        }
        let schema = format!("{}Order", self.camel());
        if api["components"]["schemas"].get(&schema).is_some() {
            return Ok(Some(format!("the API has a schema {schema}")));
        }
        Ok(None)
    }
}

fn is_snake_case(name: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.split('_').all(is_word)
}

fn is_at_or_below(path: &str, route: &str) -> bool {
    path.strip_prefix(route).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(name: &str) -> String {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        Name::new(name, root).expect_err(name).to_string()
    }

    #[test]
    fn a_name_has_the_spelling_that_each_file_needs() {
        let name = Name("gift_cards2".to_owned());
        assert_eq!(
            (name.path(), name.camel(), name.title()),
            ("gift-cards2".to_owned(), "GiftCards2".to_owned(), "Gift cards2".to_owned())
        );
    }

    #[test]
    fn a_name_that_is_no_identifier_is_refused() {
        for name in ["", "Gifts", "gift-cards", "gift cards", "1st", "_gifts", "gifts_", "gift__cards", "../x", "größe"]
        {
            assert!(refusal(name).contains("lowercase letters and digits"), "{name}");
        }
        assert!(refusal(&"a".repeat(LENGTH_MAX + 1)).contains("at most 32 characters"));
    }

    #[test]
    fn a_name_that_is_taken_is_refused_with_what_has_it() {
        for (name, taken) in [
            ("orders", "services/orders is there already"),
            ("kernel", "a crate of this name"),
            ("tokio_util", "a crate of this name"),
            ("postgres", "a container of this name"),
            ("migrate", "a meaning of its own"),
            ("while", "a meaning of its own"),
            ("pg_x", "a meaning of its own"),
            ("stock", "has the route /v1/stock"),
            ("dead_letters", "has the route /v1/dead-letters"),
            ("placed", "a schema PlacedOrder"),
        ] {
            assert!(refusal(name).contains(taken), "{name}: {}", refusal(name));
        }
    }
}

//! Plain words: each sentence is understood at first reading. The glossary is in CONTRIBUTING.md.

use crate::tree::File;
use crate::{hold, tree};

/// Words and phrases of an earlier dialect, and the standard terms in their place.
const DIALECT: &[(&[&str], &str)] = &[
    (&["told", "untold", "tell", "tells", "telling"], "emitted, published, reported, logged"),
    (&["away"], "unreachable, down"),
    (&["stranger", "strangers"], "foreign message, malformed message"),
    (&["keeper", "keepers"], "sentinel message"),
    (&["parted", "unparted"], "partitioned, split off"),
    (&["comes again", "come again", "came again", "coming again"], "redelivered"),
    (&["let go", "gives up", "give up", "gave up", "given up", "giving up"], "released, closed, cancelled, parked"),
    (&["in good order"], "cleanly"),
    (&["heard", "unheard", "hears"], "received"),
    (&["on its way", "on their way"], "in flight"),
    (&["at rest", "come to rest", "comes to rest", "came to rest"], "settled"),
    (&["goes by", "go by", "spoken of"], "uses, is logged"),
    (&["has to be", "have to be", "had to be"], "must be"),
    (&["gives way", "give way"], "yields"),
    (&["fate", "duty", "trouble"], "result, role, recent errors"),
    (&["crowd"], "high load"),
];

/// Names that other programs know, which therefore stay.
const STABLE_NAMES: [&str; 3] = ["peer_away", "PEER_AWAY", "tradepost.keeper"];

/// Words with which a question begins.
const QUESTIONS: [&str; 9] = ["What", "Whether", "Who", "Whose", "How", "Where", "When", "Which", "Why"];

#[test]
fn a_document_comment_begins_with_a_noun_or_a_verb() {
    let mut broken = Vec::new();
    for file in tree::files().iter().filter(|file| file.is_rust()) {
        let mut is_inside = false;
        for (number, line) in (1..).zip(file.text.lines()) {
            let text = line.trim_start();
            let comment = text.strip_prefix("///").or_else(|| text.strip_prefix("//!"));
            let first = comment.and_then(|comment| comment.split_whitespace().next()).unwrap_or_default();
            if !is_inside && QUESTIONS.contains(&first) {
                broken.push(file.at(number, line));
            }
            is_inside = comment.is_some();
        }
    }
    hold("A doc comment begins with the thing or the action: `Number of …`, `True if …`, `Reads …`.", &broken);
}

#[test]
fn words_are_standard_terms() {
    let mut broken = Vec::new();
    for file in tree::files().iter().filter(|file| is_prose(file)) {
        for (number, line) in (1..).zip(file.text.lines()) {
            let words = words(line);
            let found = DIALECT.iter().filter(|(dialect, _)| dialect.iter().any(|phrase| has(&words, phrase)));
            broken.extend(found.map(|(_, terms)| format!("{} (say: {terms})", file.at(number, line))));
        }
    }
    hold("Documents, comments, names, help and errors use the field's standard terms.", &broken);
}

/// True for files that people write and read. A released migration never changes, its comments included.
fn is_prose(file: &File) -> bool {
    let kinds = [".rs", ".md", ".sh", ".yaml", ".yml", ".toml", ".tsv", ".sql", ".html", ".txt", ".conf"];
    let is_list_itself = file.path.ends_with("house/words.rs");
    kinds.iter().any(|kind| file.path.ends_with(kind)) && !is_list_itself && !file.path.contains("/migrations/")
}

/// The words of a line in lower case, with one space before and behind each. The parts of a name are words, and other
/// signs stand between phrases.
fn words(line: &str) -> String {
    let line = STABLE_NAMES.iter().fold(line.to_owned(), |line, name| line.replace(name, ""));
    let mut words = String::from(" ");
    let mut was_lower = false;
    for c in line.chars() {
        let begins_word = !c.is_alphanumeric() || (c.is_uppercase() && was_lower);
        if begins_word && !words.ends_with(' ') {
            words.push(' ');
        }
        if c.is_alphanumeric() {
            words.extend(c.to_lowercase());
        } else if !(c.is_whitespace() || c == '_') {
            words.push_str("/ ");
        }
        was_lower = c.is_lowercase();
    }
    words + " "
}

fn has(words: &str, phrase: &str) -> bool {
    words.contains(&format!(" {phrase} "))
}

#[test]
fn a_phrase_is_found_in_prose_and_in_names() {
    for line in ["/// It was told.", "is_away", "StoreAway", "it (comes again)", "Let go!"] {
        assert!(DIALECT.iter().any(|(dialect, _)| dialect.iter().any(|phrase| has(&words(line), phrase))), "{line}");
    }
    for line in [
        "awaits",
        "let (user, at) = rest.split_once('@')",
        "`peer_away`",
        "intelligent",
        "\"tradepost.keeper\"",
        "department",
    ] {
        assert!(!DIALECT.iter().any(|(dialect, _)| dialect.iter().any(|phrase| has(&words(line), phrase))), "{line}");
    }
}

//! The rules of the house that the compiler and the lints can't hold. Their reasons are in ARCHITECTURE.md.

mod dependencies;
mod machinery;
mod services;
mod tree;
mod words;
mod writing;

/// Fails with the rule and every place that breaks it.
#[track_caller]
fn hold(rule: &str, broken: &[String]) {
    assert!(
        broken.is_empty(),
        "a rule of the house (see ARCHITECTURE.md) is broken.\n{rule}\n  {}\n",
        broken.join("\n  ")
    );
}

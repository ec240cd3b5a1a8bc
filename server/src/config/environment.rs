//! The process's environment, read once and in this place only.

use std::collections::BTreeMap;

use kernel::suggestion;

use super::Errors;
use super::keys::{self, Keys};

/// The variables that concern Tradepost. An empty one counts as unset, as containers pass them.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    ours: BTreeMap<String, String>,
    not_text: Vec<String>,
    no_color: bool,
}

impl Environment {
    /// The variables of this process.
    pub fn of_process() -> Self {
        let mut environment = Self::default();
        for (name, value) in std::env::vars_os() {
            let Some(name) = name.to_str() else { continue };
            if name == "NO_COLOR" {
                environment.no_color |= !value.is_empty();
            } else if name == "TERM" {
                environment.no_color |= value == "dumb";
            } else if name.starts_with(keys::PREFIX) && !value.is_empty() {
                match value.into_string() {
                    Ok(value) => drop(environment.ours.insert(name.to_owned(), value)),
                    Err(_) => environment.not_text.push(name.to_owned()),
                }
            }
        }
        environment
    }

    /// True if colour is unwanted (<https://no-color.org>) or impossible.
    pub fn no_color(&self) -> bool {
        self.no_color
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.ours.get(name).map(String::as_str)
    }

    /// Notes the variables that mean nothing or can't be read.
    pub(super) fn check(&self, keys: &Keys, errors: &mut Errors) {
        let known = keys.variables();
        for name in &self.not_text {
            errors.add(format!("{name}: its value is not UTF-8"));
        }
        for name in self.ours.keys().filter(|name| !known.contains(name)) {
            errors.add(format!(
                "{name}: there is no such variable{}",
                suggestion(name, known.iter().map(String::as_str))
            ));
        }
    }
}

#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(variables: [(&str, &str); N]) -> Self {
        let ours = variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Self { ours, ..Self::default() }
    }
}

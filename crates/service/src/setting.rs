//! Settings that a service declares in its folder. The program's configuration collects them from its services.

pub mod parse;

use std::collections::BTreeMap;
use std::fmt;

/// A setting with a default.
pub struct Setting<T> {
    name: &'static str,
    default: &'static str,
    parse: Parse<T>,
}

/// A setting that is never shown, comes from a variable or a file of its own, and may be absent.
pub struct SecretSetting<T> {
    name: &'static str,
    parse: Parse<T>,
}

/// From text to a value. The error is what was expected, as in `a whole number from 1 to 20`.
type Parse<T> = fn(&str) -> Result<T, String>;

/// A setting whose type is of no interest: what the configuration has a list of.
pub trait AnySetting: Send + Sync {
    /// The name in the configuration file; the variable has the same in capital letters.
    fn name(&self) -> &'static str;

    /// The text that stands for a setting that is not set; `None` for a secret.
    fn default(&self) -> Option<&'static str>;

    /// Refuses with what was expected.
    fn check(&self, text: &str) -> Result<(), String>;
}

impl<T> Setting<T> {
    /// A setting. Two services may declare the same one, with the same default.
    pub const fn new(name: &'static str, default: &'static str, parse: Parse<T>) -> Self {
        Self { name, default, parse }
    }

    /// Its value.
    pub fn of(&self, values: &Values) -> T {
        let text = values.0.get(self.name).map_or(self.default, String::as_str);
        (self.parse)(text).unwrap_or_else(|expected| panic!("{} is `{text}`, not {expected}", self.name))
    }
}

impl<T> SecretSetting<T> {
    /// A secret.
    pub const fn new(name: &'static str, parse: Parse<T>) -> Self {
        Self { name, parse }
    }

    /// Its value, if it is set.
    pub fn of(&self, values: &Values) -> Option<T> {
        let text = values.0.get(self.name)?;
        Some((self.parse)(text).unwrap_or_else(|expected| panic!("{} is not {expected}", self.name)))
    }
}

impl<T> AnySetting for Setting<T> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn default(&self) -> Option<&'static str> {
        Some(self.default)
    }

    fn check(&self, text: &str) -> Result<(), String> {
        (self.parse)(text).map(drop)
    }
}

impl<T> AnySetting for SecretSetting<T> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn default(&self) -> Option<&'static str> {
        None
    }

    fn check(&self, text: &str) -> Result<(), String> {
        (self.parse)(text).map(drop)
    }
}

/// Texts of settings that are set, each of which its setting takes.
#[derive(Clone, Default)]
pub struct Values(BTreeMap<&'static str, String>);

impl Values {
    /// Sets one, unless its setting refuses the text: with what was expected.
    pub fn set(&mut self, setting: &dyn AnySetting, text: &str) -> Result<(), String> {
        setting.check(text)?;
        self.0.insert(setting.name(), text.to_owned());
        Ok(())
    }

    /// The same, with another value.
    ///
    /// # Panics
    ///
    /// The setting must take the text.
    #[must_use]
    pub fn with(mut self, setting: &dyn AnySetting, text: &str) -> Self {
        let set = self.set(setting, text);
        set.unwrap_or_else(|expected| panic!("{} was expected of {}", expected, setting.name()));
        self
    }

    /// The same, with a value in place of the default.
    ///
    /// # Panics
    ///
    /// The setting must take the text.
    #[must_use]
    pub fn or(self, setting: &dyn AnySetting, text: &str) -> Self {
        if self.0.contains_key(setting.name()) { self } else { self.with(setting, text) }
    }
}

/// Names only: a value may be a secret.
impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static TRIES: Setting<u8> = Setting::new("tries", "3", |text| parse::whole(text, 1..=5));
    static TOKEN: SecretSetting<String> = SecretSetting::new("token", |text| parse::text(text, 8));

    #[test]
    fn a_value_is_the_default_or_what_was_set() {
        let mut values = Values::default();
        assert_eq!((TRIES.of(&values), TOKEN.of(&values)), (3, None));
        assert_eq!(values.set(&TRIES, "6"), Err("a whole number from 1 to 5".to_owned()));
        let values = values.with(&TRIES, "5").with(&TOKEN, "hunter2");
        assert_eq!((TRIES.of(&values), TOKEN.of(&values).as_deref()), (5, Some("hunter2")));
        assert_eq!(format!("{values:?}"), r#"{"token", "tries"}"#);
    }
}

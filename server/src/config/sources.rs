//! The places that settings come from, gathered into one value for each setting.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bridge::settings::CONTRACTS;
use service::setting::{AnySetting, Values};
use toml::{Table, Value};

use super::keys::{self, Key, Keys};
use super::{Environment, Errors, Secret};

/// The file that is read if nobody names another; it need not be there.
const FILE_DEFAULT: &str = "tradepost.toml";

/// Larger files than any configuration or secret are a mistake, such as the wrong path.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// The origin of what nobody set.
pub(super) const DEFAULT: &str = "default";

/// Settings from the command line.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--data`
    pub data_dir: Option<String>,
    /// `--store`
    pub store: Option<String>,
    /// `--broker`
    pub broker: Option<String>,
    /// `--listen`
    pub listen: Option<String>,
    /// `--port`
    pub port: Option<String>,
    /// `--contract`, all of them with commas between
    pub contracts: Option<String>,
}

/// One setting as people see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The setting's name.
    pub key: &'static str,
    /// Its value; `None` if it isn't set. Secrets are hidden.
    pub value: Option<String>,
    /// Its source, such as `TRADEPOST_PORT` or `default`.
    pub origin: String,
}

#[derive(Clone, Debug)]
struct Found {
    text: String,
    origin: Origin,
}

#[derive(Clone, Debug)]
enum Origin {
    Flag(&'static str),
    Variable(String),
    File(PathBuf),
    /// A file that holds a secret, and the name of what named it.
    SecretFile(PathBuf, String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => f.write_str(flag),
            Self::Variable(name) => f.write_str(name),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::SecretFile(path, name) => write!(f, "{} ({name})", path.display()),
        }
    }
}

/// The values found for each setting, and the errors so far.
pub(super) struct Sources<'k> {
    keys: &'k Keys,
    found: HashMap<&'static str, Found>,
    pub errors: Errors,
}

impl<'k> Sources<'k> {
    /// Later sources win, so they are taken in from the weakest to the strongest.
    pub fn gather(keys: &'k Keys, flags: &Flags, file: Option<&Path>, environment: &Environment) -> Self {
        let mut sources = Self { keys, found: HashMap::new(), errors: Errors::default() };
        environment.check(keys, &mut sources.errors);
        sources.take_file(file, environment);
        sources.take_environment(environment);
        let texts = [
            (&keys::DATA_DIR, "--data", &flags.data_dir),
            (&keys::STORE, "--store", &flags.store),
            (&keys::BROKER, "--broker", &flags.broker),
            (&keys::LISTEN, "--listen", &flags.listen),
            (&keys::PORT, "--port", &flags.port),
        ];
        let declared = keys.declared().map(|(key, _)| key).find(|key| key.name == CONTRACTS.name());
        let contracts = declared.map(|key| (key, "--contract", &flags.contracts));
        for (key, flag, text) in texts.into_iter().chain(contracts) {
            if let Some(text) = text {
                sources.found.insert(key.name, Found { text: text.clone(), origin: Origin::Flag(flag) });
            }
        }
        sources
    }

    fn take_file(&mut self, named: Option<&Path>, environment: &Environment) {
        let named = named.or_else(|| environment.get(keys::CONFIG_VARIABLE).map(Path::new));
        let path = named.unwrap_or(Path::new(FILE_DEFAULT));
        let text = match read_file(path) {
            Ok(text) => text,
            Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => return self.errors.add(format!("{}: can't be read: {error}", path.display())),
        };
        match text.parse::<Table>() {
            Ok(table) => self.take_table(path, &flat(table)),
            Err(error) => self.errors.add(format!("{}: not TOML: {}", path.display(), error.to_string().trim_end())),
        }
    }

    fn take_table(&mut self, path: &Path, table: &Table) {
        let known = self.keys.file_names();
        for (name, value) in table {
            let place = format!("{}: {name}", path.display());
            if let Some(secret) = self.keys.all().find(|key| key.is_secret && key.name == name) {
                let (variable, file_name) = (secret.variable(), secret.file_name());
                self.errors.add(format!("{place}: secrets don't stand in this file: use {variable} or {file_name}"));
            } else if !known.contains(name) {
                self.errors.add(format!(
                    "{place}: there is no such setting{}",
                    kernel::suggestion(name, known.iter().map(String::as_str))
                ));
            } else if let Some(text) = scalar(value) {
                self.take_value(path, name, text);
            } else {
                self.errors.add(format!("{place}: expected a text or a number"));
            }
        }
    }

    fn take_value(&mut self, path: &Path, name: &str, text: String) {
        for key in self.keys.all() {
            if key.is_secret && key.file_name() == name {
                self.take_secret_file(key, Path::new(&text), format!("{}: {name}", path.display()));
            } else if !key.is_secret && key.name == name {
                let found = Found { text: text.clone(), origin: Origin::File(path.to_owned()) };
                self.found.insert(key.name, found);
            }
        }
    }

    fn take_environment(&mut self, environment: &Environment) {
        for key in self.keys.all() {
            self.take_variables(key, environment);
        }
    }

    fn take_variables(&mut self, key: &'static Key, environment: &Environment) {
        let (variable, file_variable) = (key.variable(), key.file_variable());
        let file = environment.get(&file_variable).filter(|_| key.is_secret);
        match (environment.get(&variable), file) {
            (Some(_), Some(_)) => self.errors.add(format!("{variable} and {file_variable} are both set: set one")),
            (Some(text), None) => {
                let found = Found { text: text.to_owned(), origin: Origin::Variable(variable) };
                self.found.insert(key.name, found);
            }
            (None, Some(path)) => self.take_secret_file(key, Path::new(path), file_variable),
            (None, None) => {}
        }
    }

    fn take_secret_file(&mut self, key: &'static Key, path: &Path, named_by: String) {
        match read_file(path) {
            Ok(text) => {
                let text = text.trim_end_matches(['\r', '\n']).to_owned();
                self.found.insert(key.name, Found { text, origin: Origin::SecretFile(path.to_owned(), named_by) });
            }
            Err(error) => self.errors.add(format!("{named_by}: {} can't be read: {error}", path.display())),
        }
    }

    /// The secret that a client command needs, from the environment alone.
    pub fn client_secret(keys: &'k Keys, key: &'static Key, environment: &Environment) -> (Option<Secret>, Errors) {
        let mut sources = Self { keys, found: HashMap::new(), errors: Errors::default() };
        environment.check(keys, &mut sources.errors);
        sources.take_variables(key, environment);
        let secret = sources.secret(key, super::parse::token);
        (secret, sources.errors)
    }

    /// The setting's value; its default if it isn't set or is refused, and then the refusal is noted.
    pub fn read<T>(&mut self, key: &'static Key, parse: impl Fn(&str) -> Result<T, String>) -> T {
        if let Some(found) = self.found.get(key.name) {
            match parse(&found.text) {
                Ok(value) => return value,
                Err(expected) => {
                    let text = found.text.escape_debug();
                    self.errors.add(format!("{}: `{text}` is not {expected}", place(key, &found.origin)));
                }
            }
        }
        let default = key.default.expect("only secrets have no default");
        parse(default).unwrap_or_else(|expected| panic!("the default of {} is {default}, not {expected}", key.name))
    }

    /// The secret, if it is set. What is refused isn't shown.
    pub fn secret(&mut self, key: &'static Key, check: impl Fn(&str) -> Result<(), String>) -> Option<Secret> {
        let found = self.found.get(key.name)?;
        if let Err(expected) = check(&found.text) {
            self.errors.add(format!("{}: expected {expected}", place(key, &found.origin)));
            return None;
        }
        Some(Secret::new(found.text.clone()))
    }

    /// The settings that services declare, as far as they are set. What is refused is noted.
    pub fn declared(&mut self) -> Values {
        let mut values = Values::default();
        for (key, setting) in self.keys.declared() {
            let Some(found) = self.found.get(key.name) else { continue };
            let Err(expected) = values.set(setting, &found.text) else { continue };
            let refused = if key.is_secret { "expected" } else { &format!("`{}` is not", found.text.escape_debug()) };
            self.errors.add(format!("{}: {refused} {expected}", place(key, &found.origin)));
        }
        values
    }

    /// All settings as people see them.
    pub fn shown(&self) -> Vec<Shown> {
        let show = |key: &'static Key| match self.found.get(key.name) {
            Some(found) if key.is_secret => {
                Shown { key: key.name, value: Some("(hidden)".to_owned()), origin: found.origin.to_string() }
            }
            Some(found) => Shown { key: key.name, value: Some(found.text.clone()), origin: found.origin.to_string() },
            None => Shown { key: key.name, value: key.default.map(str::to_owned), origin: DEFAULT.to_owned() },
        };
        self.keys.all().map(show).collect()
    }
}

/// The source of a refused value. A file holds many settings, so there the name is added.
fn place(key: &Key, origin: &Origin) -> String {
    match origin {
        Origin::File(path) => format!("{}: {}", path.display(), key.name),
        other => other.to_string(),
    }
}

/// Entries of the table of addresses, under names like those outside of it.
fn flat(table: Table) -> Table {
    let flatten = |(name, value)| match value {
        Value::Table(inner) if name == keys::PEERS_TABLE => {
            inner.into_iter().map(|(key, value)| (format!("{name}.{key}"), value)).collect()
        }
        value => vec![(name, value)],
    };
    table.into_iter().flat_map(flatten).collect()
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Boolean(is_so) => Some(is_so.to_string()),
        _ => None,
    }
}

fn read_file(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.len() > FILE_BYTES_MAX {
        let reason = format!("it is larger than {} KiB", FILE_BYTES_MAX / 1024);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
    }
    fs::read_to_string(path)
}

//! Statements: SQL as data, of a few kinds that differ in what they may do.

use std::sync::OnceLock;

use crate::tokens::tokens;
use crate::{Add, Type};

/// The text of a statement for each database.
#[derive(Debug)]
pub(crate) struct Sql {
    name: &'static str,
    /// The text for PostgreSQL.
    text: &'static str,
    /// The text from which SQLite's is made.
    text_for_sqlite: &'static str,
    sqlite: OnceLock<String>,
    is_lookup: bool,
}

impl Sql {
    pub(crate) const fn new(name: &'static str, text: &'static str) -> Self {
        Self::each(name, text, text)
    }

    /// A statement whose databases need different texts.
    pub(crate) const fn each(name: &'static str, text_for_sqlite: &'static str, postgres: &'static str) -> Self {
        Self { name, text: postgres, text_for_sqlite, sqlite: OnceLock::new(), is_lookup: false }
    }

    /// A read that meets only the rows that it answers with, by an index, and only a few of them.
    pub(crate) const fn lookup(name: &'static str, text: &'static str) -> Self {
        Self { name, text, text_for_sqlite: text, sqlite: OnceLock::new(), is_lookup: true }
    }

    pub(crate) const fn is_lookup(&self) -> bool {
        self.is_lookup
    }

    pub(crate) const fn postgres(&self) -> &'static str {
        self.text
    }

    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn sqlite(&self) -> &str {
        self.sqlite.get_or_init(|| for_sqlite(self.text_for_sqlite))
    }
}

/// SQLite numbers `$1` by first appearance but takes `?1` at its word,
/// and has `in rarray(…)` for `= any(…)`, `not in rarray(…)` for `<> all(…)`.
fn for_sqlite(text: &str) -> String {
    let mut made = String::with_capacity(text.len() + 16);
    for token in tokens(text) {
        let Some(number) = token.parameter() else {
            made.push_str(token.text);
            continue;
        };
        for (postgres, sqlite) in [("= any(", "in rarray("), ("<> all(", "not in rarray(")] {
            if let Some(before) = made.strip_suffix(postgres) {
                made.truncate(before.len());
                made.push_str(sqlite);
            }
        }
        made.push('?');
        made.push_str(number);
    }
    made
}

/// A read.
#[derive(Debug)]
pub struct Query(pub(crate) Sql);

/// A guarded change of a row that exists: `update` or `delete`.
///
/// The text ends in `and version = $n`, where `$n` is its last parameter; it must meet exactly one row,
/// or the commit is a [`Conflict`](crate::Error::Conflict).
#[derive(Debug)]
pub struct Change(pub(crate) Sql);

/// A projection of another's fact: inserts, or updates a row that shows an older version.
///
/// The text says `on conflict … do update … where … version` or `do nothing`, so an older fact never overwrites a
/// newer.
#[derive(Debug)]
pub struct Upsert(pub(crate) Sql);

/// A write that is complete in itself and returns rows, such as a counter's next block: `update … returning`.
#[derive(Debug)]
pub struct Claim(pub(crate) Sql);

/// A new row. If its key is there already, the commit is a [`Conflict`](crate::Error::Conflict).
#[derive(Debug)]
pub struct Insert {
    name: &'static str,
    table: &'static str,
    columns: &'static [Column],
    sqlite: OnceLock<String>,
    postgres: OnceLock<String>,
}

/// A column of an [`Insert`]: name and type, from which each database gets its own text.
pub type Column = (&'static str, Type);

impl Query {
    /// A read; `text` runs on both databases.
    pub const fn new(name: &'static str, text: &'static str) -> Self {
        Self(Sql::new(name, text))
    }

    /// A read by key. It must meet no more rows than it answers with, a few hundred at the most:
    /// where the store is in this process it runs where it is asked for, and holds up what else would run there.
    pub const fn lookup(name: &'static str, text: &'static str) -> Self {
        Self(Sql::lookup(name, text))
    }
}

impl Change {
    /// A guarded change; `text` runs on both databases.
    pub const fn new(name: &'static str, text: &'static str) -> Self {
        Self(Sql::new(name, text))
    }
}

impl Upsert {
    /// A versioned projection; `text` runs on both databases.
    pub const fn new(name: &'static str, text: &'static str) -> Self {
        Self(Sql::new(name, text))
    }
}

impl Claim {
    /// An atomic write that returns rows; `text` runs on both databases.
    pub const fn new(name: &'static str, text: &'static str) -> Self {
        Self(Sql::new(name, text))
    }
}

impl Insert {
    /// A new row of `table`.
    pub const fn new(name: &'static str, table: &'static str, columns: &'static [Column]) -> Self {
        Self { name, table, columns, sqlite: OnceLock::new(), postgres: OnceLock::new() }
    }

    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn sqlite(&self) -> &str {
        self.sqlite.get_or_init(|| self.text("?"))
    }

    pub(crate) fn postgres(&self) -> &str {
        self.postgres.get_or_init(|| self.text("$"))
    }

    fn text(&self, mark: &str) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        let marks: Vec<String> = (1..=names.len()).map(|n| format!("{mark}{n}")).collect();
        format!("insert into {} ({}) values ({})", self.table, names.join(", "), marks.join(", "))
    }

    pub(crate) fn columns(&self) -> &'static [Column] {
        self.columns
    }
}

/// A statement as the tests that walk all of them see it.
#[derive(Clone, Copy, Debug)]
pub enum Registered {
    /// A read.
    Query(&'static Query),
    /// A guarded change.
    Change(&'static Change),
    /// A versioned projection.
    Upsert(&'static Upsert),
    /// An atomic write that returns rows.
    Claim(&'static Claim),
    /// A new row.
    Insert(&'static Insert),
    /// An addition to sums.
    Add(&'static Add),
}

impl Registered {
    /// The constant's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Query(it) => it.0.name(),
            Self::Change(it) => it.0.name(),
            Self::Upsert(it) => it.0.name(),
            Self::Claim(it) => it.0.name(),
            Self::Insert(it) => it.name(),
            Self::Add(it) => it.name(),
        }
    }

    /// The text that SQLite runs.
    pub fn sqlite(&self) -> &'static str {
        match self {
            Self::Query(it) => it.0.sqlite(),
            Self::Change(it) => it.0.sqlite(),
            Self::Upsert(it) => it.0.sqlite(),
            Self::Claim(it) => it.0.sqlite(),
            Self::Insert(it) => it.sqlite(),
            Self::Add(it) => it.sqlite(),
        }
    }

    /// The text that PostgreSQL runs.
    pub fn postgres(&self) -> &'static str {
        match self {
            Self::Query(it) => it.0.postgres(),
            Self::Change(it) => it.0.postgres(),
            Self::Upsert(it) => it.0.postgres(),
            Self::Claim(it) => it.0.postgres(),
            Self::Insert(it) => it.postgres(),
            Self::Add(it) => it.postgres(),
        }
    }

    /// Violations of the kit's rules in the text.
    pub fn fault(&self) -> Option<&'static str> {
        let text = self.sqlite().to_lowercase();
        let parameters = (1..=text.len()).take_while(|n| text.contains(&format!("?{n}"))).count();
        let forbidden = ["or replace", "replace into", "now()", "current_timestamp", "random", "gen_random_uuid"];
        if forbidden.iter().any(|word| text.contains(word)) {
            return Some("makes a time, an id or a random number in SQL, or deletes by replacing");
        }
        match self {
            Self::Change(_) if !text.trim_end().ends_with(&format!("version = ?{parameters}")) => {
                Some("a change ends in `version = $n` with its last parameter")
            }
            Self::Upsert(_) if !upsert_is_guarded(&text) => {
                Some("an upsert does nothing on conflict, or updates only `where` the version is newer")
            }
            Self::Query(_) if !text.trim_start().starts_with("select") && !text.trim_start().starts_with("with") => {
                Some("a query begins with `select` or `with`")
            }
            Self::Claim(_) if !text.contains(" returning ") => Some("a claim returns what it claimed"),
            _ => None,
        }
    }
}

fn upsert_is_guarded(text: &str) -> bool {
    let Some((_, resolution)) = text.split_once("on conflict") else { return false };
    resolution.contains("do nothing")
        || resolution.split_once("where").is_some_and(|(_, guard)| guard.contains("version"))
}

/// Declares a service's statements, and `STATEMENTS`, the list of them all.
///
/// ```
/// tradepost_storage::statements! {
///     lookup ORDER "select number from orders where order_id = $1";
///     insert INSERT_ORDER into orders (order_id uuid, number int, version int);
///     change MARK_PAID "update orders set status = 'paid', version = version + 1 where order_id = $1 and version = $2";
///     upsert PUT_PRODUCT "insert into products (product_id, version) values ($1, $2)
///         on conflict (product_id) do update set version = excluded.version where products.version < excluded.version";
///     add ADD_SALES into sales (day, currency) sums (orders, amount);
///     add COUNT_MINUTE into minutes (slot) of minute sums (events);
/// }
/// assert_eq!(STATEMENTS.len(), 6);
/// ```
#[macro_export]
macro_rules! statements {
    ($($rest:tt)*) => { $crate::statements_inner!([] $($rest)*); };
}

#[doc(hidden)]
#[macro_export]
macro_rules! statements_inner {
    ([$($done:expr,)*]) => {
        /// Every statement of this store; a test prepares each and checks it against the kit's rules.
        pub const STATEMENTS: &[$crate::Registered] = &[$($done),*];
    };
    ([$($done:expr,)*] query $name:ident $text:expr; $($rest:tt)*) => {
        static $name: $crate::Query = $crate::Query::new(stringify!($name), $text);
        $crate::statements_inner!([$($done,)* $crate::Registered::Query(&$name),] $($rest)*);
    };
    ([$($done:expr,)*] lookup $name:ident $text:expr; $($rest:tt)*) => {
        static $name: $crate::Query = $crate::Query::lookup(stringify!($name), $text);
        $crate::statements_inner!([$($done,)* $crate::Registered::Query(&$name),] $($rest)*);
    };
    ([$($done:expr,)*] change $name:ident $text:literal; $($rest:tt)*) => {
        static $name: $crate::Change = $crate::Change::new(stringify!($name), $text);
        $crate::statements_inner!([$($done,)* $crate::Registered::Change(&$name),] $($rest)*);
    };
    ([$($done:expr,)*] upsert $name:ident $text:literal; $($rest:tt)*) => {
        static $name: $crate::Upsert = $crate::Upsert::new(stringify!($name), $text);
        $crate::statements_inner!([$($done,)* $crate::Registered::Upsert(&$name),] $($rest)*);
    };
    ([$($done:expr,)*] claim $name:ident $text:literal; $($rest:tt)*) => {
        static $name: $crate::Claim = $crate::Claim::new(stringify!($name), $text);
        $crate::statements_inner!([$($done,)* $crate::Registered::Claim(&$name),] $($rest)*);
    };
    ([$($done:expr,)*] insert $name:ident into $table:ident ($($column:ident $kind:ident),* $(,)?); $($rest:tt)*) => {
        static $name: $crate::Insert = $crate::Insert::new(
            stringify!($name), stringify!($table), &[$((stringify!($column), $crate::Type::$kind)),*],
        );
        $crate::statements_inner!([$($done,)* $crate::Registered::Insert(&$name),] $($rest)*);
    };
    ([$($done:expr,)*] add $name:ident into $table:ident ($($key:ident),* $(,)?) sums ($($sum:ident),* $(,)?);
        $($rest:tt)*) => {
        static $name: $crate::Add = $crate::Add::new(
            stringify!($name), stringify!($table), &[$(stringify!($key)),*], None, &[$(stringify!($sum)),*],
        );
        $crate::statements_inner!([$($done,)* $crate::Registered::Add(&$name),] $($rest)*);
    };
    ([$($done:expr,)*] add $name:ident into $table:ident ($($key:ident),* $(,)?) of $period:ident
        sums ($($sum:ident),* $(,)?); $($rest:tt)*) => {
        static $name: $crate::Add = $crate::Add::new(
            stringify!($name), stringify!($table), &[$(stringify!($key)),*], Some(stringify!($period)),
            &[$(stringify!($sum)),*],
        );
        $crate::statements_inner!([$($done,)* $crate::Registered::Add(&$name),] $($rest)*);
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollar_parameters_keep_their_numbers_on_sqlite() {
        assert_eq!(for_sqlite("select $2, $10 where a = $1"), "select ?2, ?10 where a = ?1");
        assert_eq!(for_sqlite("where id = any($1) and b = $2"), "where id in rarray(?1) and b = ?2");
        assert_eq!(for_sqlite("where id <> all($1)"), "where id not in rarray(?1)");
        assert_eq!(for_sqlite("select 'costs $1' as \"a$1\", $1 -- $2"), "select 'costs $1' as \"a$1\", ?1 -- $2");
    }

    #[test]
    fn unguarded_statements_are_found() {
        static LOOSE: Change = Change::new("LOOSE", "update orders set status = 'paid' where order_id = $1");
        static OVERWRITE: Upsert =
            Upsert::new("OVERWRITE", "insert into p (id) values ($1) on conflict (id) do update set id = $1");
        static CLOCK: Query = Query::new("CLOCK", "select now()");
        for bad in [Registered::Change(&LOOSE), Registered::Upsert(&OVERWRITE), Registered::Query(&CLOCK)] {
            assert!(bad.fault().is_some(), "{}", bad.name());
        }
    }
}

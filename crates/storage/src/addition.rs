//! Additions: sums that many commits add to, without a version and without reading them first.

use std::sync::OnceLock;

/// Sums by key. An addition makes the row of its key or adds to it.
///
/// Additions commute: in whatever order they are committed, the sums are the same. So they have no version and no
/// conflicts. Two transactions that add to one row wait for each other, so a sum to which all add is several rows, which
/// are added in reading.
///
/// Of a *period*, a column of the row, only the newest is kept: a row begins anew when the first addition of a newer period
/// arrives, and one of an older period adds nothing. So a table of so many slots has a bound.
#[derive(Debug)]
pub struct Add {
    name: &'static str,
    table: &'static str,
    keys: &'static [&'static str],
    period: Option<&'static str>,
    sums: &'static [&'static str],
    sqlite: OnceLock<String>,
    postgres: OnceLock<String>,
}

impl Add {
    /// Sums of `table`, whose primary key is `keys`.
    pub const fn new(
        name: &'static str,
        table: &'static str,
        keys: &'static [&'static str],
        period: Option<&'static str>,
        sums: &'static [&'static str],
    ) -> Self {
        Self { name, table, keys, period, sums, sqlite: OnceLock::new(), postgres: OnceLock::new() }
    }

    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) const fn table(&self) -> &'static str {
        self.table
    }

    pub(crate) fn sqlite(&self) -> &str {
        self.sqlite.get_or_init(|| self.text("?"))
    }

    pub(crate) fn postgres(&self) -> &str {
        self.postgres.get_or_init(|| self.text("$"))
    }

    /// Number of parameters that are the key.
    pub(crate) const fn keys(&self) -> usize {
        self.keys.len()
    }

    /// Number of parameters: the key, the period if there is one, the sums.
    pub(crate) const fn parameters(&self) -> usize {
        self.keys.len() + self.period.is_some() as usize + self.sums.len()
    }

    fn text(&self, mark: &str) -> String {
        let Self { table, keys, period, sums, .. } = self;
        let columns: Vec<&str> = keys.iter().chain(period).chain(*sums).copied().collect();
        let marks: Vec<String> = (1..=columns.len()).map(|n| format!("{mark}{n}")).collect();
        let before = |sum: &str| match period {
            None => format!("{table}.{sum}"),
            Some(period) => format!("case when {table}.{period} = excluded.{period} then {table}.{sum} else 0 end"),
        };
        let mut set: Vec<String> = sums.iter().map(|sum| format!("{sum} = {} + excluded.{sum}", before(sum))).collect();
        set.extend(period.map(|period| format!("{period} = excluded.{period}")));
        let guard = period.map(|period| format!(" where {table}.{period} <= excluded.{period}")).unwrap_or_default();
        format!(
            "insert into {table} ({}) values ({}) on conflict ({}) do update set {}{guard}",
            columns.join(", "),
            marks.join(", "),
            keys.join(", "),
            set.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_addition_makes_a_row_or_adds_to_it() {
        let add = Add::new("COUNT", "counts", &["name", "bucket"], None, &["seen", "done"]);
        assert_eq!(
            add.postgres(),
            "insert into counts (name, bucket, seen, done) values ($1, $2, $3, $4) on conflict (name, bucket) \
             do update set seen = counts.seen + excluded.seen, done = counts.done + excluded.done"
        );
        assert_eq!((add.keys(), add.parameters()), (2, 4));
    }

    #[test]
    fn of_a_period_the_newest_stays() {
        let add = Add::new("COUNT", "slots", &["slot"], Some("minute"), &["seen"]);
        assert_eq!(
            add.sqlite(),
            "insert into slots (slot, minute, seen) values (?1, ?2, ?3) on conflict (slot) do update set \
             seen = case when slots.minute = excluded.minute then slots.seen else 0 end + excluded.seen, \
             minute = excluded.minute where slots.minute <= excluded.minute"
        );
        assert_eq!(add.parameters(), 3);
    }
}

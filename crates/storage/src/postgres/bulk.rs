//! One statement for many rows: a statement of one row is rewritten to take an array for each of its parameters.
//!
//! `update t set a = $2 where id = $1 and version = $3` becomes
//! `update t set a = u.p2 from unnest($1::uuid[], $2::text[], $3::bigint[]) with ordinality as u(p1, p2, p3, nth)
//! where id = u.p1 and version = u.p3 returning u.nth`. The rows that come back are those that were met,
//! which shows whose guard missed. The types are those that PostgreSQL itself found for the statement of one row.

/// The same for many rows; `None` if the text has no shape that can be rewritten.
pub(super) fn of(text: &str, types: &[String]) -> Option<String> {
    // Of arrays there is no array: PostgreSQL would take them for more dimensions of one.
    if types.iter().any(|kind| kind.starts_with('_')) {
        return None;
    }
    let lower = text.to_lowercase();
    if lower.contains(" returning") {
        return None;
    }
    if lower.starts_with("update ") {
        let (change, condition) = text.split_at(before_where(&lower)?);
        return Some(format!("{} from {}{} returning u.nth", named(change), rows(types), named(condition)));
    }
    if lower.starts_with("delete from ") {
        let (target, condition) = text.split_at(before_where(&lower)?);
        return Some(format!("{target} using {}{} returning u.nth", rows(types), named(condition)));
    }
    let at = lower.find("values (")?;
    let end = at + closing(&text[at..])?;
    let (values, rest) = (&text[at + "values (".len()..end], &text[end + 1..]);
    // What follows may name the new row as `excluded`, but not a parameter: there it would stand for no row.
    (!rest.contains('$'))
        .then(|| format!("{}select {} from {} order by u.nth{rest}", &text[..at], named(values), rows(types)))
}

/// The end of what comes before the condition, white space aside.
fn before_where(lower: &str) -> Option<usize> {
    let at = lower.find("where ")?;
    Some(lower[..at].trim_end().len())
}

/// The end of the list that opens in `values (`.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 1 => return Some(at),
            ')' => depth = depth.checked_sub(1)?,
            _ => {}
        }
    }
    None
}

/// `$3` becomes `u.p3`.
fn named(text: &str) -> String {
    text.replace('$', "u.p")
}

fn rows(types: &[String]) -> String {
    let arrays: Vec<String> = (1..).zip(types).map(|(n, kind)| format!("${n}::{kind}[]")).collect();
    let names: Vec<String> = (1..=types.len()).map(|n| format!("p{n}")).collect();
    format!("unnest({}) with ordinality as u({}, nth)", arrays.join(", "), names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types(of: &[&str]) -> Vec<String> {
        of.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_change_takes_many_rows_and_tells_which_it_met() {
        let one = "update orders set status = $2, version = version + 1\n        where order_id = $1 and version = $3";
        let many = of(one, &types(&["uuid", "text", "int8"])).unwrap();
        assert_eq!(
            many,
            "update orders set status = u.p2, version = version + 1 from unnest($1::uuid[], $2::text[], $3::int8[]) \
             with ordinality as u(p1, p2, p3, nth)\n        where order_id = u.p1 and version = u.p3 returning u.nth"
        );
        let many = of("delete from timers where name = $1 and key = $2", &types(&["text", "uuid"])).unwrap();
        assert_eq!(
            many,
            "delete from timers using unnest($1::text[], $2::uuid[]) with ordinality as u(p1, p2, nth) \
             where name = u.p1 and key = u.p2 returning u.nth"
        );
    }

    #[test]
    fn a_new_row_becomes_many_in_their_order() {
        let one = "insert into flags (id, flag, version) values ($1, $2, 0) on conflict (id) do nothing";
        assert_eq!(
            of(one, &types(&["uuid", "bool"])).unwrap(),
            "insert into flags (id, flag, version) select u.p1, u.p2, 0 from unnest($1::uuid[], $2::bool[]) \
             with ordinality as u(p1, p2, nth) order by u.nth on conflict (id) do nothing"
        );
        assert_eq!(of("insert into t (a) values ($1) on conflict (a) do update set b = $1", &types(&["int8"])), None);
    }
}

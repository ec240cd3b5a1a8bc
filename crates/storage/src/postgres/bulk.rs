//! One statement for many rows: a statement of one row is rewritten to take an array for each of its parameters.
//!
//! `update t set a = $2 where id = $1 and version = $3` becomes
//! `update t set a = u.p2 from unnest($1::uuid[], $2::text[], $3::bigint[]) with ordinality as u(p1, p2, p3, nth)
//! where id = u.p1 and version = u.p3 returning u.nth`. The rows that come back are those that were met,
//! which shows whose guard missed. The types are those that PostgreSQL itself found for the statement of one row.
//!
//! A text of another shape is left alone, and its rows run one by one: that is slower, and never wrong.

use crate::tokens::{Kind, Token, tokens};

/// The same for many rows; `None` if the text has no shape that can be rewritten.
pub(super) fn of(text: &str, types: &[String]) -> Option<String> {
    // Of arrays there is no array: PostgreSQL would take them for more dimensions of one.
    if types.is_empty() || types.iter().any(|kind| kind.starts_with('_')) {
        return None;
    }
    let all = tokens(text);
    // A name that the rewriting adds would stand for two things.
    if all.iter().any(is_added) || outermost(&all, "returning").is_some() || all.iter().any(|it| it.is_symbol(';')) {
        return None;
    }
    let verb = all.iter().find(|token| token.kind != Kind::Space)?;
    if verb.is_word("update") {
        change(&all, "from", types)
    } else if verb.is_word("delete") {
        change(&all, "using", types)
    } else if verb.is_word("insert") {
        new_rows(&all, types)
    } else {
        None
    }
}

/// An `update` or a `delete`: the rows are joined by `from` or `using`, so it must join nothing else.
fn change(all: &[Token<'_>], join: &str, types: &[String]) -> Option<String> {
    let (target, condition) = all.split_at(outermost(all, "where")?);
    let is_joined = target.iter().filter(|token| token.depth == 0 && token.is_word(join)).count() > 0;
    (!is_joined).then(|| {
        let (target, condition) = (named(target), named(condition));
        format!("{} {join} {} {} returning u.nth", target.trim_end(), rows(types), condition.trim_end())
    })
}

/// An `insert` of one list of values.
fn new_rows(all: &[Token<'_>], types: &[String]) -> Option<String> {
    let keyword = outermost(all, "values")?;
    let (into, values) = all.split_at(keyword);
    let opening = 1 + values.iter().skip(1).position(|token| token.kind != Kind::Space)?;
    let closing = opening + values[opening..].iter().position(|token| token.depth == 0 && token.is_symbol(')'))?;
    let (list, rest) = (&values[opening + 1..closing], &values[closing + 1..]);
    let is_one = values[opening].is_symbol('(')
        && rest.iter().find(|token| token.kind != Kind::Space).is_none_or(|token| token.is_word("on"));
    // What follows may name the new row as `excluded`, but not a parameter: there it would stand for no row.
    let is_of_the_row = rest.iter().all(|token| token.parameter().is_none());
    (is_one && is_of_the_row).then(|| {
        let new = format!("{}select {} from {} order by u.nth", named(into), named(list), rows(types));
        format!("{new}{}", named(rest)).trim_end().to_owned()
    })
}

/// The place of a keyword outside of all parentheses.
fn outermost(all: &[Token<'_>], word: &str) -> Option<usize> {
    all.iter().position(|token| token.depth == 0 && token.is_word(word))
}

/// True for `u`, `nth` and `p1`: the names of the rows, of a row's number and of a parameter.
fn is_added(token: &Token<'_>) -> bool {
    let is_name = matches!(token.kind, Kind::Word | Kind::QuotedName);
    let name = token.text.trim_matches('"').to_ascii_lowercase();
    let number = name.strip_prefix('p').unwrap_or_default();
    let is_parameter = !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit());
    is_name && (name == "u" || name == "nth" || is_parameter)
}

/// `$3` becomes `u.p3`; a comment becomes a space, for more text follows on its line.
fn named(tokens: &[Token<'_>]) -> String {
    let mut made = String::new();
    for token in tokens {
        match token.parameter() {
            Some(number) => made.extend(["u.p", number]),
            None if token.kind == Kind::Space && !token.text.trim().is_empty() => made.push(' '),
            None => made.push_str(token.text),
        }
    }
    made
}

fn rows(types: &[String]) -> String {
    let arrays: Vec<String> = (1..).zip(types).map(|(n, kind)| format!("${n}::{kind}[]")).collect();
    let names: Vec<String> = (1..=types.len()).map(|n| format!("p{n}")).collect();
    format!("unnest({}) with ordinality as u({}, nth)", arrays.join(", "), names.join(", "))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn types(of: &[&str]) -> Vec<String> {
        of.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_change_takes_many_rows_and_returns_which_it_met() {
        let one = "update orders set status = $2, version = version + 1\n        where order_id = $1 and version = $3";
        let many = of(one, &types(&["uuid", "text", "int8"])).unwrap();
        assert_eq!(
            many,
            "update orders set status = u.p2, version = version + 1 from unnest($1::uuid[], $2::text[], $3::int8[]) \
             with ordinality as u(p1, p2, p3, nth) where order_id = u.p1 and version = u.p3 returning u.nth"
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
    }

    #[test]
    fn what_only_looks_like_a_parameter_or_a_keyword_stays() {
        let one =
            "update t set \"a$1\" = '$1 where ' || $2, b = (select max(c) from d where e = $2)\nWHERE id = $1 -- $3";
        assert_eq!(
            of(one, &types(&["uuid", "text"])).unwrap(),
            "update t set \"a$1\" = '$1 where ' || u.p2, b = (select max(c) from d where e = u.p2) \
             from unnest($1::uuid[], $2::text[]) with ordinality as u(p1, p2, nth) WHERE id = u.p1 returning u.nth"
        );
    }

    #[test]
    fn a_text_of_another_shape_is_left_alone() {
        for one in [
            "insert into t (a) values ($1) on conflict (a) do update set b = $1",
            "insert into t (a) values ($1), (0)",
            "insert into t (a) select $1 from (values (1)) as v",
            "insert into t (a) values ($1)\nreturning a",
            "update t set a = $1",
            "update t set a = b.a from b where b.id = $1",
            "update t set a = 1 where id in (select id from v as u where u.nth = $1)",
            "update t set p1 = 1 where id = $1",
            "delete from t using b where b.id = $1",
            "delete from t where id = $1; delete from b",
            "with gone as (delete from t where id = $1) insert into b (a) values ($1)",
            "select a from t where id = $1",
        ] {
            assert_eq!(of(one, &types(&["int8"])), None, "{one}");
        }
        assert_eq!(of("delete from t where a = any($1)", &types(&["_int8"])), None);
        assert_eq!(of("delete from t where a is null", &[]), None);
    }

    proptest! {
        /// Comments between the words change nothing.
        #[test]
        fn a_comment_is_left_out(comments in prop::collection::vec("( |-- [$a-z'1(]{0,6}\n|/\\*[$a-z '1(]{0,6}\\*/)", 12)) {
            let words = ["update", "t", "set", "a", "=", "$2", "where", "id", "=", "$1", "and", "b"];
            let with: String = words.iter().zip(&comments).flat_map(|(word, comment)| [word, comment.as_str()]).collect();
            let many = |one: &str| of(one, &types(&["uuid", "text"])).map(|many| {
                many.split_whitespace().collect::<Vec<_>>().join(" ")
            });
            prop_assert_eq!(many(&with), many(&words.join(" ")));
        }
    }
}

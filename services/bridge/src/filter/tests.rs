use proptest::prelude::*;

use super::*;

fn run_on(code: &str, input: &str) -> Result<Vec<String>, Failed> {
    let filter = Filter::compile(code).unwrap_or_else(|mistake| panic!("{code}: {mistake:?}"));
    let outputs = filter.run(from_json(input.as_bytes()).unwrap(), &Variables::default())?;
    outputs.iter().map(to_json).collect()
}

#[test]
fn decimals_and_large_integers_pass_unharmed() {
    for number in ["29.90", "0.1", "9007199254740993", "123456789012345678901234567890", "1e2"] {
        assert_eq!(run_on(".", number).unwrap(), [number]);
    }
}

#[test]
fn one_filter_gives_several_messages() {
    let input = r#"{"lines":[{"sku":"a","quantity":2},{"sku":"b","quantity":1}]}"#;
    let given = run_on(".lines[] | .sku as $sku | range(.quantity) | $sku", input).unwrap();
    assert_eq!(given, [r#""a""#, r#""a""#, r#""b""#]);
}

#[test]
fn amounts_are_exact_both_ways() {
    assert_eq!(run_on("minor(2)", "29.90").unwrap(), ["2990"]);
    assert_eq!(run_on("minor(2)", r#"" 29.9 ""#).unwrap(), ["2990"]);
    assert_eq!(run_on("minor(2)", "29").unwrap(), ["2900"]);
    assert_eq!(run_on("minor(2)", "-0.05").unwrap(), ["-5"]);
    assert_eq!(run_on("decimal(2)", "2990").unwrap(), ["29.90"]);
    assert_eq!(run_on("decimal(2)", "-5").unwrap(), ["-0.05"]);
    assert_eq!(run_on("decimal(0)", "5").unwrap(), ["5"]);
    for bad in ["29.999", "1e400", r#""twelve""#, "null", "99999999999999999999", "[1]"] {
        assert!(matches!(run_on("minor(2)", bad), Err(Failed::Said(_))), "{bad}");
    }
}

#[test]
fn a_filter_that_does_not_end_is_ended() {
    for endless in [
        "last(repeat(1))",
        "[repeat(1)]",
        "until(false; .)",
        "[range(1000000000000)] | length",
        "[recurse(. + 1)] | length",
        "[while(true; .)]",
        "[range(1000) | range(1000)] | length",
        "first(range(0; 1; 0) | select(. > 0))",
    ] {
        assert_eq!(run_on(endless, "0"), Err(Failed::TooLong), "{endless}");
    }
    assert_eq!(run_on("range(20000)", "0"), Err(Failed::TooMuch));
}

#[test]
fn mistakes_say_where_they_are_and_what_was_expected() {
    let of = |code: &str| Filter::compile(code).unwrap_err();
    let named = of(".a | nosuch");
    assert_eq!((&".a | nosuch"[named.at.clone()], named.detail.contains("nosuch")), ("nosuch", true), "{named:?}");
    assert!(of("{ a: ").detail.contains("expected"));
    assert!(of("$nosuch").detail.contains("$nosuch"));
    assert!(of("def f: f; f").detail.contains("defines no functions"));
    assert!(of(r#""\(def f: f; f)""#).detail.contains("defines no functions"));
    for looks_around in ["env", "$ENV", "input", "halt", "now", "test(\"a\")"] {
        assert!(Filter::compile(looks_around).is_err(), "{looks_around}");
    }
}

#[test]
fn what_is_no_json_is_refused() {
    for bad in [&b"{"[..], b"NaN", b"{'a':1}", b"\xff\xfe", b"1 2", b""] {
        assert!(from_json(bad).is_err(), "{}", String::from_utf8_lossy(bad));
    }
    let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    assert!(from_json(&deep).unwrap_err().contains("nested more deeply"));
    assert!(matches!(run_on("nan", "0"), Err(Failed::Said(_))));
}

proptest! {
    #[test]
    fn an_amount_comes_back_as_it_went(amount in any::<i32>(), places in 0_i64..=6) {
        let there = format!("decimal({places}) | minor({places})");
        prop_assert_eq!(run_on(&there, &amount.to_string()).unwrap(), [amount.to_string()]);
    }
}

//! "Did you mean": the known name that is closest to an unknown one.

/// `: did you mean …?` if a known name is close, or nothing.
pub fn suggestion<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    match closest(name, known) {
        Some(closest) => format!(": did you mean {closest}?"),
        None => String::new(),
    }
}

/// At most a third of the name may differ, letter case aside; more is no misspelling but another word.
fn closest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let differing_max = (name.chars().count() / 3).max(1);
    let name = name.to_lowercase();
    let distances = known.into_iter().map(|known| (strsim::osa_distance(&name, &known.to_lowercase()), known));
    distances.filter(|(distance, _)| *distance <= differing_max).min().map(|(_, closest)| closest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_finds_the_one_that_was_meant() {
        let known = ["port", "workers", "retry_base", "retry_max", "OrderPlaced", "orders.order_placed.v1"];
        for (name, expected) in [
            ("prot", ": did you mean port?"),
            ("porte", ": did you mean port?"),
            ("worker", ": did you mean workers?"),
            ("retry-max", ": did you mean retry_max?"),
            ("WORKERS", ": did you mean workers?"),
            ("order_placed", ": did you mean OrderPlaced?"),
            ("orders.order_plcaed.v1", ": did you mean orders.order_placed.v1?"),
            ("colour", ""),
        ] {
            assert_eq!(suggestion(name, known), expected, "{name}");
        }
    }
}

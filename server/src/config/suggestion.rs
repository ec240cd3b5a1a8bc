//! "Did you mean": the known name that is closest to an unknown one.

/// `: did you mean …?` if a known name is close, or nothing.
pub(super) fn hint(name: &str, known: &[String]) -> String {
    match closest(name, known) {
        Some(closest) => format!(": did you mean {closest}?"),
        None => String::new(),
    }
}

/// At most a third of the name may differ; more is no misspelling but another word.
fn closest<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    let differing_max = (name.chars().count() / 3).max(1);
    let distances = known.iter().map(|candidate| (distance(name, candidate), candidate.as_str()));
    distances.filter(|(distance, _)| *distance <= differing_max).min().map(|(_, candidate)| candidate)
}

/// Characters to insert, remove, replace or swap with their neighbour, letter case aside
/// (the optimal string alignment distance).
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.to_lowercase().chars().collect();
    let right: Vec<char> = right.to_lowercase().chars().collect();
    let mut table = vec![vec![0; right.len() + 1]; left.len() + 1];
    for i in 0..=left.len() {
        for j in 0..=right.len() {
            table[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replaced = table[i - 1][j - 1] + usize::from(left[i - 1] != right[j - 1]);
                let is_swap = i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1];
                let swapped = if is_swap { table[i - 2][j - 2] + 1 } else { usize::MAX };
                replaced.min(swapped).min(table[i - 1][j] + 1).min(table[i][j - 1] + 1)
            };
        }
    }
    table[left.len()][right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_finds_the_one_that_was_meant() {
        let known = ["port", "workers", "retry_base", "retry_max"].map(str::to_owned);
        for (name, expected) in [
            ("prot", ": did you mean port?"),
            ("porte", ": did you mean port?"),
            ("worker", ": did you mean workers?"),
            ("retry-max", ": did you mean retry_max?"),
            ("WORKERS", ": did you mean workers?"),
            ("colour", ""),
        ] {
            assert_eq!(hint(name, &known), expected, "{name}");
        }
    }
}

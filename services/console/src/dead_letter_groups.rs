//! Dead letters that have the same cause, together.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use axum::Json;
use axum::extract::State;
use kernel::{DeadLetterId, Timestamp, Uuid};
use serde::Serialize;
use service::http::Problem;
use service::operator::{DeadLetterName, NameDeadLetters};
use utoipa::ToSchema;

use crate::gather::{Missing, gather};
use crate::{Console, Peer, PeerError};

/// Dead letters of a service that are read, the newest: beyond it a group's count is of those.
const NAMES_MAX: usize = 10_000;

/// Dead letters that are read at once.
const PAGE: i64 = 1_000;

/// Dead letters of one service, of one type, and for one reason.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeadLetterGroup {
    /// Its id: the same as long as service, type and reason are.
    group: String,
    consumer: &'static str,
    r#type: String,
    /// The reason. What differs between them, such as ids and numbers, is left out: `…` stands for it.
    reason: String,
    /// Number of dead letters, of the newest 10,000 of the service.
    count: u64,
    first_failed_at: Option<Timestamp>,
    last_failed_at: Option<Timestamp>,
    /// Number of things that they are about, such as orders.
    subjects: u64,
}

/// All groups.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeadLetterGroups {
    items: Vec<DeadLetterGroup>,
}

/// Dead letters by service, type and reason, the largest group first.
#[utoipa::path(
    get, path = "/v1/dead-letters/groups", operation_id = "list_dead_letter_groups", tag = "console",
    responses((
        status = 200, body = DeadLetterGroups,
        headers(("x-tradepost-missing" = String, description = "services that are unreachable: their groups are missing")),
    ))
)]
pub(crate) async fn list(State(console): State<Console>) -> Result<(Missing, Json<DeadLetterGroups>), Problem> {
    let gathered = gather(console.peers.iter(), |peer| async move { names(&peer).await }).await?;
    let mut groups: BTreeMap<String, (DeadLetterGroup, HashSet<Uuid>)> = BTreeMap::new();
    for (peer, names) in gathered.answers {
        let consumer = peer.service();
        for name in names {
            let group = group_of(consumer, &name);
            let (group, subjects) = groups.entry(group.clone()).or_insert_with(|| {
                let of_name = DeadLetterGroup {
                    group,
                    consumer,
                    r#type: name.event_type.clone(),
                    reason: normalised(name.reason.as_deref().unwrap_or_default()),
                    count: 0,
                    first_failed_at: None,
                    last_failed_at: None,
                    subjects: 0,
                };
                (of_name, HashSet::new())
            });
            group.count += 1;
            subjects.insert(name.key);
            group.first_failed_at = group.first_failed_at.into_iter().chain(name.first_failed_at).min();
            group.last_failed_at = group.last_failed_at.into_iter().chain(name.first_failed_at).max();
        }
    }
    let counted = |(group, subjects): (DeadLetterGroup, HashSet<Uuid>)| DeadLetterGroup {
        subjects: u64::try_from(subjects.len()).unwrap_or(u64::MAX),
        ..group
    };
    let mut items: Vec<DeadLetterGroup> = groups.into_values().map(counted).collect();
    items.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.group.cmp(&b.group)));
    Ok((gathered.missing, Json(DeadLetterGroups { items })))
}

/// The newest dead letters of a service, without their bodies.
pub(crate) async fn names(peer: &Peer) -> Result<Vec<DeadLetterName>, PeerError> {
    let (mut names, mut before) = (Vec::new(), DeadLetterId::from(Uuid::max()));
    while names.len() < NAMES_MAX {
        let page = peer.ask(NameDeadLetters { before, limit: PAGE }).await?;
        let Some(last) = page.last() else { break };
        before = last.dead_letter_id;
        names.extend(page);
    }
    Ok(names)
}

/// The id of the group of a dead letter.
pub(crate) fn group_of(consumer: &str, name: &DeadLetterName) -> String {
    // Without a key: it is the same in every process of this version.
    let mut hasher = DefaultHasher::new();
    (consumer, &name.event_type, normalised(name.reason.as_deref().unwrap_or_default())).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// A reason without what is of one failure alone: each word with a digit in it.
fn normalised(reason: &str) -> String {
    let has_digit = |word: &str| word.bytes().any(|byte| byte.is_ascii_digit());
    let words =
        reason.split_inclusive(|letter: char| !letter.is_alphanumeric() && !matches!(letter, '-' | '.' | ':' | '_'));
    let shown = words.map(|word| {
        let end = word.trim_end_matches(|letter: char| !letter.is_alphanumeric());
        if has_digit(end) { format!("…{}", &word[end.len()..]) } else { word.to_owned() }
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_that_differ_in_ids_and_numbers_are_one() {
        for (reason, expected) in [
            ("product 019a3c5e-7b1e-7c00-8000-000000000001 is unknown", "product … is unknown"),
            ("expected 3 units, found 14", "expected … units, found …"),
            ("connection refused (127.0.0.1:7084)", "connection refused (…)"),
            ("never \u{1f4a5}", "never \u{1f4a5}"),
            ("", ""),
        ] {
            assert_eq!(normalised(reason), expected);
        }
    }
}

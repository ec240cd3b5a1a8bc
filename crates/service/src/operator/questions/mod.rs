//! The questions that a service answers. A new one is a file here and a line in [`all`].

mod account_standing;
mod activity;
mod dead_letters;
mod deliveries;
mod events;
mod flow;
mod keys;
mod may_read;
mod outlook;
mod parked;
mod republish;
mod sums;

pub use account_standing::{AccountStanding, Known};
pub use activity::LookForActivity;
pub use dead_letters::{DeadLetterById, DeadLetterName, DeadLetters, Discard, Letter, NameDeadLetters, Replay};
pub use deliveries::{Deliveries, EventName, IDS_MAX};
pub use events::{ArchivedEvent, EventById, EventsAbout, EventsBefore, EventsToCome, NewestPosition};
pub use flow::{CountFlow, Flow, Gauges, ReadGauges};
pub use keys::{Key, Keys};
pub use may_read::{MayRead, OnBehalfOf};
pub use outlook::{LookAt, Outlook, PendingTimer, SubjectState};
pub use parked::{CountParked, Parked};
pub use republish::{RepublishAfter, Republished};
pub use sums::ReadSums;

pub(super) use deliveries::decided;

use super::route::Answers;

/// Adds the route of each question.
pub(super) fn all(answers: Answers) -> Answers {
    answers
        .to::<EventsAbout>()
        .to::<EventsBefore>()
        .to::<EventsToCome>()
        .to::<EventById>()
        .to::<NewestPosition>()
        .to::<Deliveries>()
        .to::<DeadLetters>()
        .to::<DeadLetterById>()
        .to::<NameDeadLetters>()
        .to::<CountParked>()
        .to::<CountFlow>()
        .to::<ReadGauges>()
        .to::<ReadSums>()
        .to::<Replay>()
        .to::<Discard>()
        .to::<RepublishAfter>()
        .to::<LookForActivity>()
        .to::<MayRead>()
        .to::<LookAt>()
        .to::<Keys>()
        .to::<AccountStanding>()
}

#[cfg(test)]
fn over_the_wire<T: serde::Serialize + for<'de> serde::Deserialize<'de>>(sent: &T) -> T {
    serde_json::from_slice(&serde_json::to_vec(sent).unwrap()).unwrap()
}

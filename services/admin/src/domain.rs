//! The decisions: who may be banned, and by whom, and which alerts are raised and resolved.
//!
//! Of alerts, start with `alert.rs`; a [`Condition`] is what is known of the subject of one.

mod alert;
mod condition;

pub(crate) use alert::{Alert, AlreadyResolved, Followed, KEPT_FOR, Kind, Status, digest, follow};
pub(crate) use condition::{
    Condition, DeadLetters, Fact, Finding, Level, LowStock, Overdue, PurchaseOrder, Receipt, Refund, Refunds, Shortage,
    Switch, Switched, Units,
};

use events::{UserBanned, UserUnbanned};
use kernel::{Timestamp, UserId, Version};

kernel::id!(BanId, BanKind, "One ban of one account.");

/// An account, as far as bans go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub user_id: UserId,
    pub is_admin: bool,
    pub is_deleted: bool,
    /// The ban of now.
    pub ban_id: Option<BanId>,
    /// Number of bans and of their ends.
    pub version: Version,
}

/// A ban, which may have ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ban {
    pub ban_id: BanId,
    pub user_id: UserId,
    pub reason: String,
    pub banned_by: String,
    pub banned_at: Timestamp,
    pub end: Option<End>,
    pub version: Version,
}

/// The end of a ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub unbanned_by: String,
    pub unbanned_at: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    AlreadyBanned,
    LastAdmin,
    NotBanned,
    NotYourself,
}

/// The account after the ban. `by` is the account that bans, none for the admin token; the others are asked for only of
/// an admin.
pub(crate) fn ban(
    user: &User,
    ban: &Ban,
    by: Option<UserId>,
    has_other_admin: bool,
) -> Result<(User, UserBanned), Refusal> {
    if by == Some(user.user_id) {
        return Err(Refusal::NotYourself);
    }
    if user.ban_id.is_some() {
        return Err(Refusal::AlreadyBanned);
    }
    if user.is_admin && !has_other_admin {
        return Err(Refusal::LastAdmin);
    }
    let banned = User { ban_id: Some(ban.ban_id), version: user.version.next(), ..*user };
    let event = UserBanned {
        user_id: user.user_id,
        reason: ban.reason.clone(),
        banned_by: ban.banned_by.clone(),
        version: banned.version.get(),
    };
    Ok((banned, event))
}

/// The account after the end of its ban.
pub(crate) fn unban(user: &User, unbanned_by: &str) -> Result<(User, UserUnbanned), Refusal> {
    if user.ban_id.is_none() {
        return Err(Refusal::NotBanned);
    }
    let unbanned = User { ban_id: None, version: user.version.next(), ..*user };
    let event =
        UserUnbanned { user_id: user.user_id, unbanned_by: unbanned_by.to_owned(), version: unbanned.version.get() };
    Ok((unbanned, event))
}

#[cfg(test)]
mod tests {
    use kernel::Uuid;
    use proptest::prelude::*;

    use super::*;

    fn user(is_admin: bool) -> User {
        let user_id = Uuid::from_u128(1).into();
        User { user_id, is_admin, is_deleted: false, ban_id: None, version: Version::FIRST }
    }

    fn of(user: &User) -> Ban {
        Ban {
            ban_id: Uuid::from_u128(9).into(),
            user_id: user.user_id,
            reason: "spam".to_owned(),
            banned_by: "automation".to_owned(),
            banned_at: Timestamp::UNIX_EPOCH,
            end: None,
            version: Version::FIRST,
        }
    }

    #[test]
    fn nobody_bans_themselves_the_last_admin_or_a_banned_account() {
        let (other, own) = (Some(Uuid::from_u128(2).into()), Some(Uuid::from_u128(1).into()));
        let banned = User { ban_id: Some(Uuid::from_u128(9).into()), ..user(false) };
        // (who, by whom, whether there is another admin, refusal)
        for (user, by, has_other_admin, expected) in [
            (user(false), None, false, None),
            (user(false), other, true, None),
            (user(false), own, true, Some(Refusal::NotYourself)),
            (user(true), None, true, None),
            (user(true), None, false, Some(Refusal::LastAdmin)),
            (user(true), own, false, Some(Refusal::NotYourself)),
            (banned, None, true, Some(Refusal::AlreadyBanned)),
        ] {
            assert_eq!(ban(&user, &of(&user), by, has_other_admin).err(), expected, "{user:?} by {by:?}");
        }
        assert_eq!(unban(&user(false), "automation").err(), Some(Refusal::NotBanned));
    }

    proptest! {
        #[test]
        fn bans_and_their_ends_take_turns_and_each_counts_up(wanted in proptest::collection::vec(any::<bool>(), 0..20)) {
            let mut now = user(false);
            let mut changes = 0;
            for is_ban in wanted {
                let was_banned = now.ban_id.is_some();
                let changed = if is_ban {
                    ban(&now, &of(&now), None, false).ok().map(|(user, event)| (user, event.version))
                } else {
                    unban(&now, "automation").ok().map(|(user, event)| (user, event.version))
                };
                prop_assert_eq!(changed.is_some(), was_banned != is_ban);
                if let Some((changed, version)) = changed {
                    changes += 1;
                    prop_assert_eq!(version, Version::FIRST.get() + changes);
                    now = changed;
                }
            }
        }
    }
}

//! Events of the admin service.

use kernel::{Timestamp, UserId};
use serde::{Deserialize, Serialize};

kernel::id!(AlertId, AlertKind, "Something that an admin should know, from when it begins until it is over.");
kernel::id!(DigestId, DigestKind, "A mail about alerts that were raised.");

/// An alert, as a digest has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RaisedAlert {
    /// The alert.
    pub alert_id: AlertId,
    /// Its kind, as in `low_stock`.
    pub kind: String,
    /// The id or the name of what it is about.
    pub subject: String,
    /// A sentence about it.
    pub detail: String,
    /// The beginning of what it is about.
    pub since: Timestamp,
}

events! { "admin";
    /// A user is shut out: their tokens are refused by every service. `banned_by` is an account, or `automation`.
    Immediate "admin.user_banned.v1" by user_id
    UserBanned {
        user_id: UserId,
        reason: String,
        banned_by: String,
        version: i64,
    }

    /// A user may sign in again. `unbanned_by` is an account, or `automation`.
    Immediate "admin.user_unbanned.v1" by user_id
    UserUnbanned {
        user_id: UserId,
        unbanned_by: String,
        version: i64,
    }

    /// Alerts were raised and are still open: the admin is mailed about all of them at once. `rest` counts those for which
    /// `alerts` has no room.
    Background "admin.alerts_raised.v1" by digest_id
    AlertsRaised {
        digest_id: DigestId,
        to: String,
        alerts: Vec<RaisedAlert>,
        rest: i64,
    }
}

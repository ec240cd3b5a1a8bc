//! Events of the admin service.

use kernel::UserId;

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
}

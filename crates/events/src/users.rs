//! What the users service tells.

use kernel::UserId;

events! { "users";
    /// Somebody opened an account.
    Background "users.user_registered.v1" by user_id
    UserRegistered {
        user_id: UserId,
        username: String,
        email: String,
    }

    /// A user changed name or address.
    Background "users.user_profile_updated.v1" by user_id
    UserProfileUpdated {
        user_id: UserId,
        username: String,
        email: String,
        version: i64,
    }
}

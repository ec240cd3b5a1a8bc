//! What the users service tells.

use kernel::{KeyId, Timestamp, UserId};

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

    /// A key by which access tokens are checked, told before it signs any and again at every start.
    /// `public_key` is the 32 bytes of an Ed25519 key as base64url; tokens of the key are good until `not_after`.
    Immediate "users.signing_key_published.v1" by key_id
    SigningKeyPublished {
        key_id: KeyId,
        public_key: String,
        not_after: Timestamp,
    }
}

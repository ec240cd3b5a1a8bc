//! Events of the users service.

use kernel::{KeyId, Timestamp, UserId};

events! { "users";
    /// Somebody opened an account.
    Immediate "users.user_registered.v1" by user_id
    UserRegistered {
        user_id: UserId,
        username: String,
        email: String,
    }

    /// A user changed name or address.
    Immediate "users.user_profile_updated.v1" by user_id
    UserProfileUpdated {
        user_id: UserId,
        username: String,
        email: String,
        version: i64,
    }

    /// Somebody asked for a new password of a user's account. The token is for one use until `expires_at`, and redacted
    /// wherever events are shown.
    Background "users.password_reset_requested.v1" by user_id
    PasswordResetRequested {
        user_id: UserId,
        username: String,
        email: String,
        token: String,
        expires_at: Timestamp,
    }

    /// A user asked for a link that verifies their address. The token is for one use until `expires_at`, and redacted
    /// wherever events are shown.
    Background "users.email_verification_requested.v1" by user_id
    EmailVerificationRequested {
        user_id: UserId,
        username: String,
        email: String,
        token: String,
        expires_at: Timestamp,
    }

    /// A user followed a link that was mailed to their address.
    Background "users.user_email_verified.v1" by user_id
    UserEmailVerified {
        user_id: UserId,
        email: String,
        version: i64,
    }

    /// A user has a new password, and all their sign-ins have ended.
    Background "users.user_password_changed.v1" by user_id
    UserPasswordChanged {
        user_id: UserId,
        username: String,
        email: String,
        version: i64,
    }

    /// A user closed their account: what is known of the person is to be forgotten.
    Background "users.user_deleted.v1" by user_id
    UserDeleted {
        user_id: UserId,
        version: i64,
    }

    /// A user's roles are these from now on: `admin`, or none. `changed_by` is an account, or `automation`.
    Immediate "users.user_roles_changed.v1" by user_id
    UserRolesChanged {
        user_id: UserId,
        roles: Vec<String>,
        changed_by: String,
        version: i64,
    }

    /// A key by which access tokens are checked, published before it signs any and again at every start.
    /// `public_key` is the 32 bytes of an Ed25519 key as base64url; tokens of the key are good until `not_after`.
    Immediate "users.signing_key_published.v1" by key_id
    SigningKeyPublished {
        key_id: KeyId,
        public_key: String,
        not_after: Timestamp,
    }
}

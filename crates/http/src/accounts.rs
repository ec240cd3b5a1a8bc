//! The source of what is known of an account at this moment, beyond its token.

use std::fmt;

use futures_util::future::BoxFuture;
use kernel::UserId;
use storage::accounts::Standing;

use super::Problem;

/// Knows which accounts are banned, and which are admins.
///
/// Asked at each request with a user's token: an answer that was kept would let in whom another instance of the service
/// knows as banned.
pub trait Accounts: fmt::Debug + Send + Sync {
    /// The account's standing now; 503 if nobody can say.
    fn standing(&self, user_id: UserId) -> BoxFuture<'_, Result<Standing, Problem>>;
}

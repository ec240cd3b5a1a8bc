//! Accounts that are banned or have roles, as the events say and as the service's own store has them.
//!
//! Every service reacts to these events, so that each refuses a banned user by itself: it keeps what they say, and then
//! its reaction runs, be it its own or that of every service.

use events::{UserBanned, UserRolesChanged, UserUnbanned};
use futures_util::future::BoxFuture;
use http::{Accounts, Problem};
use kernel::{Envelope, Event, UserId};
use storage::Db;
use storage::accounts::{self, Change, Standing};

use crate::reaction::{Raw, decode};
use crate::{Failure, Selection};

/// The types that say something about an account's standing.
pub(crate) fn types() -> Selection {
    Selection::of::<UserBanned>().and(Selection::of::<UserUnbanned>()).and(Selection::of::<UserRolesChanged>())
}

/// The part of an account that this event reports; `None` if it is of another type.
fn change_of(envelope: &Envelope, body: &[u8]) -> Result<Option<Change>, Failure> {
    let time = envelope.time;
    Ok(Some(match envelope.event_type.as_str() {
        UserBanned::TYPE => {
            let UserBanned { user_id, version, .. } = decode(body)?;
            Change::Ban { user_id, is_banned: true, version, time }
        }
        UserUnbanned::TYPE => {
            let UserUnbanned { user_id, version, .. } = decode(body)?;
            Change::Ban { user_id, is_banned: false, version, time }
        }
        UserRolesChanged::TYPE => {
            let UserRolesChanged { user_id, roles, version, .. } = decode(body)?;
            Change::Roles { user_id, roles, version }
        }
        _ => return Ok(None),
    }))
}

/// Keeps what events say. Repeated with the reaction after it, which may fail, that changes nothing.
pub(crate) async fn keep(db: &Db, deliveries: &[Raw]) -> Result<(), Failure> {
    for delivery in deliveries {
        if let Some(change) = change_of(&delivery.envelope, &delivery.body)? {
            accounts::keep(db, &change).await?;
        }
    }
    Ok(())
}

/// The accounts as a service's store has them: read by key at each question, so that all instances of the service give
/// the same answer from the moment that one of them has handled the event.
#[derive(Clone, Debug)]
pub(crate) struct StoredAccounts(pub Db);

impl Accounts for StoredAccounts {
    fn standing(&self, user_id: UserId) -> BoxFuture<'_, Result<Standing, Problem>> {
        Box::pin(async move { Ok(accounts::standing(&self.0, user_id).await?) })
    }
}

//! Sessions of those who have signed in to the web pages. In memory: with the process they end.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kernel::{Clock, Ids, SignedDuration, Timestamp};
use service::http::auth::digest;

/// The longest that a session lasts.
const ENDS_AFTER: SignedDuration = SignedDuration::from_hours(12);

/// A session ends when it was not used for so long.
const ENDS_UNUSED_AFTER: SignedDuration = SignedDuration::from_hours(2);

/// A link that `up` prints is good for so long, and once.
const LINK_LASTS: SignedDuration = SignedDuration::from_mins(30);

/// Sessions at once. The one that was unused for longest makes room.
const SESSIONS_MAX: usize = 1_000;

/// The right of a session.
#[derive(Clone, Debug)]
pub(super) enum Credential {
    /// An admin token.
    Token(String),
    /// The sign-in of an admin's account, which is renewed before it ends.
    Account {
        /// The token of its requests.
        access: String,
        /// The end of that.
        access_until: Timestamp,
        /// The token for which the next ones are got, once.
        refresh: String,
    },
}

/// A session as its owner sees it.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) credential: Credential,
    /// `automation`, or the id of an account.
    pub(super) actor: String,
    pub(super) ends_at: Timestamp,
    used_at: Timestamp,
}

/// All sessions, by the digest of what their cookies hold.
#[derive(Debug)]
pub(super) struct Sessions {
    clock: Clock,
    ids: Ids,
    all: Mutex<HashMap<[u8; 32], Session>>,
    links: Mutex<HashMap<[u8; 32], Timestamp>>,
    /// Held by who renews the tokens of an account.
    pub(super) renewing: tokio::sync::Mutex<()>,
}

impl Sessions {
    pub(super) fn new(clock: Clock, ids: Ids) -> Self {
        Self { clock, ids, all: Mutex::default(), links: Mutex::default(), renewing: tokio::sync::Mutex::default() }
    }

    /// Begins one. Answers with what its cookie holds.
    pub(super) fn begin(&self, credential: Credential, actor: String) -> String {
        let (cookie, now) = (self.ids.secret().reveal(), self.clock.now());
        let mut all = locked(&self.all);
        all.retain(|_, session| session.lasts(now));
        if all.len() >= SESSIONS_MAX {
            let unused = all.iter().min_by_key(|(_, session)| session.used_at).map(|(key, _)| *key);
            unused.and_then(|key| all.remove(&key));
        }
        let session = Session { credential, actor, ends_at: now + ENDS_AFTER, used_at: now };
        all.insert(digest(cookie.as_bytes()), session);
        cookie
    }

    /// The session of a cookie, which is used with that.
    pub(super) fn of(&self, cookie: &str) -> Option<Session> {
        let now = self.clock.now();
        let mut all = locked(&self.all);
        let session = all.get_mut(&digest(cookie.as_bytes())).filter(|session| session.lasts(now))?;
        session.used_at = now;
        Some(session.clone())
    }

    /// Keeps the new tokens of a session.
    pub(super) fn renew(&self, cookie: &str, credential: Credential) {
        if let Some(session) = locked(&self.all).get_mut(&digest(cookie.as_bytes())) {
            session.credential = credential;
        }
    }

    /// Ends one.
    pub(super) fn end(&self, cookie: &str) {
        locked(&self.all).remove(&digest(cookie.as_bytes()));
    }

    /// The secret of a new link that signs in once.
    pub(super) fn link(&self) -> String {
        let (secret, now) = (self.ids.secret().reveal(), self.clock.now());
        let mut links = locked(&self.links);
        links.retain(|_, until| now < *until);
        links.insert(digest(secret.as_bytes()), now + LINK_LASTS);
        secret
    }

    /// True for a link that was not used before; it is used with that.
    pub(super) fn use_link(&self, secret: &str) -> bool {
        let until = locked(&self.links).remove(&digest(secret.as_bytes()));
        until.is_some_and(|until| self.clock.now() < until)
    }
}

impl Session {
    fn lasts(&self, now: Timestamp) -> bool {
        now < self.ends_at && now < self.used_at + ENDS_UNUSED_AFTER
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions() -> (Sessions, kernel::MockClock) {
        let (clock, hands) = Clock::mock("2026-01-01T12:00:00Z".parse().unwrap());
        (Sessions::new(clock.clone(), Ids::new(clock)), hands)
    }

    fn begin(sessions: &Sessions) -> String {
        sessions.begin(Credential::Token("secret".to_owned()), "automation".to_owned())
    }

    #[test]
    fn a_session_ends_when_it_is_not_used_and_at_the_latest_after_twelve_hours() {
        let (sessions, hands) = sessions();
        let (used, unused) = (begin(&sessions), begin(&sessions));
        for _ in 0..11 {
            hands.advance(SignedDuration::from_hours(1));
            assert!(sessions.of(&used).is_some());
        }
        assert!(sessions.of(&unused).is_none());
        hands.advance(SignedDuration::from_hours(1));
        assert!(sessions.of(&used).is_none());
    }

    #[test]
    fn a_session_that_was_ended_and_one_that_never_began_are_none() {
        let (sessions, _) = sessions();
        let cookie = begin(&sessions);
        sessions.end(&cookie);
        assert!(sessions.of(&cookie).is_none());
        assert!(sessions.of("").is_none());
    }

    #[test]
    fn the_session_that_was_unused_for_longest_makes_room() {
        let (sessions, hands) = sessions();
        let first = begin(&sessions);
        hands.advance(SignedDuration::from_secs(1));
        let others: Vec<String> = (0..SESSIONS_MAX).map(|_| begin(&sessions)).collect();
        assert!(sessions.of(&first).is_none());
        assert!(others.iter().all(|cookie| sessions.of(cookie).is_some()));
    }

    #[test]
    fn a_link_is_good_once_and_for_half_an_hour() {
        let (sessions, hands) = sessions();
        let (link, late) = (sessions.link(), sessions.link());
        assert_eq!((sessions.use_link(&link), sessions.use_link(&link)), (true, false));
        hands.advance(LINK_LASTS);
        assert!(!sessions.use_link(&late));
        assert!(!sessions.use_link(""));
    }
}

//! Passwords: which are good enough, and how they are hashed.

mod common;

use std::borrow::Cow;
use std::fmt;
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use axum::http::StatusCode;
use kernel::text;
use serde::Deserialize;
use service::http::{Fields, Problem};
use tokio::sync::Semaphore;
use utoipa::ToSchema;

/// NIST SP 800-63B asks for at least 8 characters.
const LENGTH_MIN: usize = 8;

/// Far beyond what anybody remembers. Longer ones are refused before they are hashed, for to cut one would weaken it
/// unseen.
const BYTES_MAX: usize = 1_024;

/// The costs that OWASP advises for argon2id: memory in KiB, passes, lanes.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Passwords that wait for a core at most. At some 20 ms a hash, whoever is let in waits for a second or two.
const WAITING_MAX: usize = 64;

/// A password as the user typed it: never trimmed, never cut, never shown.
///
/// It is hashed in normal form C (NIST SP 800-63B §5.1.1.2), for devices send the same letters composed or decomposed.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(as = NewPassword, value_type = String, format = Password, min_length = 8, max_length = 1024,
    example = "correct horse battery")]
pub(crate) struct Password(String);

impl Password {
    /// Checks that it may be a new password.
    pub fn check(&self, fields: &mut Fields) {
        let is_long_enough = self.normalised().chars().count() >= LENGTH_MIN;
        fields.check(is_long_enough, "password", "length", format!("at least {LENGTH_MIN} characters"));
        self.check_size(fields, "password");
        let is_common = self.0.len() <= BYTES_MAX && common::is_common(&self.normalised());
        fields.check(!is_common, "password", "common", "a password that is not among the most common ones");
    }

    /// True if it is of a size that is hashed at all.
    pub fn check_size(&self, fields: &mut Fields, field: &str) {
        fields.check(self.0.len() <= BYTES_MAX, field, "length", format!("at most {BYTES_MAX} bytes"));
    }

    fn normalised(&self) -> Cow<'_, str> {
        text::nfc(&self.0)
    }

    #[cfg(test)]
    pub fn of(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// An argon2id hash with its salt and costs, as a PHC string.
#[derive(Clone)]
pub(crate) struct PasswordHash(String);

impl PasswordHash {
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The hash that is verified where there is no account, or one without a password: at the costs of now, and no
    /// password's hash.
    pub fn of_nobody() -> Self {
        let (salt, hash) = ("bm9ib2R5IGhhcyB0aGlz", "A".repeat(43));
        Self(format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${hash}"))
    }
}

/// The result of the check of a password.
#[derive(Debug)]
pub(crate) enum Verdict {
    Wrong,
    /// `rehashed` is made as hashes are made now, where the stored one was not.
    Right {
        rehashed: Option<PasswordHash>,
    },
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// Hashes passwords, one for each core at a time, so that a wave of them neither starves the requests beside it
/// nor takes 19 MiB for every one of them.
#[derive(Clone, Debug)]
pub(crate) struct Hasher {
    admitted: Arc<Semaphore>,
    cores: Arc<Semaphore>,
    computed: Arc<AtomicU64>,
}

impl Hasher {
    /// A hasher for all cores of the machine.
    pub fn for_this_machine() -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        Self::with_bounds(cores + WAITING_MAX, cores)
    }

    fn with_bounds(admitted: usize, cores: usize) -> Self {
        let (admitted, cores) = (Arc::new(Semaphore::new(admitted)), Arc::new(Semaphore::new(cores)));
        Self { admitted, cores, computed: Arc::default() }
    }

    /// 429 `too_many_requests` if too many wait already.
    pub async fn hash(&self, password: Password) -> Result<PasswordHash, Problem> {
        let computed = self.computed.clone();
        self.run(move || hash(&password, &computed)).await
    }

    /// True if it is the password with this hash; without a hash it isn't, after the same work.
    /// 429 `too_many_requests` if too many wait already.
    pub async fn verify(&self, password: Password, hash: Option<PasswordHash>) -> Result<Verdict, Problem> {
        let computed = self.computed.clone();
        self.run(move || verify(&password, &hash.unwrap_or_else(PasswordHash::of_nobody), &computed)).await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let admitted = self.admitted.clone().try_acquire_owned().map_err(|_| too_many_requests())?;
        let core = self.cores.clone().acquire_owned().await.expect("the semaphore is never closed");
        // The thread holds the permits: a client that hangs up ends the wait, but not the work.
        let working = tokio::task::spawn_blocking(move || {
            let _permits = (admitted, core);
            work()
        });
        working.await.map_err(|error| {
            tracing::error!(%error, "a password could not be hashed");
            Problem::internal()
        })
    }

    /// Number of computed hashes.
    #[cfg(test)]
    pub fn computed(&self) -> u64 {
        self.computed.load(Ordering::SeqCst)
    }
}

fn params() -> Params {
    Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the costs are within argon2's bounds")
}

fn hash(password: &Password, computed: &AtomicU64) -> PasswordHash {
    computed.fetch_add(1, Ordering::SeqCst);
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params());
    let hash =
        argon2.hash_password(password.normalised().as_bytes()).expect("password and salt are within argon2's bounds");
    PasswordHash(hash.to_string())
}

fn verify(password: &Password, stored: &PasswordHash, computed: &AtomicU64) -> Verdict {
    let parsed = argon2::PasswordHash::new(stored.as_str());
    let Ok(parsed) = parsed.inspect_err(|error| tracing::error!(%error, "a stored hash is none")) else {
        return Verdict::Wrong;
    };
    let is_of = |text: &str| {
        computed.fetch_add(1, Ordering::SeqCst);
        // The costs are those of the stored hash.
        Argon2::default().verify_password(text.as_bytes(), &parsed).is_ok()
    };
    let normalised = password.normalised();
    let is_of_normalised = is_of(&normalised);
    // Hashes of earlier versions are of the letters as they were typed.
    let is_of_typed = || normalised != password.0 && is_of(&password.0);
    if !is_of_normalised && !is_of_typed() {
        return Verdict::Wrong;
    }
    let has_costs_of_now = Params::try_from(&parsed)
        .is_ok_and(|stored| (stored.m_cost(), stored.t_cost(), stored.p_cost()) == (MEMORY_KIB, PASSES, LANES));
    let is_made_as_now = is_of_normalised && has_costs_of_now;
    Verdict::Right { rehashed: (!is_made_as_now).then(|| hash(password, computed)) }
}

fn too_many_requests() -> Problem {
    let detail = "too many sign in or register at this moment: try again in a second";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail).retry_after(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_long_and_common_passwords_are_refused() {
        let long = "éa-".repeat(BYTES_MAX / 4);
        for (text, is_good) in [
            ("correct horse", true),
            ("  spaced  ", true),
            (&*long, true),
            ("seven77", false),
            (&*format!("{long}!"), false),
            ("PassWord123", false),
        ] {
            let mut fields = Fields::new();
            Password::of(text).check(&mut fields);
            assert_eq!(fields.finish().is_ok(), is_good, "{text}");
        }
    }

    #[tokio::test]
    async fn a_hash_verifies_its_own_password_only() {
        let hasher = Hasher::for_this_machine();
        let hash = hasher.hash(Password::of("correct horse ")).await.unwrap();
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.as_str());
        let verify = async |text| hasher.verify(Password::of(text), Some(hash.clone())).await.unwrap();
        assert!(matches!(verify("correct horse ").await, Verdict::Right { rehashed: None }));
        assert!(matches!(verify("correct horse").await, Verdict::Wrong));
        assert!(matches!(hasher.verify(Password::of("correct horse "), None).await.unwrap(), Verdict::Wrong));
    }

    #[tokio::test]
    async fn a_hash_with_other_costs_is_made_anew_once_its_password_is_shown() {
        let cheap = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8_192, 1, 1, None).unwrap());
        let old = PasswordHash(cheap.hash_password(b"correct horse").unwrap().to_string());
        let hasher = Hasher::for_this_machine();
        let verdict = hasher.verify(Password::of("correct horse"), Some(old.clone())).await.unwrap();
        let Verdict::Right { rehashed: Some(hash) } = verdict else { panic!("{verdict:?}") };
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.as_str());
        let wrong = hasher.verify(Password::of("battery staple"), Some(old)).await.unwrap();
        assert!(matches!(wrong, Verdict::Wrong));
    }

    #[tokio::test]
    async fn a_password_is_the_same_in_both_normal_forms_and_one_that_was_hashed_as_typed_is_still_right() {
        let (composed, decomposed) = ("Frühstück mit Käse", "Fru\u{308}hstu\u{308}ck mit Ka\u{308}se");
        let hasher = Hasher::for_this_machine();
        let made = hasher.hash(Password::of(decomposed)).await.unwrap();
        for typed in [composed, decomposed] {
            let verdict = hasher.verify(Password::of(typed), Some(made.clone())).await.unwrap();
            assert!(matches!(verdict, Verdict::Right { rehashed: None }), "{typed}");
        }
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params());
        let as_typed = PasswordHash(argon2.hash_password(decomposed.as_bytes()).unwrap().to_string());
        let verdict = hasher.verify(Password::of(decomposed), Some(as_typed)).await.unwrap();
        let Verdict::Right { rehashed: Some(anew) } = verdict else { panic!("{verdict:?}") };
        let verdict = hasher.verify(Password::of(composed), Some(anew)).await.unwrap();
        assert!(matches!(verdict, Verdict::Right { rehashed: None }), "from then on in either form");
    }

    #[tokio::test]
    async fn what_stands_for_no_account_costs_what_an_account_does() {
        let of_nobody = PasswordHash::of_nobody();
        let parsed = argon2::PasswordHash::new(of_nobody.as_str()).unwrap();
        assert_eq!(parsed.algorithm.as_str(), "argon2id");
        let costs = Params::try_from(&parsed).unwrap();
        assert_eq!((costs.m_cost(), costs.t_cost(), costs.p_cost()), (MEMORY_KIB, PASSES, LANES));
        let hasher = Hasher::for_this_machine();
        let made = hasher.hash(Password::of("correct horse")).await.unwrap();
        let made = argon2::PasswordHash::new(made.as_str()).unwrap();
        assert_eq!(parsed.hash.map(|it| it.len()), made.hash.map(|it| it.len()), "as long a hash");
    }

    #[tokio::test]
    async fn a_full_queue_refuses_and_empties_again() {
        let hasher = Hasher::with_bounds(1, 1);
        let (first, second) =
            tokio::join!(hasher.hash(Password::of("correct horse")), hasher.verify(Password::of("battery"), None));
        assert!(first.is_ok());
        assert_eq!(second.unwrap_err().status(), StatusCode::TOO_MANY_REQUESTS);
        assert!(hasher.hash(Password::of("battery staple")).await.is_ok());
    }

    #[test]
    fn a_password_is_never_shown() {
        assert_eq!(format!("{:?}", Password::of("correct horse")), "Password(…)");
        assert_eq!(format!("{:?}", PasswordHash::of_nobody()), "PasswordHash(…)");
    }
}

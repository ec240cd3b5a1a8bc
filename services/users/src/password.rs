//! Passwords: which are good enough, and how they are hashed.

use std::fmt;
use std::num::NonZero;
use std::sync::Arc;
use std::thread;

use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
use axum::http::StatusCode;
use serde::Deserialize;
use service::http::{Fields, Problem};
use tokio::sync::Semaphore;
use utoipa::ToSchema;

/// NIST SP 800-63B asks for at least 8 characters.
const LENGTH_MIN: usize = 8;

/// In characters, so at most 512 bytes. Longer ones are refused, for to cut one would weaken it unseen.
const LENGTH_MAX: usize = 128;

/// The costs that OWASP advises for argon2id: memory in KiB, passes, lanes.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Registrations that wait for a core at most. At some 20 ms a hash, whoever is let in waits for a second or two.
const WAITING_MAX: usize = 64;

/// The most common passwords of leaked lists that are long enough to pass otherwise, in lower case.
const MOST_COMMON: &[&str] = &[
    "00000000",
    "11111111",
    "12341234",
    "12345678",
    "123456789",
    "1234567890",
    "123123123",
    "1q2w3e4r",
    "1q2w3e4r5t",
    "1qaz2wsx",
    "87654321",
    "88888888",
    "987654321",
    "abc12345",
    "abcd1234",
    "administrator",
    "admin123",
    "asdfghjk",
    "asdfghjkl",
    "baseball",
    "changeme",
    "computer",
    "dragon123",
    "football",
    "iloveyou",
    "letmein1",
    "liverpool",
    "michelle",
    "passw0rd",
    "password",
    "password1",
    "password12",
    "password123",
    "princess",
    "q1w2e3r4",
    "qwer1234",
    "qwerty12",
    "qwerty123",
    "qwertyui",
    "qwertyuiop",
    "starwars",
    "sunshine",
    "superman",
    "trustno1",
    "welcome1",
    "welcome123",
    "whatever",
    "zaq12wsx",
];

/// A password as the user typed it: never trimmed, never cut, never shown.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, format = Password, min_length = 8, max_length = 128)]
pub(crate) struct Password(String);

impl Password {
    pub fn check(&self, fields: &mut Fields) {
        let fits = (LENGTH_MIN..=LENGTH_MAX).contains(&self.0.chars().count());
        fields.check(fits, "password", "length", format!("{LENGTH_MIN} to {LENGTH_MAX} characters"));
        let is_common = MOST_COMMON.contains(&self.0.to_lowercase().as_str());
        fields.check(!is_common, "password", "common", "a password that is not among the most common ones");
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
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// Hashes passwords, one for each core at a time, so that a wave of registrations neither starves the requests
/// beside it nor takes 19 MiB for every one of them.
#[derive(Clone, Debug)]
pub struct Hasher {
    admitted: Arc<Semaphore>,
    cores: Arc<Semaphore>,
}

impl Hasher {
    /// A hasher for all cores of the machine.
    pub fn for_this_machine() -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        Self { admitted: Arc::new(Semaphore::new(cores + WAITING_MAX)), cores: Arc::new(Semaphore::new(cores)) }
    }

    /// 429 `too_many_requests` if too many wait already.
    pub(crate) async fn hash(&self, password: Password) -> Result<PasswordHash, Problem> {
        let admitted = self.admitted.clone().try_acquire_owned().map_err(|_| too_many_requests())?;
        let core = self.cores.clone().acquire_owned().await.expect("the semaphore is never closed");
        // The thread holds the permits: a client that hangs up ends the wait, but not the work.
        let hashing = tokio::task::spawn_blocking(move || {
            let _permits = (admitted, core);
            hash(&password)
        });
        hashing.await.map_err(|error| {
            tracing::error!(%error, "a password could not be hashed");
            Problem::internal()
        })
    }
}

fn hash(password: &Password) -> PasswordHash {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the costs are within argon2's bounds");
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash = argon2.hash_password(password.0.as_bytes()).expect("password and salt are within argon2's bounds");
    PasswordHash(hash.to_string())
}

fn too_many_requests() -> Problem {
    let detail = "too many register at this moment: try again in a second";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail).retry_after(1)
}

#[cfg(test)]
mod tests {
    use argon2::PasswordVerifier;

    use super::*;

    fn password(text: &str) -> Password {
        Password(text.to_owned())
    }

    #[test]
    fn short_long_and_common_passwords_are_refused() {
        let long = "é".repeat(LENGTH_MAX);
        for (text, is_good) in [
            ("correct horse", true),
            ("  spaced  ", true),
            (&*long, true),
            ("seven77", false),
            (&*format!("{long}!"), false),
            ("PassWord123", false),
        ] {
            let mut fields = Fields::new();
            password(text).check(&mut fields);
            assert_eq!(fields.finish().is_ok(), is_good, "{text}");
        }
    }

    #[test]
    fn only_passwords_that_are_long_enough_need_to_be_listed_as_common() {
        assert!(MOST_COMMON.iter().all(|text| text.len() >= LENGTH_MIN && *text == text.to_lowercase()));
    }

    #[tokio::test]
    async fn a_hash_verifies_its_own_password_only() {
        let hasher = Hasher::for_this_machine();
        let hash = hasher.hash(password("correct horse ")).await.unwrap();
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.as_str());
        let parsed = argon2::PasswordHash::new(hash.as_str()).unwrap();
        assert!(Argon2::default().verify_password(b"correct horse ", &parsed).is_ok());
        assert!(Argon2::default().verify_password(b"correct horse", &parsed).is_err());
    }

    #[tokio::test]
    async fn a_full_queue_refuses_and_empties_again() {
        let hasher = Hasher { admitted: Arc::new(Semaphore::new(1)), cores: Arc::new(Semaphore::new(1)) };
        let (first, second) =
            tokio::join!(hasher.hash(password("correct horse")), hasher.hash(password("battery staple")));
        assert!(first.is_ok());
        assert_eq!(second.unwrap_err().status(), StatusCode::TOO_MANY_REQUESTS);
        assert!(hasher.hash(password("battery staple")).await.is_ok());
    }

    #[test]
    fn a_password_is_never_shown() {
        assert_eq!(format!("{:?}", password("correct horse")), "Password(…)");
    }
}

//! Who may do what.

use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::Problem;
use crate::Ctx;

/// Checks tokens. Holds digests only.
#[derive(Debug)]
pub struct Auth {
    admins: Vec<[u8; 32]>,
}

impl Auth {
    /// Accepts the admin tokens with these digests.
    pub fn new(admins: Vec<[u8; 32]>) -> Self {
        Self { admins }
    }

    /// Whether these headers carry the admin token.
    pub fn is_admin(&self, headers: &HeaderMap) -> bool {
        self.caller(headers).is_ok_and(|caller| caller.is_admin)
    }

    fn caller(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        let order_token = headers.get("x-order-token").map(|value| digest(value.as_bytes()));
        let Some(header) = headers.get(header::AUTHORIZATION) else {
            return Ok(Caller { is_admin: false, order_token });
        };
        let token = header.as_bytes().strip_prefix(b"Bearer ").ok_or_else(Problem::unauthenticated)?;
        let sent = digest(token);
        if self.admins.iter().any(|admin| bool::from(sent.ct_eq(admin))) {
            return Ok(Caller { is_admin: true, order_token });
        }
        Err(Problem::unauthenticated())
    }
}

/// SHA-256 of a token: what is kept instead of it. Tokens are 256 random bits, so no salt is needed.
pub fn digest(token: &[u8]) -> [u8; 32] {
    Sha256::digest(token).into()
}

/// Who sent the request: an extractor. A bad token is 401; none at all is a guest.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Sent the admin token.
    pub is_admin: bool,
    order_token: Option<[u8; 32]>,
}

impl Caller {
    /// Whether the caller sent the order token with this digest.
    pub fn holds_order_token(&self, expected: &[u8]) -> bool {
        self.order_token.is_some_and(|sent| bool::from(sent.as_slice().ct_eq(expected)))
    }

    /// The digest of the order token that the caller sent.
    pub fn order_token(&self) -> Option<&[u8]> {
        self.order_token.as_ref().map(<[u8; 32]>::as_slice)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller
where
    Arc<Auth>: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        Arc::<Auth>::from_ref(state).caller(&parts.headers)
    }
}

/// Admits only the admin: an extractor. 401 without a good token.
#[derive(Clone, Copy, Debug)]
pub struct Admin;

impl<S: Send + Sync> FromRequestParts<S> for Admin
where
    Arc<Auth>: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let caller = Arc::<Auth>::from_ref(state).caller(&parts.headers)?;
        if caller.is_admin { Ok(Self) } else { Err(Problem::unauthenticated()) }
    }
}

impl<S> FromRef<Ctx<S>> for Arc<Auth> {
    fn from_ref(ctx: &Ctx<S>) -> Self {
        ctx.auth.clone()
    }
}

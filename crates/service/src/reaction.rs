//! Reactions: typed handlers behind one erased shape.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use kernel::{Cause, DeliveryCause, Envelope, Event, Lane, Origin};
use storage::Committed;

use crate::{Ctx, Failure, Selection, accounts};

/// An event that arrived, decoded.
#[derive(Debug)]
pub struct Delivery<E> {
    /// The event.
    pub event: E,
    /// Its id, type, source, key and time, and from what it followed.
    pub envelope: Envelope,
    /// No further attempt follows: what fails now is parked.
    pub is_last_attempt: bool,
    cause: DeliveryCause,
}

impl<E> Delivery<E> {
    /// The cause of the commit: pass it to [`Ctx::commit`].
    pub fn cause(self) -> Cause {
        Cause::Deliveries(vec![self.cause])
    }

    /// The fields that events which follow from this one inherit; see [`Batch::caused_by`](storage::Batch::caused_by).
    pub fn origin(&self) -> &Origin {
        &self.cause.origin
    }
}

/// The cause of the commit of a whole set.
pub fn causes<E>(deliveries: Vec<Delivery<E>>) -> Cause {
    Cause::Deliveries(deliveries.into_iter().map(|delivery| delivery.cause).collect())
}

/// A delivery before it is decoded.
#[derive(Clone, Debug)]
pub(crate) struct Raw {
    pub envelope: Envelope,
    pub body: Bytes,
    pub is_last_attempt: bool,
    pub cause: DeliveryCause,
}

impl Raw {
    fn undecoded(self) -> Delivery<Bytes> {
        let Self { envelope, body, is_last_attempt, cause } = self;
        Delivery { event: body, envelope, is_last_attempt, cause }
    }

    fn decode<E: Event>(self) -> Result<Delivery<E>, Failure> {
        let event = serde_json::from_slice(&self.body)
            .map_err(|error| Failure::park(format!("the body is no {}: {error}", E::TYPE)))?;
        Ok(Delivery { event, envelope: self.envelope, is_last_attempt: self.is_last_attempt, cause: self.cause })
    }
}

type Handled = BoxFuture<'static, Result<Committed, Failure>>;
type HandleOne<S> = Arc<dyn Fn(Ctx<S>, Raw) -> Handled + Send + Sync>;
type HandleMany<S> = Arc<dyn Fn(Ctx<S>, Vec<Raw>) -> Handled + Send + Sync>;

/// The reaction of a service to one type of event.
pub(crate) struct Reaction<S> {
    pub event_type: &'static str,
    pub lane: Lane,
    pub handler: Handler<S>,
    pub rank: Rank,
}

/// The place of a reaction among those to the same type: the highest stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// Every service has it, and any of its own takes its place.
    Common,
    /// One of a selection.
    Selected,
    /// To its type alone.
    Typed,
}

pub(crate) enum Handler<S> {
    /// Of one type, one delivery at a time.
    One(HandleOne<S>),
    /// Of one type, many at a time.
    Many(HandleMany<S>),
    /// Of all types of a selection, many at a time: all its types have the same.
    Set(HandleMany<S>),
}

impl<S> Clone for Handler<S> {
    fn clone(&self) -> Self {
        match self {
            Self::One(handle) => Self::One(handle.clone()),
            Self::Many(handle) => Self::Many(handle.clone()),
            Self::Set(handle) => Self::Set(handle.clone()),
        }
    }
}

impl<S: Clone + Send + Sync + 'static> Reaction<S> {
    pub fn one<E, F, Fut>(handle: F) -> Self
    where
        E: Event,
        F: Fn(Ctx<S>, Delivery<E>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Committed, Failure>> + Send + 'static,
    {
        let handle = Arc::new(handle);
        let erased = move |ctx: Ctx<S>, raw: Raw| -> Handled {
            let handle = handle.clone();
            Box::pin(async move { handle(ctx, raw.decode()?).await })
        };
        Self { event_type: E::TYPE, lane: E::LANE, handler: Handler::One(Arc::new(erased)), rank: Rank::Typed }
    }

    pub fn many<E, F, Fut>(handle: F) -> Self
    where
        E: Event,
        F: Fn(Ctx<S>, Vec<Delivery<E>>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Committed, Failure>> + Send + 'static,
    {
        let handle = Arc::new(handle);
        let erased = move |ctx: Ctx<S>, raws: Vec<Raw>| -> Handled {
            let handle = handle.clone();
            Box::pin(async move {
                let deliveries = raws.into_iter().map(Raw::decode).collect::<Result<Vec<_>, _>>()?;
                handle(ctx, deliveries).await
            })
        };
        Self { event_type: E::TYPE, lane: E::LANE, handler: Handler::Many(Arc::new(erased)), rank: Rank::Typed }
    }
}

impl<S: Clone + Send + Sync + 'static> Reaction<S> {
    /// One handler of a service for all types of a selection.
    pub fn any<F, Fut>(selection: &Selection, handle: F) -> impl Iterator<Item = Self>
    where
        F: Fn(Ctx<S>, Delivery<Bytes>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Committed, Failure>> + Send + 'static,
    {
        Self::ranked(selection, Rank::Selected, handle)
    }

    /// One handler of a service for all types of a selection, many deliveries at a time.
    pub fn any_many<F, Fut>(selection: &Selection, handle: F) -> impl Iterator<Item = Self>
    where
        F: Fn(Ctx<S>, Vec<Delivery<Bytes>>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Committed, Failure>> + Send + 'static,
    {
        let handle = Arc::new(handle);
        let accounts = Arc::new(accounts::types());
        let erased = move |ctx: Ctx<S>, raws: Vec<Raw>| -> Handled {
            let (handle, accounts) = (handle.clone(), accounts.clone());
            Box::pin(async move {
                for raw in raws.iter().filter(|raw| accounts.contains(&raw.envelope.event_type)) {
                    accounts::keep(&ctx.db, &raw.envelope, &raw.body).await?;
                }
                handle(ctx, raws.into_iter().map(Raw::undecoded).collect()).await
            })
        };
        let handle: HandleMany<S> = Arc::new(erased);
        selection.types().map(move |(event_type, lane)| Self {
            event_type,
            lane,
            handler: Handler::Set(handle.clone()),
            rank: Rank::Selected,
        })
    }

    /// One handler that every service has for all types of a selection.
    pub fn of_all<F, Fut>(selection: &Selection, handle: F) -> impl Iterator<Item = Self>
    where
        F: Fn(Ctx<S>, Delivery<Bytes>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Committed, Failure>> + Send + 'static,
    {
        Self::ranked(selection, Rank::Common, handle)
    }

    fn ranked<F, Fut>(selection: &Selection, rank: Rank, handle: F) -> impl Iterator<Item = Self>
    where
        F: Fn(Ctx<S>, Delivery<Bytes>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Committed, Failure>> + Send + 'static,
    {
        let erased = move |ctx: Ctx<S>, raw: Raw| -> Handled { Box::pin(handle(ctx, raw.undecoded())) };
        let handle: HandleOne<S> = Arc::new(erased);
        selection.types().map(move |(event_type, lane)| Self {
            event_type,
            lane,
            handler: Handler::One(handle.clone()),
            rank,
        })
    }

    /// Adds a reaction: a service handles each type once, so a reaction to one type stands before a selection's, and both
    /// before what every service has.
    ///
    /// # Panics
    ///
    /// If there are two reactions to one type alone, or two selections that both name it: one of them would never run.
    pub fn add(self, reactions: &mut Vec<Self>) {
        let added = self.after_accounts();
        let Some(other) = reactions.iter_mut().find(|other| other.event_type == added.event_type) else {
            return reactions.push(added);
        };
        assert!(
            other.rank != added.rank,
            "there are two reactions to {}: a service handles each type once",
            added.event_type
        );
        if other.rank < added.rank {
            *other = added;
        }
    }

    /// The same reaction; one to an account's standing runs once that is kept.
    fn after_accounts(self) -> Self {
        if !accounts::types().contains(self.event_type) {
            return self;
        }
        let handler = match self.handler {
            Handler::One(handle) => Handler::One(Arc::new(move |ctx: Ctx<S>, raw: Raw| -> Handled {
                let handle = handle.clone();
                Box::pin(async move {
                    accounts::keep(&ctx.db, &raw.envelope, &raw.body).await?;
                    handle(ctx, raw).await
                })
            })),
            Handler::Many(handle) => Handler::Many(Arc::new(move |ctx: Ctx<S>, raws: Vec<Raw>| -> Handled {
                let handle = handle.clone();
                Box::pin(async move {
                    for raw in &raws {
                        accounts::keep(&ctx.db, &raw.envelope, &raw.body).await?;
                    }
                    handle(ctx, raws).await
                })
            })),
            // It keeps what they say itself, for it stays the same for all its types.
            Handler::Set(handle) => Handler::Set(handle),
        };
        Self { handler, ..self }
    }
}

impl<S> Handler<S> {
    /// Handles one delivery, whichever shape the handler has.
    pub fn call_one(&self, ctx: Ctx<S>, raw: Raw) -> Handled {
        match self {
            Self::One(handle) => handle(ctx, raw),
            Self::Many(handle) | Self::Set(handle) => handle(ctx, vec![raw]),
        }
    }

    /// Tests if both are of one selection that handles many deliveries at a time.
    pub fn is_of_set_of(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Set(one), Self::Set(other)) if Arc::ptr_eq(one, other))
    }
}

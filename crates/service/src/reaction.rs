//! Reactions: typed handlers behind one erased shape.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use kernel::{Cause, DeliveryCause, Envelope, Event, Lane, Origin};
use storage::Committed;

use crate::{Ctx, CtxParts, Failure, Selection};

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
    /// The cause of the commit: pass it to [`CtxParts::commit`].
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
        let event = decode(&self.body)?;
        Ok(Delivery { event, envelope: self.envelope, is_last_attempt: self.is_last_attempt, cause: self.cause })
    }
}

/// Reads an event from its body. What is no such event never will be: it is parked.
pub(crate) fn decode<E: Event>(body: &[u8]) -> Result<E, Failure> {
    E::decode(body).map_err(|error| Failure::park(format!("the body is no {}: {error}", E::TYPE)))
}

pub(crate) type Handled = BoxFuture<'static, Result<Committed, Failure>>;
type HandleOne = Arc<dyn Fn(Arc<CtxParts>, Raw) -> Handled + Send + Sync>;
type HandleMany = Arc<dyn Fn(Arc<CtxParts>, Vec<Raw>) -> Handled + Send + Sync>;

/// The reaction of a service to one type of event, bound to the service's state.
pub(crate) struct Reaction {
    pub event_type: &'static str,
    pub lane: Lane,
    pub handler: Handler,
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

#[derive(Clone)]
pub(crate) enum Handler {
    /// Of one type, one delivery at a time.
    One(HandleOne),
    /// Of one type, many at a time.
    Many(HandleMany),
    /// Of all types of a selection, many at a time: all its types have the same.
    Set(HandleMany),
}

impl Reaction {
    pub fn one<S, E, F, Fut>(state: &Arc<S>, handle: F) -> Self
    where
        S: Send + Sync + 'static,
        E: Event,
        F: Fn(Ctx<S>, Delivery<E>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Committed, Failure>> + Send + 'static,
    {
        let state = state.clone();
        let erased = move |parts: Arc<CtxParts>, raw: Raw| -> Handled {
            match raw.decode() {
                Ok(delivery) => Box::pin(handle(Ctx::new(parts, state.clone()), delivery)),
                Err(failure) => refused(failure),
            }
        };
        Self { event_type: E::TYPE, lane: E::LANE, handler: Handler::One(Arc::new(erased)), rank: Rank::Typed }
    }

    pub fn many<S, E, F, Fut>(state: &Arc<S>, handle: F) -> Self
    where
        S: Send + Sync + 'static,
        E: Event,
        F: Fn(Ctx<S>, Vec<Delivery<E>>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Committed, Failure>> + Send + 'static,
    {
        let state = state.clone();
        let erased = move |parts: Arc<CtxParts>, raws: Vec<Raw>| -> Handled {
            match raws.into_iter().map(Raw::decode).collect::<Result<Vec<_>, _>>() {
                Ok(deliveries) => Box::pin(handle(Ctx::new(parts, state.clone()), deliveries)),
                Err(failure) => refused(failure),
            }
        };
        Self { event_type: E::TYPE, lane: E::LANE, handler: Handler::Many(Arc::new(erased)), rank: Rank::Typed }
    }

    /// One handler of a service for all types of a selection.
    pub fn any<S, F, Fut>(state: &Arc<S>, selection: &Selection, handle: F) -> impl Iterator<Item = Self>
    where
        S: Send + Sync + 'static,
        F: Fn(Ctx<S>, Delivery<Bytes>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Committed, Failure>> + Send + 'static,
    {
        Self::of_selection(selection, Rank::Selected, Handler::undecoded(state, handle))
    }

    /// One handler of a service for all types of a selection, many deliveries at a time.
    pub fn any_many<S, F, Fut>(state: &Arc<S>, selection: &Selection, handle: F) -> impl Iterator<Item = Self>
    where
        S: Send + Sync + 'static,
        F: Fn(Ctx<S>, Vec<Delivery<Bytes>>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Committed, Failure>> + Send + 'static,
    {
        let state = state.clone();
        let erased = move |parts: Arc<CtxParts>, raws: Vec<Raw>| -> Handled {
            let deliveries = raws.into_iter().map(Raw::undecoded).collect();
            Box::pin(handle(Ctx::new(parts, state.clone()), deliveries))
        };
        Self::of_selection(selection, Rank::Selected, Handler::Set(Arc::new(erased)))
    }

    /// One handler that every service has for all types of a selection.
    pub fn of_all<S, F, Fut>(state: &Arc<S>, selection: &Selection, handle: F) -> impl Iterator<Item = Self>
    where
        S: Send + Sync + 'static,
        F: Fn(Ctx<S>, Delivery<Bytes>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Committed, Failure>> + Send + 'static,
    {
        Self::of_selection(selection, Rank::Common, Handler::undecoded(state, handle))
    }

    fn of_selection(selection: &Selection, rank: Rank, handler: Handler) -> impl Iterator<Item = Self> {
        selection.types().map(move |(event_type, lane)| Self { event_type, lane, handler: handler.clone(), rank })
    }

    /// Adds a reaction: a service handles each type once, so a reaction to one type stands before a selection's, and both
    /// before what every service has.
    ///
    /// # Panics
    ///
    /// If there are two reactions to one type alone, or two selections that both name it: one of them would never run.
    pub fn add(self, reactions: &mut Vec<Self>) {
        let Some(other) = reactions.iter_mut().find(|other| other.event_type == self.event_type) else {
            return reactions.push(self);
        };
        assert!(
            other.rank != self.rank,
            "there are two reactions to {}: a service handles each type once",
            self.event_type
        );
        if other.rank < self.rank {
            *other = self;
        }
    }
}

impl Handler {
    fn undecoded<S, F, Fut>(state: &Arc<S>, handle: F) -> Self
    where
        S: Send + Sync + 'static,
        F: Fn(Ctx<S>, Delivery<Bytes>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Committed, Failure>> + Send + 'static,
    {
        let state = state.clone();
        Self::One(Arc::new(move |parts, raw| Box::pin(handle(Ctx::new(parts, state.clone()), raw.undecoded()))))
    }

    /// Handles one delivery, whichever shape the handler has.
    pub fn call_one(&self, ctx: Arc<CtxParts>, raw: Raw) -> Handled {
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

fn refused(failure: Failure) -> Handled {
    Box::pin(std::future::ready(Err(failure)))
}

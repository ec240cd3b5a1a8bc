//! Bodies with a deadline, and answers that say when they are done.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::BoxError;
use axum::body::{Body, Bytes};
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

use super::watch::{Busy, Watch};
use crate::overload::Charge;
use crate::refusal::TooSlow;

/// A request's body, which has to arrive in time.
pub(super) struct InTime {
    body: Incoming,
    watch: Arc<Watch>,
    deadline: Instant,
    /// Made only for a body that isn't there yet, which most are.
    timer: Option<Pin<Box<Sleep>>>,
}

impl InTime {
    pub fn new(body: Incoming, watch: Arc<Watch>) -> Self {
        let deadline = Instant::now() + watch.bounds.body;
        Self { body, watch, deadline, timer: None }
    }
}

impl hyper::body::Body for InTime {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame.map(|frame| frame.map_err(BoxError::from)));
        }
        let deadline = self.deadline;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        timer.as_mut().poll(cx).map(|()| Some(Err(TooSlow.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for InTime {
    fn drop(&mut self) {
        if !self.body.is_end_stream() {
            self.watch.leave_unread();
        }
    }
}

/// An answer's body. Until it is dropped, the connection is busy.
pub(super) struct Answering {
    body: Body,
    busy: Busy,
    /// The room of a large answer, kept until the client has it.
    charge: Option<Charge>,
}

impl Answering {
    pub fn new(body: Body, busy: Busy, charge: Option<Charge>) -> Self {
        Self { body, busy, charge }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        if let Some(charge) = self.charge.take() {
            self.busy.keep_until_sent(charge);
        }
    }
}

impl hyper::body::Body for Answering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

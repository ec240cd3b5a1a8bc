//! Many statements in flight at once, in a fixed order.

use std::pin::Pin;
use std::task::Poll;

use futures_util::TryStreamExt;
use futures_util::future::{MaybeDone, maybe_done};
use tokio_postgres::{Client, Statement};

use super::task::Ran;
use crate::Value;

/// A prepared statement and its parameters.
pub(super) struct Call<'a> {
    /// For errors.
    pub name: &'static str,
    pub statement: Statement,
    pub params: Params<'a>,
}

pub(super) enum Params<'a> {
    /// Of one row.
    One(&'a [Value]),
    /// Of many rows: an array for each parameter.
    Many(Vec<Vec<&'a Value>>),
}

pub(super) type CallResult = Result<Ran, tokio_postgres::Error>;

/// Sends `begin` and all calls without waiting, then waits for all answers. What follows a call that failed fails too.
pub(super) async fn begin_and_send(
    client: &Client,
    calls: &[Call<'_>],
) -> Result<Vec<CallResult>, tokio_postgres::Error> {
    let mut begin = Box::pin(maybe_done(client.batch_execute("begin")));
    let mut running: Vec<Pin<Box<MaybeDone<_>>>> =
        calls.iter().map(|call| Box::pin(maybe_done(call.run(client)))).collect();
    // A request is sent when its future is polled first, so the order of these polls is the order on the wire.
    std::future::poll_fn(|cx| {
        let _ = begin.as_mut().poll(cx);
        for call in &mut running {
            let _ = call.as_mut().poll(cx);
        }
        Poll::Ready(())
    })
    .await;
    begin.as_mut().await;
    begin.as_mut().take_output().expect("it was awaited")?;
    let mut answers = Vec::with_capacity(running.len());
    for mut call in running {
        call.as_mut().await;
        answers.push(call.as_mut().take_output().expect("it was awaited"));
    }
    Ok(answers)
}

impl Call<'_> {
    async fn run(&self, client: &Client) -> CallResult {
        let stream = match &self.params {
            Params::One(values) => client.query_raw(&self.statement, values.iter()).await?,
            Params::Many(columns) => client.query_raw(&self.statement, columns.iter()).await?,
        };
        let mut stream = std::pin::pin!(stream);
        let mut rows = Vec::new();
        while let Some(row) = stream.try_next().await? {
            rows.push(row);
        }
        let met = stream.rows_affected().unwrap_or_default();
        Ok(Ran { rows, met: usize::try_from(met).unwrap_or(usize::MAX) })
    }
}

//! Order numbers for people, from blocks that each process reserves: no two orders share one.
//!
//! Gaps are normal where a process was killed or several run: a process that stops cleanly returns the rest of its block
//! if no other has reserved one since.

use std::ops::Range;
use std::sync::Arc;

use service::storage::Error;
use tokio::sync::Mutex;

use crate::{Ctx, store};

/// Numbers that are reserved at once. The rest of a block is never used when its process is killed.
const BLOCK: i64 = 1_000;

/// The numbers that this process has reserved and not yet given out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers(Arc<Mutex<Range<i64>>>);

/// The next order number.
pub(crate) async fn next(ctx: &Ctx) -> Result<i64, Error> {
    let mut block = ctx.state.numbers.0.lock().await;
    if let Some(number) = block.next() {
        return Ok(number);
    }
    let end = store::reserve_numbers(ctx, BLOCK).await?.ok_or_else(|| Error::Corrupt {
        statement: "NEXT_NUMBERS",
        column: "next_number".to_owned(),
        detail: "the row `orders` of order_numbers is gone".to_owned(),
    })?;
    *block = end - BLOCK + 1..end;
    Ok(end - BLOCK)
}

/// Returns the numbers that were not given out.
pub(crate) async fn release(ctx: Ctx) -> Result<(), Error> {
    let rest = std::mem::take(&mut *ctx.state.numbers.0.lock().await);
    if rest.is_empty() { Ok(()) } else { store::release_numbers(&ctx, rest).await }
}

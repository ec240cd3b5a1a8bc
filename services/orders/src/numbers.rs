//! Order numbers for people, from blocks that each process reserves: no two orders share one, gaps are normal.

use std::ops::Range;
use std::sync::Arc;

use service::storage::Error;
use tokio::sync::Mutex;

use crate::{Ctx, store};

/// Numbers that are reserved at once. What is left of a block when the process ends is never used.
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

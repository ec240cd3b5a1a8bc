//! Stock that is kept elsewhere: what is on hand here is what its owner says. Orders that wait for units get them first.

use std::collections::HashSet;

use events::ProductId;
use service::storage::Batch;
use service::{Ctx, Failure};

use crate::book_units::book;
use crate::domain::{MIRRORED_MAX, Shelf};
use crate::store;

/// Writes what is on hand now. `None` if the product's stock was never opened. A negative number, as of an owner who sold
/// what was not there, counts as 0.
pub(crate) async fn mirror(ctx: &Ctx, product_id: ProductId, on_hand: i64) -> Result<Option<Batch>, Failure> {
    if on_hand > MIRRORED_MAX {
        return Err(Failure::park(format!("{on_hand} units of a product on hand: at most {MIRRORED_MAX} can be")));
    }
    let mut shelf = Shelf::new(store::level_of(&ctx.db, product_id).await?);
    if !shelf.mirror(product_id, on_hand) {
        return Ok(None);
    }
    Ok(Some(book(ctx, &mut shelf, "external_stock", &HashSet::new()).await?))
}

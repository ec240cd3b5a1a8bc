//! An order was paid: its units count as sold.

use events::OrderPaid;
use service::{Committed, Ctx, Delivery, Failure};

use crate::{domain, store};

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<OrderPaid>) -> Result<Committed, Failure> {
    let lines = &delivery.event.lines;
    let before = store::sales(&ctx.db, lines.iter().map(|line| line.product_id).collect()).await?;
    let after = domain::sold(before, lines);
    Ok(ctx.commit(store::set(&after), delivery.cause()).await?)
}

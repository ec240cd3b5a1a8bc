//! Any event of the shop: it is counted, and adds to the sums that it is about.
//!
//! Many at a time: they are folded into one addition for each row, in one commit.

use bytes::Bytes;
use service::{Committed, Delivery, Failure, causes};

use crate::{Ctx, domain, interpret, store};

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<Bytes>>) -> Result<Committed, Failure> {
    let shards = ctx.db.shards();
    let observe = |it: &Delivery<Bytes>| interpret::observe(&it.envelope, &it.event, shards);
    let observed = deliveries.iter().map(observe).collect::<Result<Vec<_>, _>>()?;
    let orders = store::orders(&ctx.db, domain::orders_of(&observed)).await?;
    let changes = domain::fold(&observed, &orders, &ctx.state.calendar);
    Ok(ctx.commit(store::apply(changes), causes(deliveries)).await?)
}

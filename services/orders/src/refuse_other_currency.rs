//! At each start: products that can be ordered are priced in the shop's currency.

use service::CannotStart;

use crate::{Ctx, store};

pub(crate) async fn run(ctx: Ctx) -> Result<(), CannotStart> {
    let wanted = ctx.state.settings.currency;
    match store::other_currency(&ctx.db, wanted).await? {
        None => Ok(()),
        Some((found, products)) => Err(CannotStart::Refused(format!(
            "currency: products that can be ordered and are priced in {found}: {products}, and the shop is to sell in \
             {wanted}; set the currency to {found}, and delete those products before it changes"
        ))),
    }
}

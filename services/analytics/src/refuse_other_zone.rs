//! At each start: the days of the tables are those of the shop's time zone.

use service::CannotStart;

use crate::{Ctx, store};

pub(crate) async fn run(ctx: Ctx) -> Result<(), CannotStart> {
    let wanted = ctx.state.calendar.name();
    match store::zone(&ctx.db, wanted).await? {
        found if found == wanted => Ok(()),
        found => Err(CannotStart::Refused(format!(
            "time_zone: the days of analytics were counted in {found}, and the shop's time zone is {wanted}; run \
             `tradepost analytics rebuild`, which counts them in {wanted}, or set time_zone to {found}"
        ))),
    }
}

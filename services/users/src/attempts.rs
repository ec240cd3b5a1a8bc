//! How often somebody may try to sign in or register.

use std::sync::{Arc, OnceLock};

use service::http::auth::Caller;
use service::http::overload::Limiter;
use service::http::{ClientAddress, Problem};

use crate::{Ctx, domain};

/// Counts attempts. Cheap to clone; clones share what they count.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attempts(Arc<OnceLock<Limiters>>);

#[derive(Debug)]
struct Limiters {
    of_account: Limiter,
    of_address: Limiter,
}

/// One more attempt on the account with this e-mail address: 429 `too_many_requests` beyond the limits.
///
/// It counts before anything is looked up or hashed, and whether or not there is such an account.
pub(crate) fn count(ctx: &Ctx, caller: &Caller, from: ClientAddress, email: &str) -> Result<(), Problem> {
    if caller.is_admin {
        return Ok(());
    }
    let limiters = ctx.state.attempts.0.get_or_init(|| {
        let limits = &ctx.settings.limits;
        Limiters {
            of_account: Limiter::new(limits.sign_ins_of_account, ctx.clock.clone()),
            of_address: Limiter::new(limits.sign_ins_of_address, ctx.clock.clone()),
        }
    });
    limiters.of_address.check_address(from.0)?;
    limiters.of_account.check_text(&domain::key(email))
}

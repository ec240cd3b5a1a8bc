//! The password of now, asked for again before what a borrowed session must not do.

use axum::http::StatusCode;
use service::http::auth::Caller;
use service::http::{ClientAddress, Problem};

use crate::domain::User;
use crate::password::{Password, Verdict};
use crate::{Ctx, attempts, store};

/// Lets the owner pass, by their password: 403 `password_required`, 403 `wrong_password`. An admin needs none for the
/// account of somebody else.
///
/// A password that is shown here counts as an attempt to sign in.
pub(crate) async fn check(
    ctx: &Ctx,
    caller: &Caller,
    from: ClientAddress,
    user: &User,
    password: Option<Password>,
) -> Result<(), Problem> {
    if caller.is_admin && caller.user_id != Some(user.user_id) {
        return Ok(());
    }
    attempts::count(ctx, caller, from, &user.email)?;
    let required = || {
        let detail = "this asks for `current_password`, the password of the account";
        Problem::new(StatusCode::FORBIDDEN, "password_required", detail)
    };
    let password = password.ok_or_else(required)?;
    let account = store::account(&ctx.db, &user.email).await?.filter(|account| account.user_id == user.user_id);
    match ctx.state.hasher.verify(password, account.map(|account| account.password_hash)).await? {
        Verdict::Right { .. } => Ok(()),
        Verdict::Wrong => {
            let detail = "`current_password` is not the password of the account";
            Err(Problem::new(StatusCode::FORBIDDEN, "wrong_password", detail))
        }
    }
}

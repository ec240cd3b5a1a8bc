//! The last admin account: it stays one, so that there is always somebody who can let others in.

use axum::http::StatusCode;
use kernel::UserId;
use service::http::Problem;
use service::storage::Batch;

use crate::domain::Role;
use crate::{Ctx, store};

/// Part of the commit by which this account stops being an admin: 409 `last_admin` if no other account that may sign in
/// is one. The admin token doesn't count: it is no person.
pub(crate) async fn leave(ctx: &Ctx, user_id: UserId) -> Result<Batch, Problem> {
    // Before the others are looked for: whoever takes the role from one of them meanwhile changes it.
    let guard = store::role_guard(&ctx.db, Role::Admin).await?.ok_or_else(Problem::internal)?;
    if !store::has_other_holder(&ctx.db, Role::Admin, user_id).await? {
        let detail = "this is the last admin account: give another account the role first";
        return Err(Problem::new(StatusCode::CONFLICT, "last_admin", detail));
    }
    Ok(store::note_loss(Role::Admin, guard))
}

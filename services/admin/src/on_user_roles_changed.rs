//! An account became an admin, or is none any more: the last one is not banned.

use events::UserRolesChanged;
use kernel::ADMIN_ROLE;
use service::{Committed, Delivery, Failure};

use crate::{Ctx, store};

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<UserRolesChanged>) -> Result<Committed, Failure> {
    let UserRolesChanged { user_id, roles, version, .. } = &delivery.event;
    let batch = store::put_roles(*user_id, roles.iter().any(|role| role == ADMIN_ROLE), *version);
    Ok(ctx.commit(batch, delivery.cause()).await?)
}

//! An account that is kept elsewhere is new or was changed: so is the one here. It has no password, so nobody signs in to
//! it until its owner has set one by a mailed link.

use events::ExternalUserChanged;
use service::storage::Batch;
use service::{Committed, Delivery, Failure};

use crate::domain::{self, ProfileChange, Refusal, Role, User};
use crate::password::PasswordHash;
use crate::{Ctx, fields, links, store};

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<ExternalUserChanged>) -> Result<Committed, Failure> {
    let said = &delivery.event;
    let batch = match store::user(&ctx.db, said.user_id).await? {
        Some(user) => change(&ctx, &user, said).await?,
        None if store::is_closed(&ctx.db, said.user_id).await? => Batch::new(),
        None => open(&ctx, said).await?,
    };
    Ok(ctx.commit(batch, delivery.cause()).await?)
}

async fn open(ctx: &Ctx, said: &ExternalUserChanged) -> Result<Batch, Failure> {
    let user = domain::opened(said, ctx.clock.now())
        .ok_or_else(|| Failure::park("a new account needs an e-mail address, and none was said"))?;
    fields::check_foreign_email(&user.email)?;
    fields::check_foreign_username(&user.username)?;
    let holders = store::holders(&ctx.db, &user.username, &user.email).await?;
    let registered = domain::register(&user, &holders).map_err(|refusal| parked(refusal, &user, &holders))?;
    Ok(store::insert(&user, &PasswordHash::of_nobody()).emit(user.version, &registered))
}

async fn change(ctx: &Ctx, user: &User, said: &ExternalUserChanged) -> Result<Batch, Failure> {
    if let Some(email) = &said.email {
        fields::check_foreign_email(email)?;
    }
    if let Some(username) = &said.username {
        fields::check_foreign_username(username)?;
    }
    let change = ProfileChange { username: said.username.clone(), email: said.email.clone() };
    let Some(changed) = domain::changed(user, &change) else { return Ok(Batch::new()) };
    // Whoever reads mail of the address can set the password, and would be an admin.
    if user.roles.has(Role::Admin) && user.moves_to(&changed.email) {
        let reason = format!("account {} is an admin's: its address can be changed here only", user.user_id);
        return Err(Failure::park(reason));
    }
    let holders = store::holders(&ctx.db, &changed.username, &changed.email).await?;
    let updated = domain::update(&changed, &holders).map_err(|refusal| parked(refusal, &changed, &holders))?;
    let batch = store::update(&changed, user.version).and(links::end_of_address(ctx, user, &changed).await?);
    Ok(batch.emit(changed.version, &updated))
}

/// The reason names accounts by id, for it is shown and logged.
fn parked(refusal: Refusal, user: &User, holders: &[User]) -> Failure {
    let wanted = match refusal {
        Refusal::EmailTaken => "e-mail address",
        Refusal::UsernameTaken => "username",
    };
    let holder = domain::other_holder(user, holders, refusal).map(|id| id.to_string()).unwrap_or_default();
    Failure::park(format!("account {} can't have this {wanted}: account {holder} has it", user.user_id))
}

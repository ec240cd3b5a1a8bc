//! Where mail about a new order goes.

use service::http::auth::Caller;
use service::http::{FieldError, Problem};

use crate::{Ctx, store};

/// The address that was sent, else that of the caller's account.
pub(crate) async fn email(ctx: &Ctx, caller: &Caller, sent: Option<String>) -> Result<String, Problem> {
    let known = match (sent, caller.user_id) {
        (Some(email), _) => Some(email),
        (None, Some(user_id)) => store::user_email(&ctx.db, user_id).await?,
        (None, None) => None,
    };
    known.ok_or_else(|| {
        Problem::invalid_body(vec![FieldError {
            field: "email".to_owned(),
            code: "required",
            detail: "an e-mail address: your account's is not known here yet, so send it along".to_owned(),
        }])
    })
}

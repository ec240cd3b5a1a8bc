//! Where mail about a new order goes.

use axum::http::StatusCode;
use service::http::auth::Caller;
use service::http::{FieldError, Problem};

use crate::{Ctx, store};

/// The address that was sent, else that of the caller's account.
///
/// 403 `account_closed` if the account was closed: its token is good for some minutes more.
pub(crate) async fn email(ctx: &Ctx, caller: &Caller, sent: Option<String>) -> Result<String, Problem> {
    let of_account = match caller.user_id {
        Some(user_id) => store::user_email(&ctx.db, user_id).await?,
        None => None,
    };
    if of_account.as_ref().is_some_and(String::is_empty) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "account_closed", "the account was closed"));
    }
    sent.or(of_account).ok_or_else(|| {
        Problem::invalid_body(vec![FieldError {
            field: "email".to_owned(),
            code: "required",
            detail: "an e-mail address: your account's is not known here yet, so send it along".to_owned(),
        }])
    })
}

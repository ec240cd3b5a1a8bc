//! `GET /v1/users`: finds accounts.

use axum::Json;
use axum::extract::State;
use kernel::UserId;
use serde::Deserialize;
use service::http::{Listing, Page, Problem, QueryOf};
use utoipa::IntoParams;

use crate::queries::User;
use crate::{Ctx, domain, store};

/// The accounts to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Only the account with this e-mail address, whatever the case of its letters.
    #[param(max_length = 254)]
    email: Option<String>,
}

/// Accounts, newest first.
#[utoipa::path(get, path = "/v1/users", operation_id = "list_users", tag = "users",
    params(Filter, Page),
    responses((status = 200, body = Listing<User>)))]
pub(crate) async fn handler(
    State(ctx): State<Ctx>,
    page: Page,
    QueryOf(Filter { email }): QueryOf<Filter>,
) -> Result<Json<Listing<User>>, Problem> {
    let before: UserId = page.before();
    let users: Vec<domain::User> = match email {
        Some(email) => {
            let found = store::user_with_email(&ctx.db, &email).await?;
            found.into_iter().filter(|user| user.user_id < before).collect()
        }
        None => store::users_before(&ctx.db, before, page.rows()).await?,
    };
    Ok(Json(page.listing(users, |user| user.user_id.into()).map(User::from)))
}

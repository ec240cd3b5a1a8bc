//! The routes: points of a customer, and of all.

use axum::Json;
use axum::extract::State;
use kernel::UserId;
use serde::Serialize;
use service::Ctx;
use service::http::auth::Caller;
use service::http::{Listing, Page, PathId, Problem};
use utoipa::ToSchema;

use crate::store;

/// Points of a customer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Points {
    user_id: UserId,
    #[schema(example = 42)]
    points: i64,
}

/// Points of one customer, for themselves and for the admin: for anybody else they are not there.
#[utoipa::path(get, path = "/v1/loyalty/{user_id}", operation_id = "get_points", tag = "loyalty",
    params(("user_id" = UserId, Path)),
    responses((status = 200, body = Points)))]
pub(crate) async fn get(
    State(ctx): State<Ctx>,
    caller: Caller,
    PathId(user_id): PathId<UserId>,
) -> Result<Json<Points>, Problem> {
    if !caller.owns(user_id) {
        return Err(Problem::not_found("customer"));
    }
    Ok(Json(Points { user_id, points: store::points_of(&ctx.db, user_id).await? }))
}

/// Points of all customers who have paid for an order, newest account first.
#[utoipa::path(get, path = "/v1/loyalty", operation_id = "list_points", tag = "loyalty",
    params(Page),
    responses((status = 200, body = Listing<Points>)))]
pub(crate) async fn list(State(ctx): State<Ctx>, page: Page) -> Result<Json<Listing<Points>>, Problem> {
    let found = store::points(&ctx.db, page.before(), page.rows()).await?;
    let page = page.listing(found, |(user_id, _)| (*user_id).into());
    Ok(Json(page.map(|(user_id, points)| Points { user_id, points })))
}

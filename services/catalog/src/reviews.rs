//! Reads of reviews, and the review as clients see it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use events::{ProductId, ReviewId};
use kernel::{Timestamp, UserId, Uuid};
use serde::{Deserialize, Serialize};
use service::http::auth::Caller;
use service::http::{IfNoneMatch, Listing, Page, PathId, Problem, QueryOf, Tagged};
use utoipa::{IntoParams, ToSchema};

use crate::domain::review;
use crate::review_path::{ReviewPath, missing};
use crate::store::reviews as store;
use crate::{Ctx, domain};

/// A customer's word about a product that was delivered to them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Review {
    review_id: ReviewId,
    product_id: ProductId,
    /// Its author; shown to themselves and to admins only.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<UserId>,
    #[schema(example = 5, minimum = 1, maximum = 5)]
    rating: i64,
    #[schema(example = "Quiet, and fast enough.")]
    comment: String,
    /// The admin account that hid it, or `automation`. A hidden review is shown to admins only, and does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    hidden_by: Option<String>,
    /// The reason for which it was hidden.
    #[serde(skip_serializing_if = "Option::is_none")]
    hidden_reason: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl Review {
    /// The review as this caller may see it.
    pub(crate) fn shown_to(caller: &Caller, review: review::Review) -> Self {
        let (hidden_by, hidden_reason) = review.hidden.map(|hidden| (hidden.by, hidden.reason)).unzip();
        Self {
            review_id: review.review_id,
            product_id: review.product_id,
            user_id: Some(review.user_id).filter(|user_id| caller.owns(*user_id)),
            rating: review.stars.get(),
            comment: review.comment,
            hidden_by,
            hidden_reason,
            created_at: review.created_at,
            updated_at: review.updated_at,
        }
    }
}

/// Orders of the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sort {
    #[default]
    Newest,
    Rating,
}

kernel::named!(Sort { Newest = "newest", Rating = "rating" });

/// The order of the reviews to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Order {
    /// `newest` first, which is the default, or the best `rating` first and of those the newest.
    #[param(value_type = Option<Sort>, inline)]
    sort: Option<String>,
}

impl Order {
    fn sort(&self) -> Result<Sort, Problem> {
        let sort = self.sort.as_deref().map(str::parse::<Sort>).transpose();
        let sort = sort
            .map_err(|expected| Problem::new(StatusCode::BAD_REQUEST, "invalid_query", format!("sort: {expected}")))?;
        Ok(sort.unwrap_or_default())
    }
}

/// Reviews of a product, newest or best first. Hidden ones are shown to admins only.
#[utoipa::path(get, path = "/v1/products/{id}/reviews", operation_id = "list_reviews", tag = "catalog",
    params(("id" = ProductId, Path), Order, Page),
    responses((status = 200, body = Listing<Review>)))]
pub(crate) async fn list(
    State(ctx): State<Ctx>,
    caller: Caller,
    PathId(product_id): PathId<ProductId>,
    page: Page,
    QueryOf(order): QueryOf<Order>,
) -> Result<Json<Listing<Review>>, Problem> {
    let sort = order.sort()?;
    let place = Place::read(page.before(), sort)?;
    on_sale(&ctx, product_id).await?;
    let (db, with_hidden, rows) = (&ctx.db, caller.is_admin, page.rows());
    let found = match place {
        Place::Before(id) => store::reviews_before(db, product_id, id, with_hidden, rows).await?,
        Place::Below(rating, id) => store::reviews_below(db, product_id, (rating, id), with_hidden, rows).await?,
    };
    let listing = page.listing(found, |review| Place::of(review, sort).written());
    Ok(Json(listing.map(|review| Review::shown_to(&caller, review))))
}

/// One review.
#[utoipa::path(get, path = "/v1/products/{id}/reviews/{review_id}", operation_id = "get_review", tag = "catalog",
    params(("id" = ProductId, Path), ("review_id" = ReviewId, Path), IfNoneMatch),
    responses((status = 200, body = Review)))]
pub(crate) async fn get(
    State(ctx): State<Ctx>,
    caller: Caller,
    ReviewPath { product_id, review_id }: ReviewPath,
) -> Result<Tagged<Review>, Problem> {
    on_sale(&ctx, product_id).await?;
    let review = store::review(&ctx.db, product_id, review_id).await?;
    let shown = review.filter(|review| caller.is_admin || review.hidden.is_none()).ok_or_else(missing)?;
    Ok(Tagged(Review::shown_to(&caller, shown)))
}

/// 404 unless the product is there: a deleted one is not shown, and neither are its reviews.
async fn on_sale(ctx: &Ctx, product_id: ProductId) -> Result<(), Problem> {
    let is_deleted = store::is_deleted(&ctx.db, product_id).await?;
    if is_deleted == Some(false) { Ok(()) } else { Err(Problem::not_found("product")) }
}

/// The place of a page's last review in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Before(ReviewId),
    Below(i64, ReviewId),
}

/// The version of our ids (RFC 9562 §5.7), in the upper half of this byte.
const VERSION_BYTE: usize = 6;
const VERSION_7: u8 = 7;

/// The upper half of the same byte in a cursor of a list that has not begun.
const BEGINNING: u8 = 15;

impl Place {
    fn of(review: &review::Review, sort: Sort) -> Self {
        match sort {
            Sort::Newest => Self::Before(review.review_id),
            Sort::Rating => Self::Below(review.stars.get(), review.review_id),
        }
    }

    /// As the one id that a cursor holds. A rating stands where the id has its version, so the place stays what it is
    /// if the review changes or goes.
    fn written(self) -> Uuid {
        match self {
            Self::Before(id) => id.into(),
            Self::Below(rating, id) => with_version(id.into(), u8::try_from(rating).unwrap_or(BEGINNING)),
        }
    }

    /// 400 `invalid_cursor` for a cursor of the other order.
    fn read(written: Uuid, sort: Sort) -> Result<Self, Problem> {
        let version = written.as_bytes()[VERSION_BYTE] >> 4;
        let rating = i64::from(version);
        let is_rating = domain::rating::Stars::new(rating).is_some();
        match sort {
            Sort::Newest if !is_rating => Ok(Self::Before(written.into())),
            Sort::Rating if is_rating || version == BEGINNING => {
                Ok(Self::Below(rating, with_version(written, VERSION_7).into()))
            }
            Sort::Newest | Sort::Rating => {
                let detail = "cursor: it was given out for another `sort`: pass it with that one, or leave it out";
                Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_cursor", detail))
            }
        }
    }
}

fn with_version(id: Uuid, version: u8) -> Uuid {
    let mut bytes = id.into_bytes();
    bytes[VERSION_BYTE] = (version << 4) | (bytes[VERSION_BYTE] & 0x0f);
    Uuid::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_survives_the_cursor_and_is_none_in_the_other_order() {
        let id: ReviewId = "019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0d".parse().unwrap();
        let newest = Place::Before(id);
        assert_eq!(Place::read(newest.written(), Sort::Newest).unwrap(), newest);
        assert_eq!(Place::read(newest.written(), Sort::Rating).unwrap_err().code(), "invalid_cursor");
        for rating in 1..=5 {
            let place = Place::Below(rating, id);
            assert_eq!(Place::read(place.written(), Sort::Rating).unwrap(), place);
            assert_eq!(Place::read(place.written(), Sort::Newest).unwrap_err().code(), "invalid_cursor");
        }
        assert_eq!(Place::read(Uuid::max(), Sort::Newest).unwrap(), Place::Before(Uuid::max().into()));
        let Place::Below(rating, _) = Place::read(Uuid::max(), Sort::Rating).unwrap() else { panic!("another order") };
        assert!(rating > 5);
    }
}

//! Reviews, the ratings that they make, and the deliveries on which they rest.

use std::collections::BTreeSet;

use events::{ProductId, ReviewId};
use kernel::{UserId, Version};
use service::storage::{Batch, Db, Error, Row, params};

use super::{
    CLOSE_ACCOUNT, CLOSED_ACCOUNTS, DELETE_DELIVERY, DELETE_REVIEW, DELIVERIES_OF_USER, DELIVERY, FORGET_AUTHOR,
    INSERT_RATING, INSERT_REVIEW, PRODUCT_STATE, RATING, REMEMBER_DELIVERY, REVIEW, REVIEW_BY, REVIEWS_BEFORE,
    REVIEWS_BELOW, REVIEWS_OF_USER, SET_DELIVERY, SET_RATING, SET_REVIEW,
};
use crate::domain::rating::{Rated, Rating, Stars};
use crate::domain::review::{Delivered, Hidden, Review};

/// A review of which only its place and its version matter.
pub(crate) struct ReviewVersion {
    pub review_id: ReviewId,
    pub version: Version,
}

/// True if the product was deleted; none if it never was.
pub(crate) async fn is_deleted(db: &Db, product_id: ProductId) -> Result<Option<bool>, Error> {
    db.query_one(&PRODUCT_STATE, params![product_id], |row| row.get("is_deleted")).await
}

/// The rating of a product.
pub(crate) async fn rated(db: &Db, product_id: ProductId) -> Result<Rated, Error> {
    let found =
        move |row: &Row<'_>| Ok(Rated { product_id, rating: rating_of(row)?, version: Some(row.get("version")?) });
    let rated = db.query_one(&RATING, params![product_id], found).await?;
    Ok(rated.unwrap_or(Rated::never(product_id)))
}

/// One review of a product, hidden or not.
pub(crate) async fn review(db: &Db, product_id: ProductId, review_id: ReviewId) -> Result<Option<Review>, Error> {
    db.query_one(&REVIEW, params![review_id, product_id], review_of).await
}

/// Reviews of a product with ids below this one, newest first.
pub(crate) async fn reviews_before(
    db: &Db,
    product_id: ProductId,
    before: ReviewId,
    with_hidden: bool,
    rows: i64,
) -> Result<Vec<Review>, Error> {
    db.query(&REVIEWS_BEFORE, params![product_id, before, with_hidden, rows], review_of).await
}

/// Reviews of a product with a lower rating than this, or the same one and an id below; best first, then newest.
pub(crate) async fn reviews_below(
    db: &Db,
    product_id: ProductId,
    (rating, review_id): (i64, ReviewId),
    with_hidden: bool,
    rows: i64,
) -> Result<Vec<Review>, Error> {
    db.query(&REVIEWS_BELOW, params![product_id, rating, review_id, with_hidden, rows], review_of).await
}

/// True if the user has a review of the product.
pub(crate) async fn has_reviewed(db: &Db, user_id: UserId, product_id: ProductId) -> Result<bool, Error> {
    let review = |row: &Row<'_>| row.get::<ReviewId>("review_id");
    Ok(db.query_one(&REVIEW_BY, params![user_id, product_id], review).await?.is_some())
}

/// The delivery of a product to a user, if there was one.
pub(crate) async fn delivery(db: &Db, user_id: UserId, product_id: ProductId) -> Result<Option<Delivered>, Error> {
    db.query_one(&DELIVERY, params![user_id, product_id], delivery_of).await
}

/// Some reviews of a user.
pub(crate) async fn reviews_of_user(db: &Db, user_id: UserId, rows: i64) -> Result<Vec<ReviewVersion>, Error> {
    let review = |row: &Row<'_>| Ok(ReviewVersion { review_id: row.get("review_id")?, version: row.get("version")? });
    db.query(&REVIEWS_OF_USER, params![user_id, rows], review).await
}

/// Some deliveries to a user.
pub(crate) async fn deliveries_of_user(db: &Db, user_id: UserId, rows: i64) -> Result<Vec<Delivered>, Error> {
    db.query(&DELIVERIES_OF_USER, params![user_id, rows], delivery_of).await
}

/// Those of these accounts that were closed.
pub(crate) async fn closed_accounts(db: &Db, user_ids: Vec<UserId>) -> Result<BTreeSet<UserId>, Error> {
    let closed = db.query(&CLOSED_ACCOUNTS, params![user_ids], |row| row.get("user_id")).await?;
    Ok(closed.into_iter().collect())
}

/// A new review. It changes the delivery on which it rests, so that both can't go on apart.
pub(crate) fn insert_review(review: &Review, delivered: &Delivered) -> Batch {
    let row = params![
        review.review_id,
        review.product_id,
        review.user_id,
        review.stars.get(),
        &review.comment,
        review.hidden.as_ref().map(|hidden| &hidden.by),
        review.hidden.as_ref().map(|hidden| &hidden.reason),
        review.created_at,
        review.updated_at,
        review.version,
    ];
    set_delivery(delivered).insert(&INSERT_REVIEW, row)
}

pub(crate) fn set_review(review: &Review) -> Batch {
    let row = params![
        review.stars.get(),
        &review.comment,
        review.hidden.as_ref().map(|hidden| &hidden.by),
        review.hidden.as_ref().map(|hidden| &hidden.reason),
        review.updated_at,
        review.review_id,
    ];
    Batch::new().change(&SET_REVIEW, review.version, row)
}

pub(crate) fn delete_review(review: &Review) -> Batch {
    Batch::new().change(&DELETE_REVIEW, review.version, params![review.review_id])
}

/// The rating under its next version, [`Rated::made`].
pub(crate) fn set_rating(rated: &Rated) -> Batch {
    let Rating([ones, twos, threes, fours, fives]) = rated.rating;
    match rated.version {
        None => {
            let row = params![rated.product_id, ones, twos, threes, fours, fives, rated.made()];
            Batch::new().insert(&INSERT_RATING, row)
        }
        Some(read) => {
            let row = params![ones, twos, threes, fours, fives, rated.product_id];
            Batch::new().change(&SET_RATING, read, row)
        }
    }
}

pub(crate) fn set_delivery(delivered: &Delivered) -> Batch {
    let row = params![delivered.is_barred, delivered.user_id, delivered.product_id];
    Batch::new().change(&SET_DELIVERY, delivered.version, row)
}

/// Keeps who got which product; once is enough.
pub(crate) fn remember(deliveries: &BTreeSet<(UserId, ProductId)>) -> Batch {
    deliveries.iter().fold(Batch::new(), |batch, (user_id, product_id)| {
        batch.upsert(&REMEMBER_DELIVERY, params![*user_id, *product_id, false])
    })
}

pub(crate) fn forget_delivery(delivered: &Delivered) -> Batch {
    Batch::new().change(&DELETE_DELIVERY, delivered.version, params![delivered.user_id, delivered.product_id])
}

/// The review keeps its rating; its words go, and it is nobody's: `no_user` is the id of no account.
pub(crate) fn forget_author(review: &ReviewVersion, no_user: UserId) -> Batch {
    Batch::new().change(&FORGET_AUTHOR, review.version, params![no_user, "", review.review_id])
}

pub(crate) fn close_account(user_id: UserId) -> Batch {
    Batch::new().upsert(&CLOSE_ACCOUNT, params![user_id])
}

/// The counts of a row of `ratings`, or of a row that joins it.
pub(super) fn rating_of(row: &Row<'_>) -> Result<Rating, Error> {
    Ok(Rating([row.get("ones")?, row.get("twos")?, row.get("threes")?, row.get("fours")?, row.get("fives")?]))
}

fn review_of(row: &Row<'_>) -> Result<Review, Error> {
    let rating = row.get("rating")?;
    let (by, reason): (Option<String>, Option<String>) = (row.get("hidden_by")?, row.get("hidden_reason")?);
    Ok(Review {
        review_id: row.get("review_id")?,
        product_id: row.get("product_id")?,
        user_id: row.get("user_id")?,
        stars: Stars::new(rating).ok_or_else(|| row.corrupt("rating", &format_args!("{rating} is not 1 to 5")))?,
        comment: row.get("comment")?,
        hidden: by.zip(reason).map(|(by, reason)| Hidden { by, reason }),
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
        version: row.get("version")?,
    })
}

fn delivery_of(row: &Row<'_>) -> Result<Delivered, Error> {
    Ok(Delivered {
        user_id: row.get("user_id")?,
        product_id: row.get("product_id")?,
        is_barred: row.get("is_barred")?,
        version: row.get("version")?,
    })
}

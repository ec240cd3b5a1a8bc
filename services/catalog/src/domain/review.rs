//! Decisions about reviews. Each one that changes which ratings count changes the product's rating with it.

use std::collections::BTreeSet;

use events::{ProductId, ProductReviewRemoved, ProductReviewed, ReviewId, ShipmentDelivered};
use kernel::{Timestamp, UserId, Version};

use super::rating::{Rated, Stars};

/// A customer's review of a product, as it was read or as it will be; `version` is the one that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Review {
    pub review_id: ReviewId,
    pub product_id: ProductId,
    pub user_id: UserId,
    pub stars: Stars,
    pub comment: String,
    /// Set if an admin hid it: it is not shown, and does not count.
    pub hidden: Option<Hidden>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: Version,
}

impl Review {
    /// The rating by which it counts, unless it is hidden.
    fn counted(&self) -> Option<Stars> {
        self.hidden.is_none().then_some(self.stars)
    }
}

/// The end of a review's publicity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hidden {
    /// The admin account, or `automation`.
    pub by: String,
    pub reason: String,
}

/// The content of a review: all that its customer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub stars: Stars,
    pub comment: String,
}

/// A product that was delivered to a customer, who may review it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delivered {
    pub user_id: UserId,
    pub product_id: ProductId,
    /// A review of theirs was hidden, and they removed it: they write no other.
    pub is_barred: bool,
    pub version: Version,
}

/// The facts that decide if a customer may review a product.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Eligibility {
    pub product_is_deleted: bool,
    pub delivered: Option<Delivered>,
    pub has_reviewed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    ProductDeleted,
    NotDelivered,
    AlreadyReviewed,
    ReviewHidden,
}

/// A review and the rating of its product as they will be, and the event that says so under the rating's version.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Decision<E> {
    pub review: Review,
    pub rated: Rated,
    pub event: E,
}

/// The end of a review.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Removal {
    /// The rating without it, and the event; none if it did not count.
    pub counted: Option<(Rated, ProductReviewRemoved)>,
    /// Its customer removes what an admin hid, and may write no other.
    pub bars: bool,
}

impl Eligibility {
    /// The delivery on which the review rests, unless there must be none.
    pub fn check(self) -> Result<Delivered, Refusal> {
        match self {
            Self { product_is_deleted: true, .. } => Err(Refusal::ProductDeleted),
            Self { delivered: None, .. } => Err(Refusal::NotDelivered),
            Self { has_reviewed: true, .. } => Err(Refusal::AlreadyReviewed),
            Self { delivered: Some(Delivered { is_barred: true, .. }), .. } => Err(Refusal::ReviewHidden),
            Self { delivered: Some(delivered), .. } => Ok(delivered),
        }
    }
}

pub(crate) fn create(
    review_id: ReviewId,
    delivered: Delivered,
    content: &Content,
    rated: Rated,
    now: Timestamp,
) -> Decision<ProductReviewed> {
    let review = Review {
        review_id,
        product_id: delivered.product_id,
        user_id: delivered.user_id,
        stars: content.stars,
        comment: content.comment.clone(),
        hidden: None,
        created_at: now,
        updated_at: now,
        version: Version::FIRST,
    };
    reviewed(review, None, rated)
}

/// The review with other content; none if it is the same.
pub(crate) fn change(
    review: &Review,
    product_is_deleted: bool,
    content: &Content,
    rated: Rated,
    now: Timestamp,
) -> Result<Option<Decision<ProductReviewed>>, Refusal> {
    if review.hidden.is_some() {
        return Err(Refusal::ReviewHidden);
    }
    if product_is_deleted {
        return Err(Refusal::ProductDeleted);
    }
    if review.stars == content.stars && review.comment == content.comment {
        return Ok(None);
    }
    let Content { stars, comment } = content.clone();
    let changed = Review { stars, comment, updated_at: now, ..review.clone() };
    Ok(Some(reviewed(changed, Some(review.stars), rated)))
}

fn reviewed(review: Review, previous: Option<Stars>, rated: Rated) -> Decision<ProductReviewed> {
    let event = ProductReviewed {
        review_id: review.review_id,
        product_id: review.product_id,
        user_id: review.user_id,
        rating: review.stars.get(),
        previous_rating: previous.map(Stars::get),
        comment: review.comment.clone(),
    };
    let rated = rated.replace(previous, Some(review.stars));
    Decision { review, rated, event }
}

/// Hides the review; none if it is hidden already.
pub(crate) fn hide(
    review: &Review,
    hidden: Hidden,
    rated: Rated,
    now: Timestamp,
) -> Option<Decision<ProductReviewRemoved>> {
    let stars = review.counted()?;
    let event = removed(review, Some(hidden.by.clone()));
    let review = Review { hidden: Some(hidden), updated_at: now, ..review.clone() };
    Some(Decision { review, rated: rated.replace(Some(stars), None), event })
}

/// Removes the review: by its customer, or by an admin, who is named.
pub(crate) fn remove(review: &Review, by_admin: Option<String>, rated: Rated) -> Removal {
    let bars = review.hidden.is_some() && by_admin.is_none();
    let counted = review.counted();
    let without = counted.map(|stars| (rated.replace(Some(stars), None), removed(review, by_admin)));
    Removal { counted: without, bars }
}

fn removed(review: &Review, hidden_by: Option<String>) -> ProductReviewRemoved {
    ProductReviewRemoved {
        review_id: review.review_id,
        product_id: review.product_id,
        user_id: review.user_id,
        rating: review.stars.get(),
        hidden_by,
    }
}

/// Products of these shipments and the customers who got them. Guests review nothing.
pub(crate) fn delivered<'a>(
    shipments: impl IntoIterator<Item = &'a ShipmentDelivered>,
) -> BTreeSet<(UserId, ProductId)> {
    let of_customers = shipments.into_iter().filter_map(|shipment| Some((shipment.user_id?, &shipment.lines)));
    of_customers.flat_map(|(user_id, lines)| lines.iter().map(move |line| (user_id, line.product_id))).collect()
}

#[cfg(test)]
mod tests;

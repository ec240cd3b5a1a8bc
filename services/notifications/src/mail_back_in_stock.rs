//! Answers the requests for a product: it is in stock again, so their mails are written, or it is not for sale any more.
//! Some in each commit, until none is left.

use service::http::ObjectToken;
use service::storage::Batch;
use service::{Committed, Failure, Timer, TimerKind};

use crate::Ctx;
use crate::compose::{Letter, letter};
use crate::domain::Topic;
use crate::domain::back_in_stock::{Product, Request};
use crate::store::back_in_stock as store;
use crate::templates::Content;

pub(crate) const MAIL_BACK_IN_STOCK: TimerKind = TimerKind::internal("mail_back_in_stock");

pub(crate) async fn handle(ctx: Ctx, timer: Timer) -> Result<Committed, Failure> {
    let product = store::product(&ctx.db, timer.key.into()).await?;
    let mut batch = Batch::new();
    if product.answers_requests() {
        let open = store::open_of_product(&ctx.db, product.product_id).await?;
        batch = open.iter().fold(batch, |batch, request| batch.and(answer(&ctx, &product, request)));
        if !open.is_empty() {
            batch = batch.schedule(MAIL_BACK_IN_STOCK.name, product.product_id, ctx.clock.now());
        }
    }
    Ok(ctx.commit(batch, timer.cause()).await?)
}

fn answer(ctx: &Ctx, product: &Product, request: &Request) -> Batch {
    if product.is_deleted {
        return store::delete([(request.request_id, request.version)]);
    }
    let (token, now) = (ObjectToken::make(&ctx.ids), ctx.clock.now());
    let content = Content::BackInStock { name: &product.name, product_id: product.product_id, token: &token };
    let mail = Letter { topic: Topic::BackInStock(request.request_id), recipient: &request.email, content };
    store::mailed(request, &ObjectToken::digest(token.as_bytes()), now).and(letter(ctx, &mail, now))
}

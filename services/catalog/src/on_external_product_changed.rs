//! A product that is kept elsewhere is new, was changed or was deleted: so is the one here.
//!
//! One that was deleted here stays deleted, whoever did it: orders still name it, and its stock is closed.

use events::{ExternalProductChanged, ProductId};
use service::storage::Batch;
use service::{Committed, Delivery, Failure};

use crate::create_product::LOW_STOCK_THRESHOLD_DEFAULT;
use crate::domain::{self, NewProduct, Product, ProductChange, Refusal, foreign};
use crate::store::reviews;
use crate::{Ctx, fields, store};

pub(crate) async fn handle(ctx: Ctx, delivery: Delivery<ExternalProductChanged>) -> Result<Committed, Failure> {
    let said = &delivery.event;
    let batch = match store::product(&ctx.db, said.product_id).await? {
        Some(product) if said.is_deleted => {
            let deleted = domain::delete(&product);
            store::delete(&product, ctx.clock.now()).emit(product.version.next(), &deleted)
        }
        Some(product) => change(&ctx, &product, &foreign::change(said)).await?,
        None if said.is_deleted || reviews::is_deleted(&ctx.db, said.product_id).await?.is_some() => Batch::new(),
        None => create(&ctx, said).await?,
    };
    Ok(ctx.commit(batch, delivery.cause()).await?)
}

async fn create(ctx: &Ctx, said: &ExternalProductChanged) -> Result<Batch, Failure> {
    let new = foreign::new_product(said, ctx.state.currency, LOW_STOCK_THRESHOLD_DEFAULT)
        .ok_or_else(|| Failure::park("neither a sku nor a foreign id was said, which could stand for it"))?;
    check_new(&new, said, ctx)?;
    let sku_holder = store::sku_holder(&ctx.db, &new.sku).await?;
    let (product, created) = domain::create(said.product_id, &new, sku_holder)
        .map_err(|refusal| parked(refusal, &new.sku, said.product_id, sku_holder))?;
    Ok(store::insert(&product).emit(product.version, &created))
}

fn check_new(new: &NewProduct, said: &ExternalProductChanged, ctx: &Ctx) -> Result<(), Failure> {
    fields::check_foreign_sku(&new.sku)?;
    fields::check_foreign_name(&new.name)?;
    fields::check_foreign_stock(new.stock)?;
    // A price of 0, which nobody may say, stands for one that was not said.
    said.price.map_or(Ok(()), |price| fields::check_foreign_price(price, ctx.state.currency))
}

async fn change(ctx: &Ctx, before: &Product, change: &ProductChange) -> Result<Batch, Failure> {
    if let Some(sku) = &change.sku {
        fields::check_foreign_sku(sku)?;
    }
    if let Some(name) = &change.name {
        fields::check_foreign_name(name)?;
    }
    if let Some(price) = change.price {
        fields::check_foreign_price(price, ctx.state.currency)?;
    }
    let Some(after) = domain::changed(before, change) else { return Ok(Batch::new()) };
    let sku_holder = store::sku_holder(&ctx.db, &after.sku).await?;
    let updated = domain::update(before, &after, sku_holder)
        .map_err(|refusal| parked(refusal, &after.sku, after.product_id, sku_holder))?;
    Ok(store::update(&after, before.version).emit(after.version, &updated))
}

fn parked(refusal: Refusal, sku: &str, product_id: ProductId, holder: Option<ProductId>) -> Failure {
    match refusal {
        Refusal::SkuTaken => {
            let holder = holder.map(|holder| holder.to_string()).unwrap_or_default();
            Failure::park(format!("product {product_id} can't have the sku {sku}: product {holder} has it"))
        }
    }
}

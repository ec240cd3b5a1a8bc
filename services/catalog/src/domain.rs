//! Decisions about products: their changes, and the newest fact about their stock. Those about reviews are in `review`.

pub(crate) mod foreign;
pub(crate) mod rating;
pub(crate) mod review;

use std::collections::BTreeMap;

use events::{InventoryUpdated, ProductCreated, ProductDeleted, ProductId, ProductUpdated};
use kernel::{Money, Version};

use rating::Rating;

/// Something that is for sale.
#[expect(clippy::struct_field_names, reason = "an id has one name in events, tables and code")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Product {
    pub product_id: ProductId,
    pub sku: String,
    pub name: String,
    pub description: String,
    pub category: Option<String>,
    pub price: Money,
    pub low_stock_threshold: i64,
    pub in_stock: bool,
    pub rating: Rating,
    pub version: Version,
}

/// The fields of a new product.
#[derive(Clone, Debug)]
pub(crate) struct NewProduct {
    pub sku: String,
    pub name: String,
    pub description: String,
    pub category: Option<String>,
    pub price: Money,
    pub stock: i64,
    pub low_stock_threshold: i64,
}

/// Changes to a product; `None` leaves a field as it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProductChange {
    pub sku: Option<String>,
    pub name: Option<String>,
    pub description: Option<String>,
    /// `Some(None)` takes the product out of its category.
    #[expect(clippy::option_option, reason = "keep it, clear it and set it are three different changes")]
    pub category: Option<Option<String>>,
    pub price: Option<Money>,
    pub low_stock_threshold: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    SkuTaken,
}

/// The availability of a product, as of a version of its stock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StockFlag {
    pub product_id: ProductId,
    pub in_stock: bool,
    pub version: Version,
}

/// `sku_holder` is the product that has the sku already.
pub(crate) fn create(
    product_id: ProductId,
    new: &NewProduct,
    sku_holder: Option<ProductId>,
) -> Result<(Product, ProductCreated), Refusal> {
    if sku_holder.is_some() {
        return Err(Refusal::SkuTaken);
    }
    let product = Product {
        product_id,
        sku: new.sku.clone(),
        name: new.name.clone(),
        description: new.description.clone(),
        category: new.category.clone(),
        price: new.price,
        low_stock_threshold: new.low_stock_threshold,
        in_stock: new.stock > 0,
        rating: Rating::default(),
        version: Version::FIRST,
    };
    let created = ProductCreated {
        product_id,
        sku: product.sku.clone(),
        name: product.name.clone(),
        description: product.description.clone(),
        category: product.category.clone(),
        price: product.price,
        initial_stock: new.stock,
        low_stock_threshold: product.low_stock_threshold,
        version: product.version.get(),
    };
    Ok((product, created))
}

/// The product after the change; `None` if it changes nothing.
pub(crate) fn changed(product: &Product, change: &ProductChange) -> Option<Product> {
    let mut after = product.clone();
    replace(&mut after.sku, change.sku.as_ref());
    replace(&mut after.name, change.name.as_ref());
    replace(&mut after.description, change.description.as_ref());
    replace(&mut after.category, change.category.as_ref());
    replace(&mut after.price, change.price.as_ref());
    replace(&mut after.low_stock_threshold, change.low_stock_threshold.as_ref());
    if after == *product {
        return None;
    }
    after.version = product.version.next();
    Some(after)
}

fn replace<T: Clone>(field: &mut T, change: Option<&T>) {
    if let Some(value) = change {
        field.clone_from(value);
    }
}

/// `sku_holder` is the product that has the sku of `after` already; it may be the same one.
pub(crate) fn update(
    before: &Product,
    after: &Product,
    sku_holder: Option<ProductId>,
) -> Result<ProductUpdated, Refusal> {
    if sku_holder.is_some_and(|holder| holder != after.product_id) {
        return Err(Refusal::SkuTaken);
    }
    Ok(ProductUpdated {
        product_id: after.product_id,
        sku: after.sku.clone(),
        name: after.name.clone(),
        description: after.description.clone(),
        category: after.category.clone(),
        price: after.price,
        low_stock_threshold: after.low_stock_threshold,
        changed: changed_fields(before, after),
        version: after.version.get(),
    })
}

fn changed_fields(before: &Product, after: &Product) -> Vec<String> {
    let fields = [
        ("sku", before.sku != after.sku),
        ("name", before.name != after.name),
        ("description", before.description != after.description),
        ("category", before.category != after.category),
        ("price", before.price != after.price),
        ("low_stock_threshold", before.low_stock_threshold != after.low_stock_threshold),
    ];
    fields.into_iter().filter(|(_, is_changed)| *is_changed).map(|(name, _)| name.to_owned()).collect()
}

pub(crate) fn delete(product: &Product) -> ProductDeleted {
    ProductDeleted { product_id: product.product_id, sku: product.sku.clone(), version: product.version.next().get() }
}

/// Of each product, what the newest of these facts says.
pub(crate) fn newest_flags<'a>(facts: impl IntoIterator<Item = &'a InventoryUpdated>) -> Vec<StockFlag> {
    let mut newest: BTreeMap<ProductId, StockFlag> = BTreeMap::new();
    for fact in facts {
        let flag = StockFlag {
            product_id: fact.product_id,
            in_stock: fact.available > 0,
            version: Version::from_stored(fact.version),
        };
        let kept = newest.entry(flag.product_id).or_insert(flag);
        if kept.version < flag.version {
            *kept = flag;
        }
    }
    newest.into_values().collect()
}

#[cfg(test)]
mod tests {
    use kernel::{Currency, Uuid};
    use proptest::option;
    use proptest::prelude::*;

    use super::*;

    fn id(n: u128) -> ProductId {
        Uuid::from_u128(n).into()
    }

    fn laptop() -> NewProduct {
        NewProduct {
            sku: "123".to_owned(),
            name: "Laptop".to_owned(),
            description: String::new(),
            category: Some("computers".to_owned()),
            price: Money::new(99_900, Currency::EUR),
            stock: 10,
            low_stock_threshold: 5,
        }
    }

    fn product() -> Product {
        create(id(1), &laptop(), None).unwrap().0
    }

    fn stock(product: u128, available: i64, version: i64) -> InventoryUpdated {
        InventoryUpdated {
            product_id: id(product),
            sku: String::new(),
            on_hand: available,
            reserved: 0,
            available,
            reason: String::new(),
            version,
        }
    }

    fn change() -> impl Strategy<Value = ProductChange> {
        let text = || option::of("[a-b]{1,2}".prop_map(String::from));
        let category = option::of(option::of("[a-b]{1,2}"));
        let price = option::of((1..3_i64).prop_map(|amount| Money::new(amount, Currency::EUR)));
        (text(), text(), text(), category, price, option::of(4..6_i64)).prop_map(
            |(sku, name, description, category, price, low_stock_threshold)| ProductChange {
                sku,
                name,
                description,
                category,
                price,
                low_stock_threshold,
            },
        )
    }

    #[test]
    fn a_product_is_in_stock_from_the_start_if_it_came_with_any() {
        for (stock, in_stock) in [(0, false), (1, true)] {
            let (product, created) = create(id(1), &NewProduct { stock, ..laptop() }, None).unwrap();
            assert_eq!((product.in_stock, created.initial_stock), (in_stock, stock));
        }
    }

    #[test]
    fn a_sku_belongs_to_one_product() {
        assert_eq!(create(id(2), &laptop(), Some(id(1))).err(), Some(Refusal::SkuTaken));
        let (before, after) = (product(), Product { sku: "456".to_owned(), ..product() });
        for (holder, refusal) in [(None, None), (Some(id(1)), None), (Some(id(2)), Some(Refusal::SkuTaken))] {
            assert_eq!(update(&before, &after, holder).err(), refusal, "{holder:?}");
        }
    }

    #[test]
    fn null_takes_a_product_out_of_its_category() {
        let after = changed(&product(), &ProductChange { category: Some(None), ..Default::default() }).unwrap();
        assert_eq!(after.category, None);
        assert_eq!(update(&product(), &after, Some(id(1))).unwrap().changed, ["category"]);
    }

    #[test]
    fn deleting_makes_a_version() {
        assert_eq!(delete(&product()).version, 2);
    }

    proptest! {
        #[test]
        fn a_change_makes_one_version_and_names_its_fields(change in change()) {
            let before = product();
            if let Some(after) = changed(&before, &change) {
                let event = update(&before, &after, None).unwrap();
                prop_assert_eq!(event.version, before.version.next().get());
                prop_assert!(!event.changed.is_empty());
                prop_assert_eq!(changed(&after, &change), None, "once is enough");
            }
        }

        #[test]
        fn the_newest_stock_counts_in_whatever_order_it_arrives(
            available in proptest::collection::vec(0..2_i64, 1..8),
            order in any::<proptest::sample::Index>(),
        ) {
            let mut facts: Vec<_> = (1..).zip(&available).map(|(version, n)| stock(1, *n, version)).collect();
            facts.rotate_left(order.index(available.len()));
            facts.insert(0, stock(2, 1, 1));
            let flags = newest_flags(&facts);
            prop_assert_eq!(flags.len(), 2);
            prop_assert_eq!(flags[0].in_stock, available.last().is_some_and(|n| *n > 0));
        }
    }
}

//! Products that are kept elsewhere: what is said of one, as a new product or as a change.

use events::ExternalProductChanged;
use kernel::{Currency, Money};

use super::{NewProduct, ProductChange};

/// A product that is not known yet. `None` if neither a sku nor a foreign id was said, which could stand for it.
pub(crate) fn new_product(
    said: &ExternalProductChanged,
    currency: Currency,
    low_stock_threshold: i64,
) -> Option<NewProduct> {
    let sku = said.sku.clone().or_else(|| said.foreign_id.clone())?;
    Some(NewProduct {
        name: said.name.clone().unwrap_or_else(|| sku.clone()),
        sku,
        description: String::new(),
        category: None,
        price: said.price.unwrap_or(Money::new(0, currency)),
        // A negative number, as of an owner who sold what was not there, counts as 0.
        stock: said.stock.unwrap_or_default().max(0),
        low_stock_threshold,
    })
}

/// A change of a product that is known. Its stock is the inventory's affair.
pub(crate) fn change(said: &ExternalProductChanged) -> ProductChange {
    ProductChange { sku: said.sku.clone(), name: said.name.clone(), price: said.price, ..ProductChange::default() }
}

#[cfg(test)]
mod tests {
    use kernel::Uuid;

    use super::*;

    fn said() -> ExternalProductChanged {
        ExternalProductChanged {
            product_id: Uuid::from_u128(1).into(),
            contract: "erp".to_owned(),
            via: events::bridge::MESSAGE.to_owned(),
            foreign_id: Some("A-1".to_owned()),
            sku: None,
            name: None,
            price: None,
            stock: None,
            is_deleted: false,
        }
    }

    #[test]
    fn a_new_product_has_what_was_said_and_what_stands_for_the_rest() {
        let euros = Money::new(500, Currency::EUR);
        for (said, sku, name, amount, stock) in [
            (said(), "A-1", "A-1", 0, 0),
            (ExternalProductChanged { sku: Some("laptop".to_owned()), ..said() }, "laptop", "laptop", 0, 0),
            (ExternalProductChanged { name: Some("Laptop".to_owned()), ..said() }, "A-1", "Laptop", 0, 0),
            (ExternalProductChanged { price: Some(euros), stock: Some(7), ..said() }, "A-1", "A-1", 500, 7),
            (ExternalProductChanged { stock: Some(-7), ..said() }, "A-1", "A-1", 0, 0),
        ] {
            let new = new_product(&said, Currency::EUR, 5).unwrap();
            let found = (new.sku.as_str(), new.name.as_str(), new.price.amount, new.stock, new.low_stock_threshold);
            assert_eq!(found, (sku, name, amount, stock, 5));
        }
        assert!(new_product(&ExternalProductChanged { foreign_id: None, ..said() }, Currency::EUR, 5).is_none());
    }

    #[test]
    fn a_change_says_nothing_of_the_fields_that_were_not_said() {
        let changed = change(&ExternalProductChanged { name: Some("Laptop".to_owned()), stock: Some(7), ..said() });
        assert_eq!((changed.sku, changed.name, changed.price), (None, Some("Laptop".to_owned()), None));
        assert_eq!((changed.description, changed.category, changed.low_stock_threshold), (None, None, None));
    }
}

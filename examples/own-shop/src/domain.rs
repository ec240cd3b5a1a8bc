//! The decision: how an order changes what was sold.

use std::collections::BTreeMap;

use events::{OrderLine, ProductId};
use kernel::Version;

/// The units of a product that were sold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sales {
    pub product_id: ProductId,
    pub name: String,
    pub units: i64,
    /// The version that was read; `None` if there was no row.
    pub read: Option<Version>,
}

/// The sales of an order's products after it was paid.
pub(crate) fn sold(before: Vec<Sales>, lines: &[OrderLine]) -> Vec<Sales> {
    let mut sales: BTreeMap<ProductId, Sales> = before.into_iter().map(|it| (it.product_id, it)).collect();
    for line in lines {
        let of_product = sales.entry(line.product_id).or_insert_with(|| Sales {
            product_id: line.product_id,
            name: line.name.clone(),
            units: 0,
            read: None,
        });
        of_product.units = of_product.units.saturating_add(line.quantity);
    }
    sales.into_values().collect()
}

#[cfg(test)]
mod tests {
    use kernel::{Currency, Money, Uuid};

    use super::*;

    fn line(product: u128, quantity: i64) -> OrderLine {
        let (product_id, unit_price) = (Uuid::from_u128(product).into(), Money::new(100, Currency::EUR));
        OrderLine { product_id, sku: String::new(), name: "Laptop".to_owned(), quantity, unit_price }
    }

    #[test]
    fn units_are_added_to_what_was_sold_before() {
        let before = Sales { units: 5, read: Some(Version::FIRST), ..sold(vec![], &[line(1, 1)]).remove(0) };
        let after = sold(vec![before.clone()], &[line(1, 2), line(2, 3), line(1, 1)]);
        assert_eq!(after[0], Sales { units: 8, ..before });
        assert_eq!((after[1].units, after[1].read, after.len()), (3, None, 2));
    }
}

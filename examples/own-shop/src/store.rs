//! The service's table.

use events::ProductId;
use kernel::Version;
use service::storage::{self, Batch, Db, Error, Row, params};

use crate::domain::Sales;

storage::statements! {
    lookup SALES "select product_id, name, units, version from sales where product_id = any($1)";

    query MOST_SOLD "select product_id, name, units, version from sales order by units desc limit $1";

    insert ADD_SALES into sales (product_id uuid, name text, units int, version int);

    change SET_SALES "update sales set units = $2, version = version + 1 where product_id = $1 and version = $3";
}

/// The units that were sold of these products.
pub(crate) async fn sales(db: &Db, products: Vec<ProductId>) -> Result<Vec<Sales>, Error> {
    db.query(&SALES, params![products], sales_of).await
}

/// The products of which most was sold.
pub(crate) async fn most_sold(db: &Db, rows: i64) -> Result<Vec<Sales>, Error> {
    db.query(&MOST_SOLD, params![rows], sales_of).await
}

/// Changes rows under the version that was read, and adds those that were not there.
pub(crate) fn set(sales: &[Sales]) -> Batch {
    sales.iter().fold(Batch::new(), |batch, it| match it.read {
        Some(read) => batch.change(&SET_SALES, read, params![it.product_id, it.units]),
        None => batch.insert(&ADD_SALES, params![it.product_id, &it.name, it.units, Version::FIRST]),
    })
}

fn sales_of(row: &Row<'_>) -> Result<Sales, Error> {
    Ok(Sales {
        product_id: row.get("product_id")?,
        name: row.get("name")?,
        units: row.get("units")?,
        read: Some(row.get("version")?),
    })
}

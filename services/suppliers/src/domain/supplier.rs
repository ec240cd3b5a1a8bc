//! Suppliers, and what they deliver at which cost.

use events::{ProductId, SupplierId, SupplierUpdated};
use kernel::{Money, Timestamp, Version};

use super::Product;

/// A product that a supplier delivers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub product: Product,
    /// Its place in the supplier's list.
    pub position: i64,
    pub unit_cost: Money,
    /// Units that are ordered at once.
    pub order_quantity: i64,
    /// As it was read.
    pub version: Version,
}

/// A supplier as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Supplier {
    pub supplier_id: SupplierId,
    pub name: String,
    pub email: String,
    pub lead_time_days: i64,
    /// Its products are ordered when they run low.
    pub auto_replenish: bool,
    /// Those of products that are no longer for sale among them.
    pub offers: Vec<Offer>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// As it was read: a change leaves it, and its commit is guarded by it.
    pub version: Version,
}

/// A product that a supplier is to deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WantedOffer {
    pub product_id: ProductId,
    pub unit_cost: Money,
    pub order_quantity: i64,
}

/// A supplier as an admin wants it.
#[derive(Clone, Debug)]
pub(crate) struct NewSupplier {
    pub name: String,
    pub email: String,
    pub lead_time_days: i64,
    pub auto_replenish: bool,
    pub products: Vec<WantedOffer>,
}

/// The changes of a supplier; what is `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct SupplierChange {
    pub name: Option<String>,
    pub email: Option<String>,
    pub lead_time_days: Option<i64>,
    pub auto_replenish: Option<bool>,
    pub products: Option<Vec<WantedOffer>>,
}

/// Products by index that are not for sale, or not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unknown(pub Vec<usize>);

/// Units of the supplier are still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HasOpenOrders;

/// A change of the row of an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OfferWrite<'a> {
    Insert(&'a Offer),
    Update(&'a Offer),
    Delete(&'a Offer),
}

/// A new supplier.
pub(crate) fn create(
    supplier_id: SupplierId,
    new: &NewSupplier,
    products: &[Product],
    now: Timestamp,
) -> Result<(Supplier, SupplierUpdated), Unknown> {
    let supplier = Supplier {
        supplier_id,
        name: new.name.clone(),
        email: new.email.clone(),
        lead_time_days: new.lead_time_days,
        auto_replenish: new.auto_replenish,
        offers: offers(&new.products, &[], products)?,
        created_at: now,
        updated_at: now,
        version: Version::FIRST,
    };
    let event = supplier.event("created");
    Ok((supplier, event))
}

impl Supplier {
    /// The same with the changes; `None` if nothing changes.
    pub fn changed(
        &self,
        change: &SupplierChange,
        products: &[Product],
        now: Timestamp,
    ) -> Result<Option<(Self, SupplierUpdated)>, Unknown> {
        let offers = match &change.products {
            Some(wanted) => offers(wanted, &self.offers, products)?,
            None => self.offers.clone(),
        };
        let changed = Self {
            name: change.name.clone().unwrap_or_else(|| self.name.clone()),
            email: change.email.clone().unwrap_or_else(|| self.email.clone()),
            lead_time_days: change.lead_time_days.unwrap_or(self.lead_time_days),
            auto_replenish: change.auto_replenish.unwrap_or(self.auto_replenish),
            offers,
            ..self.clone()
        };
        if changed == *self {
            return Ok(None);
        }
        let event = changed.event("updated");
        Ok(Some((Self { updated_at: now, ..changed }, event)))
    }

    /// The end of a supplier, of which nothing is to come any more.
    pub fn delete(&self, has_open_orders: bool) -> Result<SupplierUpdated, HasOpenOrders> {
        if has_open_orders { Err(HasOpenOrders) } else { Ok(self.event("deleted")) }
    }

    /// The offer of a product that is for sale.
    pub fn offer(&self, product_id: ProductId) -> Option<&Offer> {
        self.for_sale().find(|offer| offer.product.product_id == product_id)
    }

    /// The offers of products that are for sale.
    pub fn for_sale(&self) -> impl Iterator<Item = &Offer> {
        self.offers.iter().filter(|offer| !offer.product.is_deleted)
    }

    fn event(&self, change: &str) -> SupplierUpdated {
        SupplierUpdated {
            supplier_id: self.supplier_id,
            name: self.name.clone(),
            email: self.email.clone(),
            change: change.to_owned(),
        }
    }
}

/// The offers that are wanted, of products that are for sale.
fn offers(wanted: &[WantedOffer], before: &[Offer], products: &[Product]) -> Result<Vec<Offer>, Unknown> {
    let mut unknown = Vec::new();
    let mut offers = Vec::new();
    for (index, wanted) in wanted.iter().enumerate() {
        let is_meant = |product: &&Product| product.product_id == wanted.product_id && !product.is_deleted;
        let Some(product) = products.iter().find(is_meant) else {
            unknown.push(index);
            continue;
        };
        let known = before.iter().find(|offer| offer.product.product_id == wanted.product_id);
        offers.push(Offer {
            product: known.map_or(product, |offer| &offer.product).clone(),
            position: i64::try_from(index).unwrap_or(i64::MAX),
            unit_cost: wanted.unit_cost,
            order_quantity: wanted.order_quantity,
            version: known.map_or(Version::FIRST, |offer| offer.version),
        });
    }
    if unknown.is_empty() { Ok(offers) } else { Err(Unknown(unknown)) }
}

/// The rows that differ between two lists of a supplier's offers.
pub(crate) fn offer_writes<'a>(before: &'a [Offer], after: &'a [Offer]) -> Vec<OfferWrite<'a>> {
    let of = |offers: &'a [Offer], like: &Offer| {
        offers.iter().find(|offer| offer.product.product_id == like.product.product_id)
    };
    let gone = before.iter().filter(|offer| of(after, offer).is_none()).map(OfferWrite::Delete);
    let there = after.iter().filter_map(|offer| match of(before, offer) {
        None => Some(OfferWrite::Insert(offer)),
        Some(known) if known != offer => Some(OfferWrite::Update(offer)),
        Some(_) => None,
    });
    gone.chain(there).collect()
}

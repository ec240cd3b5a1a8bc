//! Products as the catalogue has them.

use events::{ProductCreated, ProductDeleted, ProductId, ProductUpdated};
use kernel::Version;

/// A product as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Product {
    pub product_id: ProductId,
    pub sku: String,
    pub name: String,
    /// It is no longer for sale.
    pub is_deleted: bool,
    /// That of the catalogue.
    pub product_version: Version,
    /// As it was read: a change leaves it, and its commit is guarded by it.
    pub version: Version,
}

/// The catalogue's word about a product, beside what is known here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    New(Product),
    Changed(Product),
    /// Something newer is known.
    Newer,
}

impl Product {
    pub fn created(event: &ProductCreated, known: Option<&Self>) -> Known {
        Self::of(event.product_id, &event.sku, &event.name, event.version).beside(known)
    }

    pub fn updated(event: &ProductUpdated, known: Option<&Self>) -> Known {
        Self::of(event.product_id, &event.sku, &event.name, event.version).beside(known)
    }

    /// Also of a product that is not known here: what was emitted before may arrive later.
    pub fn deleted(event: &ProductDeleted, known: Option<&Self>) -> Known {
        let name = known.map(|product| product.name.as_str()).unwrap_or_default();
        let product = Self::of(event.product_id, &event.sku, name, event.version);
        Self { is_deleted: true, ..product }.beside(known)
    }

    fn of(product_id: ProductId, sku: &str, name: &str, version: i64) -> Self {
        Self {
            product_id,
            sku: sku.to_owned(),
            name: name.to_owned(),
            is_deleted: false,
            product_version: Version::from_stored(version),
            version: Version::FIRST,
        }
    }

    fn beside(self, known: Option<&Self>) -> Known {
        match known {
            None => Known::New(self),
            Some(known) if known.product_version >= self.product_version => Known::Newer,
            Some(known) => Known::Changed(Self { version: known.version, ..self }),
        }
    }
}

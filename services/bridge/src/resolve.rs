//! From foreign names to our ids.

use std::collections::HashMap;

use events::bridge::{
    ExternalLine, ExternalOrderPlaced, ExternalProductChanged, ExternalStockChanged, ExternalUserChanged,
};
use events::{OrderId, ProductId};
use kernel::{Currency, Ids, Money, UserId, Uuid};
use service::storage::{Batch, Db, Error};

use crate::contract::{Contract, Match};
use crate::incoming::{Fact, ForeignId, OrderPlaced, ProductChanged, ProductName, StockChanged, UserChanged};
use crate::store::{self, known};

/// An event of the bridge.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Happened {
    Order(ExternalOrderPlaced),
    Product(ExternalProductChanged),
    Stock(ExternalStockChanged),
    User(ExternalUserChanged),
}

/// The ids that were read for the names of some facts, and those that were given since.
pub(crate) struct Names<'a> {
    contract: &'a Contract,
    via: &'static str,
    currency: Currency,
    foreign: HashMap<String, Uuid>,
    by_id: HashMap<ProductId, known::Product>,
    by_sku: HashMap<String, ProductId>,
    by_name: HashMap<String, ProductId>,
}

/// The reason why a fact can't be emitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unresolved {
    /// No product has this name. It may be one that comes soon.
    Product(String),
}

impl Unresolved {
    pub fn reason(&self) -> String {
        let Self::Product(name) = self;
        format!("there is no product {name}")
    }
}

impl Fact {
    fn products(&self) -> Vec<&ProductName> {
        match self {
            Self::Order(order) => order.lines.iter().map(|line| &line.of).collect(),
            Self::Product(ProductChanged { of, .. }) | Self::Stock(StockChanged { of, .. }) => vec![of],
            Self::User(_) => Vec::new(),
        }
    }

    fn user(&self) -> Option<&ForeignId> {
        match self {
            Self::Order(order) => order.user.as_ref(),
            Self::User(user) => Some(&user.user),
            Self::Product(_) | Self::Stock(_) => None,
        }
    }
}

impl<'a> Names<'a> {
    /// Reads the ids of everything that these facts name.
    pub async fn read(
        db: &Db,
        contract: &'a Contract,
        via: &'static str,
        currency: Currency,
        facts: &[&Fact],
    ) -> Result<Self, Error> {
        let (mut keys, mut ids, mut skus, mut names) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for fact in facts {
            for name in fact.products() {
                keys.push(key(contract, "product", name.foreign()));
                ids.extend(name.product.as_ref().and_then(|id| id.0.parse::<ProductId>().ok()));
                let by_id = name.product.as_ref().map(|id| id.0.clone());
                match contract.matches_by {
                    Match::Sku => skus.extend(by_id),
                    Match::Name => names.extend(by_id),
                }
                skus.extend(name.sku.clone());
                names.extend(name.name.clone());
            }
            keys.extend(fact.user().map(|user| key(contract, "user", &user.0)));
        }
        for list in [&mut keys, &mut skus, &mut names] {
            list.sort_unstable();
            list.dedup();
        }
        Ok(Self {
            contract,
            via,
            currency,
            foreign: store::foreign_ids(db, keys).await?,
            by_id: known::products(db, ids).await?,
            by_sku: known::by_sku(db, skus).await?,
            by_name: known::by_name(db, names).await?,
        })
    }

    /// The event of a fact, and the rows that it needs.
    pub fn resolve(&mut self, fact: Fact, ids: &Ids) -> Result<(Happened, Batch), Unresolved> {
        match fact {
            Fact::Order(order) => self.order(order, ids).map(|order| (Happened::Order(order), Batch::new())),
            Fact::Product(product) => {
                let (product, batch) = self.product_changed(product, ids);
                Ok((Happened::Product(product), batch))
            }
            Fact::Stock(stock) => self.stock(&stock).map(|stock| (Happened::Stock(stock), Batch::new())),
            Fact::User(user) => {
                let (user, batch) = self.user(user, ids);
                Ok((Happened::User(user), batch))
            }
        }
    }

    fn product(&self, name: &ProductName) -> Option<ProductId> {
        let foreign = self.foreign.get(&key(self.contract, "product", name.foreign())).copied().map(ProductId::from);
        // An id that we have sent, or what stands for one.
        let by_id = |id: &ForeignId| {
            let ours = id.0.parse().ok().and_then(|id| self.by_id.get(&id));
            let ours = ours.filter(|product| !product.is_deleted).map(|product| product.product_id);
            ours.or_else(|| match self.contract.matches_by {
                Match::Sku => self.by_sku.get(&id.0).copied(),
                Match::Name => self.by_name.get(&id.0).copied(),
            })
        };
        let by_sku = || self.by_sku.get(name.sku.as_ref()?).copied();
        let by_name = || self.by_name.get(name.name.as_ref()?).copied();
        foreign.or_else(|| name.product.as_ref().and_then(by_id)).or_else(by_sku).or_else(by_name)
    }

    fn order(&self, order: OrderPlaced, ids: &Ids) -> Result<ExternalOrderPlaced, Unresolved> {
        let lines = order.lines.iter().map(|line| {
            let name = &line.of;
            let product_id = self.product(name).ok_or_else(|| Unresolved::Product(name.shown()))?;
            let unit_price = line.price.map(|amount| self.money(amount));
            Ok(ExternalLine { product_id, quantity: line.quantity, unit_price })
        });
        let lines = lines.collect::<Result<Vec<_>, Unresolved>>()?;
        let user_id = order.user.as_ref().and_then(|user| {
            let foreign = self.foreign.get(&key(self.contract, "user", &user.0)).copied().map(UserId::from);
            // Whoever asks a façade knows our accounts by our ids.
            foreign.or_else(|| user.0.parse().ok().filter(|_| self.via == events::bridge::FACADE))
        });
        Ok(ExternalOrderPlaced {
            order_id: ids.next::<OrderId>(),
            contract: self.contract.name.clone(),
            via: self.via.to_owned(),
            foreign_id: order.foreign_id.map(|id| id.0),
            user_id,
            email: order.email,
            lines,
        })
    }

    fn product_changed(&mut self, product: ProductChanged, ids: &Ids) -> (ExternalProductChanged, Batch) {
        let name = &product.of;
        let foreign_id = name.foreign().to_owned();
        let key = key(self.contract, "product", &foreign_id);
        let known = self.product(name);
        let product_id = known.unwrap_or_else(|| ids.next());
        let batch = self.named(key, product_id.into());
        let event = ExternalProductChanged {
            product_id,
            contract: self.contract.name.clone(),
            via: self.via.to_owned(),
            foreign_id: Some(foreign_id),
            sku: product.of.sku,
            name: product.of.name,
            price: product.price.map(|amount| self.money(amount)),
            stock: product.stock,
            is_deleted: product.deleted,
        };
        (event, batch)
    }

    fn stock(&self, stock: &StockChanged) -> Result<ExternalStockChanged, Unresolved> {
        let name = &stock.of;
        Ok(ExternalStockChanged {
            product_id: self.product(name).ok_or_else(|| Unresolved::Product(name.shown()))?,
            contract: self.contract.name.clone(),
            via: self.via.to_owned(),
            foreign_id: Some(name.foreign().to_owned()),
            on_hand: stock.on_hand,
        })
    }

    fn user(&mut self, user: UserChanged, ids: &Ids) -> (ExternalUserChanged, Batch) {
        let key = key(self.contract, "user", &user.user.0);
        let user_id = self.foreign.get(&key).copied().map_or_else(|| ids.next::<UserId>(), UserId::from);
        let batch = self.named(key, user_id.into());
        let event = ExternalUserChanged {
            user_id,
            contract: self.contract.name.clone(),
            via: self.via.to_owned(),
            foreign_id: Some(user.user.0),
            username: user.username,
            email: user.email,
        };
        (event, batch)
    }

    /// Keeps an id under its foreign name, if it is not kept yet.
    fn named(&mut self, key: String, our_id: Uuid) -> Batch {
        if self.foreign.contains_key(&key) {
            return Batch::new();
        }
        let batch = store::insert_foreign_id(&key, &self.contract.name, our_id);
        self.foreign.insert(key, our_id);
        batch
    }

    fn money(&self, amount: i64) -> Money {
        Money::new(amount, self.currency)
    }
}

/// The key of a foreign id.
fn key(contract: &Contract, kind: &str, id: &str) -> String {
    format!("{}/{kind}/{id}", contract.name)
}

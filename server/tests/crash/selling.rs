//! A divided shop that sells: the start of tests of many processes, and the invariants whenever it is settled.

use std::sync::Arc;

use service::storage::Location;

use crate::client::Client;
use crate::ends::{FullBooks, provider_totals_at};
use crate::fleet::Fleet;
use crate::journal::Journal;
use crate::load::Load;
use crate::rng::Rng;
use crate::shop::Shop;

pub struct Selling {
    pub fleet: Fleet,
    pub client: Client,
    pub shop: Shop,
    pub journal: Arc<Journal>,
    pub rng: Rng,
}

impl Selling {
    pub async fn on(fleet: Fleet) -> Self {
        let client = fleet.client();
        let shop = Shop::open(&client).await;
        Self { fleet, client, shop, journal: Arc::new(Journal::new()), rng: Rng::of_this_run() }
    }

    /// Puts scarce products on their shelves, and lets customers order, whatever processes die meanwhile.
    pub async fn order(&mut self, count: usize) -> Load {
        self.shop.restock(&self.client).await;
        self.journal.plan(count, &mut self.rng);
        Load::start_through_deaths(&self.client, &self.shop, &self.journal)
    }

    /// Waits until everything is settled: the books balance, those of the provider too, events of each key took effect
    /// in their order, and nothing panicked on the way.
    pub async fn settled(&self) -> FullBooks {
        let books = self.settled_in_any_order().await;
        let webhooks = self.shop.webhooks.receiver.order_violations();
        assert_eq!(webhooks, Vec::<String>::new(), "webhooks came out of order");
        assert_eq!(self.fleet.order_violations(), Vec::<String>::new(), "events of one key took effect out of order");
        books
    }

    /// The same where a broker lost events: those that are republished come behind later ones.
    pub async fn settled_in_any_order(&self) -> FullBooks {
        let books = FullBooks::settled_in_any_order(&self.client, &self.shop, &self.journal).await;
        let ledger = Location::Postgres(self.fleet.store.parse().expect("it is used by all processes"));
        assert_eq!(provider_totals_at(ledger).await, books.expected_totals(), "the provider's books differ");
        assert_eq!(self.fleet.panics(), Vec::<String>::new());
        books
    }
}

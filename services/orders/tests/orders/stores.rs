//! The stores of a shop that has stopped: what a test writes and reads in them.

use events::OrderId;
use kernel::{Cause, Clock, Ids, RequestCause, Shards, UserId, Version};
use server::shop::Shop;
use service::storage::{Batch, Change, Db, Location, Options, Query, params};

static SET_EMAIL: Change = Change::new(
    "SET_EMAIL_OF_TEST",
    "update orders set email = $2, version = version + 1 where order_id = $1 and version = $3",
);

static SET_OWNER: Change = Change::new(
    "SET_OWNER_OF_TEST",
    "update orders set user_id = $2, follows_account = $3, version = version + 1 where order_id = $1 and version = $4",
);

static ACCOUNT: Query =
    Query::new("ACCOUNT_OF_TEST", "select email, version, closed_version from users where user_id = $1");

static VERSION: Query = Query::new("VERSION_OF_TEST", "select version from orders where order_id = $1");

/// The store of one service.
pub(crate) struct Store {
    db: Db,
    ids: Ids,
}

impl Store {
    /// Opens it. Of what it emits, all goes to orders and nothing elsewhere.
    pub async fn open(service: &'static str, store: Location, clock: Clock, emitted: &[&str]) -> Self {
        let services = Shop::tradepost().described();
        let described = services.into_iter().find(|it| it.name() == service).unwrap();
        let to_orders = |event_type: &&str| ((*event_type).to_owned(), vec!["orders".to_owned()]);
        let ids = Ids::new(clock.clone());
        let options = Options {
            service,
            location: store,
            migrations: described.migrations(),
            destinations: emitted.iter().map(to_orders).collect(),
            shards: Shards::DEFAULT,
            outbox_cap: 100_000,
            clock,
            ids: ids.clone(),
        };
        Self { db: Db::open(options).await.unwrap(), ids }
    }

    /// Commits batches one after another: what they emit about one thing arrives in this order.
    pub async fn commit(&self, batches: impl IntoIterator<Item = Batch>) {
        for batch in batches {
            let cause = RequestCause { request_id: self.ids.next(), traceparent: None, keyed: None };
            self.db.commit(batch, Cause::Request(cause)).await.unwrap();
        }
    }

    /// The order as a request would have left it that had read an older account.
    pub async fn set_email(&self, order_id: &str, email: &str) {
        let (order_id, version) = self.version_of(order_id).await;
        self.commit([Batch::new().change(&SET_EMAIL, version, params![order_id, email])]).await;
    }

    /// The order as if this account had placed it, at its own address.
    pub async fn set_owner(&self, order_id: &str, user_id: UserId) {
        let (order_id, version) = self.version_of(order_id).await;
        self.commit([Batch::new().change(&SET_OWNER, version, params![order_id, user_id, true])]).await;
    }

    async fn version_of(&self, order_id: &str) -> (OrderId, Version) {
        let order_id: OrderId = order_id.parse().unwrap();
        let version = self.db.query_one(&VERSION, params![order_id], |row| row.get("version")).await.unwrap();
        (order_id, version.unwrap())
    }

    /// Address, version and version of its end of an account, as orders has them.
    pub async fn account(&self, user_id: UserId) -> Option<(String, i64, i64)> {
        let account = self.db.query_one(&ACCOUNT, params![user_id], |row| {
            Ok((row.get("email")?, row.get("version")?, row.get("closed_version")?))
        });
        account.await.unwrap()
    }

    pub async fn close(self) {
        self.db.close().await;
    }
}

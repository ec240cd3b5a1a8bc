//! The shop under load: its products are made, and afterwards everything is read back.

use std::time::Duration;

use events::{OrderId, PaymentId, ProductId, ShipmentId};
use futures_util::{StreamExt, TryStreamExt, stream};
use kernel::{DeadLetterId, EventId, Money, Timestamp, Uuid};
use notifications::MailId;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::time::Instant;

use super::plan::Plan;
use crate::cli::Failure;
use crate::cli::client::Client;
use crate::cli::failure::Exit;
use crate::cli::progress::Progress;

/// Products that are made at once.
const MAKERS: usize = 8;

/// Products that are asked for their stock at once.
const STOCK_READERS: usize = 8;

/// The time that a run waits for the shop to become idle, in all.
const SETTLE_PATIENCE: Duration = Duration::from_mins(5);

/// The time that the server may wait for the state: two looks, no more, for they cost it time.
const SETTLE_LOOK: &str = "50ms";

/// The time between two such questions.
const SETTLE_PAUSE: Duration = Duration::from_millis(250);

/// Ids carry the milliseconds of their making. What is older than the run by more than machines' clocks differ
/// is none of it.
const CLOCKS_DIFFER_MILLIS: u128 = 60_000;

/// Pages of a list at most: two million orders, far above what a run can place.
const PAGES_MAX: usize = 20_000;

/// An order as the shop reports it.
#[derive(Clone, Debug, Deserialize)]
pub struct Order {
    pub order_id: OrderId,
    pub number: i64,
    pub status: String,
    pub reason: Option<String>,
    #[serde(default)]
    pub email: String,
    pub lines: Vec<Line>,
    pub total: Money,
    /// Set if it was to be cancelled after its payment.
    #[serde(default)]
    pub cancellation: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Order {
    /// It is paid, and its customer has the units or waits for them.
    pub fn is_kept(&self) -> bool {
        matches!(self.status.as_str(), "paid" | "shipped" | "delivered" | "refunded")
    }

    /// It was paid, and cancelled before anything had left.
    pub fn is_cancelled_after_payment(&self) -> bool {
        self.status == "cancelled" && self.cancellation.is_some()
    }
}

#[derive(Clone, Debug, Deserialize)]
pub struct Line {
    pub product_id: ProductId,
    pub quantity: i64,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Payment {
    pub payment_id: PaymentId,
    pub order_id: OrderId,
    pub captured: Money,
    pub refunded: Money,
    pub refunds: Vec<Refund>,
}

/// Money of a payment that went back, or is to.
#[derive(Clone, Debug, Deserialize)]
pub struct Refund {
    pub amount: Money,
    pub status: String,
    pub reason: Option<String>,
    pub restock: Vec<Line>,
}

impl Payment {
    /// The refunds that the provider made.
    pub fn refunds_done(&self) -> impl Iterator<Item = &Refund> {
        self.refunds.iter().filter(|refund| refund.status == "succeeded")
    }
}

/// A part of an order that leaves together.
#[derive(Clone, Debug, Deserialize)]
pub struct Shipment {
    pub shipment_id: ShipmentId,
    pub order_id: OrderId,
    pub status: String,
    pub lines: Vec<Line>,
}

impl Shipment {
    pub fn has_left(&self) -> bool {
        matches!(self.status.as_str(), "dispatched" | "delivered")
    }
}

#[derive(Clone, Debug, Deserialize)]
pub struct Mail {
    pub mail_id: MailId,
    pub order_id: Option<OrderId>,
    pub to: String,
    pub template: String,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Stock {
    pub product_id: ProductId,
    pub on_hand: i64,
    pub reserved: i64,
}

#[derive(Clone, Debug, Deserialize)]
pub struct DeadLetter {
    pub dead_letter_id: DeadLetterId,
    pub key: Uuid,
    pub consumer: String,
    #[serde(rename = "type")]
    pub event_type: String,
    pub reason: Option<String>,
}

/// An event of the inventory: what it decided about an order, and when.
#[derive(Clone, Debug, Deserialize)]
pub struct Decision {
    event_id: EventId,
    /// The order.
    pub subject: Uuid,
    pub time: Timestamp,
}

/// The shop's records of a run: everything that is not older, also what others did.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub orders: Vec<Order>,
    pub payments: Vec<Payment>,
    pub shipments: Vec<Shipment>,
    pub mails: Vec<Mail>,
    pub stock: Vec<Stock>,
    pub dead_letters: Vec<DeadLetter>,
    /// Read for a hot product only.
    pub decisions: Vec<Decision>,
}

/// Something that a list of the shop holds, newest first.
trait Listed: DeserializeOwned {
    fn id(&self) -> Uuid;
}

macro_rules! listed {
    ($($item:ident by $id:ident),* $(,)?) => {$(
        impl Listed for $item {
            fn id(&self) -> Uuid {
                self.$id.into()
            }
        }
    )*};
}

listed!(
    Order by order_id,
    Payment by payment_id,
    Shipment by shipment_id,
    Mail by mail_id,
    DeadLetter by dead_letter_id,
    Decision by event_id,
);

/// Makes the products of a run; answers with their ids, in their order.
pub async fn make_products(client: &Client, plan: &Plan) -> Result<Vec<ProductId>, Failure> {
    #[derive(Deserialize)]
    struct Made {
        product_id: ProductId,
    }
    let made = (0..plan.products).map(|product| async move {
        // It never counts as low: that would order more.
        let body = json!({"sku": plan.sku(product), "name": format!("Load {product}"), "category": "bench",
            "price": plan.price(product), "stock": plan.stock, "low_stock_threshold": 0});
        let answer = client.post("/v1/products", Some(&body)).await?;
        client.view(&answer).map(|made: Made| made.product_id)
    });
    stream::iter(made).buffered(MAKERS).try_collect().await
}

/// Waits until nothing is in flight in the shop. False if that does not come about in time.
pub async fn settle(client: &Client, progress: &mut Progress, phase: &str) -> Result<bool, Failure> {
    let began = Instant::now();
    while began.elapsed() < SETTLE_PATIENCE {
        match client.get("/internal/settled", &[("timeout", SETTLE_LOOK)]).await {
            Ok(_) => return Ok(true),
            Err(failure) if failure.exit() == Exit::Failed => {}
            Err(failure) => return Err(failure),
        }
        progress.phase(&format!("{phase} {:.0} s", began.elapsed().as_secs_f64()));
        tokio::time::sleep(SETTLE_PAUSE).await;
    }
    Ok(false)
}

/// Reads back what the run made, lists side by side.
pub async fn read_back(client: &Client, product_ids: &[ProductId], is_hot: bool) -> Result<Found, Failure> {
    let floor = product_ids.iter().min().map_or(Uuid::nil(), |first| floor((*first).into()));
    let stock = product_ids.iter().map(|id| async move {
        let level = client.get(&format!("/v1/stock/{id}"), &[]).await?;
        client.view::<Stock>(&level)
    });
    let decided = async {
        if !is_hot {
            return Ok(Vec::new());
        }
        let of = |outcome: &'static str| all_since(client, "/v1/events", vec![("type", outcome)], floor);
        let (mut reserved, rejected): (Vec<Decision>, Vec<_>) =
            futures_util::try_join!(of("inventory.stock_reserved.v1"), of("inventory.stock_rejected.v1"))?;
        reserved.extend(rejected);
        Ok(reserved)
    };
    let (orders, payments, shipments, mails, dead_letters, stock, decisions) = futures_util::try_join!(
        all_since(client, "/v1/orders", vec![], floor),
        all_since(client, "/v1/payments", vec![], floor),
        all_since(client, "/v1/shipments", vec![], floor),
        all_since(client, "/v1/mail", vec![], floor),
        all_since(client, "/v1/dead-letters", vec![], floor),
        stream::iter(stock).buffered(STOCK_READERS).try_collect(),
        decided,
    )?;
    Ok(Found { orders, payments, shipments, mails, stock, dead_letters, decisions })
}

/// The id above which everything of the run is.
fn floor(first: Uuid) -> Uuid {
    const MILLIS_SHIFT: u32 = 80;
    let millis = (first.as_u128() >> MILLIS_SHIFT).saturating_sub(CLOCKS_DIFFER_MILLIS);
    Uuid::from_u128(millis << MILLIS_SHIFT)
}

/// The items of a list that are not older than `floor`: it runs from new to old.
async fn all_since<T: Listed>(
    client: &Client,
    path: &str,
    query: Vec<(&str, &str)>,
    floor: Uuid,
) -> Result<Vec<T>, Failure> {
    let mut found = Vec::new();
    let mut cursor = None;
    for _ in 0..PAGES_MAX {
        let (items, next) = client.page_of::<T>(path, &query, cursor.as_deref()).await?;
        let is_last = items.last().is_none_or(|last| last.id() < floor);
        found.extend(items.into_iter().filter(|item| item.id() >= floor));
        cursor = next;
        if is_last || cursor.is_none() {
            return Ok(found);
        }
    }
    Err(Failure::failed(format!("GET {path} holds more than a run can have made: its books were not checked")))
}

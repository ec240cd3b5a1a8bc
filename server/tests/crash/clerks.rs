//! Clerks who do with paid orders what is planned for them: send them, deliver them, take them back, cancel them.
//!
//! A clerk looks at an order and does the next step of its plan. So a step whose answer was lost is looked at, not
//! repeated, and whoever has the order next goes on with it.

use std::sync::Weak;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::books::{Order, Payment, Shipment};
use crate::client::{Client, Unanswered};
use crate::journal::{Ack, Cancelled, Draft, Journal, Plan, Task};
use crate::load::{Patience, insist};
use crate::shop::Shop;

/// The wait of a clerk who finds an order that can't be taken on yet.
const NOT_YET: Duration = Duration::from_millis(50);

/// Looks at an order that is not paid, or whose shipment is not known, before it is left as it is: many rounds over all
/// that wait, and a bound for those that never will be.
const LOOKS_MAX: u32 = 100;

/// The result of a look at an order.
enum Looked {
    /// The plan is carried out, or can't be any more.
    Done,
    /// There is a further step.
    Moved,
    NotYet,
}

pub struct Clerk {
    pub client: Client,
    pub shop: Shop,
    pub patience: Patience,
}

impl Clerk {
    /// Works until all customers have left and nothing is to be done, or the process is gone.
    pub async fn work(&self, journal: &Journal, customers: &Weak<()>) -> Result<(), Unanswered> {
        loop {
            let all_have_left = customers.strong_count() == 0;
            let Some(mut task) = journal.next_task() else {
                if all_have_left {
                    return Ok(());
                }
                tokio::time::sleep(NOT_YET).await;
                continue;
            };
            match self.look(journal, &task).await {
                Ok(Looked::Done) => {}
                Ok(Looked::Moved) => journal.put_back(task),
                Ok(Looked::NotYet) => {
                    task.looks += 1;
                    if task.looks < LOOKS_MAX {
                        journal.put_back(task);
                    }
                    tokio::time::sleep(NOT_YET).await;
                }
                Err(unanswered) => {
                    // Whoever works on after a start looks at it.
                    journal.put_back(task);
                    return Err(unanswered);
                }
            }
        }
    }

    async fn look(&self, journal: &Journal, task: &Task) -> Result<Looked, Unanswered> {
        let order = format!("/v1/orders/{}", task.order_id);
        let Some(order) = self.read::<Order>(&order).await? else { return Ok(Looked::NotYet) };
        match order.status.as_str() {
            "placed" | "reserved" => return Ok(Looked::NotYet),
            "paid" | "shipped" | "delivered" => {}
            // One that waits for stock too, which nobody waits for here.
            _ => return Ok(Looked::Done),
        }
        let draft = journal.draft(task.at);
        if draft.plan == Plan::Cancel {
            self.cancel(journal, task).await?;
            return Ok(Looked::Done);
        }
        let shipments = format!("/v1/shipments?limit=100&order_id={}", task.order_id);
        let Some(shipments) = self.list::<Shipment>(&shipments).await? else { return Ok(Looked::NotYet) };
        let of_status = |status: &str| shipments.iter().find(|it| it.status == status);
        let has_left = shipments.iter().any(|it| it.status != "pending");
        match (draft.plan, of_status("pending"), of_status("dispatched")) {
            (_, None, None) if shipments.is_empty() => Ok(Looked::NotYet),
            // Its customer cancelled it meanwhile, and the money goes back without a clerk.
            _ if of_status("stopped").is_some() => Ok(Looked::Done),
            (Plan::Race, Some(shipment), _) if !has_left => {
                let sent = json!({"carrier": "DHL", "tracking_number": "T-race"});
                let (dispatched, cancelled) =
                    tokio::join!(self.dispatch(journal, task, shipment, &sent), self.cancel(journal, task));
                dispatched.and(cancelled)?;
                Ok(Looked::Done)
            }
            (Plan::Race, ..) => Ok(Looked::Done),
            (Plan::SendPart, ..) if has_left => Ok(Looked::Done),
            (Plan::SendPart | Plan::DeliverParts, Some(shipment), _) if !has_left => {
                let sent = json!({"carrier": "DHL", "tracking_number": "T-part", "lines": [self.unit(&draft)]});
                self.dispatch(journal, task, shipment, &sent).await?;
                Ok(Looked::Moved)
            }
            (_, Some(shipment), _) => {
                let sent = json!({"carrier": "DHL", "tracking_number": "T-all"});
                self.dispatch(journal, task, shipment, &sent).await?;
                Ok(Looked::Moved)
            }
            (Plan::Send, ..) => Ok(Looked::Done),
            (_, None, Some(shipment)) => {
                self.deliver(journal, task, shipment).await?;
                Ok(Looked::Moved)
            }
            (Plan::ReturnPart | Plan::ReturnAll, ..) => self.take_back(journal, task, &draft).await,
            _ => Ok(Looked::Done),
        }
    }

    async fn dispatch(
        &self,
        journal: &Journal,
        task: &Task,
        shipment: &Shipment,
        sent: &Value,
    ) -> Result<(), Unanswered> {
        let path = format!("/v1/shipments/{}/dispatch", shipment.shipment_id);
        match insist(&self.client, &path, Some(sent), self.patience).await? {
            None => {}
            Some((200, _)) => journal.acknowledged(task.at, Ack::Dispatched(shipment.shipment_id.clone())),
            // Its customer cancelled it meanwhile, or a dispatch without an answer was one.
            Some((409, body)) if is_one_of(&body, &["shipment_stopped", "already_dispatched"]) => {}
            Some(other) => journal.refused(task.at, "to be dispatched", &other),
        }
        Ok(())
    }

    async fn deliver(&self, journal: &Journal, task: &Task, shipment: &Shipment) -> Result<(), Unanswered> {
        let path = format!("/v1/shipments/{}/deliver", shipment.shipment_id);
        match insist(&self.client, &path, Some(&json!({})), self.patience).await? {
            None => {}
            Some((200, _)) => journal.acknowledged(task.at, Ack::Delivered(shipment.shipment_id.clone())),
            Some((409, body)) if is_one_of(&body, &["already_delivered"]) => {}
            Some(other) => journal.refused(task.at, "to be delivered", &other),
        }
        Ok(())
    }

    /// Money goes back, and units with it: one of them, or all.
    async fn take_back(&self, journal: &Journal, task: &Task, draft: &Draft) -> Result<Looked, Unanswered> {
        let payments = format!("/v1/payments?limit=100&order_id={}", task.order_id);
        let Some(payments) = self.list::<Payment>(&payments).await? else { return Ok(Looked::NotYet) };
        let captured = payments.iter().find(|payment| payment.status == "captured");
        let Some(payment) = captured.filter(|payment| payment.refunds.is_empty()) else { return Ok(Looked::Done) };
        let body = if draft.plan == Plan::ReturnPart {
            let price = self.shop.shelves[draft.lines[0].0].price;
            json!({"amount": {"amount": price, "currency": "EUR"}, "reason": "scratched", "restock": [self.unit(draft)]})
        } else {
            json!({"reason": "unwanted", "restock": draft.body(&self.shop)["lines"]})
        };
        let path = format!("/v1/payments/{}/refund", payment.payment_id);
        match insist(&self.client, &path, Some(&body), self.patience).await? {
            None => return Ok(Looked::Moved),
            Some((202, refund)) => {
                let refund_id = refund["refund_id"].as_str().expect("a refund has an id").to_owned();
                journal.acknowledged(task.at, Ack::Refund(refund_id));
            }
            Some(other) => journal.refused(task.at, "to be refunded", &other),
        }
        Ok(Looked::Done)
    }

    async fn cancel(&self, journal: &Journal, task: &Task) -> Result<(), Unanswered> {
        cancel(&self.client, journal, task.at, &task.order_id, self.patience).await
    }

    /// One unit of the first line.
    fn unit(&self, draft: &Draft) -> Value {
        json!({"product_id": self.shop.shelves[draft.lines[0].0].product_id, "quantity": 1})
    }

    /// The answer to a `GET`, or `None` while it can't be given.
    async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>, Unanswered> {
        let Some((status, body)) = insist(&self.client, path, None, self.patience).await? else { return Ok(None) };
        assert_eq!(status, 200, "GET {path} answered {body}");
        Ok(Some(serde_json::from_value(body).unwrap_or_else(|error| panic!("GET {path} is another thing: {error}"))))
    }

    async fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Option<Vec<T>>, Unanswered> {
        let body = self.read::<Value>(path).await?;
        let items = body.map(|mut body| serde_json::from_value(body["items"].take()));
        Ok(items.map(|items| items.unwrap_or_else(|error| panic!("GET {path} is another list: {error}"))))
    }
}

fn is_one_of(problem: &Value, codes: &[&str]) -> bool {
    problem["code"].as_str().is_some_and(|code| codes.contains(&code))
}

/// Cancels an order: at once, or if nothing has left.
pub async fn cancel(
    client: &Client,
    journal: &Journal,
    at: usize,
    order_id: &str,
    patience: Patience,
) -> Result<(), Unanswered> {
    journal.cancelled(at, Cancelled::Unknown);
    let path = format!("/v1/orders/{order_id}/cancel");
    match insist(client, &path, Some(&json!({})), patience).await? {
        None => {}
        Some((200, _)) => journal.cancelled(at, Cancelled::Yes),
        Some((202, _)) => journal.cancelled(at, Cancelled::Asked),
        Some((409, _)) => journal.cancelled(at, Cancelled::TooLate),
        Some(other) => journal.refused(at, "to be cancelled", &other),
    }
    Ok(())
}

//! Customers who order side by side, until all is ordered or the process is gone.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::client::{Client, Unanswered};
use crate::journal::{Cancelled, Journal, Placed};
use crate::shop::Shop;

/// Enough for commits to share transactions and for a kill to cut many requests at once.
const CUSTOMERS: usize = 32;

pub struct Load {
    customers: JoinSet<Result<(), Unanswered>>,
    answers: watch::Receiver<usize>,
    answers_before: usize,
}

impl Load {
    /// Places what the journal plans.
    pub fn start(client: &Client, shop: &Shop, journal: &Arc<Journal>) -> Self {
        Self::start_with(client, shop, journal, Patience::None)
    }

    /// Places what the journal plans, whatever processes die meanwhile: others serve on.
    pub fn start_through_deaths(client: &Client, shop: &Shop, journal: &Arc<Journal>) -> Self {
        Self::start_with(client, shop, journal, Patience::WhileSomeServe)
    }

    /// Places what the journal plans, and places again what was refused because the store was down.
    pub fn start_through_outages(client: &Client, shop: &Shop, journal: &Arc<Journal>) -> Self {
        Self::start_with(client, shop, journal, Patience::WhileDown)
    }

    fn start_with(client: &Client, shop: &Shop, journal: &Arc<Journal>, patience: Patience) -> Self {
        let shop = Arc::new(shop.clone());
        let answers = journal.answers();
        let answers_before = *answers.borrow();
        let mut customers = JoinSet::new();
        for _ in 0..CUSTOMERS {
            let (client, shop, journal) = (client.clone(), shop.clone(), journal.clone());
            customers.spawn(async move { order(&client, &shop, &journal, patience).await });
        }
        Self { customers, answers, answers_before }
    }

    /// Waits until this many orders were answered, or all customers are done.
    pub async fn answered(&mut self, count: usize) {
        let enough = self.answers_before + count;
        let mut answers = self.answers.clone();
        tokio::select! {
            _ = answers.wait_for(|answers| *answers >= enough) => {}
            () = self.done() => {}
        }
    }

    /// Waits until all customers are done.
    pub async fn done(&mut self) {
        while let Some(customer) = self.customers.join_next().await {
            // Who was not answered has written down that nobody knows, and left.
            let _ = customer.expect("customers don't panic");
        }
    }
}

/// The reaction of a customer when the shop states that it can't do anything now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    /// Complains.
    None,
    /// Asks again.
    WhileDown,
    /// Asks again, and goes to another process if one dies: whether that had done it nobody knows.
    WhileSomeServe,
}

/// The wait of a customer who is asked to come back.
const COME_BACK: Duration = Duration::from_millis(100);

/// The answer, once there is another than 503. `None` if it is unknown whether it was done.
async fn insist(
    client: &Client,
    path: &str,
    body: &Value,
    patience: Patience,
) -> Result<Option<(u16, Value)>, Unanswered> {
    loop {
        let (status, answer) = match client.post(path, body).await {
            Ok(answered) => answered,
            Err(Unanswered) if patience == Patience::WhileSomeServe => {
                tokio::time::sleep(COME_BACK).await;
                return Ok(None);
            }
            Err(unanswered) => return Err(unanswered),
        };
        match answer["code"].as_str() {
            Some("outcome_unknown") if patience != Patience::None => return Ok(None),
            Some("store_unavailable" | "busy" | "overloaded" | "draining") if patience != Patience::None => {
                tokio::time::sleep(COME_BACK).await;
            }
            _ => return Ok(Some((status, answer))),
        }
    }
}

async fn order(client: &Client, shop: &Shop, journal: &Journal, patience: Patience) -> Result<(), Unanswered> {
    while let Some((at, draft)) = journal.take() {
        let Some((status, body)) = insist(client, "/v1/orders", &draft.body(shop), patience).await? else {
            journal.placed(at, Placed::Unknown);
            continue;
        };
        let Some(order_id) = body["order_id"].as_str().filter(|_| status == 201) else {
            journal.placed(at, Placed::Refused(format!("{status} {body}")));
            continue;
        };
        journal.placed(at, Placed::As(order_id.to_owned()));
        if let Some(wait) = draft.cancel_after {
            tokio::time::sleep(wait).await;
            cancel(client, journal, at, order_id, patience).await?;
        }
    }
    Ok(())
}

async fn cancel(
    client: &Client,
    journal: &Journal,
    at: usize,
    order_id: &str,
    patience: Patience,
) -> Result<(), Unanswered> {
    journal.cancelled(at, Cancelled::Unknown);
    let path = format!("/v1/orders/{order_id}/cancel");
    let Some((status, body)) = insist(client, &path, &json!({}), patience).await? else { return Ok(()) };
    match status {
        200 => journal.cancelled(at, Cancelled::Yes),
        409 => journal.cancelled(at, Cancelled::TooLate),
        _ => journal.placed(at, Placed::Refused(format!("to be cancelled: {status} {body}"))),
    }
    Ok(())
}

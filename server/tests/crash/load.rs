//! Customers who order side by side, until all is ordered or the process is gone.

use std::sync::Arc;

use serde_json::json;
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
        let shop = Arc::new(shop.clone());
        let answers = journal.answers();
        let answers_before = *answers.borrow();
        let mut customers = JoinSet::new();
        for _ in 0..CUSTOMERS {
            let (client, shop, journal) = (client.clone(), shop.clone(), journal.clone());
            customers.spawn(async move { order(&client, &shop, &journal).await });
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

async fn order(client: &Client, shop: &Shop, journal: &Journal) -> Result<(), Unanswered> {
    while let Some((at, draft)) = journal.take() {
        let (status, body) = client.post("/v1/orders", &draft.body(shop)).await?;
        let Some(order_id) = body["order_id"].as_str().filter(|_| status == 201) else {
            journal.placed(at, Placed::Refused(format!("{status} {body}")));
            continue;
        };
        journal.placed(at, Placed::As(order_id.to_owned()));
        if let Some(wait) = draft.cancel_after {
            tokio::time::sleep(wait).await;
            cancel(client, journal, at, order_id).await?;
        }
    }
    Ok(())
}

async fn cancel(client: &Client, journal: &Journal, at: usize, order_id: &str) -> Result<(), Unanswered> {
    journal.cancelled(at, Cancelled::Unknown);
    let (status, body) = client.post(&format!("/v1/orders/{order_id}/cancel"), &json!({})).await?;
    match status {
        200 => journal.cancelled(at, Cancelled::Yes),
        409 => journal.cancelled(at, Cancelled::TooLate),
        _ => journal.placed(at, Placed::Refused(format!("to be cancelled: {status} {body}"))),
    }
    Ok(())
}

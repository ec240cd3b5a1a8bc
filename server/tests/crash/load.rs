//! Customers who order side by side, and clerks who do what follows, until all is done or the process is gone.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::clerks::{Clerk, cancel};
use crate::client::{Client, Unanswered};
use crate::journal::{Journal, Placed};
use crate::shop::Shop;

/// Enough for commits to share transactions and for a kill to cut many requests at once.
const CUSTOMERS: usize = 32;

/// Few beside the customers, so that orders are placed about as fast as without them.
const CLERKS: usize = 6;

pub struct Load {
    people: JoinSet<Result<(), Unanswered>>,
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
        let mut people = JoinSet::new();
        shop.webhooks.receiver.fails_at_times();
        // Each customer has a share of it until they leave.
        let ordering = Arc::new(());
        for _ in 0..CUSTOMERS {
            let (client, shop, journal, ordering) = (client.clone(), shop.clone(), journal.clone(), ordering.clone());
            people.spawn(async move {
                let left = order(&client, &shop, &journal, patience).await;
                drop(ordering);
                left
            });
        }
        for _ in 0..CLERKS {
            let (journal, customers) = (journal.clone(), Arc::downgrade(&ordering));
            let clerk = Clerk { client: client.clone(), shop: Shop::clone(&shop), patience };
            people.spawn(async move { clerk.work(&journal, &customers).await });
        }
        let (client, customers) = (client.clone(), Arc::downgrade(&ordering));
        people.spawn(async move { shop.supplies.buy(&client, &shop, patience, &customers).await });
        Self { people, answers, answers_before }
    }

    /// Waits until this many orders were answered, or all is done.
    pub async fn answered(&mut self, count: usize) {
        let enough = self.answers_before + count;
        let mut answers = self.answers.clone();
        tokio::select! {
            _ = answers.wait_for(|answers| *answers >= enough) => {}
            () = self.done() => {}
        }
    }

    /// Waits until all customers and clerks are done.
    pub async fn done(&mut self) {
        while let Some(person) = self.people.join_next().await {
            // Who was not answered has written down that nobody knows, and left.
            let _ = person.expect("customers and clerks don't panic");
        }
    }
}

/// The reaction of a customer or a clerk when the shop states that it can't do anything now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Complains.
    None,
    /// Asks again.
    WhileDown,
    /// Asks again, and goes to another process if one dies: whether that had done it nobody knows.
    WhileSomeServe,
}

/// The wait of a customer who is asked to come back.
const COME_BACK: Duration = Duration::from_millis(100);

/// The answer to a `POST`, or without a body to a `GET`, once there is another than 503. `None` if it is unknown whether
/// it was done.
pub async fn insist(
    client: &Client,
    path: &str,
    body: Option<&Value>,
    patience: Patience,
) -> Result<Option<(u16, Value)>, Unanswered> {
    loop {
        let answered = match body {
            Some(body) => client.post(path, body).await,
            None => client.ask(path).await,
        };
        let (status, answer) = match answered {
            Ok(answered) => answered,
            Err(Unanswered) if patience == Patience::WhileSomeServe => {
                tokio::time::sleep(COME_BACK).await;
                return Ok(None);
            }
            Err(unanswered) => return Err(unanswered),
        };
        match answer["code"].as_str() {
            Some("outcome_unknown" | "timed_out") if patience != Patience::None => return Ok(None),
            Some("store_unavailable" | "busy" | "overloaded" | "draining") if patience != Patience::None => {
                tokio::time::sleep(COME_BACK).await;
            }
            _ => return Ok(Some((status, answer))),
        }
    }
}

async fn order(client: &Client, shop: &Shop, journal: &Journal, patience: Patience) -> Result<(), Unanswered> {
    while let Some((at, draft)) = journal.take() {
        let Some((status, body)) = insist(client, "/v1/orders", Some(&draft.body(shop)), patience).await? else {
            journal.placed(at, Placed::Unknown);
            continue;
        };
        let Some(order_id) = body["order_id"].as_str().filter(|_| status == 201) else {
            journal.placed(at, Placed::Refused(format!("{status} {body}")));
            continue;
        };
        journal.placed(at, Placed::As(order_id.to_owned()));
        journal.plan_for(at, order_id);
        if let Some(wait) = draft.cancel_after {
            tokio::time::sleep(wait).await;
            cancel(client, journal, at, order_id, patience).await?;
        }
    }
    Ok(())
}

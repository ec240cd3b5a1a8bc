//! `tradepost payments refund`

use std::time::Duration;

use clap::Args;
use events::{OrderId, PaymentId};
use reqwest::header::HeaderValue;
use serde_json::{Value, json};

use super::{Payment, RefundState};
use crate::cli::arguments::{OrderRef, Price, WantedLine, id, idempotency_key, new_idempotency_key};
use crate::cli::client::Client;
use crate::cli::failure::Exit;
use crate::cli::output::note;
use crate::cli::progress::Progress;
use crate::cli::table::fields;
use crate::cli::{Failure, Output, problem};

/// The time between two looks at a refund that is pending.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Payments of an order that are looked at: far more than its customer has tokens.
const PAYMENTS_MAX: usize = 100;

const AFTER_HELP: &str = "\
Examples:
  tradepost payments refund --order 1001
  tradepost payments refund --order 1001 --amount 12.50 --reason \"a scratch\"
  tradepost payments refund --order 1001 --amount 29.90 --restock 456=1

It waits until the payment provider has given the money back or refused to.
Exit code 1 if it was refused, 5 if the payment has not that much left.";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct Refund {
    /// The payment's id
    #[arg(value_parser = id::<PaymentId>, required_unless_present = "order")]
    payment: Option<PaymentId>,
    /// The order, by its number or its id, whose payment it is
    #[arg(long)]
    order: Option<OrderRef>,
    /// The money, as in "12.50 EUR", or without a currency in that of the shop [default: all that is left]
    #[arg(long)]
    amount: Option<Price>,
    /// Reason, for whoever reads it later
    #[arg(long)]
    reason: Option<String>,
    /// A product's sku or id, and how many units of it are to be sold again; may stand several times
    #[arg(long, value_name = "PRODUCT=UNITS")]
    restock: Vec<WantedLine>,
    /// Don't wait for the payment provider
    #[arg(long)]
    no_wait: bool,
    /// A text of your own: repeated with the same one within 24 hours, the command gives the money back once
    #[arg(long, value_name = "KEY", value_parser = idempotency_key)]
    idempotency_key: Option<HeaderValue>,
}

impl Refund {
    pub async fn run(self, client: &Client, out: &mut Output) -> Result<(), Failure> {
        let order_id = match self.order {
            Some(order) => Some(order.resolve(client).await?),
            None => None,
        };
        let payment_id = match (self.payment, order_id) {
            (Some(payment_id), _) => payment_id,
            (None, Some(order_id)) => payment_of(client, order_id).await?,
            (None, None) => unreachable!("the parser of the arguments asks for one of them"),
        };
        let mut body = json!({});
        if let Some(order_id) = order_id {
            body["order_id"] = json!(order_id);
        }
        if let Some(amount) = &self.amount {
            body["amount"] = json!(amount.resolve(client).await?);
        }
        if let Some(reason) = &self.reason {
            body["reason"] = json!(reason);
        }
        if !self.restock.is_empty() {
            body["restock"] = json!(WantedLine::resolve_all(&self.restock, client).await?);
        }
        let answer = post(client, payment_id, &body, self.idempotency_key).await?;
        let refund: RefundState = client.view(&answer)?;
        if self.no_wait {
            note("`tradepost payments list` shows how it ends");
            return print(out, &answer, &refund);
        }
        let answer = outcome(client, payment_id, &refund.refund_id).await.map_err(|failure| not_watched(&failure))?;
        let refund: RefundState = client.view(&answer)?;
        print(out, &answer, &refund)?;
        if refund.status == "succeeded" {
            return Ok(());
        }
        let error = refund.error.as_deref().unwrap_or("it does not say why");
        Err(Failure::failed(format!("the payment provider did not give the money back: {error}"))
            .with_help("the payment keeps it: refund it again, or settle it another way"))
    }
}

/// The payment of the order by which money came, or else its newest.
async fn payment_of(client: &Client, order_id: OrderId) -> Result<PaymentId, Failure> {
    let query = [("order_id", &*order_id.to_string())];
    let payments = client.list("/v1/payments", &query, PAYMENTS_MAX).await?.items;
    let payments: Vec<Payment> = payments.iter().map(|payment| client.view(payment)).collect::<Result<_, _>>()?;
    let has_money = |payment: &&Payment| payment.captured.is_some_and(|money| money.amount > 0);
    let Some(payment) = payments.iter().find(has_money).or(payments.first()) else {
        return Err(Failure::new(Exit::NotFound, "the order has no payment: nothing was paid for it"));
    };
    payment.payment_id.parse().map_err(|_| problem::not_ours(client.base()))
}

async fn post(
    client: &Client,
    payment_id: PaymentId,
    body: &Value,
    key: Option<HeaderValue>,
) -> Result<Value, Failure> {
    let key = key.unwrap_or_else(new_idempotency_key);
    let shown = key.to_str().unwrap_or_default();
    let help = format!(
        "the money may be given back: repeat the command with `--idempotency-key {shown}`, which does it at most once"
    );
    client.post_once(&format!("/v1/payments/{payment_id}/refund"), body, &key, &help).await
}

/// The refund once the provider has decided about it.
async fn outcome(client: &Client, payment_id: PaymentId, refund_id: &str) -> Result<Value, Failure> {
    let mut progress = Progress::on_stderr();
    loop {
        let mut answer = client.get(&format!("/v1/payments/{payment_id}"), &[]).await?;
        let refunds: Vec<Value> = client.view(&answer["refunds"].take())?;
        let found = refunds.into_iter().find(|refund| refund["refund_id"] == refund_id);
        let refund = found.ok_or_else(|| problem::not_ours(client.base()))?;
        if refund["status"] != "pending" {
            return Ok(refund);
        }
        progress.phase("the payment provider is asked for the money; Ctrl-C ends the waiting, not the refund");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// The refund stands, whatever went wrong after it was accepted.
fn not_watched(failure: &Failure) -> Failure {
    Failure::new(Exit::PartlyFailed, format!("the refund was accepted and stands, but it can't be watched: {failure}"))
        .with_details(failure.details().to_vec())
        .with_help("don't repeat it: `tradepost payments list` shows how it ends")
}

fn print(out: &mut Output, answer: &Value, refund: &RefundState) -> Result<(), Failure> {
    if out.is_json() {
        return out.document(answer);
    }
    out.text(fields([
        ("refund", Some(refund.refund_id.clone())),
        ("amount", Some(refund.amount.to_string())),
        ("status", Some(refund.status.clone())),
        ("reason", refund.reason.clone()),
    ]))
}

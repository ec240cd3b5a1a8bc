//! A contract is spoken on a broker: connected, and again whenever the connection breaks.

use std::sync::Arc;
use std::time::Duration;

use service::Tasks;

use crate::contract::{Broker, Contract};
use crate::{Ctx, amqp, streams};

/// The waits before a broker is tried again, the shortest and the longest.
const AGAIN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

/// Speaks a contract on a broker until the tasks stop.
pub(crate) async fn speak(ctx: Ctx, contract: Arc<Contract>, url: String, tasks: Tasks) {
    let mut wait = AGAIN.0;
    while !tasks.is_stopping() {
        let began = tokio::time::Instant::now();
        let reason = match contract.broker {
            Broker::RabbitMq => {
                amqp::work(&ctx, &contract, &url, &tasks).await.unwrap_or_else(|error| error.to_string())
            }
            Broker::Redis => {
                streams::work(&ctx, &contract, &url, &tasks).await.unwrap_or_else(|error| error.to_string())
            }
        };
        if tasks.is_stopping() {
            return;
        }
        ctx.state.is_connected(&contract, Some(reason.clone()));
        kernel::warn_limited!(contract = contract.name, reason, "the broker of a contract can't be used");
        wait = if began.elapsed() > AGAIN.1 { AGAIN.0 } else { (wait * 2).min(AGAIN.1) };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = tasks.stopping() => {}
        }
    }
}

//! Nothing more is sent to an endpoint: an alert says so until it is enabled or deleted.
//!
//! The alert names the endpoint's host, and not its whole address: a path or a query may hold a secret, and alerts are mailed
//! and sent to other endpoints.

use events::WebhookDisabled;
use service::{Committed, Delivery, Failure};

use crate::Ctx;
use crate::domain::{Fact, Kind, Switched};
use crate::follow_conditions::follow_each;

pub(crate) async fn handle_many(ctx: Ctx, deliveries: Vec<Delivery<WebhookDisabled>>) -> Result<Committed, Failure> {
    follow_each(ctx, Kind::WebhookDisabled, deliveries, |delivery| {
        let WebhookDisabled { endpoint_id, url, reason, since } = &delivery.event;
        let detail = format!("{}: {reason}", host_of(url));
        let began = Switched { version: delivery.envelope.sequence, since: *since, detail };
        Some((endpoint_id.to_string(), Fact::Began(began)))
    })
    .await
}

/// The host of an address, with its port if it names one.
fn host_of(url: &str) -> &str {
    let without_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    without_scheme.split(['/', '?', '#']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_address_the_host_alone_is_shown() {
        assert_eq!(host_of("https://erp.example.com/hook/s3cret?key=s3cret"), "erp.example.com");
        assert_eq!(host_of("http://erp.example.com:8443?key=s3cret"), "erp.example.com:8443");
    }
}

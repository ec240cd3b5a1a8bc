//! The rights of the broker's users.

use server::shop::Shop;

use super::Part;

pub fn parts(shop: &Shop) -> Vec<Part> {
    let lines = shop.described().into_iter().map(|service| {
        let name = service.name();
        let mut types: Vec<&str> = service.subscriptions().into_iter().map(|(event_type, _)| event_type).collect();
        types.sort_unstable();
        let types = types.join("|").replace('.', "[.]");
        // Not the queues with which versions before caught consumers up: only `migrate` removes them.
        let own = format!("{name}[.]((background|immediate)[.][0-9]+|dead)");
        let used = format!("^tradepost[.](events|{own})$");
        format!("tradepost_{name}\t^tradepost[.]{own}$\t{used}\t{used}\t^{name}[.]\t^({types})[.]\n")
    });
    vec![Part::new("deploy/rabbitmq/permissions.tsv", "services", lines.collect())]
}

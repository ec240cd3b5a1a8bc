//! The rights of the users of each broker.

use server::shop::Shop;

use super::Part;

pub fn parts(shop: &Shop) -> Vec<Part> {
    vec![
        Part::new("deploy/rabbitmq/permissions.tsv", "services", on_rabbitmq(shop)),
        Part::new("deploy/redis/permissions.tsv", "services", on_redis(shop)),
    ]
}

fn on_rabbitmq(shop: &Shop) -> String {
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
    lines.collect()
}

/// Rules as `ACL SETUSER` takes them.
fn on_redis(shop: &Shop) -> String {
    let lines = shop.described().into_iter().map(|service| {
        let name = service.name();
        let mut types: Vec<&str> = service.subscriptions().into_iter().map(|(event_type, _)| event_type).collect();
        types.sort_unstable();
        let routes: Vec<String> = types.iter().map(|event_type| format!("~tradepost.routes.{event_type}")).collect();
        let streams = ["background.[0-9]", "background.[0-9][0-9]", "immediate.0"];
        let streams = streams.map(|shard| format!("~tradepost.*.{shard}")).join(" ");
        format!(
            "tradepost_{name}\t~tradepost.{name}.* +@connection -@dangerous +info +config|get +script|load \
             +wait +xreadgroup +xread +xack +xdel +xlen +xpending +xgroup|create +xinfo|groups +type +get +set +del \
             +pexpire (+eval +evalsha ~tradepost.*) (+xadd +xlen {streams}) (+hkeys %R~tradepost.routes.{name}.*) \
             (+hget +hset +hdel {})\n",
            routes.join(" ")
        )
    });
    lines.collect()
}

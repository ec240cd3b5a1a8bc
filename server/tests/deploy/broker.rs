//! The rights of the broker's users are the least with which services can do their work.

use std::collections::BTreeSet;

use server::shop::Shop;

use crate::files;

/// The lines of the file, as the events and the services say.
fn expected() -> BTreeSet<String> {
    let mut lines = BTreeSet::from(["tradepost_migrate\t^tradepost[.]\t^tradepost[.]\t^tradepost[.]\t-\t-".to_owned()]);
    for service in Shop::tradepost().described() {
        let name = service.name();
        let mut types: Vec<&str> = service.subscriptions().into_iter().map(|(event_type, _)| event_type).collect();
        types.sort_unstable();
        let types = types.join("|").replace('.', "[.]");
        let own = format!("{name}[.]((background|immediate)[.][0-9]+|dead)");
        let used = format!("^tradepost[.](events|{own})$");
        lines.insert(format!("tradepost_{name}\t^tradepost[.]{own}$\t{used}\t{used}\t^{name}[.]\t^({types})[.]"));
    }
    lines
}

#[test]
fn a_user_may_do_what_its_service_does_and_nothing_else() {
    let text = files::text("deploy/rabbitmq/permissions.tsv");
    let found: BTreeSet<String> = text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
    let expected = expected();
    let missing: Vec<&String> = expected.difference(&found).collect();
    let surplus: Vec<&String> = found.difference(&expected).collect();
    assert!(missing.is_empty() && surplus.is_empty(), "missing: {missing:#?}\nsurplus: {surplus:#?}");
}

#[test]
fn a_service_publishes_only_events_of_its_name() {
    for event in events::all() {
        assert!(event.event_type.starts_with(&format!("{}.", event.source)), "{}", event.event_type);
    }
}

#[test]
fn the_database_has_a_role_for_each_service() {
    let services = Shop::tradepost().described();
    let expected: BTreeSet<&str> = services.iter().map(|service| service.name()).collect();
    let text = files::text("deploy/postgres/roles.sh");
    let list = text.lines().find_map(|line| line.strip_prefix("services=\"")).unwrap();
    assert_eq!(list.trim_end_matches('"').split(' ').collect::<BTreeSet<_>>(), expected);
}

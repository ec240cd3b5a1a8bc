//! Every file has the same port for a service, and every service.

use std::collections::BTreeMap;

use serde_json::Value;
use server::shop::{CONSOLE, Shop};

use crate::files::{self, compose_services, document, kubernetes, plain, strings};
use crate::generated::host;

/// The port of each service, by its name in the network.
fn expected() -> BTreeMap<String, String> {
    Shop::tradepost().ports().map(|(name, port)| (host(name), port.to_string())).collect()
}

/// The service of this name in the network.
fn service_at(host_name: &str) -> &'static str {
    Shop::tradepost()
        .names()
        .find(|name| host(name) == host_name)
        .unwrap_or_else(|| panic!("no service is {host_name}"))
}

/// The processes that ask the others.
const ASKING: [&str; 2] = [CONSOLE, admin::NAME];

/// Compares such a process' addresses of the others to the ports.
fn hold_peers(variables: &BTreeMap<String, String>) {
    for (name, port) in Shop::tradepost().ports().filter(|(name, _)| *name != CONSOLE) {
        let variable = format!("TRADEPOST_PEERS_{}", name.to_uppercase());
        assert_eq!(variables.get(&variable), Some(&format!("http://{}:{port}", host(name))), "{variable}");
    }
}

#[test]
fn compose_has_each_service_at_its_port() {
    let mut found = BTreeMap::new();
    for (name, service) in compose_services() {
        let command = strings(&service["command"]);
        if command.first().map(String::as_str) != Some("serve") {
            continue;
        }
        assert_eq!(command, ["serve", service_at(&name)]);
        let variables = service["environment"].as_object().unwrap();
        let variables: BTreeMap<_, _> = variables.iter().map(|(key, value)| (key.clone(), plain(value))).collect();
        if ASKING.contains(&name.as_str()) {
            hold_peers(&variables);
        }
        found.insert(name, variables["TRADEPOST_PORT"].clone());
    }
    assert_eq!(found, expected());
}

#[test]
fn kubernetes_has_each_service_at_its_port() {
    let mut found = BTreeMap::new();
    for deployment in kubernetes("Deployment") {
        let name = plain(&deployment["metadata"]["name"]);
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        if name == "proxy" {
            continue;
        }
        assert_eq!(strings(&container["args"]), ["serve", service_at(&name)]);
        let variables = container["env"].as_array().unwrap().iter();
        let variables: BTreeMap<_, _> = variables.map(|it| (plain(&it["name"]), plain(&it["value"]))).collect();
        assert_eq!(plain(&container["ports"][0]["containerPort"]), variables["TRADEPOST_PORT"], "{name}");
        if ASKING.contains(&name.as_str()) {
            hold_peers(&variables);
        }
        found.insert(name, variables["TRADEPOST_PORT"].clone());
    }
    assert_eq!(found, expected());

    let mut services = BTreeMap::new();
    for service in kubernetes("Service") {
        let name = plain(&service["metadata"]["name"]);
        assert_eq!(plain(&service["spec"]["selector"]["app.kubernetes.io/name"]), name);
        services.insert(name, plain(&service["spec"]["ports"][0]["port"]));
    }
    services.remove("proxy");
    assert_eq!(services, expected());
}

#[test]
fn the_proxy_has_each_service_at_its_port() {
    let text = files::text("deploy/nginx/nginx.conf");
    let addresses = text.split("http://").skip(1).map(|rest| rest.split(';').next().unwrap());
    let found = addresses.map(|address| address.split_once("$suffix:").unwrap());
    assert_eq!(found.map(|(name, port)| (name.to_owned(), port.to_owned())).collect::<BTreeMap<_, _>>(), expected());
}

#[test]
fn prometheus_scrapes_each_service_at_its_port() {
    let config = document("deploy/prometheus/prometheus.yml");
    let targets: &Vec<Value> = config["scrape_configs"][0]["dns_sd_configs"].as_array().unwrap();
    let found = targets.iter().map(|target| (plain(&target["names"][0]), plain(&target["port"])));
    assert_eq!(found.collect::<BTreeMap<_, _>>(), expected());
}

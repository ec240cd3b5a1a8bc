//! The rights of a container, and its end.

use serde_json::{Value, json};

use crate::files::{compose_services, document, kubernetes, strings};

/// The time for which a process finishes what it has begun, once it was asked to end: open requests, work, spans.
const DRAIN_SECONDS: u64 = 10 + 20 + 5;

#[test]
fn containers_of_compose_may_do_little_and_can_be_many() {
    for (name, service) in compose_services() {
        assert_eq!(service["cap_drop"], json!(["ALL"]), "{name}");
        assert_eq!(strings(&service["security_opt"]), ["no-new-privileges:true"], "{name}");
        assert!(service["restart"].is_string(), "{name}");
        assert!(service["container_name"].is_null(), "{name}: more than one can't have one name");
        for port in strings(&service["ports"]) {
            assert!(port.starts_with("127.0.0.1:"), "{name}: {port} is open to others than this machine");
        }
        if service["image"] == "tradepost:local" {
            assert_eq!(service["read_only"], json!(true), "{name}");
            assert!(service["ports"].is_null(), "{name}: more than one can't have one port");
        }
        if strings(&service["command"]).first().is_some_and(|word| word == "serve") {
            let grace = service["stop_grace_period"].as_str().unwrap().trim_end_matches('s');
            assert!(grace.parse::<u64>().unwrap() > DRAIN_SECONDS, "{name}");
            assert_eq!(service["depends_on"]["migrate"]["condition"], "service_completed_successfully", "{name}");
        }
    }
}

#[test]
fn pods_may_do_little_and_are_asked_how_they_are() {
    let pod = &document("deploy/kubernetes/base/pod.yaml")["spec"]["template"]["spec"];
    hold(pod, "pod.yaml");
    let container = &pod["containers"][0];
    for (probe, path) in [("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")] {
        assert_eq!(container[probe]["httpGet"]["path"], path, "{probe}");
    }
    let waits: u64 = container["lifecycle"]["preStop"]["exec"]["command"][1].as_str().unwrap().parse().unwrap();
    assert!(pod["terminationGracePeriodSeconds"].as_u64().unwrap() > waits + DRAIN_SECONDS);
    hold(&kubernetes("Job")[0]["spec"]["template"]["spec"], "migrate.yaml");

    for deployment in kubernetes("Deployment") {
        let labels = &deployment["spec"]["template"]["metadata"]["labels"];
        assert_eq!(
            &deployment["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"],
            &labels["app.kubernetes.io/name"]
        );
        // The patch of pod.yaml is laid over what has this label.
        assert!(["service", "proxy"].map(Some).contains(&labels["app.kubernetes.io/component"].as_str()));
        assert_eq!(
            deployment["metadata"]["labels"]["app.kubernetes.io/component"],
            labels["app.kubernetes.io/component"]
        );
    }
    let budgets = kubernetes("PodDisruptionBudget");
    assert_eq!(budgets.len(), kubernetes("Deployment").len(), "each has a budget");
}

fn hold(pod: &Value, file: &str) {
    assert_eq!(pod["securityContext"]["runAsNonRoot"], json!(true), "{file}");
    assert!(pod["securityContext"]["runAsUser"].as_u64().unwrap() > 0, "{file}");
    let container = &pod["containers"][0];
    let security = &container["securityContext"];
    assert_eq!(security["readOnlyRootFilesystem"], json!(true), "{file}");
    assert_eq!(security["allowPrivilegeEscalation"], json!(false), "{file}");
    assert_eq!(security["capabilities"]["drop"], json!(["ALL"]), "{file}");
    assert!(container["resources"]["requests"].is_object() && container["resources"]["limits"].is_object(), "{file}");
}

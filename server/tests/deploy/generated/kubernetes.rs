//! The workloads of Kubernetes' base.

use server::shop::Shop;

use super::{CONSOLE, Part, host};

const FILE: &str = "deploy/kubernetes/base/services.yaml";

pub fn parts(shop: &Shop) -> Vec<Part> {
    let services = || shop.ports().filter(|(name, _)| *name != CONSOLE);
    let peer = |(name, port): (&str, u16)| {
        let variable = format!("TRADEPOST_PEERS_{}", name.to_uppercase());
        format!("            - {{ name: {variable}, value: \"http://{}:{port}\" }}\n", host(name))
    };
    let peers = || services().map(peer).collect::<String>();
    // Admin asks the others for their dead letters.
    let asked = |name| if name == admin::NAME { peers() } else { String::new() };
    let with_store =
        services().map(|(name, port)| workload(name, port, &format!("{}{}", asked(name), variables()), &volumes(name)));
    let console = shop.ports().find(|(name, _)| *name == CONSOLE);
    let console = console.map(|(name, port)| workload(name, port, &peers(), ""));
    vec![Part::new(FILE, "services", with_store.chain(console).collect())]
}

/// The files that hold the URLs of store and broker.
fn variables() -> String {
    "            - { name: TRADEPOST_STORE_FILE, value: /etc/tradepost/service/store }
            - { name: TRADEPOST_BROKER_FILE, value: /etc/tradepost/service/broker }
          volumeMounts:
            - { name: service, mountPath: /etc/tradepost/service, readOnly: true }
"
    .to_owned()
}

fn volumes(name: &str) -> String {
    let host = host(name);
    format!(
        "      volumes:
        - {{ name: service, secret: {{ secretName: tradepost-{host}, defaultMode: 0440 }} }}
"
    )
}

fn workload(name: &str, port: u16, variables: &str, volumes: &str) -> String {
    let host = host(name);
    format!(
        "---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {host}
  labels: {{ app.kubernetes.io/name: {host}, app.kubernetes.io/component: service }}
spec:
  replicas: 2
  selector:
    matchLabels: {{ app.kubernetes.io/name: {host} }}
  template:
    metadata:
      labels: {{ app.kubernetes.io/name: {host}, app.kubernetes.io/component: service }}
    spec:
      containers:
        - name: tradepost
          args: [serve, {name}]
          ports: [{{ name: http, containerPort: {port} }}]
          env:
            - {{ name: TRADEPOST_PORT, value: \"{port}\" }}
{variables}{volumes}---
apiVersion: v1
kind: Service
metadata:
  name: {host}
  labels: {{ app.kubernetes.io/name: {host} }}
spec:
  selector: {{ app.kubernetes.io/name: {host} }}
  ports: [{{ name: http, port: {port}, targetPort: http }}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {host}
spec:
  maxUnavailable: 1
  selector:
    matchLabels: {{ app.kubernetes.io/name: {host} }}
"
    )
}

//! The script makes every secret that is read, and no secret stands in a file of the repository.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

use crate::files::{self, compose_services, document, plain, strings};

#[test]
fn the_script_makes_every_secret_that_compose_reads() {
    let folder = tempfile::tempdir().unwrap();
    let run = || {
        let mut script = Command::new(files::root().join("deploy/secrets.sh"));
        let output = script.env("SECRETS", folder.path()).output().unwrap();
        assert!(output.status.success(), "{} (it needs bash and openssl)", String::from_utf8_lossy(&output.stderr));
    };
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    run();
    let url = read("store_orders");
    assert!(url.starts_with("postgres://tradepost_orders:") && url.ends_with("@postgres:5432/tradepost"), "{url}");
    for file in document("compose.yaml")["secrets"].as_object().unwrap().values() {
        let name = file["file"].as_str().unwrap().strip_prefix("./deploy/secrets/").unwrap();
        assert!(!read(name).is_empty(), "{name}");
    }

    let definitions: Value = serde_json::from_str(&read("rabbitmq_definitions")).unwrap();
    let names = |list: &str, field: &str| {
        definitions[list].as_array().unwrap().iter().map(|it| plain(&it[field])).collect::<BTreeSet<_>>()
    };
    let rows = files::text("deploy/rabbitmq/permissions.tsv");
    let rows: BTreeSet<String> = rows
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split('\t').next().unwrap().to_owned())
        .collect();
    assert_eq!(names("users", "name"), rows);
    assert_eq!(names("permissions", "user"), rows);
    assert!(definitions["users"].as_array().unwrap().iter().all(|user| user["password_hash"].is_string()));

    run();
    assert_eq!(read("store_orders"), url, "what is there stays");
}

#[test]
fn a_service_is_given_what_it_reads() {
    let declared = document("compose.yaml")["secrets"].as_object().unwrap().clone();
    for (name, service) in compose_services() {
        let given = strings(&service["secrets"]);
        assert!(given.iter().all(|secret| declared.contains_key(secret)), "{name}: {given:?}");
        let Some(variables) = service["environment"].as_object() else { continue };
        for (variable, value) in variables {
            if let Some(secret) = value.as_str().and_then(|value| value.strip_prefix("/run/secrets/")) {
                assert!(given.iter().any(|given| given == secret), "{name}: {variable}");
            }
            let is_secret = ["PASSWORD", "TOKEN", "STORE", "BROKER", "SMTP"].iter().any(|it| variable.contains(it));
            assert!(!is_secret || variable.ends_with("_FILE"), "{name}: {variable} comes from a file");
        }
    }
}

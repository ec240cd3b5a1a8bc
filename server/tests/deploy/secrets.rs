//! The script makes every secret that is read, and no secret stands in a file of the repository.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use test_servers::Redis;

use crate::files::{self, compose_services, document, plain, strings};

#[test]
fn the_script_makes_every_secret_that_compose_reads() {
    let folder = tempfile::tempdir().unwrap();
    let env = folder.path().join("env");
    let run = |broker: &str| {
        let mut script = Command::new(files::root().join("deploy/secrets.sh"));
        script.env("SECRETS", folder.path()).env("BROKER", broker).env("ENV_FILE", &env);
        let output = script.output().unwrap();
        assert!(output.status.success(), "{} (it needs bash and openssl)", String::from_utf8_lossy(&output.stderr));
    };
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    run("rabbitmq");
    let url = read("store_orders");
    assert!(url.starts_with("postgres://tradepost_orders:") && url.ends_with("@postgres:5432/tradepost"), "{url}");
    for (name, file) in document("compose.yaml")["secrets"].as_object().unwrap() {
        assert_eq!(file["file"], format!("./deploy/secrets/{name}"));
        assert!(name == "redis_users" || !read(name).is_empty(), "{name}");
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

    run("rabbitmq");
    assert_eq!(read("store_orders"), url, "what is there stays");

    assert_eq!(read("env"), "COMPOSE_PROFILES=rabbitmq\n");
    std::fs::write(&env, "NAME=a shop\nCOMPOSE_PROFILES=rabbitmq,metrics\nOTHER=1\n").unwrap();
    run("redis");
    assert_eq!(read("env"), "COMPOSE_PROFILES=redis,metrics\nNAME=a shop\nOTHER=1\n");
    assert!(!read("redis_users").is_empty());
}

#[test]
fn each_broker_of_compose_is_a_profile_and_nothing_waits_for_one_of_them() {
    let brokers = ["rabbitmq", "redis"];
    for (name, service) in compose_services() {
        if brokers.contains(&&*name) {
            assert_eq!(strings(&service["profiles"]), [name.as_str()]);
        }
        let waits_for = service["depends_on"].as_object();
        assert!(waits_for.is_none_or(|others| brokers.iter().all(|broker| !others.contains_key(*broker))), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_users_of_redis_have_the_passwords_of_their_urls() {
    let server = Redis::start();
    let folder = tempfile::tempdir().unwrap();
    let run = |script: &str, arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = Command::new(files::root().join("deploy").join(script));
        command.args(arguments).env("SECRETS", folder.path()).envs(variables.iter().copied());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    run("secrets.sh", &[], &[("BROKER", "redis"), ("REDIS", &format!("127.0.0.1:{}/0", server.port()))]);
    let client = format!("redis-cli --no-auth-warning -u {}", server.url());
    // The second time nothing is new.
    for _ in 0..2 {
        run("redis/users.sh", &["apply"], &[("REDIS_CLI", &client)]);
    }
    let rows = files::text("deploy/redis/permissions.tsv");
    let users = rows.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split('\t').next());
    let listed = run("redis/users.sh", &["file"], &[]);
    for user in users {
        let name = user.trim_start_matches("tradepost_");
        let url = std::fs::read_to_string(folder.path().join(format!("broker_{name}"))).unwrap();
        bus_redis::Redis::reach(&url, Duration::ZERO, |_| ()).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(listed.lines().any(|line| line.starts_with(&format!("user {user} reset on #"))), "{listed}");
    }
    assert!(listed.starts_with("user default off ~* &* +@all\n"), "{listed}");
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

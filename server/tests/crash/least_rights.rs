//! Services with the rights that the scripts in `deploy` give them, and no others.

use std::fs;
use std::path::Path;
use std::process::Command;

use test_servers::{Options, PATIENCE, Postgres, RabbitMq};

use crate::fleet::{connections_max, services};
use crate::process::Process;

/// Number of migrations at once: the limits that the scripts set are for ten.
const MIGRATIONS: usize = 10;

/// Services that run side by side.
const AT_ONCE: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn services_run_with_the_rights_that_the_scripts_give_them() {
    let postgres =
        Options { max_connections: connections_max(), ..Options::default() }.start().expect("PostgreSQL starts");
    let rabbitmq = RabbitMq::start();
    postgres.execute("postgres", "create database tradepost");
    postgres.execute("postgres", "create role boss superuser login password 'boss'");
    let folder = tempfile::tempdir().unwrap();
    let secrets = folder.path().join("secrets");
    let at = |port: u16| format!("127.0.0.1:{port}/tradepost");
    let hosts = [("POSTGRES", at(postgres.port())), ("RABBITMQ", at(rabbitmq.port()))];
    run("secrets.sh", &secrets, &hosts);
    let as_boss = [
        ("PGHOST", "127.0.0.1".to_owned()),
        ("PGPORT", postgres.port().to_string()),
        ("PGUSER", "boss".to_owned()),
        ("PGPASSWORD", "boss".to_owned()),
    ];
    // The second time nothing is new.
    run("postgres/roles.sh", &secrets, &as_boss);
    run("postgres/roles.sh", &secrets, &as_boss);
    rabbitmq.ctl(&["import_definitions", &secrets.join("rabbitmq_definitions").display().to_string()]);

    let url = |kind: &str, name: &str| fs::read_to_string(secrets.join(format!("{kind}_{name}"))).unwrap();
    let urls = |name: &str| (url("store", name), url("broker", name));
    let (store, broker) = urls("migrate");
    let migrations = (0..MIGRATIONS).map(|_| crate::fleet::migrate(&store, &broker));
    futures_util::future::join_all(migrations).await;
    let ended = Process::doctor(&store, &broker).ended().await;
    assert!(ended.status.success(), "{ended:?}");

    let services: Vec<_> = services().collect();
    for some in services.chunks(AT_ONCE) {
        futures_util::future::join_all(some.iter().map(|service| runs(service, urls(service), &postgres))).await;
    }
}

/// Starts a service with its rights and stops it, and nothing of another's is open to it.
async fn runs(service: &str, (store, broker): (String, String), postgres: &Postgres) {
    let mut process = Process::serve(&[service], 0, &store, &broker, &[]);
    let client = process.ready().await.unwrap_or_else(|ended| panic!("{service} does not start: {ended:?}"));
    let began = std::time::Instant::now();
    while !client.text("/readyz").await.expect("it is alive").contains("\"ready\"") {
        assert!(began.elapsed() < PATIENCE, "{service} is not ready: {}", process.said());
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    process.ask_to_stop();
    let ended = process.ended().await;
    assert!(ended.status.success() && !ended.stderr.contains("ACCESS_REFUSED"), "{service}: {ended:?}");
    assert_eq!(foreign_tables(postgres, service), "0", "{service} can read what is another's");
}

/// Runs a script of `deploy`.
fn run(script: &str, secrets: &Path, variables: &[(&str, String)]) {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
    let mut command = Command::new("bash");
    command.arg(deploy.join(script)).env("SECRETS", secrets).envs(variables.iter().cloned());
    let output = command.output().expect("bash is there");
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Number of tables of other services that its role can read.
fn foreign_tables(postgres: &Postgres, service: &str) -> String {
    let own = if service == "payments" { "'payments', 'payment-provider'".to_owned() } else { format!("'{service}'") };
    postgres.execute(
        "tradepost",
        &format!(
            "select count(*) from pg_tables where schemaname !~ '^(pg_|information)' and schemaname not in ({own}) \
                 and has_table_privilege('tradepost_{service}', quote_ident(schemaname) || '.' || quote_ident(tablename), \
                 'select')"
        ),
    )
}

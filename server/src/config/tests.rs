use std::fs;

use tempfile::TempDir;

use super::*;

const TOKEN: &str = "a-token-that-is-longer-than-32-characters";

/// A folder with a configuration file and with a token in a file of its own.
fn folder(toml: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tradepost.toml");
    fs::write(&path, toml).unwrap();
    fs::write(folder.path().join("token"), format!("{TOKEN}\n")).unwrap();
    (folder, path)
}

fn errors(toml: &str, environment: &Environment) -> Vec<String> {
    let (folder, path) = folder(toml);
    let errors = load(&Shop::tradepost(), &Flags::default(), Some(&path), environment).unwrap_err();
    let prefix = format!("{}/", folder.path().display());
    errors.iter().map(|error| error.replace(&prefix, "")).collect()
}

#[test]
fn the_defaults_are_valid_and_documented() {
    let (_folder, empty) = folder("");
    let loaded = load(&Shop::tradepost(), &Flags::default(), Some(&empty), &Environment::default()).unwrap();
    let settings = loaded.settings;
    assert_eq!((settings.port, settings.workers, settings.retry_attempts), (8080, 8, 10));
    assert_eq!(orders::settings::RESERVATION_TTL.of(&settings.services), Duration::from_mins(15));
    assert_eq!(settings.inbox_retention, Duration::from_hours(14 * 24));
    assert_eq!(settings.admin_token, None);
    assert!(loaded.shown.iter().all(|shown| shown.origin == "default"));
}

#[test]
fn a_share_is_a_number_with_or_without_quotes_and_nothing_is_traced_without_an_address() {
    for (toml, share) in
        [("", 1.0), ("trace_sample = 0", 0.0), ("trace_sample = 0.25", 0.25), ("trace_sample = \"0.5\"", 0.5)]
    {
        let (_folder, path) = folder(toml);
        let settings =
            load(&Shop::tradepost(), &Flags::default(), Some(&path), &Environment::default()).unwrap().settings;
        assert_eq!((settings.trace_sample, settings.otlp_endpoint), (share, None), "{toml}");
    }
}

#[test]
fn a_switch_is_true_or_false_with_or_without_quotes() {
    for (toml, allows_loopback) in [
        ("", false),
        ("webhooks_allow_loopback = true", true),
        ("webhooks_allow_loopback = \"true\"", true),
        ("webhooks_allow_loopback = false", false),
    ] {
        let (_folder, path) = folder(toml);
        let settings =
            load(&Shop::tradepost(), &Flags::default(), Some(&path), &Environment::default()).unwrap().settings;
        assert_eq!(webhooks::settings::ALLOW_LOOPBACK.of(&settings.services), allows_loopback, "{toml}");
    }
    assert_eq!(errors("webhooks_allow_loopback = 1", &Environment::default()).len(), 1);
}

#[test]
fn a_flag_wins_over_a_variable_over_the_file_over_the_default() {
    let (_folder, path) = folder("port = 1\nworkers = 2\nretry_attempts = 3\n");
    let environment = Environment::from([("TRADEPOST_PORT", "10"), ("TRADEPOST_WORKERS", "20")]);
    let flags = Flags { port: Some("100".to_owned()), ..Flags::default() };
    let Loaded { settings, shown } = load(&Shop::tradepost(), &flags, Some(&path), &environment).unwrap();
    assert_eq!((settings.port, settings.workers, settings.retry_attempts), (100, 20, 3));
    let origin = |key| shown.iter().find(|shown| shown.key == key).unwrap().origin.as_str();
    assert_eq!(origin("port"), "--port");
    assert_eq!(origin("workers"), "TRADEPOST_WORKERS");
    assert_eq!(origin("retry_attempts"), path.display().to_string());
    assert_eq!(origin("listen"), "default");
}

#[test]
fn every_error_is_reported_at_once() {
    let environment = Environment::from([
        ("TRADEPOST_PROT", "9000"),
        ("TRADEPOST_WORKERS", "0"),
        ("TRADEPOST_ADMIN_TOKEN", "short"),
        ("TRADEPOST_SMTP_URL", "http://user:hunter2@host"),
    ]);
    let found = errors("retry_bse = \"1s\"\nretry_max = \"100ms\"\nport = [1]\nadmin_token = \"x\"\n", &environment);
    assert_eq!(
        found,
        [
            "TRADEPOST_PROT: there is no such variable: did you mean TRADEPOST_PORT?",
            "tradepost.toml: admin_token: secrets don't stand in this file: use TRADEPOST_ADMIN_TOKEN or admin_token_file",
            "tradepost.toml: port: expected a text or a number",
            "tradepost.toml: retry_bse: there is no such setting: did you mean retry_base?",
            "TRADEPOST_WORKERS: `0` is not a whole number from 1 to 256",
            "TRADEPOST_ADMIN_TOKEN: expected 32 to 1024 visible ASCII characters without blanks",
            "TRADEPOST_SMTP_URL: expected an address as in smtp://user:pass@host:587 or smtps://user:pass@host",
            "retry_max: it is shorter than retry_base",
        ]
    );
}

#[test]
fn a_setting_is_declared_by_its_service_and_read_like_any_other() {
    let (_folder, path) = folder("reservation_ttl = \"1h 30m\"\npayment_attempts = 3\n");
    let environment = Environment::from([("TRADEPOST_PAYMENT_ATTEMPTS", "4"), ("TRADEPOST_MAIL_LIMIT", "5")]);
    let Loaded { settings, shown } = load(&Shop::tradepost(), &Flags::default(), Some(&path), &environment).unwrap();
    assert_eq!(orders::settings::RESERVATION_TTL.of(&settings.services), Duration::from_mins(90));
    assert_eq!(orders::settings::PAYMENT_ATTEMPTS.of(&settings.services), 4);
    assert_eq!(notifications::settings::MAIL_LIMIT.of(&settings.services), 5);
    let origins =
        |key| shown.iter().filter(|shown| shown.key == key).map(|shown| shown.origin.as_str()).collect::<Vec<_>>();
    assert_eq!(origins("payment_attempts"), vec!["TRADEPOST_PAYMENT_ATTEMPTS"]);
    assert_eq!(origins("currency"), vec!["default"], "two services declare it, and it is one setting");
    let found = errors(
        "payment_atempts = 3\nunpaid_units_per_email = 0\n",
        &Environment::from([("TRADEPOST_RESERVATION_TTL", "90d"), ("TRADEPOST_MAIL_LIMITS", "5")]),
    );
    assert_eq!(
        found,
        [
            "TRADEPOST_MAIL_LIMITS: there is no such variable: did you mean TRADEPOST_MAIL_LIMIT?",
            "tradepost.toml: payment_atempts: there is no such setting: did you mean payment_attempts?",
            "TRADEPOST_RESERVATION_TTL: `90d` is not a duration from 1s to 30d, as in 200ms, 30s, 15m, 24h or 14d",
            "tradepost.toml: unpaid_units_per_email: `0` is not a whole number from 1 to 1000000000",
        ]
    );
    let (_folder, path) = folder("reservation_ttl = \"1h\"\n");
    let other = Shop::new().service(9000, |outside| catalog::service(&outside.settings)).broker(&bus::EmbeddedAdapter);
    let refused = load(&other, &Flags::default(), Some(&path), &Environment::default()).unwrap_err();
    assert!(refused.to_string().contains("reservation_ttl: there is no such setting"), "{refused}");
}

#[test]
fn a_file_that_was_named_must_be_there_and_be_toml() {
    let missing =
        load(&Shop::tradepost(), &Flags::default(), Some(Path::new("not-there.toml")), &Environment::default())
            .unwrap_err();
    assert!(missing.to_string().starts_with("not-there.toml: can't be read: "), "{missing}");
    let broken = errors("port = ", &Environment::default());
    assert!(broken[0].starts_with("tradepost.toml: not TOML: "), "{broken:?}");
}

#[test]
fn a_secret_is_read_from_its_file_and_never_shown() {
    let (folder, path) = folder("");
    let file = folder.path().join("token");
    let environment = Environment::from([("TRADEPOST_ADMIN_TOKEN_FILE", file.to_str().unwrap())]);
    let loaded = load(&Shop::tradepost(), &Flags::default(), Some(&path), &environment).unwrap();
    assert_eq!(loaded.settings.admin_token.as_ref().unwrap().reveal(), TOKEN);
    assert!(!format!("{loaded:?}").contains(TOKEN));
    let shown = loaded.shown.iter().find(|shown| shown.key == "admin_token").unwrap();
    assert_eq!(shown.value.as_deref(), Some("(hidden)"));
    assert_eq!(shown.origin, format!("{} (TRADEPOST_ADMIN_TOKEN_FILE)", file.display()));
}

#[test]
fn a_secret_stands_in_one_place() {
    let environment = Environment::from([("TRADEPOST_ADMIN_TOKEN", TOKEN), ("TRADEPOST_ADMIN_TOKEN_FILE", "token")]);
    let found = errors("", &environment);
    assert_eq!(found, ["TRADEPOST_ADMIN_TOKEN and TRADEPOST_ADMIN_TOKEN_FILE are both set: set one"]);
}

#[test]
fn a_client_needs_no_settings_of_the_server() {
    let environment = Environment::from([("TRADEPOST_WORKERS", "0"), ("TRADEPOST_URL", "http://shop:1/x")]);
    let settings = client(&Shop::tradepost(), None, &environment).unwrap();
    assert_eq!(settings.url.as_str(), "http://shop:1/x");
    assert_eq!(client(&Shop::tradepost(), Some("https://flag"), &environment).unwrap().url.as_str(), "https://flag/");
    let found =
        client(&Shop::tradepost(), Some("localhost:8080"), &Environment::from([("TRADEPOST_ADMIN_TOKN", TOKEN)]))
            .unwrap_err();
    let found: Vec<&str> = found.iter().collect();
    assert_eq!(
        found,
        [
            "TRADEPOST_ADMIN_TOKN: there is no such variable: did you mean TRADEPOST_ADMIN_TOKEN?",
            "--url: `localhost:8080` is not an address as in http://127.0.0.1:8080",
        ]
    );
}

#[test]
fn each_service_has_an_address_from_the_table_a_variable_or_its_port() {
    let (_folder, path) = folder("[peers]\nusers = \"http://users:80\"\norders = \"http://orders\"\n");
    let environment = Environment::from([("TRADEPOST_PEERS_ORDERS", "https://orders.example/x")]);
    let Loaded { settings, shown } = load(&Shop::tradepost(), &Flags::default(), Some(&path), &environment).unwrap();
    let address = |service| settings.peers[service].to_string();
    assert_eq!(address("users"), "http://users");
    assert_eq!(address("orders"), "https://orders.example/x");
    assert_eq!(address("payments"), "http://127.0.0.1:7085");
    assert_eq!(settings.peers.len(), Shop::tradepost().services().count());
    let origin = |key| shown.iter().find(|shown| shown.key == key).unwrap().origin.as_str();
    assert_eq!(origin("peers.users"), path.display().to_string());
    assert_eq!(origin("peers.orders"), "TRADEPOST_PEERS_ORDERS");
    assert_eq!(origin("peers.payments"), "default");
}

#[test]
fn an_address_of_no_service_or_of_no_form_is_an_error() {
    let environment = Environment::from([("TRADEPOST_PEERS_ORDRES", "http://a"), ("TRADEPOST_PEERS_USERS", "a:80")]);
    let found = errors("[peers]\npayment = \"http://a\"\ncatalog = 7082\norders = []\n[other]\nx = 1\n", &environment);
    assert_eq!(
        found,
        [
            "TRADEPOST_PEERS_ORDRES: there is no such variable: did you mean TRADEPOST_PEERS_ORDERS?",
            "tradepost.toml: other: there is no such setting",
            "tradepost.toml: peers.orders: expected a text or a number",
            "tradepost.toml: peers.payment: there is no such setting: did you mean peers.payments?",
            "TRADEPOST_PEERS_USERS: `a:80` is not an address as in http://127.0.0.1:7081",
            "tradepost.toml: peers.catalog: `7082` is not an address as in http://127.0.0.1:7081",
        ]
    );
}

#[test]
fn every_setting_stands_in_the_readme() {
    let readme = include_str!("../../../README.md");
    let (_, settings) = readme.split_once("## Settings").unwrap();
    let (table, _) = settings.split_once("The variable of a setting").unwrap();
    let keys = Keys::of(&Shop::tradepost());
    let shared = keys.all().map(|key| key.name).filter(|name| !name.starts_with(keys::PEERS_TABLE));
    let missing: Vec<&str> = shared.filter(|name| !table.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

//! The command as a process: misuse, configuration, signals, closed outputs.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::shop::{ID, Ran, Shop, TOKEN, order, page, product, story, tradepost};

#[test]
fn a_reader_that_has_enough_ends_the_command_quietly() {
    let shop = Shop::open().on("GET /v1/products?limit=20", page(Value::Array(vec![product(); 20]), None));
    let mut command = shop.command(&["products", "list"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), ended.stderr.as_slice()), (Some(0), b"".as_slice()));
}

#[test]
fn an_obstacle_is_reported_with_its_remedy() {
    let shop = Shop::open();
    let error = shop.as_guest(&["orders", "list"]).fails(3);
    assert!(error.contains("TRADEPOST_ADMIN_TOKEN_FILE"), "{error}");
    assert_eq!(shop.lines_asked(), [""; 0]);
    let error = Ran::new(&mut tradepost(&["products", "list", "--url", "http://127.0.0.1:1"])).fails(7);
    assert!(error.contains("start it with `tradepost up --demo`"), "{error}");
    let error = Ran::new(shop.command(&["products", "list"]).env("TRADEPOST_ADMIN_TOKN", TOKEN)).fails(3);
    assert!(error.contains("did you mean TRADEPOST_ADMIN_TOKEN?"), "{error}");
    for misused in [&["orders", "show", "x"][..], &["orders", "place", "123", "--email", "a@b"], &["nothing"], &[]] {
        shop.as_guest(misused).fails(2);
    }
    assert!(shop.as_guest(&["--version"]).succeeds().starts_with("tradepost "));
}

#[test]
fn health_says_what_the_process_answers_or_why_it_does_not() {
    let readiness = |status: &str, ok: bool| json!({"status": status, "checks": [{"name": "store.orders", "ok": ok, "reason": (!ok).then_some("disk full")}]});
    let shop = Shop::open().on("GET /readyz", readiness("ready", true));
    assert_eq!(shop.as_guest(&["health"]).succeeds(), "ready\n");
    let json: Value = serde_json::from_str(&shop.as_guest(&["--json", "health"]).succeeds()).unwrap();
    assert_eq!(json, readiness("ready", true));
    let unready = (503, "application/json", readiness("unavailable", false).to_string());
    let failed = Shop::open().answering("GET /readyz", unready).as_guest(&["health"]).fails(1);
    assert!(failed.ends_with("503 Service Unavailable\n  store.orders: disk full\n"), "{failed}");
    let failed = shop.as_guest(&["health", "--url", "http://127.0.0.1:1"]).fails(7);
    assert!(failed.contains("refused"), "{failed}");
}

#[test]
fn a_service_that_is_no_projection_is_not_rebuilt() {
    let shop = Shop::open();
    let refused = shop.as_guest(&["rebuild", "orders"]).fails(1);
    assert!(refused.contains("orders can't be rebuilt: it emits events of its own"), "{refused}");
    shop.as_guest(&["rebuild", "reviews"]).fails(2);
    assert!(!shop.folder.path().join("tradepost-data").exists());
}

#[test]
fn every_shell_has_completions() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = Shop::open().as_guest(&["completions", shell]).succeeds();
        assert!(script.contains("idempotency-key"), "{shell}");
    }
}

#[test]
fn the_doctor_says_that_a_store_is_yet_to_be_made() {
    let shop = Shop::open();
    let text = shop.as_guest(&["doctor"]).succeeds();
    assert!(text.contains("which does not hold a store yet"), "{text}");
}

#[test]
fn the_configuration_is_shown_with_its_origin_or_refused_as_a_whole() {
    let shop = Shop::open();
    std::fs::write(shop.folder.path().join("tradepost.toml"), "workers = 3\n").unwrap();
    let show = |arguments: &[&str]| {
        let mut command = tradepost(arguments);
        command.current_dir(shop.folder.path()).env("TRADEPOST_ADMIN_TOKEN", TOKEN).env("TRADEPOST_PORT", "9000");
        command
    };
    let text = Ran::new(&mut show(&["config", "show", "--origin"])).succeeds();
    let words: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    for expected in [
        ["workers", "3", "tradepost.toml"],
        ["port", "9000", "TRADEPOST_PORT"],
        ["retry_max", "5m", "default"],
        ["admin_token", "(hidden)", "TRADEPOST_ADMIN_TOKEN"],
    ] {
        assert!(words.iter().any(|words| words == &expected), "{expected:?} is not in\n{text}");
    }
    let json: Value = serde_json::from_str(&Ran::new(&mut show(&["config", "show", "--json"])).succeeds()).unwrap();
    assert_eq!(json["workers"], json!({"value": "3", "origin": "tradepost.toml"}));
    let error = Ran::new(show(&["up"]).env("TRADEPOST_WORKERS", "0").env("TRADEPOST_PRT", "1")).fails(3);
    assert!(error.contains("TRADEPOST_WORKERS: ") && error.contains("did you mean TRADEPOST_PORT?"), "{error}");
}

#[cfg(unix)]
#[test]
fn an_interrupted_command_ends_with_130() {
    let shop = Shop::open()
        .on(&format!("GET /v1/orders/{ID}"), order("placed", "none"))
        .on(&format!("GET /v1/orders/{ID}/events"), story());
    let mut command = shop.command(&["orders", "watch", ID]);
    command.env("TRADEPOST_ADMIN_TOKEN", TOKEN).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut first_line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.as_mut().unwrap()), &mut first_line).unwrap();
    Command::new("sh").args(["-c", &format!("kill -INT {}", child.id())]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn an_admin_token_is_rotated_and_the_one_before_retired() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let run = |command: &str, more: &[&str]| {
        Ran::new(&mut tradepost(&[&["admin-token", command, "--data", data], more].concat()))
    };
    let refused = run("rotate", &[]).fails(1);
    assert!(refused.contains("admin_token_previous"), "{refused}");
    let file = folder.path().join("admin-token.sha256");
    let digests = || -> Vec<String> { std::fs::read_to_string(&file).unwrap().lines().map(str::to_owned).collect() };
    std::fs::write(&file, "0".repeat(64)).unwrap();

    let token = run("rotate", &[]).succeeds();
    assert!(token.trim_end().len() >= 32, "{token}");
    let rotated = digests();
    assert_eq!((rotated.len(), &rotated[1]), (2, &"0".repeat(64)), "the one before is still good");
    assert_ne!(rotated[0], rotated[1]);
    let retired: Value = serde_json::from_str(&run("retire", &["--json"]).succeeds()).unwrap();
    assert_eq!((retired, digests()), (json!({"retired": true}), vec![rotated[0].clone()]));
    let none: Value = serde_json::from_str(&run("retire", &["--json"]).succeeds()).unwrap();
    assert_eq!(none, json!({"retired": false}));
}

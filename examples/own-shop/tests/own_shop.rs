//! The program as its user runs it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use testkit::{Setup, ShopLocation, TestShop};

/// The program, ended with the test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_program_sells_and_its_own_service_counts_what_was_sold() {
    let folder = tempfile::tempdir().unwrap();
    let own_shop = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_own-shop"));
        command.args(arguments).current_dir(folder.path()).env("NO_COLOR", "1").stdin(Stdio::null());
        command
    };
    let mut up = own_shop(&["up", "--demo", "--port", "0"]).stderr(Stdio::piped()).spawn().unwrap();
    let stderr = BufReader::new(up.stderr.take().unwrap());
    let _program = Program(up);
    let mut lines = stderr.lines().map_while(Result::ok);
    let mut after = |mark: &str| {
        let line = lines.find(|line| line.contains(mark)).unwrap_or_else(|| panic!("it ended before it said {mark:?}"));
        line.split_once(mark).unwrap().1.trim().to_owned()
    };
    let (url, token) = (after("ready "), after("export TRADEPOST_ADMIN_TOKEN="));
    let run = |arguments: &[&str]| {
        let ran = own_shop(arguments).env("TRADEPOST_URL", &url).env("TRADEPOST_ADMIN_TOKEN", &token).output().unwrap();
        assert!(ran.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap()
    };
    let watched = run(&["orders", "place", "123=3", "--email", "ada@example.com", "--token", "tok_ok", "--watch"]);
    assert!(watched.contains("bestsellers"), "the story names who reacts:\n{watched}");
    get(&url, "/internal/settled?timeout=300s", &token);
    let body = get(&url, "/v1/bestsellers", &token);
    assert!(body.contains(r#""name":"Laptop","units":3"#), "{body}");
}

/// The body of an answer over a connection of its own.
fn get(url: &str, path: &str, token: &str) -> String {
    let address = url.strip_prefix("http://").unwrap();
    let mut connection = TcpStream::connect(address).unwrap();
    let head =
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n");
    connection.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn units_of_paid_orders_are_counted_in_each_database() {
    for place in [ShopLocation::folder(), ShopLocation::database()] {
        let setup = Setup { shop: tradepost_own_shop::shop(), ..Setup::default() };
        let shop = TestShop::start_on_with(place, setup).await;
        let (laptop, mouse) = (shop.product("123", 9).await, shop.product("456", 9).await);
        shop.order(&[(&laptop, 1), (&mouse, 3)], Some("tok_ok")).await;
        shop.order(&[(&laptop, 1)], Some("tok_ok")).await;
        shop.order(&[(&laptop, 5)], Some("tok_declined")).await;
        shop.settle().await;
        let items = shop.get("/v1/bestsellers").await.expect(200).items();
        let sold: Vec<(&Value, &Value)> = items.iter().map(|it| (&it["name"], &it["units"])).collect();
        assert_eq!(sold, [(&Value::from("456"), &Value::from(3)), (&Value::from("123"), &Value::from(2))]);
        shop.stop().await;
    }
}

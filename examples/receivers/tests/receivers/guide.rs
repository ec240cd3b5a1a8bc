//! The guide shows the programs as they are, and its commands work.

use std::fs;
use std::process::Command;

use serde_json::Value;
use test_servers::free_port;

use crate::process::{Receiver, here, script};
use crate::replenish::shop_that_sends;

/// The port on which a receiver of the guide listens.
const PORT: &str = "9001";

/// The beginning of a command that runs a receiver.
const SECRET: &str = "WEBHOOK_SECRET=whsec_… ";

fn guide() -> String {
    fs::read_to_string(here().join("../../docs/how-to/webhooks.md")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_receiver_of_the_guide_gets_what_the_shop_sends() {
    let (guide, shop) = (guide(), shop_that_sends().await);
    let (_, trial) = guide.split_once("## Try it").unwrap();
    let trial = trial.split_once("\n## ").unwrap().0;
    let (body, rest) = trial.split_once("-d '").unwrap().1.split_once("' http://127.0.0.1:8080").unwrap();
    let path = rest.split_once('\n').unwrap().0;
    let mut receivers = Vec::new();
    for line in trial.lines().filter_map(|line| line.strip_prefix(SECRET)) {
        let words: Vec<&str> = line.split(' ').collect();
        let command = match words[..] {
            [program, file, PORT] => script(program, file.strip_prefix("examples/receivers/").unwrap()),
            ["cargo", "run", "-p", env!("CARGO_PKG_NAME"), "--", PORT] => Command::new(env!("CARGO_BIN_EXE_receiver")),
            _ => panic!("this test does not know how to run {line}"),
        };
        let port = free_port();
        let endpoint: Value = serde_json::from_str(&body.replace(PORT, &port.to_string())).unwrap();
        let secret = shop.post(path, &endpoint).await.expect(201).text("/secret");
        receivers.push(Receiver::start_with(command, &secret, port));
    }
    assert_eq!(receivers.len(), 3);
    let product = shop.product("123", 5).await;
    shop.order(&[(&product, 1)], Some("tok_ok")).await;
    shop.settle().await;
    for receiver in receivers {
        let types = [receiver.line(), receiver.line()].map(|line| line.split_once(' ').unwrap().1.to_owned());
        assert_eq!(types, ["orders.order_placed.v1", "orders.payment_requested.v1"]);
    }
    shop.stop().await;
}

#[test]
fn the_guide_shows_the_receivers_as_they_are() {
    let guide = guide();
    // A comment names the file from which the block below it is.
    let shown: Vec<(&str, &str)> = guide
        .split("<!-- from ")
        .skip(1)
        .map(|rest| {
            let (file, rest) = rest.split_once(" -->\n```").unwrap();
            let (_, rest) = rest.split_once('\n').unwrap();
            (file, rest.split_once("\n```").unwrap().0)
        })
        .collect();
    for file in ["python/receiver.py", "python/replenish.py", "node/receiver.mjs", "src/signature.rs"] {
        let blocks: Vec<&str> = shown.iter().filter(|(of, _)| *of == file).map(|(_, block)| *block).collect();
        let text = fs::read_to_string(here().join(file)).unwrap();
        assert!(!blocks.is_empty(), "{file} is not shown");
        for block in blocks {
            assert!(text.contains(block), "{file} is not as it is shown:\n{block}");
        }
    }
}

//! The settings, as the binary takes them.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::ADMIN_TOKEN;

use crate::collector::Collector;
use crate::{TRACE, edges, story, traceparent};

/// A child that never outlives the test.
struct Shop {
    child: Child,
    url: String,
    _data: TempDir,
}

impl Shop {
    fn start(variables: &[(&str, &str)]) -> Self {
        let data = TempDir::new().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tradepost"));
        command.args(["up", "--port", "0", "--data"]).arg(data.path()).current_dir(data.path());
        command.env_clear().env("TRADEPOST_ADMIN_TOKEN", ADMIN_TOKEN).env("TRADEPOST_LOG", "warn");
        command.envs(variables.iter().copied());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.starts_with("ready ") {
            line.clear();
            assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "the shop ended before it was ready");
        }
        let url = line.trim_start_matches("ready ").trim().to_owned();
        child.stderr = Some(stderr.into_inner());
        Self { child, url, _data: data }
    }

    async fn post(&self, client: &reqwest::Client, path: &str, body: &Value) -> Value {
        let request = client.post(format!("{}{path}", self.url)).bearer_auth(ADMIN_TOKEN);
        let answer = request.header("traceparent", traceparent(TRACE, "01")).json(body).send().await.unwrap();
        let answer = answer.error_for_status().unwrap();
        answer.json().await.unwrap()
    }

    async fn settle(&self, client: &reqwest::Client) {
        let request = client.get(format!("{}{}", self.url, testkit::SETTLED)).bearer_auth(ADMIN_TOKEN);
        request.send().await.unwrap().error_for_status().unwrap();
    }

    /// Asks it to stop; answers with what it said at the end.
    fn stop(mut self) -> String {
        let mut kill = Command::new("sh");
        kill.args(["-c", "kill -TERM \"$0\"", &self.child.id().to_string()]);
        assert!(kill.status().unwrap().success());
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(self.child.wait().unwrap().success(), "{said}");
        said
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sells one, and waits until all of it is done.
async fn sell_one(shop: &Shop) {
    // Another test of this process may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let product = json!({"sku": "123", "name": "a", "price": {"amount": 100, "currency": "EUR"}, "stock": 5});
    let product = shop.post(&client, "/v1/products", &product).await["product_id"].clone();
    shop.settle(&client).await;
    let lines = json!([{"product_id": product, "quantity": 1}]);
    let order = json!({"lines": lines, "email": "ada@example.com", "payment": {"token": "tok_ok"}});
    shop.post(&client, "/v1/orders", &order).await;
    shop.settle(&client).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_names_the_collector_and_the_end_of_the_process_sends_the_rest() {
    let collector = Collector::start();
    let shop = Shop::start(&[("TRADEPOST_OTLP_ENDPOINT", &collector.endpoint)]);
    sell_one(&shop).await;
    let said = shop.stop();
    assert_eq!(said.matches("WARN").count(), 0, "{said}");
    let edges = edges(&collector.trace(TRACE));
    assert!(story().is_subset(&edges), "{edges:?}");
    assert!(collector.spans().iter().all(|span| span.process == "tradepost"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_collector_nothing_is_sent_and_nothing_is_said() {
    let collector = Collector::start();
    let shop = Shop::start(&[("TRADEPOST_TRACE_SAMPLE", "1")]);
    sell_one(&shop).await;
    let said = shop.stop();
    assert_eq!(said.matches("WARN").count(), 0, "{said}");
    assert_eq!(collector.spans().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_collector_is_logged_once_and_holds_up_nothing() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let shop = Shop::start(&[("TRADEPOST_OTLP_ENDPOINT", &format!("http://{gone}"))]);
    sell_one(&shop).await;
    let said = shop.stop();
    assert_eq!(said.matches("spans can't be sent").count(), 1, "{said}");
}

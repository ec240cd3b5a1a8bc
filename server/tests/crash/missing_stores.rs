//! A store that was made and whose file is missing is never made anew in silence.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::books::ALIVE;
use crate::client::Client;
use crate::process::{Ended, Process};

const STORE: &str = "notifications.db";

#[tokio::test(flavor = "multi_thread")]
async fn a_store_whose_file_is_missing_or_empty_is_refused_until_it_is_restored_or_its_loss_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let client = sell(data).await;
    let mails = mails(&client.1).await;
    stop(client.0).await;
    let (store, aside) = (data.join(STORE), data.join("aside"));
    fs::rename(&store, &aside).unwrap();

    let ended = refused(data).await;
    for way in ["Restore it from a backup.", "--accept-loss", "mailing customers once more"] {
        assert!(ended.stderr.contains(way), "{way}: {ended:?}");
    }
    assert!(ended.stderr.contains(store.to_str().unwrap()), "{ended:?}");
    assert!(!store.exists(), "a start that was refused made the store");
    fs::write(&store, "").unwrap();
    refused(data).await;

    // Restored, it goes on as if nothing had been.
    fs::rename(&aside, &store).unwrap();
    let (process, client) = Process::start(data).await;
    assert_eq!(self::mails(&client).await, mails);
    stop(process).await;

    // Its loss accepted, it handles the whole history again.
    fs::remove_file(&store).unwrap();
    let mut process = Process::spawn_with(data, &["--port", "0", "--accept-loss"]);
    let client = process.ready().await.unwrap();
    settle(&client).await;
    let again = self::mails(&client).await;
    assert_eq!(again.len(), mails.len());
    assert_ne!(again, mails, "they are other mails");
    stop(process).await;
    stop(Process::start(data).await.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_a_version_that_listed_no_stores_is_taken_over_or_refused_if_one_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    stop(Process::start(data).await.0).await;
    let made = fs::read_to_string(data.join("manifest.json")).unwrap();
    let mut manifest: Value = serde_json::from_str(&made).unwrap();
    let stores = manifest.as_object_mut().unwrap().remove("stores").unwrap();
    assert!(stores.as_array().unwrap().contains(&"payment-provider".into()), "{stores}");
    let forget_stores = || fs::write(data.join("manifest.json"), manifest.to_string()).unwrap();

    forget_stores();
    stop(Process::start(data).await.0).await;
    assert_eq!(fs::read_to_string(data.join("manifest.json")).unwrap(), made);

    forget_stores();
    fs::remove_file(data.join(STORE)).unwrap();
    fs::remove_dir_all(data.join("payment-provider")).unwrap();
    let ended = refused(data).await;
    assert!(ended.stderr.contains(STORE) && ended.stderr.contains("and those of payment-provider"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_that_was_cut_short_is_begun_again() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    stop(Process::start(data).await.0).await;
    let manifest = data.join("manifest.json");
    let mut made: Value = serde_json::from_str(&fs::read_to_string(&manifest).unwrap()).unwrap();
    // As it is before any store is made.
    made["stores"] = Value::Array(Vec::new());
    fs::write(&manifest, made.to_string()).unwrap();
    fs::remove_file(data.join(STORE)).unwrap();
    stop(Process::start(data).await.0).await;
}

/// A shop that has mailed a customer.
async fn sell(data: &Path) -> (Process, Client) {
    let mut process = Process::spawn_with(data, &["--port", "0"]);
    let client = process.ready().await.unwrap_or_else(|ended| panic!("it ended: {ended:?}"));
    let product = ["products", "add", "--sku", "123", "--name", "Laptop", "--price", "10", "--stock", "5"];
    Process::command(&client.url, &product).await;
    settle(&client).await;
    let order = ["orders", "place", "123=1", "--email", "ada@example.com", "--token", "tok_ok"];
    Process::command(&client.url, &order).await;
    settle(&client).await;
    assert!(!mails(&client).await.is_empty());
    (process, client)
}

async fn settle(client: &Client) {
    client.settle().await;
}

/// The ids of all mails, oldest first.
async fn mails(client: &Client) -> Vec<String> {
    let mails: Vec<Value> = client.all("/v1/mail").await.expect(ALIVE);
    let mut ids: Vec<String> = mails.iter().map(|mail| mail["mail_id"].to_string()).collect();
    ids.sort();
    ids
}

async fn refused(data: &Path) -> Ended {
    let Err(ended) = Process::spawn(data).ready().await else { panic!("it was not refused") };
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    ended
}

async fn stop(mut process: Process) {
    process.ask_to_stop();
    let ended = process.ended().await;
    assert!(ended.status.success(), "{ended:?}");
}

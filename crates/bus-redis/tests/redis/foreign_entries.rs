//! Entries that Tradepost did not add.

use bus::Settlement;
use kernel::{Lane, Uuid};
use test_servers::KeyPrefix;

use crate::support::{
    MAIL, PLACED, STOCK, broker, broker_with, deliver, ids, message, one_shard, placed, receive_all, settle, subscribe,
    take,
};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_message_of_ours_is_delivered_with_its_defect_and_its_bytes() {
    let keys = KeyPrefix::create();
    let broker = broker_with(&keys.url(), one_shard()).await;
    let stream = keys.key("tradepost.inventory.background.0");
    let large = "9".repeat(60_000);
    let foreign: [(&[&str], &str); 5] = [
        (&["data", ""], ""),
        (&["data", "{}"], "{}"),
        (&["id", "42", "data", "x"], "x"),
        (&["id", &large, "data", "large"], "large"),
        (&["a", "1", "a", "2"], r#"{"fields":[{"field":"a","value":"1"},{"field":"a","value":"2"}]}"#),
    ];
    for (fields, _) in foreign {
        keys.command(&[&["XADD", &stream, "*"], fields].concat());
    }
    let mut subscription = subscribe(&broker, STOCK, Lane::Background).await;
    let delivered = take(&mut subscription, foreign.len()).await;
    for (delivery, (_, body)) in delivered.iter().zip(foreign) {
        assert!(delivery.defect.is_some(), "{delivery:?}");
        assert_eq!(delivery.message.body, body);
        assert_eq!(delivery.message.envelope.key, Uuid::from(delivery.message.envelope.id), "it holds up a real key");
    }
    // The same bytes have the same id when they are redelivered.
    settle(&mut subscription, &delivered, Settlement::Requeue).await;
    let again = take(&mut subscription, foreign.len()).await;
    for (first, again) in delivered.iter().zip(&again) {
        assert_eq!(first.message, again.message);
        assert!(again.redelivered);
    }
    settle(&mut subscription, &again, Settlement::Done).await;
    let sent = placed();
    deliver(&broker, &sent).await;
    receive_all(&mut subscription, &[sent]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_that_is_not_that_of_its_stream_is_a_defect() {
    let keys = KeyPrefix::create();
    let broker = broker(&keys.url()).await;
    // By its type it comes where nobody would have the handler of its lane.
    let mut sent = message(PLACED, Lane::Background, ids().next());
    sent.envelope.lane = Lane::Immediate;
    deliver(&broker, &sent).await;
    let mut subscription = subscribe(&broker, MAIL, Lane::Background).await;
    let delivered = take(&mut subscription, 1).await;
    let defect = delivered[0].defect.as_deref();
    assert_eq!(defect, Some("its lane is immediate, and it came by background"));
    let arrived = &delivered[0].message.envelope;
    assert_eq!((arrived.lane, arrived.id), (Lane::Background, sent.envelope.id));
}

//! Bytes that Tradepost did not send.

use bus::Settlement;
use kernel::{Lane, Uuid};
use lapin::BasicProperties;
use lapin::options::BasicPublishOptions;
use lapin::types::{AMQPValue, FieldTable, LongString};
use test_servers::Vhost;

use crate::support::{
    MAIL, PLACED, STOCK, broker, deliver, ids, message, placed, plain_client, receive_all, settle, subscribe, take,
};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_message_of_ours_is_delivered_with_its_defect_and_its_bytes() {
    let vhost = Vhost::create();
    let broker = broker(&vhost.url()).await;
    let (_connection, channel) = plain_client(&vhost.url()).await;
    let queue = "tradepost.inventory.background.0";
    let headers = |entries: &[(&str, AMQPValue)]| {
        let mut table = FieldTable::default();
        for (name, value) in entries {
            table.insert((*name).into(), value.clone());
        }
        BasicProperties::default().with_headers(table)
    };
    let text = |text: &str| AMQPValue::LongString(LongString::from(text));
    let foreign: Vec<(BasicProperties, Vec<u8>)> = vec![
        (BasicProperties::default(), Vec::new()),
        (BasicProperties::default(), vec![0xff; 100_000]),
        (BasicProperties::default().with_message_id("42".into()), b"{}".to_vec()),
        (headers(&[("cloudEvents:id", text(&"9".repeat(60_000)))]), b"huge".to_vec()),
        (headers(&[("cloudEvents:id", AMQPValue::LongString(LongString::from(vec![0xff, 0xfe])))]), b"utf8".to_vec()),
        (headers(&[("cloudEvents:id", AMQPValue::FieldTable(FieldTable::default()))]), b"table".to_vec()),
        (headers(&[("x-death", text("mine")), ("other", AMQPValue::Void)]), b"death".to_vec()),
    ];
    for (properties, body) in &foreign {
        let options = BasicPublishOptions::default();
        let sent = channel.basic_publish("".into(), queue.into(), options, body, properties.clone()).await.unwrap();
        sent.await.unwrap();
    }
    let mut subscription = subscribe(&broker, STOCK, Lane::Background).await;
    let delivered = take(&mut subscription, foreign.len()).await;
    for (delivery, (_, body)) in delivered.iter().zip(&foreign) {
        assert!(delivery.defect.is_some(), "{delivery:?}");
        assert_eq!(delivery.message.body, *body);
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
async fn a_lane_that_is_not_that_of_its_queue_is_a_defect() {
    let vhost = Vhost::create();
    let broker = broker(&vhost.url()).await;
    let key: Uuid = ids().next();
    // By its routing key it comes where nobody would have the handler of its lane.
    let mut sent = message(PLACED, Lane::Background, key);
    sent.envelope.lane = Lane::Immediate;
    deliver(&broker, &sent).await;
    let mut subscription = subscribe(&broker, MAIL, Lane::Background).await;
    let delivered = take(&mut subscription, 1).await;
    let defect = delivered[0].defect.as_deref();
    assert_eq!(defect, Some("its lane is immediate, and it came by background"));
    let arrived = &delivered[0].message.envelope;
    assert_eq!((arrived.lane, arrived.id), (Lane::Background, sent.envelope.id));
}

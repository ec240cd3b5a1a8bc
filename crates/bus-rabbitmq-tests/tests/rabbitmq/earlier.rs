//! Queues in which an earlier version kept archives for consumers.

use bus_rabbitmq::Unusable;
use lapin::options::{BasicPublishOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel};
use test_servers::Vhost;

use crate::support::{MAIL, broker, plain_client};

/// The first that was made, and another.
const QUEUES: [&str; 2] =
    ["tradepost.notifications.archive.immediate.0", "tradepost.notifications.archive.background.1"];

async fn declare(channel: &Channel, queue: &str, passive: bool) -> lapin::Result<lapin::Queue> {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    let options = QueueDeclareOptions { durable: true, passive, ..QueueDeclareOptions::default() };
    channel.queue_declare(queue.into(), options, arguments).await
}

async fn send(channel: &Channel, queue: &str, kind: &str) {
    let properties = BasicProperties::default().with_type(ShortString::from(kind)).with_delivery_mode(2);
    let sent = channel.basic_publish("".into(), queue.into(), BasicPublishOptions::default(), b"{}", properties);
    let confirmed = sent.await.expect("the channel is open");
    confirmed.await.expect("the broker confirms");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_of_an_earlier_version_is_removed_once_it_was_read() {
    let vhost = Vhost::create();
    let broker = broker(&vhost.url()).await;
    broker.remove_archives().await.unwrap();
    let (connection, channel) = plain_client(&vhost.url()).await;
    for queue in QUEUES {
        declare(&channel, queue, false).await.unwrap();
        // All that is left of one that was read.
        send(&channel, queue, "tradepost.keeper").await;
    }
    send(&channel, QUEUES[1], "event").await;
    while declare(&channel, QUEUES[1], true).await.unwrap().message_count() < 2 {
        tokio::task::yield_now().await;
    }

    let unread = Unusable::Unread { queue: QUEUES[1].to_owned(), consumer: MAIL.to_owned() };
    assert_eq!(broker.remove_archives().await, Err(unread.clone()));
    assert!(unread.to_string().contains("run notifications of that version"), "{unread}");
    declare(&channel, QUEUES[0], true).await.unwrap();

    channel.queue_purge(QUEUES[1].into(), lapin::options::QueuePurgeOptions::default()).await.unwrap();
    broker.remove_archives().await.unwrap();
    for queue in QUEUES {
        let channel = connection.create_channel().await.unwrap();
        assert!(declare(&channel, queue, true).await.is_err(), "{queue} is still there");
    }
}

//! Consumers that come late: the archive first, then what came since.

use std::time::Duration;

use bus::{Archives, Broker, Message, Outcome, Settlement, Subscription};
use kernel::{Lane, Uuid};
use test_servers::Vhost;
use tradepost_bus_rabbitmq::RabbitMq;

use crate::support::{MAIL, PLACED, broker, deliver, ids, message, options, ready, settle, soon, subscribe, take};

/// Long enough for a queue that is empty to be noticed a few times over.
const A_WHILE: Duration = Duration::from_millis(1500);

/// Messages of one key, so that they are in one shard.
fn of_one_key(count: usize) -> Vec<Message> {
    let key = ids().next();
    (0..count).map(|_| message(PLACED, key)).collect()
}

async fn keep(broker: &RabbitMq, messages: &[Message]) {
    for message in messages {
        assert_eq!(soon(broker.keep(MAIL, message.clone())).await, Outcome::Stored);
    }
}

/// Messages that are settled together.
const STEP: usize = 32;

/// Takes and settles what comes, until as many have come.
async fn receive(subscription: &mut dyn Subscription, count: usize) -> Vec<Message> {
    let mut received = Vec::with_capacity(count);
    while received.len() < count {
        // Fewer than the broker sends ahead: it sends no more before these are settled.
        let taken = take(subscription, STEP.min(count - received.len())).await;
        settle(subscription, &taken, Settlement::Done).await;
        received.extend(taken.into_iter().map(|delivery| delivery.message));
    }
    received
}

/// Where messages stand among those that were told.
fn places(told: &[Message], received: &[Message]) -> Vec<usize> {
    received.iter().filter_map(|message| told.iter().position(|it| it.envelope.id == message.envelope.id)).collect()
}

async fn is_silent(subscription: &mut dyn Subscription) -> bool {
    tokio::time::timeout(A_WHILE, subscription.next(1)).await.is_err()
}

/// A broker of a process that starts now.
async fn another(vhost: &Vhost) -> RabbitMq {
    let broker = RabbitMq::new(&vhost.url(), options()).expect("the URL of a test's server is one");
    ready(&broker).await;
    broker
}

#[tokio::test(flavor = "multi_thread")]
async fn the_archive_comes_first_and_the_live_queue_when_all_of_it_is_settled() {
    let vhost = Vhost::create();
    let broker = broker(&vhost.url()).await;
    let told = of_one_key(600);
    let (archive, live) = (&told[..550], &told[500..]);
    for message in live {
        deliver(&broker, message).await;
    }
    broker.open_archive(MAIL).await.unwrap();
    keep(&broker, archive).await;

    let process = another(&vhost).await;
    let mut subscription = subscribe(&process, MAIL, Lane::Background).await;
    let mut read = receive(&mut subscription, archive.len() - 50).await;
    read.extend(receive(&mut subscription, 49).await);
    let last = take(&mut subscription, 1).await;
    assert!(is_silent(&mut subscription).await, "the last of the archive is not settled");
    assert_eq!(process.waiting(MAIL).await.unwrap(), live.len() as u64);
    settle(&mut subscription, &last, Settlement::Done).await;
    read.extend(last.into_iter().map(|delivery| delivery.message));
    assert!(read == archive, "the archive came in another order");
    assert_eq!(receive(&mut subscription, live.len()).await, live);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_over_in_the_middle_of_an_archive_goes_on_with_it() {
    let vhost = Vhost::create();
    let broker = broker(&vhost.url()).await;
    let told = of_one_key(20);
    broker.open_archive(MAIL).await.unwrap();
    keep(&broker, &told[..10]).await;
    for message in &told[10..] {
        deliver(&broker, message).await;
    }
    let (one, other) = (another(&vhost).await, another(&vhost).await);
    let mut first = subscribe(&one, MAIL, Lane::Background).await;
    assert_eq!(receive(&mut first, 3).await, told[..3]);
    let unsettled = take(&mut first, 7).await;
    // The queue is empty now, but for what the first has: the second must not take it for read.
    let mut second = subscribe(&other, MAIL, Lane::Background).await;
    assert!(is_silent(&mut second).await);
    settle(&mut first, &unsettled[..1], Settlement::Done).await;
    settle(&mut first, &unsettled[1..], Settlement::Requeue).await;
    drop(first);
    assert_eq!(places(&told, &receive(&mut second, 6).await), [4, 5, 6, 7, 8, 9]);
    assert_eq!(receive(&mut second, 10).await, told[10..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_is_removed_when_it_is_read_and_nobody_is_there() {
    let vhost = Vhost::create();
    let broker = broker(&vhost.url()).await;
    let told = of_one_key(2);
    broker.open_archive(MAIL).await.unwrap();
    keep(&broker, &told[..1]).await;
    broker.close_archive(MAIL).await.unwrap();
    let mut subscription = subscribe(&another(&vhost).await, MAIL, Lane::Background).await;
    assert_eq!(receive(&mut subscription, 1).await, told[..1], "it was not read, and is there");
    deliver(&broker, &told[1]).await;
    assert_eq!(receive(&mut subscription, 1).await, told[1..]);
    // Nobody reads the archive any more.
    broker.close_archive(MAIL).await.unwrap();
    assert_eq!(soon(broker.keep(MAIL, told[0].clone())).await, Outcome::Unroutable);
    broker.close_archive(MAIL).await.unwrap();
    broker.open_archive(MAIL).await.unwrap();
    keep(&broker, &told[..1]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_began_before_leaves_the_archive_to_those_that_follow() {
    let vhost = Vhost::create();
    let broker = broker(&vhost.url()).await;
    let mut subscription = subscribe(&broker, MAIL, Lane::Background).await;
    let told = of_one_key(2);
    broker.open_archive(MAIL).await.unwrap();
    keep(&broker, &told[..1]).await;
    drop(subscription);
    subscription = subscribe(&broker, MAIL, Lane::Background).await;
    deliver(&broker, &told[1]).await;
    assert_eq!(receive(&mut subscription, 1).await, told[1..]);
    let mut next = subscribe(&another(&vhost).await, MAIL, Lane::Background).await;
    assert_eq!(receive(&mut next, 1).await, told[..1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_that_is_not_that_of_its_queue_is_a_defect() {
    let vhost = Vhost::create();
    let broker = broker(&vhost.url()).await;
    let key: Uuid = ids().next();
    // By its routing key it comes where nobody would have the handler of its lane.
    let mut sent = message(PLACED, key);
    sent.envelope.lane = Lane::Immediate;
    deliver(&broker, &sent).await;
    let mut subscription = subscribe(&broker, MAIL, Lane::Background).await;
    let delivered = take(&mut subscription, 1).await;
    let defect = delivered[0].defect.as_deref();
    assert_eq!(defect, Some("its lane is immediate, and it came by background"));
    assert_eq!(
        (delivered[0].message.envelope.lane, delivered[0].message.envelope.id),
        (Lane::Background, sent.envelope.id)
    );
}

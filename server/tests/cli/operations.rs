//! Commands of operators: dead letters, mail, events.

use serde_json::{Value, json};

use crate::shop::{ID, Shop, dead_letter, event, page, story};

#[test]
fn dead_letters_are_shown_replayed_and_discarded() {
    let other = "019360a4-8c1e-7b3a-9d2f-5e6c7a8b9c0e";
    let shop = Shop::open()
        .on("GET /v1/dead-letters?limit=20", page(json!([dead_letter()]), None))
        .on(&format!("GET /v1/dead-letters/{ID}"), dead_letter())
        .on(&format!("POST /v1/dead-letters/{ID}/replay"), dead_letter())
        .on(&format!("POST /v1/dead-letters/{ID}/discard"), dead_letter())
        .refusing(&format!("POST /v1/dead-letters/{other}/replay"), 404, "not_found", "there is no such dead letter");
    let listed = shop.as_admin(&["dlq", "list"]).succeeds();
    let row = format!("{ID}  notifications  orders.order_paid.v1        10\n  no connection\n");
    assert!(listed.ends_with(&row), "{listed}");
    let shown = shop.as_admin(&["dlq", "show", ID]).succeeds();
    assert!(shown.ends_with("{\n  \"number\": 1001\n}\n"), "{shown}");
    let discarded = shop.as_admin(&["dlq", "discard", ID]).succeeds();
    assert_eq!(discarded, format!("discarded {ID}: orders.order_paid.v1 of notifications\n"));
    let error = shop.as_admin(&["dlq", "replay", ID, other]).fails(6);
    assert!(error.starts_with("error: 1 of 2 dead letters could not be replayed\n"), "{error}");
    shop.as_admin(&["dlq", "replay", other]).fails(4);
}

#[test]
fn all_dead_letters_that_match_are_replayed() {
    let letter = |digit: u32, reason: &str| {
        let mut letter = dead_letter();
        letter["dead_letter_id"] = json!(format!("{}{digit}", &ID[..ID.len() - 1]));
        letter["reason"] = json!(reason);
        letter
    };
    let replay =
        |letter: &Value| format!("POST /v1/dead-letters/{}/replay", letter["dead_letter_id"].as_str().unwrap());
    let (first, other, last) = (letter(3, "No connection"), letter(2, "a defect"), letter(1, "no connection: refused"));
    let list = "GET /v1/dead-letters?consumer=notifications&limit=100";
    let shop = Shop::open()
        .on(list, page(json!([first, other]), Some("c1")))
        .on(&format!("{list}&cursor=c1"), page(json!([last]), None))
        .on(&replay(&first), first.clone())
        .refusing(&replay(&last), 404, "not_found", "there is no such dead letter");
    let all = ["dlq", "replay", "--all", "--consumer", "notifications", "--reason", "no CONNECTION"];
    let failed = shop.as_admin(&all);
    assert!(failed.stdout.starts_with("replayed ") && failed.stdout.lines().count() == 1, "{failed:?}");
    assert!(failed.fails(6).starts_with("error: 1 of 2 dead letters could not be replayed\n"));
    let asked = shop.lines_asked();
    assert_eq!(asked, [list.to_owned(), replay(&first), format!("{list}&cursor=c1"), replay(&last)]);
    let listed = ["dlq", "list", "--consumer", "notifications", "--reason", "defect"];
    assert!(shop.as_admin(&listed).succeeds().ends_with("\n  a defect\n"));
    for misused in [&["dlq", "replay"][..], &["dlq", "replay", ID, "--all"], &["dlq", "replay", ID, "--reason", "x"]] {
        shop.as_admin(misused).fails(2);
    }
}

#[test]
fn mail_is_listed_and_shown_harmless() {
    let mail = json!({"mail_id": ID, "message_id": "<m@tradepost>", "to": "ada@example.com", "template": "welcome",
        "subject": "Hello", "text": "Hello\nAda\u{1b}[2J", "html": "", "sent_at": "2026-01-01T00:00:00Z"});
    let shop =
        Shop::open().on("GET /v1/mail?limit=20", page(json!([mail]), None)).on(&format!("GET /v1/mail/{ID}"), mail);
    let listed = shop.as_admin(&["mail", "list"]).succeeds();
    assert!(listed.ends_with(&format!("{ID}  ada@example.com  Hello\n")), "{listed}");
    let shown = shop.as_admin(&["mail", "show", ID]).succeeds();
    assert!(shown.ends_with("\n\nHello\nAda\\u{1b}[2J\n"), "{shown}");
}

#[test]
fn events_are_listed_and_shown() {
    let shop = Shop::open()
        .on("GET /v1/events?type=orders.order_paid.v1&limit=1", page(story()["items"].clone(), None))
        .on(&format!("GET /v1/events/{ID}"), event("orders.order_paid.v1", 40, json!([])));
    let listed = shop.as_admin(&["events", "list", "--type", "orders.order_paid.v1", "--limit", "1"]).succeeds();
    assert!(listed.contains("\n2026-01-01T00:00:00Z  inventory.stock_reserved.v1  "), "{listed}");
    let shown = shop.as_admin(&["events", "show", ID]).succeeds();
    assert!(shown.contains("\nservice    orders\n") && shown.contains("\\u009b"), "{shown}");
}

#[test]
fn a_tail_goes_on_when_the_stream_ends() {
    let sse = |millis| {
        let data = event("orders.order_paid.v1", millis, json!([]));
        (200, "text/event-stream", format!(": alive\n\nid: {ID}\nevent: orders.order_paid.v1\ndata: {data}\n\n"))
    };
    let line = "GET /v1/events/tail";
    let shop = Shop::open()
        .answering(line, sse(1))
        .refusing(line, 503, "draining", "starting again")
        .answering(line, sse(2))
        .refusing(line, 401, "unauthenticated", "another token");
    let ran = shop.as_admin(&["events", "tail"]);
    let row = |millis| format!("2026-01-01T00:00:00.{millis:03}Z  orders.order_paid.v1            {ID}\n");
    assert_eq!(ran.stdout, row(1) + &row(2));
    ran.fails(3);
    assert_eq!(shop.lines_asked(), [line; 4]);
}

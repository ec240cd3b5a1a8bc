//! Each receiver as its user runs it: what it takes and what it refuses.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod guide;
mod process;
mod replenish;

use std::process::Command;

use process::{KEY, Message, Receiver, script};

fn takes_what_is_genuine_once_and_refuses_the_rest(command: Command) {
    let receiver = Receiver::start(command);
    let good = Message::signed("msg_1", 0);
    let refused = [
        ("another secret", Message::signed_by(b"another secret", "msg_2", &good.timestamp, &good.body)),
        ("another body", Message { body: good.body.replace("paid", "late"), ..good.clone() }),
        ("another id", Message { id: "msg_2".to_owned(), ..good.clone() }),
        ("no id", Message { id: String::new(), ..good.clone() }),
        ("too old", Message::signed("msg_2", 6 * 60)),
        ("from the future", Message::signed("msg_2", -6 * 60)),
        ("no time", Message { timestamp: "soon".to_owned(), ..good.clone() }),
        ("no time, though it is signed", Message::signed_by(KEY, "msg_2", "soon", &good.body)),
        ("no signature", good.clone().with_signature(|_| String::new())),
        ("half a signature", good.clone().with_signature(|it| it[..20].to_owned())),
        ("another version", good.clone().with_signature(|it| it.replace("v1,", "v2,"))),
        ("no base64", good.clone().with_signature(|it| format!("{it}é"))),
    ];
    for (what, message) in refused {
        assert_eq!(receiver.send(&message), 401, "{what}");
    }
    for message in [
        good.clone(),
        good.clone(),
        Message::signed("msg_3", 4 * 60).with_signature(|it| format!("v1a,AAAA v1,AAAA {it}")),
        good,
        Message::signed("msg_4", -4 * 60),
    ] {
        assert_eq!(receiver.send(&message), 204);
    }
    let printed: Vec<String> = (0..3).map(|_| receiver.line()).collect();
    let once = ["msg_1", "msg_3", "msg_4"].map(|id| format!("{id} orders.order_paid.v1"));
    assert_eq!(printed, once);
    assert!(receiver.is_silent(), "a repetition was handled");
}

#[test]
fn python_takes_what_is_genuine_once_and_refuses_the_rest() {
    takes_what_is_genuine_once_and_refuses_the_rest(script("python3", "python/receiver.py"));
}

#[test]
fn node_takes_what_is_genuine_once_and_refuses_the_rest() {
    takes_what_is_genuine_once_and_refuses_the_rest(script("node", "node/receiver.mjs"));
}

#[test]
fn rust_takes_what_is_genuine_once_and_refuses_the_rest() {
    takes_what_is_genuine_once_and_refuses_the_rest(Command::new(env!("CARGO_BIN_EXE_receiver")));
}

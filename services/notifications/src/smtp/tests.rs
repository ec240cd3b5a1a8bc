use std::sync::Arc;

use service::Tasks;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::domain::tests::mail;
use crate::mailer::Mailer;

/// The mails that the server got: the connection's number and the message.
type Taken = Arc<Mutex<Vec<(usize, String)>>>;

/// A mail server that answers as the recipient's name states.
async fn server() -> (Mailer, Taken, Tasks) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    let (taken, tasks) = (Taken::default(), Tasks::new());
    let (into, connections) = (taken.clone(), tasks.clone());
    tasks.spawn(async move {
        for number in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            connections.spawn(answer(number, stream, into.clone()));
        }
    });
    let mut smtp = Smtp::new(&url).unwrap();
    smtp.deadline = Duration::from_millis(300);
    (Mailer::by(smtp, "Tradepost <shop@shop.example>"), taken, tasks)
}

async fn answer(number: usize, stream: TcpStream, taken: Taken) {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    let (mut message, mut hangs) = (None::<String>, false);
    writer.write_all(b"220 mx.example\r\n").await.unwrap();
    while let Ok(Some(line)) = lines.next_line().await {
        let reply = match &mut message {
            Some(text) if line != "." => {
                text.push_str(&line);
                text.push('\n');
                continue;
            }
            Some(_) => {
                taken.lock().unwrap().push((number, message.take().unwrap()));
                if hangs {
                    std::future::pending::<()>().await;
                }
                "250 taken"
            }
            None if line == "DATA" => {
                message = Some(String::new());
                "354 go on"
            }
            None if line.contains("TO:<hangs@") => {
                hangs = true;
                "250 ok"
            }
            None if line.contains("TO:<gone@") => "550 no such mailbox",
            None if line.contains("TO:<busy@") => "451 try later",
            None if line.contains("TO:<locked@") => "530 authentication required",
            None => "250 ok",
        };
        writer.write_all(format!("{reply}\r\n").as_bytes()).await.unwrap();
    }
}

#[tokio::test]
async fn a_mail_keeps_its_message_id_and_connections_are_reused() {
    let (mailer, taken, _tasks) = server().await;
    let mail = mail();
    for _ in 0..2 {
        mailer.send(&mail).await.unwrap();
    }
    let taken = taken.lock().unwrap();
    let expected = format!("Message-ID: {}\n", mail.message_id);
    assert_eq!(taken.iter().map(|(connection, _)| *connection).collect::<Vec<_>>(), [0, 0]);
    assert!(taken.iter().all(|(_, message)| message.contains(&expected)), "{taken:?}");
    assert!(taken[0].1.contains("text/html") && taken[0].1.contains("Date: Thu, 01 Jan 2026"), "{taken:?}");
}

#[tokio::test]
async fn only_what_is_about_the_mail_is_final() {
    let (mailer, _, _tasks) = server().await;
    let outcome = async |recipient: &str| {
        let mail = crate::domain::Mail { recipient: recipient.to_owned(), ..mail() };
        mailer.send(&mail).await.unwrap_err()
    };
    assert!(matches!(outcome("gone@example.com").await, NotSent::Refused(_)));
    assert!(matches!(outcome("no address").await, NotSent::Refused(_)));
    assert!(matches!(outcome("busy@example.com").await, NotSent::Unavailable(_)));
    assert!(matches!(outcome("locked@example.com").await, NotSent::Unavailable(_)));
}

#[tokio::test]
async fn a_conversation_that_was_cut_short_is_not_continued() {
    let (mailer, taken, _tasks) = server().await;
    let hanging = crate::domain::Mail { recipient: "hangs@example.com".to_owned(), ..mail() };
    mailer.send(&mail()).await.unwrap();
    assert!(matches!(mailer.send(&hanging).await, Err(NotSent::Unavailable(_))));
    mailer.send(&mail()).await.unwrap();
    let connections: Vec<usize> = taken.lock().unwrap().iter().map(|(connection, _)| *connection).collect();
    assert_eq!(connections, [0, 0, 1]);
}

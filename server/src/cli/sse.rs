//! Server-sent events, from bytes (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).

/// A longer line or event is no event of ours.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// One event's data.
#[derive(Debug, PartialEq, Eq)]
pub struct Message(pub String);

/// The stream holds something that is larger than any event.
#[derive(Debug, PartialEq, Eq)]
pub struct TooLarge;

/// Cuts a stream into events, whatever the pieces are in which it arrives.
#[derive(Debug, Default)]
pub struct Parser {
    line: Vec<u8>,
    data: Option<String>,
    after_cr: bool,
}

impl Parser {
    /// The events that these bytes complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Message>, TooLarge> {
        let mut messages = Vec::new();
        for byte in bytes {
            // CR, LF and CR LF each end a line, and a chunk may end between the two.
            let ends_cr_lf = std::mem::replace(&mut self.after_cr, *byte == b'\r') && *byte == b'\n';
            match byte {
                b'\n' if ends_cr_lf => {}
                b'\r' | b'\n' => messages.extend(self.end_line()),
                _ => self.line.push(*byte),
            }
            if self.line.len() + self.data.as_ref().map_or(0, String::len) > BYTES_MAX {
                return Err(TooLarge);
            }
        }
        Ok(messages)
    }

    fn end_line(&mut self) -> Option<Message> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            return self.data.take().map(Message);
        }
        let line = String::from_utf8_lossy(&line);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        if field == "data" {
            let value = value.strip_prefix(' ').unwrap_or(value);
            match &mut self.data {
                Some(data) => *data = format!("{data}\n{value}"),
                None => self.data = Some(value.to_owned()),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(pieces: &[&[u8]]) -> Vec<String> {
        let mut parser = Parser::default();
        pieces.iter().flat_map(|piece| parser.feed(piece).unwrap()).map(|Message(data)| data).collect()
    }

    #[test]
    fn events_are_the_same_however_they_arrive() {
        let stream =
            ": alive\n\nid: 1\r\nevent: a\r\ndata: {\"x\":\r\ndata: \"é\"}\r\n\r\ndata:2\n\ndata: cut".as_bytes();
        let expected = ["{\"x\":\n\"é\"}", "2"];
        assert_eq!(parsed(&[stream]), expected);
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(parsed(&bytes), expected);
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut parser = Parser::default();
        let piece = vec![b'x'; BYTES_MAX];
        assert_eq!(parser.feed(&piece), Ok(vec![]));
        assert_eq!(parser.feed(b"x"), Err(TooLarge));
    }
}

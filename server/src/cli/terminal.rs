//! Making text safe for a terminal.
//!
//! Names, addresses and mails are untrusted: an escape sequence in them must not reach the terminal.

use std::borrow::Cow;
use std::fmt::Write;

/// The text on one line, its control characters shown as escapes.
pub fn plain(text: &str) -> Cow<'_, str> {
    escape(text, is_unsafe)
}

/// The text with its line breaks and tabs, its other control characters shown as escapes.
pub fn plain_lines(text: &str) -> String {
    let lines: Vec<Cow<'_, str>> = text.lines().map(|line| escape(line, |c| c != '\t' && is_unsafe(c))).collect();
    lines.join("\n")
}

/// JSON with the control characters escaped that JSON itself lets through.
pub fn plain_json(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        if is_unsafe(c) && c != '\n' {
            // All of them are in the basic plane, so each is one escape.
            write!(safe, "\\u{:04x}", u32::from(c)).expect("a String takes whatever is written");
        } else {
            safe.push(c);
        }
    }
    safe
}

fn escape(text: &str, is_unsafe: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) { safe.extend(c.escape_default()) } else { safe.push(c) }
    }
    Cow::Owned(safe)
}

/// Control characters, and the ones that turn the direction of text or end its line.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_shown_and_not_obeyed() {
        for (text, shown) in [
            ("Łaptop 27\"", "Łaptop 27\""),
            ("\u{1b}]0;x\u{7}", "\\u{1b}]0;x\\u{7}"),
            ("a\r\nb", "a\\r\\nb"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("\u{202e}gpj", "\\u{202e}gpj"),
        ] {
            assert_eq!(plain(text), shown);
        }
    }

    #[test]
    fn a_mail_keeps_its_lines() {
        assert_eq!(plain_lines("Hello\r\n\tAda\u{1b}[2J\n"), "Hello\n\tAda\\u{1b}[2J");
    }

    #[test]
    fn json_stays_json() {
        let value = serde_json::json!({"name": "a\u{9b}b\u{202e}\u{7f}\n"});
        let safe = plain_json(&serde_json::to_string_pretty(&value).unwrap());
        assert!(!safe.chars().any(|c| is_unsafe(c) && c != '\n'), "{safe}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), value);
    }
}

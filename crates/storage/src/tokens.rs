//! Tokens of an SQL text: enough to distinguish a parameter or a keyword from the same characters in a literal, a
//! quoted name or a comment.

/// One token. All of them, one after another, are the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub kind: Kind,
    pub text: &'a str,
    /// Number of parentheses that are open around it. A parenthesis stands outside of itself.
    pub depth: usize,
}

/// Kind of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// White space or a comment.
    Space,
    /// A keyword, or a name without quotes.
    Word,
    /// A name in double quotes.
    QuotedName,
    /// A string.
    Literal,
    /// `$3`.
    Parameter,
    /// One character that is none of these, and each character of a number.
    Symbol,
}

impl Token<'_> {
    /// True for this keyword in any case of its letters.
    pub fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text.eq_ignore_ascii_case(word)
    }

    /// True for this character.
    pub fn is_symbol(&self, symbol: char) -> bool {
        self.kind == Kind::Symbol && self.text.starts_with(symbol)
    }

    /// The number of a parameter, as it is written.
    pub fn parameter(&self) -> Option<&str> {
        if self.kind == Kind::Parameter { self.text.strip_prefix('$') } else { None }
    }
}

/// The tokens of a text. What opens and never closes reaches to the end.
pub(crate) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut depth = 0_usize;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (kind, length) = first_token(rest, first);
        let (text, after) = rest.split_at(length);
        if first == ')' && kind == Kind::Symbol {
            depth = depth.saturating_sub(1);
        }
        tokens.push(Token { kind, text, depth });
        if first == '(' && kind == Kind::Symbol {
            depth += 1;
        }
        rest = after;
    }
    tokens
}

/// Kind and length of the token with which a text begins
/// (<https://www.postgresql.org/docs/current/sql-syntax-lexical.html>).
fn first_token(text: &str, first: char) -> (Kind, usize) {
    match first {
        '\'' => (Kind::Literal, quoted(text, '\'', false)),
        'e' | 'E' if text[1..].starts_with('\'') => (Kind::Literal, 1 + quoted(&text[1..], '\'', true)),
        '"' => (Kind::QuotedName, quoted(text, '"', false)),
        '-' if text.starts_with("--") => (Kind::Space, text.find('\n').unwrap_or(text.len())),
        '/' if text.starts_with("/*") => (Kind::Space, block_comment(text)),
        '$' => dollar(text),
        _ if first.is_whitespace() => (Kind::Space, first.len_utf8()),
        _ if is_in_name(first) && !first.is_ascii_digit() => {
            (Kind::Word, text.find(|c| !is_in_name(c) && c != '$').unwrap_or(text.len()))
        }
        _ => (Kind::Symbol, first.len_utf8()),
    }
}

fn is_in_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii()
}

/// The length of what begins with a quote; a doubled quote does not end it.
fn quoted(text: &str, quote: char, with_escapes: bool) -> usize {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && with_escapes {
            chars.next();
        } else if c == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
            return at + 1;
        }
    }
    text.len()
}

/// The length of a comment, in which others may stand.
fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// A parameter, or a literal between `$tag$` and `$tag$`.
fn dollar(text: &str) -> (Kind, usize) {
    let digits = text[1..].bytes().take_while(u8::is_ascii_digit).count();
    if digits > 0 {
        return (Kind::Parameter, 1 + digits);
    }
    let tag = text[1..].find(|c| !is_in_name(c)).map(|end| 1 + end);
    match tag.filter(|end| text[*end..].starts_with('$')) {
        Some(end) => {
            let tag = &text[..=end];
            let closing = text[end + 1..].find(tag).map(|at| end + 1 + at + tag.len());
            (Kind::Literal, closing.unwrap_or(text.len()))
        }
        None => (Kind::Symbol, 1),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of_kind(text: &str, kind: Kind) -> Vec<&str> {
        tokens(text).into_iter().filter(|token| token.kind == kind).map(|token| token.text).collect()
    }

    #[test]
    fn a_parameter_is_not_found_in_a_literal_a_name_or_a_comment() {
        for (text, expected) in [
            ("a = $1 and b=$23", &["$1", "$23"][..]),
            ("a = '$1' and b = 'it''s $2' and c = $3", &["$3"]),
            (r"a = e'\'$1' and b = E'\\' and c = $2", &["$2"]),
            (r"a = '\' and b = $1", &["$1"]),
            (r#"a$1 = $2 and "b""$3" = $4"#, &["$2", "$4"]),
            ("a = $1 -- $2\nand b = $3", &["$1", "$3"]),
            ("a = $1 /* $2 /* $3 */ $4 */ and b = $5", &["$1", "$5"]),
            ("a = $$ $1 $$ and b = $note$ $$ $2 $note$ and c = $3", &["$3"]),
            ("a = '$1", &[]),
        ] {
            assert_eq!(of_kind(text, Kind::Parameter), expected, "{text}");
        }
    }

    #[test]
    fn a_word_knows_how_deep_it_stands() {
        let text = "update t set a = (select b from c where d = 'where (') where e = $1";
        let all = tokens(text);
        let depths: Vec<usize> = all.iter().filter(|it| it.is_word("WHERE")).map(|token| token.depth).collect();
        assert_eq!(depths, [1, 0]);
    }

    proptest! {
        #[test]
        fn all_tokens_together_are_the_text(text in r#"([$'"/*()a-eE0-2\\ü \n-]|\$\$|\$a\$|--|/\*|\*/){0,40}"#) {
            let joined: String = tokens(&text).iter().map(|token| token.text).collect();
            prop_assert_eq!(joined, text);
        }
    }
}

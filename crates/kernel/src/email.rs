//! E-mail addresses: which text is one, and when two are the same.

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};

/// RFC 5321 §4.5.3.1.1.
const NAME_BYTES_MAX: usize = 64;

/// RFC 5321 §4.1.2, of the form in which the address is sent.
const BYTES_MAX: usize = 254;

/// The address as mail servers know it: a dot-atom, `@`, and the domain in its ASCII form (RFC 5890), in lower case.
/// `None` if the text is no such address. The name before the `@` is ASCII: most mail servers take no other.
pub fn ascii(text: &str) -> Option<String> {
    let (name, domain) = text.split_once('@')?;
    let is_plain = name.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>,;:\"()[]\\@".contains(&byte));
    let is_dot_atom = name.len() <= NAME_BYTES_MAX && name.split('.').all(|atom| !atom.is_empty());
    if !is_plain || !is_dot_atom || domain.len() > BYTES_MAX {
        return None;
    }
    let rules = (AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Verify);
    let domain = Uts46::new().to_ascii(domain.as_bytes(), rules.0, rules.1, rules.2).ok()?;
    let address = format!("{name}@{domain}");
    (address.len() <= BYTES_MAX).then_some(address)
}

/// The text by which an address is looked up and unique: neither the case of its letters nor the form of its domain
/// distinguishes two. Text that is no address is its own key, in lower case.
pub fn key(text: &str) -> String {
    ascii(text).map_or_else(|| text.to_ascii_lowercase(), |address| address.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_may_be_written_in_its_own_script() {
        for same in ["ada@müller.de", "ADA@MÜLLER.de", "ada@mu\u{308}ller.de", "ada@xn--mller-kva.de"] {
            assert_eq!(key(same), "ada@xn--mller-kva.de", "{same}");
        }
        assert_eq!(ascii("Ada.L+x@例え.jp").as_deref(), Some("Ada.L+x@xn--r8jz45g.jp"));
        assert_eq!(ascii("ada@r3---x.example.com").as_deref(), Some("ada@r3---x.example.com"));
        assert_eq!(ascii("a@localhost").as_deref(), Some("a@localhost"));
    }

    #[test]
    fn other_text_is_no_address() {
        let long = format!("{}@example.com", "x".repeat(65));
        let label = format!("ada@{}.com", "ü".repeat(64));
        for bad in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@example..com",
            "ada@-x.com",
            "ada@x-.com",
            "ada@example.com.",
            "a b@example.com",
            "ada@exa mple.com",
            "ada@ex_ample.com",
            "ada@a@b",
            "<ada>@example.com",
            "ada@example.com\r\nBcc: eve@example.com",
            "jörg@example.com",
            "ada@xn--a.com",
            "ada@x\u{202e}y.com",
            &long,
            &label,
        ] {
            assert_eq!(ascii(bad), None, "{bad:?}");
        }
        assert_eq!(key("Ada@xn--A.com"), "ada@xn--a.com", "what was taken before has the key that it had");
    }
}

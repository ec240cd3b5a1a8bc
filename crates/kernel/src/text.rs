//! Text that people write in whatever script, case and normal form.

use std::borrow::Cow;

use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizer, DecomposingNormalizer};

/// The text in normal form C (UAX #15): composed and decomposed letters become one spelling.
pub fn nfc(text: &str) -> Cow<'_, str> {
    ComposingNormalizer::new_nfc().normalize(text)
}

/// The form under which text is searched: two texts that differ only in case, normal form, or compatible spelling
/// (such as full-width letters) have the same. A blank at either end is no part of it.
///
/// It is the compatibility caseless match of the Unicode Standard (§3.13, D146), composed, with one letter i: who
/// types on a keyboard without the dotted capital or the dotless small one finds Turkish words all the same.
pub fn search_form(text: &str) -> String {
    let (fold, decompose) = (CaseMapper::new(), DecomposingNormalizer::new_nfkd());
    let mut form = decompose.normalize(text).into_owned();
    // Twice, for a decomposed letter may have a case, and a folded one a decomposition.
    for _ in 0..2 {
        form = decompose.normalize(&fold.fold_string(&form)).into_owned();
    }
    let mut one_i = String::with_capacity(form.len());
    // Trimmed here and not before, for the decomposition of some letters begins with a blank (such as U+FE72).
    for c in form.trim().chars() {
        match c {
            'ı' => one_i.push('i'),
            '\u{307}' if one_i.ends_with('i') => {}
            _ => one_i.push(c),
        }
    }
    ComposingNormalizer::new_nfkc().normalize(&one_i).into_owned()
}

/// True if the text is a single line that shows what it says: no control character, no line or paragraph separator,
/// and nothing that reorders the text around it (the embeddings, overrides and isolates of UAX #9, which make one
/// name look like another). The marks U+200E and U+200F reorder nothing but themselves, so they are let in.
pub fn is_single_line(text: &str) -> bool {
    let breaks_or_reorders = |c: char| {
        c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    !text.contains(breaks_or_reorders)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_found_in_any_case_and_normal_form() {
        for (name, query) in [
            ("Λάμπας", "ΛΆΜΠΑΣ"),
            ("ΟΔΟΣΑ", "οδος"),
            ("Straße", "STRASSE"),
            ("STRASSE", "straße"),
            ("İstanbul", "istanbul"),
            ("İstanbul", "ISTANBUL"),
            ("Diyarbakır", "DIYARBAKIR"),
            ("Cre\u{300}me bru\u{302}le\u{301}e", "CRÈME"),
            ("Crème fraîche", "cre\u{300}me"),
            ("ＬＡＰＴＯＰ", "laptop"),
            ("ﬁne", "FINE"),
            ("Ԁ", "ԁ"),
            ("Lamp", "  lamp\u{a0}"),
            ("حَرْفٌ", "ﹲ"),
        ] {
            assert!(search_form(name).contains(&search_form(query)), "{query} finds {name}");
        }
        assert!(!search_form("crème").contains(&search_form("creme")), "another letter is another letter");
    }

    #[test]
    fn a_line_has_nothing_that_breaks_or_reorders_it() {
        for good in ["Laptop 13\"", "Straße", "שלום", "a\u{200f}b", ""] {
            assert!(is_single_line(good), "{good:?}");
        }
        for bad in ["a\nb", "a\rb", "a\tb", "\0", "\u{85}", "a\u{2028}b", "a\u{202e}b", "a\u{2066}b", "\u{7f}"] {
            assert!(!is_single_line(bad), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn the_search_form_is_stable_and_the_same_for_both_normal_forms_and_cases(
            text in prop_oneof!["\\PC{0,12}", "[aiIıİ\u{307}\u{323}\u{64c}\u{fe72}\u{37a}\u{a0} ]{0,8}"],
        ) {
            let form = search_form(&text);
            prop_assert_eq!(&search_form(&form), &form, "it is its own form");
            prop_assert_eq!(&search_form(&nfc(&text)), &form);
            let decomposed = DecomposingNormalizer::new_nfd().normalize(&text).into_owned();
            prop_assert_eq!(&search_form(&decomposed), &form);
        }
    }
}

//! Passwords that are guessed first: words with something before or after them, walks over the keyboard, counting.
//!
//! Compiled by hand, in the binary, so that nothing is asked of anybody. A list this short stops the first few
//! thousand guesses, for a word stands for all its spellings; the limit on attempts stops the others.

/// True if the password is one of the first that anybody would try.
pub(super) fn is_common(password: &str) -> bool {
    let lower = password.to_lowercase();
    let is_one_character = lower.chars().all(|c| lower.starts_with(c));
    let word = lower.trim_matches(|c: char| !c.is_alphabetic());
    let plain: String = word.chars().map(letter).collect();
    is_one_character || EXACT.contains(&lower.as_str()) || is_word(word) || is_word(&plain)
}

/// A word, or the same word twice.
fn is_word(text: &str) -> bool {
    let (first, second) = text.split_at_checked(text.len() / 2).unwrap_or((text, ""));
    WORDS.contains(&text) || (first == second && WORDS.contains(&first))
}

/// The letter for which a sign often stands.
fn letter(sign: char) -> char {
    match sign {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    }
}

#[rustfmt::skip]
const WORDS: &[&str] = &[
    "aaaaaa", "abcabc", "abcdabcd", "abcdef", "abcdefg", "abcdefgh", "access", "admin", "adminadmin", "administrator",
    "alexander", "alexandra", "america", "american", "andrew", "android", "angel", "angels", "anthony", "anything",
    "apple", "april", "argentina", "arsenal", "asdasd", "asdfasdf", "asdfgh", "asdfghjk", "asdfghjkl", "asshole",
    "august", "australia", "autumn", "azerty", "azertyui", "babyboy", "babygirl", "bailey", "banana", "barcelona",
    "baseball", "basketball", "batman", "beatles", "benjamin", "berlin", "birthday", "bitch", "blink", "blossom",
    "blueberry", "boston", "brazil", "burger", "buster", "butterfly", "california", "canada", "changeme", "charles",
    "charlie", "cheese", "cheetah", "chelsea", "cherry", "chicago", "chocolate", "christine", "christmas", "coffee",
    "computer", "cookie", "cookies", "corvette", "cowboys", "cricket", "cupcake", "daddy", "dallas", "daniel",
    "database", "december", "default", "devil", "doggy", "dolphin", "dolphins", "dragon", "dragons", "eagles",
    "easter", "elizabeth", "eminem", "england", "everything", "facebook", "falcon", "family", "february", "ferrari",
    "florida", "flower", "flowers", "football", "forever", "fortnite", "france", "freedom", "friday", "friend",
    "friends", "fuckoff", "fuckyou", "gamer", "gaming", "geneva", "germany", "ginger", "golfer", "google", "guest",
    "guitar", "hacker", "halloween", "hamster", "harley", "heaven", "hiphop", "hockey", "holiday", "honda", "horses",
    "hottie", "houston", "hunter", "iloveu", "iloveyou", "instagram", "internet", "iphone", "ireland", "ironman",
    "january", "jennifer", "jessica", "jordan", "joshua", "july", "june", "juventus", "katherine", "kawasaki",
    "killer", "king", "kitten", "kitty", "knight", "lakers", "letmein", "linkedin", "linux", "lion", "lisbon",
    "liverpool", "login", "logmein", "london", "lovely", "loveme", "lover", "loveyou", "lucky", "madrid", "maggie",
    "magic", "manchester", "march", "master", "matrix", "matthew", "maverick", "mercedes", "metallica", "mexico",
    "michael", "michelle", "minecraft", "mommy", "monday", "money", "monkey", "monkeys", "moscow", "music", "mustang",
    "mypassword", "mystery", "network", "newpassword", "newyork", "nicholas", "ninja", "nintendo", "nirvana",
    "nothing", "november", "october", "oldpassword", "oliver", "orange", "packers", "panther", "paris", "password",
    "passwords", "passwort", "patrick", "penguin", "pepper", "phoenix", "pikachu", "pineapple", "pirate", "pizza",
    "playstation", "pokemon", "porsche", "prince", "princess", "puppy", "qazwsx", "qazwsxedc", "queen", "qweasd",
    "qweasdzxc", "qweqwe", "qwerty", "qwertyui", "qwertyuiop", "qwertz", "qwertzui", "rabbit", "racing", "rainbow",
    "ranger", "rangers", "realmadrid", "redsox", "richard", "robert", "rockstar", "rocky", "rockyou", "rootroot",
    "rugby", "runner", "samantha", "samsung", "samurai", "saturday", "scotland", "secret", "secrets", "security",
    "september", "server", "sexsex", "sexy", "shadow", "signin", "slipknot", "soccer", "softball", "soldier",
    "something", "sophie", "spiderman", "spring", "startrek", "starwars", "steelers", "stephanie", "strawberry",
    "success", "summer", "sunday", "sunshine", "superman", "superuser", "suzuki", "swimmer", "sydney", "system",
    "techno", "tennis", "tester", "texas", "thepassword", "thomas", "thursday", "tiger", "tigers", "together",
    "tokyo", "toyota", "trustno", "trustnoone", "tuesday", "turtle", "twitter", "ubuntu", "unicorn", "veronica",
    "victoria", "vienna", "vodka", "volleyball", "warrior", "wednesday", "welcome", "welcomes", "whatever", "whiskey",
    "william", "windows", "winter", "wizard", "wolverine", "xbox", "yamaha", "yankees", "yourpassword", "youtube",
    "zxcvbn", "zxcvbnm", "zxczxc",
];

/// Beside words.
#[rustfmt::skip]
const EXACT: &[&str] = &[
    "!qaz2wsx", "00000000", "000000000", "0000000000", "01012011", "01234567", "0123456789", "10203040", "1020304050",
    "11111111", "111111111", "1111111111", "11112222", "11223344", "1122334455", "12121212", "12312312", "123123123",
    "123321123", "12341234", "12344321", "123454321", "1234554321", "123456123", "123456654321", "12345678",
    "123456789", "1234567890", "1234567891", "1234567899", "1234abcd", "1234qwer", "13131313", "13579246", "14725836",
    "147258369", "147852369", "159357258", "159753456", "19871987", "19881988", "19891989", "19901990", "1a1a1a1a",
    "1a2b3c4d", "1q1q1q1q", "1q2w3e4r", "1q2w3e4r5t", "1q2w3e4r5t6y", "1qaz2wsx", "1qaz2wsx3edc", "1qazxsw2",
    "20002000", "22222222", "23232323", "31415926", "3141592653", "32103210", "33333333", "44444444", "45454545",
    "55555555", "56565656", "66666666", "66668888", "69696969", "74108520", "75395146", "77777777", "78787878",
    "78945612", "789456123", "87654321", "876543210", "88888888", "89898989", "98765432", "987654321", "9876543210",
    "99999999", "a12345678", "a123456789", "a1a1a1a1", "a1b2c3d4", "a1s2d3f4", "aa123456", "abc12345", "abc123456",
    "abcd1234", "asd12345", "asdf1234", "love1234", "ncc1701d", "p@ssw0rd", "pa55word", "pass1234", "pass12345",
    "passw0rd", "q12345678", "q1w2e3r4", "q1w2e3r4t5", "qaz123wsx", "qwe12345", "qwer1234", "trustno1", "w1w2w3w4",
    "x1x2x3x4", "zaq12wsx", "zaq1xsw2", "zaq1zaq1", "zxcv1234",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_common_however_it_is_spelt_and_whatever_is_added() {
        for common in [
            "Password",
            "P@ssw0rd!",
            "password123",
            "2024Summer!",
            "dragondragon",
            "aaaaaaaaaa",
            "1q2w3e4r",
            "Qwertyuiop1",
        ] {
            assert!(is_common(common), "{common}");
        }
        for rare in ["correct horse battery", "dragon-in-a-teapot", "pass me the butter", "ü8ß!kq2,", "summerdragon"]
        {
            assert!(!is_common(rare), "{rare}");
        }
    }
}

//! The admin token: from the settings, or made at the first start and shown once. Only its digest is kept.
//!
//! While clients change from one token to the next, both are good: the settings name the previous one, and the file has
//! a line for it.

use std::iter;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use kernel::Ids;
use service::http::auth::digest;

use super::folder::write_whole;

/// The file with the digest of a made token.
pub(super) const FILE: &str = "admin-token.sha256";

/// The token of now and the one before: no more are good at a time.
const DIGESTS_MAX: usize = 2;

/// The tokens that the settings name.
#[derive(Clone, Copy, Debug, Default)]
pub struct Configured<'a> {
    /// The one of now.
    pub token: Option<&'a str>,
    /// The one before, good beside it.
    pub previous: Option<&'a str>,
}

impl Configured<'_> {
    /// The digests of those that are set.
    pub fn digests(&self) -> Vec<[u8; 32]> {
        self.token.iter().chain(&self.previous).map(|token| digest(token.as_bytes())).collect()
    }
}

/// The tokens by which a caller is admin.
pub struct AdminToken {
    /// The digests of the tokens that are good: the one of now, then the previous one, if any.
    pub digests: Vec<[u8; 32]>,
    /// The token itself, if it was made just now.
    pub made: Option<String>,
}

/// The token of the settings, or the one of the folder, or a new one.
pub fn admin_token(folder: &Path, configured: &Configured<'_>, ids: &Ids) -> anyhow::Result<AdminToken> {
    if configured.token.is_some() {
        return Ok(AdminToken { digests: configured.digests(), made: None });
    }
    let file = file(folder);
    if file.exists() {
        let digests = read(&file)?.into_iter().chain(configured.digests()).collect();
        return Ok(AdminToken { digests, made: None });
    }
    let token = ids.secret().reveal();
    let digests = iter::once(digest(token.as_bytes())).chain(configured.digests()).collect();
    Ok(AdminToken { digests, made: Some(token) })
}

/// Makes another token for a shop that made its own: the one of now becomes the previous one, and a shop that runs
/// takes both from its next start on.
pub fn rotate(folder: &Path, ids: &Ids) -> anyhow::Result<String> {
    let now = kept(folder)?;
    let token = ids.secret().reveal();
    write(folder, &[digest(token.as_bytes()), now[0]])?;
    Ok(token)
}

/// Ends the previous token of a shop that made its own. True if there was one.
pub fn retire(folder: &Path) -> anyhow::Result<bool> {
    let now = kept(folder)?;
    write(folder, &now[..1])?;
    Ok(now.len() > 1)
}

fn kept(folder: &Path) -> anyhow::Result<Vec<[u8; 32]>> {
    let file = file(folder);
    ensure!(
        file.exists(),
        "{} is not there: this shop has made no token of its own yet; where `admin_token` is set, set another one, \
         and the one before as `admin_token_previous`",
        file.display()
    );
    read(&file)
}

/// At least one.
fn read(file: &Path) -> anyhow::Result<Vec<[u8; 32]>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} can't be read", file.display()))?;
    let digests: Option<Vec<[u8; 32]>> = text.split_whitespace().map(from_hex).collect();
    digests.filter(|digests| (1..=DIGESTS_MAX).contains(&digests.len())).with_context(|| {
        format!("{} holds no SHA-256: delete it, and the next start makes a new token", file.display())
    })
}

fn write(folder: &Path, digests: &[[u8; 32]]) -> anyhow::Result<()> {
    let lines: Vec<String> = digests.iter().map(|digest| to_hex(digest)).collect();
    write_whole(&file(folder), &lines.join("\n"))
}

/// Keeps a made token for the next starts. To be called once it was shown: a token that nobody saw must not stay.
pub fn keep(folder: &Path, token: &str) -> anyhow::Result<()> {
    write(folder, &[digest(token.as_bytes())])
}

fn file(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

fn to_hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from_digit(digit.into(), 16).expect("four bits are a hexadecimal digit")).collect()
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(16)).collect();
    let digits = digits?;
    let bytes = digits.chunks(2).map(|pair| u8::try_from(pair.iter().fold(0, |sum, digit| sum * 16 + digit)));
    bytes.collect::<Result<Vec<u8>, _>>().ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use kernel::Clock;

    use super::*;

    #[test]
    fn a_made_token_is_shown_once_and_kept_as_a_digest() {
        let folder = tempfile::tempdir().unwrap();
        let ids = Ids::new(Clock::system());
        let first = admin_token(folder.path(), &Configured::default(), &ids).unwrap();
        let unseen = admin_token(folder.path(), &Configured::default(), &ids).unwrap();
        assert_ne!(first.made, unseen.made, "what was not shown is not kept");
        keep(folder.path(), first.made.as_deref().unwrap()).unwrap();
        let again = admin_token(folder.path(), &Configured::default(), &ids).unwrap();
        let token = first.made.unwrap();
        assert_eq!(again.made, None);
        assert_eq!(again.digests, [digest(token.as_bytes())]);
        let kept = std::fs::read_to_string(folder.path().join("admin-token.sha256")).unwrap();
        assert!(!kept.contains(&token));
    }

    #[test]
    fn two_tokens_are_good_until_the_previous_one_is_retired() {
        let folder = tempfile::tempdir().unwrap();
        let ids = Ids::new(Clock::system());
        assert!(rotate(folder.path(), &ids).is_err(), "there is none yet");
        let digests = |configured: &Configured<'_>| admin_token(folder.path(), configured, &ids).unwrap().digests;
        let of = |token: &str| digest(token.as_bytes());
        keep(folder.path(), "first").unwrap();
        let second = rotate(folder.path(), &ids).unwrap();
        assert_eq!(digests(&Configured::default()), [of(&second), of("first")]);
        let third = rotate(folder.path(), &ids).unwrap();
        assert_eq!(digests(&Configured::default()), [of(&third), of(&second)]);
        assert!(retire(folder.path()).unwrap());
        assert!(!retire(folder.path()).unwrap());
        assert_eq!(digests(&Configured::default()), [of(&third)]);
        let set = Configured { token: Some("set"), previous: Some("before") };
        assert_eq!(digests(&set), [of("set"), of("before")]);
    }
}

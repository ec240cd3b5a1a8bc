//! The admin token: from the settings, or made at the first start and shown once. Only its digest is kept.

use std::path::{Path, PathBuf};

use anyhow::Context;
use kernel::Ids;
use service::http::auth::digest;

use super::folder::write_whole;

/// The file with the digest of a made token.
pub(super) const FILE: &str = "admin-token.sha256";

/// Who is let in as admin.
pub struct AdminToken {
    /// The token's digest.
    pub digest: [u8; 32],
    /// The token itself, if it was made just now.
    pub made: Option<String>,
}

/// The token of the settings, or the one of the folder, or a new one.
pub fn admin_token(folder: &Path, configured: Option<&str>, ids: &Ids) -> anyhow::Result<AdminToken> {
    if let Some(token) = configured {
        return Ok(AdminToken { digest: digest(token.as_bytes()), made: None });
    }
    let file = file(folder);
    if file.exists() {
        let text = std::fs::read_to_string(&file).with_context(|| format!("{} can't be read", file.display()))?;
        let digest = from_hex(text.trim()).with_context(|| {
            format!("{} holds no SHA-256: delete it, and the next start makes a new token", file.display())
        })?;
        return Ok(AdminToken { digest, made: None });
    }
    let token = ids.secret().reveal();
    Ok(AdminToken { digest: digest(token.as_bytes()), made: Some(token) })
}

/// Keeps a made token for the next starts. To be called once it was shown: a token that nobody saw must not stay.
pub fn keep(folder: &Path, token: &str) -> anyhow::Result<()> {
    write_whole(&file(folder), &to_hex(&digest(token.as_bytes())))
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
        let first = admin_token(folder.path(), None, &ids).unwrap();
        let unseen = admin_token(folder.path(), None, &ids).unwrap();
        assert_ne!(first.made, unseen.made, "what was not shown is not kept");
        keep(folder.path(), first.made.as_deref().unwrap()).unwrap();
        let again = admin_token(folder.path(), None, &ids).unwrap();
        let token = first.made.unwrap();
        assert_eq!(again.made, None);
        assert_eq!(again.digest, digest(token.as_bytes()));
        let kept = std::fs::read_to_string(folder.path().join("admin-token.sha256")).unwrap();
        assert!(!kept.contains(&token));
    }
}

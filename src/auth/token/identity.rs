//! Identity tokens, which `docker login` keeps instead of a password ([OAuth 2 refresh
//! tokens](https://www.rfc-editor.org/rfc/rfc6749#section-1.5)).
//!
//! A token is 32 random bytes without a meaning. Each token has a file, whose name is the token's hash. A fingerprint
//! in the file binds the token to the hash of the user's password, and computing it takes the token itself. So a reader
//! of the folder learns neither tokens nor passwords, and a token ends with its user, or with a change of the password.

use std::path::{Path, PathBuf};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    auth::secret::{Secret, keyed_fingerprint},
    files::{self, FileError},
};

/// A token that was not used for so long is not valid any more, in seconds.
const IDLE: u64 = 30 * 24 * 3600;
/// How exact the time of the last use is, in seconds: each change of it is a write.
const PRECISION: u64 = 3600;
/// How many tokens a user may have. A further one replaces the least recently used.
const MOST_OF_A_USER: usize = 32;
const PREFIX: &str = "wharf_";
/// How many characters of its hash name a token.
const ID_LEN: usize = 12;

/// The folder of identity tokens.
#[derive(Clone, Debug)]
pub struct IdentityTokens(PathBuf);

/// A token in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityToken {
    /// The beginning of its hash.
    pub id: String,
    /// The user that got it.
    pub user: String,
    /// The name of the program that requested it, as the program says.
    pub client_id: String,
    /// When it was issued, in seconds since 1970.
    pub created: u64,
    /// When it was last used, to the hour.
    pub used: u64,
}

/// Why an identity token is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityRefusal {
    /// It is unknown, revoked or unused for too long, or the user is gone or has another password.
    #[error("the identity token is not, or no longer, valid")]
    Dead,
    /// The folder can't be read.
    #[error(transparent)]
    Store(#[from] FileError),
}

#[derive(Serialize, Deserialize)]
struct Record {
    user: String,
    client_id: String,
    created: u64,
    used: u64,
    fingerprint: String,
}

impl IdentityTokens {
    /// The tokens of a folder, which is made with the first token.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self(folder.to_owned())
    }

    /// Issues a token to a user whose password has that hash now.
    pub(crate) fn issue(&self, user: &str, hash: &str, client_id: &str, now: u64) -> Result<String, FileError> {
        files::create_folder(&self.0)?;
        self.make_room(user, now)?;
        let token = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()));
        let client_id = client_id.chars().filter(|c| !c.is_control()).take(100).collect();
        let fingerprint = fingerprint(&token, user, hash);
        let record = Record { user: user.to_owned(), client_id, created: now, used: now, fingerprint };
        files::create(&self.file(&name(token.as_bytes())), &encode(&record))?;
        Ok(token)
    }

    /// The user that a token was issued to. `hash_of` returns the hash of a user's password now.
    pub(crate) fn redeem(
        &self,
        token: &Secret,
        hash_of: impl Fn(&str) -> Option<String>,
        now: u64,
    ) -> Result<String, IdentityRefusal> {
        let name = name(token.reveal());
        let mut record = self.read(&name)?.ok_or(IdentityRefusal::Dead)?;
        let holds = hash_of(&record.user).is_some_and(|hash| {
            let token = String::from_utf8_lossy(token.reveal());
            Secret::new(record.fingerprint.as_str()).same_as(fingerprint(&token, &record.user, &hash).as_bytes())
        });
        if !holds || record.used.saturating_add(IDLE) <= now {
            self.remove(&name)?;
            return Err(IdentityRefusal::Dead);
        }
        if record.used.saturating_add(PRECISION) <= now {
            record.used = now;
            // Another process may have revoked the token after it was read.
            if !files::replace_if_there(&self.file(&name), &encode(&record))? {
                return Err(IdentityRefusal::Dead);
            }
        }
        Ok(record.user)
    }

    /// All tokens that may still be valid, the last used first.
    ///
    /// # Errors
    /// [`FileError`]
    pub fn list(&self, now: u64) -> Result<Vec<IdentityToken>, FileError> {
        let mut tokens = Vec::new();
        for (name, record) in self.records()? {
            if record.used.saturating_add(IDLE) > now {
                let Record { user, client_id, created, used, .. } = record;
                tokens.push(IdentityToken { id: name[..ID_LEN].to_owned(), user, client_id, created, used });
            }
        }
        tokens.sort_by(|a, b| b.used.cmp(&a.used).then_with(|| a.id.cmp(&b.id)));
        Ok(tokens)
    }

    /// Revokes a token of a user by its id. Returns how many there were.
    pub(crate) fn revoke_own(&self, user: &str, id: &str) -> Result<usize, FileError> {
        self.remove_where(|name, record| record.user == user && name[..ID_LEN] == *id)
    }

    /// Revokes the tokens whose id begins with `id`, which has at least eight characters. Returns how many there were.
    ///
    /// # Errors
    /// [`FileError`]
    pub fn revoke(&self, id: &str) -> Result<usize, FileError> {
        self.remove_where(|name, _| id.len() >= 8 && name.starts_with(id))
    }

    /// Revokes all tokens of a user. Returns how many there were.
    ///
    /// # Errors
    /// [`FileError`]
    pub fn revoke_user(&self, user: &str) -> Result<usize, FileError> {
        self.remove_where(|_, record| record.user == user)
    }

    /// Removes tokens that are not valid any more, and the least recently used one if the user has as many as allowed.
    fn make_room(&self, user: &str, now: u64) -> Result<(), FileError> {
        self.remove_where(|_, record| record.used.saturating_add(IDLE) <= now)?;
        let mut own: Vec<_> = self.records()?.into_iter().filter(|(_, record)| record.user == user).collect();
        own.sort_by_key(|(_, record)| std::cmp::Reverse(record.used));
        own.iter().skip(MOST_OF_A_USER - 1).try_for_each(|(name, _)| self.remove(name))
    }

    fn remove_where(&self, is_meant: impl Fn(&str, &Record) -> bool) -> Result<usize, FileError> {
        let meant: Vec<_> = self.records()?.into_iter().filter(|(name, record)| is_meant(name, record)).collect();
        meant.iter().try_for_each(|(name, _)| self.remove(name))?;
        Ok(meant.len())
    }

    fn records(&self) -> Result<Vec<(String, Record)>, FileError> {
        let mut records = Vec::new();
        for file in files::names(&self.0)? {
            let name = file.strip_suffix(".json").filter(|name| name.len() == 64);
            let Some(name) = name.filter(|name| name.bytes().all(|byte| byte.is_ascii_hexdigit())) else { continue };
            if let Some(record) = self.read(name)? {
                records.push((name.to_owned(), record));
            }
        }
        Ok(records)
    }

    /// A damaged file is no token. A file that can't be read is an error, so that a bad disk logs nobody out.
    fn read(&self, name: &str) -> Result<Option<Record>, FileError> {
        let json = files::read_if_there(&self.file(name))?;
        Ok(json.and_then(|json| serde_json::from_slice(&json).ok()))
    }

    fn remove(&self, name: &str) -> Result<(), FileError> {
        files::remove(&self.file(name))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.json"))
    }
}

fn name(token: &[u8]) -> String {
    hex::encode(Sha256::digest(token))
}

fn fingerprint(token: &str, user: &str, hash: &str) -> String {
    keyed_fingerprint(token.as_bytes(), &[user.as_bytes(), hash.as_bytes()])
}

fn encode(record: &Record) -> Vec<u8> {
    serde_json::to_vec(record).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't set up fails")]

    use std::fs;

    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn store() -> (tempfile::TempDir, IdentityTokens) {
        let folder = tempfile::tempdir().unwrap();
        let tokens = IdentityTokens::new(&folder.path().join("identity"));
        (folder, tokens)
    }

    fn redeem(tokens: &IdentityTokens, token: &str, hash: Option<&str>, now: u64) -> Option<String> {
        let hash_of = |user: &str| (user == "alice").then(|| hash.map(ToOwned::to_owned)).flatten();
        match tokens.redeem(&Secret::new(token), hash_of, now) {
            Ok(user) => Some(user),
            Err(IdentityRefusal::Dead) => None,
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn a_token_can_be_used_again_and_again() {
        let (_folder, tokens) = store();
        let token = tokens.issue("alice", "hash", "docker", NOW).unwrap();
        for now in [NOW, NOW + 1, NOW + IDLE - 1, NOW + 2 * IDLE - 2] {
            assert_eq!(redeem(&tokens, &token, Some("hash"), now).as_deref(), Some("alice"), "{now}");
        }
        assert_eq!(redeem(&tokens, &token, Some("hash"), NOW + 3 * IDLE), None);
        assert_eq!(redeem(&tokens, &token, Some("hash"), NOW), None);
    }

    #[test]
    fn it_dies_with_the_user_and_with_the_password() {
        let (_folder, tokens) = store();
        for gone in [None, Some("another hash")] {
            let token = tokens.issue("alice", "hash", "docker", NOW).unwrap();
            assert_eq!(redeem(&tokens, &token, gone, NOW), None);
            assert_eq!(redeem(&tokens, &token, Some("hash"), NOW), None);
        }
    }

    #[test]
    fn nothing_on_disk_is_a_token_or_tells_of_a_password() {
        let (folder, tokens) = store();
        let token = tokens.issue("alice", "{SHA}secret-hash", "dock\ner", NOW).unwrap();
        let path = fs::read_dir(folder.path().join("identity")).unwrap().next().unwrap().unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains(&token) && !text.contains(&token[PREFIX.len()..]) && !text.contains("secret"), "{text}");
        let stem = path.file_stem().unwrap().to_str().unwrap();
        assert_eq!(redeem(&tokens, stem, Some("{SHA}secret-hash"), NOW), None);
        for other in ["", "../../etc/passwd", PREFIX, &token[..token.len() - 1], &format!("{token} ")] {
            assert_eq!(redeem(&tokens, other, Some("{SHA}secret-hash"), NOW), None);
        }
    }

    #[test]
    fn they_are_listed_revoked_and_capped() {
        let (_folder, tokens) = store();
        assert_eq!(tokens.list(NOW).unwrap(), []);
        let first = tokens.issue("alice", "hash", "docker", NOW).unwrap();
        tokens.issue("bob", "hash", "crane", NOW + 1).unwrap();
        let listed = tokens.list(NOW + 2).unwrap();
        assert_eq!(listed.iter().map(|token| token.user.as_str()).collect::<Vec<_>>(), ["bob", "alice"]);
        assert_eq!((listed[0].client_id.as_str(), listed[0].created), ("crane", NOW + 1));
        assert_eq!(tokens.revoke("").unwrap(), 0);
        assert_eq!(tokens.revoke(&listed[1].id).unwrap(), 1);
        assert_eq!(redeem(&tokens, &first, Some("hash"), NOW), None);
        for number in 0..40 {
            tokens.issue("alice", "hash", "docker", NOW + 10 + number).unwrap();
        }
        assert_eq!(tokens.list(NOW + 60).unwrap().iter().filter(|token| token.user == "alice").count(), MOST_OF_A_USER);
        assert_eq!(tokens.revoke_user("alice").unwrap(), MOST_OF_A_USER);
        assert_eq!(tokens.list(NOW + 60).unwrap().len(), 1);
    }

    #[test]
    fn c13_a_folder_that_can_not_be_read_is_no_dead_token() {
        let (folder, tokens) = store();
        let token = tokens.issue("alice", "hash", "docker", NOW).unwrap();
        let path = fs::read_dir(folder.path().join("identity")).unwrap().next().unwrap().unwrap().path();
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let refusal = tokens.redeem(&Secret::new(token), |_| Some("hash".to_owned()), NOW).unwrap_err();
        assert!(matches!(refusal, IdentityRefusal::Store(_)));
    }
}

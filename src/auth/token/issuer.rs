//! Our own issuer of tokens.

use std::{path::Path, sync::Arc, time::Duration};

use super::{
    claims::{AccessEntry, Audience, Claims},
    key_folder::KeyFolder,
    key_ring::KeyRing,
    keys::KeySet,
};
use crate::{
    auth::{
        AuthError,
        settings::{BuiltinSettings, KeySource},
    },
    files::{
        FileError,
        watch::{self, Content, Watched},
    },
};

/// The longest value of `Authorization` that a client of ours has to send, in bytes: what proxies take without being told to take more.
const MAX_ISSUED_LEN: usize = 8 * 1024;

/// What a token may live, in seconds.
const LIFETIME: std::ops::RangeInclusive<u64> = 60..=3600;

/// Signs tokens.
pub(crate) struct Issuer {
    keys: Keys,
    name: String,
    service: String,
    lifetime: u64,
}

enum Keys {
    File(Watched<KeyRing>),
    Folder(KeyFolder),
}

/// Why there is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotIssued {
    /// It would be longer than what a registry reads.
    TooLong,
    /// The key did not sign.
    Failed,
}

impl Issuer {
    /// Reads all that [`open`](Self::open) reads, and makes nothing. A folder of keys that is not there yet is made at the start.
    pub(crate) fn check(settings: &BuiltinSettings) -> Result<(), AuthError> {
        check_lifetime(settings)?;
        match &settings.key {
            KeySource::File(path) => open_file(path).map(drop)?,
            KeySource::Folder(path) if path.exists() => KeyFolder::check(path)?,
            KeySource::Folder(_) => {}
        }
        Ok(())
    }

    pub(crate) fn open(settings: &BuiltinSettings, now: u64) -> Result<Self, AuthError> {
        let lifetime = check_lifetime(settings)?;
        let keys = match &settings.key {
            KeySource::File(path) => Keys::File(open_file(path)?),
            KeySource::Folder(path) => Keys::Folder(KeyFolder::open(path, now)?),
        };
        Ok(Self { keys, name: settings.issuer.clone(), service: settings.service.clone(), lifetime })
    }

    /// The public keys and the number of their version.
    pub(crate) fn trusted(&self) -> (u64, Arc<KeySet>) {
        match &self.keys {
            Keys::File(file) => {
                let version = file.current();
                (version.generation, Arc::clone(&version.value.trusted))
            }
            Keys::Folder(folder) => {
                let version = folder.current();
                (version.0, Arc::clone(&version.1.trusted))
            }
        }
    }

    /// A signed token.
    pub(crate) fn issue(&self, user: Option<&str>, access: Vec<AccessEntry>, now: u64) -> Result<String, NotIssued> {
        let claims = Claims {
            iss: self.name.clone(),
            sub: user.unwrap_or_default().to_owned(),
            aud: Audience::One(self.service.clone()),
            exp: now + self.lifetime,
            nbf: Some(now),
            iat: Some(now),
            jti: uuid::Uuid::new_v4().simple().to_string(),
            access,
        };
        let token = match &self.keys {
            Keys::File(file) => file.current().value.signer.sign(&claims),
            Keys::Folder(folder) => folder.current().1.signer.sign(&claims),
        };
        let token = token.map_err(|_| NotIssued::Failed)?;
        if token.len() + "Bearer ".len() > MAX_ISSUED_LEN { Err(NotIssued::TooLong) } else { Ok(token) }
    }

    /// What it is called in its tokens.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn lifetime(&self) -> Duration {
        Duration::from_secs(self.lifetime)
    }

    /// Reads the keys again, changed or not.
    pub(crate) fn reload(&self, now: u64) -> Result<(), FileError> {
        match &self.keys {
            Keys::File(file) => {
                file.reload();
                Ok(())
            }
            Keys::Folder(folder) => folder.poll(now),
        }
    }

    /// Takes in changed keys, and changes them when it is time.
    pub(crate) fn poll(&self, now: u64) -> Result<(), FileError> {
        match &self.keys {
            Keys::File(file) => {
                file.poll();
                Ok(())
            }
            Keys::Folder(folder) => folder.poll(now),
        }
    }
}

/// For how many seconds tokens hold.
fn check_lifetime(settings: &BuiltinSettings) -> Result<u64, AuthError> {
    let lifetime = settings.lifetime.as_secs();
    if LIFETIME.contains(&lifetime) {
        return Ok(lifetime);
    }
    let problem = format!("a token may live from {} to {} seconds", LIFETIME.start(), LIFETIME.end());
    Err(AuthError::Setting { setting: "auth.token.expiration", problem })
}

fn open_file(path: &Path) -> Result<Watched<KeyRing>, FileError> {
    if watch::is_readable_by_others(path) {
        tracing::warn!("{}: others than its owner can read the private key: chmod 600 it", path.display());
    }
    Watched::open(path, Content::Secret, KeyRing::from_file)
}

//! Issues tokens.

use std::{path::PathBuf, sync::Arc, time::Duration};

use super::{
    claims::{AccessEntry, Audience, Claims},
    key_folder,
    key_ring::{self, KeyRing},
    keys::KeySet,
    response::TokenError,
};
use crate::{
    auth::{
        AuthError,
        settings::{BuiltinSettings, KeySource},
    },
    files::{Poll, Watched},
};

/// The longest `Authorization` value that a client gets to send, in bytes. Proxies accept it by default.
const MAX_ISSUED_LEN: usize = 8 * 1024;

/// How long a token may be valid, in seconds.
const LIFETIME: std::ops::RangeInclusive<u64> = 60..=3600;

/// Signs tokens.
pub(crate) struct Issuer {
    keys: Watched<KeyRing>,
    /// The folder of the keys, if wharf makes them.
    folder: Option<PathBuf>,
    name: String,
    service: String,
    lifetime: u64,
}

impl Issuer {
    /// Reads all that [`open`](Self::open) reads, and makes nothing. A folder without keys is good, because the start
    /// makes one.
    pub(crate) fn check(settings: &BuiltinSettings) -> Result<(), AuthError> {
        check_lifetime(settings)?;
        if !key_ring::files(&settings.key)?.is_empty() {
            KeyRing::open(&settings.key)?;
        }
        Ok(())
    }

    pub(crate) fn open(settings: &BuiltinSettings, now: u64) -> Result<Self, AuthError> {
        let lifetime = check_lifetime(settings)?;
        let folder = match &settings.key {
            KeySource::File(_) => None,
            KeySource::Folder(path) => Some(path.clone()),
        };
        if let Some(folder) = &folder {
            key_folder::refresh(folder, now)?;
        }
        let keys = KeyRing::open(&settings.key)?;
        Ok(Self { keys, folder, name: settings.issuer.clone(), service: settings.service.clone(), lifetime })
    }

    /// The public keys and the number of their version.
    pub(crate) fn trusted(&self) -> (u64, Arc<KeySet>) {
        let version = self.keys.current();
        (version.generation, Arc::clone(&version.value.trusted))
    }

    /// A signed token.
    pub(crate) fn issue(&self, user: Option<&str>, access: Vec<AccessEntry>, now: u64) -> Result<String, TokenError> {
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
        let token = self.keys.current().value.signer.sign(&claims).map_err(|_| TokenError::Unavailable)?;
        if token.len() + "Bearer ".len() > MAX_ISSUED_LEN { Err(TokenError::TooManyScopes) } else { Ok(token) }
    }

    /// The name of the issuer in its tokens.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn lifetime(&self) -> Duration {
        Duration::from_secs(self.lifetime)
    }

    /// Reads the keys again, changed or not.
    pub(crate) fn reload(&self, now: u64) {
        self.refresh(now);
        self.keys.reload();
    }

    /// Reads keys that have changed, and replaces them when it is time.
    pub(crate) fn poll(&self, now: u64) -> Poll {
        self.refresh(now);
        self.keys.poll()
    }

    fn refresh(&self, now: u64) {
        let Some(folder) = &self.folder else { return };
        match key_folder::refresh(folder, now).and_then(|()| key_folder::list(folder)) {
            Ok(files) => self.keys.set_files(files),
            Err(error) => self.keys.complain(&error),
        }
    }
}

/// For how many seconds tokens are valid.
fn check_lifetime(settings: &BuiltinSettings) -> Result<u64, AuthError> {
    let lifetime = settings.lifetime.as_secs();
    if LIFETIME.contains(&lifetime) {
        return Ok(lifetime);
    }
    let problem = format!("a token may be valid for {} to {} seconds", LIFETIME.start(), LIFETIME.end());
    Err(AuthError::Setting { setting: "auth.token.expiration", problem })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't set up fails")]

    use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

    use super::*;
    use crate::auth::{
        realm::Realm,
        token::{
            key_folder::{OVERLAP, ROTATION, rotate_keys},
            signing::SigningKey,
        },
    };

    const NOW: u64 = 1_800_000_000;

    fn settings(folder: &Path) -> BuiltinSettings {
        BuiltinSettings {
            realm: Realm::Fixed("https://r/token".to_owned()),
            service: "r".to_owned(),
            issuer: "r".to_owned(),
            users: "users".into(),
            key: KeySource::Folder(folder.to_owned()),
            lifetime: Duration::from_secs(300),
            identity_tokens: None,
        }
    }

    fn open(folder: &Path, now: u64) -> Issuer {
        Issuer::open(&settings(folder), now).unwrap()
    }

    /// Polls as the server does, until the files are at rest.
    fn settle(issuer: &Issuer, now: u64) {
        while issuer.poll(now) == Poll::Changing {}
    }

    fn file(folder: &Path, time: u64) -> PathBuf {
        folder.join(format!("{time}.pem"))
    }

    fn signer(issuer: &Issuer) -> String {
        issuer.keys.current().value.signer.public().thumbprint().to_owned()
    }

    fn trusts(issuer: &Issuer, id: &str) -> bool {
        issuer.trusted().1.get(id).is_some()
    }

    #[test]
    fn b16_the_first_start_makes_a_key_of_its_own_which_only_its_owner_may_read() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = one.path().join("wharf/token-keys");
        Issuer::check(&settings(&path)).unwrap();
        assert!(!path.exists());
        let issuer = open(&path, NOW);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&file(&path, NOW))), (0o700, 0o600));
        let again = open(&path, NOW + 10);
        assert_eq!(signer(&issuer), signer(&again));
        let second = open(other.path(), NOW);
        assert!(!trusts(&second, &signer(&issuer)));
    }

    #[test]
    fn keys_change_with_an_overlap() {
        let path = tempfile::tempdir().unwrap();
        let issuer = open(path.path(), NOW);
        let old = signer(&issuer);
        settle(&issuer, NOW + ROTATION - 1);
        assert_eq!((signer(&issuer), issuer.trusted().0), (old.clone(), 0));
        let changed = NOW + ROTATION;
        settle(&issuer, changed);
        let new = signer(&issuer);
        assert_ne!(new, old);
        assert!(trusts(&issuer, &old) && trusts(&issuer, &new));
        settle(&issuer, changed + OVERLAP - 1);
        assert!(trusts(&issuer, &old));
        settle(&issuer, changed + OVERLAP);
        assert!(!trusts(&issuer, &old) && trusts(&issuer, &new));
        let files: Vec<_> = key_folder::list(path.path()).unwrap().into_iter().map(|(path, _)| path).collect();
        assert_eq!(files, [file(path.path(), changed)]);
    }

    #[test]
    fn a_key_that_another_process_made_is_taken_in() {
        let path = tempfile::tempdir().unwrap();
        let issuer = open(path.path(), NOW);
        let old = signer(&issuer);
        rotate_keys(path.path(), NOW + 5).unwrap();
        rotate_keys(path.path(), NOW + 5).unwrap();
        settle(&issuer, NOW + 6);
        assert!(signer(&issuer) != old && trusts(&issuer, &old));
        assert_eq!(issuer.trusted().0, 1);
    }

    #[test]
    fn a_damaged_or_open_key_is_named_and_the_last_good_ones_stay() {
        let path = tempfile::tempdir().unwrap();
        let issuer = open(path.path(), NOW);
        let bad = file(path.path(), NOW + 1);
        let error = || Issuer::check(&settings(path.path())).unwrap_err().to_string();
        fs::write(&bad, "nonsense").unwrap();
        assert!(error().contains("1800000001.pem") && error().contains("no private key"), "{}", error());
        settle(&issuer, NOW + 2);
        assert_eq!(issuer.trusted().0, 0);
        fs::write(&bad, SigningKey::generate().unwrap()).unwrap();
        fs::set_permissions(&bad, fs::Permissions::from_mode(0o606)).unwrap();
        assert!(error().contains("chmod"), "{}", error());
        settle(&issuer, NOW + 2);
        assert_eq!(issuer.trusted().0, 0);
    }
}

//! Token mode with an issuer elsewhere, whose public keys were given.

use std::{io, path::Path, sync::Arc};

use jsonwebtoken::Algorithm;

use super::{
    Refusal,
    error::AuthError,
    principal::Principal,
    realm::Realm,
    settings::ExternalSettings,
    token::{ALGORITHMS, Accepted, AcceptedTokens, Expected, KeySet, Verifier},
};
use crate::files::{
    FileFault,
    watch::{Content, Poll, Watched},
};

/// The mode.
pub(super) struct External {
    pub(super) realm: Realm,
    pub(super) service: String,
    expected: Expected,
    algorithms: Arc<[Algorithm]>,
    keys: Vec<Watched<KeySet>>,
    accepted: AcceptedTokens,
}

impl External {
    pub(super) fn open(settings: &ExternalSettings) -> Result<Self, AuthError> {
        let bundle = settings.root_cert_bundle.as_deref().map(|path| Watched::open(path, Content::Public, read_bundle));
        let jwks = settings.jwks.as_deref().map(|path| Watched::open(path, Content::Public, read_jwks));
        let keys = bundle.into_iter().chain(jwks).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            let problem = "an issuer elsewhere needs its certificates here, or its keys in auth.token.jwks".to_owned();
            return Err(AuthError::Setting { setting: "auth.token.rootcertbundle", problem });
        }
        Ok(Self {
            realm: Realm::choose(Some(&settings.realm), None, "", 0, false, false)?,
            service: settings.service.clone(),
            expected: Expected {
                issuer: settings.issuer.clone(),
                service: settings.service.clone(),
                not_before: false,
            },
            algorithms: algorithms(&settings.signing_algorithms)?,
            keys,
            accepted: AcceptedTokens::new(),
        })
    }

    /// What a token lets its holder do.
    pub(super) fn authenticate(&self, token: &str, now: u64) -> Result<Principal, Refusal> {
        let generation = self.keys.iter().map(|keys| keys.current().generation).sum();
        let accepted = self.accepted.find(generation, token, now, || self.verifier().verify(token, now));
        let Accepted { user, grants, .. } = accepted.map_err(|_| Refusal::InvalidToken)?;
        Ok(Principal::bearer(user, grants, None))
    }

    pub(super) fn verifier(&self) -> Verifier {
        Verifier {
            trusted: self.keys.iter().map(|keys| Arc::clone(&keys.current().value)).collect(),
            algorithms: Arc::clone(&self.algorithms),
            expected: self.expected.clone(),
            typed: false,
        }
    }

    pub(super) fn reload(&self) {
        for keys in &self.keys {
            keys.reload();
        }
    }

    /// Looks at every file; whether one of them is just changing.
    pub(super) fn poll(&self) -> Poll {
        let polls: Vec<Poll> = self.keys.iter().map(Watched::poll).collect();
        if polls.contains(&Poll::Changing) { Poll::Changing } else { Poll::Same }
    }
}

fn algorithms(names: &[String]) -> Result<Arc<[Algorithm]>, AuthError> {
    if names.is_empty() {
        return Ok(ALGORITHMS.map(|(_, algorithm)| algorithm).into());
    }
    let algorithm = |name: &String| {
        let known = ALGORITHMS.into_iter().find(|(known, _)| known == name).map(|(_, algorithm)| algorithm);
        known.ok_or_else(|| {
            let known = ALGORITHMS.map(|(name, _)| name).join(", ");
            AuthError::Setting {
                setting: "auth.token.signingalgorithms",
                problem: format!("'{name}' is none of {known}"),
            }
        })
    };
    names.iter().map(algorithm).collect()
}

fn read_bundle(path: &Path, content: Option<&[u8]>) -> Result<KeySet, FileFault> {
    let content = content.ok_or(FileFault::Unreadable(io::ErrorKind::NotFound))?;
    KeySet::from_bundle(content).map(|keys| warn_of_skipped(path, keys)).map_err(FileFault::Content)
}

fn read_jwks(path: &Path, content: Option<&[u8]>) -> Result<KeySet, FileFault> {
    let content = content.ok_or(FileFault::Unreadable(io::ErrorKind::NotFound))?;
    KeySet::from_jwks(content).map(|keys| warn_of_skipped(path, keys)).map_err(FileFault::Content)
}

fn warn_of_skipped(path: &Path, keys: KeySet) -> KeySet {
    for skipped in keys.skipped() {
        tracing::warn!("{}: {skipped}; tokens that are signed with it are refused", path.display());
    }
    keys
}

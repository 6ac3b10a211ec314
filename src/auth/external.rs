//! Token mode with an external issuer, whose public keys are in files.

use std::{path::Path, sync::Arc};

use jsonwebtoken::Algorithm;

use super::{
    Refusal,
    error::AuthError,
    principal::Principal,
    realm::Realm,
    settings::ExternalSettings,
    token::{ALGORITHMS, AcceptedTokens, Expected, KeySet, Verifier, algorithm},
};
use crate::files::{Content, FileError, Poll, Watched};

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
        let bundle = settings.root_cert_bundle.as_deref().map(|path| watch(path, KeySet::from_bundle));
        let jwks = settings.jwks.as_deref().map(|path| watch(path, KeySet::from_jwks));
        let keys = bundle.into_iter().chain(jwks).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            let problem = "an external issuer needs its certificates here, or its keys in auth.token.jwks".to_owned();
            return Err(AuthError::Setting { setting: "auth.token.rootcertbundle", problem });
        }
        Ok(Self {
            realm: Realm::fixed(&settings.realm)?,
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

    /// The holder of a token.
    pub(super) fn authenticate(&self, token: &str, now: u64) -> Result<Principal, Refusal> {
        let generation = self.keys.iter().map(|keys| keys.current().generation).sum();
        self.accepted.principal(generation, token, None, now, || self.verifier().verify(token, now))
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

    pub(super) fn poll(&self) -> Poll {
        self.keys.iter().map(Watched::poll).max().unwrap_or(Poll::Same)
    }
}

fn algorithms(names: &[String]) -> Result<Arc<[Algorithm]>, AuthError> {
    if names.is_empty() {
        return Ok(ALGORITHMS.into());
    }
    let algorithm = |name: &String| {
        algorithm(name).ok_or_else(|| AuthError::Setting {
            setting: "auth.token.signingalgorithms",
            problem: format!("'{name}' is none of {ALGORITHMS:?}"),
        })
    };
    names.iter().map(algorithm).collect()
}

fn watch(path: &Path, parse: fn(&[u8]) -> Result<KeySet, String>) -> Result<Watched<KeySet>, FileError> {
    Watched::open(vec![(path.to_owned(), Content::Public)], move |files| {
        let file = &files[0];
        let keys = parse(file.bytes()?).map_err(|problem| file.error(&problem))?;
        for skipped in keys.skipped() {
            tracing::warn!("{}: {skipped}; tokens that are signed with it are refused", file.path().display());
        }
        Ok(keys)
    })
}

//! The one table of settings, and how a key is found in it.

use super::nearest::nearest;
use super::{Setting, access, auth, http, limits, log, peers, storage, validation};

/// Every setting, section by section, in the order in which the documentation shows them.
pub fn settings() -> impl Iterator<Item = &'static Setting> {
    const SECTIONS: [&[Setting]; 8] = [
        http::SETTINGS,
        storage::SETTINGS,
        auth::SETTINGS,
        access::SETTINGS,
        log::SETTINGS,
        limits::SETTINGS,
        validation::SETTINGS,
        peers::SETTINGS,
    ];
    SECTIONS.into_iter().flatten()
}

/// The setting of a key.
pub(super) fn find(key: &str) -> Option<&'static Setting> {
    settings().find(|setting| setting.key == key)
}

/// Every table that leads to a setting: `http`, `http.tls`.
pub(super) fn tables() -> impl Iterator<Item = &'static str> {
    settings().flat_map(|setting| setting.key.match_indices('.').map(|(dot, _)| &setting.key[..dot]))
}

/// Whether settings stand below this key.
pub(super) fn is_table(key: &str) -> bool {
    settings().any(|setting| setting.key.strip_prefix(key).is_some_and(|rest| rest.starts_with('.')))
}

/// The key that was probably meant by one that does not exist: of the same name in another table, or spelt nearly so.
pub(super) fn nearest_key(key: &str) -> Option<String> {
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_lowercase();
    let same_name = |candidate: &&str| candidate.contains('.') && last(candidate) == last(key);
    let keys = || settings().map(|setting| setting.key).chain(tables());
    // The table that was written narrows it down: `storage.rootdirectory` is not meant to be in another one.
    let table = key.split('.').next().unwrap_or_default();
    let near_by = keys().filter(same_name).find(|candidate| candidate.starts_with(table));
    near_by.or_else(|| nearest(key, keys())).or_else(|| keys().find(same_name)).map(str::to_owned)
}

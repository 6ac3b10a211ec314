//! From the settings to the parts of a server.

use std::collections::BTreeMap;

use super::StartError;
use crate::{
    api,
    config::{self, Config, Store},
    registry::{Expiry, Missing, Registry, Rules},
    storage::{Durability, Storage},
};

/// Opens the store, and begins what runs in its background.
pub(super) async fn registry(config: &Config) -> Result<Registry, StartError> {
    let durability = match config.storage.durability {
        config::Durability::Full => Durability::Full,
        config::Durability::None => Durability::None,
    };
    let storage = match &config.storage.store {
        Store::Filesystem { root } => Storage::filesystem(root, durability).await?,
        Store::Memory => Storage::memory(),
    };
    Ok(Registry::new(storage, rules(config)))
}

/// What the operator decides about the way the registry is served.
pub(super) fn settings(config: &Config) -> api::Settings {
    let host = config.http.host.as_ref().filter(|_| !config.http.relative_urls);
    api::Settings {
        prefix: config.http.prefix.clone(),
        location_base: host.map_or_else(String::new, |host| host.as_str().trim_end_matches('/').to_owned()),
        headers: config.http.headers.iter().cloned().collect::<BTreeMap<_, _>>(),
        catalog_max: config.limits.catalog_entries,
        tags_max: config.limits.tags,
        unauthorized_message: config.auth.message.clone(),
        unauthorized_content_type: config.auth.content_type.clone(),
        read_only: config.storage.read_only,
        access_log: config.log.access_log,
        tls: config.http.tls.is_some(),
        body_idle: config.limits.body_idle,
        uploads: config.limits.uploads,
        uploads_per_client: config.limits.uploads_per_client,
        min_free: config.storage.min_free,
    }
}

fn rules(config: &Config) -> Rules {
    let expiry = match &config.storage.upload_purging {
        Some(purging) => {
            Expiry { enabled: true, age: purging.age, interval: purging.interval, dry_run: purging.dry_run }
        }
        None => Expiry { enabled: false, ..Expiry::default() },
    };
    let missing = match config.validation.missing {
        config::Missing::Refuse => Missing::Refuse,
        config::Missing::Allow => Missing::Allow,
    };
    Rules { delete: config.storage.delete, missing, upload_limit: config.limits.upload_bytes, expiry }
}

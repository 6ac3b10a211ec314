//! Finds the errors of a start without starting: all files are read, and nothing is written, bound or kept.

use super::{StartError, authentication, components, health_checks, listen, notifications, tls, upstreams};
use crate::{
    config::{Config, Store},
    storage::{BucketAccess, Storage},
};

/// Finds the first error that [`start`](super::start) would report with these settings, by the same functions and in
/// the same order. Returns remarks on settings that are right. Warnings go to the log, as those of a start do.
///
/// Only a start can find out that an address is taken, that this user may not use a port, and that a store can't be
/// locked or written.
///
/// # Errors
/// [`StartError`], as a start reports it.
pub fn check(config: &Config) -> Result<Vec<String>, StartError> {
    let addresses = listen::check(&config.http.listen)?;
    if let Some(debug) = &config.http.debug {
        listen::check_debug(&debug.addresses)?;
    }
    health_checks::open(config)?;
    let tls = config.http.tls.clone().map(tls::open).transpose()?;
    if let Store::Filesystem { root } = &config.storage.store {
        Storage::check_filesystem(root)?;
    }
    notifications::notifier(config, &addresses)?;
    upstreams::mirror(config)?;
    let users = authentication::check(config, &addresses)?;
    Ok(tls.map(|tls| tls.current().value.end.clone()).into_iter().chain(users).collect())
}

/// Tries the bucket that the settings name; returns what it can do, if they name one.
///
/// # Errors
/// [`StartError::Store`]: it does not answer, or is read-only.
pub fn try_store(config: &Config) -> Result<Option<String>, StartError> {
    let Store::S3(settings) = &config.storage.store else { return Ok(None) };
    let mut opened = Ok(());
    components::run_to_end(Box::pin(async {
        opened = Storage::s3((**settings).clone(), BucketAccess::Try).await.map(drop);
    }))
    .map_err(StartError::Thread)?;
    opened?;
    Ok(Some(format!("{settings} answers, takes writes, and decides races")))
}

//! Finds the errors of a start without starting: all files are read, and nothing is written, bound or kept.

use super::{StartError, authentication, health_checks, listen, notifications, tls, upstreams};
use crate::{
    config::{Config, Store},
    storage::Storage,
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

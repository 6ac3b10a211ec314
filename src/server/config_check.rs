//! What a start would meet, without one: everything is read and put together, and nothing is written, bound or kept.

use super::{StartError, authentication, health_checks, listen, notifications, tls};
use crate::{
    config::{Config, Store},
    storage::Storage,
};

/// Meets what [`start`](super::start) would meet with these settings, by the same functions and in the same order; says
/// what is worth saying of what is right. Warnings go to the log, as those of a start do.
///
/// Three things only a start can find out: that an address is taken (by a server that runs with these very settings, as
/// a rule), that a port is not for this user, and that a store can be locked and written.
///
/// # Errors
/// [`StartError`], in the words of a start.
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
    let users = authentication::check(config, &addresses)?;
    Ok(tls.map(|tls| tls.current().value.end.clone()).into_iter().chain(users).collect())
}

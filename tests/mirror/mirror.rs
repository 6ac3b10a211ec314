//! wharf as a mirror of a hub.

use std::{path::Path, time::Instant};

use crate::{
    hub::Hub,
    support::server::{Launch, Program, Server},
};

/// wharf, with its store in `root`, that fills all repositories from `hub`. A tag is fresh for a minute.
pub(crate) fn launch(hub: &Hub, root: &Path) -> Launch {
    Launch::new(Program::Wharf, root).set("REGISTRY_PROXY_REMOTEURL", &hub.url())
}

pub(crate) fn start(hub: &Hub, root: &Path) -> Server {
    launch(hub, root).start()
}

/// wharf for which no tag is fresh.
pub(crate) fn asking(hub: &Hub, root: &Path) -> Server {
    launch(hub, root).set("REGISTRY_PROXY_FRESH", "0s").start()
}

/// How long something takes, in milliseconds, and what it gives.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (u128, T) {
    let begin = Instant::now();
    let done = work();
    (begin.elapsed().as_millis(), done)
}

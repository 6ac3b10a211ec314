//! From the settings to the parts of a server.

use std::{collections::BTreeMap, io, sync::Arc};

use futures_util::future::LocalBoxFuture;
use url::Url;

use super::{StartError, control_socket::Request, upstreams};
use crate::{
    api,
    auth::{Authenticator, Sessions},
    config::{Config, RetentionSettings, Store},
    http::{self, LocationBase},
    mirror::Mirror,
    notify::{self, Notifier},
    ops::Metrics,
    registry::{Extensions, Gc, Registry, Retention, Rules, Verify},
    storage::{BucketAccess, Storage, StorageError},
    web::Web,
};

/// Opens the store, and begins what runs in its background.
pub(super) async fn registry(
    config: &Config,
    metrics: Option<&Arc<Metrics>>,
    notifier: Option<&Arc<Notifier>>,
    mirror: Option<&Arc<Mirror>>,
) -> Result<Registry, StartError> {
    let (mut storage, rules) = (storage(config, BucketAccess::Serve).await?, rules(config));
    Registry::at_rest(storage.clone(), rules, Extensions::default()).mark_unexplained().await?;
    let mut extensions = extensions(config, mirror);
    if let Some(metrics) = metrics {
        storage = storage.observed_by(metrics.clone());
        extensions.listeners.push(metrics.clone());
    }
    extensions.listeners.extend(mirror.map(|mirror| mirror.clone() as _));
    let retention = extensions.retention.clone().filter(|retention| retention.needs_pulls());
    extensions.listeners.extend(retention.map(|retention| retention as _));
    extensions.listeners.extend(notifier.map(|notifier| notifier.clone() as _));
    let registry = Registry::extended(storage, rules, extensions);
    match notifier {
        Some(notifier) => notifier.start(&registry).await?,
        None => notify::remove_all(&registry).await?,
    }
    Ok(registry)
}

/// The counters, if metrics are served.
pub(super) fn metrics(config: &Config) -> Option<Arc<Metrics>> {
    let path = config.http.debug.as_ref().and_then(|debug| debug.metrics.as_ref());
    path.map(|_| Arc::default())
}

/// Opens the store for the work that is asked for, while no server has it. A bucket may be served while it is only
/// looked at.
///
/// # Errors
/// In words for the operator.
pub(crate) async fn at_rest(config: &Config, request: &Request) -> Result<Registry, StartError> {
    let mirror = upstreams::mirror(config)?;
    Ok(Registry::at_rest(storage(config, access(request)).await?, rules(config), extensions(config, mirror.as_ref())))
}

fn access(request: &Request) -> BucketAccess {
    let changes = match request {
        Request::Collect(collection) => !collection.dry_run,
        Request::Fsck(inspection) => inspection.repair || inspection.write_referrers_tags,
        Request::Retain(run) => !run.dry_run,
        Request::Fetch { .. } | Request::Events(_) => true,
    };
    if changes { BucketAccess::Alone } else { BucketAccess::Read }
}

/// Runs work that is no server's on a runtime of its own. It is boxed, so that the code of a runtime is there once.
///
/// # Errors
/// The system gives no threads.
pub(crate) fn run_to_end(work: LocalBoxFuture<'_, ()>) -> io::Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work);
    Ok(())
}

/// The parts of a registry that have no listener yet.
fn extensions(config: &Config, mirror: Option<&Arc<Mirror>>) -> Extensions {
    let RetentionSettings { rules, interval, ceiling } = config.retention.clone();
    let interval = interval.filter(|_| !config.storage.read_only);
    let retention = (!rules.is_empty()).then(|| Arc::new(Retention::new(rules, interval, ceiling)));
    Extensions { upstream: mirror.map(|mirror| mirror.clone() as _), retention, ..Extensions::default() }
}

async fn storage(config: &Config, access: BucketAccess) -> Result<Storage, StorageError> {
    match &config.storage.store {
        Store::Filesystem { root } => Storage::filesystem(root, config.storage.durability).await,
        Store::Memory => Ok(Storage::memory_within(config.storage.memory_limit)),
        Store::S3(settings) => Storage::s3((**settings).clone(), access).await,
    }
}

/// The settings of the way that requests are served.
pub(super) fn http(config: &Config) -> http::Settings {
    let host = named_host(config);
    let location_base = match (host, config.http.relative_urls) {
        (Some(host), _) => LocationBase::Origin(host.origin().ascii_serialization()),
        (None, Some(false)) => LocationBase::Request,
        (None, _) => LocationBase::Path,
    };
    http::Settings {
        location_base,
        path_base: path_base(config),
        headers: config.http.headers.iter().cloned().collect::<BTreeMap<_, _>>(),
        read_only: config.storage.read_only,
        proxies: config.http.trusted_proxies.clone(),
        tls: config.http.tls.is_some(),
        head: http::HeadLimits {
            target: config.limits.target_bytes,
            bytes: config.limits.head_bytes,
            fields: config.limits.head_fields,
        },
        body_idle: config.limits.body_idle,
        body_rate: http::Rate { bytes: config.limits.body_rate, window: config.limits.body_window },
        uploads: config.limits.uploads,
        uploads_per_client: config.limits.uploads_per_client,
        min_free: config.storage.min_free,
    }
}

/// The settings of the API.
pub(super) fn api(config: &Config) -> api::Settings {
    api::Settings {
        prefix: config.http.prefix.clone(),
        catalog_max: config.limits.catalog_entries,
        tags_max: config.limits.tags,
        unauthorized_message: config.auth.message.clone(),
        unauthorized_content_type: config.auth.content_type.clone(),
    }
}

/// The page.
pub(super) fn page(config: &Config, registry: &Registry, authenticator: &Arc<Authenticator>) -> Web {
    let sessions = Sessions::new(Arc::clone(authenticator));
    Web::new(config.http.prefix.clone(), path_base(config), registry.clone(), sessions)
}

/// The beginning of the paths of all links: the path that a proxy removes, then the prefix of all paths.
pub(super) fn path_base(config: &Config) -> String {
    let outer_path = named_host(config).map_or("", |host| host.path().trim_end_matches('/'));
    format!("{outer_path}{}", config.http.prefix)
}

/// The URL that links begin with, if the operator named one and they are not to be relative.
pub(super) fn named_host(config: &Config) -> Option<&Url> {
    config.http.host.as_ref().filter(|_| config.http.relative_urls != Some(true))
}

/// The settings of the rules.
fn rules(config: &Config) -> Rules {
    let verify = if config.storage.verify_reads { Verify::Whole } else { Verify::Nothing };
    let gc = config.storage.gc;
    // Here and for retention: a registry that takes nothing new is one that shall stay as it is, unless it is asked.
    let interval = gc.interval.filter(|_| !config.storage.read_only);
    Rules {
        delete: config.storage.delete,
        missing: config.validation.missing,
        sizes: config.validation.sizes,
        upload_limit: config.limits.upload_bytes,
        unfinished_limit: config.limits.unfinished_uploads,
        upload_expiry: config.storage.upload_purging,
        gc: Gc { interval, ..gc },
        verify,
    }
}

//! From the settings to the upstreams, and their counters among the metrics.

use std::{
    sync::{Arc, Mutex, atomic::Ordering::Relaxed},
    time::Duration,
};

use super::{
    StartError,
    client_files::{read, trust},
};
use crate::{
    client::{ClientCertificate, Options},
    config::{Config, UpstreamCredentials, UpstreamSettings},
    files::Content,
    mirror::{Counters, Credentials, Mirror, Place, Requests, Settings},
    ops::{Kind, MetricSource, Text},
};

/// How long an upstream may take to accept a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// How long the next bytes of a body may take. A fetch goes on after that with another request.
const READ: Duration = Duration::from_secs(20);

/// The upstreams; `None` if the settings name none.
///
/// # Errors
/// [`StartError::Upstream`]: a file can't be read.
pub(crate) fn mirror(config: &Config) -> Result<Option<Arc<Mirror>>, StartError> {
    let upstreams = &config.upstreams;
    if upstreams.all.is_empty() {
        return Ok(None);
    }
    let failed = |upstream: &UpstreamSettings, problem: String| StartError::Upstream {
        upstream: upstream.url.host_str().unwrap_or_default().to_owned(),
        problem,
    };
    let settings = upstreams.all.iter().map(|upstream| {
        settings(upstream, config.storage.min_free).map_err(|problem| failed(upstream, problem.to_string()))
    });
    let settings = settings.collect::<Result<_, _>>()?;
    let host = config.http.host.as_ref().and_then(|host| {
        let name = host.host_str()?;
        Some(host.port().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}")))
    });
    let own = upstreams.local_namespaces.iter().cloned().chain(host).collect();
    let mirror = Mirror::new(settings, own).map_err(|error| failed(&upstreams.all[0], error.to_string()))?;
    Ok(Some(mirror))
}

fn settings(upstream: &UpstreamSettings, min_free: u64) -> Result<Settings, Box<dyn std::error::Error>> {
    let trust = trust(upstream.ca.as_ref())?;
    let certificate = match &upstream.certificate {
        Some((chain, key)) => {
            Some(ClientCertificate::from_pem(&read(chain, Content::Public)?, &read(key, Content::Credentials)?)?)
        }
        None => None,
    };
    let credentials = match upstream.credentials.clone() {
        UpstreamCredentials::None => Credentials::None,
        UpstreamCredentials::Password(username, password) => Credentials::Password { username, password: password.0 },
        UpstreamCredentials::File(username, path) => {
            // It is read at each use, and has to be there now.
            read(&path, Content::Credentials)?;
            Credentials::File { username, path }
        }
        UpstreamCredentials::Program(command, lifetime) => {
            Credentials::Program { command, lifetime, last: Mutex::default() }
        }
    };
    Ok(Settings {
        place: upstream.prefix.clone().map_or(Place::Root, Place::Below),
        url: upstream.url.clone(),
        namespaces: upstream.namespaces.clone(),
        repositories: upstream.repositories.clone(),
        credentials,
        realm: upstream.realm.clone(),
        fresh: upstream.fresh,
        ttl: upstream.ttl,
        max_bytes: upstream.max_bytes,
        anonymous: upstream.anonymous,
        is_offline: upstream.is_offline,
        min_free,
        client: Options { trust, certificate, connect_timeout: CONNECT, read_timeout: READ, ..Options::default() },
    })
}

/// A family of metrics, with a series for each upstream that has a value: name, kind, help, value.
type Family = (&'static str, Kind, &'static str, fn(&Counters) -> Option<u64>);

/// The families of registry:3, and wharf's own.
impl MetricSource for Mirror {
    fn write(&self, text: &mut Text) {
        write_proxy(text, |count| {
            let sum = |kind: fn(&Counters) -> &Requests| self.counters().map(|(_, all)| count(kind(all))).sum();
            [sum(|counters| &counters.blobs), sum(|counters| &counters.manifests)]
        });
        let families: [Family; 6] = [
            (
                "wharf_upstream_stale_total",
                Kind::Counter,
                "Manifests that were served from the store because the upstream did not answer.",
                |counters| Some(counters.stale.load(Relaxed)),
            ),
            (
                "wharf_upstream_shared_total",
                Kind::Counter,
                "Requests for blobs that followed a fetch that was under way.",
                |counters| Some(counters.shared.load(Relaxed)),
            ),
            (
                "wharf_upstream_limit_remaining",
                Kind::Gauge,
                "What is left of the upstream's limit, as it said last.",
                |counters| counters.limit_left.get(),
            ),
            (
                "wharf_upstream_relayed_total",
                Kind::Counter,
                "Blobs that went to one client without being stored, because there was no room.",
                |counters| Some(counters.relayed.load(Relaxed)),
            ),
            (
                "wharf_upstream_stored_bytes",
                Kind::Gauge,
                "Bytes that are stored of the upstream, if there is a bound to them.",
                |counters| counters.stored.get(),
            ),
            (
                "wharf_upstream_evicted_bytes_total",
                Kind::Counter,
                "Bytes that were evicted because of the bound, or because the store was full.",
                |counters| Some(counters.evicted.load(Relaxed)),
            ),
        ];
        for (name, kind, help, value) in families {
            text.family(name, kind, help);
            for (host, counters) in self.counters() {
                if let Some(value) = value(counters) {
                    text.series(name, &[("upstream", host)], value);
                }
            }
        }
        let name = "wharf_upstream_up";
        text.family(name, Kind::Gauge, "Whether the upstream is asked: 0 for a while after it failed.");
        for (host, is_up) in self.states() {
            text.series(name, &[("upstream", host)], u64::from(is_up));
        }
    }
}

/// Families of registry:3 about what this server does not do: they are there, and zero.
#[derive(Debug)]
pub(super) struct NoProxy;

impl MetricSource for NoProxy {
    fn write(&self, text: &mut Text) {
        write_proxy(text, |_| [0, 0]);
    }
}

/// One of the counts of requests.
type Count = fn(&Requests) -> u64;

/// Writes registry:3's families, with the counts of blobs and of manifests.
fn write_proxy(text: &mut Text, counts: impl Fn(Count) -> [u64; 2]) {
    let families: [(_, _, Count); 5] = [
        ("registry_proxy_requests_total", "The number of total incoming proxy request received", Requests::requests),
        ("registry_proxy_hits_total", "The number of total proxy request hits", Requests::hits),
        ("registry_proxy_misses_total", "The number of total proxy request misses", Requests::misses),
        (
            "registry_proxy_pulled_bytes_total",
            "The size of total bytes pulled from the upstream",
            Requests::fetched_bytes,
        ),
        ("registry_proxy_pushed_bytes_total", "The size of total bytes pushed to the client", Requests::sent_bytes),
    ];
    for (name, help, count) in families {
        text.family(name, Kind::Counter, help);
        for (kind, count) in ["blob", "manifest"].into_iter().zip(counts(count)) {
            text.series(name, &[("type", kind)], count);
        }
    }
}

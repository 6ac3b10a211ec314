//! From the settings to what sends notifications, and its counters among the metrics.

use std::{net::SocketAddr, sync::Arc};

use rustix::system::uname;
use url::Url;
use uuid::Uuid;

use super::{
    StartError,
    client_files::{read, trust},
    components,
};
use crate::{
    client::{Client, HeaderMap, Options, header},
    config::{Config, EventEndpoint, EventSecret, EventsForm},
    files::Content,
    notify::{Endpoint, EnvelopeVersion, Ignore, Notifier, Settings, Signature},
    ops::{Kind, MetricSource, Text},
};

/// What sends notifications; `None` if the settings name no endpoint. `addresses` are those that are listened on.
///
/// # Errors
/// [`StartError::Notifications`]: a file can't be read.
pub(super) fn notifier(config: &Config, addresses: &[SocketAddr]) -> Result<Option<Arc<Notifier>>, StartError> {
    let notifications = &config.notifications;
    if notifications.endpoints.is_empty() {
        return Ok(None);
    }
    let endpoints = notifications.endpoints.iter().map(|endpoint| {
        self::endpoint(endpoint).map_err(|problem| StartError::Notifications {
            endpoint: endpoint.name.clone(),
            problem: problem.to_string(),
        })
    });
    let endpoints = endpoints.collect::<Result<_, _>>()?;
    let address = own_address(addresses);
    let scheme = if config.http.tls.is_some() { "https" } else { "http" };
    let host = components::named_host(config).map(|host: &Url| host.origin().ascii_serialization());
    Ok(Some(Notifier::new(Settings {
        endpoints,
        include_references: notifications.include_references,
        origin: host.unwrap_or_else(|| format!("{scheme}://{address}")),
        path_base: components::path_base(config),
        address,
        instance: Uuid::new_v4().to_string(),
        max_bytes: notifications.outbox_bytes,
        max_age: notifications.outbox_age,
    })))
}

fn endpoint(settings: &EventEndpoint) -> Result<Endpoint, Box<dyn std::error::Error>> {
    let trust = trust(settings.ca.as_ref())?;
    let options =
        Options { trust, connect_timeout: settings.timeout, read_timeout: settings.timeout, ..Options::default() };
    let mut headers = HeaderMap::new();
    for (name, values) in &settings.headers {
        for value in values {
            let mut value = header::HeaderValue::from_str(&value.0)?;
            value.set_sensitive(true);
            headers.append(header::HeaderName::from_bytes(name.as_bytes())?, value);
        }
    }
    let signature = match &settings.secret {
        Some(EventSecret::Value(secret)) => Some(Signature::new(secret.0.as_bytes())),
        Some(EventSecret::File(path)) => {
            let content = read(path, Content::Credentials)?;
            let secret = content.trim_ascii_end();
            if secret.is_empty() {
                return Err(format!("{}: the secret is empty", path.display()).into());
            }
            Some(Signature::new(secret))
        }
        None => None,
    };
    Ok(Endpoint {
        name: settings.name.clone(),
        url: settings.url.clone(),
        headers,
        client: Client::new(&options)?,
        timeout: settings.timeout,
        threshold: settings.threshold,
        backoff: settings.backoff,
        version: match settings.events {
            EventsForm::V1 => EnvelopeVersion::V1,
            EventsForm::V2 => EnvelopeVersion::V2,
        },
        signature,
        ignore: Ignore { media_types: settings.ignored_media_types.clone(), actions: settings.ignored_actions.clone() },
    })
}

/// This machine's name and the port, as registry:2 names itself.
fn own_address(addresses: &[SocketAddr]) -> String {
    let name = uname().nodename().to_string_lossy().into_owned();
    match addresses.first() {
        Some(address) => format!("{name}:{}", address.port()),
        None => name,
    }
}

impl MetricSource for Notifier {
    fn write(&self, text: &mut Text) {
        let counts = self.counts();
        let name = "registry_notifications_events_total";
        text.family(name, Kind::Counter, "The number of total events");
        for count in &counts {
            let kinds = [
                ("Events", count.events),
                ("Successes", count.successes),
                ("Failures", count.failures),
                ("Errors", count.errors),
            ];
            for (kind, number) in kinds {
                text.series(name, &[("endpoint", &count.endpoint), ("type", kind)], number);
            }
        }
        let name = "registry_notifications_pending_total";
        text.family(name, Kind::Gauge, "The gauge of pending events in queue");
        for count in &counts {
            text.series(name, &[("endpoint", &count.endpoint)], count.pending);
        }
        let name = "registry_notifications_status_total";
        text.family(name, Kind::Counter, "The number of status code");
        for count in &counts {
            for (status, number) in &count.statuses {
                text.series(name, &[("code", status), ("endpoint", &count.endpoint)], number);
            }
        }
        let name = "wharf_notifications_lost_total";
        text.family(name, Kind::Counter, "Notifications that were given up, so that the endpoint never gets them.");
        for count in &counts {
            text.series(name, &[("endpoint", &count.endpoint)], count.lost);
        }
    }
}

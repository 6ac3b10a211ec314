//! `[notifications]`: the endpoints that events are sent to, as in registry:2.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::http::header_problem;
use super::node::Value;
use super::table_entry::{TableEntry, entries};
use super::values::{Values, flag, texts};
use super::{Kind, Setting, Source, duration};

/// The endpoints that events are sent to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notifications {
    /// `notifications.endpoints`, without those that are disabled. Each has another name.
    pub endpoints: Vec<EventEndpoint>,
    /// `notifications.events.includereferences`: whether events of manifests name what the manifests refer to.
    pub include_references: bool,
    /// `notifications.outbox.maxbytes`.
    pub outbox_bytes: u64,
    /// `notifications.outbox.maxage`.
    pub outbox_age: Duration,
}

/// An endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventEndpoint {
    /// Its name; without one, the host of the URL.
    pub name: String,
    /// Where events are sent.
    pub url: Url,
    /// Headers of each request, in this order.
    pub headers: Vec<(String, Vec<Hidden>)>,
    /// How long a request may take.
    pub timeout: Duration,
    /// How many attempts may fail before the next ones wait.
    pub threshold: u32,
    /// How long the first of those waits.
    pub backoff: Duration,
    /// Events whose target has one of these media types are not sent.
    pub ignored_media_types: Vec<String>,
    /// Events with one of these actions are not sent.
    pub ignored_actions: Vec<String>,
    /// The form of events.
    pub events: EventsForm,
    /// The key that signs the requests.
    pub secret: Option<EventSecret>,
    /// A file with more authorities that may sign the endpoint's certificate.
    pub ca: Option<PathBuf>,
}

/// The form of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventsForm {
    /// registry:2's, `application/vnd.docker.distribution.events.v1+json`.
    #[default]
    V1,
    /// registry:3's, `application/vnd.docker.distribution.events.v2+json`.
    V2,
}

/// The key that signs requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventSecret {
    /// It stands in the settings.
    Value(Hidden),
    /// It stands in a file; line ends at its end do not count.
    File(PathBuf),
}

/// A text that is not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(pub String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(…)")
    }
}

const ENDPOINTS: &str = "notifications.endpoints";

pub(super) const SETTINGS: &[Setting] = &[
    Setting::new(
        ENDPOINTS,
        Kind::Rules,
        "",
        "Where events are sent: `url`, `name`, `headers`, `timeout` (1s), `threshold` (10), `backoff` (1s), \
         `ignoredmediatypes`, `ignore.mediatypes`, `ignore.actions`, `disabled`; `events` (`v1` as registry:2, `v2` as \
         registry:3), `secret` or `secretfile` (signs each request), `ca` (a file with more authorities). \
         See [notifications](notifications.md).",
    ),
    Setting::new(
        "notifications.events.includereferences",
        Kind::Flag,
        "false",
        "Events of manifests name what the manifests refer to.",
    ),
    Setting::new(
        "notifications.outbox.maxbytes",
        Kind::Size,
        "64MiB",
        "How many bytes of events may wait, each at least 4 KiB; the oldest are given up then, and the log says so.",
    ),
    Setting::new(
        "notifications.outbox.maxage",
        Kind::Duration,
        "168h",
        "How long an event may wait; it is given up then.",
    ),
];

const FIELDS: &[&str] = &[
    "name",
    "url",
    "headers",
    "timeout",
    "threshold",
    "backoff",
    "ignoredmediatypes",
    "ignore",
    "disabled",
    "events",
    "secret",
    "secretfile",
    "ca",
];

const DEFAULT_TIME: Duration = Duration::from_secs(1);

const DEFAULT_THRESHOLD: u32 = 10;

pub(super) fn read(values: &mut Values) -> Notifications {
    let mut endpoints: Vec<EventEndpoint> = Vec::new();
    for (endpoint, place) in entries(values, ENDPOINTS, endpoint) {
        if endpoints.iter().any(|other| other.name == endpoint.name) {
            let problem = format!("two endpoints are called `{}`; give each a name of its own", endpoint.name);
            values.bad::<()>("notifications.endpoints.name", place, problem);
        } else {
            endpoints.push(endpoint);
        }
    }
    let outbox_age = values.duration("notifications.outbox.maxage");
    if outbox_age.is_zero() {
        values.refuse::<()>("notifications.outbox.maxage", "it must be longer than 0");
    }
    Notifications {
        endpoints,
        include_references: values.flag("notifications.events.includereferences"),
        outbox_bytes: values.size("notifications.outbox.maxbytes"),
        outbox_age,
    }
}

/// An endpoint and its place; `None` if it is wrong, or disabled: then nothing else in it is read, as in registry:2.
fn endpoint(mut entry: TableEntry<'_>) -> Option<(EventEndpoint, Source)> {
    let place = entry.place.clone();
    if entry.take("disabled", flag).unwrap_or_default() {
        return None;
    }
    let url = entry.must("url", url);
    let name = entry.take("name", |text| Ok(text.to_owned()));
    let (ignored_media_types, ignored_actions) = ignored(&mut entry);
    let endpoint = url.map(|url| EventEndpoint {
        name: name.unwrap_or_else(|| url.host_str().unwrap_or_default().to_owned()),
        url,
        headers: headers(&mut entry),
        timeout: time(&mut entry, "timeout"),
        threshold: Some(entry.count("threshold", 0)).filter(|count| *count > 0).unwrap_or(DEFAULT_THRESHOLD),
        backoff: time(&mut entry, "backoff"),
        ignored_media_types,
        ignored_actions,
        events: entry.take("events", form).unwrap_or_default(),
        secret: secret(&mut entry),
        ca: entry.take("ca", |text| Ok(PathBuf::from(text))),
    });
    if endpoint.is_some() {
        entry.end(FIELDS);
    }
    Some((endpoint?, place))
}

/// The text may hold a password, so it is not repeated.
fn url(text: &str) -> Result<Url, String> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        _ => Err("this is not a URL; write it whole, like https://hooks.example.com/registry".to_owned()),
    }
}

fn form(text: &str) -> Result<EventsForm, String> {
    match text {
        "v1" => Ok(EventsForm::V1),
        "v2" => Ok(EventsForm::V2),
        _ => Err(format!("`{text}` is neither v1 nor v2")),
    }
}

/// As registry:2, which takes 0 for its default.
fn time(entry: &mut TableEntry<'_>, name: &str) -> Duration {
    entry.take(name, duration::parse).filter(|time| !time.is_zero()).unwrap_or(DEFAULT_TIME)
}

fn headers(entry: &mut TableEntry<'_>) -> Vec<(String, Vec<Hidden>)> {
    let headers = entry.lists("headers");
    for (name, texts) in &headers {
        if let Some(problem) = header_problem(name, texts) {
            entry.bad::<()>(&format!("headers.{name}"), entry.place.clone(), problem);
        }
    }
    headers.into_iter().map(|(name, texts)| (name, texts.into_iter().map(Hidden).collect())).collect()
}

/// The media types and the actions of events that are not sent.
fn ignored(entry: &mut TableEntry<'_>) -> (Vec<String>, Vec<String>) {
    let (mut media_types, mut actions) = (entry.list("ignoredmediatypes"), Vec::new());
    let Some(node) = entry.node("ignore") else { return (media_types, actions) };
    let Value::Table(fields) = node.value else {
        let problem = format!("a table was expected, not {}", node.kind());
        return entry.bad("ignore", node.source.clone(), problem);
    };
    for (name, node) in fields {
        let list = texts(&node).unwrap_or_else(|problem| entry.bad("ignore", node.source.clone(), problem));
        match name.as_str() {
            "mediatypes" => media_types.extend(list),
            "actions" => actions.extend(list),
            _ => entry.bad("ignore", node.source, format!("`{name}` is neither mediatypes nor actions")),
        }
    }
    (media_types, actions)
}

fn secret(entry: &mut TableEntry<'_>) -> Option<EventSecret> {
    let value = entry.take("secret", |text| Ok(EventSecret::Value(Hidden(text.to_owned()))));
    let file = entry.take("secretfile", |text| Ok(EventSecret::File(PathBuf::from(text))));
    if value.is_some() && file.is_some() {
        entry.bad::<()>("secretfile", entry.place.clone(), "secret is set, too; leave one of them out");
    }
    value.or(file)
}

#[cfg(test)]
mod tests;

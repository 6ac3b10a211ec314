//! `[proxy]`, as in registry:2 and registry:3, and `[[upstream]]`: the registries that repositories are filled from.

use std::{path::PathBuf, time::Duration};

use url::Url;

use super::{
    Hidden, Kind, Mode, Notice, Setting, Source, duration,
    node::{Node, Value},
    size,
    table_entry::{TableEntry, entries},
    values::{Values, flag},
};
use crate::{
    oci::{Glob, RepositoryName},
    registry::Anonymous,
};

/// The registries that repositories are filled from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Upstreams {
    /// One that fills all repositories that no other fills, first, if there is one; then those of `[[upstream]]`.
    pub all: Vec<UpstreamSettings>,
    /// `proxy.local_namespaces`: the values of `ns` that mean this registry, beside the host of `http.host`.
    pub local_namespaces: Vec<String>,
}

/// A registry that repositories are filled from.
#[derive(Clone, Debug, PartialEq)]
pub struct UpstreamSettings {
    /// The repositories below this name are filled; `None`: all that no other upstream fills.
    pub prefix: Option<RepositoryName>,
    /// Where it is.
    pub url: Url,
    /// The values of `ns` that mean it.
    pub namespaces: Vec<String>,
    /// Which of its repositories may be fetched; empty: all.
    pub repositories: Vec<Glob>,
    /// The credentials.
    pub credentials: UpstreamCredentials,
    /// The host that may be sent the credentials to issue tokens.
    pub realm: Option<String>,
    /// For how long a tag is not asked for again.
    pub fresh: Duration,
    /// For how long a manifest stays that nobody pulls; `None`: for ever.
    pub ttl: Option<Duration>,
    /// How many bytes are stored of it at most; `None`: as many as the store takes.
    pub max_bytes: Option<u64>,
    /// What clients without a login get.
    pub anonymous: Anonymous,
    /// Whether it is never asked.
    pub is_offline: bool,
    /// A file with more authorities that may sign its certificate.
    pub ca: Option<PathBuf>,
    /// The files of the certificate that is shown to it, and of its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

/// The credentials for an upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum UpstreamCredentials {
    /// There are none.
    #[default]
    None,
    /// A name and a password.
    Password(String, Hidden),
    /// A name, and a file with the password.
    File(String, PathBuf),
    /// A program in the manner of docker's credential helpers, and for how long its answer is used.
    Program(PathBuf, Option<Duration>),
}

const UPSTREAM: &str = "upstream";

const FRESH: &str = "60s";

pub(super) const SETTINGS: &[Setting] = &[
    Setting::new(
        "proxy.remoteurl",
        Kind::Url,
        "",
        "The registry that all repositories are filled from: `https://registry-1.docker.io`. Nothing can be pushed then, \
         except to repositories that no upstream fills. See [pull-through](pull-through.md).",
    ),
    Setting::new(
        "proxy.username",
        Kind::Text,
        "",
        "The name at that registry. Everybody who may pull reads what it may read.",
    ),
    Setting::new("proxy.password", Kind::Text, "", "The password at that registry, or an access token.").secret(),
    Setting::new(
        "proxy.exec.command",
        Kind::Path,
        "",
        "A program that gives the name and the password, as docker's credential helpers do.",
    ),
    Setting::new("proxy.exec.lifetime", Kind::Duration, "0s", "For how long its answer is used; 0: for ever."),
    Setting::new(
        "proxy.ttl",
        Kind::Duration,
        "168h",
        "A manifest that nobody pulled for so long is removed from the store; 0: never.",
    ),
    Setting::new(
        "proxy.max_bytes",
        Kind::Size,
        "0",
        "So many bytes of that registry are stored at most: the longest unused is removed first; 0 for no bound.",
    ),
    Setting::new(
        "proxy.namespaces",
        Kind::List,
        "",
        "The values of `ns` that mean that registry; its host if there are none. A mirror of Docker Hub needs `docker.io`.",
    ),
    Setting::new("proxy.fresh", Kind::Duration, FRESH, "For so long a tag is not asked for again."),
    Setting::new(
        "proxy.realm",
        Kind::Text,
        "",
        "The host that issues that registry's tokens and may be sent the password, if it is another host \
         (`auth.docker.io` is known).",
    ),
    Setting::new("proxy.ca", Kind::Path, "", "A file with more authorities that may sign that registry's certificate."),
    Setting::new("proxy.offline", Kind::Flag, "false", "That registry is never asked: what is stored is served."),
    Setting::new(
        UPSTREAM,
        Kind::Rules,
        "",
        "More registries that repositories are filled from: `prefix` (repositories below it), `url`, `namespaces` (values of \
         `ns`), `repositories` (patterns), `username` with `password` or `passwordfile`, or `exec`; `realm`, `fresh` (60s), \
         `ttl` (168h), `max_bytes`, `public`, `fetch` (`all` or `users`), `offline`, `ca`, `certificate`, `key`. \
         See [pull-through](pull-through.md).",
    ),
    Setting::new(
        "proxy.local_namespaces",
        Kind::List,
        "",
        "The values of `ns` that mean this registry, beside the host of `http.host`.",
    ),
];

const FIELDS: &[&str] = &[
    "prefix",
    "url",
    "namespaces",
    "repositories",
    "username",
    "password",
    "passwordfile",
    "exec",
    "realm",
    "fresh",
    "ttl",
    "max_bytes",
    "public",
    "fetch",
    "offline",
    "ca",
    "certificate",
    "key",
];

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn read(values: &mut Values, mode: &Mode) -> Upstreams {
    let mut all: Vec<UpstreamSettings> = root(values, mode).into_iter().collect();
    for (upstream, place) in entries(values, UPSTREAM, |entry| self::upstream(entry, mode)) {
        let is_same = |other: &&UpstreamSettings| other.prefix == upstream.prefix;
        if let Some(prefix) = all.iter().find(is_same).and_then(|other| other.prefix.as_ref()) {
            let problem = format!("two upstreams have the prefix `{prefix}`; give each its own");
            values.bad::<()>("upstream.prefix", place, problem);
        } else {
            all.push(upstream);
        }
    }
    Upstreams { all, local_namespaces: values.list("proxy.local_namespaces") }
}

/// The upstream of `[proxy]`.
fn root(values: &mut Values, mode: &Mode) -> Option<UpstreamSettings> {
    let (username, password) = (values.text("proxy.username"), values.text("proxy.password"));
    let (command, lifetime) = (values.path("proxy.exec.command"), values.duration("proxy.exec.lifetime"));
    let (ttl, fresh, realm) =
        (values.duration("proxy.ttl"), values.duration("proxy.fresh"), values.text("proxy.realm"));
    let (ca, is_offline) = (values.path("proxy.ca"), values.flag("proxy.offline"));
    let (max_bytes, named) = (values.size("proxy.max_bytes"), values.list("proxy.namespaces"));
    let realm =
        realm.and_then(|realm| host(&realm).map_err(|problem| values.refuse::<()>("proxy.realm", problem)).ok());
    let url = values.url("proxy.remoteurl");
    let Some(url) = url else {
        if values.is_set("proxy.username") || values.is_set("proxy.exec.command") {
            values.refuse::<()>("proxy.remoteurl", "it is missing: name the registry that the credentials are for");
        }
        return None;
    };
    if !is_usable(&url) {
        return values.refuse("proxy.remoteurl", NOT_USABLE);
    }
    let credentials = match (username, password, command) {
        (None, None, None) => UpstreamCredentials::None,
        (None, None, Some(command)) => UpstreamCredentials::Program(command, (!lifetime.is_zero()).then_some(lifetime)),
        (Some(username), Some(password), None) => UpstreamCredentials::Password(username, Hidden(password)),
        (_, _, Some(_)) => {
            return values.refuse("proxy.exec.command", "proxy.username is set, too; leave one of them out");
        }
        _ => return values.refuse("proxy.password", "proxy.username and proxy.password need each other"),
    };
    if credentials != UpstreamCredentials::None && matches!(mode, Mode::None) {
        let text = "proxy has credentials and auth.mode is none: everybody reads what they may read".to_owned();
        values.notices.push(Notice { place: values.source("proxy.remoteurl"), text });
    }
    Some(UpstreamSettings {
        prefix: None,
        namespaces: if named.is_empty() { namespaces(&url) } else { named },
        url,
        repositories: Vec::new(),
        credentials,
        realm,
        fresh,
        ttl: (!ttl.is_zero()).then_some(ttl),
        max_bytes: (max_bytes > 0).then_some(max_bytes),
        anonymous: Anonymous::Fetch,
        is_offline,
        ca,
        certificate: None,
    })
}

/// An entry of `[[upstream]]`, and its place; `None` if it is wrong.
fn upstream(mut entry: TableEntry<'_>, mode: &Mode) -> Option<(UpstreamSettings, Source)> {
    let place = entry.place.clone();
    let prefix = entry.must("prefix", |text| text.parse::<RepositoryName>().map_err(|error| error.to_string()));
    let url = entry.must("url", url);
    let credentials = credentials(&mut entry);
    let has_credentials = credentials != UpstreamCredentials::None;
    let is_public = entry.take("public", flag).unwrap_or(!has_credentials);
    if !is_public && matches!(mode, Mode::None) {
        let problem = "it has credentials and auth.mode is none, so nobody could pull; set public = true to let everybody \
                       read what the credentials may read, or choose an auth.mode";
        entry.bad::<()>("public", place.clone(), problem);
    }
    let for_users = entry.take("fetch", fetch).unwrap_or_default();
    let named = (entry.list("namespaces"), patterns(&mut entry));
    let certificate = certificate(&mut entry);
    let ttl = entry.take("ttl", duration::parse).unwrap_or(7 * DAY);
    let settings = prefix.zip(url).map(|(prefix, url)| UpstreamSettings {
        prefix: Some(prefix),
        namespaces: if named.0.is_empty() { namespaces(&url) } else { named.0 },
        url,
        repositories: named.1,
        credentials,
        realm: entry.take("realm", host),
        fresh: entry.take("fresh", duration::parse).unwrap_or(Duration::from_secs(60)),
        ttl: (!ttl.is_zero()).then_some(ttl),
        max_bytes: entry.take("max_bytes", size::parse).filter(|bytes| *bytes > 0),
        anonymous: match (is_public, for_users) {
            (false, _) => Anonymous::Nothing,
            (true, true) => Anonymous::Stored,
            (true, false) => Anonymous::Fetch,
        },
        is_offline: entry.take("offline", flag).unwrap_or_default(),
        ca: entry.take("ca", path),
        certificate,
    });
    if settings.is_some() {
        entry.end(FIELDS);
    }
    Some((settings?, place))
}

fn credentials(entry: &mut TableEntry<'_>) -> UpstreamCredentials {
    let text = |text: &str| Ok(text.to_owned());
    let (username, password) = (entry.take("username", text), entry.take("password", text));
    let (file, command) = (entry.take("passwordfile", path), entry.take("exec", path));
    match (username, password, file, command) {
        (None, None, None, None) => UpstreamCredentials::None,
        (Some(username), Some(password), None, None) => UpstreamCredentials::Password(username, Hidden(password)),
        (Some(username), None, Some(file), None) => UpstreamCredentials::File(username, file),
        (None, None, None, Some(command)) => UpstreamCredentials::Program(command, None),
        _ => {
            let problem = "credentials are username with password or passwordfile, or exec";
            entry.bad::<()>("username", entry.place.clone(), problem);
            UpstreamCredentials::None
        }
    }
}

fn certificate(entry: &mut TableEntry<'_>) -> Option<(PathBuf, PathBuf)> {
    let (certificate, key) = (entry.take("certificate", path), entry.take("key", path));
    if certificate.is_some() != key.is_some() {
        entry.bad::<()>("certificate", entry.place.clone(), "certificate and key need each other");
    }
    certificate.zip(key)
}

fn patterns(entry: &mut TableEntry<'_>) -> Vec<Glob> {
    let (mut patterns, problems) = (Vec::new(), entry.problems());
    let is_there = entry.has("repositories");
    let texts = entry.list("repositories");
    if is_there && texts.is_empty() && entry.problems() == problems {
        let problem = "the list is empty; leave it out if all repositories may be fetched";
        entry.bad::<()>("repositories", entry.place.clone(), problem);
    }
    for text in texts {
        match text.parse() {
            Ok(pattern) => patterns.push(pattern),
            Err(error) => {
                let problem = format!("{error}");
                entry.bad::<()>("repositories", entry.place.clone(), problem);
            }
        }
    }
    patterns
}

const NOT_USABLE: &str =
    "write http:// or https:// and the host, like https://registry-1.docker.io, without a password";

fn url(text: &str) -> Result<Url, String> {
    // The text may hold a password, so it is not repeated.
    Url::parse(text).ok().filter(is_usable).ok_or_else(|| NOT_USABLE.to_owned())
}

fn is_usable(url: &Url) -> bool {
    let is_plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    matches!(url.scheme(), "http" | "https") && url.has_host() && is_plain && url.fragment().is_none()
}

/// A host without a port, as a URL has it.
fn host(text: &str) -> Result<String, String> {
    let url = Url::parse(&format!("https://{text}/")).ok();
    let host = url.as_ref().and_then(Url::host_str).filter(|host| host.eq_ignore_ascii_case(text));
    host.map(str::to_owned).ok_or_else(|| format!("`{text}` is not a host; write it like auth.example.com"))
}

#[expect(clippy::unnecessary_wraps, reason = "as all that read a field")]
fn path(text: &str) -> Result<PathBuf, String> {
    Ok(PathBuf::from(text))
}

/// Whether only users with a login have something fetched.
fn fetch(text: &str) -> Result<bool, String> {
    match text {
        "all" => Ok(false),
        "users" => Ok(true),
        _ => Err(format!("`{text}` is neither all nor users")),
    }
}

/// The values of `ns` that mean the registry at a URL.
fn namespaces(url: &Url) -> Vec<String> {
    let host = url.host_str().unwrap_or_default();
    let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let hub = matches!(host, "registry-1.docker.io" | "index.docker.io" | "docker.io").then(|| "docker.io".to_owned());
    [authority].into_iter().chain(hub).collect()
}

/// The upstreams without their passwords, for `config show`.
pub(super) fn without_secrets(mut node: Node) -> Node {
    let Value::List(tables) = &mut node.value else { return node };
    for table in tables {
        let Value::Table(fields) = &mut table.value else { continue };
        for (name, field) in fields {
            if name == "password" {
                field.value = Value::Scalar("(secret)".to_owned());
            }
        }
    }
    node
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::super::load::tried;
    use super::*;

    #[test]
    fn a_file_of_registry2_is_taken() {
        let yaml = "
proxy:
  remoteurl: https://registry-1.docker.io
  username: me
  password: secret
  ttl: 24h
auth: {htpasswd: {realm: r, path: /f}}
";
        let (config, errors, notices) = tried("f.yml", yaml, &[]);
        assert_eq!((errors, notices), (vec![], vec![]));
        let [root] = config.upstreams.all.as_slice() else { panic!("{:?}", config.upstreams) };
        assert_eq!((root.prefix.as_ref(), root.ttl), (None, Some(DAY)));
        assert_eq!(root.namespaces, ["registry-1.docker.io", "docker.io"]);
        assert_eq!(root.credentials, UpstreamCredentials::Password("me".to_owned(), Hidden("secret".to_owned())));
        assert!(!format!("{config:?}").contains("\"secret\""));
    }

    #[test]
    fn variables_set_upstreams() {
        let variables = [
            ("REGISTRY_PROXY_REMOTEURL", "http://localhost:5001"),
            ("REGISTRY_PROXY_TTL", "0"),
            ("REGISTRY_PROXY_NAMESPACES", "[docker.io]"),
            ("REGISTRY_UPSTREAM_0_PREFIX", "ghcr.io"),
            ("REGISTRY_UPSTREAM_0_URL", "https://ghcr.io"),
            ("REGISTRY_UPSTREAM_0_REPOSITORIES_0", "org/**"),
            ("REGISTRY_UPSTREAM_0_MAX_BYTES", "2GiB"),
        ];
        let (config, errors, _) = tried("f.toml", "", &variables);
        assert_eq!(errors, Vec::<String>::new());
        let [root, ghcr] = config.upstreams.all.as_slice() else { panic!("{:?}", config.upstreams) };
        assert_eq!((root.max_bytes, ghcr.max_bytes), (None, Some(2 << 30)));
        assert_eq!((root.ttl, root.namespaces.as_slice()), (None, &["docker.io".to_owned()][..]));
        assert_eq!(ghcr.prefix.as_ref().unwrap().as_str(), "ghcr.io");
        assert_eq!((ghcr.repositories.len(), ghcr.anonymous, ghcr.ttl), (1, Anonymous::Fetch, Some(7 * DAY)));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let cases = [
            ("[[upstream]]\nurl = 'https://a'", "has no prefix"),
            ("[[upstream]]\nprefix = 'a'", "has no url"),
            ("[[upstream]]\nprefix = 'A'\nurl = 'https://a'", "lower-case"),
            ("[[upstream]]\nprefix = 'a'\nurl = 'https://me:pass@a'", "without a password"),
            ("[[upstream]]\nprefix = 'a'\nurl = 'https://a'\nfresch = '1s'", "did you mean `upstream.fresh`?"),
            ("[[upstream]]\nprefix = 'a'\nurl = 'https://a'\nusername = 'u'", "credentials are"),
            ("[[upstream]]\nprefix = 'a'\nurl = 'https://a'\nusername = 'u'\npassword = 'pass'", "nobody could pull"),
            ("[[upstream]]\nprefix = 'a'\nurl = 'https://a'\nfetch = 'some'", "neither all nor users"),
            ("[[upstream]]\nprefix = 'a'\nurl = 'https://a'\ncertificate = '/c'", "need each other"),
            ("[[upstream]]\nprefix = 'a'\nurl = 'https://a'\nrepositories = ['a//b']", "empty component"),
            (
                "[[upstream]]\nprefix = 'a'\nurl = 'https://a'\n[[upstream]]\nprefix = 'a'\nurl = 'https://b'",
                "two upstreams",
            ),
            ("[[upstream]]\nprefix = 'a'\nurl = 'https://a'\nrepositories = []", "the list is empty"),
            ("[[upstream]]\nprefix = 'a'\nurl = 'https://a'\nrealm = 'https://b/token'", "is not a host"),
            ("[proxy]\nremoteurl = 'https://a'\nrealm = 'b:443'", "is not a host"),
            ("[proxy]\nremoteurl = 'ftp://a'", "is not a URL"),
            ("[proxy]\nremoteurl = 'https://a'\nusername = 'u'", "need each other"),
            ("[proxy]\nusername = 'u'\npassword = 'pass'", "it is missing"),
        ];
        for (text, expected) in cases {
            let (_, errors, _) = tried("f.toml", text, &[]);
            assert!(errors.len() == 1 && errors[0].contains(expected), "{text}: {errors:?}");
            assert!(!errors[0].contains("pass@") && !errors[0].contains("'pass'"), "{errors:?}");
        }
    }
}

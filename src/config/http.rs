//! `[http]`: where and how to listen.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::Status::Ignored;
use super::values::Values;
use super::{Address, Kind, Setting, Tls, TrustedProxy, tls, trusted_proxies};

/// Where and how to listen.
#[derive(Clone, Debug)]
pub struct Http {
    /// `http.addr` and `http.net`.
    pub listen: Listen,
    /// `http.host`: the URL by which clients reach the registry, if it was told.
    pub host: Option<Url>,
    /// `http.prefix`: empty, or a path such as `/registry`, without a slash at its end.
    pub prefix: String,
    /// `http.relativeurls`: `Location` is a path even where `host` is set; if `false` is said, it is absolute even where `host` is not.
    pub relative_urls: Option<bool>,
    /// `http.draintimeout`: how long requests that are under way may take to end when the server stops.
    pub drain_timeout: Duration,
    /// `http.headers`: added to every response, in this order. Names and values are valid ones.
    pub headers: Vec<(String, Vec<String>)>,
    /// `http.trustedproxies`: those that are believed when they say from whom a request comes.
    pub trusted_proxies: Vec<TrustedProxy>,
    /// `http.tls`, if a certificate was given.
    pub tls: Option<Tls>,
}

/// What to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// TCP; at least one address.
    Tcp(Vec<Address>),
    /// A socket in the file system.
    Unix(PathBuf),
}

const LISTENS_IN_CLEAR: &str = "wharf speaks HTTP/1.1 only";

pub(super) const SETTINGS: &[Setting] = &[
    Setting::new(
        "http.addr",
        Kind::Addresses,
        "localhost:5000",
        "Where to listen: `host:port`, `:port` for every address of the machine, or a list of them; port 0 takes a free one. \
         `localhost` is 127.0.0.1 and ::1 both. With `net = \"unix\"`, the path of the socket.",
    ),
    Setting::new("http.net", Kind::Choice(&["tcp", "unix"]), "tcp", "What `addr` is."),
    Setting::new(
        "http.host",
        Kind::Url,
        "",
        "The URL by which clients reach the registry, where that is not what they send. `Location` begins with it.",
    ),
    Setting::new(
        "http.prefix",
        Kind::Text,
        "/",
        "The path under which everything is served, for a proxy that passes it on. `/healthz`, `/token` and `/` answer without it \
         too.",
    ),
    Setting::new(
        "http.relativeurls",
        Kind::Flag,
        "",
        "`true`: `Location` is a path even where `host` is set. `false`: it is absolute even where `host` is not, with the \
         `Host` of the request. Unset: absolute with `host`, else a path.",
    ),
    Setting::new(
        "http.draintimeout",
        Kind::Duration,
        "30s",
        "How long requests that are under way may take to end after SIGTERM.",
    ),
    Setting::new(
        "http.headers",
        Kind::Lists,
        "",
        "Headers that every response gets, by name: `X-Content-Type-Options = [\"nosniff\"]`. One that wharf sends itself is \
         replaced.",
    ),
    trusted_proxies::TRUSTED,
    Setting::new("http.secret", Kind::Text, "", "")
        .secret()
        .with(Ignored("what is known of an upload stays on the disk, so nothing is signed with it")),
    Setting::ignored("http.http2", LISTENS_IN_CLEAR),
    Setting::ignored("http.h2c", LISTENS_IN_CLEAR),
    Setting::ignored("http.debug", "there is no debug listener, and there are no metrics yet"),
    tls::CERTIFICATE,
    tls::KEY,
    tls::CLIENT_CAS,
    tls::CLIENT_AUTH,
    tls::MINIMUM,
    Setting::ignored("http.tls.ciphersuites", "the suites are those of rustls, all of them strong"),
    Setting::refused(
        "http.tls.letsencrypt",
        "wharf does not fetch certificates; let certbot or a proxy do it and name the files",
    ),
];

pub(super) fn read(values: &mut Values) -> Http {
    let host = values.url("http.host");
    let relative_urls = values.is_set("http.relativeurls").then(|| values.flag("http.relativeurls"));
    let prefix = prefix(values);
    tell_of_two_paths(values, host.as_ref(), &prefix);
    Http {
        listen: listen(values),
        host,
        prefix,
        relative_urls,
        drain_timeout: values.duration("http.draintimeout"),
        headers: headers(values),
        trusted_proxies: trusted_proxies::read(values),
        tls: tls::read(values),
    }
}

fn listen(values: &mut Values) -> Listen {
    if values.choice("http.net").as_deref() != Some("unix") {
        let addresses = values.addresses("http.addr");
        if addresses.is_empty() && values.errors.is_empty() {
            let place = values.source("http.addr");
            values.bad::<()>("http.addr", place, "the list is empty; name at least one address");
        }
        return Listen::Tcp(addresses);
    }
    let place = values.source("http.net");
    match values.path("http.addr").filter(|_| values.is_set("http.addr")) {
        Some(path) => Listen::Unix(path),
        None => Listen::Unix(values.bad("http.net", place, "with unix, http.addr must be the path of the socket")),
    }
}

fn prefix(values: &mut Values) -> String {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
    let prefix = values.parsed("http.prefix", |text| {
        let trimmed = text.trim_end_matches('/');
        let is_path = trimmed.is_empty() || trimmed.starts_with('/');
        let is_plain = trimmed.bytes().all(allowed) && !trimmed.contains("//") && !trimmed.contains("/.");
        if is_path && is_plain {
            Ok(trimmed.to_owned())
        } else {
            Err(format!("`{text}` is not a path like /registry/"))
        }
    });
    prefix.unwrap_or_default()
}

/// A path in `host` is one that a proxy takes away, and `prefix` one that it passes on: with both, clients are sent to both.
fn tell_of_two_paths(values: &mut Values, host: Option<&Url>, prefix: &str) {
    let Some(host) = host.filter(|host| host.path() != "/" && !prefix.is_empty()) else { return };
    let text = format!(
        "http.host has a path and there is a prefix: clients are sent to {}{prefix}/v2/. If that is not where they find the registry, \
         take the path out of http.host",
        host.as_str().trim_end_matches('/')
    );
    let place = values.source("http.host");
    values.notices.push(super::Notice { place, text });
}

/// Headers that say how a message is framed are not for a settings file.
const FRAMING: [&str; 6] = ["connection", "content-length", "date", "transfer-encoding", "upgrade", "trailer"];

fn headers(values: &mut Values) -> Vec<(String, Vec<String>)> {
    let place = values.source("http.headers");
    let headers = values.lists("http.headers");
    for (name, texts) in &headers {
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let visible = |byte: u8| byte == b'\t' || (0x20..0x7f).contains(&byte);
        let key = format!("http.headers.{name}");
        if name.is_empty() || !name.bytes().all(token) {
            values.bad::<()>(&key, place.clone(), "this is not the name of a header");
        }
        if FRAMING.iter().any(|framing| name.eq_ignore_ascii_case(framing)) {
            values.bad::<()>(&key, place.clone(), "wharf sets this header itself");
        }
        if !texts.iter().all(|text| text.bytes().all(visible)) {
            values.bad::<()>(&key, place.clone(), "a value holds characters that a header can't have");
        }
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::super::load::tried;
    use super::*;

    #[test]
    fn a_prefix_is_a_path() {
        let cases = [("/", ""), ("", ""), ("/a", "/a"), ("/my/nested/registry/", "/my/nested/registry")];
        for (text, expected) in cases {
            let (config, errors, _) = tried("f.toml", &format!("http.prefix = '{text}'"), &[]);
            assert_eq!((config.http.prefix.as_str(), errors), (expected, vec![]), "{text}");
        }
        for text in ["a", "a/", "/a?b", "/a b", "//a", "/a/../b", "/%2e", "https://a"] {
            let (_, errors, _) = tried("f.toml", &format!("http.prefix = '{text}'"), &[]);
            assert!(errors.len() == 1 && errors[0].contains("is not a path like"), "{text}: {errors:?}");
        }
    }

    #[test]
    fn report_a7_a_path_in_the_host_beside_a_prefix_is_told_of() {
        for (host, prefix, told) in [
            ("https://r.example", "/", false),
            ("https://r.example", "/p", false),
            ("https://r.example/", "/p/", false),
            ("https://r.example/q", "/", false),
            ("https://r.example/q", "/p", true),
            ("https://r.example/p/", "/p/", true),
        ] {
            let (_, errors, notices) = tried("f.toml", &format!("[http]\nhost = '{host}'\nprefix = '{prefix}'\n"), &[]);
            let telling =
                notices.iter().any(|notice| notice.contains("/p/v2/") && notice.contains("http.host has a path"));
            assert_eq!((errors, telling), (vec![], told), "{host} {prefix}: {notices:?}");
        }
    }

    #[test]
    fn headers_are_ones_that_can_be_sent() {
        let cases = [
            ("'X-A' = ['b', 'c d']", ""),
            ("'X-A' = 'b'", ""),
            ("'X A' = ['b']", "not the name of a header"),
            ("'' = ['b']", "not the name of a header"),
            ("'Content-Length' = ['1']", "sets this header itself"),
            ("'transfer-encoding' = ['chunked']", "sets this header itself"),
            ("'X-A' = [\"b\\r\\nSet-Cookie: c\"]", "characters that a header can't have"),
            ("'X-A' = [['b']]", "a list of texts was expected"),
            ("'X-A' = {b = 'c'}", "a list of texts was expected"),
        ];
        for (entry, expected) in cases {
            let (_, errors, _) = tried("f.toml", &format!("[http.headers]\n{entry}\n"), &[]);
            assert_eq!(errors.is_empty(), expected.is_empty(), "{entry}: {errors:?}");
            assert!(errors.iter().all(|error| error.contains(expected)), "{entry}: {errors:?}");
        }
    }

    #[test]
    fn says_what_is_wrong_with_addresses_and_urls() {
        let cases = [
            ("addr = []", "at least one address"),
            ("addr = [':1', '1']", "only a port"),
            ("addr = {a = 1}", "a list of texts was expected"),
            ("net = 'unix'", "the path of the socket"),
            ("net = 'udp'", "none of tcp, unix"),
            ("host = 'registry.example.com'", "is not a URL"),
            ("host = 'ftp://registry.example.com'", "is not a URL"),
            ("tls.key = '/k'", "http.tls.certificate must name"),
            ("tls.certificate = '/c'", "http.tls.key must name"),
            ("tls = 'yes'", "its settings are http.tls.certificate"),
        ];
        for (line, expected) in cases {
            let (_, errors, _) = tried("f.toml", &format!("[http]\n{line}\n"), &[]);
            assert!(errors.len() == 1 && errors[0].contains(expected), "{line}: {errors:?}");
        }
    }

    #[test]
    fn a_socket_needs_a_path() {
        let (config, errors, _) = tried("f.toml", "[http]\nnet = 'unix'\naddr = '/run/wharf.sock'\n", &[]);
        assert_eq!((config.http.listen, errors), (Listen::Unix("/run/wharf.sock".into()), vec![]));
    }
}

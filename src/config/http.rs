//! `[http]`: the listener and the form of URLs.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::Status::Ignored;
use super::values::Values;
use super::{Address, Debug, Kind, Setting, Tls, debug, tls, trusted_proxies};
use crate::http::TrustedProxies;

/// The listener and the form of URLs.
#[derive(Clone, Debug)]
pub struct Http {
    /// `http.addr` and `http.net`.
    pub listen: Listen,
    /// `http.host`: the URL by which clients reach the registry, if it is set.
    pub host: Option<Url>,
    /// `http.prefix`: empty, or a path such as `/registry`, without a trailing slash.
    pub prefix: String,
    /// `http.relativeurls`. `true`: `Location` is a path even if `host` is set. `false`: it is absolute even if `host`
    /// is not set.
    pub relative_urls: Option<bool>,
    /// `http.draintimeout`: the time that requests in progress get to end when the server stops.
    pub drain_timeout: Duration,
    /// `http.headers`: added to every response, in this order. Names and values are valid.
    pub headers: Vec<(String, Vec<String>)>,
    /// `http.trustedproxies`: proxies whose `X-Forwarded-*` headers are believed.
    pub trusted_proxies: TrustedProxies,
    /// `http.debug`, if an address is set.
    pub debug: Option<Debug>,
    /// `http.tls`, if a certificate is set.
    pub tls: Option<Tls>,
}

/// The sockets to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// TCP; at least one address.
    Tcp(Vec<Address>),
    /// A Unix socket.
    Unix(PathBuf),
}

const HTTP_1_1: &str = "wharf speaks HTTP/1.1 only";

pub(super) const SETTINGS: &[Setting] = &[
    Setting::new(
        "http.addr",
        Kind::Addresses,
        "localhost:5000",
        "The address to listen on: `host:port`, `:port` for every address of the machine, or a list of them; port 0 takes a free one. \
         `localhost` is both 127.0.0.1 and ::1. With `net = \"unix\"`, the path of the socket.",
    ),
    Setting::new("http.net", Kind::Choice(&["tcp", "unix"]), "tcp", "The kind of `addr`."),
    Setting::new("http.host", Kind::Url, "", "The URL by which clients reach the registry. `Location` begins with it."),
    Setting::new(
        "http.prefix",
        Kind::Text,
        "/",
        "The path under which everything is served, for a proxy that does not remove it. `/healthz`, `/token` and `/` also answer \
         without it.",
    ),
    Setting::new(
        "http.relativeurls",
        Kind::Flag,
        "",
        "`true`: `Location` is a path even if `host` is set. `false`: it is absolute even if `host` is not set, with the \
         `Host` of the request. Not set: absolute with `host`, else a path.",
    ),
    Setting::new(
        "http.draintimeout",
        Kind::Duration,
        "30s",
        "The time that requests in progress get to end after SIGTERM.",
    ),
    Setting::new(
        "http.headers",
        Kind::Lists,
        "",
        "Headers that are added to every response, by name: `X-Content-Type-Options = [\"nosniff\"]`. A header that wharf sends \
         itself is replaced.",
    ),
    Setting::new(
        "http.trustedproxies",
        Kind::Networks,
        "",
        "Addresses and networks of proxies, and `unix` for the clients of a Unix socket. What they say in `X-Forwarded-For` is \
     believed: it is the client's address in the log and in limits. So are their `X-Forwarded-Proto` and `X-Forwarded-Host`, where \
     `relativeurls` is `false`.",
    ),
    Setting::new("http.secret", Kind::Text, "", "")
        .secret()
        .with(Ignored("the state of an upload is on the disk, so no state is signed")),
    Setting::ignored("http.http2", HTTP_1_1),
    Setting::ignored("http.h2c", HTTP_1_1),
];

pub(super) fn read(values: &mut Values) -> Http {
    let host = values.url("http.host");
    let relative_urls = values.is_set("http.relativeurls").then(|| values.flag("http.relativeurls"));
    let prefix = prefix(values);
    warn_of_two_paths(values, host.as_ref(), &prefix);
    let listen = listen(values);
    let taken = if let Listen::Tcp(addresses) = &listen { addresses.as_slice() } else { &[] };
    Http {
        debug: debug::read(values, taken),
        listen,
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
    if values.choice("http.net") != "unix" {
        let addresses = values.addresses("http.addr");
        if addresses.is_empty() && values.errors.is_empty() {
            values.refuse::<()>("http.addr", "the list is empty; name at least one address");
        }
        let mut pairs =
            addresses.iter().enumerate().flat_map(|(at, one)| addresses[..at].iter().map(move |two| (two, one)));
        if let Some((one, other)) = pairs.find(|(one, other)| one.overlaps(other)) {
            values
                .refuse::<()>("http.addr", &format!("{one} and {other} can't both be listened on; remove one of them"));
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

/// Warns if both are set: a path in `host` is one that a proxy removes, `prefix` one that it keeps, and links have
/// both.
fn warn_of_two_paths(values: &mut Values, host: Option<&Url>, prefix: &str) {
    let Some(host) = host.filter(|host| host.path() != "/" && !prefix.is_empty()) else { return };
    let text = format!(
        "http.host has a path and http.prefix is set: links begin with {}{prefix}/v2/. If clients do not reach the registry there, \
         remove the path from http.host",
        host.as_str().trim_end_matches('/')
    );
    let place = values.source("http.host");
    values.notices.push(super::Notice { place, text });
}

/// Headers that determine the framing of a message can't be set.
const FRAMING: [&str; 6] = ["connection", "content-length", "date", "transfer-encoding", "upgrade", "trailer"];

fn headers(values: &mut Values) -> Vec<(String, Vec<String>)> {
    let place = values.source("http.headers");
    let headers = values.lists("http.headers");
    for (name, texts) in &headers {
        if let Some(problem) = header_problem(name, texts) {
            values.bad::<()>(&format!("http.headers.{name}"), place.clone(), problem);
        }
    }
    headers
}

/// Why a header can't be sent with these values.
pub(super) fn header_problem(name: &str, texts: &[String]) -> Option<&'static str> {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let visible = |byte: u8| byte == b'\t' || (0x20..0x7f).contains(&byte);
    if name.is_empty() || !name.bytes().all(token) {
        Some("this is not the name of a header")
    } else if FRAMING.iter().any(|framing| name.eq_ignore_ascii_case(framing)) {
        Some("wharf sets this header itself")
    } else if !texts.iter().all(|text| text.bytes().all(visible)) {
        Some("a value holds characters that a header can't have")
    } else {
        None
    }
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

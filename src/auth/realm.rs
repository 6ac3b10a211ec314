//! The URL at which clients get tokens.

/// The `realm` of a Bearer challenge.
///
/// Of a request's `Host` header, only the three spellings of the local host are used, because clients that know the
/// registry as `localhost` refuse a realm on `127.0.0.1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Realm {
    /// One URL for all clients.
    Fixed(String),
    /// The token endpoint of this server, on the local host.
    Local {
        /// The port that the server listens on.
        port: u16,
        /// Whether it serves TLS there.
        tls: bool,
        /// The prefix of the endpoint's path: `http.prefix`.
        prefix: String,
    },
}

/// Why there is no realm.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRealm {
    /// The URL is none.
    #[error("{setting} '{value}' is no http or https URL: write for example https://registry.example.com/token")]
    Url {
        /// The name of the setting.
        setting: &'static str,
        /// Its value.
        value: String,
    },
    /// The server can be reached from other hosts, and does not know its name.
    #[error(
        "in token mode a server that listens beyond the local host must know its name: set http.host \
         (https://registry.example.com) or auth.token.realm (https://registry.example.com/token)"
    )]
    Unknown,
    /// It has characters that can't be in a header.
    #[error("auth.htpasswd.realm has control characters or others that no header can carry")]
    Characters,
}

impl Realm {
    /// The realm from `auth.token.realm`, else from `http.host`, else of the local host. `prefix` is the prefix of the
    /// paths of `http.host` and of the local host, and `is_loopback` tells whether every listener is bound to a
    /// loopback address.
    ///
    /// # Errors
    /// [`InvalidRealm`]
    pub fn choose(
        realm: Option<&str>,
        host: Option<&str>,
        prefix: &str,
        port: u16,
        tls: bool,
        is_loopback: bool,
    ) -> Result<Self, InvalidRealm> {
        match (realm, host) {
            (Some(realm), _) => Self::fixed(realm),
            (None, Some(host)) => {
                check_url("http.host", host)?;
                Ok(Self::Fixed(format!("{}{prefix}/token", host.trim_end_matches('/'))))
            }
            (None, None) if is_loopback => Ok(Self::Local { port, tls, prefix: prefix.to_owned() }),
            (None, None) => Err(InvalidRealm::Unknown),
        }
    }

    /// The realm from `auth.token.realm`.
    pub(super) fn fixed(url: &str) -> Result<Self, InvalidRealm> {
        check_url("auth.token.realm", url).map(|()| Self::Fixed(url.to_owned()))
    }

    /// The URL for a client that sent this `Host` header.
    #[must_use]
    pub fn url(&self, host: Option<&str>) -> String {
        match self {
            Self::Fixed(url) => url.clone(),
            Self::Local { port, tls, prefix } => {
                let scheme = if *tls { "https" } else { "http" };
                let spellings = ["localhost", "127.0.0.1", "[::1]"];
                let is_hosts = |spelling: &&str| {
                    let rest = host.and_then(|host| host.strip_prefix(spelling));
                    rest.and_then(|rest| rest.strip_prefix(':')) == Some(&port.to_string())
                };
                let spelling = spellings.into_iter().find(is_hosts).unwrap_or("localhost");
                format!("{scheme}://{spelling}:{port}{prefix}/token")
            }
        }
    }
}

fn check_url(setting: &'static str, value: &str) -> Result<(), InvalidRealm> {
    let is_plain = value.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\<>".contains(&byte));
    let url = url::Url::parse(value).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if is_plain && url.is_some() { Ok(()) } else { Err(InvalidRealm::Url { setting, value: value.to_owned() }) }
}

/// A quoted string in a header ([RFC 9110, section 5.6.4](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.4)).
pub(super) fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Checks the realm of a Basic challenge.
pub(super) fn check_basic_realm(text: &str) -> Result<(), InvalidRealm> {
    if text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        Ok(())
    } else {
        Err(InvalidRealm::Characters)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't set up fails")]

    use super::*;

    #[test]
    fn i3_a_foreign_host_is_never_repeated() {
        let table = [
            (Some("localhost:8080"), "http://localhost:8080/token"),
            (Some("127.0.0.1:8080"), "http://127.0.0.1:8080/token"),
            (Some("[::1]:8080"), "http://[::1]:8080/token"),
            (Some("localhost:9090"), "http://localhost:8080/token"),
            (Some("127.0.0.1"), "http://localhost:8080/token"),
            (Some("127.0.0.1:80801"), "http://localhost:8080/token"),
            (Some("127.0.0.2:8080"), "http://localhost:8080/token"),
            (Some("evil.example"), "http://localhost:8080/token"),
            (Some("evil.example:8080"), "http://localhost:8080/token"),
            (Some("localhost.evil.example:8080"), "http://localhost:8080/token"),
            (Some("127.0.0.1:8080\",x=\""), "http://localhost:8080/token"),
            (None, "http://localhost:8080/token"),
        ];
        let realm = Realm::choose(None, None, "", 8080, false, true).unwrap();
        for (host, expected) in table {
            assert_eq!(realm.url(host), expected);
        }
        assert_eq!(
            Realm::Local { port: 443, tls: true, prefix: String::new() }.url(Some("localhost:443")),
            "https://localhost:443/token"
        );
    }

    #[test]
    fn where_the_realm_comes_from() {
        let table = [
            (Some("https://auth.docker.io/token"), Some("https://x"), "", "https://auth.docker.io/token"),
            (Some("https://auth.docker.io/token"), Some("https://x"), "/p", "https://auth.docker.io/token"),
            (None, Some("https://registry.example.com"), "", "https://registry.example.com/token"),
            (None, Some("https://registry.example.com/"), "", "https://registry.example.com/token"),
            (None, Some("https://registry.example.com/"), "/registry", "https://registry.example.com/registry/token"),
            (None, Some("https://example.com:5001/base/"), "", "https://example.com:5001/base/token"),
        ];
        for (realm, host, prefix, expected) in table {
            assert_eq!(Realm::choose(realm, host, prefix, 1, false, false).unwrap().url(Some("localhost:1")), expected);
        }
        let local = Realm::choose(None, None, "/registry", 1, false, true).unwrap();
        assert_eq!(local.url(Some("127.0.0.1:1")), "http://127.0.0.1:1/registry/token");
        assert_eq!(Realm::choose(None, None, "", 1, false, false), Err(InvalidRealm::Unknown));
        for bad in [
            "",
            "registry.example.com",
            "ftp://x",
            "https://",
            "https://x/\"",
            "https://x/ y",
            "https://x/\r\nA: b",
            "https://é",
        ] {
            assert!(Realm::choose(Some(bad), None, "", 1, false, true).is_err(), "{bad}");
            assert!(Realm::choose(None, Some(bad), "", 1, false, true).is_err(), "{bad}");
        }
    }

    #[test]
    fn basic_realms() {
        assert_eq!(quoted("Registry Realm"), "\"Registry Realm\"");
        assert_eq!(quoted("a \"b\" \\"), "\"a \\\"b\\\" \\\\\"");
        assert!(check_basic_realm("GitHub Package Registry").is_ok());
        for bad in ["a\r\nb", "a\tb", "é"] {
            assert_eq!(check_basic_realm(bad), Err(InvalidRealm::Characters));
        }
    }
}

//! The cookie of a session ([RFC 6265](https://www.rfc-editor.org/rfc/rfc6265)).

use actix_web::{HttpRequest, http::header};

use crate::auth::SESSION_LIFETIME;

/// The name of the cookie over TLS. Browsers accept a cookie with this prefix only from the host itself, over TLS, and
/// for all paths. So no other host of the domain can set it.
const SECURE: &str = "__Host-wharf-session";
/// The name of the cookie over HTTP on this machine.
const LOCAL: &str = "wharf-session";

/// The session in the cookie of a request. The cookie without TLS counts only for a server on this machine.
pub(super) fn session(request: &HttpRequest) -> Option<&str> {
    named(request, SECURE).or_else(|| named(request, LOCAL).filter(|_| is_local(request)))
}

/// The `Set-Cookie` of a session; an empty session removes the cookie. Browsers send the cookie only with requests from
/// this server's own pages, and no script can read it.
pub(super) fn set(session: &str, tls: bool) -> String {
    let (name, secure) = if tls { (SECURE, "; Secure") } else { (LOCAL, "") };
    let age = if session.is_empty() { 0 } else { SESSION_LIFETIME.as_secs() };
    format!("{name}={session}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}")
}

/// Whether the request names this machine, so that the connection does not leave it.
pub(super) fn is_local(request: &HttpRequest) -> bool {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    ["localhost", "127.0.0.1", "[::1]"].iter().any(|local| {
        let port = host.strip_prefix(local);
        port.is_some_and(|port| port.is_empty() || port.starts_with(':'))
    })
}

/// The value of a cookie. If a name is there twice, another site may have set one of them, and neither counts.
fn named<'a>(request: &'a HttpRequest, name: &str) -> Option<&'a str> {
    let fields = request.headers().get_all(header::COOKIE).filter_map(|field| field.to_str().ok());
    let pairs = fields.flat_map(|field| field.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value);
    values.next().filter(|value| !value.is_empty() && values.next().is_none())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_session_is_named_once_and_over_tls_or_locally() {
        let secure = "__Host-wharf-session=s";
        let local = "wharf-session=l";
        let rows: [(&str, &[&str], Option<&str>); 12] = [
            ("r.test", &[secure], Some("s")),
            ("r.test", &["a=b; __Host-wharf-session=s; c=d"], Some("s")),
            ("r.test", &["a=b", secure], Some("s")),
            ("r.test", &[secure, secure], None),
            ("r.test", &["__Host-wharf-session=s; __Host-wharf-session=t"], None),
            ("r.test", &[local], None),
            ("localhost.evil.test", &[local], None),
            ("localhost:5000", &[local], Some("l")),
            ("127.0.0.1", &[local], Some("l")),
            ("[::1]:5000", &[local], Some("l")),
            ("localhost", &[local, secure], Some("s")),
            ("localhost", &["x__Host-wharf-session=s; wharf-session="], None),
        ];
        for (host, cookies, expected) in rows {
            let mut request = TestRequest::default().insert_header(("host", host));
            for cookie in cookies {
                request = request.append_header(("cookie", *cookie));
            }
            assert_eq!(session(&request.to_http_request()), expected, "{host} {cookies:?}");
        }
    }
}

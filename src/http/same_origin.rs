//! Whether a form comes from a page of this server or of another site.

use actix_web::{HttpRequest, http::header};

use super::{Exchange, LocationBase, Settings, location};

impl Exchange<'_> {
    /// Whether a browser sent this request from a page of this server. Programs other than browsers send no `Origin`
    /// ([RFC 6454, section 7.3](https://www.rfc-editor.org/rfc/rfc6454#section-7.3)).
    pub(crate) fn is_from_own_page(&self) -> bool {
        is_from_own_page(&self.service.settings, self.request)
    }

    /// The scheme of the page that sent this request, as the browser says it.
    pub(crate) fn page_scheme(&self) -> Option<&str> {
        field(self.request, "origin")?.split_once("://").map(|(scheme, _)| scheme)
    }

    /// The host and port by which the client reaches this server, as far as it is known.
    pub(crate) fn authority(&self) -> Option<String> {
        own_authorities(&self.service.settings, self.request).into_iter().next()
    }
}

/// `Sec-Fetch-Site` says whether the page has the origin of the request. The browser knows that even if a proxy changes
/// the host. Browsers do not send the field over plain HTTP. Then the host of `Origin` decides; its scheme does not,
/// because a proxy may have ended TLS.
fn is_from_own_page(settings: &Settings, request: &HttpRequest) -> bool {
    let Some((_, authority)) = field(request, "origin").and_then(|origin| origin.split_once("://")) else {
        return false;
    };
    match field(request, "sec-fetch-site") {
        Some(site) => site == "same-origin",
        None => own_authorities(settings, request).iter().any(|own| own.eq_ignore_ascii_case(authority)),
    }
}

/// The names of this server: from the settings, and from the request.
fn own_authorities(settings: &Settings, request: &HttpRequest) -> Vec<String> {
    let named = match &settings.location_base {
        LocationBase::Origin(origin) => Some(origin.clone()),
        LocationBase::Path | LocationBase::Request => None,
    };
    let origins = named.into_iter().chain(location::origin_of(settings, request));
    origins.filter_map(|origin| Some(origin.split_once("://")?.1.to_owned())).collect()
}

/// The value of a field that is there once.
fn field<'a>(request: &'a HttpRequest, name: &'static str) -> Option<&'a str> {
    let mut values = request.headers().get_all(header::HeaderName::from_static(name));
    values.next().filter(|_| values.next().is_none())?.to_str().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use actix_web::test::TestRequest;

    use super::*;
    use crate::http::TrustedProxies;

    type Fields<'a> = &'a [(&'a str, &'a str)];

    #[test]
    fn only_a_page_of_this_server_sends_forms() {
        let proxies = TrustedProxies { networks: vec![("10.0.0.0".parse().unwrap(), 8)], unix: false };
        let location_base = LocationBase::Origin("https://named.test".to_owned());
        let settings = Settings { location_base, proxies, ..Settings::default() };
        let (stranger, proxy) = ("192.0.2.1:1", "10.0.0.1:1");
        let host = ("host", "r.test:5000");
        let (own, cross) = (("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site"));
        let table: &[(&str, Fields<'_>, bool)] = &[
            (stranger, &[host, ("origin", "http://r.test:5000")], true),
            (stranger, &[host, ("origin", "https://R.test:5000")], true),
            (stranger, &[host, ("origin", "https://named.test")], true),
            (stranger, &[host, ("origin", "http://r.test")], false),
            (stranger, &[host, ("origin", "http://evil.test")], false),
            (stranger, &[host, ("origin", "http://r.test:5000.evil.test")], false),
            (stranger, &[host, ("origin", "null")], false),
            (stranger, &[host], false),
            (stranger, &[host, own], false),
            (stranger, &[host, ("origin", "http://r.test:5000"), ("origin", "http://r.test:5000")], false),
            // A proxy changed the host, and the browser knows better.
            (stranger, &[host, own, ("origin", "https://pub.test")], true),
            (stranger, &[host, cross, ("origin", "http://r.test:5000")], false),
            (stranger, &[host, ("sec-fetch-site", "same-site"), ("origin", "http://r.test:5000")], false),
            (stranger, &[host, ("sec-fetch-site", "none"), ("origin", "http://r.test:5000")], false),
            // Of hosts that are forwarded, only those of trusted proxies count.
            (proxy, &[host, ("x-forwarded-host", "pub.test"), ("origin", "https://pub.test")], true),
            (stranger, &[host, ("x-forwarded-host", "pub.test"), ("origin", "https://pub.test")], false),
        ];
        for (peer, fields, expected) in table {
            let mut request = TestRequest::default().peer_addr(peer.parse().unwrap());
            for field in *fields {
                request = request.append_header(*field);
            }
            assert_eq!(is_from_own_page(&settings, &request.to_http_request()), *expected, "{peer} {fields:?}");
        }
    }
}

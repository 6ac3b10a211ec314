//! Whom a request comes from, where a proxy stands before the registry.

use std::net::{IpAddr, SocketAddr};

use actix_web::{HttpRequest, http::header};

/// The proxies that are believed when they say from whom they pass a request on; by default there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    /// Networks: an address, and how many bits at its beginning all addresses share. IPv4 is never a part of IPv6.
    pub networks: Vec<(IpAddr, u8)>,
    /// Whether the clients of a Unix socket are proxies.
    pub unix: bool,
}

impl TrustedProxies {
    /// Whether what comes from `address` is believed.
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|(network, bits)| is_within(address, *network, *bits))
    }

    /// Whether a request comes from a proxy that is believed.
    pub(super) fn sent(&self, request: &HttpRequest) -> bool {
        request.peer_addr().map_or(self.unix, |address| self.trusts(address.ip()))
    }

    /// The address of the client; `None` if it is the unnamed client of a Unix socket.
    pub(super) fn client(&self, request: &HttpRequest) -> Option<IpAddr> {
        // One socket for both families shows IPv4 as a part of IPv6.
        let peer = request.peer_addr().map(|address| address.ip().to_canonical());
        if !peer.map_or(self.unix, |peer| self.trusts(peer)) {
            return peer;
        }
        let fields = request.headers().get_all(header::X_FORWARDED_FOR);
        let fields: Vec<&str> = fields.map(|value| value.to_str().unwrap_or_default()).collect();
        self.farthest_known(peer, fields.iter().rev().flat_map(|field| field.rsplit(',')))
    }

    /// Goes back over the hops, the nearest first, to the one that no proxy of ours vouches to have passed on. What
    /// stands before that one, anybody may have written.
    fn farthest_known<'a>(&self, peer: Option<IpAddr>, mut hops: impl Iterator<Item = &'a str>) -> Option<IpAddr> {
        let mut known = peer;
        while let Some(hop) = hops.next().and_then(address) {
            known = Some(hop);
            if !self.trusts(hop) {
                break;
            }
        }
        known
    }
}

/// An address as proxies write it: alone, or with a port.
fn address(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let with_port = || hop.parse().ok().map(|address: SocketAddr| address.ip());
    hop.parse().ok().or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

fn is_within(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    let shared = match (address, network) {
        (IpAddr::V4(one), IpAddr::V4(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros(),
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros(),
        _ => return false,
    };
    shared >= u32::from(bits)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use actix_web::test::TestRequest;

    use super::*;

    fn proxies() -> TrustedProxies {
        let network = |address: &str, bits| (address.parse().unwrap(), bits);
        TrustedProxies { networks: vec![network("10.1.0.0", 15), network("2001:db8::", 33)], unix: false }
    }

    #[test]
    fn networks_end_where_their_bits_do() {
        for (text, expected) in [
            ("10.0.255.255", true),
            ("10.1.255.255", true),
            ("10.2.0.0", false),
            ("::ffff:10.1.2.3", true),
            ("2001:db8:7fff:ffff::1", true),
            ("2001:db8:8000::", false),
            ("::10.1.2.3", false),
        ] {
            assert_eq!(proxies().trusts(text.parse().unwrap()), expected, "{text}");
        }
    }

    /// Peer, fields in the order in which they stand, and whom the request comes from.
    #[test]
    fn the_client_is_the_last_hop_that_is_no_proxy() {
        let cases: [(&str, &[&str], &str); 14] = [
            ("10.1.0.1", &["192.0.2.1"], "192.0.2.1"),
            ("::ffff:10.1.0.1", &["192.0.2.1"], "192.0.2.1"),
            ("2001:db8::1", &["[2001:db8:ffff::1]:443"], "2001:db8:ffff::1"),
            ("10.1.0.1", &["192.0.2.1:65535"], "192.0.2.1"),
            ("10.1.0.1", &["::ffff:192.0.2.1"], "192.0.2.1"),
            // The client's own entries are on the left.
            ("10.1.0.1", &["127.0.0.1, 192.0.2.1"], "192.0.2.1"),
            ("10.1.0.1", &["127.0.0.1,evil,192.0.2.1 , 10.1.0.2"], "192.0.2.1"),
            ("10.1.0.1", &["127.0.0.1", "192.0.2.1", "10.1.0.2"], "192.0.2.1"),
            // The proxies' own requests.
            ("10.1.0.1", &["10.1.0.3, 10.1.0.2"], "10.1.0.3"),
            ("10.1.0.1", &[], "10.1.0.1"),
            // An entry that is no address ends the search.
            ("10.1.0.1", &["192.0.2.1, unknown"], "10.1.0.1"),
            ("10.1.0.1", &["192.0.2.1, , 10.1.0.2"], "10.1.0.2"),
            // Others are not believed.
            ("192.0.2.9", &["192.0.2.1"], "192.0.2.9"),
            ("192.0.2.9", &["10.1.0.1"], "192.0.2.9"),
        ];
        for (peer, fields, expected) in cases {
            let mut request = TestRequest::default().peer_addr(SocketAddr::new(peer.parse().unwrap(), 1));
            for field in fields {
                request = request.append_header((header::X_FORWARDED_FOR, *field));
            }
            let client = proxies().client(&request.to_http_request());
            assert_eq!(client, Some(expected.parse().unwrap()), "{peer} {fields:?}");
        }
    }

    #[test]
    fn clients_of_a_socket_are_believed_where_they_are_proxies() {
        let request = TestRequest::default().append_header((header::X_FORWARDED_FOR, "192.0.2.1")).to_http_request();
        for (unix, expected) in [(false, None), (true, Some([192, 0, 2, 1].into()))] {
            assert_eq!(TrustedProxies { unix, ..proxies() }.client(&request), expected, "{unix}");
        }
    }
}

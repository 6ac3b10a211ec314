//! Where an upstream may send this registry: to which addresses its redirects and its realm may lead.

use std::net::IpAddr;

use tokio::net::lookup_host;
use url::Url;

use crate::client::is_public;

/// The network that an upstream is in. Addresses that are nearer than it are not connected to on its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Network {
    /// The public internet.
    Public,
    /// A private network.
    Private,
    /// This machine.
    Loopback,
}

impl Network {
    /// The network of the host of a URL. A host that is not known here is public.
    pub(super) async fn of(url: &Url) -> Self {
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let Ok(addresses) = lookup_host((host, url.port_or_known_default().unwrap_or(443))).await else {
            return Self::Public;
        };
        addresses
            .map(|address| Self::of_address(address.ip()))
            .max_by_key(|network| *network as u8)
            .unwrap_or(Self::Public)
    }

    fn of_address(address: IpAddr) -> Self {
        let address = address.to_canonical();
        if address.is_loopback() {
            Self::Loopback
        } else if is_private(address) {
            Self::Private
        } else {
            Self::Public
        }
    }

    /// Which addresses an upstream in this network may lead to.
    pub(super) fn may_connect(self) -> fn(IpAddr) -> bool {
        match self {
            Self::Public => is_public,
            Self::Private => |address| is_public(address) || is_private(address.to_canonical()),
            Self::Loopback => |address| {
                is_public(address) || is_private(address.to_canonical()) || address.to_canonical().is_loopback()
            },
        }
    }
}

/// Whether an address is of a private network (RFC 1918, RFC 4193), which link-local ones are not.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_private(),
        IpAddr::V6(address) => address.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    #[tokio::test]
    async fn nobody_is_led_to_a_nearer_network() {
        let addresses = ["1.1.1.1", "10.0.0.1", "fd00::1", "127.0.0.1", "::1", "169.254.169.254", "fe80::1", "0.0.0.0"];
        let rows = [
            ("https://1.1.1.1/", Network::Public, [true, false, false, false, false, false, false, false]),
            ("https://10.1.2.3/", Network::Private, [true, true, true, false, false, false, false, false]),
            ("https://[::1]:5000/", Network::Loopback, [true, true, true, true, true, false, false, false]),
            ("http://127.0.0.1:5000/", Network::Loopback, [true, true, true, true, true, false, false, false]),
            ("https://169.254.1.1/", Network::Public, [true, false, false, false, false, false, false, false]),
        ];
        for (url, network, expected) in rows {
            assert_eq!(Network::of(&url.parse().unwrap()).await, network, "{url}");
            let allowed = addresses.map(|address| network.may_connect()(address.parse().unwrap()));
            assert_eq!(allowed, expected, "{url}");
        }
    }
}

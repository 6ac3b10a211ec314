//! `http.trustedproxies`: the proxies whose `X-Forwarded-*` headers are believed.

use std::net::IpAddr;

use super::values::Values;

const KEY: &str = "http.trustedproxies";

/// The word for the clients of the Unix socket.
const UNIX: &str = "unix";

/// Proxies whose headers are believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustedProxy {
    /// The clients of a Unix socket.
    Unix,
    /// Every address of a network.
    Network {
        /// One of its addresses; IPv4 is never written as a part of IPv6.
        address: IpAddr,
        /// The length of the network prefix in bits.
        bits: u8,
    },
}

pub(super) fn read(values: &mut Values) -> Vec<TrustedProxy> {
    let place = values.source(KEY);
    let parsed: Result<Vec<_>, _> = values.list(KEY).iter().map(|text| parse(text.trim())).collect();
    parsed.unwrap_or_else(|problem| values.bad(KEY, place, problem))
}

fn parse(text: &str) -> Result<TrustedProxy, String> {
    if text == UNIX {
        return Ok(TrustedProxy::Unix);
    }
    let wrong = || format!("`{text}` is neither an address, nor a network like 10.0.0.0/8, nor unix");
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    if address != address.to_canonical() {
        return Err(format!("`{text}` is IPv4 in IPv6: write it as {}", address.to_canonical()));
    }
    let most = if address.is_ipv4() { 32 } else { 128 };
    let digits = bits.is_none_or(|bits| bits.bytes().all(|byte| byte.is_ascii_digit()));
    let bits = bits.map_or(Ok(most), str::parse).ok().filter(|bits| digits && *bits <= most).ok_or_else(wrong)?;
    if bits == 0 {
        return Err(format!(
            "`{text}` is every address, so that every client could claim any address: name the proxies"
        ));
    }
    Ok(TrustedProxy::Network { address, bits })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::super::load::tried;
    use super::*;

    #[test]
    fn proxies_are_networks_addresses_and_a_word() {
        let network = |address: &str, bits| TrustedProxy::Network { address: address.parse().unwrap(), bits };
        let cases = [
            ("10.0.0.0/8", network("10.0.0.0", 8)),
            ("192.0.2.1", network("192.0.2.1", 32)),
            ("2001:db8::/32", network("2001:db8::", 32)),
            ("::1", network("::1", 128)),
            ("unix", TrustedProxy::Unix),
        ];
        for (text, expected) in cases {
            let (config, errors, _) = tried("f.toml", &format!("http.trustedproxies = ['{text}']"), &[]);
            assert_eq!((config.http.trusted_proxies, errors), (vec![expected], vec![]), "{text}");
        }
        let (config, errors, _) = tried("f.toml", "http.trustedproxies = []", &[]);
        assert_eq!((config.http.trusted_proxies, errors), (vec![], vec![]));
    }

    #[test]
    fn what_is_no_proxy_is_named() {
        let texts = ["10.0.0.0/33", "10.0.0.0/+8", "10.0.0.0/", "::/129", "proxy.internal", "10.0.0.1:80", "*", "UNIX"];
        for (text, expected) in texts.map(|text| (text, "neither an address")).into_iter().chain([
            ("0.0.0.0/0", "every address"),
            ("::/0", "every address"),
            ("::ffff:10.0.0.1", "write it as 10.0.0.1"),
        ]) {
            let (_, errors, _) = tried("f.toml", &format!("http.trustedproxies = ['::1', '{text}']"), &[]);
            assert!(errors.len() == 1 && errors[0].contains(expected), "{text}: {errors:?}");
        }
    }
}

//! `http.trustedproxies`: the proxies whose `X-Forwarded-*` headers are believed.

use std::net::IpAddr;

use super::values::Values;
use crate::http::TrustedProxies;

const KEY: &str = "http.trustedproxies";

/// The word for the clients of the Unix socket.
const UNIX: &str = "unix";

pub(super) fn read(values: &mut Values) -> TrustedProxies {
    let place = values.source(KEY);
    let mut proxies = TrustedProxies::default();
    for text in values.list(KEY) {
        match text.trim() {
            UNIX => proxies.unix = true,
            text => match network(text) {
                Ok(network) => proxies.networks.push(network),
                Err(problem) => return values.bad(KEY, place, problem),
            },
        }
    }
    proxies
}

/// An address, and the length of the network prefix in bits. IPv4 is never written as a part of IPv6.
fn network(text: &str) -> Result<(IpAddr, u8), String> {
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
    Ok((address, bits))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::super::load::tried;
    use super::*;

    #[test]
    fn proxies_are_networks_addresses_and_a_word() {
        let cases = [
            ("10.0.0.0/8", Some(("10.0.0.0", 8))),
            ("192.0.2.1", Some(("192.0.2.1", 32))),
            ("2001:db8::/32", Some(("2001:db8::", 32))),
            ("::1", Some(("::1", 128))),
            ("unix", None),
        ];
        for (text, expected) in cases {
            let networks = expected.iter().map(|(address, bits)| (address.parse().unwrap(), *bits)).collect();
            let expected = TrustedProxies { networks, unix: text == UNIX };
            let (config, errors, _) = tried("f.toml", &format!("http.trustedproxies = ['{text}']"), &[]);
            assert_eq!((config.http.trusted_proxies, errors), (expected, vec![]), "{text}");
        }
        let (config, errors, _) = tried("f.toml", "http.trustedproxies = []", &[]);
        assert_eq!((config.http.trusted_proxies, errors), (TrustedProxies::default(), vec![]));
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

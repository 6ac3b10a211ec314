//! Addresses to listen on.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One address to listen on: `host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The left side.
    pub host: Host,
    /// The right side; 0 takes a free port.
    pub port: u16,
}

/// The left side of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// No host (`:5000`): every address of the machine, IPv4 and IPv6.
    Any,
    /// `localhost`: both 127.0.0.1 and `::1`, without a resolver.
    Localhost,
    /// An IP address.
    Ip(IpAddr),
    /// A name that the system's resolver looks up.
    Name(String),
}

impl Address {
    /// Reads `:5000`, `localhost:5000`, `10.0.0.1:5000`, `[::1]:5000`, `registry.internal:5000`.
    ///
    /// # Errors
    ///
    /// A message with the problem and the form of an address.
    pub fn parse(text: &str) -> Result<Self, String> {
        let form = "an address is written host:port, like localhost:5000, :5000 or [::1]:5000";
        let (host, port) = text.rsplit_once(':').ok_or_else(|| match text.parse::<u16>() {
            Ok(_) => format!("`{text}` is only a port; write :{text} for every address of this machine"),
            Err(_) => format!("`{text}` has no port; {form}"),
        })?;
        let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|_| digits).ok_or_else(|| format!("`{text}` has no valid port; {form}"))?;
        let host = Host::parse(host).ok_or_else(|| format!("`{text}` has no valid host; {form}"))?;
        Ok(Self { host, port })
    }

    /// Whether a system refuses to listen on both. Names are not looked up.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let contains = |one: &Host, other: &Host| match (one, other) {
            (Host::Any, _) => true,
            (Host::Localhost, Host::Ip(ip)) => {
                [Ipv4Addr::LOCALHOST.into(), IpAddr::from(Ipv6Addr::LOCALHOST)].contains(ip)
            }
            (Host::Ip(IpAddr::V4(one)), Host::Localhost | Host::Ip(IpAddr::V4(_))) if one.is_unspecified() => true,
            (Host::Ip(IpAddr::V6(one)), Host::Localhost | Host::Ip(IpAddr::V6(_))) if one.is_unspecified() => true,
            (one, other) => one == other,
        };
        let is_same_port = self.port == other.port && self.port != 0;
        is_same_port && (contains(&self.host, &other.host) || contains(&other.host, &self.host))
    }

    /// Whether only this machine can reach it.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Localhost => true,
            Host::Ip(ip) => ip.to_canonical().is_loopback(),
            Host::Any | Host::Name(_) => false,
        }
    }
}

impl Host {
    fn parse(text: &str) -> Option<Self> {
        if let Some(v6) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            return v6.parse::<Ipv6Addr>().ok().map(|ip| Self::Ip(ip.into()));
        }
        let name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
        match text {
            "" | "*" => Some(Self::Any),
            _ if text.eq_ignore_ascii_case("localhost") => Some(Self::Localhost),
            _ => match text.parse::<IpAddr>() {
                Ok(IpAddr::V4(ip)) => Some(Self::Ip(ip.into())),
                // An IPv6 address without brackets can't be separated from its port.
                Ok(IpAddr::V6(_)) => None,
                Err(_) => text.bytes().all(name).then(|| Self::Name(text.to_owned())),
            },
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Any => write!(f, ":{}", self.port),
            Host::Localhost => write!(f, "localhost:{}", self.port),
            Host::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]:{}", self.port),
            Host::Ip(ip) => write!(f, "{ip}:{}", self.port),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_addresses() {
        let cases = [
            (":5000", ":5000", false),
            ("*:5000", ":5000", false),
            ("localhost:0", "localhost:0", true),
            ("LocalHost:80", "localhost:80", true),
            ("127.0.0.2:5000", "127.0.0.2:5000", true),
            ("0.0.0.0:5000", "0.0.0.0:5000", false),
            ("[::1]:5000", "[::1]:5000", true),
            ("[::ffff:127.0.0.1]:5000", "[::ffff:127.0.0.1]:5000", true),
            ("[::]:5000", "[::]:5000", false),
            ("registry.internal:5000", "registry.internal:5000", false),
        ];
        for (text, written, loopback) in cases {
            let address = Address::parse(text).unwrap();
            assert_eq!((address.to_string().as_str(), address.is_loopback()), (written, loopback), "{text}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let cases = [
            ("5000", "write :5000"),
            ("localhost", "no port"),
            ("localhost:", "no valid port"),
            ("localhost:+80", "no valid port"),
            (":65536", "no valid port"),
            ("::1:5000", "no valid host"),
            ("http://localhost:5000", "no valid host"),
            ("a b:1", "no valid host"),
            ("[::1:5000", "no valid host"),
            ("", "no port"),
        ];
        for (text, problem) in cases {
            let said = Address::parse(text).unwrap_err();
            assert!(said.contains(problem), "{text}: {said}");
        }
    }

    proptest! {
        #[test]
        fn what_it_writes_it_reads(text in "[a-z0-9:.\\[\\]]{0,20}") {
            if let Ok(address) = Address::parse(&text) {
                prop_assert_eq!(Address::parse(&address.to_string()), Ok(address));
            }
        }
    }

    #[test]
    fn addresses_that_overlap_are_known() {
        let rows = [
            (":5000", ":5000", true),
            (":5000", ":5001", false),
            (":0", ":0", false),
            (":5000", "localhost:5000", true),
            ("10.0.0.1:5000", ":5000", true),
            ("localhost:5000", "127.0.0.1:5000", true),
            ("localhost:5000", "[::1]:5000", true),
            ("localhost:5000", "127.0.0.2:5000", false),
            ("0.0.0.0:5000", "10.0.0.1:5000", true),
            ("0.0.0.0:5000", "localhost:5000", true),
            ("0.0.0.0:5000", "[::1]:5000", false),
            ("[::]:5000", "[::1]:5000", true),
            ("a.test:5000", "a.test:5000", true),
            ("a.test:5000", "b.test:5000", false),
        ];
        for (one, other, expected) in rows {
            let (one, other) = (Address::parse(one).unwrap(), Address::parse(other).unwrap());
            assert_eq!((one.overlaps(&other), other.overlaps(&one)), (expected, expected), "{one} {other}");
        }
    }
}

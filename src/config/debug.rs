//! `[http.debug]`: the listener for metrics and health.

use super::values::Values;
use super::{Address, Kind, Setting};

/// The listener for metrics and health. It speaks plain HTTP and asks for no login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Debug {
    /// `http.debug.addr`: at least one address.
    pub addresses: Vec<Address>,
    /// `http.debug.prometheus.path`, if the metrics are enabled.
    pub metrics: Option<String>,
}

pub(super) const SETTINGS: &[Setting] = &[
    Setting::new(
        "http.debug.addr",
        Kind::Addresses,
        "",
        "Another address to listen on, for `/debug/health` and the metrics: plain HTTP, and no login. Not set: there is \
         no such listener.",
    ),
    Setting::new("http.debug.prometheus.enabled", Kind::Flag, "false", "Serve metrics there, for Prometheus."),
    Setting::new("http.debug.prometheus.path", Kind::Text, "/metrics", "The path of the metrics."),
];

/// The listener; `others` are the addresses that the registry itself listens on.
pub(super) fn read(values: &mut Values, others: &[Address]) -> Option<Debug> {
    let addresses = values.addresses("http.debug.addr");
    let enabled = values.flag("http.debug.prometheus.enabled");
    let path = values.parsed("http.debug.prometheus.path", |text| {
        let is_path =
            text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#%".contains(&byte));
        if is_path { Ok(text.to_owned()) } else { Err(format!("`{text}` is not a path like /metrics")) }
    });
    if addresses.is_empty() {
        if enabled {
            values.refuse::<()>(
                "http.debug.prometheus.enabled",
                "the metrics need http.debug.addr, such as localhost:5001",
            );
        }
        return None;
    }
    let taken = addresses.iter().find(|address| others.iter().any(|other| other.overlaps(address)));
    if let Some(address) = taken {
        let problem = format!("{address} is an address of http.addr; choose another port");
        values.refuse::<()>("http.debug.addr", problem);
    }
    Some(Debug { addresses, metrics: path.filter(|_| enabled) })
}

#[cfg(test)]
mod tests {
    use super::super::load::tried;
    use super::*;

    #[test]
    fn the_listener_is_read_as_registry2_reads_it() {
        let yaml = "http:\n  debug:\n    addr: :5001\n    prometheus:\n      enabled: true\n      path: /m\n";
        let (config, errors, _) = tried("f.yml", yaml, &[]);
        let addresses = vec![Address::parse(":5001").unwrap_or_else(|problem| panic!("{problem}"))];
        assert_eq!((config.http.debug, errors), (Some(Debug { addresses, metrics: Some("/m".into()) }), vec![]));
        let variables =
            [("REGISTRY_HTTP_DEBUG_ADDR", "localhost:5001"), ("REGISTRY_HTTP_DEBUG_PROMETHEUS_ENABLED", "true")];
        let (config, errors, _) = tried("f.toml", "", &variables);
        let metrics = config.http.debug.and_then(|debug| debug.metrics);
        assert_eq!((metrics.as_deref(), errors), (Some("/metrics"), vec![]));
    }

    #[test]
    fn says_what_is_wrong_with_it() {
        let cases = [
            ("addr = 'localhost:5000'", "is an address of http.addr"),
            ("addr = ':5000'", "is an address of http.addr"),
            ("addr = '5001'", "only a port"),
            ("prometheus.enabled = true", "need http.debug.addr"),
            ("addr = ':5001'\nprometheus.path = 'metrics'", "is not a path like /metrics"),
            ("addr = ':5001'\nprometheus.path = '/a?b'", "is not a path like /metrics"),
        ];
        for (lines, expected) in cases {
            let (_, errors, _) = tried("f.toml", &format!("[http.debug]\n{lines}\n"), &[]);
            assert!(errors.len() == 1 && errors[0].contains(expected), "{lines}: {errors:?}");
        }
    }
}

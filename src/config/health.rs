//! `[health]`: checks that make every request fail while they fail, as in registry:2.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::table_entry::{TableEntry, entries};
use super::values::Values;
use super::{Address, Kind, Setting};

/// A check, how often it is made, and what a failure means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// The target of the check.
    pub probe: Probe,
    /// The time between two checks.
    pub interval: Duration,
    /// How many checks must fail one after the other; 0 is as 1.
    pub threshold: u32,
}

/// The target of the check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// The store can be read.
    Store,
    /// A file is not there: an operator makes it to take the registry out of service.
    NoFile(PathBuf),
    /// A TCP connection can be made within this time.
    Connection(Address, Duration),
    /// A server answers a HEAD.
    Http(HttpProbe),
}

/// A HEAD to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpProbe {
    /// The URL.
    pub url: Url,
    /// The headers of the request.
    pub headers: Vec<(String, Vec<String>)>,
    /// The status that the answer must have.
    pub status: u16,
    /// The time that the answer may take.
    pub timeout: Duration,
}

pub(super) const SETTINGS: &[Setting] = &[
    Setting::new("health.storagedriver.enabled", Kind::Flag, "false", "Check that the store can be read."),
    Setting::new("health.storagedriver.interval", Kind::Duration, "10s", "The time between two of these checks."),
    Setting::new("health.storagedriver.threshold", Kind::Count, "0", "How many of them must fail one after the other."),
    Setting::new(
        "health.file",
        Kind::Rules,
        "",
        "Files that must not be there: `file`, and `interval` (10s), `threshold` (0). Make one to take the registry out of \
         service.",
    ),
    Setting::new(
        "health.tcp",
        Kind::Rules,
        "",
        "Servers that must take connections: `addr`, and `interval` (10s), `timeout` (1s), `threshold` (0).",
    ),
    Setting::new(
        "health.http",
        Kind::Rules,
        "",
        "Servers that must answer a HEAD: `uri`, and `headers`, `statuscode` (200), `timeout` (5s), `interval` (10s), \
         `threshold` (0).",
    ),
];

pub(super) fn read(values: &mut Values) -> Vec<HealthCheck> {
    let mut checks = Vec::new();
    let store = HealthCheck {
        probe: Probe::Store,
        interval: values.duration("health.storagedriver.interval"),
        threshold: u32::try_from(values.count("health.storagedriver.threshold")).unwrap_or(u32::MAX),
    };
    if store.interval.is_zero() {
        values.refuse::<()>("health.storagedriver.interval", "it must be longer than 0");
    }
    if values.flag("health.storagedriver.enabled") {
        checks.push(store);
    }
    checks.extend(entries(values, "health.file", file));
    checks.extend(entries(values, "health.tcp", tcp));
    checks.extend(entries(values, "health.http", http));
    checks
}

const INTERVAL: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(1);
const HTTP_TIMEOUT: Duration = Duration::from_secs(5);

fn file(mut entry: TableEntry<'_>) -> Option<HealthCheck> {
    let path = entry.must("file", |text| Ok(PathBuf::from(text)));
    let (interval, threshold) = (entry.time("interval", INTERVAL), entry.count("threshold", 0));
    entry.end(&["file", "interval", "threshold"]);
    Some(HealthCheck { probe: Probe::NoFile(path?), interval, threshold })
}

fn tcp(mut entry: TableEntry<'_>) -> Option<HealthCheck> {
    let address = entry.must("addr", Address::parse);
    let timeout = entry.time("timeout", TIMEOUT);
    let (interval, threshold) = (entry.time("interval", INTERVAL), entry.count("threshold", 0));
    entry.end(&["addr", "interval", "timeout", "threshold"]);
    Some(HealthCheck { probe: Probe::Connection(address?, timeout), interval, threshold })
}

fn http(mut entry: TableEntry<'_>) -> Option<HealthCheck> {
    let url = entry.must("uri", |text| match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
        // It may hold a password, so it is not repeated.
        _ => Err("this is not a URL; write it whole, like https://registry.example.com".to_owned()),
    });
    let headers = entry.lists("headers");
    let status = entry.take("statuscode", |text| match text.parse() {
        Ok(status @ 100..=599) => Ok(status),
        _ => Err(format!("`{text}` is not a status of HTTP, such as 200")),
    });
    let timeout = entry.time("timeout", HTTP_TIMEOUT);
    let (interval, threshold) = (entry.time("interval", INTERVAL), entry.count("threshold", 0));
    entry.end(&["uri", "headers", "statuscode", "timeout", "interval", "threshold"]);
    let probe = HttpProbe { url: url?, headers, status: status.unwrap_or(200), timeout };
    Some(HealthCheck { probe: Probe::Http(probe), interval, threshold })
}

#[cfg(test)]
mod tests {
    use super::super::load::tried;
    use super::*;

    #[test]
    fn checks_are_read_as_registry2_reads_them() {
        let yaml = "
health:
  storagedriver: {enabled: true, interval: 10s, threshold: 3}
  file:
    - {file: /path/to/checked/file, interval: 20s, threshold: 4}
  tcp:
    - {addr: 'redis-server.domain.com:6379', timeout: 3s, interval: 30s, threshold: 2}
  http:
    - uri: http://server.to.check/must/return/200
      headers:
        Authorization: [Basic abc]
      statuscode: 201
";
        let (config, errors, _) = tried("f.yml", yaml, &[]);
        assert_eq!(errors, Vec::<String>::new());
        let redis = Address::parse("redis-server.domain.com:6379").unwrap_or_else(|problem| panic!("{problem}"));
        let check =
            |probe, interval, threshold| HealthCheck { probe, interval: Duration::from_secs(interval), threshold };
        let expected = [
            check(Probe::Store, 10, 3),
            check(Probe::NoFile("/path/to/checked/file".into()), 20, 4),
            check(Probe::Connection(redis, Duration::from_secs(3)), 30, 2),
            check(
                Probe::Http(HttpProbe {
                    url: "http://server.to.check/must/return/200".parse().unwrap_or_else(|_| panic!("a URL")),
                    headers: vec![("Authorization".to_owned(), vec!["Basic abc".to_owned()])],
                    status: 201,
                    timeout: Duration::from_secs(5),
                }),
                10,
                0,
            ),
        ];
        assert_eq!(config.health, expected);
        let variables = [("REGISTRY_HEALTH_FILE_0_FILE", "/down"), ("REGISTRY_HEALTH_FILE_0_INTERVAL", "1s")];
        let (config, errors, _) = tried("f.toml", "", &variables);
        assert_eq!((config.health, errors), (vec![check(Probe::NoFile("/down".into()), 1, 0)], vec![]));
    }

    #[test]
    fn says_what_is_wrong_with_a_check() {
        let cases = [
            ("file = [{interval = '1s'}]", "has no file"),
            ("file = [{file = '/a', intervall = '1s'}]", "did you mean `health.file.interval`?"),
            ("file = [{file = '/a', interval = '0s'}]", "longer than 0"),
            ("file = '/a'", "a list of tables was expected"),
            ("tcp = [{addr = '5'}]", "only a port"),
            ("tcp = [{addr = 'a:5', threshold = 'x'}]", "whole number"),
            ("storagedriver.interval = '0s'", "longer than 0"),
            ("http = [{uri = 'me:secret'}]", "is not a URL"),
            ("http = [{uri = 'http://a', statuscode = 'x'}]", "not a status"),
            ("http = [{uri = 'http://a', headers = 'x'}]", "a table was expected"),
        ];
        for (line, expected) in cases {
            let (_, errors, _) = tried("f.toml", &format!("[health]\n{line}\n"), &[]);
            assert!(errors.len() == 1 && errors[0].contains(expected), "{line}: {errors:?}");
            assert!(!errors[0].contains("secret"), "{errors:?}");
        }
    }
}

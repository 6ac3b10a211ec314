//! Names and values of variables, and what they come to.

#![allow(clippy::unwrap_used, reason = "tests")]
use std::collections::HashSet;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::config::load::tried;
use crate::config::{Address, Config, Listen, Store};

fn holds(variables: &[(&str, &str)]) -> Config {
    let (config, errors, notices) = tried("f.yml", "http: {headers: {X-A: [a], X-B: [b]}}", variables);
    assert_eq!((errors, notices), (vec![], vec![]), "{variables:?}");
    config
}

#[test]
fn names_lead_to_settings() {
    let cases = [
        ("REGISTRY_HTTP_ADDR", Some(Target::Setting("http.addr", Kind::Addresses))),
        ("REGISTRY_http_Addr", Some(Target::Setting("http.addr", Kind::Addresses))),
        ("REGISTRY_HTTP", Some(Target::Table("http"))),
        ("REGISTRY_STORAGE_MAINTENANCE", Some(Target::Table("storage.maintenance"))),
        ("REGISTRY_AUTH_TOKEN_IDENTITY_TOKENS", Some(Target::Setting("auth.token.identity_tokens", Kind::Flag))),
        ("REGISTRY_LOG_FIELDS_SERVICE", Some(Target::Entry("log.fields", "service".to_owned()))),
        ("REGISTRY_HTTP_HEADERS_X-Frame-Options", Some(Target::Entry("http.headers", "X-Frame-Options".to_owned()))),
        ("REGISTRY_PROXY_REMOTEURL", Some(Target::Setting("proxy.remoteurl", Kind::Url))),
        ("REGISTRY_REDIS_ADDR", Some(Target::Inside("redis"))),
        ("REGISTRY_HTTP_HEADERS_", None),
        ("REGISTRY_HTTP_ADDR_X", Some(Target::Item("http.addr", "X".to_owned()))),
        ("REGISTRY_http_tls_clientcas_0", Some(Target::Item("http.tls.clientcas", "0".to_owned()))),
        ("REGISTRY_ACCESS_0_USERS_1", Some(Target::Item("access", "0_USERS_1".to_owned()))),
        ("REGISTRY_HTTP_HOST_0", None),
        ("REGISTRY_", None),
        ("REGISTRY_X", None),
    ];
    for (name, expected) in cases {
        assert_eq!(target(name), expected, "{name}");
    }
}

#[test]
fn no_two_settings_share_a_variable() {
    let mut seen = HashSet::new();
    for setting in table::settings() {
        assert!(seen.insert(setting.variable()), "{}", setting.key);
    }
    for key in table::tables().filter(|key| table::find(key).is_none()) {
        assert!(!seen.contains(&variable(key)), "{key}");
    }
}

#[test]
fn values_are_read_as_yaml() {
    let listen = |value| holds(&[("REGISTRY_HTTP_ADDR", value)]).http.listen;
    let one = |text: &str| Listen::Tcp(vec![Address::parse(text).unwrap()]);
    assert_eq!(listen(":5001"), one(":5001"));
    assert_eq!(listen("'localhost:5001'"), one("localhost:5001"));
    assert_eq!(listen("[::1]:5001"), one("[::1]:5001"));
    assert_eq!(listen("[':1', ':2']"), Listen::Tcp(vec![Address::parse(":1").unwrap(), Address::parse(":2").unwrap()]));
    assert!(!holds(&[("REGISTRY_STORAGE_DELETE_ENABLED", "no")]).storage.delete);
    assert!(!holds(&[("REGISTRY_STORAGE_DELETE", "{enabled: false}")]).storage.delete);
    let purging =
        holds(&[("REGISTRY_STORAGE_MAINTENANCE_UPLOADPURGING", "{enabled: true, age: 168h}")]).storage.upload_purging;
    assert_eq!(purging.unwrap().age.as_secs(), 168 * 3600);
    assert_eq!(holds(&[("REGISTRY_CATALOG_MAXENTRIES", "7")]).limits.catalog_entries, 7);
}

#[test]
fn a_store_is_chosen_and_the_rest_stays() {
    let root = |path: &str| Store::Filesystem { root: PathBuf::from(path) };
    assert_eq!(holds(&[("REGISTRY_STORAGE", "inmemory")]).storage.store, Store::Memory);
    assert_eq!(holds(&[("REGISTRY_STORAGE_INMEMORY", "")]).storage.store, Store::Memory);
    assert_eq!(holds(&[("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", "/x")]).storage.store, root("/x"));
    let file = "[storage.inmemory]\n[storage.delete]\nenabled = false\n";
    let (config, ..) = tried("f.toml", file, &[("REGISTRY_STORAGE", "filesystem")]);
    assert_eq!((config.storage.store, config.storage.delete), (root("./data"), false));
    let (_, errors, _) = tried("f.toml", file, &[("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", "/x")]);
    assert!(errors[0].contains("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY"), "{errors:?}");
}

#[test]
fn entries_are_set_one_by_one() {
    let headers = holds(&[("REGISTRY_HTTP_HEADERS_X-b", "['c']"), ("REGISTRY_HTTP_HEADERS_X-D", "d")]).http.headers;
    let text = |text: &str| text.to_owned();
    assert_eq!(
        headers,
        [(text("X-A"), vec![text("a")]), (text("X-B"), vec![text("c")]), (text("x-d"), vec![text("d")])]
    );
    let headers = holds(&[("REGISTRY_HTTP_HEADERS", "{X-E: [e]}")]).http.headers;
    assert_eq!(headers, [(text("X-E"), vec![text("e")])]);
}

#[test]
fn a_map_for_a_table_replaces_it_and_longer_names_come_after() {
    let variables = [("REGISTRY_HTTP_PREFIX", "/p"), ("REGISTRY_HTTP", "{draintimeout: 1s}")];
    let http = holds(&variables).http;
    assert_eq!((http.drain_timeout.as_secs(), http.prefix.as_str(), http.headers.len()), (1, "/p", 0));
}

#[test]
fn what_is_no_setting_is_a_warning_only() {
    let cases = [
        ("REGISTRY_PORT", "tcp://10.0.0.1:5000", "Kubernetes"),
        ("REGISTRY_SERVICE_HOST", "10.0.0.1", "Kubernetes"),
        ("REGISTRY_SERVICE_PORT_HTTP", "5000", "Kubernetes"),
        ("REGISTRY_PORT_5000_TCP_ADDR", "10.0.0.1", "Kubernetes"),
        ("REGISTRY_PROXY_SERVICE_HOST", "10.0.0.1", "Kubernetes"),
        ("REGISTRY_PROXY_PORT", "tcp://10.0.0.1:3128", "Kubernetes"),
        ("REGISTRY_HTTP_ADR", ":5000", "did you mean REGISTRY_HTTP_ADDR?"),
        ("REGISTRY_COLOUR", "[", "is not a setting"),
        ("REGISTRY_HTTP_HOST", "", "this is empty and has no effect"),
        ("REGISTRY_LOG_LEVEL", "", "this is empty and has no effect"),
    ];
    for (name, value, expected) in cases {
        let (config, errors, notices) = tried("f.toml", "", &[(name, value)]);
        assert_eq!(errors, Vec::<String>::new(), "{name}");
        assert!(notices.len() == 1 && notices[0].contains(expected), "{name}: {notices:?}");
        assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()), "{name}");
    }
}

#[test]
fn wrong_values_name_their_variable() {
    let cases = [
        ("REGISTRY_HTTP_DRAINTIMEOUT", "30", "REGISTRY_HTTP_DRAINTIMEOUT: http.draintimeout: `30` is not a duration"),
        ("REGISTRY_STORAGE_DELETE_ENABLED", "perhaps", "neither true nor false"),
        ("REGISTRY_HTTP_HEADERS", "[a", "REGISTRY_HTTP_HEADERS: this is not valid YAML"),
        ("REGISTRY_HTTP_HEADERS", "x", "a table was expected"),
        ("REGISTRY_HTTP", "x", "a table was expected, not a single value; its settings are http.addr, "),
        ("REGISTRY_HTTP", "{adr: x}", "did you mean `http.addr`?"),
        ("REGISTRY_STORAGE", "swift", "none of filesystem, inmemory, s3"),
        ("REGISTRY_MIDDLEWARE_STORAGE", "[{name: x}]", "middleware is not supported"),
    ];
    for (name, value, expected) in cases {
        let (_, errors, _) = tried("f.toml", "", &[(name, value)]);
        assert!(errors.iter().any(|error| error.contains(expected)), "{name}={value}: {errors:?}");
    }
}

#[test]
fn a_text_need_not_be_yaml() {
    let realm = |value| match tried(
        "f.toml",
        "",
        &[("REGISTRY_AUTH_HTPASSWD_PATH", "/f"), ("REGISTRY_AUTH_HTPASSWD_REALM", value)],
    )
    .0
    .auth
    .mode
    {
        crate::config::Mode::Htpasswd(htpasswd) => htpasswd.realm,
        mode => panic!("{mode:?}"),
    };
    for (value, expected) in
        [("Registry: ours", "Registry: ours"), ("'quoted'", "quoted"), ("0123", "0123"), ("@home", "@home")]
    {
        assert_eq!(realm(value), expected);
    }
}

proptest! {
    #[test]
    fn every_setting_is_found_by_its_variable_in_any_case(index in any::<prop::sample::Index>(), flips in any::<u64>()) {
        let settings: Vec<_> = table::settings().collect();
        let setting = index.get(&settings);
        let name = setting.variable();
        let flip = |(at, c): (usize, char)| if at >= 9 && flips >> (at % 64) & 1 == 1 { c.to_ascii_lowercase() } else { c };
        let name: String = name.chars().enumerate().map(flip).collect();
        prop_assert_eq!(target(&name), Some(Target::Setting(setting.key, setting.kind)));
    }

    #[test]
    fn no_variable_is_a_panic(name in "REGISTRY_[A-Z_0-9]{0,30}", value in "\\PC{0,40}") {
        tried("f.toml", "", &[(&name, &value)]);
    }

    #[test]
    fn no_value_of_a_setting_is_a_panic(index in any::<prop::sample::Index>(), value in "\\PC{0,40}") {
        let settings: Vec<_> = table::settings().map(Setting::variable).collect();
        let name: &String = index.get(&settings);
        tried("f.toml", "", &[(name, &value)]);
    }
}

/// Where the default would open the registry or serve another store, an empty value is an error: most are
/// `VARIABLE=$UNSET`.
#[test]
fn report_start_an_empty_value_is_refused_where_the_default_opens_or_loses_something() {
    let keys = [
        "storage.filesystem.rootdirectory",
        "storage.filesystem",
        "storage",
        "http.addr",
        "http.tls.certificate",
        "http.tls.key",
        "http.tls.clientcas",
        "http.tls.clientauth",
        "http.tls",
        "auth",
        "auth.mode",
        "auth.htpasswd",
        "auth.htpasswd.path",
        "auth.token.rootcertbundle",
        "auth.token.jwks",
        "auth.token.key",
        "auth.token",
        "access",
    ];
    for key in keys {
        for value in ["", " ", "~"] {
            let name = variable(key);
            let (_, errors, _) = tried("f.toml", "", &[(&name, value)]);
            assert!(
                errors.iter().any(|error| error.contains(&name) && error.contains("is empty")),
                "{name}: {errors:?}"
            );
        }
        if table::find(key).is_some_and(Setting::refuses_empty) {
            let (_, errors, _) = tried("f.yml", &format!("{key}:"), &[]);
            assert!(errors.iter().any(|error| error.contains(key) && error.contains("is empty")), "{key}: {errors:?}");
        }
    }
    for key in ["http.addr", "storage.filesystem.rootdirectory", "auth.htpasswd.path", "http.tls.certificate"] {
        let (_, errors, _) = tried("f.yml", &format!("{key}: ''"), &[]);
        assert!(!errors.is_empty(), "{key}");
    }
}

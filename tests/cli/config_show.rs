//! `wharf config show`.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use super::wharf::{Ran, fixture, wharf, wharf_in};

/// The value and the source of a setting.
fn line<'a>(ran: &'a Ran, key: &str) -> (&'a str, &'a str) {
    let mut lines = ran.out.lines().filter_map(|line| line.split_once(" = "));
    let (_, rest) = lines.find(|(name, _)| *name == key).unwrap_or_else(|| panic!("{key} in {}", ran.out));
    let (value, source) = rest.rsplit_once("# ").unwrap();
    (value.trim(), source)
}

#[test]
fn each_value_has_its_source() {
    let file = fixture("registry-2.yml");
    let variables = [("REGISTRY_STORAGE_DELETE_ENABLED", "false"), ("REGISTRY_HTTP_ADDR", ":5001")];
    let ran = wharf(&["config", "show", &file], &variables);
    assert_eq!(ran.code, 0, "{ran:?}");
    let at = |line: usize| format!("{file}:{line}");
    assert_eq!(line(&ran, "http.addr"), ("\":5001\"", "REGISTRY_HTTP_ADDR"));
    assert_eq!(line(&ran, "storage.filesystem.rootdirectory"), ("\"/var/lib/registry\"", at(9).as_str()));
    assert_eq!(line(&ran, "storage.delete.enabled"), ("false", "REGISTRY_STORAGE_DELETE_ENABLED"));
    assert_eq!(line(&ran, "log.level"), ("\"info\"", "default"));
    assert_eq!(line(&ran, "log.fields"), ("{ service = \"registry\" }", at(3).as_str()));
    assert_eq!(line(&ran, "http.headers"), ("{ X-Content-Type-Options = [\"nosniff\"] }", at(12).as_str()));
    assert_eq!(line(&ran, "storage.cache").1, format!("{}, changes nothing", at(6)));
}

#[test]
fn the_file_is_named_by_argument_option_variable_or_place() {
    let sparse = fixture("sparse.toml");
    let expected = ("\"allow\"", format!("{sparse}:3"));
    let runs = [
        wharf(&["config", "show", &sparse], &[("REGISTRY_CONFIGURATION_PATH", "/nowhere")]),
        wharf(&["config", "show", "--config", &sparse], &[]),
        wharf(&["config", "show"], &[("REGISTRY_CONFIGURATION_PATH", &sparse)]),
    ];
    for ran in runs {
        assert_eq!(line(&ran, "validation.manifests.missing"), (expected.0, expected.1.as_str()));
    }
    let directory = tempfile::tempdir().unwrap();
    std::fs::copy(&sparse, directory.path().join("registry.toml")).unwrap();
    let ran = wharf_in(directory.path(), &["config", "show"], &[]);
    assert_eq!(line(&ran, "validation.manifests.missing"), ("\"allow\"", "registry.toml:3"));
}

/// What is shown, read again, shows the same values.
#[test]
fn the_output_is_a_settings_file_that_says_the_same() {
    let values = |ran: &Ran| -> Vec<String> {
        ran.out.lines().map(|line| line.rsplit_once("# ").unwrap().0.trim().to_owned()).collect()
    };
    for (name, variables) in [
        ("registry-2.yml", &[][..]),
        ("sparse.toml", &[("REGISTRY_HTTP_ADDR", "[':1', '[::1]:2']")]),
        ("long.yml", &[("REGISTRY_LOG_FIELDS_QUOTE", "a \"b\" \\ # c")]),
        ("long.yml", &[("REGISTRY_STORAGE", "filesystem")]),
    ] {
        let ran = wharf(&["config", "show", &fixture(name)], variables);
        let directory = tempfile::tempdir().unwrap();
        let again = directory.path().join("shown.toml");
        std::fs::write(&again, &ran.out).unwrap();
        let shown = wharf(&["config", "show", again.to_str().unwrap()], &[]);
        assert_eq!((ran.code, shown.code), (0, 0), "{name}: {}{}", ran.err, shown.err);
        assert_eq!(values(&shown), values(&ran), "{name}");
    }
}

#[test]
fn secrets_are_not_shown() {
    let endpoint = "{url: 'https://me:canary-4711@hooks.test/?key=canary-4711', headers: {X-Key: [canary-4711]}, \
                    secret: canary-4711}";
    let check = "{uri: 'http://me:canary-4711@db.test/?key=canary-4711', headers: {Authorization: [canary-4711]}}";
    let variables = [
        ("REGISTRY_HTTP_SECRET", "canary-4711"),
        ("REGISTRY_NOTIFICATIONS_ENDPOINTS", &format!("[{endpoint}]")),
        ("REGISTRY_HEALTH_HTTP", &format!("[{check}]")),
    ];
    let ran = wharf(&["config", "show"], &variables);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(line(&ran, "http.secret").0, "\"(secret)\"");
    assert!(line(&ran, "notifications.endpoints").0.contains("hooks.test/"), "{}", ran.out);
    assert!(line(&ran, "health.http").0.contains("db.test/"), "{}", ran.out);
    assert!(!ran.out.contains("canary-4711") && !ran.err.contains("canary-4711"));
}

#[test]
fn a_file_of_another_registry_is_mentioned_and_not_read() {
    let theirs = ["/etc/docker/registry/config.yml", "/etc/distribution/config.yml"];
    let (checked, shown) = (wharf(&["config", "check"], &[]), wharf(&["config", "show"], &[]));
    for path in theirs {
        let mentioned = format!("{path} is there and is not read");
        assert_eq!(checked.err.contains(&mentioned), Path::new(path).exists(), "{checked:?}");
        assert!(!shown.err.contains(&mentioned) && !shown.out.contains(path), "{shown:?}");
    }
}

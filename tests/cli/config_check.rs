//! `wharf config check`.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::wharf::{Ran, fixture, wharf, wharf_in};

fn check(name: &str) -> Ran {
    wharf(&["config", "check", &fixture(name)], &[])
}

#[test]
fn without_a_file_all_is_right() {
    let ran = wharf(&["config", "check"], &[]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "the settings are right\n"));
    assert_eq!(ran.complaints(), Vec::<String>::new());
}

#[test]
fn the_stock_files_of_registry_2_and_3_are_right() {
    let cache = "storage.cache has no effect: wharf has its own cache in memory";
    let ran = check("registry-2.yml");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.complaints(), [format!("warning: registry-2.yml:6: {cache}")]);
    let ran = check("registry-3.yml");
    assert_eq!((ran.code, ran.complaints().len()), (0, 2), "{ran:?}");
}

/// Its password file is the only thing that may stand in the way.
#[test]
fn the_file_of_debian_is_right_but_for_what_is_not_there_yet() {
    let ran = check("debian.yml");
    let others = |line: &String| {
        let users = line.starts_with("/etc/docker/registry: ") || line.contains("auth.htpasswd.");
        !line.starts_with("warning: ") && !users
    };
    assert_eq!(ran.complaints().into_iter().filter(others).collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn a_long_file_of_registry_2_is_right() {
    let ran = check("long.yml");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.complaints().iter().all(|line| line.starts_with("warning: long.yml:")), "{ran:?}");
    assert!(!ran.err.contains("asecretforlocaldevelopment"));
}

#[test]
fn unknown_keys_name_their_line_and_the_nearest_key() {
    let ran = check("unknown-keys.toml");
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert_eq!(
        ran.complaints(),
        [
            "unknown-keys.toml:2: `http.adr` is not a setting; did you mean `http.addr`?",
            "unknown-keys.toml:5: `storage.rootdirectory` is not a setting; did you mean `storage.filesystem.rootdirectory`?",
            "unknown-keys.toml:7: `colours` is not a setting",
        ]
    );
    let ran = check("unknown-keys.yml");
    assert_eq!(ran.code, 1);
    assert_eq!(
        ran.complaints(),
        [
            "unknown-keys.yml:4: `http.drain_timeout` is not a setting; did you mean `http.draintimeout`?",
            "unknown-keys.yml:6: `storage.file_system` is not a setting; did you mean `storage.filesystem`?",
        ]
    );
}

#[test]
fn wrong_values_are_reported_together() {
    let ran = check("wrong-values.toml");
    assert_eq!(ran.code, 1);
    assert_eq!(
        ran.complaints(),
        [
            "wrong-values.toml:2: http.addr: `5000` is only a port; write :5000 for every address of this machine",
            "wrong-values.toml:3: http.draintimeout: `30` is not a duration; write it like 30s, 5m or 24h",
            "wrong-values.toml:6: storage.durability: `maybe` is none of full, none",
            "wrong-values.toml:9: storage.delete.enabled: `perhaps` is neither true nor false",
            "wrong-values.toml:12: limits.uploads: `-1` is not a whole number of 0 or more",
        ]
    );
}

#[test]
fn what_wharf_has_not_is_refused_in_plain_words() {
    let ran = check("refused.yml");
    assert_eq!(ran.code, 1);
    let starts = ["http.tls.letsencrypt is not supported", "storage.gcs is not supported"];
    let complaints = ran.complaints();
    assert_eq!(complaints.len(), starts.len(), "{complaints:?}");
    for start in starts {
        assert!(complaints.iter().any(|line| line.contains(&format!(": {start}: "))), "{start}: {complaints:?}");
    }
}

#[test]
fn a_file_that_is_no_toml_names_its_line() {
    let ran = check("no-toml.toml");
    assert_eq!(ran.code, 1);
    assert!(ran.complaints()[0].starts_with("no-toml.toml:2: this is not valid TOML: "), "{ran:?}");
}

#[test]
fn a_file_that_is_not_there_is_an_error() {
    let ran = wharf(&["config", "check", "/nowhere/registry.toml"], &[]);
    assert_eq!(ran.code, 1);
    assert_eq!(
        ran.complaints(),
        ["/nowhere/registry.toml: the settings file can't be read: No such file or directory (os error 2)"]
    );
    let ran = wharf(&["config", "check"], &[("REGISTRY_CONFIGURATION_PATH", "/nowhere/x.yml")]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("the settings file that REGISTRY_CONFIGURATION_PATH names can't be read"), "{ran:?}");
}

#[test]
fn unknown_variables_are_warnings() {
    let variables = [("REGISTRY_PORT", "tcp://10.0.0.1:5000"), ("REGISTRY_HTP_ADDR", ":1")];
    let ran = wharf(&["config", "check"], &variables);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(
        ran.complaints(),
        [
            "warning: REGISTRY_HTP_ADDR: this is not a setting and is ignored; did you mean REGISTRY_HTTP_ADDR?",
            "warning: REGISTRY_PORT: Kubernetes sets this for a Service; it is ignored",
        ]
    );
}

#[test]
fn a_variable_with_a_wrong_value_is_an_error() {
    let ran = wharf(&["config", "check"], &[("REGISTRY_HTTP_ADDR", "localhost")]);
    assert_eq!(ran.code, 1);
    assert!(ran.complaints()[0].starts_with("REGISTRY_HTTP_ADDR: http.addr: `localhost` has no port"), "{ran:?}");
}

#[test]
fn serve_refuses_wrong_settings_in_the_same_words() {
    let name = fixture("wrong-values.toml");
    let check = wharf(&["config", "check", &name], &[]);
    for arguments in [&["serve", name.as_str()][..], &[name.as_str()], &["--config", name.as_str()]] {
        let serve = wharf(arguments, &[]);
        assert_eq!((serve.code, serve.complaints()), (1, check.complaints()), "{arguments:?}");
    }
}

#[test]
fn the_annotated_file_is_found_where_wharf_starts() {
    let top = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let ran = wharf_in(top, &["config", "check"], &[]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "registry.toml: the settings are right\n"));
}

//! What the manual names as not implemented for a bucket is refused in words, and nothing of it is taken silently.

use std::{fs, process::Command};

/// The settings that are refused, each as lines that a file may have.
const REFUSED: [(&str, &str); 9] = [
    ("storage.gc.untagged", "[storage.gc]\nuntagged = true"),
    ("storage.retention.interval", "[[retention]]\nrepositories = ['a']\nkeep_newest = 1"),
    ("pulled_within", "[storage.retention]\ninterval = '0'\n[[retention]]\nrepositories = ['a']\npulled_within = '1d'"),
    ("notifications.endpoints", "[[notifications.endpoints]]\nname = 'n'\nurl = 'http://127.0.0.1:1'"),
    ("upstream", "[[upstream]]\nprefix = 'hub'\nurl = 'https://registry-1.docker.io'"),
    ("proxy", "[proxy]\nremoteurl = 'https://registry-1.docker.io'"),
    ("auth.token", "[auth]\nmode = 'token'\nhtpasswd.path = '/f'"),
    ("storage.azure", "[storage.azure]\ncontainer = 'c'"),
    ("storage.gcs", "[storage.gcs]\nbucket = 'b'"),
];

/// The settings without an effect.
const WARNED: [(&str, &str); 4] = [
    ("storage.gc.interval", "[storage.gc]\ninterval = '1h'"),
    ("storage.durability", "[storage]\ndurability = 'none'"),
    ("storage.min_free", "[storage]\nmin_free = '1GiB'"),
    ("storage.redirect", "[storage.redirect]\ndisable = true"),
];

/// What the manual names in backticks, in each row of its table.
fn named() -> Vec<Vec<String>> {
    let manual = include_str!("../../docs/s3.md");
    let (_, after) = manual.split_once("| Not on a bucket |").unwrap();
    let rows = after.lines().skip(2).take_while(|line| line.starts_with('|'));
    let names = |row: &str| row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2).map(str::to_owned).collect();
    rows.map(names).collect()
}

/// Runs wharf with these settings beside those of a bucket that nobody serves; whether it succeeded, and what it says.
fn wharf(arguments: &[&str], more: &str) -> (bool, String) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("registry.toml");
    let bucket =
        "[storage.s3]\nbucket = 'b'\nregionendpoint = 'http://127.0.0.1:1'\naccesskey = 'a'\nsecretkey = 's'\n";
    fs::write(&file, format!("{bucket}{more}\n")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
    let output = command.args(arguments).env("REGISTRY_CONFIGURATION_PATH", &file).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn commands_are_refused() {
    for command in &named()[0] {
        let mut arguments: Vec<&str> = command.split(' ').skip(1).collect();
        if command == "wharf fetch" {
            arguments.push("docker.io/library/alpine:3");
        }
        let (is_done, said) = wharf(&arguments, "");
        assert!(!is_done && said.contains("not implemented yet for storage.s3"), "{command}: {said}");
    }
}

#[test]
fn settings_are_refused_or_have_a_warning() {
    let named = named();
    let refused: Vec<_> = [&named[1][..], &named[2], &named[5]].concat();
    assert_eq!(refused, REFUSED.map(|(name, _)| name.to_owned()), "the manual and this test name the same");
    assert_eq!(named[3], WARNED.map(|(name, _)| name.to_owned()), "the manual and this test name the same");
    for (name, lines) in REFUSED {
        let (is_right, said) = wharf(&["config", "check"], lines);
        let names_it = said.contains(name) || (name == "proxy" && said.contains("upstream"));
        assert!(!is_right && names_it && said.contains("storage.s3"), "{name}: {said}");
        assert!(!wharf(&["serve"], lines).0, "{name}");
    }
    for (name, lines) in WARNED {
        let (is_right, said) = wharf(&["config", "check"], lines);
        assert!(is_right && said.contains(&format!("{name} has no effect")), "{name}: {said}");
    }
}

#[test]
fn roles_are_refused_in_words() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_wharf"));
    command.args(["serve", "--addr", "127.0.0.1:0"]).current_dir(directory.path()).env_clear();
    command.env("REGISTRY_STORAGE", "s3").env("REGISTRY_STORAGE_S3_BUCKET", "b").env("REGISTRY_STORAGE_S3_REGION", "r");
    command.env("AWS_WEB_IDENTITY_TOKEN_FILE", "/token");
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("AWS_WEB_IDENTITY_TOKEN_FILE is set"), "{said}");
}

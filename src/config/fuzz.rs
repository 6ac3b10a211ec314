//! Files of settings and variables, for the fuzzer.

use super::load::tried;

/// A file, as TOML and as YAML.
pub(crate) fn settings(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        for name in ["registry.toml", "config.yml"] {
            tried(name, text, &[]);
        }
    }
}

/// A variable a line.
pub(crate) fn variables(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let variables: Vec<_> = text.lines().filter_map(|line| line.split_once('=')).collect();
    tried("registry.toml", "", &variables);
}

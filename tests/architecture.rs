//! The direction of the modules, and who may name what: read from the sources.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected shall stop")]

use std::{fs, path::Path};

/// Each module with those that it may use.
const USES: [(&str, &[&str]); 10] = [
    ("oci", &[]),
    ("storage", &["oci"]),
    ("auth", &["oci"]),
    ("registry", &["oci", "storage"]),
    ("api", &["oci", "registry", "auth"]),
    ("config", &["oci"]),
    ("server", &["oci", "storage", "registry", "auth", "api", "config"]),
    ("cli", &["oci", "storage", "registry", "auth", "config", "server"]),
    ("fuzz", &["oci", "storage", "registry", "auth", "api", "config"]),
    ("main", &["cli"]),
];

/// Names with the modules that may name them.
const NAMED_ONLY_IN: [(&[&str], &[&str]); 4] = [
    (&["actix_web", "actix_http", "actix_rt"], &["api", "server"]),
    (&["std::fs", "tokio::fs", "rustix::fs"], &["storage", "config", "auth", "cli"]),
    (&["jsonwebtoken", "bcrypt", "sha_crypt", "md5", "sha1", "hmac"], &["auth"]),
    (&["serde_saphyr", "toml"], &["config", "cli"]),
];

/// Files that may name more than their room may, and why.
const EXCEPTIONS: [(&str, &str, &str); 3] = [
    ("server/listen.rs", "std::fs", "a socket that a killed process left in its file system is taken away"),
    ("server/listen.rs", "rustix::fs", "a check asks whether a socket could be made there, and makes none"),
    ("server/control.rs", "std::fs", "as is the socket by which commands ask a server that runs"),
];

/// The sources as (module, path, text without comments and without the tests at a file's end).
fn sources() -> Vec<(String, String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut waiting, mut sources) = (vec![root.clone()], Vec::new());
    while let Some(directory) = waiting.pop() {
        for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let relative = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                let module = relative.trim_end_matches(".rs").split('/').next().unwrap().to_owned();
                sources.push((module, relative, code(&fs::read_to_string(&path).unwrap())));
            }
        }
    }
    sources
}

fn code(text: &str) -> String {
    let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    product.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

/// Whether `text` uses `name` as the beginning of a path or whole: `crate::oci`, `toml::`.
fn names(text: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(name).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + name.len()..]);
        !before.ends_with(|c| is_part(c) || c == '.') && after.starts_with("::")
    }) || text.contains(&format!("use {name};"))
}

/// The modules that `text` takes from its crate, in a list of several too.
fn used_modules(text: &str) -> Vec<&str> {
    let known = |word: &&str| USES.iter().any(|(module, _)| module == word);
    let paths = text.split("crate::").skip(1).flat_map(|rest| match rest.strip_prefix('{') {
        Some(list) => top_level(list),
        None => vec![rest],
    });
    paths.filter_map(|path| path.split(|c: char| !c.is_alphanumeric() && c != '_').next()).filter(known).collect()
}

/// The items of a `{…}` list whose opening brace is gone, without what is nested in them.
fn top_level(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut items) = (0, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                items.push(list[start..at].trim());
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                items.push(list[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    items
}

#[test]
fn modules_use_only_what_is_below_them() {
    let mut wrong = Vec::new();
    for (module, path, text) in sources().iter().filter(|(module, ..)| module != "lib") {
        match USES.iter().find(|(known, _)| known == module) {
            None => wrong.push(format!("src/{path}: {module} is no room of the house; give it a row in USES")),
            Some((_, allowed)) => {
                let used = used_modules(text).into_iter().filter(|used| used != module && !allowed.contains(used));
                wrong.extend(used.map(|used| format!("src/{path}: {module} may not use {used}")));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn crates_are_named_only_in_their_rooms() {
    let mut wrong = Vec::new();
    for (module, path, text) in &sources() {
        for (crates, rooms) in NAMED_ONLY_IN.iter().filter(|(_, rooms)| !rooms.contains(&module.as_str())) {
            let excepted = |name: &str| EXCEPTIONS.iter().any(|(file, excepted, _)| (*file, *excepted) == (path, name));
            let named = crates.iter().filter(|name| names(text, name) && !excepted(name));
            wrong.extend(named.map(|name| format!("src/{path}: {name} may be named only in {rooms:?}")));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_wrong_use_would_be_seen() {
    assert_eq!(used_modules("use crate::api::Thing; use crate::{oci::{Digest, Tag}, auth};"), ["api", "oci", "auth"]);
    assert!(used_modules("use crate_api::x; super::api").is_empty());
    assert!(names("use std::fs::File;", "std::fs") && names("std::fs;\nuse std::fs;", "std::fs"));
    assert!(names("let x = toml::from_str(y);", "toml") && !names("config.toml and my_toml::x", "toml"));
    assert_eq!(code("a // std::fs\nb\n#[cfg(test)]\nmod tests { std::fs }"), "a \nb");
}

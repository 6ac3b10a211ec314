//! Every parser, as something that takes any bytes: for the fuzzer, and for the tests that replay what it found.
//!
//! A target never panics. What a parser accepts, it writes again in a form that it reads as the
//! same; and it accepts nothing that the grammar of the specification refuses.

use std::{fmt::Display, str::FromStr};

use crate::{
    api, auth, config,
    oci::{
        Algorithm, ByteRange, ContentRange, Descriptor, Digest, Hasher, Manifest, MediaType, Reference, RepositoryName,
        ResourceScope, StoredReferences, Tag,
    },
    registry::SessionId,
    storage,
};

/// A target's name, and what it does to some bytes.
pub type Target = (&'static str, fn(&[u8]));

/// All targets. `fuzz/seeds` has a directory for each.
pub const TARGETS: [Target; 22] = [
    ("digest", digest),
    ("name", name),
    ("reference", reference),
    ("media_type", media_type),
    ("content_range", content_range),
    ("byte_range", byte_range),
    ("scope", scope),
    ("session", session),
    ("manifest", manifest),
    ("descriptor", descriptor),
    ("hasher", hasher),
    ("request", api::fuzz::request),
    ("authorization", auth::fuzz::authorization),
    ("htpasswd", auth::fuzz::htpasswd),
    ("glob", auth::fuzz::glob),
    ("token", auth::fuzz::token),
    ("claims", auth::fuzz::claims),
    ("jwks", auth::fuzz::jwks),
    ("token_request", auth::fuzz::token_request),
    ("settings", config::fuzz::settings),
    ("variables", config::fuzz::variables),
    ("hash_state", storage::fuzz_hash_state),
];

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// Parses; what is accepted comes back the same from its own text.
fn there_and_back<T: FromStr + Display + PartialEq + std::fmt::Debug>(bytes: &[u8]) -> Option<T> {
    let parsed: T = text(bytes)?.parse().ok()?;
    let again = parsed.to_string().parse::<T>().ok();
    assert_eq!(again.as_ref(), Some(&parsed), "it does not read what it writes");
    Some(parsed)
}

fn is_digest(text: &str) -> bool {
    let hex = |value: &str| value.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    match text.split_once(':') {
        Some(("sha256", value)) => value.len() == 64 && hex(value),
        Some(("sha512", value)) => value.len() == 128 && hex(value),
        _ => false,
    }
}

fn digest(bytes: &[u8]) {
    let parsed = there_and_back::<Digest>(bytes);
    assert_eq!(parsed.is_some(), text(bytes).is_some_and(is_digest));
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let mut separators = text.split(is_plain).filter(|run| !run.is_empty());
    let is_separator = |run: &str| matches!(run, "." | "_" | "__") || run.bytes().all(|byte| byte == b'-');
    text.starts_with(is_plain) && text.ends_with(is_plain) && separators.all(is_separator)
}

fn name(bytes: &[u8]) {
    let is_name = |text: &str| text.len() <= 255 && text.split('/').all(is_component);
    assert_eq!(there_and_back::<RepositoryName>(bytes).is_some(), text(bytes).is_some_and(is_name));
}

/// `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`
fn is_tag(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.starts_with(is_word) && text.len() <= 128 && text.chars().all(|c| is_word(c) || c == '.' || c == '-')
}

fn reference(bytes: &[u8]) {
    assert_eq!(there_and_back::<Tag>(bytes).is_some(), text(bytes).is_some_and(is_tag));
    let reference = there_and_back::<Reference>(bytes);
    assert!(reference.is_none() || text(bytes).is_some_and(|text| is_tag(text) || is_digest(text)));
}

fn media_type(bytes: &[u8]) {
    there_and_back::<MediaType>(bytes);
    if let Some(Ok(media_type)) = text(bytes).map(MediaType::from_content_type) {
        assert_eq!(media_type.to_string().parse().as_ref(), Ok(&media_type));
    }
}

fn content_range(bytes: &[u8]) {
    if let Some(Ok(range)) = text(bytes).map(str::parse::<ContentRange>) {
        assert!(range.len > 0 && range.first.checked_add(range.len - 1).is_some());
    }
}

fn byte_range(bytes: &[u8]) {
    let Some((len, header)) = bytes.split_first_chunk::<8>() else { return };
    let len = u64::from_le_bytes(*len);
    match ByteRange::parse(text(header), len) {
        ByteRange::Part { first, last } => assert!(first <= last && last < len, "{first}-{last} of {len}"),
        ByteRange::Parts(parts) => {
            assert!((2..=ByteRange::MAX_RANGES).contains(&parts.len()));
            assert!(parts.iter().all(|part| part.start < part.end && part.end <= len), "{parts:?} of {len}");
            let total: u128 = parts.iter().map(|part| u128::from(part.end - part.start)).sum();
            assert!(total <= u128::from(len), "{parts:?} of {len}");
        }
        ByteRange::Whole | ByteRange::Unsatisfiable | ByteRange::Excessive => {}
    }
}

fn scope(bytes: &[u8]) {
    there_and_back::<ResourceScope>(bytes);
    for scope in text(bytes).into_iter().flat_map(ResourceScope::parse_list).flatten() {
        assert_eq!(scope.to_string().parse().as_ref(), Ok(&scope));
    }
}

fn session(bytes: &[u8]) {
    there_and_back::<SessionId>(bytes);
}

fn manifest(bytes: &[u8]) {
    let parsed = Manifest::parse(bytes, None);
    let ties = StoredReferences::of(bytes);
    if let Ok(manifest) = parsed {
        assert!(manifest.media_type.is_manifest());
        assert!(manifest.blobs.len() + manifest.children.len() <= Manifest::MAX_REFERENCES);
        let references = ties.unwrap_or_default().references;
        let blobs = manifest.blobs.iter().map(|blob| &blob.digest);
        let mut named = blobs.chain(manifest.children.iter().map(|child| &child.digest));
        assert!(named.all(|digest| references.contains(digest)), "a collection would take what it refers to");
    }
}

fn descriptor(bytes: &[u8]) {
    let Ok(descriptor) = serde_json::from_slice::<Descriptor>(bytes) else { return };
    let json = serde_json::to_vec(&descriptor).unwrap_or_default();
    assert!(serde_json::from_slice::<Descriptor>(&json).is_ok_and(|again| again == descriptor));
}

fn hasher(bytes: &[u8]) {
    for algorithm in Algorithm::ALL {
        if let Some(mut hasher) = Hasher::restore(algorithm, bytes) {
            hasher.update(b"more");
            let _ = hasher.finish();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use std::{fs, path::Path};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_seed_and_every_find_is_taken() {
        for (name, target) in TARGETS {
            let mut count = 0;
            for kind in ["seeds", "finds"] {
                let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(kind).join(name);
                for entry in fs::read_dir(directory).into_iter().flatten() {
                    target(&fs::read(entry.unwrap().path()).unwrap());
                    count += 1;
                }
            }
            assert!(count > 0, "{name} has no seeds");
        }
    }

    #[test]
    fn every_target_has_a_program() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
        let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
        for (name, _) in TARGETS {
            assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is not in fuzz/Cargo.toml");
            let program = fs::read_to_string(root.join("fuzz_targets").join(format!("{name}.rs"))).unwrap();
            assert!(program.contains(&format!("run(\"{name}\", bytes)")), "{name} is another target's program");
        }
        assert_eq!(manifest.matches("[[bin]]").count(), TARGETS.len());
    }

    proptest! {
        #[test]
        fn no_target_panics_on_noise(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for (_, target) in TARGETS {
                target(&bytes);
            }
        }
    }
}

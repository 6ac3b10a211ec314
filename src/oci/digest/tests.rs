#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::*;

const SHA256_OF_NOTHING: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[test]
fn hashes_are_those_of_the_standard() {
    let sha512_of_abc = "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                         2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";
    let table: [(Algorithm, &[u8], &str); 3] = [
        (Algorithm::Sha256, b"", SHA256_OF_NOTHING),
        (Algorithm::Sha256, b"abc", "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (Algorithm::Sha512, b"abc", sha512_of_abc),
    ];
    for (algorithm, bytes, digest) in table {
        assert_eq!(Digest::of(algorithm, bytes).to_string(), digest);
        assert_eq!(Digest::of(algorithm, bytes), digest.parse().unwrap());
        assert_eq!(Digest::of(algorithm, bytes).is_of_nothing(), bytes.is_empty());
    }
    assert!(Digest::of(Algorithm::Sha512, b"").is_of_nothing());
}

#[test]
fn e2_only_a_digest_is_a_digest() {
    let hex = |len: usize| "a".repeat(len);
    let table = [
        (String::new(), InvalidDigest::Form),
        ("sha256".into(), InvalidDigest::Form),
        (hex(64), InvalidDigest::Form),
        (format!("sha256-{}", hex(64)), InvalidDigest::Form),
        (":".into(), InvalidDigest::Algorithm),
        ("md5:..".into(), InvalidDigest::Algorithm),
        (format!("md5:{}", hex(32)), InvalidDigest::Algorithm),
        (format!("sha384:{}", hex(96)), InvalidDigest::Algorithm),
        (format!("SHA256:{}", hex(64)), InvalidDigest::Algorithm),
        (format!(" sha256:{}", hex(64)), InvalidDigest::Algorithm),
        (format!("sha256+b64:{}", hex(64)), InvalidDigest::Algorithm),
        (format!("sha256/../sha256:{}", hex(64)), InvalidDigest::Algorithm),
        ("sha256:".into(), InvalidDigest::Value),
        (format!("sha256:{}", hex(63)), InvalidDigest::Value),
        (format!("sha256:{}", hex(65)), InvalidDigest::Value),
        (format!("sha256:{}", hex(128)), InvalidDigest::Value),
        (format!("sha512:{}", hex(64)), InvalidDigest::Value),
        (format!("sha256:{}", "A".repeat(64)), InvalidDigest::Value),
        (format!("sha256:{}g", hex(63)), InvalidDigest::Value),
        (format!("sha256:{}\n", hex(63)), InvalidDigest::Value),
        (format!("sha256:{}\n", hex(64)), InvalidDigest::Value),
        (format!("sha256:{}\0", hex(63)), InvalidDigest::Value),
        (format!("sha256::{}", hex(63)), InvalidDigest::Value),
        (format!("sha256:../../{}", hex(58)), InvalidDigest::Value),
        (format!("sha256:%2e%2e{}", hex(58)), InvalidDigest::Value),
        (format!("sha256:{}", "٣".repeat(32)), InvalidDigest::Value),
        (format!("sha256:{}", hex(10 * 1024)), InvalidDigest::Value),
    ];
    for (text, error) in table {
        assert_eq!(text.parse::<Digest>(), Err(error), "{text:?}");
        assert!(serde_json::from_value::<Digest>(text.clone().into()).is_err(), "{text:?}");
    }
    for good in [format!("sha256:{}", hex(64)), format!("sha512:{}", hex(128))] {
        assert_eq!(good.parse::<Digest>().unwrap().to_string(), good);
    }
}

#[test]
fn a_state_of_another_algorithm_or_length_is_none() {
    let state = Hasher::new(Algorithm::Sha256).save();
    assert!(Hasher::restore(Algorithm::Sha512, &state).is_none());
    assert!(Hasher::restore(Algorithm::Sha256, &state[1..]).is_none());
    assert!(Hasher::restore(Algorithm::Sha256, &[]).is_none());
}

#[test]
fn a_state_counts_its_blocks_where_damage_is_looked_for() {
    for (algorithm, at) in [(Algorithm::Sha256, 32), (Algorithm::Sha512, 64)] {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(&[0; 3 * 128]);
        let state = hasher.save();
        assert_eq!(state[at], if algorithm == Algorithm::Sha256 { 6 } else { 3 });
        for (byte, value) in [(7, 1), (6, 0x80), (6, 1)] {
            let mut state = state.clone();
            state[at + byte] = value;
            assert!(Hasher::restore(algorithm, &state).is_none(), "{byte}");
        }
    }
}

fn algorithm() -> impl Strategy<Value = Algorithm> {
    prop::sample::select(&Algorithm::ALL[..])
}

proptest! {
    #[test]
    fn e2_any_text_is_a_digest_only_as_the_grammar_has_it(text in prop_oneof![".*", "(sha256|sha512|sha384):[0-9a-fA-F]{60,130}", "sha256:[0-9a-g]{64}"]) {
        let is_digest = [("sha256:", 64), ("sha512:", 128)].into_iter().any(|(start, len)| {
            text.strip_prefix(start).is_some_and(|hex| {
                hex.chars().count() == len && hex.chars().all(|digit| "0123456789abcdef".contains(digit))
            })
        });
        let parsed = text.parse::<Digest>();
        prop_assert_eq!(parsed.is_ok(), is_digest);
        if let Ok(digest) = parsed {
            prop_assert_eq!(digest.to_string(), text);
        }
    }

    #[test]
    fn a_digest_survives_its_text_and_its_json(algorithm in algorithm(), bytes: Vec<u8>) {
        let digest = Digest::of(algorithm, &bytes);
        prop_assert_eq!(digest.to_string().parse(), Ok(digest.clone()));
        let json = serde_json::to_string(&digest).unwrap();
        prop_assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
    }

    #[test]
    fn the_order_of_digests_is_that_of_their_texts(one: [u8; 2], other: [u8; 2], algorithms in [algorithm(), algorithm()]) {
        // Values that begin alike, and differ late.
        let text = |algorithm: Algorithm, [first, last]: [u8; 2]| {
            format!("{algorithm}:{:02x}{}{last:02x}", first % 2, "7f".repeat(algorithm.hex_len() / 2 - 2))
        };
        let texts = [text(algorithms[0], one), text(algorithms[1], other)];
        let digests = [0, 1].map(|n| texts[n].parse::<Digest>().unwrap());
        prop_assert_eq!(digests[0].cmp(&digests[1]), texts[0].cmp(&texts[1]));
        prop_assert_eq!(&*digests[0].hex(), &texts[0][7..]);
    }

    #[test]
    fn a_hash_that_was_saved_anywhere_ends_the_same(algorithm in algorithm(), bytes in prop::collection::vec(any::<u8>(), 0..600), at: prop::sample::Index) {
        let at = at.index(bytes.len() + 1);
        let mut hasher = Hasher::new(algorithm);
        hasher.update(&bytes[..at]);
        let mut restored = Hasher::restore(algorithm, &hasher.save()).unwrap();
        restored.update(&bytes[at..]);
        prop_assert_eq!(restored.finish(), Digest::of(algorithm, &bytes));
    }

    #[test]
    fn a_state_from_anywhere_never_panics(algorithm in algorithm(), state in prop::collection::vec(any::<u8>(), 0..300), bytes: Vec<u8>) {
        for len in [state.len(), Hasher::new(algorithm).save().len()] {
            let mut state = state.clone();
            state.resize(len, 0xff);
            if let Some(mut hasher) = Hasher::restore(algorithm, &state) {
                hasher.update(&bytes);
                let _any_digest = hasher.finish();
            }
        }
    }
}

//! Tokens that hold, and everything that is wrong with others. Keys are made when the tests run.

#![allow(clippy::unwrap_used, reason = "a test that can't set up fails")]

use std::sync::Arc;

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair as RsaKeyPair, KeySize},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jsonwebtoken::{Algorithm, EncodingKey, crypto::sign, jwk::Jwk};
use proptest::prelude::*;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, IsCa, Issuer as CertificateIssuer, KeyPair as CertificateKey,
};
use serde_json::{Value, json};

use super::{
    claims::Expected,
    keys::{ALGORITHMS, KeySet, UnusableKey, VerifyingKey},
    refusal::TokenRefusal,
    signing::SigningKey,
    verify::Verifier,
};
use crate::oci::Action;

const NOW: u64 = 1_800_000_000;

/// A key pair of a certificate, and the certificate, signed by itself or by another.
struct Signer {
    key: CertificateKey,
    params: CertificateParams,
    certificate: Certificate,
}

impl Signer {
    fn authority() -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = CertificateKey::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { key, params, certificate }
    }

    fn new() -> Self {
        let params = CertificateParams::new(vec!["issuer.example".to_owned()]).unwrap();
        let key = CertificateKey::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { key, params, certificate }
    }

    fn signed_by(authority: &Self, is_authority: bool) -> Self {
        let mut params = CertificateParams::new(vec!["issuer.example".to_owned()]).unwrap();
        params.is_ca = if is_authority { IsCa::Ca(BasicConstraints::Unconstrained) } else { IsCa::NoCa };
        let key = CertificateKey::generate().unwrap();
        let issuer = CertificateIssuer::from_params(&authority.params, &authority.key);
        let certificate = params.signed_by(&key, &issuer).unwrap();
        Self { key, params, certificate }
    }

    fn encoding(&self) -> EncodingKey {
        EncodingKey::from_ec_der(self.key.serialized_der())
    }

    fn x5c(&self) -> String {
        STANDARD.encode(self.certificate.der())
    }

    fn public(&self) -> VerifyingKey {
        VerifyingKey::from_certificate(self.certificate.der()).unwrap().0
    }

    fn libtrust_id(&self) -> String {
        VerifyingKey::from_certificate(self.certificate.der()).unwrap().1
    }

    fn jwk(&self) -> Value {
        serde_json::to_value(Jwk::from_encoding_key(&self.encoding(), Algorithm::ES256).unwrap()).unwrap()
    }
}

fn verifier(trusted: KeySet, typed: bool) -> Verifier {
    let expected = Expected { issuer: "issuer".to_owned(), service: "us".to_owned(), not_before: typed };
    let algorithms = ALGORITHMS.into();
    Verifier { trusted: vec![Arc::new(trusted)], algorithms, expected, typed }
}

fn bundle(signers: &[&Signer]) -> KeySet {
    KeySet::from_bundle(signers.iter().map(|signer| signer.certificate.pem()).collect::<String>().as_bytes()).unwrap()
}

fn claims() -> Value {
    json!({
        "iss": "issuer", "sub": "alice", "aud": "us", "exp": NOW + 300, "nbf": NOW, "iat": NOW, "jti": "1",
        "access": [{"type": "repository", "name": "a", "actions": ["pull", "push"]}],
    })
}

/// `claims()` with one thing changed; `Value::Null` takes it away where `remove` says so.
fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

fn part(json: &str) -> String {
    URL_SAFE_NO_PAD.encode(json)
}

fn token_of(header: &str, claims: &str, key: &EncodingKey, algorithm: Algorithm) -> String {
    let message = format!("{}.{}", part(header), part(claims));
    format!("{message}.{}", sign(message.as_bytes(), key, algorithm).unwrap())
}

fn token(signer: &Signer, header: &Value, claims: &Value) -> String {
    token_of(&header.to_string(), &claims.to_string(), &signer.encoding(), Algorithm::ES256)
}

/// A trusted signer, what trusts it, and the header it signs with.
fn setup() -> (Signer, Verifier, Value) {
    let signer = Signer::new();
    let verifier = verifier(bundle(&[&signer]), true);
    let header = json!({"typ": "JWT", "alg": "ES256", "kid": signer.libtrust_id()});
    (signer, verifier, header)
}

fn refusal(verifier: &Verifier, token: &str) -> String {
    verifier.verify(token, NOW).err().map(|refusal| refusal.to_string()).unwrap_or_default()
}

#[test]
fn a_token_by_its_libtrust_name_and_by_its_thumbprint() {
    let (signer, verifier, header) = setup();
    let accepted = verifier.verify(&token(&signer, &header, &claims()), NOW).unwrap();
    assert_eq!(accepted.user(), Some("alice"));
    assert_eq!(accepted.grants().repositories["a"], [Action::Pull, Action::Push].into());
    assert!(signer.libtrust_id().len() == 59 && signer.libtrust_id().split(':').all(|group| group.len() == 4));
    let by_thumbprint = json!({"typ": "JWT", "alg": "ES256", "kid": signer.public().thumbprint()});
    assert!(verifier.verify(&token(&signer, &by_thumbprint, &claims()), NOW).is_ok());
}

#[test]
fn b1_a_key_in_the_header_counts_for_nothing_unless_it_is_a_trusted_one() {
    let (signer, verifier, _) = setup();
    let attacker = Signer::new();
    let kid = signer.libtrust_id();
    let mut jwk = attacker.jwk();
    jwk["kid"] = json!(kid);
    let headers = [
        json!({"typ": "JWT", "alg": "ES256", "kid": kid, "jwk": jwk}),
        json!({"typ": "JWT", "alg": "ES256", "jwk": jwk}),
        json!({"typ": "JWT", "alg": "ES256", "jwk": attacker.jwk()}),
        json!({"typ": "JWT", "alg": "ES256", "kid": kid, "jku": "https://evil.example/jwks"}),
        json!({"typ": "JWT", "alg": "ES256", "kid": kid, "x5u": "https://evil.example/cert"}),
        json!({"typ": "JWT", "alg": "ES256", "kid": kid, "x5c": [attacker.x5c()]}),
        json!({"typ": "JWT", "alg": "ES256", "x5c": [attacker.x5c()]}),
        json!({"typ": "JWT", "alg": "ES256", "x5c": [attacker.x5c(), signer.x5c()]}),
        json!({"typ": "JWT", "alg": "ES256", "kid": kid}),
        json!({"typ": "JWT", "alg": "ES256", "kid": attacker.libtrust_id()}),
        json!({"typ": "JWT", "alg": "ES256"}),
        json!({"typ": "JWT", "alg": "ES256", "jwk": {}}),
        json!({"typ": "JWT", "alg": "ES256", "jwk": {"kty": "oct", "k": "AAAA"}}),
    ];
    for header in headers {
        assert_ne!(refusal(&verifier, &token(&attacker, &header, &claims())), "", "{header}");
    }
    // Issuers of registry:2's time name their key by sending it.
    let header = json!({"typ": "JWT", "alg": "ES256", "jwk": signer.jwk()});
    assert!(verifier.verify(&token(&signer, &header, &claims()), NOW).is_ok());
    let header = json!({"typ": "JWT", "alg": "ES256", "jwk": signer.jwk(), "jku": "https://issuer.example/jwks"});
    assert!(refusal(&verifier, &token(&signer, &header, &claims())).contains("jku"));
}

#[test]
fn b2_a_public_key_is_no_secret_to_sign_with() {
    let (signer, verifier, _) = setup();
    let pem = signer.certificate.pem();
    let secrets = [
        pem.clone().into_bytes(),
        pem.trim_end().as_bytes().to_vec(),
        signer.key.public_key_pem().into_bytes(),
        rcgen::PublicKeyData::subject_public_key_info(&signer.key),
        signer.key.public_key_raw().to_vec(),
        signer.certificate.der().to_vec(),
        signer.jwk().to_string().into_bytes(),
    ];
    for secret in secrets {
        for (name, algorithm) in [("HS256", Algorithm::HS256), ("HS384", Algorithm::HS384), ("HS512", Algorithm::HS512)]
        {
            let header = json!({"typ": "JWT", "alg": name, "kid": signer.libtrust_id()}).to_string();
            let token = token_of(&header, &claims().to_string(), &EncodingKey::from_secret(&secret), algorithm);
            assert_eq!(verifier.verify(&token, NOW), Err(TokenRefusal::Algorithm(name.to_owned())));
        }
    }
}

#[test]
fn b3_algorithms_and_shapes_that_are_none() {
    let (signer, verifier, header) = setup();
    for alg in [
        json!("none"),
        json!("None"),
        json!("nOnE"),
        json!(""),
        json!(7),
        json!(["ES256"]),
        json!("es256"),
        json!("RS256"),
        json!("ES384"),
        Value::Null,
    ] {
        let mut header = header.clone();
        header["alg"] = alg;
        assert_ne!(refusal(&verifier, &token(&signer, &header, &claims())), "", "{header}");
    }
    let mut headless = header.clone();
    headless.as_object_mut().unwrap().remove("alg");
    assert_ne!(refusal(&verifier, &token(&signer, &headless, &claims())), "");
    let good = token(&signer, &header, &claims());
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (head, body) = message.split_once('.').unwrap();
    let shapes = [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        head.to_owned(),
        message.to_owned(),
        format!("{message}."),
        format!("{good}."),
        format!("{good}.x"),
        format!(".{good}"),
        format!("{head}..{signature}"),
        format!("{head}=.{body}.{signature}"),
        format!("{head}.{body}.{signature}=="),
        format!("{head}.{body} .{signature}"),
        good.replace('.', " "),
    ];
    for shape in shapes {
        assert_ne!(refusal(&verifier, &shape), "", "{shape}");
    }
    assert_eq!(refusal(&verifier, &good), "");
}

#[test]
fn b4_every_changed_bit_of_the_signature_and_of_the_text_is_seen() {
    let (signer, verifier, header) = setup();
    let good = token(&signer, &header, &claims());
    let (message, signature) = good.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    for bit in (0..signature.len() * 8).step_by(7) {
        let mut changed = signature.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(&changed));
        assert_eq!(verifier.verify(&token, NOW), Err(TokenRefusal::Signature), "{bit}");
    }
    let (head, body) = message.split_once('.').unwrap();
    let other = part(&with("sub", json!("admin")).to_string());
    assert_eq!(
        refusal(&verifier, &format!("{head}.{other}.{}", URL_SAFE_NO_PAD.encode(&signature))),
        "its signature is wrong"
    );
    let flattened = json!({"payload": body, "protected": head, "signature": URL_SAFE_NO_PAD.encode(&signature)});
    assert_ne!(refusal(&verifier, &flattened.to_string()), "");
    for (name, value) in [
        ("b64", json!(false)),
        ("crit", json!(["x"])),
        ("crit", Value::Null),
        ("zip", json!("DEF")),
        ("enc", json!("A256GCM")),
    ] {
        let mut header = header.clone();
        header[name] = value;
        assert!(refusal(&verifier, &token(&signer, &header, &claims())).contains(name));
    }
    let twice = header.to_string().replacen('{', "{\"alg\":\"none\",", 1);
    let twice = token_of(&twice, &claims().to_string(), &signer.encoding(), Algorithm::ES256);
    assert_ne!(refusal(&verifier, &twice), "");
}

/// A signature whose `s` is replaced by its negative is valid as well: nothing here takes a signature for a name.
#[test]
fn b5_signatures_that_are_no_numbers() {
    let (signer, verifier, header) = setup();
    let good = token(&signer, &header, &claims());
    let message = good.rsplit_once('.').unwrap().0;
    let order = hex::decode("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551").unwrap();
    let der = signer.key.serialized_der();
    let pair =
        aws_lc_rs::signature::EcdsaKeyPair::from_pkcs8(&aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1_SIGNING, der)
            .unwrap();
    let asn1 = pair.sign(&aws_lc_rs::rand::SystemRandom::new(), message.as_bytes()).unwrap();
    let signatures = [
        vec![0; 64],
        vec![1; 63],
        vec![1; 65],
        [order.clone(), vec![1; 32]].concat(),
        [vec![1; 32], order].concat(),
        vec![0xff; 64],
        asn1.as_ref().to_vec(),
    ];
    for signature in signatures {
        let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(&signature));
        assert_eq!(verifier.verify(&token, NOW), Err(TokenRefusal::Signature));
    }
}

#[test]
fn b6_times_of_a_wrong_type_are_not_taken_for_absent() {
    let (signer, verifier, header) = setup();
    let raw = ["\"123\"", "true", "null", "[]", "{}", "1e400", "1.5", "18446744073709551616", "1e3", "\"\""];
    for name in ["exp", "nbf"] {
        for value in raw {
            let claims =
                with(name, json!(0)).to_string().replace(&format!("\"{name}\":0"), &format!("\"{name}\":{value}"));
            assert!(claims.contains(value));
            let token = token_of(&header.to_string(), &claims, &signer.encoding(), Algorithm::ES256);
            assert!(refusal(&verifier, &token).contains("claims can't be read"), "{name} {value}");
        }
        assert_ne!(refusal(&verifier, &token(&signer, &header, &without(name))), "", "{name}");
    }
    let table = [
        (with("exp", json!(NOW - 59)), ""),
        (with("exp", json!(NOW - 60)), "it expired 60 seconds ago"),
        (with("exp", json!(0)), "it expired 1800000000 seconds ago"),
        (with("nbf", json!(NOW + 60)), ""),
        (with("nbf", json!(NOW + 61)), "it is not valid before 61 seconds from now"),
        (with("nbf", json!(u64::MAX)), "it is not valid before"),
        (with("exp", json!(u64::MAX)), ""),
        (with("exp", json!(-1)), "its claims can't be read"),
        (with("iat", json!("x")), "its claims can't be read"),
        (with("iat", json!(1.5)), "its claims can't be read"),
        // Before 1970.
        (with("nbf", json!(-1)), ""),
        (with("nbf", json!(i64::MIN)), ""),
        (with("iat", json!(-1)), ""),
        (with("iat", json!(i64::MIN)), ""),
    ];
    for (claims, expected) in table {
        let refusal = refusal(&verifier, &token(&signer, &header, &claims));
        assert!(refusal.starts_with(expected) && refusal.is_empty() == expected.is_empty(), "{claims}: {refusal}");
    }
    let twice = claims().to_string().replacen('{', &format!("{{\"exp\":{},", NOW - 1000), 1);
    let twice = token_of(&header.to_string(), &twice, &signer.encoding(), Algorithm::ES256);
    assert!(refusal(&verifier, &twice).contains("duplicate"));
}

#[test]
fn b7_b8_audience_and_issuer_are_exact() {
    let (signer, verifier, header) = setup();
    let table = [
        (with("aud", json!(["other", "us"])), true),
        (with("aud", json!(["us"])), true),
        (without("aud"), false),
        (with("aud", json!("")), false),
        (with("aud", json!("other")), false),
        (with("aud", json!(["other"])), false),
        (with("aud", json!([])), false),
        (with("aud", json!("usX")), false),
        (with("aud", json!("US")), false),
        (with("aud", json!(null)), false),
        (with("aud", json!([["us"]])), false),
        (with("aud", json!({"us": 1})), false),
        (without("iss"), false),
        (with("iss", json!("issue")), false),
        (with("iss", json!("issuer2")), false),
        (with("iss", json!("issuer/")), false),
        (with("iss", json!("Issuer")), false),
        (with("iss", json!(["issuer"])), false),
    ];
    for (claims, holds) in table {
        assert_eq!(verifier.verify(&token(&signer, &header, &claims), NOW).is_ok(), holds, "{claims}");
    }
}

#[test]
fn b11_other_kinds_of_tokens() {
    let (signer, verifier, header) = setup();
    let lenient = Verifier { typed: false, ..verifier.clone() };
    // The type; whether it holds of our own issuer, and of another.
    let table = [
        (json!("JWT"), true, true),
        (json!("jwt"), true, true),
        (json!("at+jwt"), false, true),
        (json!("dpop+jwt"), false, false),
        (json!("refresh"), false, false),
        (json!(""), false, false),
        (json!(7), false, false),
        (Value::Null, false, true),
    ];
    for (typ, own, other) in table {
        let mut header = header.clone();
        header["typ"] = typ.clone();
        let token = token(&signer, &header, &claims());
        assert_eq!((verifier.verify(&token, NOW).is_ok(), lenient.verify(&token, NOW).is_ok()), (own, other), "{typ}");
    }
}

#[test]
fn b12_a_wrong_signature_is_seen_before_any_claim() {
    let (_, verifier, header) = setup();
    let expired = token(&Signer::new(), &header, &with("exp", json!(1)));
    assert_eq!(verifier.verify(&expired, NOW), Err(TokenRefusal::Signature));
}

#[test]
fn b13_b14_long_and_foreign_texts() {
    let (signer, verifier, header) = setup();
    assert_eq!(verifier.verify(&".".repeat(1_000_000), NOW), Err(TokenRefusal::TooLong));
    assert_eq!(verifier.verify(&"a".repeat(120 * 1024 + 1), NOW), Err(TokenRefusal::TooLong));
    assert_ne!(refusal(&verifier, &".".repeat(8192)), "");
    let jwe = json!({"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "zip": "DEF", "p2c": 1_u64 << 31}).to_string();
    assert_ne!(refusal(&verifier, &format!("{}.a.b.c.d", part(&jwe))), "");
    assert_ne!(refusal(&verifier, &token_of(&jwe, "{}", &signer.encoding(), Algorithm::ES256)), "");
    let deep = format!("{}{}", "[".repeat(2000), "]".repeat(2000));
    let deep = claims().to_string().replacen('{', &format!("{{\"deep\":{deep},"), 1);
    // What is not known is skipped, however deep it is.
    assert_eq!(refusal(&verifier, &token_of(&header.to_string(), &deep, &signer.encoding(), Algorithm::ES256)), "");
}

#[test]
fn b20_only_exact_grants_count() {
    let (signer, verifier, header) = setup();
    let entry = |kind: &str, name: &str, actions: Value| json!([{"type": kind, "name": name, "actions": actions}]);
    // The claim; what is granted on `a`; `None` where the token is refused.
    let table = [
        (entry("repository", "a", json!(["pull"])), Some("pull")),
        (entry("repository", "a", json!(["*"])), Some("pull push create delete")),
        (entry("repository", "a", json!(["PULL", "pull ", "fly"])), Some("")),
        (entry("repository", "a", json!([])), Some("")),
        (entry("repository", "a", json!(null)), Some("")),
        (entry("repository", "a/", json!(["pull"])), Some("")),
        (entry("repository", "A", json!(["pull"])), Some("")),
        (entry("repository", "a.", json!(["pull"])), Some("")),
        (entry("repository", "a/b", json!(["pull"])), Some("")),
        (entry("repository", "", json!(["pull"])), Some("")),
        (entry("repository", "*", json!(["*"])), Some("")),
        (entry("repository", "**", json!(["*"])), Some("")),
        (entry("registry", "a", json!(["*"])), Some("")),
        (entry("repository(plugin)", "a", json!(["pull"])), Some("")),
        (json!([{"type": "repository", "class": "plugin", "name": "b", "actions": ["pull"]}]), Some("")),
        (
            json!([
                {"type": "repository", "name": "a", "actions": ["pull"]},
                {"type": "repository", "name": "a", "actions": ["delete", "pull"]},
            ]),
            Some("pull delete"),
        ),
        (json!([]), Some("")),
        (json!(null), Some("")),
        (json!({}), None),
        (json!("repository:a:pull"), None),
        (entry("repository", "a", json!("pull")), None),
        (json!([{"type": "repository", "name": "a", "actions": {"pull": true}}]), None),
        (json!([{"type": "repository", "name": "a", "actions": [["pull"]]}]), None),
        (json!([{"type": ["repository"], "name": "a", "actions": ["pull"]}]), None),
        (json!(["repository:a:pull"]), None),
    ];
    for (access, expected) in table {
        let verdict = verifier.verify(&token(&signer, &header, &with("access", access.clone())), NOW);
        let granted = verdict.ok().map(|claims| {
            let grants = claims.grants();
            let actions = grants.repositories.get("a").into_iter().flatten();
            actions.map(ToString::to_string).collect::<Vec<_>>().join(" ")
        });
        assert_eq!(granted.as_deref(), expected, "{access}");
    }
    assert!(
        verifier.verify(&token(&signer, &header, &without("access")), NOW).unwrap().grants().repositories.is_empty()
    );
}

/// What a token says beside its rights takes none of them away.
#[test]
fn report_a6_an_optional_claim_voids_nothing() {
    let (signer, verifier, header) = setup();
    let entry = |more: Value| {
        let mut entry = json!({"type": "repository", "name": "a", "actions": ["pull"]});
        entry.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([entry, {"type": "repository", "name": "b", "actions": ["pull"]}])
    };
    // Entries with parts that are missing or null give nothing.
    let beside = |other: Value| {
        let mut both = entry(json!({}));
        both.as_array_mut().unwrap().push(other);
        with("access", both)
    };
    let table = [
        beside(json!({"name": "c", "actions": ["pull"]})),
        beside(json!({"type": null, "name": "c", "actions": ["pull"]})),
        beside(json!({"type": "repository", "actions": ["pull"]})),
        beside(json!({"type": "repository", "name": null, "actions": ["pull"]})),
        beside(json!({"type": "repository", "name": "c", "actions": null})),
        beside(json!({"type": "repository", "name": "c", "actions": [null]})),
        beside(json!({"type": "repository", "name": "c"})),
        beside(json!({})),
        with("access", entry(json!({"actions": [null, "pull", null]}))),
        with("access", entry(json!({"class": ""}))),
        with("access", entry(json!({"class": "plugin"}))),
        with("access", entry(json!({"class": "image"}))),
        with("access", entry(json!({"class": null}))),
        with("access", entry(json!({"expires": 7, "labels": {"a": []}}))),
        with("iat", Value::Null),
        with("jti", Value::Null),
        with("jti", json!("")),
        with("sub", Value::Null),
        with("sub", json!("")),
        with("scope", json!("repository:a:push")),
        with("auth_time", json!([7])),
    ];
    for claims in table {
        let mut claims = claims;
        if claims["access"].as_array().unwrap().len() == 1 {
            claims["access"] = entry(json!({}));
        }
        let grants = verifier.verify(&token(&signer, &header, &claims), NOW).map(|claims| claims.grants());
        let grants = grants.unwrap_or_else(|refusal| panic!("{claims}: {refusal}"));
        for name in ["a", "b"] {
            assert_eq!(grants.repositories[name], [crate::oci::Action::Pull].into(), "{claims}");
        }
        let others = grants.repositories.iter().filter(|(name, _)| !["a", "b"].contains(&name.as_str()));
        assert!(others.map(|(_, actions)| actions.len()).all(|count| count == 0), "{claims}");
    }
}

#[test]
fn the_catalog_is_a_grant_of_its_own() {
    let (signer, verifier, header) = setup();
    for (kind, name, actions, expected) in [
        ("registry", "catalog", json!(["*"]), true),
        ("registry", "catalog", json!(["pull"]), false),
        ("registry", "other", json!(["*"]), false),
        ("repository", "catalog", json!(["*"]), false),
    ] {
        let access = json!([{"type": kind, "name": name, "actions": actions}]);
        let claims = verifier.verify(&token(&signer, &header, &with("access", access)), NOW).unwrap();
        assert_eq!(claims.grants().catalog, expected, "{kind} {name}");
    }
}

#[test]
fn chains_of_certificates_lead_to_the_bundle_or_nowhere() {
    let (root, stranger) = (Signer::authority(), Signer::authority());
    let middle = Signer::signed_by(&root, true);
    let leaf = Signer::signed_by(&middle, false);
    let forged = Signer::signed_by(&leaf, false);
    let foreign = Signer::signed_by(&stranger, false);
    let verifier = verifier(bundle(&[&root]), false);
    let table = [
        (&leaf, vec![leaf.x5c(), middle.x5c()], true),
        (&leaf, vec![leaf.x5c(), middle.x5c(), root.x5c()], true),
        (&root, vec![root.x5c()], true),
        (&leaf, vec![leaf.x5c()], false),
        (&leaf, vec![middle.x5c(), leaf.x5c()], false),
        (&forged, vec![forged.x5c(), leaf.x5c(), middle.x5c()], false),
        (&foreign, vec![foreign.x5c(), stranger.x5c()], false),
        (&foreign, vec![foreign.x5c(), root.x5c()], false),
        (&foreign, vec![root.x5c()], false),
        (&foreign, vec![leaf.x5c(), middle.x5c()], false),
        (&leaf, vec![], false),
        (&leaf, vec!["!".to_owned()], false),
        (&leaf, vec![leaf.x5c(); 6], false),
    ];
    for (index, (signer, x5c, holds)) in table.into_iter().enumerate() {
        let header = json!({"typ": "JWT", "alg": "ES256", "x5c": x5c});
        let verdict = verifier.verify(&token(signer, &header, &claims()), NOW);
        assert_eq!(verdict.is_ok(), holds, "{index}: {verdict:?}");
    }
    let outside =
        verifier.verify(&token(&leaf, &json!({"alg": "ES256", "x5c": [leaf.x5c(), middle.x5c()]}), &claims()), 1 << 40);
    assert!(matches!(outside, Err(TokenRefusal::Chain(_))));
}

#[test]
fn a_header_that_leads_to_two_keys_is_refused() {
    let (one, two) = (Signer::new(), Signer::new());
    let verifier = verifier(bundle(&[&one, &two]), false);
    let header = json!({"alg": "ES256", "kid": one.libtrust_id(), "jwk": two.jwk()});
    assert!(refusal(&verifier, &token(&two, &header, &claims())).contains("several"));
    let header = json!({"alg": "ES256", "kid": two.libtrust_id(), "jwk": two.jwk(), "x5c": [two.x5c()]});
    assert_eq!(refusal(&verifier, &token(&two, &header, &claims())), "");
}

#[test]
fn every_algorithm_with_its_kind_of_key_and_no_other() {
    let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let rsa: Pkcs8V1Der<'_> = rsa.as_der().unwrap();
    let rsa = CertificateKey::try_from(rsa.as_ref()).unwrap();
    let p384 = CertificateKey::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let ed = CertificateKey::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let p256 = CertificateKey::generate().unwrap();
    let keys = [
        (&p256, vec!["ES256"]),
        (&p384, vec!["ES384"]),
        (&ed, vec!["EdDSA"]),
        (&rsa, vec!["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]),
    ];
    for (key, fitting) in keys {
        let certificate = CertificateParams::new(vec![]).unwrap().self_signed(key).unwrap();
        let (public, kid) = VerifyingKey::from_certificate(certificate.der()).unwrap();
        let verifier = verifier(KeySet::from_bundle(certificate.pem().as_bytes()).unwrap(), false);
        for algorithm in ALGORITHMS {
            let name = &*format!("{algorithm:?}");
            assert_eq!(public.fits(algorithm), fitting.contains(&name), "{name}");
            let header = json!({"alg": name, "kid": kid}).to_string();
            let der = key.serialized_der();
            let encoding = match name {
                "EdDSA" => EncodingKey::from_ed_der(der),
                "ES256" | "ES384" => EncodingKey::from_ec_der(der),
                // What PKCS#8 wraps, after a head of fixed length.
                _ if der.len() > 1000 => EncodingKey::from_rsa_der(&der[26..]),
                _ => EncodingKey::from_rsa_der(der),
            };
            let message = format!("{}.{}", part(&header), part(&claims().to_string()));
            let Ok(signature) = sign(message.as_bytes(), &encoding, algorithm) else {
                assert!(!fitting.contains(&name), "{name} should sign");
                continue;
            };
            let verdict = verifier.verify(&format!("{message}.{signature}"), NOW);
            assert_eq!(verdict.is_ok(), fitting.contains(&name), "{name}: {verdict:?}");
        }
    }
}

#[test]
fn jwk_sets() {
    let signer = Signer::new();
    let mut jwk = signer.jwk();
    jwk["kid"] = json!("2026-key");
    let set = |keys: Value| KeySet::from_jwks(json!({"keys": keys}).to_string().as_bytes());
    let verifier = verifier(set(json!([jwk])).unwrap(), false);
    for (kid, holds) in [("2026-key", true), (signer.public().thumbprint(), true), ("other", false)] {
        let header = json!({"alg": "ES256", "kid": kid});
        assert_eq!(verifier.verify(&token(&signer, &header, &claims()), NOW).is_ok(), holds, "{kid}");
    }
    let mut only = jwk.clone();
    only["alg"] = json!("ES384");
    let bound = super::tests::verifier(set(json!([only])).unwrap(), false);
    assert!(
        refusal(&bound, &token(&signer, &json!({"alg": "ES256", "kid": "2026-key"}), &claims()))
            .contains("not of the kind")
    );
    let mut encryption = jwk.clone();
    encryption["use"] = json!("enc");
    let short = json!({"kty": "RSA", "n": URL_SAFE_NO_PAD.encode([0xff; 128]), "e": "AQAB"});
    let secp = json!({"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA"});
    for (keys, problem) in [
        (json!([]), "no key"),
        (json!([encryption]), "no key"),
        (json!([short, secp]), "no key"),
        (json!([{"kty": "oct", "k": "c2VjcmV0"}]), "key 1 is symmetric"),
        (json!([{"kty": "X"}, 7]), "key 2 is no JWK"),
        (json!("x"), "no JWK set"),
    ] {
        let error = set(keys.clone()).unwrap_err();
        assert!(error.contains(problem), "{keys}: {error}");
    }
    assert!(set(json!([jwk, encryption, secp])).is_ok());
    // A set of an issuer that has more than is known here.
    let others = [
        (json!({"kty": "oct", "k": "c2VjcmV0"}), "is symmetric"),
        (secp, "ES512"),
        (short, "not supported"),
        (json!({"kty": "new"}), "key"),
        (json!({"kty": "EC", "crv": "P-999", "x": "AA", "y": "AA"}), "not supported"),
        (json!({"kty": "EC", "crv": "P-256", "x": "!", "y": "!"}), "key"),
        (json!("key"), "is no JWK that is known"),
    ];
    for (other, problem) in others {
        for (keys, number) in [(json!([jwk, other]), 2), (json!([other, jwk]), 1)] {
            let set = set(keys.clone()).unwrap_or_else(|error| panic!("{keys}: {error}"));
            let [skipped] = set.skipped() else { panic!("{keys}: {:?}", set.skipped()) };
            assert!(skipped.starts_with(&format!("key {number} ")) && skipped.contains(problem), "{skipped}");
            assert!(set.get("2026-key").is_some(), "{keys}");
        }
    }
}

/// What can't be used of a bundle is named, and the rest counts.
#[test]
fn report_a10_a_bad_certificate_spoils_no_other() {
    let good = Signer::new();
    let pem = |body: &str| format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
    let p521 = CertificateKey::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).unwrap();
    let leaf = CertificateParams::new(vec![]).unwrap().self_signed(&p521).unwrap().pem();
    let mut authority = CertificateParams::new(vec![]).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    // As `openssl req -x509` makes it, whatever it is for.
    let own = authority.self_signed(&p521).unwrap().pem();
    authority.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
    let authority = authority.self_signed(&p521).unwrap().pem();
    let bad = [
        (leaf, "ES512"),
        (own.clone(), "ES512"),
        (authority.clone(), "ES512"),
        (pem("AAAA"), "damaged"),
        (pem("!!!!"), "no PEM"),
    ];
    for (other, problem) in &bad {
        for (text, number) in
            [(format!("{}{other}", good.certificate.pem()), 2), (format!("{other}{}", good.certificate.pem()), 1)]
        {
            let keys = KeySet::from_bundle(text.as_bytes()).unwrap_or_else(|error| panic!("{problem}: {error}"));
            let [skipped] = keys.skipped() else { panic!("{problem}: {:?}", keys.skipped()) };
            assert!(skipped.contains(&format!("certificate {number} ")) && skipped.contains(problem), "{skipped}");
            assert!(keys.get(good.public().thumbprint()).is_some(), "{problem}");
            // An authority may have signed those that sign tokens.
            let may_have_signed = [&own, &authority].contains(&other);
            assert_eq!(keys.certificates().len(), if may_have_signed { 2 } else { 1 }, "{problem}");
        }
        let alone = KeySet::from_bundle(other.as_bytes());
        assert_eq!(alone.is_ok(), *other == authority, "{problem}");
        assert!(alone.err().is_none_or(|error| error.contains(problem)), "{problem}");
    }
}

/// An authority's key is of no use for tokens, but its certificates are.
#[test]
fn a_chain_may_lead_to_an_authority_whose_key_signs_no_tokens() {
    let p521 = CertificateKey::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).unwrap();
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
    let authority = params.self_signed(&p521).unwrap();
    let key = CertificateKey::generate().unwrap();
    let leaf = CertificateParams::new(vec![]).unwrap();
    let leaf = leaf.signed_by(&key, &CertificateIssuer::from_params(&params, &p521)).unwrap();
    let verifier = verifier(KeySet::from_bundle(authority.pem().as_bytes()).unwrap(), false);
    let header = json!({"typ": "JWT", "alg": "ES256", "x5c": [STANDARD.encode(leaf.der())]});
    let key = EncodingKey::from_ec_der(key.serialized_der());
    let token = token_of(&header.to_string(), &claims().to_string(), &key, Algorithm::ES256);
    assert_eq!(refusal(&verifier, &token), "");
}

#[test]
fn report_a10_of_signing_keys_only_the_first_must_be_usable() {
    let good = SigningKey::generate().unwrap();
    let p384 = CertificateKey::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap().serialize_pem();
    assert_eq!(SigningKey::read_all(format!("{good}{p384}").as_bytes()).unwrap().len(), 1);
    assert!(SigningKey::read_all(format!("{p384}{good}").as_bytes()).is_err());
}

#[test]
fn bundles_name_what_is_wrong_with_them() {
    for (text, problem) in [
        (String::new(), "no certificate"),
        ("nonsense".to_owned(), "no certificate"),
        (CertificateKey::generate().unwrap().serialize_pem(), "no certificate"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(), "certificate 1 is damaged"),
    ] {
        let error = KeySet::from_bundle(text.as_bytes()).unwrap_err();
        assert!(error.contains(problem), "{error}");
    }
}

/// Appendix A of RFC 8037 has this key and its thumbprint.
#[test]
fn a_thumbprint_as_in_the_rfc() {
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    let key = VerifyingKey::from_jwk(&serde_json::from_value(jwk).unwrap()).unwrap();
    assert_eq!(key.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn keys_of_our_own_sign_what_we_accept() {
    let ed = CertificateKey::generate_for(&rcgen::PKCS_ED25519).unwrap().serialize_pem();
    let both = format!("{}{ed}", SigningKey::generate().unwrap());
    // RFC 8410, section 10.3: as openssl writes it, without the public key.
    let short = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
    for (pem, count, alg) in [
        (short.to_owned(), 1, "EdDSA"),
        (SigningKey::generate().unwrap(), 1, "ES256"),
        (ed, 1, "EdDSA"),
        (both, 2, "ES256"),
    ] {
        let keys = SigningKey::read_all(pem.as_bytes()).unwrap();
        assert_eq!(keys.len(), count);
        let mut trusted = KeySet::default();
        trusted.add(keys[0].public().clone(), None);
        let signed = keys[0].sign(&serde_json::from_value(claims()).unwrap()).unwrap();
        let header = String::from_utf8(URL_SAFE_NO_PAD.decode(signed.split('.').next().unwrap()).unwrap()).unwrap();
        assert_eq!(header, format!(r#"{{"typ":"JWT","alg":"{alg}","kid":"{}"}}"#, keys[0].public().thumbprint()));
        assert_eq!(serde_json::to_value(verifier(trusted, true).verify(&signed, NOW).unwrap()).unwrap(), claims());
    }
    let p384 = CertificateKey::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap().serialize_pem();
    for (pem, problem) in [
        ("", "no private key"),
        (p384.as_str(), "can't sign as ES256"),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "can't sign"),
    ] {
        let error = SigningKey::read_all(pem.as_bytes()).err().unwrap().to_string();
        assert!(error.contains(problem), "{error}");
    }
}

#[test]
fn a_damaged_key_is_no_key() {
    let jwk = json!({"kty": "EC", "crv": "P-256", "x": "!", "y": "AA"});
    let jwk: Result<Jwk, _> = serde_json::from_value(jwk);
    assert_eq!(jwk.ok().map(|jwk| VerifyingKey::from_jwk(&jwk).err()), Some(Some(UnusableKey::Damaged)));
}

proptest! {
    #[test]
    fn never_panics(token in "[A-Za-z0-9_.=-]{0,200}", bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
        let verifier = verifier(KeySet::default(), true);
        prop_assert!(verifier.verify(&token, NOW).is_err());
        let raw = URL_SAFE_NO_PAD.encode(&bytes);
        let token = format!("{raw}.{raw}.{raw}");
        prop_assert!(verifier.verify(&token, NOW).is_err());
        prop_assert!(verifier.verify(&String::from_utf8_lossy(&bytes), NOW).is_err());
        prop_assert!(KeySet::from_jwks(&bytes).is_err() && KeySet::from_bundle(&bytes).is_err());
    }

    #[test]
    fn no_header_leads_to_a_key_that_is_not_there(kid in ".{0,40}", alg in "(ES256|RS256|EdDSA|HS256|none)") {
        let header = json!({"typ": "JWT", "alg": alg, "kid": kid}).to_string();
        let token = format!("{}.{}.AAAA", part(&header), part(&claims().to_string()));
        prop_assert!(verifier(KeySet::default(), true).verify(&token, NOW).is_err());
    }
}

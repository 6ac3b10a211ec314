//! Tokens with one thing wrong. All are refused in the same way, and the server is as well afterwards as before.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto::sign};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    client::Challenge,
    external::{By, trusting},
    issuer::{Issuer, Named, access, claims, unix_time},
    raw::exchange,
    site::Site,
};

/// A registry, whose tokens it trusts, and a token that holds.
struct Forge {
    site: Site,
    issuer: Issuer,
    good: String,
}

impl Forge {
    fn new() -> Self {
        let issuer = Issuer::new(Algorithm::ES256);
        let site = trusting(&issuer, By::Bundle, "");
        let good = issuer.token(Named::Libtrust, "alice", &access("a", &["pull", "push"]));
        let forge = Self { site, issuer, good };
        forge.expect_good();
        forge
    }

    fn expect_good(&self) {
        self.site.get("/v2/", &format!("Bearer {}", self.good)).expect(200);
    }

    fn header(&self) -> Value {
        self.issuer.header(Named::Libtrust)
    }

    fn claims() -> Value {
        claims("alice", &access("a", &["pull", "push"]))
    }

    fn refuses(&self, token: &str, what: &str) {
        let reply = exchange(
            &self.site,
            "GET",
            "/v2/a/tags/list",
            &[&format!("Host: localhost:{}", self.site.port()), &format!("Authorization: Bearer {token}")],
        );
        assert_eq!(reply.status, 401, "{what}: {reply:?}");
        let [challenge] = reply.all("www-authenticate")[..] else { panic!("{what}: {reply:?}") };
        assert!(challenge.starts_with("Bearer realm="), "{challenge}");
        // What can't even be read as a header's value has no token in it that could be said to be wrong.
        assert!(challenge.ends_with(r#"error="invalid_token""#) || what == "unreadable", "{what}: {challenge}");
    }

    fn refuses_claims(&self, claims: &Value) {
        self.refuses(&self.issuer.sign(&self.header(), claims), &claims.to_string());
    }

    fn refuses_header(&self, header: &Value) {
        self.refuses(&self.issuer.sign(header, &Self::claims()), &header.to_string());
    }
}

fn with(mut value: Value, name: &str, new: Value) -> Value {
    value[name] = new;
    value
}

fn without(mut value: Value, name: &str) -> Value {
    value.as_object_mut().unwrap().remove(name);
    value
}

#[test]
fn b1_keys_that_a_token_brings_itself() {
    let (forge, attacker) = (Forge::new(), Issuer::new(Algorithm::ES256));
    let kid = forge.issuer.libtrust();
    let jwk = serde_json::to_value(attacker.jwk()).unwrap();
    let named = with(jwk.clone(), "kid", kid.clone().into());
    for header in [
        json!({"typ": "JWT", "alg": "ES256", "jwk": jwk}),
        json!({"typ": "JWT", "alg": "ES256", "jwk": named}),
        json!({"typ": "JWT", "alg": "ES256", "jwk": named, "kid": kid}),
        json!({"typ": "JWT", "alg": "ES256", "x5c": [attacker.x5c()]}),
        json!({"typ": "JWT", "alg": "ES256", "x5c": [attacker.x5c()], "kid": kid}),
        json!({"typ": "JWT", "alg": "ES256", "x5c": [attacker.x5c(), forge.issuer.x5c()]}),
        json!({"typ": "JWT", "alg": "ES256", "kid": kid, "jku": "https://evil.example/keys"}),
        json!({"typ": "JWT", "alg": "ES256", "kid": kid, "x5u": "https://evil.example/chain"}),
        json!({"typ": "JWT", "alg": "ES256", "kid": kid}),
        json!({"typ": "JWT", "alg": "ES256", "kid": attacker.libtrust()}),
        json!({"typ": "JWT", "alg": "ES256", "kid": "../../etc/passwd"}),
        json!({"typ": "JWT", "alg": "ES256"}),
    ] {
        forge.refuses(&attacker.sign(&header, &Forge::claims()), &header.to_string());
    }
    // Rightly signed, but steered: a token does not say where keys are.
    for name in ["jku", "x5u"] {
        forge.refuses_header(&with(forge.header(), name, "https://issuer.example/".into()));
    }
    forge.expect_good();
}

#[test]
fn b2_a_public_key_is_no_secret() {
    let forge = Forge::new();
    let (pem, der) = forge.issuer.public_key();
    let jwk = serde_json::to_string(&forge.issuer.jwk()).unwrap();
    let secrets = [
        pem.clone().into_bytes(),
        pem.trim_end().as_bytes().to_vec(),
        format!("{pem}\n").into_bytes(),
        forge.issuer.bundle().into_bytes(),
        der[der.len() - 65..].to_vec(),
        der,
        jwk.into_bytes(),
        Vec::new(),
    ];
    for (name, algorithm) in [("HS256", Algorithm::HS256), ("HS384", Algorithm::HS384), ("HS512", Algorithm::HS512)] {
        for secret in &secrets {
            let header = with(forge.header(), "alg", name.into());
            let message = format!(
                "{}.{}",
                URL_SAFE_NO_PAD.encode(header.to_string()),
                URL_SAFE_NO_PAD.encode(Forge::claims().to_string())
            );
            let signature = sign(message.as_bytes(), &EncodingKey::from_secret(secret), algorithm).unwrap();
            forge.refuses(&format!("{message}.{signature}"), name);
        }
    }
    forge.expect_good();
}

#[test]
fn b3_b4_b5_b14_shapes_and_signatures() {
    let forge = Forge::new();
    for algorithm in [
        json!("none"),
        json!("None"),
        json!("nOnE"),
        json!(""),
        json!(7),
        json!(["ES256"]),
        json!(null),
        json!("ES384"),
        json!("RS256"),
    ] {
        forge.refuses_header(&with(forge.header(), "alg", algorithm));
    }
    forge.refuses_header(&without(forge.header(), "alg"));
    for (name, value) in
        [("crit", json!(["x"])), ("b64", json!(false)), ("zip", json!("DEF")), ("enc", json!("A256GCM"))]
    {
        forge.refuses_header(&with(forge.header(), name, value));
    }
    let (message, signature) = forge.good.rsplit_once('.').unwrap();
    let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    for bit in (0..bytes.len() * 8).step_by(7) {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        forge.refuses(&format!("{message}.{}", URL_SAFE_NO_PAD.encode(&changed)), "a bit of the signature");
    }
    let order = hex::decode("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551").unwrap();
    let numbers = [
        vec![0; 64],
        [order.clone(), order].concat(),
        bytes[..32].to_vec(),
        [bytes.clone(), vec![0]].concat(),
        vec![0x30, 6, 2, 1, 1, 2, 1, 1],
    ];
    for number in numbers {
        forge.refuses(
            &format!("{message}.{}", URL_SAFE_NO_PAD.encode(number)),
            "a signature that is no pair of numbers",
        );
    }
    let (header, payload) = message.split_once('.').unwrap();
    let other = URL_SAFE_NO_PAD.encode(claims("root", &access("a", &["*"])).to_string());
    for token in [
        format!("{message}."),
        message.to_owned(),
        format!("{}.x", forge.good),
        format!("{}.x.y", forge.good),
        format!(".{}", forge.good),
        format!("{header}.{other}.{signature}"),
        format!("{header}..{signature}"),
        format!("{header}.{payload}.{signature}="),
        format!("{{\"payload\":\"{payload}\",\"signatures\":[]}}"),
        "x".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
    ] {
        forge.refuses(&token, "a shape");
    }
    let jwe =
        json!({"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 2_147_483_648_u32, "p2s": "x", "zip": "DEF"});
    forge.refuses(&format!("{}.x.x.x.x", URL_SAFE_NO_PAD.encode(jwe.to_string())), "an encrypted one");
    forge.expect_good();
}

#[test]
fn b6_times_of_every_wrong_kind() {
    let forge = Forge::new();
    let now = unix_time();
    for name in ["exp", "nbf"] {
        for value in [json!("123"), json!(true), json!(null), json!([]), json!({}), json!(1.5), json!(1e40)] {
            forge.refuses_claims(&with(Forge::claims(), name, value));
        }
        let text = Forge::claims().to_string();
        let number = format!("\"{name}\":{}", Forge::claims()[name]);
        for large in ["1e400", "18446744073709551616", "99999999999999999999999"] {
            let claims = text.replace(&number, &format!("\"{name}\":{large}"));
            assert_ne!(claims, text);
            forge.refuses(&forge.issuer.sign_text(&forge.header().to_string(), &claims), large);
        }
    }
    forge.refuses_claims(&without(Forge::claims(), "exp"));
    forge.refuses_claims(&with(Forge::claims(), "exp", (now - 120).into()));
    forge.refuses_claims(&with(Forge::claims(), "nbf", (now + 600).into()));
    forge.refuses_claims(&with(Forge::claims(), "exp", json!(-1)));
    // A token that is valid since before 1970.
    let old = with(Forge::claims(), "nbf", json!(-1));
    forge.site.get("/v2/", &format!("Bearer {}", forge.issuer.sign(&forge.header(), &old))).expect(200);
    forge.expect_good();
}

#[test]
fn b7_b8_for_whom_and_by_whom() {
    let forge = Forge::new();
    for audience in [
        json!(""),
        json!("other"),
        json!(["other"]),
        json!([]),
        json!("registry.exampleX"),
        json!("registry.exampl"),
        json!("Registry.example"),
        json!(null),
        json!({}),
        json!(["registry.example", 1]),
    ] {
        forge.refuses_claims(&with(Forge::claims(), "aud", audience));
    }
    forge.refuses_claims(&without(Forge::claims(), "aud"));
    for issuer in [
        json!("issuer.exampl"),
        json!("issuer.example/"),
        json!("Issuer.example"),
        json!(""),
        json!(null),
        json!(["issuer.example"]),
    ] {
        forge.refuses_claims(&with(Forge::claims(), "iss", issuer));
    }
    forge.refuses_claims(&without(Forge::claims(), "iss"));
    let several =
        forge.issuer.sign(&forge.header(), &with(Forge::claims(), "aud", json!(["other", "registry.example"])));
    forge.site.get("/v2/", &format!("Bearer {several}")).expect(200);
}

/// Refused by their length, before anything of them is looked at.
#[test]
fn b13_long_texts() {
    let forge = Forge::new();
    for text in
        [".".repeat(7000), ".".repeat(100_000), "a".repeat(9000), format!("{}.{}", forge.good, "x".repeat(8000))]
    {
        let fields = [format!("Host: localhost:{}", forge.site.port()), format!("Authorization: Bearer {text}")];
        let reply = exchange(&forge.site, "GET", "/v2/", &[&fields[0], &fields[1]]);
        assert!([401, 431].contains(&reply.status), "{} bytes: {}", text.len(), reply.status);
    }
    forge.expect_good();
}

/// Only an exact type, name and action is a right.
#[test]
fn b20_what_an_access_claim_does_not_say() {
    let forge = Forge::new();
    let repository = |name: &str, actions: Value| json!([{"type": "repository", "name": name, "actions": actions}]);
    let of_type = |kind: &str| json!([{"type": kind, "name": "a", "actions": ["pull"]}]);
    let nothing = [
        repository("a/b", json!(["pull"])),
        repository("a/", json!(["pull"])),
        repository("A", json!(["pull"])),
        repository("", json!(["pull"])),
        repository("*", json!(["pull"])),
        repository("**", json!(["*"])),
        repository("a", json!(["PULL"])),
        repository("a", json!([])),
        repository("a", json!(["push"])),
        repository("a", json!(null)),
        of_type("registry"),
        of_type("repository(plugin)"),
        of_type("Repository"),
        of_type(""),
        json!([]),
        json!(null),
    ];
    let status = |rights: &Value| {
        let token = format!("Bearer {}", forge.issuer.sign(&forge.header(), &claims("alice", rights)));
        let answer = forge.site.ask(Method::GET, "/v2/a/tags/list", &token);
        let error = if answer.status == 401 { Challenge::of(&answer).error } else { None };
        (answer.status, error.unwrap_or_default())
    };
    for rights in &nothing {
        assert_eq!(status(rights), (401, "insufficient_scope".to_owned()), "{rights}");
    }
    for malformed in [
        json!({}),
        json!("a"),
        repository("a", json!("pull")),
        json!([{"type": "repository", "name": "a", "actions": [1]}]),
    ] {
        assert_eq!(status(&malformed), (401, "invalid_token".to_owned()), "{malformed}");
    }
    let twice = json!([{"type": "repository", "name": "a", "actions": ["push"]}, {"type": "repository", "name": "a", "actions": ["pull"]}]);
    for rights in [repository("a", json!(["pull"])), repository("a", json!(["*"])), twice] {
        assert_eq!(status(&rights).0, 404, "nothing was pushed to a: {rights}");
    }
    let absent = forge.issuer.sign(&forge.header(), &without(Forge::claims(), "access"));
    forge.site.get("/v2/", &format!("Bearer {absent}")).expect(200);
    forge.site.get("/v2/a/tags/list", &format!("Bearer {absent}")).expect(401);
}

/// The signature is looked at before any claim: of a forged token nothing is believed, not even that it has expired.
#[test]
fn b11_b12_kinds_and_order() {
    let forge = Forge::new();
    for kind in ["refresh+jwt", "id_token", "JWE", "wharf"] {
        forge.refuses_header(&with(forge.header(), "typ", kind.into()));
    }
    let expired = forge.issuer.sign(&forge.header(), &with(Forge::claims(), "exp", 1.into()));
    let (message, _) = expired.rsplit_once('.').unwrap();
    forge.refuses(&format!("{message}.{}", forge.good.rsplit_once('.').unwrap().1), "expired and forged");
    forge.expect_good();
}

//! A token server that is not the registry: keys and tokens as `docker_auth` and the issuers of registry:2's time make
//! them.
#![allow(dead_code, reason = "each test binary uses its own part of this")]

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jsonwebtoken::{
    Algorithm, EncodingKey,
    crypto::sign,
    jwk::{Jwk, ThumbprintHash},
};
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, KeyPair, PublicKeyData as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// What the registry that trusts this issuer is called.
pub(crate) const SERVICE: &str = "registry.example";
/// What the issuer is called.
pub(crate) const ISSUER: &str = "issuer.example";

/// How a token's header says which key signed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// `kid` as libtrust makes it: `docker_auth` and older issuers.
    Libtrust,
    /// `kid` as a JWK's thumbprint (RFC 7638).
    Thumbprint,
    /// The certificate itself, `x5c`.
    Certificate,
}

impl Named {
    pub(crate) const ALL: [Self; 3] = [Self::Libtrust, Self::Thumbprint, Self::Certificate];
}

/// A signing key with its certificate.
pub(crate) struct Issuer {
    key: KeyPair,
    params: CertificateParams,
    certificate: Certificate,
    encoding: EncodingKey,
    algorithm: Algorithm,
}

impl Issuer {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        let (params, key) = (Self::params(true), key_for(algorithm));
        let certificate = params.self_signed(&key).unwrap();
        Self::of(key, params, certificate, algorithm)
    }

    /// One whose certificate this one has signed.
    pub(crate) fn certify(&self, algorithm: Algorithm) -> Self {
        let (params, key) = (Self::params(false), key_for(algorithm));
        let above = rcgen::Issuer::from_params(&self.params, &self.key);
        let certificate = params.signed_by(&key, &above).unwrap();
        Self::of(key, params, certificate, algorithm)
    }

    fn params(is_authority: bool) -> CertificateParams {
        let mut params = CertificateParams::new(vec![ISSUER.to_owned()]).unwrap();
        params.is_ca = if is_authority { IsCa::Ca(BasicConstraints::Unconstrained) } else { IsCa::NoCa };
        params
    }

    fn of(key: KeyPair, params: CertificateParams, certificate: Certificate, algorithm: Algorithm) -> Self {
        let pem = key.serialize_pem();
        let encoding = match algorithm {
            Algorithm::RS256 => EncodingKey::from_rsa_pem(pem.as_bytes()),
            _ => EncodingKey::from_ec_pem(pem.as_bytes()),
        };
        Self { key, params, certificate, encoding: encoding.unwrap(), algorithm }
    }

    /// For `rootcertbundle`.
    pub(crate) fn bundle(&self) -> String {
        self.certificate.pem()
    }

    /// For `jwks`, with the thumbprint as the key's name.
    pub(crate) fn jwks(&self) -> String {
        let mut jwk = serde_json::to_value(self.jwk()).unwrap();
        jwk["kid"] = self.thumbprint().into();
        json!({ "keys": [jwk] }).to_string()
    }

    pub(crate) fn jwk(&self) -> Jwk {
        Jwk::from_encoding_key(&self.encoding, self.algorithm).unwrap()
    }

    pub(crate) fn thumbprint(&self) -> String {
        self.jwk().thumbprint(ThumbprintHash::SHA256).unwrap()
    }

    /// The public key in PEM, and in DER: what anybody may know.
    pub(crate) fn public_key(&self) -> (String, Vec<u8>) {
        (self.key.public_key_pem(), self.key.subject_public_key_info())
    }

    /// The certificate as `x5c` has it.
    pub(crate) fn x5c(&self) -> String {
        STANDARD.encode(self.certificate.der())
    }

    /// The first 240 bits of the SHA-256 of the public key, in base 32, twelve groups of four.
    pub(crate) fn libtrust(&self) -> String {
        let digest = Sha256::digest(self.key.subject_public_key_info());
        let bits = digest[..30].iter().map(|byte| format!("{byte:08b}")).collect::<Vec<_>>().concat();
        let quintets = (0..48).map(|n| usize::from_str_radix(&bits[n * 5..n * 5 + 5], 2).unwrap());
        let text: String = quintets.map(|quintet| char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[quintet])).collect();
        (0..12).map(|n| &text[n * 4..n * 4 + 4]).collect::<Vec<_>>().join(":")
    }

    pub(crate) fn header(&self, named: Named) -> Value {
        let mut header = json!({"typ": "JWT", "alg": format!("{:?}", self.algorithm)});
        match named {
            Named::Libtrust => header["kid"] = self.libtrust().into(),
            Named::Thumbprint => header["kid"] = self.thumbprint().into(),
            Named::Certificate => header["x5c"] = json!([self.x5c()]),
        }
        header
    }

    /// Any header over any claims, with a right signature.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    /// The same for what is no JSON.
    pub(crate) fn sign_text(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        format!("{message}.{}", sign(message.as_bytes(), &self.encoding, self.algorithm).unwrap())
    }

    /// A token for a user, as it should be.
    pub(crate) fn token(&self, named: Named, user: &str, access: &Value) -> String {
        self.sign(&self.header(named), &claims(user, access))
    }

    /// Serves tokens on a port of the local host for as long as the process lives: whoever logs in as `user` with
    /// `password` gets whatever it asks for, whoever does not log in gets nothing.
    pub(crate) fn serve(self, named: Named, user: &str, password: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let realm = format!("http://localhost:{}/auth", listener.local_addr().unwrap().port());
        let login = STANDARD.encode(format!("{user}:{password}"));
        let user = user.to_owned();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                self.answer(stream, named, &user, &login);
            }
        });
        realm
    }

    fn answer(&self, mut stream: TcpStream, named: Named, user: &str, login: &str) {
        let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
        let Some(request) = lines.next() else { return };
        let fields: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
        let authorization = fields.iter().filter_map(|field| field.split_once(": "));
        let mut authorization = authorization.filter(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        let shown = authorization.next().map(|(_, value)| value.trim_start_matches("Basic ").to_owned());
        let (status, body) = match shown {
            Some(shown) if shown != login => ("401 Unauthorized", json!({"details": "incorrect username or password"})),
            shown => {
                let target = request.split(' ').nth(1).unwrap_or_default();
                let url = url::Url::parse(&format!("http://localhost{target}")).unwrap();
                let access = if shown.is_some() { asked(&url) } else { json!([]) };
                let token = self.token(named, if shown.is_some() { user } else { "" }, &access);
                ("200 OK", json!({"token": token, "expires_in": 300}))
            }
        };
        let body = body.to_string();
        let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        drop(stream.write_all(format!("{head}Connection: close\r\n\r\n{body}").as_bytes()));
    }
}

/// The claims of a token that holds for the next minutes.
pub(crate) fn claims(user: &str, access: &Value) -> Value {
    let now = unix_time();
    json!({
        "iss": ISSUER, "sub": user, "aud": SERVICE, "exp": now + 300, "nbf": now - 10, "iat": now, "jti": format!("{user}-{now}"),
        "access": access,
    })
}

/// Seconds since 1970.
pub(crate) fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// `access` for actions on a repository.
pub(crate) fn access(name: &str, actions: &[&str]) -> Value {
    json!([{"type": "repository", "name": name, "actions": actions}])
}

fn key_for(algorithm: Algorithm) -> KeyPair {
    match algorithm {
        Algorithm::RS256 => KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap(),
        Algorithm::ES256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap(),
        other => panic!("no key for {other:?}"),
    }
}

/// The scopes of a request, as a token has them.
fn asked(url: &url::Url) -> Value {
    let scopes = url.query_pairs().filter(|(name, _)| name == "scope").map(|(_, scope)| scope.into_owned());
    let entry = |scope: String| {
        let (kind, rest) = scope.split_once(':')?;
        let (name, actions) = rest.rsplit_once(':')?;
        Some(json!({"type": kind, "name": name, "actions": actions.split(',').collect::<Vec<_>>()}))
    };
    scopes.filter_map(entry).collect()
}

//! The modes as a whole, through the interface that `http` uses.

#![allow(clippy::unwrap_used, reason = "a test that can't set up fails")]

use std::{fs, net::IpAddr, os::unix::fs::PermissionsExt, path::PathBuf, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::*;
use crate::oci::{Action, RepositoryName, ResourceScope};

const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// A server's authentication in a folder of its own, with users alice, bob and ro, whose passwords are `<name>-pw`.
struct Server {
    folder: tempfile::TempDir,
    settings: Settings,
    authenticator: Authenticator,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Htpasswd,
    Token,
    Identity,
}

impl Server {
    fn new(kind: Kind) -> Self {
        Self::in_folder(tempfile::tempdir().unwrap(), kind, "us")
    }

    fn in_folder(folder: tempfile::TempDir, kind: Kind, service: &str) -> Self {
        write_users(&folder.path().join("htpasswd"), &["alice", "bob", "ro"]);
        let users = folder.path().join("htpasswd");
        let settings = match kind {
            Kind::Htpasswd => Settings::Htpasswd { realm: "Registry Realm".to_owned(), users },
            Kind::Token | Kind::Identity => Settings::Builtin(BuiltinSettings {
                realm: Realm::Local { port: 5000, tls: false, prefix: String::new() },
                service: service.to_owned(),
                issuer: service.to_owned(),
                users,
                key: KeySource::Folder(folder.path().join("keys")),
                lifetime: Duration::from_secs(300),
                identity_tokens: (kind == Kind::Identity).then(|| folder.path().join("identity")),
            }),
        };
        let authenticator = Authenticator::open(&settings, access()).unwrap();
        Self { folder, settings, authenticator }
    }

    /// Why a token does not hold; `None` if it does.
    fn refusal(&self, token: &str) -> Option<TokenRefusal> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        judge_token(&self.settings, token, now).unwrap().unwrap().err()
    }

    fn users(&self) -> PathBuf {
        self.folder.path().join("htpasswd")
    }

    async fn ask(&self, authorization: Option<&str>) -> Result<Principal, Refusal> {
        let credentials = Credentials { authorization: authorization.map(str::as_bytes), address: ADDRESS };
        self.authenticator.authenticate(credentials).await
    }

    async fn get_token(&self, query: &str, authorization: Option<&str>) -> Result<TokenResponse, TokenError> {
        let credentials = Credentials { authorization: authorization.map(str::as_bytes), address: ADDRESS };
        self.authenticator.issue_token(TokenRequest::from_query(query)?, credentials).await
    }

    async fn post_token(&self, form: &str) -> Result<TokenResponse, TokenError> {
        let credentials = Credentials { authorization: None, address: ADDRESS };
        self.authenticator.issue_token(TokenRequest::from_form(form.as_bytes())?, credentials).await
    }
}

fn write_users(path: &std::path::Path, users: &[&str]) {
    let line = |user: &&str| format!("{user}:{}\n", hash_password(&Secret::new(format!("{user}-pw")), 4).unwrap());
    fs::write(path, users.iter().map(line).collect::<String>()).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn access() -> AccessRules {
    let rule = |users: &[&str], repository: &str, actions: &[Action]| RuleSettings {
        users: users.iter().map(ToString::to_string).collect(),
        groups: vec![],
        repositories: vec![repository.to_owned()],
        actions: actions.to_vec(),
    };
    let rules = [
        rule(&["alice"], "a", &[Action::Pull, Action::Push, Action::Delete]),
        rule(&["bob"], "b", &[Action::Pull, Action::Create]),
        rule(&["ro"], "a", &[Action::Pull]),
        rule(&["anonymous", "*"], "public/**", &[Action::Pull]),
    ];
    AccessRules::new(&rules, &[].into()).unwrap()
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

fn payload(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[tokio::test]
async fn everybody_may_do_everything_in_mode_none() {
    let open = Authenticator::open_to_everybody();
    for authorization in [None, Some("Basic nonsense"), Some("Bearer x")] {
        let credentials = Credentials { authorization: authorization.map(str::as_bytes), address: ADDRESS };
        let principal = open.authenticate(credentials).await.unwrap();
        assert!(principal.is_authenticated() && principal.may(Action::Delete, &name("a")));
        assert_eq!(principal.method(), Method::Open);
    }
    assert!(open.is_open() && open.challenge(None, &[], None).is_none());
    let request = TokenRequest::from_query("").unwrap();
    let credentials = Credentials { authorization: None, address: ADDRESS };
    assert_eq!(open.issue_token(request, credentials).await.err(), Some(TokenError::NotHere));
}

#[tokio::test]
async fn htpasswd_mode_takes_passwords_and_nothing_else() {
    let server = Server::new(Kind::Htpasswd);
    let alice = server.ask(Some(&basic("alice", "alice-pw"))).await.unwrap();
    assert_eq!((alice.user(), alice.method()), (Some("alice"), Method::Basic));
    assert!(alice.may(Action::Push, &name("a")) && !alice.may(Action::Pull, &name("b")));
    for authorization in [None, Some("Basic Og==")] {
        let nobody = server.ask(authorization).await.unwrap();
        assert_eq!((nobody.user(), nobody.is_authenticated(), nobody.may_list_catalog()), (None, false, false));
        assert!(nobody.may(Action::Pull, &name("public/x")) && !nobody.may(Action::Pull, &name("a")));
    }
    for wrong in
        [basic("alice", "no"), basic("nobody", "x"), basic("", "x"), "Bearer a.b.c".to_owned(), "Basic !".to_owned()]
    {
        assert_eq!(server.ask(Some(&wrong)).await.err(), Some(Refusal::Invalid), "{wrong}");
    }
    let challenge = server.authenticator.challenge(Some("evil.example"), &[ResourceScope::catalog()], Some("x"));
    assert_eq!(challenge.as_deref(), Some(r#"Basic realm="Registry Realm""#));
}

#[tokio::test]
async fn token_mode_takes_tokens_and_nothing_else() {
    let server = Server::new(Kind::Token);
    assert_eq!(server.ask(Some(&basic("alice", "alice-pw"))).await.err(), Some(Refusal::Invalid));
    assert_eq!(server.ask(Some("Bearer a.b.c")).await.err(), Some(Refusal::InvalidToken));
    assert!(!server.ask(None).await.unwrap().is_authenticated());
    let challenge = server.authenticator.challenge(Some("127.0.0.1:5000"), &[], None);
    assert_eq!(challenge.as_deref(), Some(r#"Bearer realm="http://127.0.0.1:5000/token",service="us""#));
}

#[tokio::test]
async fn b31_b33_a_token_holds_what_was_asked_and_allowed() {
    let server = Server::new(Kind::Token);
    let query = "service=us&scope=repository:a:pull,push&scope=repository:b:pull&account=ro";
    let response = server.get_token(query, Some(&basic("ro", "ro-pw"))).await.unwrap();
    assert_eq!((&response.token, response.expires_in), (&response.access_token, 300));
    assert!(response.scope.is_none() && response.refresh_token.is_none() && response.issued_at.ends_with('Z'));
    let claims = payload(&response.token);
    assert_eq!(read_token(&response.token).unwrap().claims, claims);
    assert_eq!(claims["access"], serde_json::json!([{"type": "repository", "name": "a", "actions": ["pull"]}]));
    assert_eq!((&claims["sub"], &claims["aud"], &claims["iss"]), (&"ro".into(), &"us".into(), &"us".into()));
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 300);
    let ro = server.ask(Some(&format!("Bearer {}", response.token))).await.unwrap();
    assert_eq!((ro.user(), ro.method()), (Some("ro"), Method::Bearer));
    assert!(ro.may(Action::Pull, &name("a")) && !ro.may(Action::Push, &name("a")) && !ro.may(Action::Pull, &name("b")));
    // What needs no token is not refused to one for something else.
    assert!(ro.may(Action::Pull, &name("public/x")) && !ro.may(Action::Push, &name("public/x")));
    assert_eq!(server.refusal(&response.token), None);
}

#[tokio::test]
async fn docker_login_gets_an_empty_token_that_holds_at_the_base() {
    let server = Server::new(Kind::Token);
    let query = "account=alice&client_id=docker&offline_token=true&service=us";
    let response = server.get_token(query, Some(&basic("alice", "alice-pw"))).await.unwrap();
    assert!(response.refresh_token.is_none());
    assert_eq!(payload(&response.token)["access"], serde_json::json!([]));
    let alice = server.ask(Some(&format!("Bearer {}", response.token))).await.unwrap();
    assert!(alice.is_authenticated() && !alice.may(Action::Pull, &name("a")));
}

#[tokio::test]
async fn anonymous_tokens_are_given_with_what_anonymous_may() {
    let server = Server::new(Kind::Token);
    for authorization in [None, Some("Basic Og==")] {
        let query = "service=us&scope=repository:public/x:pull,push&scope=repository:a:pull&scope=registry:catalog:*";
        let response = server.get_token(query, authorization).await.unwrap();
        assert_eq!(
            payload(&response.token)["access"],
            serde_json::json!([{"type": "repository", "name": "public/x", "actions": ["pull"]}])
        );
        let nobody = server.ask(Some(&format!("Bearer {}", response.token))).await.unwrap();
        assert!(nobody.user().is_none() && nobody.may(Action::Pull, &name("public/x")) && !nobody.may_list_catalog());
    }
    let nothing = server.get_token("scope=repository:a:pull", None).await.unwrap();
    assert_eq!(payload(&nothing.token)["access"], serde_json::json!([]));
}

/// Whatever way a credential is shown, it allows the same.
#[tokio::test]
async fn a7_a_password_and_the_token_it_is_exchanged_for_allow_the_same() {
    let (by_password, by_token) = (Server::new(Kind::Htpasswd), Server::new(Kind::Token));
    for user in [Some("alice"), Some("bob"), Some("ro"), None] {
        let authorization = user.map(|user| basic(user, &format!("{user}-pw")));
        let direct = by_password.ask(authorization.as_deref()).await.unwrap();
        for repository in ["a", "b", "c", "public/x"] {
            let repository = name(repository);
            for action in Action::ALL {
                let query = format!("service=us&scope=repository:{repository}:{action}");
                let token = by_token.get_token(&query, authorization.as_deref()).await.unwrap().token;
                let exchanged = by_token.ask(Some(&format!("Bearer {token}"))).await.unwrap();
                assert_eq!(
                    direct.may(action, &repository),
                    exchanged.may(action, &repository),
                    "{user:?} {action} {repository}"
                );
            }
            let query = format!("scope=repository:{repository}:*");
            let token = by_token.get_token(&query, authorization.as_deref()).await.unwrap().token;
            let exchanged = by_token.ask(Some(&format!("Bearer {token}"))).await.unwrap();
            for action in Action::ALL {
                assert_eq!(
                    direct.may(action, &repository),
                    exchanged.may(action, &repository),
                    "{user:?} {action} {repository}"
                );
            }
            assert_eq!(direct.may_see(&repository), exchanged.may_see(&repository));
        }
    }
}

#[tokio::test]
async fn a9_b32_b34_what_the_token_endpoint_refuses() {
    let server = Server::new(Kind::Token);
    let alice = basic("alice", "alice-pw");
    let wide = "service=us&role=admin&access=%5B%7B%22type%22%3A%22repository%22%7D%5D&sub=bob&scope=repository:b:pull";
    let token = server.get_token(wide, Some(&alice)).await.unwrap().token;
    assert_eq!((&payload(&token)["sub"], &payload(&token)["access"]), (&"alice".into(), &serde_json::json!([])));
    let table = [
        ("service=us", basic("alice", "no"), TokenError::WrongCredentials),
        ("service=us", basic("nobody", "no"), TokenError::WrongCredentials),
        ("service=us", format!("Bearer {token}"), TokenError::WrongCredentials),
        ("service=us", basic("alice", &token), TokenError::WrongCredentials),
        ("service=us", "Basic".to_owned(), TokenError::WrongCredentials),
        ("service=other", alice.clone(), TokenError::UnknownService),
        ("service=us&account=bob", alice.clone(), TokenError::AccountMismatch),
    ];
    for (query, authorization, expected) in table {
        assert_eq!(server.get_token(query, Some(&authorization)).await.err(), Some(expected), "{query}");
    }
    for (form, expected) in [
        ("grant_type=password&username=alice&password=no", TokenError::WrongCredentials),
        ("grant_type=refresh_token&refresh_token=x", TokenError::DeadRefreshToken),
        ("grant_type=password&username=alice&password=alice-pw&service=other", TokenError::UnknownService),
    ] {
        assert_eq!(server.post_token(form).await.err(), Some(expected), "{form}");
    }
    let form = "grant_type=password&username=alice&password=alice-pw&access_type=offline&scope=repository:a:pull+repository:a:pull,push";
    let response = server.post_token(form).await.unwrap();
    assert_eq!((response.scope.as_deref(), response.refresh_token), (Some("repository:a:pull,push"), None));
    assert_eq!(server.authenticator.token_endpoint_challenge().as_deref(), Some(r#"Basic realm="us""#));
}

#[tokio::test]
async fn b30_more_than_a_token_can_carry_is_refused_and_never_made() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::in_folder(folder, Kind::Token, "us");
    server.authenticator.set_access(AccessRules::default());
    let query = (0..200)
        .map(|n| format!("scope=repository:some/long/name/of/a/repository-{n}:pull,push"))
        .collect::<Vec<_>>()
        .join("&");
    let result = server.get_token(&query, Some(&basic("alice", "alice-pw"))).await;
    assert_eq!(result.err(), Some(TokenError::TooManyScopes));
    let query = (0..40).map(|n| format!("scope=repository:repository-{n}:pull,push")).collect::<Vec<_>>().join("&");
    let token = server.get_token(&query, Some(&basic("alice", "alice-pw"))).await.unwrap().token;
    assert!(server.ask(Some(&format!("Bearer {token}"))).await.unwrap().may(Action::Push, &name("repository-39")));
}

#[tokio::test]
async fn identity_tokens_stand_for_the_password_until_it_changes() {
    let server = Server::new(Kind::Identity);
    let query = "account=alice&client_id=docker&offline_token=true&service=us";
    assert!(server.get_token(query, None).await.unwrap().refresh_token.is_none());
    let response = server.get_token(query, Some(&basic("alice", "alice-pw"))).await.unwrap();
    let identity = response.refresh_token.unwrap();
    let form = format!(
        "grant_type=refresh_token&service=us&client_id=docker&scope=repository:a:pull,push&refresh_token={identity}"
    );
    for _ in 0..3 {
        let response = server.post_token(&form).await.unwrap();
        assert!(response.refresh_token.is_none());
        let alice = server.ask(Some(&format!("Bearer {}", response.access_token))).await.unwrap();
        assert!(alice.user() == Some("alice") && alice.may(Action::Push, &name("a")));
    }
    // One kind of token does not stand for another.
    assert_eq!(server.ask(Some(&format!("Bearer {identity}"))).await.err(), Some(Refusal::InvalidToken));
    assert!(server.get_token("", Some(&basic("alice", &identity))).await.is_err());
    let as_refresh = format!("grant_type=refresh_token&refresh_token={}", response.token);
    assert_eq!(server.post_token(&as_refresh).await.err(), Some(TokenError::DeadRefreshToken));
    // The same password, but another hash: whoever sets it anew ends what was given out before.
    write_users(&server.users(), &["alice", "bob", "ro"]);
    server.authenticator.reload();
    assert_eq!(server.post_token(&form).await.err(), Some(TokenError::DeadRefreshToken));
}

#[tokio::test]
async fn c5_c10_a_changed_file_holds_at_the_next_request() {
    let server = Server::new(Kind::Htpasswd);
    let old = basic("alice", "alice-pw");
    assert!(server.ask(Some(&old)).await.is_ok());
    let line = format!("alice:{}\n", hash_password(&Secret::new("new-pw"), 4).unwrap());
    fs::write(server.users(), line).unwrap();
    server.authenticator.reload();
    assert_eq!(server.ask(Some(&old)).await.err(), Some(Refusal::Invalid));
    assert!(server.ask(Some(&basic("alice", "new-pw"))).await.is_ok());
    assert_eq!(server.ask(Some(&basic("bob", "bob-pw"))).await.err(), Some(Refusal::Invalid));
    fs::write(server.users(), "nonsense\n").unwrap();
    server.authenticator.reload();
    assert!(server.ask(Some(&basic("alice", "new-pw"))).await.is_ok());
}

#[tokio::test]
async fn c10_a_file_that_is_missing_at_the_start_locks_out_until_it_appears() {
    let folder = tempfile::tempdir().unwrap();
    let users = folder.path().join("htpasswd");
    let settings = Settings::Htpasswd { realm: "r".to_owned(), users: users.clone() };
    let authenticator = Authenticator::open(&settings, AccessRules::default()).unwrap();
    let authorization = basic("alice", "alice-pw");
    let credentials = Credentials { authorization: Some(authorization.as_bytes()), address: ADDRESS };
    assert_eq!(authenticator.authenticate(credentials).await.err(), Some(Refusal::Invalid));
    write_users(&users, &["alice"]);
    // Nothing polls the file here: the login itself looks for it.
    assert!(authenticator.authenticate(credentials).await.is_ok());
}

#[tokio::test]
async fn a11_rights_that_are_taken_away_end_at_once_and_in_lists_too() {
    let server = Server::new(Kind::Token);
    let alice = basic("alice", "alice-pw");
    let query = "scope=repository:a:pull&scope=registry:catalog:*";
    let token = server.get_token(query, Some(&alice)).await.unwrap().token;
    let bearer = format!("Bearer {token}");
    assert!(server.ask(Some(&bearer)).await.unwrap().may_see(&name("a")));
    let none = RuleSettings {
        users: vec!["bob".to_owned()],
        groups: vec![],
        repositories: vec!["**".to_owned()],
        actions: vec![Action::Pull],
    };
    server.authenticator.set_access(AccessRules::new(&[none], &[].into()).unwrap());
    // A token that is out holds until it expires, which is soon; what is listed follows the rules at once.
    let principal = server.ask(Some(&bearer)).await.unwrap();
    assert!(principal.may_list_catalog() && !principal.may_see(&name("a")));
    let token = server.get_token(query, Some(&alice)).await.unwrap().token;
    assert!(!server.ask(Some(&format!("Bearer {token}"))).await.unwrap().may(Action::Pull, &name("a")));
}

#[tokio::test]
async fn b7_b16_a_token_of_another_registry_is_not_ours() {
    let one = Server::new(Kind::Token);
    let token = one.get_token("", Some(&basic("alice", "alice-pw"))).await.unwrap().token;
    let bearer = format!("Bearer {token}");
    let other_key = Server::new(Kind::Token);
    assert_eq!(other_key.ask(Some(&bearer)).await.err(), Some(Refusal::InvalidToken));
    assert!(matches!(other_key.refusal(&token), Some(TokenRefusal::UnknownKey(_))));
    let same_key = Server::in_folder(one.folder, Kind::Token, "other");
    assert_eq!(same_key.ask(Some(&bearer)).await.err(), Some(Refusal::InvalidToken));
    assert!(matches!(same_key.refusal(&token), Some(TokenRefusal::Issuer(_))));
    let again = Server::in_folder(same_key.folder, Kind::Token, "us");
    assert!(again.ask(Some(&bearer)).await.is_ok());
}

#[tokio::test]
async fn guessing_is_slowed_and_requests_without_credentials_never_are() {
    for kind in [Kind::Htpasswd, Kind::Token] {
        let server = Server::new(kind);
        let attempt = async |authorization: &str| match kind {
            Kind::Htpasswd => server.ask(Some(authorization)).await.err().map(TokenError::from),
            _ => server.get_token("", Some(authorization)).await.err(),
        };
        // A stale password, as the clients of one push repeat it.
        for _ in 0..25 {
            assert_eq!(attempt(&basic("alice", "stale")).await, Some(TokenError::WrongCredentials));
        }
        assert_eq!(attempt(&basic("alice", "alice-pw")).await, None);
        for number in 0..9 {
            assert_eq!(
                attempt(&basic("bob", &number.to_string())).await,
                Some(TokenError::WrongCredentials),
                "{number}"
            );
        }
        for authorization in [basic("bob", "more"), basic("alice", "alice-pw")] {
            assert!(matches!(attempt(&authorization).await, Some(TokenError::Throttled { retry_after: 1..=15 })));
        }
        assert!(server.ask(None).await.is_ok() && server.ask(Some("Basic Og==")).await.is_ok());
        if kind == Kind::Token {
            assert!(server.get_token("", None).await.is_ok());
        }
        let elsewhere =
            Credentials { authorization: Some(b"Basic YWxpY2U6YWxpY2UtcHc="), address: [192, 0, 2, 7].into() };
        if kind == Kind::Htpasswd {
            assert!(server.authenticator.authenticate(elsewhere).await.is_ok());
        }
    }
}

#[test]
fn what_is_wrong_with_settings_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("bad"), "alice:hunter2\n").unwrap();
    fs::write(path("open"), "").unwrap();
    fs::set_permissions(path("open"), fs::Permissions::from_mode(0o666)).unwrap();
    let htpasswd = |file: &str, realm: &str| Settings::Htpasswd { realm: realm.to_owned(), users: path(file) };
    let external = |bundle: Option<&str>, realm: &str, algorithm: &str| {
        Settings::External(ExternalSettings {
            realm: realm.to_owned(),
            service: "us".to_owned(),
            issuer: "issuer".to_owned(),
            root_cert_bundle: bundle.map(path),
            jwks: None,
            signing_algorithms: vec![algorithm.to_owned()],
        })
    };
    let builtin = |lifetime: u64, key: KeySource| {
        Settings::Builtin(BuiltinSettings {
            realm: Realm::Local { port: 1, tls: false, prefix: String::new() },
            service: "us".to_owned(),
            issuer: "us".to_owned(),
            users: path("none"),
            key,
            lifetime: Duration::from_secs(lifetime),
            identity_tokens: None,
        })
    };
    let keys = || KeySource::Folder(path("keys"));
    let table = [
        (htpasswd("bad", "r"), vec!["bad: line 1: ", "plain text"]),
        (htpasswd("open", "r"), vec!["open: ", "666", "chmod o-w"]),
        (htpasswd("none", "a\r\nb"), vec!["auth.htpasswd.realm"]),
        (external(None, "https://x/token", "ES256"), vec!["auth.token.rootcertbundle", "auth.token.jwks"]),
        (external(Some("none"), "https://x/token", "ES256"), vec!["none: ", "no such file"]),
        (external(Some("bad"), "https://x/token", "ES256"), vec!["bad: ", "no certificate"]),
        (builtin(59, keys()), vec!["auth.token.expiration", "60 to 3600"]),
        (builtin(3601, keys()), vec!["auth.token.expiration"]),
        (builtin(300, KeySource::File(path("bad"))), vec!["bad: ", "no private key", "openssl genpkey"]),
        (builtin(300, KeySource::File(path("none"))), vec!["none: ", "no such file"]),
    ];
    for (settings, words) in table {
        let error = Authenticator::open(&settings, AccessRules::default()).unwrap_err().to_string();
        for word in words {
            assert!(error.contains(word), "{error}");
        }
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn an_issuer_elsewhere_says_who_may_do_what() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = Server::in_folder(folder, Kind::Token, "us");
    let pem = fs::read_dir(issuer.folder.path().join("keys")).unwrap().next().unwrap().unwrap().path();
    let key = jsonwebtoken::EncodingKey::from_ec_pem(&fs::read(pem).unwrap()).unwrap();
    let jwk = jsonwebtoken::jwk::Jwk::from_encoding_key(&key, jsonwebtoken::Algorithm::ES256).unwrap();
    let jwks = issuer.folder.path().join("jwks.json");
    fs::write(&jwks, serde_json::json!({"keys": [jwk]}).to_string()).unwrap();
    fs::set_permissions(&jwks, fs::Permissions::from_mode(0o600)).unwrap();
    let settings = |algorithms: &[&str]| {
        Settings::External(ExternalSettings {
            realm: "https://auth.docker.io/token".to_owned(),
            service: "us".to_owned(),
            issuer: "us".to_owned(),
            root_cert_bundle: None,
            jwks: Some(jwks.clone()),
            signing_algorithms: algorithms.iter().map(ToString::to_string).collect(),
        })
    };
    let query = "scope=repository:a:pull&scope=registry:catalog:*";
    let token = issuer.get_token(query, Some(&basic("alice", "alice-pw"))).await.unwrap().token;
    let authorization = format!("Bearer {token}");
    let bearer = Credentials { authorization: Some(authorization.as_bytes()), address: ADDRESS };
    let external = Authenticator::open(&settings(&[]), AccessRules::default()).unwrap();
    let alice = external.authenticate(bearer).await.unwrap();
    assert!(alice.may(Action::Pull, &name("a")) && !alice.may(Action::Push, &name("a")));
    assert!(alice.may_list_catalog() && alice.may_see(&name("anything")));
    let nobody = external.authenticate(Credentials { authorization: None, ..bearer }).await.unwrap();
    assert!(!nobody.is_authenticated() && !nobody.may(Action::Pull, &name("public/x")));
    assert_eq!(
        external.challenge(Some("localhost:5000"), &[], None).as_deref(),
        Some(r#"Bearer realm="https://auth.docker.io/token",service="us""#)
    );
    assert!(!external.issues_tokens());
    let other = Authenticator::open(&settings(&["RS256"]), AccessRules::default()).unwrap();
    assert_eq!(other.authenticate(bearer).await.err(), Some(Refusal::InvalidToken));
    // Keys that are taken away are forgotten with all that they had signed.
    let key = serde_json::json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    fs::write(&jwks, serde_json::json!({"keys": [key]}).to_string()).unwrap();
    external.reload();
    assert_eq!(external.authenticate(bearer).await.err(), Some(Refusal::InvalidToken));
    assert!(
        Authenticator::open(&settings(&["HS256"]), AccessRules::default())
            .unwrap_err()
            .to_string()
            .contains("'HS256' is none of")
    );
}

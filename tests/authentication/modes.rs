//! Which mode is it: the three answers of `/v2/` that tell them apart, and settings that would leave a registry open by
//! accident.

use reqwest::Method;

use crate::{
    client::Challenge,
    site::{Mode, Site, basic},
    support::http::send,
};

#[test]
fn row_19_three_modes_three_answers() {
    let open = Site::of("");
    let answer = open.http().get("/v2/").expect(200);
    assert_eq!((answer.header("www-authenticate"), &answer.body[..]), (None, &b"{}"[..]));
    let htpasswd = Site::new(Mode::Htpasswd).http().get("/v2/").expect(401);
    assert_eq!(htpasswd.header("www-authenticate"), Some(r#"Basic realm="Registry Realm""#));
    let token = Site::new(Mode::Token);
    let answer = token.http().get("/v2/").expect(401);
    let expected = format!(r#"Bearer realm="http://localhost:{}/token",service="registry.example""#, token.port());
    assert_eq!(answer.header("www-authenticate"), Some(expected.as_str()));
}

/// Exactly one challenge: with two, clients take the one they like and fail on it.
#[test]
fn one_challenge_and_never_two() {
    for mode in Mode::BOTH {
        let site = Site::new(mode);
        for path in ["/v2/", "/v2", "/v2/_catalog", "/v2/a/tags/list", "/v2/nonsense", "/v2/A/manifests/x", "/nonsense"]
        {
            for authorization in ["", "Basic Og==", "Bearer x", "Digest x", "Basic !"] {
                let answer =
                    if authorization.is_empty() { site.http().get(path) } else { site.get(path, authorization) };
                let answer = answer.expect(401);
                assert_eq!(answer.headers.get_all("www-authenticate").iter().count(), 1, "{path} {answer:?}");
                assert_eq!(answer.code(), "UNAUTHORIZED");
            }
        }
    }
}

/// In token mode a password is for the token endpoint alone.
#[test]
fn each_mode_takes_its_own_credentials_alone() {
    let site = Site::new(Mode::Token);
    let answer = site.get("/v2/", &basic("alice", "alice-pw")).expect(401);
    assert_eq!(Challenge::of(&answer).error, None);
    let token = site.bearer(Some("alice"), &[]);
    site.get("/v2/", &token).expect(200);
    let htpasswd = Site::new(Mode::Htpasswd);
    let answer = htpasswd.get("/v2/", &token).expect(401);
    assert_eq!(answer.header("www-authenticate"), Some(r#"Basic realm="Registry Realm""#));
    htpasswd.get("/v2/", &basic("alice", "alice-pw")).expect(200);
    // There is a token endpoint in one mode only.
    for path in ["/token", "/v2/auth"] {
        send(htpasswd.http().request(Method::GET, path)).expect(404);
        send(Site::of("").http().request(Method::POST, path).body("grant_type=password")).expect(404);
        send(site.http().request(Method::GET, path)).expect(200);
    }
}

/// Podman and skopeo send `Basic Og==`, neither name nor password, when nobody has logged in: it means nobody, and is
/// no failure.
#[test]
fn neither_name_nor_password_is_nobody() {
    let htpasswd = Site::new(Mode::Htpasswd);
    htpasswd.get("/v2/public/x/tags/list", "Basic Og==").expect(404);
    htpasswd.get("/v2/a/tags/list", "Basic Og==").expect(401);
    let token = Site::new(Mode::Token);
    for _ in 0..40 {
        token.token_answer("scope=repository:a:pull", Some("Basic Og==")).expect(200);
        htpasswd.get("/v2/", "Basic Og==").expect(401);
    }
}

#[test]
fn nothing_is_open_by_accident() {
    let table = [
        ("[[access]]\nusers = [\"*\"]\nrepositories = [\"**\"]\nactions = [\"pull\"]\n", "auth.mode is none"),
        ("[auth.htpasswd]\npath = \"DIRECTORY/htpasswd\"\n[auth.token]\nissuer = \"x\"\n", "choose one"),
        ("[auth]\nmode = \"token\"\n", "needs users"),
        ("[auth]\nmode = \"htpasswd\"\n", "must name the file of users"),
        ("[auth]\nmode = \"hpasswd\"\n", "auth.mode"),
        (
            "[auth.token]\nrealm = \"http://x/\"\nservice = \"x\"\nissuer = \"x\"\nautoredirect = true\njwks = \"DIRECTORY/x\"\n",
            "autoredirect",
        ),
    ];
    for (settings, words) in table {
        let problem =
            Site::start(Site::directory(), settings).err().unwrap_or_else(|| panic!("it starts with {settings}"));
        assert!(problem.contains(words), "{problem}");
    }
}

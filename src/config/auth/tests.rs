//! Which mode holds, and which settings contradict each other.

use super::*;
use crate::config::load::tried;

const HTPASSWD: &str = "[auth.htpasswd]\npath = '/f'\n";
const TOKEN: &str = "[auth.token]\nrealm = 'https://a.test/token'\nservice = 's'\nissuer = 'i'\njwks = '/j'\n";
/// Names and values.
type Variables = Vec<(&'static str, &'static str)>;

const NONE: &str = "[auth]\nmode = 'none'\n";

/// The mode in one word, and what is wrong.
fn mode(text: &str, variables: &[(&str, &str)]) -> (&'static str, Vec<String>) {
    let (config, errors, _) = tried("f.toml", text, variables);
    let word = match config.auth.mode {
        Mode::None => "none",
        Mode::Htpasswd(_) => "htpasswd",
        Mode::Token(_) => "token",
    };
    (word, errors)
}

#[test]
fn the_mode_is_never_open_by_accident() {
    let path = ("REGISTRY_AUTH_HTPASSWD_PATH", "/v");
    let with_path = |name: &'static str, value: &'static str| vec![(name, value), path];
    let cases: [(&str, String, Variables, &str); 13] = [
        ("nothing", String::new(), vec![], "none"),
        ("a table implies it", HTPASSWD.to_owned(), vec![], "htpasswd"),
        ("the other too", TOKEN.to_owned(), vec![], "token"),
        ("a variable's table", String::new(), vec![path], "htpasswd"),
        ("over a file's none", NONE.to_owned(), vec![path], "htpasswd"),
        ("REGISTRY_AUTH", String::new(), with_path("REGISTRY_AUTH", "htpasswd"), "htpasswd"),
        ("REGISTRY_AUTH over a file", format!("{NONE}{HTPASSWD}"), vec![("REGISTRY_AUTH", "htpasswd")], "htpasswd"),
        ("REGISTRY_AUTH=none", HTPASSWD.to_owned(), vec![("REGISTRY_AUTH", "none")], "none"),
        (
            "REGISTRY_AUTH_MODE first",
            HTPASSWD.to_owned(),
            vec![("REGISTRY_AUTH", "none"), ("REGISTRY_AUTH_MODE", "token")],
            "token",
        ),
        ("built in", format!("[auth]\nmode = 'token'\n{HTPASSWD}"), vec![], "token"),
        ("a file's mode stays", "[auth]\nmode = 'token'\n".to_owned(), vec![path], "token"),
        ("a map", NONE.to_owned(), vec![("REGISTRY_AUTH", "{htpasswd: {path: /v}}")], "htpasswd"),
        ("in capitals", String::new(), with_path("REGISTRY_AUTH", "HTPASSWD"), "htpasswd"),
    ];
    for (case, text, variables, expected) in cases {
        assert_eq!(mode(&text, &variables), (expected, vec![]), "{case}");
    }
}

#[test]
fn contradictions_are_errors() {
    let cases: [(String, Variables, &str); 9] = [
        (format!("{HTPASSWD}{TOKEN}"), vec![], "both auth.htpasswd and auth.token"),
        (HTPASSWD.to_owned(), vec![("REGISTRY_AUTH_TOKEN_ISSUER", "i")], "both auth.htpasswd and auth.token"),
        ("[auth.htpasswd]\nrealm = 'r'\n".to_owned(), vec![], "it must name the file of users"),
        ("[auth]\nmode = 'token'\n".to_owned(), vec![], "needs users"),
        (format!("[auth]\nmode = 'token'\n{HTPASSWD}{TOKEN}"), vec![], "remove one of them"),
        ("[auth.token]\njwks = '/j'\n".to_owned(), vec![], "with an external issuer it must be set"),
        ("[auth]\nmode = 'basic'\n".to_owned(), vec![], "`basic` is none of none, htpasswd, token"),
        (
            HTPASSWD.to_owned(),
            vec![("REGISTRY_AUTH_TOKEN_AUTOREDIRECT", "true"), ("REGISTRY_AUTH", "htpasswd")],
            "autoredirect",
        ),
        ("[[access]]\nusers = ['a']\nrepositories = ['**']\nactions = ['pull']\n".to_owned(), vec![], "has no effect"),
    ];
    for (text, variables, expected) in cases {
        let (_, errors) = mode(&text, &variables);
        assert!(errors.iter().any(|error| error.contains(expected)), "{text}: {errors:?}");
    }
}

#[test]
fn a_switched_off_autoredirect_is_no_error() {
    assert_eq!(mode(&format!("{TOKEN}autoredirect = false\n"), &[]), ("token", vec![]));
}

#[test]
fn an_unused_table_is_mentioned() {
    let (_, errors, notices) = tried("f.toml", &format!("{NONE}{HTPASSWD}"), &[]);
    assert_eq!(errors, Vec::<String>::new());
    assert_eq!(
        notices,
        ["f.toml:4: auth.mode is none, so auth.htpasswd has no effect and the registry is open to everybody"]
    );
}

//! What `config check` says of settings is what `serve` does with them.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

use super::wharf::wharf_in;

use crate::support::wait::{eventually, kill};

const HASH: &str = "alice:$2y$05$BJklpwG0uf8GbVgQv8npROWB1NwGYxi8DriXN6E8QOlMWhXIR1oAm\n";
const HTPASSWD: &str = "[auth.htpasswd]\npath = 'users'\n";
const OWN: &str = "[auth]\nmode = 'token'\n[auth.htpasswd]\npath = 'users'\n";
const OTHER: &str = "[auth.token]\nrealm = 'https://a.test/token'\nservice = 's'\nissuer = 'i'\n";
const TLS: &str = "[http.tls]\ncertificate = 'certificate'\nkey = 'key'\n";

/// Settings, the files beside them as (name, content, mode), and a word of what is wrong; nothing if all is right.
struct Case {
    name: &'static str,
    settings: String,
    files: Vec<(&'static str, String, u32)>,
    problem: &'static str,
}

fn case(
    name: &'static str,
    settings: impl Into<String>,
    files: &[(&'static str, &str, u32)],
    problem: &'static str,
) -> Case {
    let files = files.iter().map(|(name, content, mode)| (*name, (*content).to_owned(), *mode)).collect();
    Case { name, settings: settings.into(), files, problem }
}

/// A certificate for localhost and its key, in PEM.
fn pair(change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    change(&mut params);
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn users() -> Vec<Case> {
    let of = |name, content: &str, mode, problem| case(name, HTPASSWD, &[("users", content, mode)], problem);
    vec![
        of("good users", HASH, 0o600, ""),
        of("users of mode 0664", HASH, 0o664, ""),
        of("users of mode 0666", HASH, 0o666, "lets everybody write"),
        of("no colon", "alice\n", 0o600, "line 1: "),
        of("plain text", "alice:secret\n", 0o600, "line 1: "),
        of("twice", &HASH.repeat(2), 0o600, "already, in line 1"),
        of("a reserved name", &HASH.replace("alice", "anonymous"), 0o600, "'anonymous'"),
        of("no UTF-8 hash", "alice:\u{fffd}\n", 0o600, "line 1: "),
        of("empty", "", 0o600, ""),
        case("no users", HTPASSWD, &[], ""),
        case("users are a directory", "[auth.htpasswd]\npath = '.'\n", &[], "can't be read"),
        case("a realm with a line break", format!("{HTPASSWD}realm = \"a\\nb\"\n"), &[("users", HASH, 0o600)], "realm"),
    ]
}

fn tokens() -> Vec<Case> {
    let (certificate, key) = pair(|_| {});
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let p521 = params.self_signed(&KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).unwrap()).unwrap().pem();
    let users = ("users", HASH, 0o600);
    let own = |name, key: &str, mode, problem| {
        case(name, format!("{OWN}[auth.token]\nkey = 'token.key'\n"), &[users, ("token.key", key, mode)], problem)
    };
    let other = |name, what: &'static str, content: &str, mode, problem| {
        case(name, format!("{OTHER}{what} = '{what}'\n"), &[(what, content, mode)], problem)
    };
    vec![
        case("own tokens on localhost", OWN, &[users], ""),
        case("own tokens, bad users", OWN, &[("users", "alice\n", 0o600)], "line 1: "),
        case("own tokens beyond", format!("http.addr = ':0'\n{OWN}"), &[users], "must know its name"),
        case(
            "own tokens beyond, named",
            format!("http.addr = ':0'\nhttp.host = 'https://r.test'\n{OWN}"),
            &[users],
            "",
        ),
        case(
            "own tokens on a socket",
            format!("http.net = 'unix'\nhttp.addr = 'sock'\n{OWN}"),
            &[users],
            "must know its name",
        ),
        case("own tokens in memory", format!("{OWN}[storage.inmemory]\n"), &[users], ""),
        own("a signing key", &key, 0o600, ""),
        own("a signing key of mode 0666", &key, 0o666, "lets everybody write"),
        own("no signing key", "nonsense", 0o600, "no private key"),
        case("a missing signing key", format!("{OWN}[auth.token]\nkey = 'none'\n"), &[users], "no such file"),
        case("a bad key in the folder", OWN, &[users, ("data/wharf/token-keys/1.pem", "x", 0o600)], "1.pem"),
        case(
            "an open key in the folder",
            OWN,
            &[users, ("data/wharf/token-keys/1.pem", &key, 0o606)],
            "lets everybody write",
        ),
        other("a bundle", "rootcertbundle", &certificate, 0o644, ""),
        other("a bundle of mode 0666", "rootcertbundle", &certificate, 0o666, ""),
        other("a bundle of one P-521 certificate", "rootcertbundle", &p521, 0o644, "ES512 is not"),
        other("no bundle", "rootcertbundle", "nonsense", 0o644, "no certificate"),
        other("no keys", "jwks", "{}", 0o644, "no JWK set"),
        other("a symmetric key", "jwks", r#"{"keys": [{"kty": "oct", "k": "AA"}]}"#, 0o644, "symmetric"),
        case("a missing bundle", format!("{OTHER}rootcertbundle = 'none'\n"), &[], "no such file"),
        case("a bad algorithm", format!("{OTHER}jwks = 'j'\nsigningalgorithms = ['HS256']\n"), &[], "none of"),
        case("a bad realm", format!("{OTHER}jwks = 'j'\n").replace("https:", "ftp:"), &[], "URL"),
    ]
}

fn tls() -> Vec<Case> {
    let ((certificate, key), (other, _)) = (pair(|_| {}), pair(|_| {}));
    let (expired, expired_key) = pair(|params| params.not_after = rcgen::date_time_ymd(2020, 1, 2));
    let (authority, _) = pair(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    let (expired_authority, _) = pair(|params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "old authority");
        params.not_after = rcgen::date_time_ymd(2020, 1, 2);
    });
    let of = |name, certificate: &str, key: &str, problem| {
        case(name, TLS, &[("certificate", certificate, 0o644), ("key", key, 0o600)], problem)
    };
    let clients = |name, content: &str, problem| {
        let files =
            [("certificate", certificate.as_str(), 0o644), ("key", key.as_str(), 0o600), ("ca", content, 0o644)];
        case(name, format!("{TLS}clientcas = ['ca']\n"), &files, problem)
    };
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let old = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nMIIB\n-----END RSA PRIVATE KEY-----\n";
    vec![
        of("a pair", &certificate, &key, ""),
        of("a chain", &format!("{certificate}{other}"), &key, ""),
        of("a reversed chain", &format!("{other}{certificate}"), &key, "number 2 of the file, and must be the first"),
        of("the key of another", &other, &key, "the key is that of another certificate"),
        of("an encrypted key", &certificate, encrypted, "is encrypted"),
        of("an encrypted key of the old kind", &certificate, old, "is encrypted"),
        of("no key", &certificate, "nonsense", "no private key in PEM"),
        of("no certificate", "nonsense", &key, "no certificate in PEM"),
        of("a damaged certificate", "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n", &key, "no PEM"),
        of("an expired certificate", &expired, &expired_key, ""),
        case("a key of mode 0640", TLS, &[("certificate", &certificate, 0o644), ("key", &key, 0o640)], ""),
        case("a missing certificate", TLS, &[("key", &key, 0o600)], "there is no such file"),
        case("a missing key", TLS, &[("certificate", &certificate, 0o644)], "there is no such file"),
        case("a key alone", "[http.tls]\nkey = 'key'\n", &[("key", &key, 0o600)], "http.tls.certificate must name"),
        clients("an authority", &authority, ""),
        clients(
            "one of two authorities",
            &format!("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n{authority}"),
            "",
        ),
        clients("an expired authority", &expired_authority, ""),
        clients("no authority", "nonsense", "no certificate in PEM"),
        case(
            "a missing authority",
            format!("{TLS}clientcas = ['none']\n"),
            &[("certificate", &certificate, 0o644), ("key", &key, 0o600)],
            "none",
        ),
        case(
            "authorities without TLS",
            "http.tls.clientcas = ['ca']\n",
            &[("ca", &authority, 0o644)],
            "client certificates need TLS",
        ),
        case(
            "required without authorities",
            format!("{TLS}clientauth = 'require-and-verify-client-cert'\n"),
            &[],
            "clientcas must name",
        ),
    ]
}

fn others() -> Vec<Case> {
    let rule = |text: &str| format!("{HTPASSWD}[[access]]\n{text}\n");
    let users = ("users", HASH, 0o600);
    let root = |root: &str| format!("[storage.filesystem]\nrootdirectory = '{root}'\n");
    vec![
        case("an address that is not ours", "http.addr = '192.0.2.1:0'\n", &[], "can't listen on 192.0.2.1"),
        case("a name that nobody knows", "http.addr = 'nobody.invalid:0'\n", &[], "can't listen on nobody.invalid"),
        case("an address without a port", "http.addr = 'localhost'\n", &[], "has no port"),
        case("a socket", "http.net = 'unix'\nhttp.addr = 'sock'\n", &[], ""),
        case("a socket nowhere", "http.net = 'unix'\nhttp.addr = 'none/sock'\n", &[], "can't listen on none/sock"),
        case(
            "a file where the socket is to be",
            "http.net = 'unix'\nhttp.addr = 'sock'\n",
            &[("sock", "", 0o600)],
            "no socket",
        ),
        case(
            "a socket of a long name",
            format!("http.net = 'unix'\nhttp.addr = '{}'\n", "x".repeat(200)),
            &[],
            "can't listen",
        ),
        case("a store that is not there", root("deep/er"), &[], ""),
        case("a store that is a file", root("file"), &[("file", "", 0o600)], "file"),
        case("a store below a file", root("file/store"), &[("file", "", 0o600)], "file"),
        case(
            "an address twice",
            "http.addr = ['127.0.0.1:5931', 'localhost:5931']\n",
            &[],
            "can't both be listened on",
        ),
        case("a bad proxy", "http.trustedproxies = ['proxy.internal']\n", &[], "neither an address"),
        case("everybody a proxy", "http.trustedproxies = ['0.0.0.0/0']\n", &[], "every address"),
        case(
            "rules without users",
            "[[access]]\nusers = ['*']\nrepositories = ['**']\nactions = ['pull']\n",
            &[],
            "no effect",
        ),
        case(
            "a bad pattern",
            rule("users = ['*']\nrepositories = ['a**']\nactions = ['pull']"),
            &[users],
            "'**' in 'a**'",
        ),
        case("a bad action", rule("users = ['*']\nrepositories = ['a']\nactions = ['read']"), &[users], "none of pull"),
        case("no such group", rule("groups = ['g']\nrepositories = ['a']\nactions = ['pull']"), &[users], "no `g`"),
        case("a bad level", "log.level = 'loud'\n", &[], "none of"),
        case("a bad form", "log.formatter = 'xml'\n", &[], "none of"),
        case("a bad header", "http.headers = {'X A' = ['b']}\n", &[], "name of a header"),
    ]
}

#[test]
fn report_a2_check_and_serve_are_of_one_mind() {
    for case in [users(), tokens(), tls(), others()].into_iter().flatten() {
        let (checked, served) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for folder in [&checked, &served] {
            case.write(folder.path());
        }
        let before = everything(checked.path());
        let check = wharf_in(checked.path(), &["config", "check", "registry.toml"], &[]);
        assert_eq!(everything(checked.path()), before, "{}: check left something behind", case.name);
        let (starts, err) = serve(served.path());
        assert_eq!(check.code == 0, starts, "{}: {check:?}\n{err}", case.name);
        assert_eq!(starts, case.problem.is_empty(), "{}: {err}", case.name);
        // Without the folder, and without what is only a warning.
        let errors = |text: &str, folder: &Path| {
            let text = text.replace(folder.to_str().unwrap(), "");
            let said = |line: &&str| line.starts_with("wharf: ") && !line.starts_with("wharf: warning: ");
            text.lines().filter(said).map(str::to_owned).collect::<Vec<_>>()
        };
        let (check, serve) = (errors(&check.err, checked.path()), errors(&err, served.path()));
        assert_eq!(check, serve, "{}", case.name);
        assert!(check.iter().any(|line| line.contains(case.problem)) || starts, "{}: {check:?}", case.name);
        for internal in ["InvalidCharacter", "KeyMismatch", "InconsistentKeys"] {
            assert!(!check.concat().contains(internal), "{}: {check:?}", case.name);
        }
    }
}

/// What a start warns of, a check warns of.
#[test]
fn report_a2_warnings_are_the_same() {
    let warned = [
        ("an expired certificate", "ended on Jan  2"),
        ("an expired authority", "certificate 1 (CN=old authority) ended on Jan  2"),
        ("a key of mode 0640", "key: its mode 640 lets others than its owner read it: chmod 600"),
        ("users of mode 0664", "its mode 664"),
        ("no users", "nobody can log in"),
    ];
    for case in [users(), tls()].into_iter().flatten() {
        let Some((_, words)) = warned.iter().find(|(name, _)| *name == case.name) else { continue };
        let folder = tempfile::tempdir().unwrap();
        case.write(folder.path());
        let check = wharf_in(folder.path(), &["config", "check", "registry.toml"], &[]);
        let line = |line: &str| line.starts_with("wharf: warning: ") && line.contains(words);
        assert!(check.code == 0 && check.err.lines().any(line), "{}: {check:?}", case.name);
        let (_, err) = serve(folder.path());
        assert!(err.contains(words), "{}: {err}", case.name);
    }
}

/// The one difference that there has to be: a check of the settings of a server that runs.
#[test]
fn report_a2_a_server_that_runs_does_not_make_its_settings_wrong() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let settings = format!("http.addr = '{}'\n", taken.local_addr().unwrap());
    fs::write(folder.path().join("registry.toml"), settings).unwrap();
    assert_eq!(wharf_in(folder.path(), &["config", "check", "registry.toml"], &[]).code, 0);
    let (starts, err) = serve(folder.path());
    assert!(!starts && err.contains("is taken by another program"), "{err}");
}

impl Case {
    fn write(&self, folder: &Path) {
        for (name, content, mode) in &self.files {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).unwrap();
        }
        let address = if self.settings.contains("http.addr") { "" } else { "http.addr = 'localhost:0'\n" };
        fs::write(folder.join("registry.toml"), format!("{address}{}", self.settings)).unwrap();
    }
}

/// Every path below, with its length.
fn everything(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut waiting = vec![folder.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = waiting.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            found.push((path.clone(), fs::symlink_metadata(&path).unwrap().len()));
            if path.is_dir() {
                waiting.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Whether a server starts there, and what it says; it is ended at once.
fn serve(folder: &Path) -> (bool, String) {
    let mut server = Command::new(env!("CARGO_BIN_EXE_wharf"))
        .args(["serve", "registry.toml", "--ready-file", "ready"])
        .env_clear()
        .current_dir(folder)
        .stderr(fs::File::create(folder.join("log")).unwrap())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let ready = folder.join("ready");
    eventually("it starts or ends", || ready.exists() || server.try_wait().unwrap().is_some());
    let starts = ready.exists();
    kill(&mut server);
    (starts, fs::read_to_string(folder.join("log")).unwrap())
}

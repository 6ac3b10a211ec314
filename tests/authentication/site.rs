//! A registry with users and rules, started in this process from settings as an operator writes them.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::Method;
use wharf::{
    auth::{Secret, hash_password},
    config::{Config, Sources},
    server::{self, Server},
};

use crate::{
    client::Client,
    support::http::{Answer, Registry, send},
};

/// Who may do what where nothing else is said. Passwords are `<name>-pw`.
pub(crate) const RULES: &str = r#"
[[access]]
users = ["alice"]
repositories = ["a"]
actions = ["pull", "push", "delete"]
[[access]]
users = ["bob"]
repositories = ["b"]
actions = ["pull", "push"]
[[access]]
users = ["ro"]
repositories = ["a"]
actions = ["pull"]
[[access]]
users = ["maker"]
repositories = ["a"]
actions = ["pull", "create"]
[[access]]
users = ["anonymous", "*"]
repositories = ["public/**"]
actions = ["pull"]
"#;

/// How a client shows who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Htpasswd,
    Token,
}

impl Mode {
    pub(crate) const BOTH: [Self; 2] = [Self::Htpasswd, Self::Token];

    /// What a request gets whose sender is known and has not the right.
    pub(crate) fn denied(self) -> u16 {
        match self {
            Self::Htpasswd => 403,
            Self::Token => 401,
        }
    }

    pub(crate) fn settings(self) -> &'static str {
        match self {
            Self::Htpasswd => "[auth]\nmode = \"htpasswd\"\n[auth.htpasswd]\npath = \"DIRECTORY/htpasswd\"\n",
            Self::Token => {
                "[auth]\nmode = \"token\"\n[auth.token]\nservice = \"registry.example\"\n[auth.htpasswd]\npath = \"DIRECTORY/htpasswd\"\n"
            }
        }
    }
}

/// A registry that runs, with the directory of its settings, users and store.
pub(crate) struct Site {
    server: Server,
    directory: tempfile::TempDir,
    scheme: &'static str,
}

impl From<&Site> for SocketAddr {
    fn from(site: &Site) -> Self {
        ([127, 0, 0, 1], site.port()).into()
    }
}

impl Site {
    /// One with the users and [`RULES`].
    pub(crate) fn new(mode: Mode) -> Self {
        Self::with(mode, RULES)
    }

    /// One with the users and `more` settings than the mode's.
    pub(crate) fn with(mode: Mode, more: &str) -> Self {
        let directory = Self::directory();
        Self::start(directory, &format!("{}{more}", mode.settings())).unwrap()
    }

    /// One with these settings and no others, in which `DIRECTORY` stands for the site's.
    pub(crate) fn of(settings: &str) -> Self {
        Self::start(Self::directory(), settings).unwrap()
    }

    /// A directory with a file of the users in it.
    pub(crate) fn directory() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        write_users(&directory.path().join("htpasswd"), &["alice", "bob", "ro", "maker"]);
        directory
    }

    /// One in a directory that may have been prepared; what is wrong, in the words for the operator.
    pub(crate) fn start(directory: tempfile::TempDir, settings: &str) -> Result<Self, String> {
        fs::write(directory.path().join("registry.toml"), in_directory(settings, directory.path())).unwrap();
        let config = load(directory.path())?;
        let scheme = if config.http.tls.is_some() { "https" } else { "http" };
        let server = server::start(config).map_err(|error| error.to_string())?;
        Ok(Self { server, directory, scheme })
    }

    pub(crate) fn port(&self) -> u16 {
        self.server.port()
    }

    pub(crate) fn origin(&self) -> String {
        format!("{}://localhost:{}", self.scheme, self.port())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.path("store")
    }

    /// Other settings, put in force as SIGHUP does.
    pub(crate) fn reload(&self, settings: &str) {
        fs::write(self.path("registry.toml"), in_directory(settings, self.directory.path())).unwrap();
        self.server.reload(&load(self.directory.path()).unwrap()).unwrap();
    }

    /// Other settings that the running server must not take.
    pub(crate) fn reload_in_vain(&self, settings: &str) {
        fs::write(self.path("registry.toml"), in_directory(settings, self.directory.path())).unwrap();
        self.server.reload(&load(self.directory.path()).unwrap()).unwrap_err();
    }

    /// The same mode with other rules.
    pub(crate) fn reload_rules(&self, mode: Mode, rules: &str) {
        self.reload(&format!("{}{rules}", mode.settings()));
    }

    pub(crate) fn http(&self) -> Registry {
        Registry::new(&self.origin())
    }

    /// A client without a login.
    pub(crate) fn nobody(&self) -> Client {
        Client::new(self.http(), None)
    }

    /// A client that logged in with the right password.
    pub(crate) fn user(&self, name: &str) -> Client {
        Client::new(self.http(), Some((name.to_owned(), format!("{name}-pw"))))
    }

    /// A request with this Authorization, and nothing done about the answer.
    pub(crate) fn ask(&self, method: Method, path: &str, authorization: &str) -> Answer {
        send(self.http().request(method, path).header("Authorization", authorization))
    }

    pub(crate) fn get(&self, path: &str, authorization: &str) -> Answer {
        self.ask(Method::GET, path, authorization)
    }

    /// The answer of the token endpoint, whoever asks.
    pub(crate) fn token_answer(&self, query: &str, authorization: Option<&str>) -> Answer {
        let request = self.http().request(Method::GET, &format!("/token?{query}"));
        send(authorization.iter().fold(request, |request, value| request.header("Authorization", *value)))
    }

    /// `Bearer` and a token with these scopes for a user, or for nobody.
    pub(crate) fn bearer(&self, user: Option<&str>, scopes: &[&str]) -> String {
        let query: Vec<_> = scopes.iter().map(|scope| format!("scope={scope}")).collect();
        let login = user.map(|user| basic(user, &format!("{user}-pw")));
        let answer = self.token_answer(&query.join("&"), login.as_deref()).expect(200);
        format!("Bearer {}", answer.json()["token"].as_str().unwrap())
    }
}

/// The value of `Authorization`.
pub(crate) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// A file of users, cheap to hash: what costs is tested elsewhere.
pub(crate) fn write_users(path: &Path, users: &[&str]) {
    let line = |user: &&str| format!("{user}:{}\n", hash(&format!("{user}-pw")));
    write_private(path, &users.iter().map(line).collect::<String>());
}

pub(crate) fn hash(password: &str) -> String {
    hash_password(&Secret::new(password), 4).unwrap()
}

pub(crate) fn write_private(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn in_directory(settings: &str, directory: &Path) -> String {
    settings.replace("DIRECTORY", directory.to_str().unwrap())
}

fn load(directory: &Path) -> Result<Config, String> {
    let file = directory.join("registry.toml");
    // A test that has to know its port beforehand says it itself.
    let address = if fs::read_to_string(&file).unwrap().contains("\naddr = ") { None } else { Some("localhost:0") };
    let variables = [
        ("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", directory.join("store").display().to_string()),
        ("REGISTRY_STORAGE_DURABILITY", "none".to_owned()),
    ];
    let address = address.map(|address| ("REGISTRY_HTTP_ADDR", address.to_owned()));
    let environment = variables.into_iter().chain(address).map(|(name, value)| (name.into(), value.into())).collect();
    let sources = Sources { file: Some(file), environment, ..Sources::default() };
    sources.load().map(|loaded| loaded.config).map_err(|errors| errors.to_string())
}

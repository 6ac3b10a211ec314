//! A registry that asks who one is, set up as an operator does it: by a file of settings and a file of users.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use wharf::auth::{Secret, hash_password};

use crate::support::{
    client,
    server::{Launch, Program, Server, free_port},
};

/// The article's own user.
pub(crate) const USER: &str = "testuser";
pub(crate) const PASSWORD: &str = "testpassword";
/// One who may read.
pub(crate) const READER: &str = "reader";

/// Settings of the three modes; `DIRECTORY` stands for that of the registry.
pub(crate) const OPEN: &str = "[auth]\nmode = \"none\"\n";
pub(crate) const HTPASSWD: &str = "[auth.htpasswd]\nrealm = \"Registry Realm\"\npath = \"DIRECTORY/htpasswd\"\n";
pub(crate) const TOKEN: &str = "[auth]\nmode = \"token\"\n[auth.htpasswd]\npath = \"DIRECTORY/htpasswd\"\n";

/// The user may do everything, the reader read.
pub(crate) const RULES: &str = r#"
[[access]]
users = ["testuser"]
repositories = ["**"]
actions = ["pull", "push", "delete"]
[[access]]
users = ["reader"]
repositories = ["**"]
actions = ["pull"]
"#;

/// A registry with its directory.
pub(crate) struct Protected {
    pub(crate) server: Server,
    directory: tempfile::TempDir,
}

impl Protected {
    pub(crate) fn new(settings: &str) -> Self {
        Self::prepared(tempfile::tempdir().unwrap(), settings)
    }

    /// In a directory that may have something in it already.
    pub(crate) fn prepared(directory: tempfile::TempDir, settings: &str) -> Self {
        Self::on(directory, "127.0.0.1:0", settings)
    }

    /// On a port that is known before, for settings that name it.
    pub(crate) fn with_port(settings: impl FnOnce(u16) -> String) -> Self {
        let port = free_port();
        Self::on(tempfile::tempdir().unwrap(), &format!("127.0.0.1:{port}"), &settings(port))
    }

    pub(crate) fn on(directory: tempfile::TempDir, address: &str, settings: &str) -> Self {
        let at = |name: &str| directory.path().join(name);
        write_users(&at("htpasswd"));
        let settings = settings.replace("DIRECTORY", directory.path().to_str().unwrap());
        fs::write(at("registry.toml"), settings).unwrap();
        let launch = Launch::new(Program::Wharf, &at("store")).set("REGISTRY_HTTP_ADDR", address);
        let server = launch.set("REGISTRY_CONFIGURATION_PATH", at("registry.toml").to_str().unwrap()).start();
        Self { server, directory }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// What the article calls `localhost:5000`.
    pub(crate) fn host(&self) -> String {
        self.server.host()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.host())
    }

    /// `curl` with these arguments and a path of this registry.
    pub(crate) fn curl(&self, arguments: &[&str], path: &str) -> Reply {
        let mut command = client::command("curl", self.directory.path());
        Reply::of(&client::run(command.args(["-s", "-i"]).args(arguments).arg(self.url(path))).stdout)
    }
}

/// A file with the user and the reader.
pub(crate) fn write_users(path: &std::path::Path) {
    let line = |user: &str| format!("{user}:{}\n", hash_password(&Secret::new(PASSWORD), 5).unwrap());
    fs::write(path, [USER, READER].map(line).concat()).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// What curl printed: the head and the body.
pub(crate) struct Reply {
    pub(crate) status: String,
    fields: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reply {
    fn of(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head: {text}"));
        let mut lines = head.lines();
        let status = lines.next().unwrap().trim_start_matches("HTTP/1.1 ").to_owned();
        let fields = lines.filter_map(|line| line.split_once(": "));
        let fields = fields.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        Self { status, fields, body: body.to_owned() }
    }

    /// The one value of a field.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let values: Vec<_> = self.fields.iter().filter(|(field, _)| field.eq_ignore_ascii_case(name)).collect();
        assert!(values.len() <= 1, "{name} is there {} times", values.len());
        values.first().map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub(crate) fn expect(self, status: &str, fields: &[(&str, &str)]) -> Self {
        assert_eq!(self.status, status, "{:?}\n{}", self.fields, self.body);
        for (name, value) in fields {
            assert_eq!(self.field(name), Some(*value), "{name}");
        }
        self
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

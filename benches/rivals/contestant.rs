//! Who takes part, and how each is told the same.

use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use super::rows::Bench;

/// A server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contestant {
    Wharf,
    /// As Debian has it.
    Registry2,
    /// CNCF Distribution 3.
    Registry3,
    /// The same bytes under the same paths, as static files.
    Nginx,
}

/// Who may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guard {
    Open,
    Htpasswd,
    /// wharf's own tokens; only wharf has them.
    Token,
    /// Everybody, by TLS.
    Tls,
}

impl Contestant {
    pub(crate) const ALL: [Self; 4] = [Self::Wharf, Self::Registry2, Self::Registry3, Self::Nginx];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Wharf => "wharf",
            Self::Registry2 => "registry:2",
            Self::Registry3 => "registry:3",
            Self::Nginx => "nginx",
        }
    }

    /// Where its program is, if it is installed.
    pub(crate) fn program(self, wharf: &Path) -> Option<PathBuf> {
        match self {
            Self::Wharf => Some(wharf.to_owned()),
            Self::Registry2 => find("docker-registry"),
            Self::Registry3 => find("registry"),
            Self::Nginx => find("nginx"),
        }
    }

    pub(crate) fn version(self, program: &Path) -> String {
        let flag = if self == Self::Nginx { "-v" } else { "--version" };
        let output = Command::new(program).arg(flag).output();
        let text = output
            .map_or_else(|error| error.to_string().into_bytes(), |output| [output.stdout, output.stderr].concat());
        String::from_utf8_lossy(&text).split_whitespace().last().unwrap_or("?").to_owned()
    }

    /// The command that serves `folder/store` on `port`.
    pub(crate) fn command(
        self,
        bench: &Bench,
        program: &Path,
        folder: &Path,
        port: u16,
        guard: Guard,
    ) -> io::Result<Command> {
        let mut command = Command::new(program);
        let inherited = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("REGISTRY_"));
        inherited.for_each(|(name, _)| {
            command.env_remove(name);
        });
        match self {
            Self::Wharf => {
                command.arg("serve").envs(wharf(bench, folder, port, guard)).current_dir(folder);
            }
            Self::Registry2 | Self::Registry3 => {
                let file = folder.join("config.yml");
                fs::write(&file, registry(bench, folder, port, guard))?;
                command.arg("serve").arg(file).env("OTEL_TRACES_EXPORTER", "none");
            }
            Self::Nginx => {
                let file = folder.join("nginx.conf");
                fs::write(&file, nginx(bench, folder, port, guard))?;
                command.arg("-e").arg(folder.join("error.log")).arg("-c").arg(file);
            }
        }
        Ok(command)
    }
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/bin");
    // Where Debian has servers, which is not on everybody's path.
    let folders = std::env::split_paths(&path).chain([tools, PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// wharf's settings, as variables.
pub(crate) fn wharf(bench: &Bench, folder: &Path, port: u16, guard: Guard) -> Vec<(&'static str, String)> {
    let site = |name: &str| bench.folder.join(name).display().to_string();
    let mut settings = vec![
        ("REGISTRY_HTTP_ADDR", format!("127.0.0.1:{port}")),
        ("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", folder.join("store").display().to_string()),
        ("REGISTRY_LOG_ACCESSLOG_DISABLED", (!bench.arguments.access_log).to_string()),
        // Only a collection would look at it.
        ("REGISTRY_STORAGE_GC_GRACE", "1s".to_owned()),
    ];
    match guard {
        Guard::Open => {}
        Guard::Tls => {
            settings.push(("REGISTRY_HTTP_TLS_CERTIFICATE", site("tls.crt")));
            settings.push(("REGISTRY_HTTP_TLS_KEY", site("tls.key")));
        }
        Guard::Htpasswd | Guard::Token => {
            let mode = if guard == Guard::Token { "token" } else { "htpasswd" };
            settings.push(("REGISTRY_AUTH", mode.to_owned()));
            settings.push(("REGISTRY_AUTH_HTPASSWD_PATH", site("htpasswd")));
            settings.push(("REGISTRY_AUTH_TOKEN_SERVICE", "localhost".to_owned()));
        }
    }
    settings
}

/// Of both registries: the cache as in the files that they are shipped with, and no log but of errors.
fn registry(bench: &Bench, folder: &Path, port: u16, guard: Guard) -> String {
    let site = bench.folder.display();
    let mut file = format!(
        "version: 0.1\n\
         log: {{level: error, accesslog: {{disabled: {}}}}}\n\
         storage:\n  cache: {{blobdescriptor: inmemory}}\n  filesystem: {{rootdirectory: {}}}\n\
         http:\n  addr: 127.0.0.1:{port}\n",
        !bench.arguments.access_log,
        folder.join("store").display(),
    );
    if guard == Guard::Tls {
        let _ = writeln!(file, "  tls: {{certificate: {site}/tls.crt, key: {site}/tls.key}}");
    }
    if guard == Guard::Htpasswd {
        let _ = writeln!(file, "auth:\n  htpasswd: {{realm: bench, path: {site}/htpasswd}}");
    }
    file
}

fn nginx(bench: &Bench, folder: &Path, port: u16, guard: Guard) -> String {
    let (here, site) = (folder.display(), bench.folder.display());
    let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
    let access_log = if bench.arguments.access_log { format!("{here}/access.log") } else { "off".to_owned() };
    let tls = if guard == Guard::Tls { " ssl" } else { "" };
    let certificate = if guard == Guard::Tls {
        format!("ssl_certificate {site}/tls.crt; ssl_certificate_key {site}/tls.key; ssl_protocols TLSv1.2 TLSv1.3;")
    } else {
        String::new()
    };
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .fold(String::new(), |text, kind| text + &format!("{kind}_temp_path {here}/tmp; "));
    format!(
        "daemon off; {user} worker_processes auto; pid {here}/nginx.pid; error_log {here}/error.log;\n\
         events {{ worker_connections 1024; }}\n\
         http {{\n access_log {access_log}; sendfile on; keepalive_requests 1000000000; keepalive_timeout 600;\n \
         default_type application/octet-stream; {temporary}\n \
         server {{ listen 127.0.0.1:{port}{tls}; {certificate} root {here}/store; }}\n}}\n",
    )
}

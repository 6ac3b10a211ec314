//! `wharf healthcheck`, for container images that have no curl.

use std::fmt::Display;
use std::io;
use std::process::ExitCode;

use clap::Args;
use url::Url;

use super::http_get::{self, Security};
use super::{CommandResult, FileArguments};
use crate::config::{Address, Host, Http, Listen};

/// Ask a running registry for its health.
#[derive(Debug, Args)]
pub(super) struct Healthcheck {
    /// The URL to ask [default: /healthz at the address that the settings name]
    url: Option<String>,
    /// The settings file that the registry was started with
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    config: Option<std::path::PathBuf>,
}

const PATH: &str = "/healthz";

impl Healthcheck {
    /// Exit code 0 for a status of 2xx, else 1 and the reason.
    pub(super) fn run(self) -> CommandResult {
        match self.url {
            Some(url) => ask_url(&url),
            None => ask_own(&FileArguments { file: None, config: self.config }.sources().load()?.config.http),
        }
    }
}

fn ask_url(text: &str) -> CommandResult {
    let parsed = Url::parse(text).ok();
    let asked = parsed.as_ref().and_then(|url| match url.scheme() {
        "http" => Some((url, Security::Plain)),
        "https" => Some((url, Security::Tls)),
        _ => None,
    });
    let Some((url, security)) = asked else {
        return Err(format!("`{text}` is not a URL like http://localhost:5000/healthz").into());
    };
    let authority = format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(80));
    let path = match url.path() {
        "/" => PATH,
        path => path,
    };
    judge(&text, http_get::over_tcp(security, &authority, path))
}

/// Asks the first address of the settings, as this machine reaches it.
fn ask_own(http: &Http) -> CommandResult {
    let security = if http.tls.is_some() { Security::Tls } else { Security::Plain };
    match &http.listen {
        Listen::Unix(socket) => judge(&socket.display(), http_get::over_unix(socket, PATH)),
        Listen::Tcp(addresses) => {
            let authority = addresses.first().map(reachable).unwrap_or_default();
            let asked = format!("{}://{authority}{PATH}", security.scheme());
            judge(&asked, http_get::over_tcp(security, &authority, PATH))
        }
    }
}

fn reachable(address: &Address) -> String {
    match &address.host {
        Host::Ip(ip) if !ip.is_unspecified() => address.to_string(),
        Host::Name(_) => address.to_string(),
        Host::Any | Host::Localhost | Host::Ip(_) => format!("localhost:{}", address.port),
    }
}

fn judge(asked: &dyn Display, answer: io::Result<u16>) -> CommandResult {
    match answer {
        Ok(status) if (200..300).contains(&status) => Ok(ExitCode::SUCCESS),
        Ok(status) => Err(format!("{asked} answered {status}").into()),
        Err(error) => Err(format!("{asked} can't be asked: {error}").into()),
    }
}

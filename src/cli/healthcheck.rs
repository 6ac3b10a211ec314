//! `wharf healthcheck`, for container images that have no curl.

use std::fmt::Display;
use std::io;
use std::process::ExitCode;

use clap::Args;
use url::Url;

use super::http_get::{self, Security};
use super::{FileArguments, output};
use crate::config::{Address, Host, Http, Listen};

/// Ask a running registry whether it is well.
#[derive(Debug, Args)]
pub(super) struct Healthcheck {
    /// What to ask [default: /healthz where the settings say that the registry listens]
    url: Option<String>,
    /// The settings file that the registry was started with
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    config: Option<std::path::PathBuf>,
}

const PATH: &str = "/healthz";

impl Healthcheck {
    /// Exit code 0 for an answer of 2xx, else 1 and the reason.
    pub(super) fn run(self) -> ExitCode {
        match self.url {
            Some(url) => ask_url(&url),
            None => match (FileArguments { file: None, config: self.config }).sources().load() {
                Ok(loaded) => ask_own(&loaded.config.http),
                Err(errors) => failed(&errors),
            },
        }
    }
}

fn ask_url(text: &str) -> ExitCode {
    let parsed = Url::parse(text).ok();
    let asked = parsed.as_ref().and_then(|url| match url.scheme() {
        "http" => Some((url, Security::Plain)),
        "https" => Some((url, Security::Tls)),
        _ => None,
    });
    let Some((url, security)) = asked else {
        return failed(&format_args!("`{text}` is not a URL like http://localhost:5000/healthz"));
    };
    let authority = format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(80));
    let path = match url.path() {
        "/" => PATH,
        path => path,
    };
    judge(&text, http_get::over_tcp(security, &authority, path))
}

/// Asks the first address of the settings, as this machine reaches it.
fn ask_own(http: &Http) -> ExitCode {
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

fn judge(asked: &dyn Display, answer: io::Result<u16>) -> ExitCode {
    match answer {
        Ok(status) if (200..300).contains(&status) => ExitCode::SUCCESS,
        Ok(status) => failed(&format_args!("{asked} answered {status}")),
        Err(error) => failed(&format_args!("{asked} can't be asked: {error}")),
    }
}

fn failed(problem: &dyn Display) -> ExitCode {
    output::complain(problem);
    ExitCode::FAILURE
}

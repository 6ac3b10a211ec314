//! `wharf healthcheck`, for container images that have no curl.

use std::{fmt::Display, path::PathBuf, process::ExitCode, time::Duration};

use clap::Args;
use url::Url;

use super::{CommandResult, FileArguments};
use crate::{
    client::{Client, Method, Options, Proxy, Request, Trust},
    config::{Address, Host, Http, Listen},
};

/// Ask a running registry for its health.
#[derive(Debug, Args)]
pub(super) struct Healthcheck {
    /// The URL to ask [default: /healthz at the address that the settings name]
    url: Option<String>,
    /// The settings file that the registry was started with
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    config: Option<PathBuf>,
}

const PATH: &str = "/healthz";

/// The longest that connecting may take, and then the answer.
const TIMEOUT: Duration = Duration::from_secs(5);

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
    match Url::parse(text) {
        Ok(mut url) if matches!(url.scheme(), "http" | "https") => {
            if url.path() == "/" {
                url.set_path(PATH);
            }
            ask(&text, url, None)
        }
        _ => Err(format!("`{text}` is not a URL like http://localhost:5000/healthz").into()),
    }
}

/// Asks the first address of the settings, as this machine reaches it.
fn ask_own(http: &Http) -> CommandResult {
    let scheme = if http.tls.is_some() { "https" } else { "http" };
    match &http.listen {
        Listen::Unix(socket) => {
            ask(&socket.display(), Url::parse(&format!("http://localhost{PATH}"))?, Some(socket.clone()))
        }
        Listen::Tcp(addresses) => {
            let authority = addresses.first().map(reachable).unwrap_or_default();
            let asked = format!("{scheme}://{authority}{PATH}");
            ask(&asked, Url::parse(&asked)?, None)
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

/// Asks the URL, over `socket` if there is one. No proxy is used, and the certificate of the server is not looked at:
/// `localhost` need not be in it.
fn ask(asked: &dyn Display, url: Url, socket: Option<PathBuf>) -> CommandResult {
    let options = Options {
        trust: Trust::AnyCertificate,
        proxy: Proxy::None,
        socket,
        connect_timeout: TIMEOUT,
        read_timeout: TIMEOUT,
        ..Options::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let answer = runtime.block_on(async { Client::new(&options)?.send(Request::new(Method::GET, url)).await });
    match answer {
        Ok(response) if response.status.is_success() => Ok(ExitCode::SUCCESS),
        Ok(response) => Err(format!("{asked} answered {}", response.status.as_u16()).into()),
        Err(error) => Err(format!("{asked} can't be asked: {error}").into()),
    }
}

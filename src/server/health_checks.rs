//! From `[health]` of the settings to the checks that are made.

use super::StartError;
use crate::{
    client::{Client, HeaderName, HeaderValue, Method, Options, Request},
    config::{self, Config},
    ops::{Check, Checks, HttpProbe, Probe},
};

/// The checks of `health`.
///
/// # Errors
/// [`StartError::HealthCheck`] if a request can't be made as the settings say.
pub(super) fn open(config: &Config) -> Result<Checks, StartError> {
    let check = |check: &config::HealthCheck| {
        let (name, probe) = match &check.probe {
            config::Probe::Store => ("storagedriver".to_owned(), Probe::Store),
            config::Probe::NoFile(path) => (path.display().to_string(), Probe::NoFile(path.clone())),
            config::Probe::Connection(address, timeout) => {
                (address.to_string(), Probe::Connection(address.to_string(), *timeout))
            }
            config::Probe::Http(http) => (name_of(&http.url), Probe::Http(Box::new(probe(http)?))),
        };
        Ok(Check { name, probe, interval: check.interval, threshold: check.threshold })
    };
    config.health.iter().map(check).collect::<Result<_, _>>().map(Checks::new)
}

/// The URL without a password and a query, which may be secret: everybody who reaches `/debug/health` sees this name.
fn name_of(url: &url::Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    // The URL of a server always takes these.
    let _ = url.set_username("").and_then(|()| url.set_password(None));
    url.into()
}

fn probe(http: &config::HttpProbe) -> Result<HttpProbe, StartError> {
    let bad = |problem: String| StartError::HealthCheck { url: name_of(&http.url), problem };
    let options = Options { connect_timeout: http.timeout, read_timeout: http.timeout, ..Options::default() };
    let client = Client::new(&options).map_err(|error| bad(error.to_string()))?;
    let mut request = Request::new(Method::HEAD, http.url.clone());
    for (name, values) in &http.headers {
        let field: HeaderName = name.parse().map_err(|_| bad(format!("`{name}` is not the name of a header")))?;
        for value in values {
            // The value may be a secret.
            let value = HeaderValue::from_str(value).map_err(|_| bad(format!("the value of {name} can't be sent")))?;
            request = request.header(field.clone(), value);
        }
    }
    Ok(HttpProbe { client, request, status: http.status })
}

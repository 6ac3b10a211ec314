//! Requests to one upstream: with its tokens, along its redirects, within bounds of time.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use tokio::time;
use url::Url;

use super::{
    Counters, Credentials, Settings,
    breaker::{Breaker, Failure},
    challenge::Challenge,
    network::Network,
    remote_error::RemoteError,
    settings::is_docker_hub,
    tokens::{Access, IssuedToken, Tokens},
};
use crate::client::{Client, ClientError, HeaderValue, Method, Options, Request, Response, StatusCode, header};

/// How long an upstream may take for the head of an answer, with the token and the redirects on the way.
const ANSWER_TIME: Duration = Duration::from_secs(9);

/// How long the body of a manifest or of a list may take.
const BODY_TIME: Duration = Duration::from_secs(20);

/// How many redirects are followed.
const REDIRECTS: usize = 5;

/// How many bytes the answer of an issuer of tokens has at most.
const TOKEN_BYTES: u64 = 1024 * 1024;

/// An upstream.
pub(super) struct Remote {
    url: Url,
    host: String,
    credentials: Credentials,
    realm: Option<String>,
    options: Options,
    /// Connects to the upstream itself.
    client: Client,
    /// Connect to where the upstream leads, by the network that the upstream is in.
    elsewhere: [OnceLock<Client>; 3],
    tokens: Tokens,
    breaker: Breaker,
    counters: Arc<Counters>,
    pub(super) min_free: u64,
}

/// A request to an upstream.
#[derive(Clone, Debug)]
pub(super) struct Wanted<'a> {
    /// `GET` or `HEAD`.
    pub(super) method: Method,
    /// The repository, by its name there.
    pub(super) repository: &'a str,
    /// What follows the name in the path: `manifests/latest`.
    pub(super) path: String,
    /// The types that are taken.
    pub(super) accept: &'static str,
    /// The value of `Range`.
    pub(super) range: Option<String>,
}

impl Remote {
    pub(super) fn new(settings: Settings, counters: Arc<Counters>) -> Result<Self, ClientError> {
        let mut url = settings.url;
        url.set_path(&format!("{}/", url.path().trim_end_matches('/')));
        Ok(Self {
            host: authority(&url),
            credentials: settings.credentials,
            realm: settings.realm,
            client: Client::new(&settings.client)?,
            options: settings.client,
            elsewhere: Default::default(),
            tokens: Tokens::default(),
            breaker: Breaker::default(),
            counters,
            min_free: settings.min_free,
            url,
        })
    }

    /// Its host, and its port if that is not the usual one.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Whether it is down, as far as is known.
    pub(super) fn is_down(&self) -> bool {
        self.breaker.is_open()
    }

    /// Asks for the base of the API, with the credentials; what that shows, in words.
    ///
    /// # Errors
    /// [`RemoteError`]
    pub(super) async fn check(&self) -> Result<&'static str, RemoteError> {
        let wanted = Wanted {
            method: Method::GET,
            repository: "",
            path: String::new(),
            accept: "application/json",
            range: None,
        };
        self.ask(&wanted).await?;
        let is_challenged = self.tokens.of("").lock().await.challenge.is_some();
        Ok(match (is_challenged, self.credentials.is_none()) {
            (true, false) => "answers, and takes the credentials",
            (true, true) => "answers, and gives tokens without credentials",
            (false, false) => "answers, and asks for no credentials",
            (false, true) => "answers",
        })
    }

    /// Sends a request. The response has a status of 2xx.
    ///
    /// # Errors
    /// [`RemoteError`]
    pub(super) async fn ask(&self, wanted: &Wanted<'_>) -> Result<Response, RemoteError> {
        if !self.breaker.admits() {
            return Err(RemoteError::Paused);
        }
        let asked = time::timeout(ANSWER_TIME, self.authorized(wanted)).await;
        let answer = asked.unwrap_or(Err(ClientError::Timeout.into())).and_then(|response| self.judge(response));
        let failure = match &answer {
            Err(RemoteError::Client(ClientError::Timeout)) => Some(Failure::AfterWait),
            Err(RemoteError::Client(_)) => Some(Failure::AtOnce),
            Err(RemoteError::Failed(_)) => Some(Failure::Status),
            // An answer that can't be used may be about one repository, and comes without a wait.
            _ => None,
        };
        let was_down = failure.map_or_else(|| self.breaker.answered(), |failure| self.breaker.failed(failure));
        if was_down && failure.is_none() {
            tracing::info!(upstream = self.host, "the upstream answers again");
        }
        answer.inspect_err(|error| {
            // While it is down, one warning is enough.
            let is_known = was_down && failure.is_some();
            if !is_known && !matches!(error, RemoteError::Absent | RemoteError::Method) {
                let Wanted { method, repository, path, .. } = wanted;
                tracing::warn!(upstream = self.host, %method, repository, path, %error, "the upstream gives nothing");
            }
        })
    }

    /// The body of a manifest or of a list, with `limit` bytes at most.
    ///
    /// # Errors
    /// [`ClientError`]
    pub(super) async fn body(&self, response: &mut Response, limit: u64) -> Result<Bytes, ClientError> {
        let body = time::timeout(BODY_TIME, response.bytes(limit)).await.unwrap_or(Err(ClientError::Timeout));
        if body == Err(ClientError::Timeout) {
            self.breaker.failed(Failure::AfterWait);
        }
        body
    }

    /// Sends a request with the token of its repository; once more with a new one if the upstream wants it.
    async fn authorized(&self, wanted: &Wanted<'_>) -> Result<Response, RemoteError> {
        let access = self.tokens.of(wanted.repository);
        let authorization = {
            let mut access = access.lock().await;
            match (access.authorization(), access.challenge.clone()) {
                // A token that ended is replaced before the upstream says so.
                (None, Some(challenge)) => self.authorize(&mut access, challenge, wanted.repository).await?,
                (authorization, _) => authorization,
            }
        };
        let response = self.follow(wanted, authorization.clone()).await?;
        if response.status != StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let values = response.headers.get_all(header::WWW_AUTHENTICATE).iter();
        let Some(challenge) = Challenge::parse(values.filter_map(|value| value.to_str().ok())) else {
            return Ok(response);
        };
        let authorization = {
            let mut access = access.lock().await;
            access.refuse(authorization.as_ref());
            match access.authorization() {
                // Another request has got a token meanwhile.
                Some(authorization) => Some(authorization),
                None => self.authorize(&mut access, challenge, wanted.repository).await?,
            }
        };
        match authorization {
            Some(_) => self.follow(wanted, authorization).await,
            None => Ok(response),
        }
    }

    /// Meets a challenge; `None` if that can't be done.
    async fn authorize(
        &self,
        access: &mut Access,
        challenge: Challenge,
        repository: &str,
    ) -> Result<Option<HeaderValue>, RemoteError> {
        // A challenge that can't be met is not met again before the upstream repeats it.
        access.challenge = None;
        let authorization = match &challenge {
            Challenge::Basic => self.basic().await?,
            Challenge::Bearer { realm, service, scope } => {
                let of_repository = || (!repository.is_empty()).then(|| format!("repository:{repository}:pull"));
                let scope = scope.clone().or_else(of_repository);
                let issued = self.issued(realm, service.as_deref(), scope.as_deref()).await?;
                let token = access.take(&issued);
                Some(token.ok_or_else(|| RemoteError::Answer("its issuer gives no token".to_owned()))?)
            }
        };
        access.challenge = Some(challenge);
        Ok(authorization)
    }

    /// Gets a token. The credentials are sent only to the upstream's host and to its realm.
    async fn issued(
        &self,
        realm: &str,
        service: Option<&str>,
        scope: Option<&str>,
    ) -> Result<IssuedToken, RemoteError> {
        let unusable = |problem: &str| RemoteError::Denied(format!("the realm {realm} {problem}"));
        let mut url = Url::parse(realm).map_err(|_| unusable("is no URL"))?;
        self.must_be_as_safe(&url)?;
        let parameters = [("service", service), ("scope", scope)];
        url.query_pairs_mut().extend_pairs(parameters.into_iter().filter_map(|(name, value)| Some((name, value?))));
        let is_trusted = url.host_str() == self.url.host_str() || url.host_str() == self.trusted_realm();
        if !self.credentials.is_none() && !is_trusted {
            return Err(unusable("is not the upstream's; name its host in `realm` if it is to get the credentials"));
        }
        let authorization = self.basic().await?;
        let mut request = Request::new(Method::GET, without_credentials(url.clone()));
        if let Some(authorization) = authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let mut response = self.client_for(&url).await?.send(request).await?;
        match response.status {
            StatusCode::OK => {
                let body = response.bytes(TOKEN_BYTES).await?;
                serde_json::from_slice(&body).map_err(|_| RemoteError::Answer("its issuer sends no JSON".to_owned()))
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(unusable("refuses the credentials")),
            _ => Err(self.judge(response).err().unwrap_or(RemoteError::Answer("it redirects its issuer".to_owned()))),
        }
    }

    /// The host that gets the credentials beside the upstream's own.
    fn trusted_realm(&self) -> Option<&str> {
        let is_hub = self.url.host_str().is_some_and(is_docker_hub);
        self.realm.as_deref().or(is_hub.then_some("auth.docker.io"))
    }

    /// The credentials as RFC 7617 has them, if there are any.
    async fn basic(&self) -> Result<Option<HeaderValue>, RemoteError> {
        let Some(pair) = self.credentials.get(&self.host).await.map_err(RemoteError::Credentials)? else {
            return Ok(None);
        };
        let encoded = BASE64_STANDARD.encode(format!("{}:{}", pair.username, pair.password));
        let value = HeaderValue::from_str(&format!("Basic {encoded}"));
        let mut value = value.map_err(|error| RemoteError::Credentials(error.to_string()))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }

    /// Sends a request, and follows redirects. Another origin gets no `Authorization`.
    async fn follow(&self, wanted: &Wanted<'_>, authorization: Option<HeaderValue>) -> Result<Response, RemoteError> {
        let joined = match wanted.repository {
            "" => self.url.join("v2/"),
            repository => self.url.join(&format!("v2/{repository}/{}", wanted.path)),
        };
        let mut url = joined.map_err(|error| RemoteError::Answer(error.to_string()))?;
        for _ in 0..=REDIRECTS {
            let is_own = url.origin() == self.url.origin();
            let mut request = Request::new(wanted.method.clone(), url.clone())
                .header(header::ACCEPT, HeaderValue::from_static(wanted.accept));
            if let Some(authorization) = authorization.as_ref().filter(|_| is_own) {
                request = request.header(header::AUTHORIZATION, authorization.clone());
            }
            if let Some(range) = wanted.range.as_ref().and_then(|range| HeaderValue::from_str(range).ok()) {
                request = request.header(header::RANGE, range);
            }
            let client = if is_own { &self.client } else { self.client_for(&url).await? };
            let response = match client.send(request.clone()).await {
                // The upstream has closed a connection that was kept open, just when the request was sent.
                Err(ClientError::Closed | ClientError::Broken(_)) => client.send(request).await?,
                answer => answer?,
            };
            if !matches!(response.status.as_u16(), 301 | 302 | 303 | 307 | 308) {
                return Ok(response);
            }
            let location = response.headers.get(header::LOCATION).and_then(|location| location.to_str().ok());
            let target = location.and_then(|location| url.join(location).ok()).map(without_credentials);
            url = target.ok_or_else(|| RemoteError::Answer("it redirects to nowhere".to_owned()))?;
            self.must_be_as_safe(&url)?;
        }
        Err(RemoteError::Answer(format!("it redirects more than {REDIRECTS} times")))
    }

    /// # Errors
    /// [`RemoteError::Answer`]: the URL is not one of HTTP, or it is without TLS, which the upstream has.
    fn must_be_as_safe(&self, url: &Url) -> Result<(), RemoteError> {
        match (self.url.scheme(), url.scheme()) {
            (_, "https") | ("http", "http") => Ok(()),
            _ => Err(RemoteError::Answer(format!("it leads to {}, which is not https", authority(url)))),
        }
    }

    /// The client for a URL that the upstream names.
    async fn client_for(&self, url: &Url) -> Result<&Client, RemoteError> {
        if url.origin() == self.url.origin() {
            return Ok(&self.client);
        }
        let network = Network::of(&self.url).await;
        let client = &self.elsewhere[network as usize];
        if let Some(client) = client.get() {
            return Ok(client);
        }
        // The client's certificate is for the upstream alone.
        let options = Options { may_connect: network.may_connect(), certificate: None, ..self.options.clone() };
        let made = Client::new(&options)?;
        Ok(client.get_or_init(|| made))
    }

    /// The response, if its status is one of 2xx.
    fn judge(&self, response: Response) -> Result<Response, RemoteError> {
        let text = |name: &str| response.headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(left) = text("ratelimit-remaining").and_then(|text| text.split(';').next()?.trim().parse().ok()) {
            self.counters.limit_left.set(left);
        }
        match response.status {
            // All requests want content as it is stored.
            status if status.is_success() => match text("content-encoding") {
                None | Some("identity") => Ok(response),
                Some(encoding) => Err(RemoteError::Answer(format!("it is encoded as {encoding}"))),
            },
            StatusCode::NOT_FOUND => Err(RemoteError::Absent),
            StatusCode::METHOD_NOT_ALLOWED => Err(RemoteError::Method),
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => Err(RemoteError::Denied(status.to_string())),
            StatusCode::TOO_MANY_REQUESTS => {
                Err(RemoteError::Limited { retry_after: text("retry-after").and_then(|text| text.trim().parse().ok()) })
            }
            status if status.is_server_error() => Err(RemoteError::Failed(status)),
            status => Err(RemoteError::Answer(format!("it answers {status}"))),
        }
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Remote({})", self.host)
    }
}

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// A URL without a name and a password, which an upstream must not choose.
fn without_credentials(mut url: Url) -> Url {
    // It fails for URLs that have no host, and those are refused elsewhere.
    let _ = url.set_username("").and_then(|()| url.set_password(None));
    url
}

//! One request to a bucket, from its parts to its answer.

use std::{
    collections::BTreeMap,
    fmt::Display,
    sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed},
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rand::Rng as _;
use tokio::time::{Instant, sleep};
use url::Url;

use super::{
    super::{Result, StorageError},
    lease::Lease,
    settings::{Credentials, S3Settings},
    signature::{Signed, sha256, timestamp},
    xml,
};
use crate::client::{
    Client, ClientError, HeaderMap, HeaderName, HeaderValue, Method, Options, Request, Response, StatusCode, Trust,
};

/// All that is encoded in a path and in a query: everything but the unreserved characters (RFC 3986, section 2.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// How often a request is sent at the most.
const ATTEMPTS: u32 = 5;

/// A request that fails later than this after its first attempt is not sent again.
const PATIENCE: Duration = Duration::from_secs(60);

/// The wait before the second attempt, in milliseconds, at the most. It doubles with each attempt.
const FIRST_WAIT: u64 = 200;

/// The longest wait for an answer: some stores copy the parts of an upload before they answer.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// The longest answer that is read as a whole, in bytes, beside the content of objects: a list of 1,000 long keys.
const ANSWER_LIMIT: u64 = 8 * 1024 * 1024;

/// The wire to one bucket.
#[derive(Debug)]
pub(super) struct Bucket {
    client: Client,
    settings: S3Settings,
    credentials: Credentials,
    /// The scheme and the authority of all URLs.
    origin: String,
    /// The authority, as `Host` has it.
    host: String,
    /// The right of this process to change the bucket.
    pub(super) lease: Lease,
    /// How many seconds the store's clock is ahead of this machine's.
    ahead: AtomicI64,
    /// How many requests were sent.
    sent: AtomicU64,
    read_only: AtomicBool,
}

/// A request. Each may be sent several times.
#[derive(Debug)]
pub(super) struct Call {
    operation: &'static str,
    method: Method,
    key: String,
    query: BTreeMap<&'static str, String>,
    headers: BTreeMap<&'static str, String>,
    body: Bytes,
    date: CallDate,
    /// How many bytes of the answer are read at the most; `None`: the caller reads it.
    limit: Option<u64>,
}

/// The date that a request is signed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallDate {
    /// That of the lease, if the request changes something.
    Lease,
    /// The moment at which it is sent.
    Now,
    /// This one.
    At(SystemTime),
}

/// A request that is under way and changes something. If its future is dropped, or there is no answer, it may be
/// carried out later.
struct Doubt<'a> {
    lease: &'a Lease,
    date: Option<SystemTime>,
}

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        if self.date.is_some() {
            self.lease.doubt(self.date);
        }
    }
}

/// An answer. Its body was read, unless it is a success of a call that is [`read by the caller`](Call::streamed).
#[derive(Debug)]
pub(super) struct Answer {
    response: Response,
    pub(super) body: Bytes,
    /// The `Code` of an error.
    code: Option<String>,
    /// Whether an earlier attempt may have been carried out, too.
    pub(super) is_repeated: bool,
    operation: &'static str,
    key: String,
}

impl Call {
    /// A request about an object. The key is without the root directory; it is empty for the bucket itself.
    pub(super) fn new(operation: &'static str, method: Method, key: &str) -> Self {
        let (query, headers, limit) = (BTreeMap::new(), BTreeMap::new(), Some(ANSWER_LIMIT));
        Self {
            operation,
            method,
            key: key.to_owned(),
            query,
            headers,
            body: Bytes::new(),
            date: CallDate::Lease,
            limit,
        }
    }

    /// The request, if its answer may have `limit` bytes.
    pub(super) fn limit(self, limit: u64) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// The request, if the caller reads its answer.
    pub(super) fn streamed(self) -> Self {
        Self { limit: None, ..self }
    }

    /// The request with this date.
    pub(super) fn dated(self, date: CallDate) -> Self {
        Self { date, ..self }
    }

    /// Whether it changes something that others rely on.
    fn is_change(&self) -> bool {
        self.date == CallDate::Lease && !matches!(self.method, Method::GET | Method::HEAD)
    }

    /// The request with one more parameter.
    pub(super) fn query(mut self, name: &'static str, value: impl Display) -> Self {
        self.query.insert(name, value.to_string());
        self
    }

    /// The request with one more header, named in lower case.
    pub(super) fn header(mut self, name: &'static str, value: impl Display) -> Self {
        self.headers.insert(name, value.to_string());
        self
    }

    /// The request with this body.
    pub(super) fn body(self, body: Bytes) -> Self {
        Self { body, ..self }
    }
}

impl Bucket {
    /// # Errors
    /// [`StorageError::Open`].
    pub(super) fn new(settings: S3Settings, credentials: Credentials) -> Result<Self> {
        let mut options = Options { read_timeout: LONGEST_WAIT, ..Options::default() };
        if settings.skip_verify {
            options.trust = Trust::AnyCertificate;
        }
        let client = Client::new(&options).map_err(|error| StorageError::Open(error.to_string()))?;
        let (scheme, authority) = (settings.endpoint.scheme(), settings.endpoint.authority());
        let label = if settings.path_style { String::new() } else { format!("{}.", settings.bucket) };
        let host = format!("{label}{authority}");
        Ok(Self {
            client,
            origin: format!("{scheme}://{host}"),
            host,
            settings,
            credentials,
            lease: Lease::default(),
            ahead: AtomicI64::new(0),
            sent: AtomicU64::new(0),
            read_only: AtomicBool::new(false),
        })
    }

    /// Where it is.
    pub(super) fn settings(&self) -> &S3Settings {
        &self.settings
    }

    /// Refuses every request from now on that would change something.
    pub(super) fn refuse_writes(&self) {
        self.read_only.store(true, Relaxed);
    }

    /// Whether it refuses changes.
    pub(super) fn is_read_only(&self) -> bool {
        self.read_only.load(Relaxed)
    }

    /// How many requests were sent.
    #[cfg(test)]
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Relaxed)
    }

    /// The key in the bucket: with the root directory.
    pub(super) fn full_key(&self, key: &str) -> String {
        if self.settings.root.is_empty() { key.to_owned() } else { format!("{}/{key}", self.settings.root) }
    }

    /// The value of `x-amz-copy-source` for an object.
    pub(super) fn copy_source(&self, key: &str) -> String {
        format!("{}/{}", self.settings.bucket, encode_path(&self.full_key(key)))
    }

    /// Sends a request, again if the answer is lost or the store is in trouble.
    ///
    /// # Errors
    /// There is no answer, or it says that the store failed. [`StorageError::TooLarge`] if the answer is longer than the
    /// limit of the request.
    pub(super) fn send(&self, call: Call) -> BoxFuture<'_, Result<Answer>> {
        // The type is hidden: this is a large future that many others await.
        Box::pin(self.attempts(call))
    }

    async fn attempts(&self, call: Call) -> Result<Answer> {
        if self.is_read_only() && !matches!(call.method, Method::GET | Method::HEAD) {
            return Err(StorageError::ReadOnly);
        }
        let (mut is_repeated, begun) = (false, Instant::now());
        let body = hash(call.body.clone()).await;
        for attempt in 1.. {
            let attempted = self.attempt(&call, &body).await;
            let is_last = attempt == ATTEMPTS || begun.elapsed() > PATIENCE;
            let failure = match attempted {
                Ok(answer) if !answer.is_worth_another(&call) || is_last => {
                    return if answer.response.status.is_server_error() {
                        Err(answer.failure())
                    } else {
                        Ok(Answer { is_repeated, ..answer })
                    };
                }
                Ok(answer) => answer.failure(),
                Err(error @ (StorageError::TooLarge | StorageError::ReadOnly)) => return Err(error),
                Err(error) => error,
            };
            if is_last {
                return Err(failure);
            }
            is_repeated = true;
            tracing::debug!(error = %failure, "a request to the object store is sent again");
            let longest = FIRST_WAIT << (attempt - 1);
            let wait = rand::rng().random_range(longest / 4..longest);
            sleep(Duration::from_millis(wait)).await;
        }
        unreachable!("the last attempt returns")
    }

    async fn attempt(&self, call: &Call, body: &str) -> Result<Answer> {
        self.sent.fetch_add(1, Relaxed);
        let lease_date = if call.is_change() { self.lease.date()? } else { None };
        let date = match call.date {
            CallDate::At(date) => date,
            CallDate::Lease | CallDate::Now => lease_date.unwrap_or_else(|| self.now()),
        };
        let request = self.request(call, body, date)?;
        let mut doubt = Doubt { lease: &self.lease, date: lease_date };
        let failed = |error: ClientError| failure(call.operation, &call.key, &error.to_string());
        let response = self.client.send(request).await.map_err(failed)?;
        if !response.status.is_server_error() {
            doubt.date = None;
        }
        drop(doubt);
        self.note_clock(&response.headers);
        let (operation, key, is_success) = (call.operation, call.key.clone(), response.status.is_success());
        let mut answer = Answer { response, body: Bytes::new(), code: None, is_repeated: false, operation, key };
        if call.method == Method::HEAD || (call.limit.is_none() && is_success) {
            return Ok(answer);
        }
        let limit = call.limit.filter(|_| is_success).unwrap_or(ANSWER_LIMIT);
        if answer.response.content_length().is_some_and(|len| len > limit) {
            return Err(StorageError::TooLarge);
        }
        answer.body = answer.response.bytes(limit).await.map_err(|error| match error {
            ClientError::TooLarge { .. } => StorageError::TooLarge,
            error => failed(error),
        })?;
        if !is_success {
            answer.code = xml::text_of(&String::from_utf8_lossy(&answer.body), "Code");
        }
        Ok(answer)
    }

    fn request(&self, call: &Call, body: &str, date: SystemTime) -> Result<Request> {
        let bucket = if self.settings.path_style { format!("/{}", self.settings.bucket) } else { String::new() };
        let key = if call.key.is_empty() { String::new() } else { encode_path(&self.full_key(&call.key)) };
        let path = format!("{bucket}/{key}");
        let query: Vec<String> = call.query.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let query = query.join("&");
        let date = timestamp(date);
        let mut headers = call.headers.clone();
        headers.insert("host", self.host.clone());
        headers.insert("x-amz-content-sha256", body.to_owned());
        headers.insert("x-amz-date", date.clone());
        if let Some(token) = &self.credentials.session_token {
            headers.insert("x-amz-security-token", token.clone());
        }
        let signed = Signed { method: call.method.as_str(), path: &path, query: &query, headers: &headers, body };
        let authorization = signed.authorization(&self.credentials, &self.settings.region, &date);
        headers.insert("authorization", authorization);
        let invalid = || failure(call.operation, &call.key, "the request is not one of HTTP");
        let url = Url::parse(&format!("{}{path}?{query}", self.origin)).map_err(|_| invalid())?;
        let mut request = Request::new(call.method.clone(), url).body(call.body.clone());
        for (name, value) in headers {
            let mut value = HeaderValue::from_str(&value).map_err(|_| invalid())?;
            value.set_sensitive(matches!(name, "authorization" | "x-amz-security-token"));
            request = request.header(HeaderName::from_static(name), value);
        }
        Ok(request)
    }

    /// A date of the store by the clock of this machine, if the two are far apart. It is exact to some minutes, and
    /// always the same for one date while the clocks stay as they are.
    pub(super) fn local_date(&self, date: SystemTime) -> SystemTime {
        const STEP: i64 = 15 * 60;
        later(date, -(self.ahead.load(Relaxed) + STEP / 2).div_euclid(STEP) * STEP)
    }

    /// The time by the store's clock, as far as it is known.
    fn now(&self) -> SystemTime {
        later(SystemTime::now(), self.ahead.load(Relaxed))
    }

    /// A request that is dated by another clock than the store's is refused, so each answer tells the time.
    fn note_clock(&self, headers: &HeaderMap) {
        let date = headers.get("date").and_then(|date| date.to_str().ok());
        if let Some(date) = date.and_then(|date| httpdate::parse_http_date(date).ok()) {
            self.ahead.store(seconds(date) - seconds(SystemTime::now()), Relaxed);
        }
    }
}

impl Answer {
    /// The status.
    pub(super) fn status(&self) -> StatusCode {
        self.response.status
    }

    /// The `Code` of an error.
    pub(super) fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// A header, if it is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.response.headers.get(name)?.to_str().ok()
    }

    /// The answer, if it is a success.
    ///
    /// # Errors
    /// The store refuses the request.
    pub(super) fn success(self) -> Result<Self> {
        if self.response.status.is_success() { Ok(self) } else { Err(self.failure()) }
    }

    /// The error that this answer is.
    pub(super) fn failure(&self) -> StorageError {
        let code = self.code.as_deref().unwrap_or("no code");
        failure(self.operation, &self.key, &format!("the object store answers {}: {code}", self.response.status))
    }

    /// The body of a success that is XML. Copies and completed uploads can fail after their status was sent.
    ///
    /// # Errors
    /// The store refuses the request, or the body is an error.
    pub(super) fn xml(self) -> Result<String> {
        let mut answer = self.success()?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        if text.contains("<Error>") {
            answer.code = xml::text_of(&text, "Code");
            return Err(answer.failure());
        }
        Ok(text)
    }

    /// The head of the answer is there; the body comes piece by piece.
    pub(super) fn into_response(self) -> Response {
        self.response
    }

    /// Whether the same request may be answered otherwise a moment later.
    fn is_worth_another(&self, call: &Call) -> bool {
        let is_skewed = self.code.as_deref() == Some("RequestTimeTooSkewed");
        match self.response.status {
            // Another request about the same key, or one above it, was under way.
            StatusCode::CONFLICT | StatusCode::TOO_MANY_REQUESTS => true,
            // The clock was another one. What is late by its lease stays so.
            StatusCode::FORBIDDEN => is_skewed && !call.is_change() && !matches!(call.date, CallDate::At(_)),
            status => status.is_server_error(),
        }
    }
}

/// The SHA-256 of a body, in hex. That of a long one is computed on another thread.
async fn hash(body: Bytes) -> String {
    const LONG: usize = 256 * 1024;
    if body.len() < LONG {
        return sha256(&body);
    }
    let hashed = tokio::task::spawn_blocking({
        let body = body.clone();
        move || sha256(&body)
    });
    hashed.await.unwrap_or_else(|_| sha256(&body))
}

/// The error of a request about `key`.
pub(super) fn failure(operation: &'static str, key: &str, cause: &str) -> StorageError {
    StorageError::io(operation, std::path::Path::new(key), std::io::Error::other(cause.to_owned()))
}

/// Seconds since 1970.
fn seconds(moment: SystemTime) -> i64 {
    let passed = moment.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(passed.as_secs()).unwrap_or(i64::MAX)
}

/// `moment` and some seconds, which may be fewer than none.
fn later(moment: SystemTime, seconds: i64) -> SystemTime {
    let wait = Duration::from_secs(seconds.unsigned_abs());
    let moved = if seconds < 0 { moment.checked_sub(wait) } else { moment.checked_add(wait) };
    moved.unwrap_or(moment)
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

fn encode_path(path: &str) -> String {
    path.split('/').map(encode).collect::<Vec<_>>().join("/")
}

//! An upstream registry that acts as Docker Hub does, and fails on demand: tokens from a host of its own, a redirect of
//! blobs to a third one, limits, and a break, a lie or silence at any byte.

use std::{
    collections::HashMap,
    fmt::Write as _,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::{Duration, Instant},
};

use crate::support::{
    image::{Blob, IMAGE_INDEX, Image, Index, Manifest, sha256},
    wait::pass,
};

/// How requests are authenticated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Auth {
    #[default]
    Open,
    /// A token for each repository; private ones need the credentials `me:secret`.
    Bearer,
    /// The credentials `me:secret`.
    Basic,
}

/// What becomes of a blob's bytes, counted from the first byte of the blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection ends there.
    Break(usize),
    /// This byte is another one.
    Lie(usize),
    /// Nothing more comes.
    Silence(usize),
}

/// Where a GET of a blob leads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Redirect {
    #[default]
    Nowhere,
    /// To the third host, with a signature.
    Content,
    /// To itself.
    Circle,
    /// To this URL.
    To(String),
}

/// What the hub does.
#[derive(Clone, Debug)]
pub(crate) struct Behaviour {
    pub(crate) auth: Auth,
    /// Repositories that need the credentials.
    pub(crate) private: Vec<String>,
    /// How long a token lasts, in seconds.
    pub(crate) token_life: u64,
    /// The realm, in the place of its own.
    pub(crate) realm: Option<String>,
    pub(crate) redirect: Redirect,
    /// The faults of the next bodies of blobs, one for each request.
    pub(crate) faults: Vec<Fault>,
    /// A fault of all bodies of blobs.
    pub(crate) fault: Option<Fault>,
    /// The status of every answer, and more header lines.
    pub(crate) status: Option<(u16, String)>,
    /// The status of every HEAD.
    pub(crate) head: Option<u16>,
    /// Every request is taken, and none is answered.
    pub(crate) is_silent: bool,
    /// Whether `Range` is understood.
    pub(crate) takes_ranges: bool,
    /// Whether manifests come with their digests.
    pub(crate) says_digests: bool,
    /// The bodies of manifests, in the place of the right ones.
    pub(crate) body: Option<Vec<u8>>,
    /// How long each piece of 64 KiB of a blob waits.
    pub(crate) delay: Duration,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            auth: Auth::Open,
            private: Vec::new(),
            token_life: 300,
            realm: None,
            redirect: Redirect::Nowhere,
            faults: Vec::new(),
            fault: None,
            status: None,
            head: None,
            is_silent: false,
            takes_ranges: true,
            says_digests: true,
            body: None,
            delay: Duration::ZERO,
        }
    }
}

/// A request that the hub got.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// `registry`, `auth` or `content`.
    pub(crate) host: &'static str,
    pub(crate) method: String,
    pub(crate) path: String,
    /// Names in lower case.
    headers: HashMap<String, String>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

#[derive(Default)]
struct State {
    behaviour: Behaviour,
    blobs: HashMap<String, Vec<u8>>,
    manifests: HashMap<(String, String), (String, Vec<u8>)>,
    /// Scope and end of each token.
    tokens: HashMap<String, (String, Instant)>,
    seen: Vec<Seen>,
}

/// The hub. It listens for as long as the test program runs.
#[derive(Clone)]
pub(crate) struct Hub {
    ports: [u16; 3],
    state: Arc<Mutex<State>>,
}

const HOSTS: [&str; 3] = ["registry", "auth", "content"];

impl Hub {
    pub(crate) fn new() -> Self {
        let listeners = HOSTS.map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        let ports = [0, 1, 2].map(|at| TcpListener::local_addr(&listeners[at]).unwrap().port());
        let hub = Self { ports, state: Arc::default() };
        for (host, listener) in HOSTS.into_iter().zip(listeners) {
            let hub = hub.clone();
            thread::spawn(move || {
                for stream in listener.incoming() {
                    let hub = hub.clone();
                    thread::spawn(move || hub.serve(host, stream.unwrap()));
                }
            });
        }
        hub
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0])
    }

    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.ports[0])
    }

    /// Changes what it does.
    pub(crate) fn set(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.state().behaviour);
    }

    pub(crate) fn put_blob(&self, blob: &Blob) {
        self.state().blobs.insert(blob.digest().to_owned(), blob.bytes().to_vec());
    }

    pub(crate) fn put_manifest(&self, repository: &str, tag: &str, manifest: &Manifest) {
        let content = (manifest.media_type().to_owned(), manifest.bytes().to_vec());
        for reference in [tag, manifest.digest()] {
            self.state().manifests.insert((repository.to_owned(), reference.to_owned()), content.clone());
        }
    }

    pub(crate) fn put(&self, repository: &str, tag: &str, image: &Image) {
        image.blobs().for_each(|blob| self.put_blob(blob));
        self.put_manifest(repository, tag, image.manifest());
    }

    pub(crate) fn put_index(&self, repository: &str, tag: &str, index: &Index) {
        for image in index.images() {
            self.put(repository, image.manifest().digest(), image);
        }
        self.put_manifest(repository, tag, index.manifest());
    }

    pub(crate) fn remove_tag(&self, repository: &str, tag: &str) {
        self.state().manifests.remove(&(repository.to_owned(), tag.to_owned()));
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state().seen.clone()
    }

    /// Forgets what was seen.
    pub(crate) fn forget(&self) {
        self.state().seen.clear();
    }

    /// How many requests with this method had `part` in their path.
    pub(crate) fn count(&self, method: &str, part: &str) -> usize {
        self.state().seen.iter().filter(|seen| seen.method == method && seen.path.contains(part)).count()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn serve(&self, host: &'static str, stream: TcpStream) {
        let mut reader = BufReader::new(stream);
        while let Some(seen) = read_request(host, &mut reader) {
            self.state().seen.push(seen.clone());
            let behaviour = self.state().behaviour.clone();
            if behaviour.is_silent {
                // Until the client closes.
                let _ = reader.read(&mut [0]);
                return;
            }
            let sent = match host {
                "auth" => self.issue(&seen).send(reader.get_mut(), &seen),
                _ => self.answer(host, &seen, &behaviour).send(reader.get_mut(), &seen),
            };
            if sent.is_err() {
                return;
            }
        }
    }

    /// A token for the scope, if the sender may have it.
    fn issue(&self, seen: &Seen) -> Answer {
        let query: HashMap<String, String> = url_pairs(&seen.path);
        let scope = query.get("scope").cloned().unwrap_or_default();
        let repository = scope.split(':').nth(1).unwrap_or_default().to_owned();
        let mut state = self.state();
        let credentials = seen.header("authorization");
        if credentials.is_some_and(|text| text != basic()) {
            return Answer::error(401, "");
        }
        let may = credentials.is_some() || !state.behaviour.private.contains(&repository);
        let token = format!("token-{}", state.tokens.len());
        let life = state.behaviour.token_life;
        let granted = if may { scope } else { String::new() };
        state.tokens.insert(token.clone(), (granted, Instant::now() + Duration::from_secs(life)));
        let body = format!("{{\"token\":\"{token}\",\"access_token\":\"{token}\",\"expires_in\":{life}}}");
        Answer::new(200, "Content-Type: application/json\r\n", body.into_bytes())
    }

    fn is_authorized(&self, seen: &Seen, repository: &str) -> bool {
        let state = self.state();
        let authorization = seen.header("authorization").unwrap_or_default();
        match state.behaviour.auth {
            Auth::Open => true,
            Auth::Basic => authorization == basic(),
            Auth::Bearer => authorization.strip_prefix("Bearer ").is_some_and(|token| {
                let wanted = format!("repository:{repository}:pull");
                state.tokens.get(token).is_some_and(|(scope, end)| *scope == wanted && Instant::now() < *end)
            }),
        }
    }

    fn answer(&self, host: &str, seen: &Seen, behaviour: &Behaviour) -> Answer {
        if let Some((status, headers)) = &behaviour.status {
            return Answer::error(*status, headers);
        }
        let path = seen.path.split('?').next().unwrap_or_default();
        if host == "content" {
            // As object stores do that are asked with two kinds of credentials.
            return if seen.header("authorization").is_some() || !seen.path.contains("signature=") {
                Answer::error(400, "")
            } else {
                self.blob(path.trim_start_matches('/'), seen)
            };
        }
        if path == "/v2/" {
            let authorization = seen.header("authorization").unwrap_or_default();
            let is_known = authorization == basic() || authorization.starts_with("Bearer token-");
            let is_open = behaviour.auth == Auth::Open || is_known;
            return if is_open { Answer::new(200, "", Vec::new()) } else { self.challenge("", behaviour) };
        }
        let Some(rest) = path.strip_prefix("/v2/") else { return Answer::error(404, "") };
        let found = ["/manifests/", "/blobs/", "/tags/", "/referrers/"]
            .into_iter()
            .find_map(|kind| rest.split_once(kind).map(|(repository, last)| (kind, repository, last)));
        let Some((kind, repository, last)) = found else { return Answer::error(404, "") };
        if !self.is_authorized(seen, repository) {
            return self.challenge(repository, behaviour);
        }
        match kind {
            "/manifests/" => self.manifest(repository, last, seen, behaviour),
            "/blobs/" => self.redirected_blob(last, seen, behaviour),
            "/tags/" => {
                let state = self.state();
                let mut tags: Vec<_> = state.manifests.keys().filter(|(name, _)| name == repository).collect();
                tags.retain(|(_, reference)| !reference.starts_with("sha256:"));
                let mut tags: Vec<_> = tags.into_iter().map(|(_, tag)| format!("\"{tag}\"")).collect();
                tags.sort();
                let body = format!("{{\"name\":\"{repository}\",\"tags\":[{}]}}", tags.join(","));
                Answer::new(200, "Content-Type: application/json\r\n", body.into_bytes())
            }
            _ => Answer::error(404, ""),
        }
    }

    fn challenge(&self, repository: &str, behaviour: &Behaviour) -> Answer {
        let own = format!("http://127.0.0.1:{}/token", self.ports[1]);
        let realm = behaviour.realm.as_ref().unwrap_or(&own);
        let challenge = match behaviour.auth {
            Auth::Basic => "Basic realm=\"hub\"".to_owned(),
            _ => format!("Bearer realm=\"{realm}\",service=\"hub.test\",scope=\"repository:{repository}:pull\""),
        };
        Answer::error(401, &format!("WWW-Authenticate: {challenge}\r\n"))
    }

    fn manifest(&self, repository: &str, reference: &str, seen: &Seen, behaviour: &Behaviour) -> Answer {
        if let Some(status) = behaviour.head.filter(|_| seen.method == "HEAD") {
            return Answer::error(status, "");
        }
        let found = self.state().manifests.get(&(repository.to_owned(), reference.to_owned())).cloned();
        let Some((media_type, bytes)) = found else { return Answer::error(404, "") };
        // An index is only for those who ask for one.
        if media_type == IMAGE_INDEX && !seen.header("accept").unwrap_or_default().contains(IMAGE_INDEX) {
            return Answer::error(404, "");
        }
        let mut headers = format!(
            "Content-Type: {media_type}\r\nRateLimit-Limit: 100;w=21600\r\nRateLimit-Remaining: 76;w=21600\r\n"
        );
        if behaviour.says_digests {
            write!(headers, "Docker-Content-Digest: {}\r\n", sha256(&bytes)).unwrap();
        }
        Answer::new(200, &headers, behaviour.body.clone().unwrap_or(bytes))
    }

    fn redirected_blob(&self, digest: &str, seen: &Seen, behaviour: &Behaviour) -> Answer {
        if let Some(status) = behaviour.head.filter(|_| seen.method == "HEAD") {
            return Answer::error(status, "");
        }
        let target = match &behaviour.redirect {
            Redirect::Nowhere => return self.blob(digest, seen),
            Redirect::Content => format!("http://127.0.0.1:{}/{digest}?signature=x", self.ports[2]),
            Redirect::Circle => seen.path.clone(),
            Redirect::To(url) => url.clone(),
        };
        Answer::new(307, &format!("Location: {target}\r\n"), Vec::new())
    }

    fn blob(&self, digest: &str, seen: &Seen) -> Answer {
        let mut state = self.state();
        let Some(bytes) = state.blobs.get(digest).cloned() else { return Answer::error(404, "") };
        let is_one_byte = seen.header("range") == Some("bytes=0-0");
        let next = (!state.behaviour.faults.is_empty() && !is_one_byte).then(|| state.behaviour.faults.remove(0));
        let fault = next.or(state.behaviour.fault).filter(|_| !is_one_byte);
        let takes_ranges = state.behaviour.takes_ranges;
        let range = seen.header("range").filter(|_| takes_ranges).and_then(|range| range.strip_prefix("bytes="));
        let len = bytes.len();
        let (first, end) = range.and_then(|range| range.split_once('-')).map_or((0, len), |(first, last)| {
            (first.parse().unwrap(), last.parse::<usize>().map_or(len, |last| len.min(last + 1)))
        });
        let (status, headers) = match range {
            Some(_) => (206, format!("Content-Range: bytes {first}-{}/{len}\r\n", end.max(1) - 1)),
            None => (200, String::new()),
        };
        let mut answer = Answer::new(status, &headers, bytes[first..end].to_vec());
        answer.delay = state.behaviour.delay;
        answer.fault = fault.and_then(|fault| match fault {
            Fault::Break(at) => Some(Fault::Break(at.checked_sub(first)?)),
            Fault::Lie(at) => Some(Fault::Lie(at.checked_sub(first)?)),
            Fault::Silence(at) => Some(Fault::Silence(at.checked_sub(first)?)),
        });
        answer
    }
}

struct Answer {
    status: u16,
    headers: String,
    body: Vec<u8>,
    fault: Option<Fault>,
    delay: Duration,
}

impl Answer {
    fn new(status: u16, headers: &str, body: Vec<u8>) -> Self {
        Self { status, headers: headers.to_owned(), body, fault: None, delay: Duration::ZERO }
    }

    fn error(status: u16, headers: &str) -> Self {
        Self::new(status, &format!("Content-Type: text/plain\r\n{headers}"), b"no".to_vec())
    }

    fn send(mut self, stream: &mut TcpStream, seen: &Seen) -> std::io::Result<()> {
        let head = format!("HTTP/1.1 {} X\r\n{}Content-Length: {}\r\n\r\n", self.status, self.headers, self.body.len());
        stream.write_all(head.as_bytes())?;
        if seen.method == "HEAD" {
            return Ok(());
        }
        let cut = match self.fault {
            Some(Fault::Break(at) | Fault::Silence(at)) => at.min(self.body.len()),
            Some(Fault::Lie(at)) => {
                if let Some(byte) = self.body.get_mut(at) {
                    *byte ^= 1;
                }
                self.body.len()
            }
            None => self.body.len(),
        };
        for piece in self.body[..cut].chunks(64 * 1024) {
            if !self.delay.is_zero() {
                pass(self.delay, "how slowly the upstream sends");
            }
            stream.write_all(piece)?;
        }
        match self.fault {
            Some(Fault::Break(_)) if cut < self.body.len() => Err(std::io::ErrorKind::BrokenPipe.into()),
            Some(Fault::Silence(_)) if cut < self.body.len() => {
                let _ = stream.read(&mut [0]);
                Err(std::io::ErrorKind::TimedOut.into())
            }
            _ => Ok(()),
        }
    }
}

fn read_request(host: &'static str, reader: &mut BufReader<TcpStream>) -> Option<Seen> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|len| *len > 0)?;
    let mut words = line.split_whitespace();
    let mut seen = Seen { host, method: words.next()?.to_owned(), path: words.next()?.to_owned(), ..Seen::default() };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|len| *len > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { return Some(seen) };
        seen.headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
}

/// `me:secret`, as RFC 7617 has it.
fn basic() -> &'static str {
    "Basic bWU6c2VjcmV0"
}

fn url_pairs(path: &str) -> HashMap<String, String> {
    let query = path.split_once('?').map_or("", |(_, query)| query);
    let decode = |text: &str| text.replace("%3A", ":").replace("%2F", "/").replace("%2C", ",");
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), decode(value)))
        .collect()
}

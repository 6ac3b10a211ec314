//! An upstream registry that acts as Docker Hub does, and fails on demand: tokens from a host of its own, a redirect of
//! blobs to a third one, limits, and a break, a lie or silence at any byte.

mod behaviour;
mod raw;
mod tls;
mod wire;

use std::{
    collections::HashMap,
    fmt::Write as _,
    io::{BufReader, Read as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::{Duration, Instant},
};

pub(crate) use self::wire::Gate;
use self::wire::{Answer, Seen, Stream, read_request};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

pub(crate) use self::{
    behaviour::{Auth, Behaviour, Fault, Redirect},
    raw::{Body, Raw, To},
    tls::{Authority, Clients},
};
use crate::support::image::{Blob, IMAGE_INDEX, Image, Index, Manifest, sha256};

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
    /// The scheme, the name and the port of each host.
    origins: [String; 3],
    state: Arc<Mutex<State>>,
}

const HOSTS: [&str; 3] = ["registry", "auth", "content"];

impl Hub {
    pub(crate) fn new() -> Self {
        Self::over([None, None, None])
    }

    /// With TLS for those of the hosts that have settings for it. Their name is `localhost`.
    pub(crate) fn over(tls: [Option<Arc<ServerConfig>>; 3]) -> Self {
        let listeners = HOSTS.map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
        let origins = [0, 1, 2].map(|at| {
            let port = listeners[at].local_addr().unwrap().port();
            if tls[at].is_some() { format!("https://localhost:{port}") } else { format!("http://127.0.0.1:{port}") }
        });
        let hub = Self { origins, state: Arc::default() };
        for ((host, listener), tls) in HOSTS.into_iter().zip(listeners).zip(tls) {
            let hub = hub.clone();
            thread::spawn(move || {
                for stream in listener.incoming() {
                    let (hub, tls, stream) = (hub.clone(), tls.clone(), stream.unwrap());
                    thread::spawn(move || match tls {
                        None => hub.serve(host, Box::new(stream), false),
                        Some(tls) => hub.serve_tls(host, stream, tls),
                    });
                }
            });
        }
        hub
    }

    fn serve_tls(&self, host: &'static str, mut stream: TcpStream, tls: Arc<ServerConfig>) {
        let mut connection = ServerConnection::new(tls).unwrap();
        if connection.complete_io(&mut stream).is_ok() {
            let has_certificate = connection.peer_certificates().is_some();
            self.serve(host, Box::new(StreamOwned::new(connection, stream)), has_certificate);
        }
    }

    pub(crate) fn url(&self) -> String {
        self.origins[0].clone()
    }

    pub(crate) fn host(&self) -> String {
        self.origins[0].split_once("//").unwrap().1.to_owned()
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

    fn serve(&self, host: &'static str, stream: Box<dyn Stream>, has_certificate: bool) {
        let mut reader = BufReader::new(stream);
        while let Some(mut seen) = read_request(host, &mut reader) {
            seen.has_certificate = has_certificate;
            self.state().seen.push(seen.clone());
            let behaviour = self.state().behaviour.clone();
            if behaviour.is_silent {
                // Until the client closes.
                let _ = reader.read(&mut [0]);
                return;
            }
            if let Some(raw) = behaviour.raw.filter(|raw| raw.is_for(&seen)) {
                let (media_type, right) = self.right(&seen);
                let _ = raw.send(reader.get_mut(), &seen, (&media_type, &right));
                return;
            }
            let sent = match host {
                "auth" => self.issue(&seen).send(reader.get_mut(), &seen),
                _ => self.answer(host, &seen, &behaviour).send(reader.get_mut(), &seen),
            };
            if sent.is_err() || behaviour.closes {
                return;
            }
        }
    }

    /// The type and the bytes of what a request means.
    fn right(&self, seen: &Seen) -> (String, Vec<u8>) {
        let (state, rest) = (self.state(), seen.path.trim_start_matches("/v2/"));
        let blob = rest.rsplit_once("/blobs/").and_then(|(_, digest)| state.blobs.get(digest));
        let manifest = rest.split_once("/manifests/").map(|(name, reference)| (name.to_owned(), reference.to_owned()));
        let manifest = manifest.and_then(|key| state.manifests.get(&key)).cloned();
        manifest.or_else(|| Some(("application/octet-stream".to_owned(), blob?.clone()))).unwrap_or_default()
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
            let is_used = behaviour.signs_once && self.count("GET", &seen.path) > 1;
            return if is_used {
                Answer::error(403, "")
            } else if seen.header("authorization").is_some() || !seen.path.contains("signature=") {
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
        let own = format!("{}/token", self.origins[1]);
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
            Redirect::Content => {
                format!("{}/{digest}?signature={}", self.origins[2], self.state().seen.len())
            }
            Redirect::Circle => seen.path.clone(),
            Redirect::To(url) => url.clone(),
        };
        Answer::new(307, &format!("Location: {target}\r\n"), Vec::new())
    }

    fn blob(&self, digest: &str, seen: &Seen) -> Answer {
        let mut state = self.state();
        let Some(bytes) = state.blobs.get(digest).cloned() else { return Answer::error(404, "") };
        let has_no_fault = seen.method == "HEAD" || seen.header("range") == Some("bytes=0-0");
        let faults = state.behaviour.faults.get_mut(digest).filter(|faults| !faults.is_empty() && !has_no_fault);
        let next = faults.map(|faults| faults.remove(0));
        let fault = next.or(state.behaviour.fault).filter(|_| !has_no_fault);
        if let Some(Fault::Status(status)) = fault {
            return Answer::error(status, "");
        }
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
        answer.gate = state.behaviour.gate.clone().map(|(at, gate)| (at.saturating_sub(first), gate));
        answer.fault = fault.and_then(|fault| match fault {
            Fault::Break(at) => Some(Fault::Break(at.checked_sub(first)?)),
            Fault::Lie(at) => Some(Fault::Lie(at.checked_sub(first)?)),
            Fault::Silence(at) => Some(Fault::Silence(at.checked_sub(first)?)),
            Fault::Status(_) => None,
        });
        answer
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

//! A client as docker is one: it asks without credentials, reads the challenge, and does what that says.

use reqwest::{Method, blocking::RequestBuilder};

use crate::{
    site::basic,
    support::{
        answer::Answer,
        http::{Registry, send},
        image::{Blob, Image, Manifest},
    },
};

/// How a Bearer challenge is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exchange {
    /// GET with Basic, as docker does.
    Get,
    /// POST with the password in a form, as containerd does.
    Post,
}

/// One who has logged in, or not.
#[derive(Clone)]
pub(crate) struct Client {
    registry: Registry,
    login: Option<(String, String)>,
    exchange: Exchange,
}

/// The parts of a Bearer challenge.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Challenge {
    pub(crate) realm: String,
    pub(crate) service: String,
    pub(crate) scope: Option<String>,
    pub(crate) error: Option<String>,
}

impl Challenge {
    /// Reads `Bearer name="value",…`.
    #[track_caller]
    pub(crate) fn of(answer: &Answer) -> Self {
        let value = answer.header("www-authenticate").unwrap_or_else(|| panic!("no challenge: {answer:?}"));
        let mut rest = value.strip_prefix("Bearer ").unwrap_or_else(|| panic!("{value}"));
        let mut challenge = Self::default();
        while let Some((name, after)) = rest.split_once("=\"") {
            let (text, after) = after.split_once('"').unwrap_or_else(|| panic!("{value}"));
            match name {
                "realm" => text.clone_into(&mut challenge.realm),
                "service" => text.clone_into(&mut challenge.service),
                "scope" => challenge.scope = Some(text.to_owned()),
                "error" => challenge.error = Some(text.to_owned()),
                _ => panic!("{value}"),
            }
            rest = after.strip_prefix(',').unwrap_or(after);
        }
        assert!(rest.is_empty(), "{value}");
        challenge
    }
}

impl Client {
    pub(crate) fn new(registry: Registry, login: Option<(String, String)>) -> Self {
        Self { registry, login, exchange: Exchange::Get }
    }

    /// The same, by another way to tokens.
    pub(crate) fn by(self, exchange: Exchange) -> Self {
        Self { exchange, ..self }
    }

    /// Asks, follows the challenge once, and says what came last.
    pub(crate) fn send(&self, request: RequestBuilder) -> Answer {
        let again = request.try_clone().unwrap();
        let first = send(request);
        if first.status != 401 {
            return first;
        }
        let challenge =
            first.header("www-authenticate").unwrap_or_else(|| panic!("401 without a challenge: {first:?}"));
        if challenge.starts_with("Basic ") {
            let Some((user, password)) = &self.login else { return first };
            return send(again.header("Authorization", basic(user, password)));
        }
        let token = self.token(&Challenge::of(&first));
        send(again.header("Authorization", format!("Bearer {token}")))
    }

    /// The token that a challenge asks for.
    fn token(&self, challenge: &Challenge) -> String {
        let scope = challenge.scope.clone().unwrap_or_default();
        let answer = match (self.exchange, &self.login) {
            (Exchange::Post, Some((user, password))) => {
                let form = [
                    ("grant_type", "password"),
                    ("service", &challenge.service),
                    ("client_id", "containerd-client"),
                    ("scope", &scope),
                    ("username", user),
                    ("password", password),
                ];
                send(self.registry.request(Method::POST, &challenge.realm).form(&form))
            }
            (_, login) => {
                // One parameter for each scope, as docker has it.
                let scopes = scope.split(' ').filter(|scope| !scope.is_empty()).map(|scope| ("scope", scope));
                let query: Vec<_> = [("service", challenge.service.as_str())].into_iter().chain(scopes).collect();
                let request = self.registry.request(Method::GET, &challenge.realm).query(&query);
                let login = login.as_ref().map(|(user, password)| basic(user, password));
                send(login.iter().fold(request, |request, value| request.header("Authorization", value)))
            }
        };
        answer.expect(200).json()["access_token"].as_str().unwrap().to_owned()
    }

    pub(crate) fn ask(&self, method: Method, path: &str) -> Answer {
        self.send(self.registry.request(method, path))
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path)
    }

    /// Begins an upload.
    pub(crate) fn begin(&self, repository: &str) -> Answer {
        self.ask(Method::POST, &format!("/v2/{repository}/blobs/uploads/"))
    }

    pub(crate) fn send_bytes(&self, method: Method, path: &str, bytes: &[u8]) -> Answer {
        let request = self.registry.request(method, path).header("Content-Type", "application/octet-stream");
        self.send(request.body(bytes.to_vec()))
    }

    /// Pushes a blob; the first refusal, or the last answer.
    pub(crate) fn put_blob(&self, repository: &str, blob: &Blob) -> Answer {
        let begun = self.begin(repository);
        if begun.status != 202 {
            return begun;
        }
        let location = format!("{}?digest={}", begun.header("location").unwrap(), blob.digest());
        self.send_bytes(Method::PUT, &location, blob.bytes())
    }

    pub(crate) fn put_manifest(&self, repository: &str, reference: &str, manifest: &Manifest) -> Answer {
        let request = self.registry.request(Method::PUT, &format!("/v2/{repository}/manifests/{reference}"));
        self.send(request.header("Content-Type", manifest.media_type()).body(manifest.bytes().to_vec()))
    }

    /// Pushes an image, which must work.
    #[track_caller]
    pub(crate) fn push(&self, repository: &str, tag: &str, image: &Image) {
        for blob in image.blobs() {
            self.put_blob(repository, blob).expect(201);
        }
        self.put_manifest(repository, tag, image.manifest()).expect(201);
    }
}

//! What the hub does, and how it fails.

use std::collections::HashMap;

use super::{raw::Raw, wire::Gate};

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
    /// There is no body of the blob, but this status.
    Status(u16),
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
#[expect(clippy::struct_excessive_bools, reason = "they have nothing to do with each other")]
pub(crate) struct Behaviour {
    pub(crate) auth: Auth,
    /// Repositories that need the credentials.
    pub(crate) private: Vec<String>,
    /// How long a token lasts, in seconds.
    pub(crate) token_life: u64,
    /// The realm, in the place of its own.
    pub(crate) realm: Option<String>,
    pub(crate) redirect: Redirect,
    /// The faults of the next bodies of a blob, by its digest, one for each request.
    pub(crate) faults: HashMap<String, Vec<Fault>>,
    /// A fault of all bodies of blobs.
    pub(crate) fault: Option<Fault>,
    /// The status of every answer, and more header lines.
    pub(crate) status: Option<(u16, String)>,
    /// Whether the URL of a redirect is good for one request only.
    pub(crate) signs_once: bool,
    /// Whether each connection ends after an answer that does not say so.
    pub(crate) closes: bool,
    /// An answer to take the place of others.
    pub(crate) raw: Option<Raw>,
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
    /// So many bytes of a blob come, and the rest when the gate is opened.
    pub(crate) gate: Option<(usize, Gate)>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            auth: Auth::Open,
            private: Vec::new(),
            token_life: 300,
            realm: None,
            redirect: Redirect::Nowhere,
            faults: HashMap::new(),
            fault: None,
            status: None,
            signs_once: false,
            closes: false,
            raw: None,
            head: None,
            is_silent: false,
            takes_ranges: true,
            says_digests: true,
            body: None,
            gate: None,
        }
    }
}

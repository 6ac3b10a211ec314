//! The tree of the store: the only place that spells keys.
//!
//! ```text
//! docker/registry/v2/                                              CNCF Distribution's layout, shared with registry:2 and registry:3
//!   blobs/<algorithm>/<hex[0..2]>/<hex>/data                       every blob and every manifest, as received
//!   repositories/<name>/
//!     _layers/<algorithm>/<hex>/link                               this repository may read this blob
//!     _manifests/revisions/<algorithm>/<hex>/link                  this repository holds this manifest
//!     _manifests/tags/<tag>/current/link                           tag -> digest
//!     _manifests/tags/<tag>/index/<algorithm>/<hex>/link           the tag's history
//!     _uploads/…                                                   other registries' uploads: never written, purged by age
//! wharf/                                                           what is ours alone; in docker/wharf/ where docker/ is a mount
//!   uploads/<name>/_uploads/<session>                              content on its way in
//!   repositories/<name>/_content_types/<algorithm>/<hex>           the pushed Content-Type of a body that names none
//!   recorded/<name>/{_whole,_seen}                                 that there is, or was, such a repository
//!   recorded/{_begun,_unexplained}                                whether repositories explained the content when the record began
//!   catalog/<name>!                                                in a bucket: that the repository holds a manifest
//!   boot                                                           in which run of the system the store is served, and since when
//!   outbox/{records/<number>,state}                                changes that are to be reported, and how far each endpoint is
//!   pulls                                                          when tags and manifests were pulled last
//!   damaged/<algorithm>/<hex>                                      what proved not to be what its name says
//! ```
//!
//! A `link` holds `<algorithm>:<hex>`, no newline. registry:2 wants `_layers` to be there before it believes in a
//! repository, registry:3 `_manifests`, and the collectors of both stop or delete without `tags`; so the first link
//! into a repository comes after [`skeleton`].

use crate::{
    oci::{Algorithm, Digest, RepositoryName, Tag},
    storage::{Key, OWN_PREFIX},
};

use super::SessionId;

/// The record of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RepositoryRecord {
    /// It was there. Parts of it may have been missing: registry:2 leaves such repositories.
    Seen,
    /// All parts of it were there.
    Whole,
}

impl RepositoryRecord {
    pub(super) const ALL: [Self; 2] = [Self::Seen, Self::Whole];

    /// The last component of the record's key. No name begins so.
    pub(super) fn component(self) -> &'static str {
        match self {
            Self::Seen => "_seen",
            Self::Whole => "_whole",
        }
    }
}

/// The longest content of a link: a sha512 digest, and white space that others may have left.
pub(super) const LINK_MAX_LEN: u64 = 256;

/// Where every repository is.
pub(super) fn repositories() -> Key {
    distribution().then("repositories")
}

/// Where all blobs and manifests are, by algorithm.
pub(super) fn all_contents() -> Key {
    distribution().then("blobs")
}

/// Where all blobs and manifests of one algorithm are, by the first two digits of their digests.
pub(super) fn contents(algorithm: Algorithm) -> Key {
    all_contents().then(algorithm.as_str())
}

/// Where one blob or manifest is; its bytes are the only object under this prefix.
pub(super) fn content(digest: &Digest) -> Key {
    let hex = digest.hex();
    contents(digest.algorithm()).then(&hex[..2]).then(&hex)
}

/// Where the bytes of a blob or a manifest are.
pub(super) fn data(digest: &Digest) -> Key {
    content(digest).then("data")
}

/// Where a repository is.
pub(super) fn repository(name: &RepositoryName) -> Key {
    name.components().fold(repositories(), Key::then)
}

/// Where a repository's blob links are.
pub(super) fn layers(name: &RepositoryName) -> Key {
    repository(name).then("_layers")
}

/// Where the link of one blob is; it is the only object under this prefix.
pub(super) fn layer(name: &RepositoryName, digest: &Digest) -> Key {
    under_digest(&layers(name), digest)
}

/// Where a repository's manifests and tags are.
pub(super) fn manifests(name: &RepositoryName) -> Key {
    repository(name).then("_manifests")
}

/// Where a repository's manifest links are.
pub(super) fn revisions(name: &RepositoryName) -> Key {
    manifests(name).then("revisions")
}

/// Where the link of one manifest is; it is the only object under this prefix.
pub(super) fn revision(name: &RepositoryName, digest: &Digest) -> Key {
    under_digest(&revisions(name), digest)
}

/// Where a repository's tags are.
pub(super) fn tags(name: &RepositoryName) -> Key {
    manifests(name).then("tags")
}

/// Where a tag and its history are.
pub(super) fn tag(name: &RepositoryName, tag: &Tag) -> Key {
    tags(name).then(tag.as_str())
}

/// The link that says what a tag means now.
pub(super) fn tag_current(name: &RepositoryName, tag: &Tag) -> Key {
    self::tag(name, tag).then("current").then("link")
}

/// Where the history of a tag is, by algorithm.
pub(super) fn tag_history(name: &RepositoryName, tag: &Tag) -> Key {
    self::tag(name, tag).then("index")
}

/// The link that says that a tag has meant `digest`.
pub(super) fn tag_index(name: &RepositoryName, tag: &Tag, digest: &Digest) -> Key {
    link(&under_digest(&tag_history(name, tag), digest))
}

/// The link under a prefix.
pub(super) fn link(prefix: &Key) -> Key {
    prefix.join("link")
}

/// The prefixes that have to be there before the first link into a repository, in this order. The record comes last:
/// what is recorded is there.
pub(super) fn skeleton(name: &RepositoryName) -> [Key; 4] {
    [layers(name), revisions(name), tags(name), record(name, RepositoryRecord::Whole)]
}

/// Where the repositories of a bucket are listed.
pub(super) fn catalog() -> Key {
    own().then("catalog")
}

/// Where it stands that a repository of a bucket holds a manifest. These keys sort as the names do. `None` where a
/// store that keeps its objects in files has no room for the name: such a repository is not listed.
pub(super) fn catalog_entry(name: &RepositoryName) -> Option<Key> {
    let path = format!("{name}!");
    let mut components = path.split('/');
    components.clone().all(|component| component.len() <= 255).then(|| components.by_ref().fold(catalog(), Key::then))
}

/// Where it is noted since when the store is served in this run of the system.
pub(super) fn boot() -> Key {
    own().then("boot")
}

/// Where all records of repositories are.
pub(super) fn records() -> Key {
    own().then("recorded")
}

/// Where the records of one repository are, and those of repositories below it.
pub(super) fn records_of(name: &RepositoryName) -> Key {
    name.components().fold(records(), Key::then)
}

/// Where it is recorded that there is a repository.
pub(super) fn record(name: &RepositoryName, recorded: RepositoryRecord) -> Key {
    records_of(name).then(recorded.component())
}

/// The prefixes above the records of a repository that no other one may need, the deepest first.
pub(super) fn above_record(name: &RepositoryName) -> Vec<Key> {
    std::iter::successors(Some(records_of(name)), Key::parent).take(name.components().count()).collect()
}

/// The prefixes that an empty repository may consist of, in the order of their removal: `_manifests` first, and after
/// it the repository itself, and the prefixes above it that no other repository needs.
pub(super) fn empty_repository(name: &RepositoryName) -> Vec<Key> {
    let algorithms = |prefix: Key| Algorithm::ALL.map(|algorithm| prefix.join(algorithm.as_str()));
    let mut prefixes = vec![tags(name)];
    prefixes.extend(algorithms(revisions(name)));
    prefixes.extend([revisions(name), manifests(name)]);
    prefixes.extend(algorithms(layers(name)));
    prefixes.extend([layers(name), foreign_uploads(name)]);
    let mut above = repository(name);
    for _ in name.components() {
        prefixes.push(above.clone());
        let Some(parent) = above.parent() else { break };
        above = parent;
    }
    prefixes
}

/// Where other registries keep the uploads of a repository.
pub(super) fn foreign_uploads(name: &RepositoryName) -> Key {
    repository(name).then("_uploads")
}

/// Where all upload sessions are.
pub(super) fn all_uploads() -> Key {
    own().then("uploads")
}

/// Where the upload sessions of a repository are.
pub(super) fn uploads(name: &RepositoryName) -> Key {
    name.components().fold(all_uploads(), Key::then).then("_uploads")
}

/// The repository whose upload session is at `key`.
pub(super) fn uploading_repository(key: &Key) -> Option<RepositoryName> {
    let path = key.as_str().strip_prefix(all_uploads().as_str())?.strip_prefix('/')?;
    path.rsplit_once("/_uploads/")?.0.parse().ok()
}

/// Where the content of an upload session is.
pub(super) fn upload(name: &RepositoryName, session: &SessionId) -> Key {
    uploads(name).then(&session.to_string())
}

/// Where the Content-Type is that a manifest was pushed with, if its body does not say.
pub(super) fn content_type(name: &RepositoryName, digest: &Digest) -> Key {
    let repository = name.components().fold(own().then("repositories"), Key::then);
    under_digest(&repository.then("_content_types"), digest)
}

/// Where the records of changes are that are to be reported.
pub(super) fn outbox_records() -> Key {
    outbox().then("records")
}

/// Where the record with a number is. The keys sort as the numbers do.
pub(super) fn outbox_record(number: u64) -> Key {
    outbox_records().then(&format!("{number:020}"))
}

/// Where it is kept how far each endpoint is in the outbox.
pub(super) fn outbox_state() -> Key {
    outbox().then("state")
}

/// Where the outbox is.
pub(super) fn outbox() -> Key {
    own().then("outbox")
}

/// Where it is recorded when tags and manifests were pulled.
pub(super) fn pulls() -> Key {
    own().then("pulls")
}

/// Where all content of one algorithm goes that is not what its name says.
pub(super) fn all_damaged(algorithm: Algorithm) -> Key {
    own().then("damaged").then(algorithm.as_str())
}

/// Where content goes that is not what its name says.
pub(super) fn damaged(digest: &Digest) -> Key {
    all_damaged(digest.algorithm()).then(&digest.hex())
}

fn distribution() -> Key {
    Key::new("docker").then("registry").then("v2")
}

/// Where everything is that is ours alone.
pub(super) fn own() -> Key {
    Key::new(OWN_PREFIX)
}

fn under_digest(prefix: &Key, digest: &Digest) -> Key {
    prefix.join(digest.algorithm().as_str()).then(&digest.hex())
}

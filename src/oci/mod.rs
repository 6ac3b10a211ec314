//! The nouns of the OCI and Docker specifications. No I/O, no async, no HTTP: all of it is tested with strings.

mod descriptor;
mod digest;
mod error_code;
mod glob;
mod manifest;
mod media_type;
mod name;
mod precondition;
mod range;
mod reference;
mod scope;

pub use descriptor::Descriptor;
pub use digest::{Algorithm, Digest, Hasher, Hex, InvalidDigest};
pub use error_code::ErrorCode;
pub use glob::{Glob, InvalidGlob, TagGlob};
pub use manifest::{BlobReference, InvalidManifest, Manifest, StoredReferences};
pub use media_type::{InvalidMediaType, MediaType};
pub use name::{InvalidName, RepositoryName};
pub use precondition::{EntityTag, EntityTags, Preconditions, Read};
pub use range::{ByteRange, ContentRange, InvalidContentRange};
pub use reference::{InvalidReference, InvalidTag, Reference, Tag};
pub use scope::{Action, InvalidAction, InvalidScope, ResourceKind, ResourceScope, ScopeAction};

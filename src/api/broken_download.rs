//! A download that the store breaks off.

use crate::oci::Digest;

/// The head is sent by then, so the client can only be cut off: the operator has to be told.
pub(super) fn report(digest: Digest) -> impl Fn(&std::io::Error) {
    move |error| tracing::error!(%digest, %error, "a download broke off")
}

//! Content that the store has and that can't be reached.

use super::StorageError;

/// To a client, content behind a symbolic link that leads nowhere is absent, as it is with registry:2: a client that
/// pushes it again heals it. Checks and collections get the error instead, because the content may come back.
pub(super) fn absent_if_out_of_reach<T>(found: Result<Option<T>, StorageError>) -> Result<Option<T>, StorageError> {
    match found {
        Err(error) if error.leads_nowhere() => {
            tracing::warn!(%error, "a symbolic link of the store leads nowhere");
            Ok(None)
        }
        other => other,
    }
}

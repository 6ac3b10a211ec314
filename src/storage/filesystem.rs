//! The filesystem back end.

//! The memory back end.

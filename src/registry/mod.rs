//! The rules of a registry.

//! wharf: an OCI container registry.

pub mod api;
pub mod auth;
pub mod cli;
pub mod config;
pub mod oci;
pub mod registry;
pub mod server;
pub mod storage;

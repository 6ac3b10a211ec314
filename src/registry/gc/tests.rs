//! A collection over small stores.

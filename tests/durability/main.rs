//! What a 201 is worth: after a kill, a power cut, a full disk, a failed call, and while many clients push at once.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected shall stop")]

#[path = "../support/mod.rs"]
mod support;

mod bad_clients;
mod crashes;
mod disk;
mod faults;
mod full_disk;
mod journal;
mod ledger;
mod load;
mod memory;
mod mounts;
mod owners;
mod power_cut;
mod races;
mod restart;
mod rounds;
mod sandbox;
mod strace;
mod trace;

//! The units: what systemd says of them.

use std::{path::Path, process::Command};

use crate::{released::SOURCES, support::client::run};

/// Tenths of systemd's measure of what a service could do to its machine: 100 is everything, and the service has 12.
const EXPOSURE: &str = "15";

#[test]
#[ignore = "needs systemd-analyze: run ./test"]
fn the_service_is_confined_needs_systemd() {
    let unit = Path::new(SOURCES).join("packaging/systemd/wharf.service");
    let mut analyze = Command::new("systemd-analyze");
    analyze.args(["security", "--offline=true", "--no-pager", "--threshold", EXPOSURE]).arg(unit);
    let shown = run(&mut analyze).stdout;
    assert!(shown.contains("Overall exposure level for wharf.service"), "{shown}");
}

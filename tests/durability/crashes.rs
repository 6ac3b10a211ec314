//! Crashes at any moment, again and again on one store: kills of the process, and cuts of the power.

use std::time::Duration;

use crate::{
    disk::Disk,
    ledger::{Ledger, Upload},
    load::under_load,
    restart::status,
    rounds::{Dice, rounds},
    strace,
    support::{
        http::Registry,
        server::{Launch, Program, Server},
        store,
        wait::pass,
    },
};

/// How many names of earlier rounds there are to one that is looked at again.
const SAMPLE: usize = 97;

/// Takes up every upload of which a part was acknowledged; how many there were.
fn resume(ledger: &Ledger, registry: &Registry) -> usize {
    let uploads = ledger.take_uploads();
    for upload in &uploads {
        let Upload { repository, location, blob, acknowledged } = upload;
        let repository = registry.repository(repository);
        let path = &location[location.find("/v2/").unwrap()..];
        let kept = status(&repository, path);
        assert!(kept >= *acknowledged && kept <= blob.bytes().len(), "{kept} bytes are left of {acknowledged}");
        // A 201 is for the right bytes, whatever was lost and found.
        repository.finish(path, blob.digest(), &blob.bytes()[kept..]).unwrap().expect(201);
        assert!(repository.get(&format!("blobs/{}", blob.digest())).expect(200).body == blob.bytes());
    }
    uploads.len()
}

/// What the rounds came to.
#[derive(Default)]
struct Figures {
    looked_at: usize,
    resumed: usize,
}

impl Figures {
    fn look(&mut self, ledger: &Ledger, registry: &Registry) {
        self.looked_at += ledger.check(registry, SAMPLE);
        self.resumed += resume(ledger, registry);
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "the figures are worth reading after a success too")]
fn kills_at_any_moment_lose_nothing_that_was_acknowledged() {
    let (root, ledger, mut figures) = (tempfile::tempdir().unwrap(), Ledger::default(), Figures::default());
    let count = rounds(25);
    let mut server = start(root.path());
    for round in 0..count {
        let wait = Duration::from_millis(10 + Dice::new(round).roll(90));
        let registry = server.http();
        under_load(&registry, &ledger, round, || {
            pass(wait, "the moment of the kill");
            server.signal_kill();
        });
        drop(server);
        server = start(root.path());
        figures.look(&ledger, &server.http());
    }
    ledger.check(&server.http(), 1);
    store::expect_honest_blobs(root.path());
    let Figures { looked_at, resumed } = figures;
    println!(
        "{count} kills, {} acknowledgements, {looked_at} names looked at, {resumed} uploads resumed: 0 violations",
        ledger.acknowledged()
    );
}

#[test]
#[ignore = "needs root for a loop mount: run ./test"]
#[expect(clippy::print_stdout, reason = "the figures are worth reading after a success too")]
fn power_cuts_at_any_moment_lose_nothing_that_was_acknowledged_needs_root() {
    const ROUNDS_ON_A_DISK: u64 = 25;
    let (count, mut figures, mut acknowledged, mut round) = (rounds(10), Figures::default(), 0, 0);
    while round < count {
        let (disk, ledger) = (Disk::new(512 << 20, &[], crate::power_cut::LAZY), Ledger::of_a_disk_that_fails());
        let mut server = start(&disk.store());
        for _ in 0..ROUNDS_ON_A_DISK.min(count - round) {
            let wait = Duration::from_millis(10 + Dice::new(round).roll(190));
            let registry = server.http();
            under_load(&registry, &ledger, round, || {
                pass(wait, "the moment of the cut");
                disk.cut();
                server.signal_kill();
            });
            drop(server);
            disk.remount();
            server = start(&disk.store());
            figures.look(&ledger, &server.http());
            round += 1;
        }
        ledger.check(&server.http(), 1);
        acknowledged += ledger.acknowledged();
        drop(server);
        store::expect_honest_blobs(&disk.store());
    }
    let Figures { looked_at, resumed } = figures;
    println!(
        "{count} power cuts, {acknowledged} acknowledgements, {looked_at} names looked at, {resumed} uploads resumed: 0 violations"
    );
}

/// The same rounds without syncs must lose something, or those above prove nothing.
#[test]
#[ignore = "needs root for a loop mount, and strace: run ./test"]
fn power_cuts_without_syncs_lose_what_was_acknowledged_needs_root_and_strace() {
    let (ledger, log) = (Ledger::of_a_disk_that_fails(), tempfile::tempdir().unwrap());
    let disk = Disk::new(512 << 20, &[], crate::power_cut::LAZY);
    let syncs = ["-e", "trace=fsync,fdatasync,syncfs", "-e", "inject=fsync,fdatasync,syncfs:retval=0"];
    let wrapper = strace::command_line(&log.path().join("strace"), &syncs);
    let server = Launch::new(Program::Wharf, &disk.store()).optimised().under(wrapper).start();
    let registry = server.http();
    under_load(&registry, &ledger, 0, || {
        pass(Duration::from_millis(800), "the moment of the cut");
        disk.cut();
        server.signal_kill();
    });
    drop(server);
    disk.remount();
    assert!(ledger.acknowledged() > 0);
    let server = start(&disk.store());
    let looked =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| Figures::default().look(&ledger, &server.http())));
    let lost = looked.expect_err("the cut took nothing, so it is none");
    let lost = lost.downcast_ref::<String>().cloned().unwrap_or_default();
    // What was acknowledged is gone: a name leads to nothing, a blob or an upload is not there.
    assert!(lost.contains("leads to None") || lost.contains("404") || lost.contains("other bytes"), "{lost}");
}

fn start(root: &std::path::Path) -> Server {
    let launch = Launch::new(Program::Wharf, root).optimised();
    launch.set("REGISTRY_LOG_ACCESSLOG_DISABLED", "true").set("REGISTRY_LIMITS_UPLOADS_PER_CLIENT", "200").start()
}

//! A disk, a table of inodes and a table of descriptors that are full: refused in words, nothing lost, and well again when there is room.

use std::{fs, net::TcpStream, path::Path};

use crate::{
    disk::Disk,
    journal::Journal,
    support::{
        client::find,
        http::Answer,
        image::Image,
        server::{Launch, Program, Server},
        store,
    },
};

/// Pushes images until one is refused; the refusal.
fn fill(server: &Server, journal: &Journal) -> Answer {
    let pushes =
        (1000..3000).map(|seed| journal.push(&server.http(), "full", &seed.to_string(), &Image::new(seed, "amd64")));
    let refused = pushes.into_iter().find(|outcome| !outcome.is_clean()).expect("the disk never fills up");
    assert!(!refused.lost_connection, "no answer");
    refused.refusals.into_iter().next().unwrap()
}

/// Fills what `ballast` keeps small, looks, makes room, and pushes again.
fn fill_and_make_room(disk: &Disk, ballast: &Path) {
    let (journal, server) = (Journal::default(), Launch::new(Program::under_test(), &disk.store()).start());
    let refusal = fill(&server, &journal);
    assert!(refusal.status.is_server_error(), "{refusal:?}");
    assert!(!refusal.code().is_empty() && !String::from_utf8_lossy(&refusal.body).contains("store"), "{refusal:?}");
    assert!(journal.len() > 4);
    journal.check(&server.http());

    fs::remove_dir_all(ballast).unwrap();
    let image = Image::new(1, "amd64");
    assert!(journal.push(&server.http(), "full", "room", &image).is_clean(), "there is room and no push works");
    server.http().repository("full").expect_image("room", &image);
    server.stop();
    let server = Launch::new(Program::under_test(), &disk.store()).start();
    journal.check(&server.http());
    store::expect_honest_blobs(&disk.store());
}

#[test]
#[ignore = "needs root for a loop mount: run ./test"]
fn a_full_disk_is_survived_needs_root() {
    let disk = Disk::new(16 << 20, &[], "defaults");
    let ballast = disk.path().join("ballast");
    fs::create_dir(&ballast).unwrap();
    fs::write(ballast.join("bytes"), vec![1; 4 << 20]).unwrap();
    fill_and_make_room(&disk, &ballast);
}

#[test]
#[ignore = "needs root for a loop mount: run ./test"]
fn a_disk_without_inodes_is_survived_needs_root() {
    let disk = Disk::new(32 << 20, &["-N", "400"], "defaults");
    let ballast = disk.path().join("ballast");
    fs::create_dir(&ballast).unwrap();
    (0..100).for_each(|count| fs::write(ballast.join(count.to_string()), b"").unwrap());
    fill_and_make_room(&disk, &ballast);
}

#[test]
#[ignore = "needs prlimit: run ./test"]
fn a_full_table_of_descriptors_is_survived_needs_prlimit() {
    let (root, journal, image) = (tempfile::tempdir().unwrap(), Journal::default(), Image::new(1, "amd64"));
    let prlimit = [find("prlimit").into_os_string(), "--nofile=64".into()];
    let mut server = Launch::new(Program::under_test(), root.path()).under(prlimit).start();
    assert!(journal.push(&server.http(), "few", "before", &image).is_clean());
    let idle: Vec<_> = (0..100).filter_map(|_| TcpStream::connect(server.addr()).ok()).collect();
    assert!(!idle.is_empty());
    drop(idle);
    assert!(journal.push(&server.http(), "few", "after", &Image::new(2, "amd64")).is_clean());
    journal.check(&server.http());
    assert!(!server.has_ended());
}

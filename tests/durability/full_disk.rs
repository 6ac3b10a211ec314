//! A disk, a table of inodes and a table of descriptors that are full: refused in words, nothing lost, and well again
//! when there is room.

use std::{fs, io::Write as _, net::TcpStream, path::Path};

use crate::{
    disk::Disk,
    journal::{Journal, expect_whole_or_absent},
    support::{
        client::find,
        http::Answer,
        image::{Blob, Image, LAYER_GZIP},
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
    assert!(refusal.status >= 500, "{refusal:?}");
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
    fs::write(ballast.join("bytes"), vec![1; 10 << 20]).unwrap();
    fill_and_make_room(&disk, &ballast);
}

/// Leaves room for less and less of one push, so that the disk is full at another point of it each time.
#[test]
#[ignore = "needs root for a loop mount: run ./test"]
fn a_disk_that_fills_up_at_any_point_of_a_push_is_survived_needs_root() {
    let (disk, journal) = (Disk::new(16 << 20, &[], "defaults"), Journal::default());
    let server = Launch::new(Program::under_test(), &disk.store()).start();
    assert!(journal.push(&server.http(), "full", "before", &Image::new(1, "amd64")).is_clean());
    let (ballast, mut refused) = (disk.path().join("ballast"), 0);
    for room in (0..100).step_by(4) {
        let (tag, image) = (format!("room-{room}"), Image::new(100 + room, "amd64"));
        leave_room(&ballast, room << 10);
        // Each into a repository of its own, which has its directories to make.
        let repository = format!("full/{room}");
        let outcome = journal.push(&server.http(), &repository, &tag, &image);
        refused += usize::from(!outcome.is_clean());
        assert!(!outcome.lost_connection && outcome.refusals.iter().all(|answer| answer.status >= 500));
        journal.check(&server.http());
        expect_whole_or_absent(&server.http(), &repository, &tag, &image);
        fs::remove_file(&ballast).unwrap();
        assert!(journal.push(&server.http(), &repository, &tag, &image).is_clean(), "there is room and no push works");
    }
    assert!(refused > 10, "only {refused} pushes met a full disk");
    server.stop();
    journal.check(&Launch::new(Program::under_test(), &disk.store()).start().http());
    store::expect_honest_blobs(&disk.store());
}

/// Fills the disk up to `room` bytes.
fn leave_room(ballast: &Path, room: u64) {
    let mut file = fs::File::create(ballast).unwrap();
    while file.write_all(&[1; 4096]).is_ok() {}
    file.set_len(file.metadata().unwrap().len().saturating_sub(room)).unwrap();
    file.sync_all().unwrap();
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

/// A session that met a full disk stands where it was acknowledged, and goes on when there is room.
#[test]
#[ignore = "needs root for a loop mount: run ./test"]
fn report_p12_a_full_disk_leaves_the_session_needs_root() {
    let disk = Disk::new(16 << 20, &[], "defaults");
    let server = Launch::new(Program::under_test(), &disk.store()).start();
    let (registry, repository) = (server.http(), server.http().repository("full"));
    let ballast = disk.path().join("ballast");
    let chunks = [Blob::noise(1, 300_000), Blob::noise(2, 3_000_000), Blob::noise(3, 100)];
    let whole = Blob::new(chunks.iter().flat_map(|chunk| chunk.bytes().to_vec()).collect(), LAYER_GZIP);
    for room in [0, 50_000, 1_000_000] {
        let session = repository.begin();
        repository.patch(&session, chunks[0].bytes()).unwrap().expect(202);
        leave_room(&ballast, room);
        for _ in 0..2 {
            assert!(repository.patch(&session, chunks[1].bytes()).unwrap().status >= 500);
            let rest = [chunks[1].bytes(), chunks[2].bytes()].concat();
            assert!(repository.finish(&session, whole.digest(), &rest).unwrap().status >= 500);
            assert_eq!(registry.get(&session).expect(204).header("range"), Some("0-299999"), "{room}");
        }
        fs::remove_file(&ballast).unwrap();
        repository.patch(&session, chunks[1].bytes()).unwrap().expect(202);
        repository.finish(&session, whole.digest(), chunks[2].bytes()).unwrap().expect(201);
        assert!(repository.get(&format!("blobs/{}", whole.digest())).expect(200).body == whole.bytes());
        repository.delete(&format!("blobs/{}", whole.digest())).expect(202);
    }
    server.stop();
    store::expect_honest_blobs(&disk.store());
}

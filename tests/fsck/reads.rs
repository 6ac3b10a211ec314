//! Reads of content that is damaged.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
};

use crate::{
    support::{
        image::{Blob, Image},
        server::{Launch, Program, Server},
        store,
        wait::eventually,
    },
    wharf::fsck,
};

fn flip(root: &std::path::Path, blob: &Blob) {
    let path = store::blob(root, blob.digest());
    let mut bytes = fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_checked_read_of_a_damaged_blob_breaks_off() {
    let root = tempfile::tempdir().unwrap();
    let launch = Launch::new(Program::Wharf, root.path()).set("REGISTRY_STORAGE_VERIFY__READS", "true");
    let server = launch.set("REGISTRY_STORAGE_VERIFY_READS", "true").start();
    let repository = server.http().repository("team/app");
    for (seed, length) in [(1, 10), (2, 70_000), (3, 5 << 20)] {
        let blob = Blob::noise(seed, length);
        let path = format!("blobs/{}", blob.digest());
        repository.push_blob(&blob);
        assert!(repository.get(&path).expect(200).body == blob.bytes());
        flip(root.path(), &blob);
        let answer = crate::support::http::try_send(repository.request(reqwest::Method::GET, &path));
        assert!(answer.is_err(), "{length} wrong bytes came whole");
        // A task of the server sets it aside.
        eventually("damaged content is set aside", || !store::blob(root.path(), blob.digest()).exists());
        repository.head(&path).expect(404);
        repository.push_blob(&blob);
        assert!(repository.get(&path).expect(200).body == blob.bytes());
    }
    let image = Image::new(1, "amd64");
    repository.push("latest", &image);
    repository.expect_image("latest", &image);
}

#[test]
fn a_download_breaks_off_when_a_check_finds_the_damage_meanwhile() {
    let root = tempfile::tempdir().unwrap();
    let (server, blob) = (Server::start(root.path()), Blob::noise(1, 64 << 20));
    let repository = server.http().repository("team/app");
    repository.push_blob(&blob);
    flip(root.path(), &blob);
    let mut reader = TcpStream::connect(server.addr()).unwrap();
    let path = repository.path(&format!("blobs/{}", blob.digest()));
    write!(reader, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = vec![0; 1000];
    reader.read_exact(&mut answer).unwrap();
    assert_eq!(fsck(root.path(), &[]).0, 1);
    let _ = reader.read_to_end(&mut answer);
    let body = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    assert!(answer.len() - body < blob.bytes().len(), "all wrong bytes came");
    repository.push_blob(&blob);
    assert!(repository.get(&format!("blobs/{}", blob.digest())).expect(200).body == blob.bytes());
}

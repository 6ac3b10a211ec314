//! Memory that does not grow with what is pushed and pulled.

use std::{
    fs,
    io::{self, Read},
};

use reqwest::{Method, blocking::Body};
use sha2::{Digest as _, Sha256};

use crate::support::{
    image::Blob,
    server::{Launch, Program, Server},
};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// `length` bytes made while they are read, no two MiB of them alike.
struct Stream {
    block: Vec<u8>,
    length: u64,
    position: u64,
}

impl Stream {
    fn new(length: u64) -> Self {
        Self { block: Blob::noise(7, 1 << 20).bytes().to_vec(), length, position: 0 }
    }

    fn digest(self) -> String {
        hash(self).1
    }
}

/// How many bytes there were to read, and their digest.
fn hash(mut source: impl Read) -> (u64, String) {
    let (mut hasher, mut buffer, mut length) = (Sha256::new(), vec![0; 1 << 20], 0);
    loop {
        let count = source.read(&mut buffer).unwrap();
        if count == 0 {
            return (length, format!("sha256:{}", hex::encode(hasher.finalize())));
        }
        hasher.update(&buffer[..count]);
        length += count as u64;
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let at = self.position % MIB;
        if at == 0 {
            self.block[..8].copy_from_slice(&self.position.to_le_bytes());
        }
        let count = (MIB - at).min(self.length - self.position).min(buffer.len() as u64);
        let (start, count) = (usize::try_from(at).unwrap(), usize::try_from(count).unwrap());
        buffer[..count].copy_from_slice(&self.block[start..start + count]);
        self.position += count as u64;
        Ok(count)
    }
}

/// The most memory that the process has had, in MiB.
fn peak(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// Pushes and pulls `length` bytes, and compares them by digest.
fn there_and_back(server: &Server, length: u64) {
    let (registry, digest) = (server.http().without_timeout(), Stream::new(length).digest());
    let repository = registry.repository("large");
    let location = repository.begin();
    let patch = registry.request(Method::PATCH, &location).body(Body::sized(Stream::new(length), length));
    let patched = patch.header("Content-Type", "application/octet-stream").send().unwrap();
    assert_eq!(patched.status(), 202);
    let location = patched.headers()["location"].to_str().unwrap().to_owned();
    repository.finish(&location, &digest, b"").unwrap().expect(201);

    let pulled = repository.request(Method::GET, &format!("blobs/{digest}")).send().unwrap();
    assert_eq!(hash(pulled), (length, digest));
}

#[test]
#[ignore = "moves 5 GiB twice: run ./test"]
#[expect(clippy::print_stdout, reason = "the figures are worth reading after a success too")]
fn memory_stays_flat_over_5_gib_up_and_down_needs_disk() {
    let root = tempfile::tempdir().unwrap();
    let server = Launch::new(Program::under_test(), root.path()).optimised().start();
    there_and_back(&server, 64 * MIB);
    let before = peak(&server);
    there_and_back(&server, 5 * GIB);
    let after = peak(&server);
    println!("peak memory: {before} MiB after 64 MiB, {after} MiB after 5 GiB");
    // Threads and pages of the program itself come later on a slow machine; a part of the blob would be far more.
    assert!(after < before + 48, "peak memory went from {before} to {after} MiB");
}

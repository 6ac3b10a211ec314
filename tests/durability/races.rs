//! Many clients that push, retag, delete and read one repository at once.

use std::{collections::HashMap, thread};

use crate::support::{
    http::Repository,
    image::{Image, sha256},
    server::Server,
    store,
};

const CLIENTS: u64 = 6;
const ROUNDS: u64 = 25;

/// The images that all clients share, by digest.
fn images() -> HashMap<String, Image> {
    (0..6).map(|seed| Image::new(seed, "amd64")).map(|image| (image.manifest().digest().to_owned(), image)).collect()
}

/// Pulls whatever the tag is at the moment. Deletes may take it away between two requests, and nothing else may.
fn read(repository: &Repository, tag: &str, images: &HashMap<String, Image>) {
    let manifest = repository.manifest(tag);
    match manifest.status {
        404 => {}
        200 => {
            let image = images.get(&sha256(&manifest.body)).expect("a tag resolves to what nobody pushed");
            for blob in image.blobs() {
                let answer = repository.get(&format!("blobs/{}", blob.digest())).expect(200);
                assert_eq!(sha256(&answer.body), blob.digest());
            }
        }
        status => panic!("{tag}: {status}"),
    }
}

/// No blob is deleted here, so every manifest that can be read has all of its own.
fn client(repository: &Repository, number: u64, images: &HashMap<String, Image>) {
    let all: Vec<_> = images.values().collect();
    for round in 0..ROUNDS {
        let image = all[usize::try_from((number * 7 + round) % all.len() as u64).unwrap()];
        let tag = format!("t{}", (number + round) % 3);
        match (number + round) % 4 {
            0 | 1 => repository.push(&tag, image),
            2 => read(repository, &tag, images),
            _ => {
                let status = repository.delete(&format!("manifests/{tag}")).status;
                assert!([202, 404].contains(&status), "DELETE of {tag}: {status}");
            }
        }
        repository.tags();
    }
}

#[test]
fn readers_never_see_a_half_while_others_push_retag_and_delete() {
    let (root, images) = (tempfile::tempdir().unwrap(), images());
    let server = Server::start(root.path());
    let repository = server.http().repository("raced");
    for image in images.values() {
        repository.push("t0", image);
    }
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (repository, images) = (&repository, &images);
            scope.spawn(move || client(repository, number, images));
        }
    });
    // The last word is everyone's: what is listed resolves, and what is pushed now is what is read.
    for tag in repository.tags() {
        assert!(images.contains_key(&sha256(&repository.manifest(&tag).expect(200).body)));
    }
    for (tag, image) in images.values().enumerate().map(|(count, image)| (format!("last{count}"), image)) {
        repository.push(&tag, image);
        repository.expect_image(&tag, image);
    }
    store::expect_honest_blobs(root.path());
}

#[test]
fn a_new_repository_is_made_once_by_pushes_at_once() {
    let root = tempfile::tempdir().unwrap();
    let server = Server::start(root.path());
    for round in 0..5 {
        let repository = server.http().repository(&format!("made/{round}"));
        thread::scope(|scope| {
            for seed in 0..CLIENTS {
                let repository = &repository;
                scope.spawn(move || repository.push(&seed.to_string(), &Image::new(seed, "amd64")));
            }
        });
        (0..CLIENTS).for_each(|seed| repository.expect_image(&seed.to_string(), &Image::new(seed, "amd64")));
    }
    assert_eq!(server.http().catalog().len(), 5);
}

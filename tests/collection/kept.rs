//! What stays although it looks as if nothing referred to it.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use serde_json::json;

use crate::{
    support::{
        http::send,
        image::{Blob, IMAGE_INDEX, Image, Manifest, sha512},
        store,
        wait::pass,
    },
    wharf::{collect, figures, hasty, wharf_with, with_grace},
};

#[test]
fn what_a_client_was_told_of_stays_until_the_grace_time_has_passed() {
    let root = tempfile::tempdir().unwrap();
    let (server, blob) = (with_grace(root.path(), "2s"), Blob::noise(1, 1000));
    let repository = server.http().repository("team/app");
    repository.push_blob(&blob);
    pass(Duration::from_millis(2500), "the grace of the push");
    repository.head(&format!("blobs/{}", blob.digest())).expect(200);
    assert_eq!(figures(&collect(root.path(), &[])), [0; 4], "a client has just heard that it is there");
    pass(Duration::from_millis(4500), "the grace of the answer");
    assert_eq!(figures(&collect(root.path(), &[])), [1, 1, 0, 1]);
}

#[test]
fn what_was_just_pushed_stays() {
    let root = tempfile::tempdir().unwrap();
    let server = with_grace(root.path(), "2s");
    pass(Duration::from_millis(2100), "the grace");
    let image = Image::new(1, "amd64");
    let repository = server.http().repository("team/app");
    image.blobs().for_each(|blob| repository.push_blob(blob));
    repository.push_manifest(image.manifest().digest(), image.manifest());
    assert_eq!(figures(&collect(root.path(), &["--untagged"])), [0; 4]);
    repository.expect_image(image.manifest().digest(), &image);
}

#[test]
fn a_repository_that_is_pushed_to_keeps_its_blobs() {
    let root = tempfile::tempdir().unwrap();
    let (server, blob) = (hasty(root.path()), Blob::noise(1, 1000));
    let repository = server.http().repository("team/app");
    repository.push_blob(&blob);
    let session = repository.begin();
    repository.patch(&session, b"some").unwrap().expect(202);
    assert_eq!(figures(&collect(root.path(), &[])), [0; 4]);
    repository.get(&format!("blobs/{}", blob.digest())).expect(200);
    send(server.http().request(reqwest::Method::DELETE, &session)).expect(204);
    assert_eq!(figures(&collect(root.path(), &[])), [1, 1, 0, 1]);
}

#[test]
fn content_of_two_repositories_stays_for_the_other() {
    let root = tempfile::tempdir().unwrap();
    let (server, image) = (hasty(root.path()), Image::new(1, "amd64"));
    let (a, b) = (server.http().repository("a"), server.http().repository("b"));
    a.push("latest", &image);
    b.push("latest", &image);
    a.delete(&format!("manifests/{}", image.manifest().digest())).expect(202);
    assert_eq!(figures(&collect(root.path(), &[])), [0, 3, 0, 1]);
    b.expect_image("latest", &image);
    a.get(&format!("blobs/{}", image.blobs().next().unwrap().digest())).expect(404);
}

fn foreign_upload(root: &Path, age: Duration) -> PathBuf {
    let session = store::repository(root, "team/app/_uploads/0a71e3a4-1111-4222-8333-444444444444");
    fs::create_dir_all(&session).unwrap();
    fs::write(session.join("startedat"), "2026-01-01T00:00:00Z").unwrap();
    make_older(&session.join("startedat"), age);
    session
}

fn make_older(path: &Path, age: Duration) {
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - age).unwrap();
}

/// A repository that another registry has pushed to lately keeps what its clients may have been told of.
#[test]
fn a_repository_with_an_upload_of_another_registry_keeps_its_blobs() {
    const HOUR: Duration = Duration::from_secs(3600);
    let (root, blob) = (tempfile::tempdir().unwrap(), Blob::noise(1, 1000));
    let server = hasty(root.path());
    server.http().repository("team/app").push_blob(&blob);
    server.stop();
    let link = store::repository(root.path(), "team/app/_layers/sha256").join(&blob.digest()[7..]).join("link");
    for path in [link, store::blob(root.path(), blob.digest())] {
        make_older(&path, 3 * HOUR);
    }
    let upload = foreign_upload(root.path(), HOUR);
    let grace = ("REGISTRY_STORAGE_GC_GRACE", "2h");
    for (age, is_kept) in [(HOUR, true), (3 * HOUR, false)] {
        make_older(&upload.join("startedat"), age);
        assert!(wharf_with(root.path(), &["gc"], &[grace]).status.success());
        assert_eq!(store::blob(root.path(), blob.digest()).exists(), is_kept);
    }
}

/// Uploads that nobody ended stay where purging is off.
#[test]
fn a_collection_purges_no_uploads_if_purging_is_off() {
    let root = tempfile::tempdir().unwrap();
    let upload = foreign_upload(root.path(), Duration::from_secs(40 * 86_400));
    let off = ("REGISTRY_STORAGE_MAINTENANCE_UPLOADPURGING_ENABLED", "false");
    for (variables, is_there) in [(&[off][..], true), (&[], false)] {
        let output = wharf_with(root.path(), &["gc"], variables);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(upload.exists(), is_there);
    }
}

#[test]
fn an_index_of_blobs_keeps_them() {
    let root = tempfile::tempdir().unwrap();
    let (server, cached) = (hasty(root.path()), Blob::noise(1, 1000));
    let repository = server.http().repository("cache");
    repository.push_blob(&cached);
    let mut descriptor = cached.descriptor();
    descriptor["mediaType"] = json!("application/vnd.oci.image.layer.v1.tar+gzip");
    let body = json!({"schemaVersion": 2, "mediaType": IMAGE_INDEX, "manifests": [descriptor]});
    repository.push_manifest("buildcache", &Manifest::new(&body, IMAGE_INDEX));
    assert_eq!(figures(&collect(root.path(), &["--untagged"])), [0; 4]);
    repository.get(&format!("blobs/{}", cached.digest())).expect(200);
}

#[test]
fn a_type_that_nobody_knows_keeps_every_digest_in_it() {
    const UNKNOWN: &str = "application/vnd.test.thing.v1+json";
    let root = tempfile::tempdir().unwrap();
    let (server, [named, loose]) = (hasty(root.path()), [1, 2].map(|seed| Blob::noise(seed, 1000)));
    let repository = server.http().repository("things");
    repository.push_blob(&named);
    repository.push_blob(&loose);
    let body = json!({"schemaVersion": 2, "mediaType": UNKNOWN, "parts": {"one": [{"at": named.digest()}]}});
    repository.push_manifest("thing", &Manifest::new(&body, UNKNOWN));
    assert_eq!(figures(&collect(root.path(), &[])), [1, 1, 0, 0]);
    repository.get(&format!("blobs/{}", named.digest())).expect(200);
}

#[test]
fn a_sha512_blob_of_registry2_stays_under_its_other_name() {
    let root = tempfile::tempdir().unwrap();
    let (server, blob) = (hasty(root.path()), Blob::noise(1, 1000));
    let (alias, repository) = (sha512(blob.bytes()), server.http().repository("aliased"));
    repository.push_blob(&blob);
    // As registry:2 leaves it: the link under the sha512 name leads to the sha256 one.
    let link = |digest: &str| {
        let (algorithm, hex) = digest.split_once(':').unwrap();
        store::repository(root.path(), "aliased/_layers").join(algorithm).join(hex).join("link")
    };
    fs::create_dir_all(link(&alias).parent().unwrap()).unwrap();
    fs::write(link(&alias), blob.digest()).unwrap();
    fs::remove_dir_all(link(blob.digest()).parent().unwrap()).unwrap();
    let mut descriptor = blob.descriptor();
    descriptor["digest"] = json!(alias);
    let image = Image::new(1, "amd64");
    let config = image.blobs().last().unwrap();
    repository.push_blob(config);
    let media_type = image.manifest().media_type();
    let body =
        json!({"schemaVersion": 2, "mediaType": media_type, "config": config.descriptor(), "layers": [descriptor]});
    repository.push_manifest("latest", &Manifest::new(&body, media_type));
    assert_eq!(figures(&collect(root.path(), &["--untagged"])), [0; 4]);
    assert_eq!(repository.get(&format!("blobs/{alias}")).expect(200).body, blob.bytes());
}

#[test]
fn an_empty_link_still_says_that_its_manifest_is_here() {
    let root = tempfile::tempdir().unwrap();
    let (server, image) = (hasty(root.path()), Image::new(1, "amd64"));
    server.http().repository("team/app").push("latest", &image);
    let hex = image.manifest().digest().trim_start_matches("sha256:").to_owned();
    let link = store::repository(root.path(), "team/app/_manifests/revisions/sha256").join(hex).join("link");
    fs::write(&link, "").unwrap();
    assert_eq!(figures(&collect(root.path(), &[])), [0; 4]);
    fs::write(&link, image.manifest().digest()).unwrap();
    server.http().repository("team/app").expect_image("latest", &image);
}

#[test]
fn a_download_that_is_under_way_goes_on() {
    use std::io::{Read as _, Write as _};
    let root = tempfile::tempdir().unwrap();
    let (server, blob) = (hasty(root.path()), Blob::noise(1, 64 << 20));
    let repository = server.http().repository("team/app");
    repository.push_blob(&blob);
    let mut reader = std::net::TcpStream::connect(server.addr()).unwrap();
    let path = repository.path(&format!("blobs/{}", blob.digest()));
    write!(reader, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = vec![0; 1000];
    reader.read_exact(&mut answer).unwrap();
    assert_eq!(figures(&collect(root.path(), &[])), [1, 1, 0, 1]);
    reader.read_to_end(&mut answer).unwrap();
    assert!(answer.ends_with(blob.bytes()), "the download broke off");
}

//! How old content is: after a restart, after another start of the system, and when a clock jumps.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use crate::{
    support::{
        http::send,
        image::{Blob, Image},
        store,
        wait::pass,
    },
    wharf::{collect, figures, wharf, with_grace},
};

const DAY: Duration = Duration::from_secs(86_400);

fn date(path: &Path, when: SystemTime) {
    fs::File::options().write(true).open(path).unwrap().set_modified(when).unwrap();
}

fn date_of(path: &Path) -> SystemTime {
    fs::metadata(path).unwrap().modified().unwrap()
}

fn date_all(root: &Path, when: SystemTime) {
    for file in store::files(root).into_iter().filter(|file| file.starts_with("docker")) {
        date(&root.join(file), when);
    }
}

fn link(root: &Path, part: &str, digest: &str) -> PathBuf {
    store::repository(root, "team/app").join(part).join(&digest[7..]).join("link")
}

/// A cron job that ran with registry:2 stays green, and is told what waits.
#[test]
fn report_first_day_a_collection_ends_well_and_says_what_waits() {
    let (root, loose) = (tempfile::tempdir().unwrap(), Blob::noise(7, 1000));
    let server = with_grace(root.path(), "24h");
    server.http().repository("team/app").push_blob(&loose);
    date_all(root.path(), SystemTime::now() - 3 * DAY);
    server.stop();
    // As after a start of the machine.
    fs::remove_file(root.path().join("wharf/boot")).unwrap();
    let server = with_grace(root.path(), "24h");
    let config = root.path().join("config.yml");
    let rootdirectory = root.path().display();
    fs::write(&config, format!("version: 0.1\nstorage: {{filesystem: {{rootdirectory: {rootdirectory}}}}}\n")).unwrap();
    for arguments in [&["gc"][..], &["gc", "--dry-run"], &["garbage-collect", "-m", config.to_str().unwrap()]] {
        let output = wharf(root.path(), arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains("too young: 1 unused blobs and manifests (1000 B)"), "{said}");
        assert!(said.contains("nothing goes until 20") && said.contains("UTC (in 2"), "{said}");
    }
    assert!(store::blob(root.path(), loose.digest()).exists());
    server.stop();
}

#[test]
fn report_first_day_a_server_that_is_restarted_every_night_collects() {
    let (root, loose) = (tempfile::tempdir().unwrap(), Blob::noise(7, 1000));
    let server = with_grace(root.path(), "2s");
    server.http().repository("team/app").push_blob(&loose);
    pass(Duration::from_millis(3500), "the grace; the note is in whole seconds");
    server.stop();
    date_all(root.path(), SystemTime::now() - 3 * DAY);
    // Another run of the system: what clients were told may be lost.
    let note = root.path().join("wharf/boot");
    let noted = fs::read_to_string(&note).unwrap();
    fs::write(&note, noted.replace(noted.split(' ').next().unwrap(), "another")).unwrap();
    let server = with_grace(root.path(), "2s");
    assert_eq!(figures(&collect(root.path(), &[])), [0; 4]);
    server.stop();
    fs::write(&note, noted).unwrap();
    let server = with_grace(root.path(), "2s");
    assert_eq!(figures(&collect(root.path(), &["--dry-run"]))[0], 1);
    assert_eq!(figures(&collect(root.path(), &[])), [1, 1, 0, 1]);
    server.stop();
}

#[test]
fn report_first_day_what_clients_were_told_survives_a_restart() {
    let (root, image, loose) = (tempfile::tempdir().unwrap(), Image::new(1, "amd64"), Blob::noise(7, 1000));
    let server = with_grace(root.path(), "6s");
    let repository = server.http().repository("team/app");
    repository.push("latest", &image);
    repository.push_blob(&loose);
    server.stop();
    let long_ago = SystemTime::now() - 3 * DAY;
    date_all(root.path(), long_ago);
    let server = with_grace(root.path(), "6s");
    let repository = server.http().repository("team/app");
    repository.head(&format!("blobs/{}", loose.digest())).expect(200);
    repository.head("manifests/latest").expect(200);
    repository.head(&format!("blobs/{}", Blob::noise(8, 10).digest())).expect(404);
    let other = image.blobs().next().unwrap();
    repository.get(&format!("blobs/{}", other.digest())).expect(200);
    server.stop();
    let root = root.path();
    let is_new = |path: &Path| date_of(path) > long_ago + DAY;
    assert!(is_new(&link(root, "_layers/sha256", loose.digest())));
    assert!(is_new(&link(root, "_manifests/revisions/sha256", image.manifest().digest())));
    assert!(!is_new(&link(root, "_layers/sha256", other.digest())), "a GET tells nobody to skip an upload");
    let tag = store::repository(root, "team/app/_manifests/tags/latest/current/link");
    assert!(!is_new(&tag), "the date of a tag is not ours");
    date(&link(root, "_layers/sha256", loose.digest()), SystemTime::now());
    pass(Duration::from_secs(3), "half of the next server's grace");
    let server = with_grace(root, "6s");
    assert_eq!(figures(&collect(root, &[])), [0; 4]);
    pass(Duration::from_secs(4), "the rest of the grace");
    assert_eq!(figures(&collect(root, &[])), [1, 1, 0, 0]);
    server.stop();
}

/// As a clock that jumps three days ahead makes it look.
#[test]
fn report_s9_what_was_just_pushed_stays_though_the_clock_jumps() {
    let (root, image) = (tempfile::tempdir().unwrap(), Image::new(1, "amd64"));
    let server = with_grace(root.path(), "3s");
    pass(Duration::from_millis(3100), "the grace");
    let repository = server.http().repository("team/app");
    image.blobs().for_each(|blob| repository.push_blob(blob));
    let session = repository.begin();
    repository.patch(&session, b"some").unwrap().expect(202);
    date_all(root.path(), SystemTime::now() - 3 * DAY);
    for file in store::files(&root.path().join("wharf/uploads")) {
        date(&root.path().join("wharf/uploads").join(file), SystemTime::now() - 3 * DAY);
    }
    assert_eq!(figures(&collect(root.path(), &["--untagged"])), [0; 4]);
    send(server.http().request(reqwest::Method::DELETE, &session)).expect(204);
    assert_eq!(figures(&collect(root.path(), &["--untagged"])), [0; 4]);
    repository.push_manifest(image.manifest().digest(), image.manifest());
    date_all(root.path(), SystemTime::now() - 3 * DAY);
    assert_eq!(figures(&collect(root.path(), &["--untagged"])), [0; 4]);
    repository.expect_image(image.manifest().digest(), &image);
    server.stop();
}

#[test]
fn report_s9_what_is_dated_in_the_future_is_new_and_told_of() {
    let (root, loose) = (tempfile::tempdir().unwrap(), Blob::noise(7, 1000));
    let server = with_grace(root.path(), "0s");
    server.http().repository("team/app").push_blob(&loose);
    server.stop();
    date_all(root.path(), SystemTime::now() + 3 * DAY);
    let output = wharf(root.path(), &["gc"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.contains("dated in the future"), "{said}");
    assert!(
        said.contains("too young: 1 unused blobs and manifests (1000 B)") && said.contains("(in 3 days)"),
        "{said}"
    );
    assert!(store::blob(root.path(), loose.digest()).exists());
}

/// What a tag has meant, and is gone, goes from its history.
#[test]
fn report_s5_the_history_of_a_tag_names_nothing_that_is_gone() {
    let root = tempfile::tempdir().unwrap();
    let server = with_grace(root.path(), "0s");
    let repository = server.http().repository("team/app");
    let images: Vec<_> = (0..40).map(|seed| Image::new(seed, "amd64")).collect();
    for image in &images {
        repository.push("latest", image);
    }
    let index = store::repository(root.path(), "team/app/_manifests/tags/latest/index/sha256");
    assert_eq!(fs::read_dir(&index).unwrap().count(), 40);
    for image in &images[..38] {
        repository.delete(&format!("manifests/{}", image.manifest().digest())).expect(202);
    }
    let would = collect(root.path(), &["--dry-run"]);
    assert_eq!((would["histories"].as_u64(), fs::read_dir(&index).unwrap().count()), (Some(38), 40));
    assert_eq!(collect(root.path(), &[])["histories"], 38);
    assert_eq!(fs::read_dir(&index).unwrap().count(), 2);
    repository.expect_image("latest", &images[39]);
    assert_eq!(collect(root.path(), &["--untagged"])["histories"], 1);
    repository.expect_image("latest", &images[39]);
    server.stop();
}

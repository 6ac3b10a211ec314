//! What is kept: eviction, and what the store's own work makes of repositories that an upstream fills.

use std::{
    fs,
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    thread,
    time::{Duration, SystemTime},
};

use crate::{
    hub::{Auth, Hub},
    mirror::{launch, start},
    support::{
        image::{Image, Index},
        store::{self, expect_honest_blobs, files, repository},
        wait::eventually,
    },
};

#[test]
fn what_nobody_uses_is_evicted_and_what_is_used_stays() {
    let (hub, root) = (Hub::new(), tempfile::tempdir().unwrap());
    let (used, unused) = (Image::new(1, "amd64"), Image::new(2, "amd64"));
    hub.put("used", "t", &used);
    hub.put("unused", "t", &unused);
    let start = || launch(&hub, root.path()).set("REGISTRY_PROXY_TTL", "60s").start();
    let server = start();
    server.http().repository("used").expect_image("t", &used);
    server.http().repository("unused").expect_image("t", &unused);
    // The server notes at its end that both were used. Then one has not been used for long.
    server.stop();
    let revisions = repository(root.path(), "unused").join("_manifests/revisions");
    for file in files(&revisions) {
        let long_ago = SystemTime::now() - Duration::from_secs(600);
        fs::File::open(revisions.join(file)).unwrap().set_modified(long_ago).unwrap();
    }
    let server = start();
    let kept = server.http().repository("used");
    eventually("it is evicted", || {
        kept.expect_manifest("t", used.manifest());
        files(&revisions).is_empty()
    });
    assert!(
        files(&repository(root.path(), "unused").join("_manifests/tags")).is_empty(),
        "a tag goes with its manifest"
    );
    assert_eq!(
        hub.seen().iter().filter(|seen| seen.method == "GET" && seen.path.contains("/used/manifests")).count(),
        1
    );
    server.http().repository("unused").expect_image("t", &unused);
}

#[test]
fn missing_parts_are_no_damage_and_the_collection_keeps_what_has_no_tag() {
    let (hub, root) = (Hub::new(), tempfile::tempdir().unwrap());
    let index = Index::two_platforms(3);
    hub.put_index("a/b", "t", &index);
    let server = start(&hub, root.path());
    let filled = server.http().repository("a/b");
    filled.expect_manifest("t", index.manifest());
    // One platform of two, by its digest: the index may go later, and the image stays.
    let image = &index.images()[0];
    filled.expect_manifest(image.manifest().digest(), image.manifest());
    filled.delete("manifests/t").expect(202);
    server.stop();
    let command = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_wharf"))
            .args(arguments)
            .env("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", root.path())
            .env("REGISTRY_STORAGE_GC_GRACE", "0s")
            .env("REGISTRY_PROXY_REMOTEURL", hub.url())
            .output()
            .unwrap();
        (
            output.status.code(),
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)),
        )
    };
    let (status, text) = command(&["fsck"]);
    assert_eq!(status, Some(0), "{text}");
    let (status, text) = command(&["gc", "--untagged"]);
    assert_eq!(status, Some(0), "{text}");
    hub.set(|hub| hub.is_silent = true);
    let server = start(&hub, root.path());
    server.http().repository("a/b").expect_manifest(image.manifest().digest(), image.manifest());
    server.http().repository("a/b").expect_manifest(index.manifest().digest(), index.manifest());
}

/// Runs a command with these settings; its exit code, and what it prints.
fn wharf(root: &std::path::Path, arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let output = crate::support::command::wharf_with(root, arguments, variables);
    (
        output.status.code(),
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)),
    )
}

#[test]
fn images_are_fetched_before_somebody_pulls_them() {
    let index = Index::two_platforms(3);
    for is_served in [true, false] {
        let (hub, root) = (Hub::new(), tempfile::tempdir().unwrap());
        hub.put_index("a/b", "t", &index);
        let mut server = is_served.then(|| start(&hub, root.path()));
        let (url, variables) = (hub.url(), "REGISTRY_PROXY_REMOTEURL");
        let (status, text) = wharf(root.path(), &["fetch", "a/b:t", "a/b:none"], &[(variables, &url)]);
        assert_eq!(status, Some(1), "{text}");
        assert!(text.contains("a/b:t: 3 manifests and 6 blobs") && text.contains("a/b:none: there is no"), "{text}");
        hub.set(|hub| hub.is_silent = true);
        let server = server.take().unwrap_or_else(|| start(&hub, root.path()));
        for image in index.images() {
            for blob in image.blobs() {
                server.http().repository("a/b").get(&format!("blobs/{}", blob.digest())).expect(200);
            }
        }
    }
}

#[test]
fn upstreams_are_checked() {
    let (hub, root) = (Hub::new(), tempfile::tempdir().unwrap());
    let url = hub.url();
    let check = |more: &[(&str, &str)]| {
        wharf(root.path(), &["upstream", "check"], &[&[("REGISTRY_PROXY_REMOTEURL", url.as_str())], more].concat())
    };
    let me = [("REGISTRY_PROXY_USERNAME", "me"), ("REGISTRY_PROXY_PASSWORD", "secret")];
    let other = [("REGISTRY_PROXY_USERNAME", "me"), ("REGISTRY_PROXY_PASSWORD", "wrong")];
    assert_eq!(check(&[]), (Some(0), format!("{}: answers\n", hub.host())));
    hub.set(|hub| hub.auth = Auth::Bearer);
    assert_eq!(check(&me), (Some(0), format!("{}: answers, and takes the credentials\n", hub.host())));
    let (status, text) = check(&other);
    assert!(status == Some(1) && text.contains("refuses the credentials") && !text.contains("wrong"), "{text}");
    let (status, text) = check(&[("REGISTRY_PROXY_EXEC_COMMAND", "/none/program")]);
    assert!(status == Some(1) && text.contains("can't be had: /none/program: No such file"), "{text}");
    hub.set(|hub| hub.status = Some((500, String::new())));
    let (status, text) = check(&[]);
    assert!(status == Some(1) && text.contains("500"), "{text}");
    let (status, text) = wharf(root.path(), &["upstream", "check"], &[]);
    assert!(status == Some(1) && text.contains("name no upstream"), "{text}");
}

/// How many bytes the content has that is stored or on its way into the store.
fn stored_bytes(root: &Path) -> u64 {
    let len = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
    let below = |root: &Path| files_there(root).iter().map(|file| len(&root.join(file))).sum::<u64>();
    below(&store::tree(root).join("blobs")) + below(&root.join("wharf/uploads"))
}

/// [`files`], of a directory that changes meanwhile.
fn files_there(root: &Path) -> Vec<std::path::PathBuf> {
    let (mut found, mut waiting) = (Vec::new(), vec![root.to_owned()]);
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => waiting.push(entry.path()),
                Ok(_) => found.push(entry.path()),
                Err(_) => {}
            }
        }
    }
    found
}

#[test]
fn row_21_the_bound_holds_under_load_and_no_pull_breaks() {
    const BOUND: u64 = 1024 * 1024;
    let (hub, root) = (Hub::new(), tempfile::tempdir().unwrap());
    // Three times as much as there is room for; some of it in two repositories.
    let images: Vec<Image> = (0..72).map(|seed| Image::new(seed, "amd64")).collect();
    for (at, image) in images.iter().enumerate() {
        hub.put(&format!("a/{}", at % 7), &at.to_string(), image);
        hub.put("shared", &at.to_string(), image);
    }
    let server = launch(&hub, root.path())
        .set("REGISTRY_PROXY_MAX_BYTES", &BOUND.to_string())
        .set("REGISTRY_HTTP_DEBUG_ADDR", "127.0.0.1:0")
        .start();
    let (most, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(SeqCst) {
                most.fetch_max(stored_bytes(root.path()), SeqCst);
                thread::yield_now();
            }
        });
        let pulls: Vec<_> = (0..4)
            .map(|client| {
                let (server, images) = (&server, &images);
                scope.spawn(move || {
                    for step in 0..images.len() {
                        let at = (step * (2 * client + 5) + client) % images.len();
                        let name = if step % 5 == 0 { "shared".to_owned() } else { format!("a/{}", at % 7) };
                        server.http().repository(&name).expect_image(&at.to_string(), &images[at]);
                    }
                })
            })
            .collect();
        for _ in 0..3 {
            // A collection waits for an eviction.
            let (status, text) = wharf(root.path(), &["gc"], &[("REGISTRY_PROXY_REMOTEURL", &hub.url())]);
            assert_eq!(status, Some(0), "{text}");
        }
        let pulled: Vec<_> = pulls.into_iter().map(thread::ScopedJoinHandle::join).collect();
        is_over.store(true, SeqCst);
        assert!(pulled.iter().all(Result::is_ok), "a pull broke: {}", server.log());
    });
    let most = most.into_inner();
    assert!(most <= BOUND && most > BOUND / 2, "{most} bytes were stored: {}", server.log());
    expect_honest_blobs(root.path());
    server.stop();
    let (status, text) = wharf(root.path(), &["fsck"], &[("REGISTRY_PROXY_REMOTEURL", &hub.url())]);
    assert_eq!(status, Some(0), "{text}");
}

#![allow(clippy::unwrap_used, reason = "a test that can't set up fails")]

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use super::{Archive, load};
use crate::{
    oci::{Algorithm, Digest, Reference},
    registry::{
        Extensions, ListedTag, Registry, Rules,
        events::{Action, Event, Listener},
    },
    storage::Storage,
};

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Writes a blob of a layout; its descriptor.
fn blob(root: &Path, media_type: &str, bytes: &[u8]) -> Value {
    let digest = Digest::of(Algorithm::Sha256, bytes);
    let folder = root.join("blobs/sha256");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(digest.hex().to_string()), bytes).unwrap();
    json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() })
}

/// A layout of an index with one image, and the file of the image's layer.
fn layout(root: &Path, name: &str) -> std::path::PathBuf {
    layout_with(root, name, 600_000)
}

fn layout_with(root: &Path, name: &str, layer: usize) -> std::path::PathBuf {
    let config = blob(root, "application/vnd.oci.image.config.v1+json", b"{}");
    let layer = blob(root, "application/vnd.oci.image.layer.v1.tar", &vec![7; layer]);
    let file = root.join("blobs").join(layer["digest"].as_str().unwrap().replace(':', "/"));
    let image = json!({ "schemaVersion": 2, "mediaType": IMAGE, "config": config, "layers": [layer] });
    let image = blob(root, IMAGE, image.to_string().as_bytes());
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [image] });
    let mut index = blob(root, INDEX, index.to_string().as_bytes());
    index["annotations"] = json!({ "org.opencontainers.image.ref.name": name });
    fs::write(root.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
    fs::write(root.join("index.json"), json!({ "schemaVersion": 2, "manifests": [index] }).to_string()).unwrap();
    file
}

fn tar(folder: &Path, file: &Path) {
    let mut builder = tar::Builder::new(fs::File::create(file).unwrap());
    builder.append_dir_all(".", folder).unwrap();
    builder.finish().unwrap();
}

/// Loads an archive into an empty registry; whether it has `repository:tag`.
async fn loads(argument: &str, repository: &str, tag: &str) -> bool {
    let registry = Registry::at_rest(Storage::memory(), Rules::default(), crate::registry::Extensions::default());
    load(&[Archive::open(argument).unwrap()], &registry).await.unwrap();
    registry.repository(repository.parse().unwrap()).manifest(&tag.parse().unwrap()).await.is_ok()
}

#[tokio::test]
async fn layouts_are_loaded_from_directories_and_archives() {
    let scratch = tempfile::tempdir().unwrap();
    let (root, file) = (scratch.path().join("app"), scratch.path().join("app.tar"));
    layout(&root, "1.0");
    tar(&root, &file);
    let (root, file) = (root.to_str().unwrap(), file.to_str().unwrap());
    assert!(loads(&format!("oci:{root}"), "app", "1.0").await);
    assert!(loads(&format!("oci:{root}=team/tool"), "team/tool", "1.0").await);
    assert!(loads(file, "app", "1.0").await);
    assert!(loads(&format!("{file}=team/tool"), "team/tool", "1.0").await);
}

#[tokio::test]
async fn archives_of_docker_save_are_loaded() {
    let scratch = tempfile::tempdir().unwrap();
    let (root, file) = (scratch.path().join("saved"), scratch.path().join("saved.tar"));
    fs::create_dir_all(root.join("one")).unwrap();
    fs::create_dir_all(root.join("two")).unwrap();
    fs::write(root.join("one/layer.tar"), "layer").unwrap();
    // As docker writes a layer that another image has as well.
    std::os::unix::fs::symlink("../one/layer.tar", root.join("two/layer.tar")).unwrap();
    let layer = Digest::of(Algorithm::Sha256, b"layer");
    fs::write(root.join("config.json"), json!({ "rootfs": { "diff_ids": [layer, layer] } }).to_string()).unwrap();
    let layers = ["one/layer.tar", "two/layer.tar"];
    let image = json!([{ "Config": "config.json", "RepoTags": ["localhost/team/app:1", "app:2"], "Layers": layers }]);
    fs::write(root.join("manifest.json"), image.to_string()).unwrap();
    let mut builder = tar::Builder::new(fs::File::create(&file).unwrap());
    builder.follow_symlinks(false);
    builder.append_dir_all(".", &root).unwrap();
    builder.finish().unwrap();
    let text = file.to_str().unwrap();
    assert!(loads(text, "team/app", "1").await);
    assert!(loads(text, "app", "2").await);
    fs::write(root.join("one/layer.tar"), "other").unwrap();
    tar(&root, &file);
    let error = Archive::open(text).unwrap_err().to_string();
    assert!(error.contains("saved.tar: it is damaged: the layers"), "{error}");
}

/// A store that has no room at any point of a load: nothing of it is seen, and a tag that it moved is what it was.
#[tokio::test]
async fn a_load_that_fails_leaves_nothing_that_can_be_seen() {
    let scratch = tempfile::tempdir().unwrap();
    for name in ["old", "one", "two"] {
        layout_with(&scratch.path().join(name), name, 10);
    }
    let open = |name: &str| {
        let root = scratch.path().join(name);
        let index = root.join("index.json");
        let mut json: Value = serde_json::from_slice(&fs::read(&index).unwrap()).unwrap();
        // The image of each is another one.
        let note = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [], "annotations": { "name": name } });
        let mut own = blob(&root, INDEX, note.to_string().as_bytes());
        own["annotations"] = json!({ "org.opencontainers.image.ref.name": "1" });
        json["manifests"].as_array_mut().unwrap().push(own);
        fs::write(&index, json.to_string()).unwrap();
        Archive::open(&format!("oci:{}=app", root.display())).unwrap()
    };
    let (old, new) = ([open("old")], [open("one"), open("two")]);
    let (mut failures, mut limit) = (0, 0);
    loop {
        let rules = Rules { delete: false, ..Rules::default() };
        let registry =
            Registry::at_rest(Storage::memory_within(Some(limit)), rules, crate::registry::Extensions::default());
        let repository = registry.repository("app".parse().unwrap());
        limit += 16;
        if load(&old, &registry).await.is_err() {
            assert_eq!(repository.browse_tags(|_, _| true).await.unwrap_or_default(), [], "{limit}");
            continue;
        }
        let before = repository.browse_tags(|_, _| true).await.unwrap();
        if load(&new, &registry).await.is_ok() {
            assert_eq!(repository.browse_tags(|_, _| true).await.unwrap().len(), 4);
            break;
        }
        failures += 1;
        let after = repository.browse_tags(|_, _| true).await.unwrap();
        let names = |tags: &[ListedTag]| -> Vec<_> {
            tags.iter().map(|listed| (listed.tag.to_string(), listed.digest.to_string())).collect()
        };
        assert_eq!(names(&after), names(&before), "{limit}");
        for archive in &new {
            for manifest in archive.repositories.values().flat_map(|content| &content.manifests) {
                let reference = Reference::Digest(manifest.digest.clone());
                let is_old = old[0].repositories.values().flat_map(|content| &content.manifests);
                let is_old = is_old.into_iter().any(|known| known.digest == manifest.digest);
                assert_eq!(repository.browse_manifest(&reference).await.unwrap().is_some(), is_old, "{limit}");
            }
        }
    }
    assert!(failures > 5, "{failures}");
}

/// The pushes of manifests, each with the number of its tags.
#[derive(Debug, Default)]
struct Pushes(Mutex<Vec<usize>>);

impl Listener for Pushes {
    fn happened(&self, event: &Event<'_>) {
        let Event::Repository(event) = event else { return };
        if let Action::ManifestPushed(target) = event.action {
            self.0.lock().unwrap().push(target.tags.len());
        }
    }
}

#[tokio::test]
async fn each_manifest_is_pushed_once() {
    let scratch = tempfile::tempdir().unwrap();
    layout_with(scratch.path(), "1.0", 10);
    let pushes = Arc::new(Pushes::default());
    let extensions = Extensions { listeners: vec![Arc::clone(&pushes) as Arc<dyn Listener>], ..Extensions::default() };
    let registry = Registry::extended(Storage::memory(), Rules::default(), extensions);
    let archive = Archive::open(&format!("{}=app", scratch.path().display())).unwrap();
    load(&[archive], &registry).await.unwrap();
    assert_eq!(*pushes.0.lock().unwrap(), [0, 1]);
}

#[test]
fn bad_archives_are_refused_with_the_name_of_the_file() {
    let scratch = tempfile::tempdir().unwrap();
    let path = |name: &str| scratch.path().join(name);
    let layer = layout(&path("good"), "1.0");
    tar(&path("good"), &path("good.tar"));
    let whole = fs::read(path("good.tar")).unwrap();
    fs::write(path("cut.tar"), &whole[..whole.len() / 2]).unwrap();
    // In the head of the last entry.
    let head = whole.windows(9).rposition(|part| part == b"blobs/sha").unwrap();
    fs::write(path("cut-head.tar"), &whole[..head + 50]).unwrap();
    for (name, beginning) in
        [("gzip", b"\x1f\x8b\x08\x00"), ("bzip2", b"BZh9"), ("xz", b"\xfd7zX"), ("zstd", b"\x28\xb5\x2f\xfd")]
    {
        fs::write(path(&format!("{name}.tar")), [&beginning[..], &[0xff; 2000]].concat()).unwrap();
    }
    let mut holes = tar::Header::new_gnu();
    holes.set_path("index.json").unwrap();
    holes.set_entry_type(tar::EntryType::GNUSparse);
    holes.set_size(0);
    holes.as_gnu_mut().unwrap().realsize = *b"00000000000\0";
    holes.set_cksum();
    fs::write(path("holes.tar"), [&holes.as_bytes()[..], &[0; 1024]].concat()).unwrap();
    fs::write(path("binary.tar"), [0xfe; 2000]).unwrap();
    // A directory that names a file outside of it.
    fs::create_dir(path("outside")).unwrap();
    fs::write(path("secret.json"), json!({ "rootfs": { "diff_ids": [] } }).to_string()).unwrap();
    let outside = json!([{ "Config": "../secret.json", "RepoTags": ["a:1"], "Layers": [] }]);
    fs::write(path("outside/manifest.json"), outside.to_string()).unwrap();
    fs::write(path("text.tar"), vec![b'x'; 2000]).unwrap();
    fs::write(path("empty.tar"), b"").unwrap();
    fs::create_dir(path("none")).unwrap();
    layout(&path("tag"), "a:b c");
    layout(&path("Upper"), "1.0");
    fs::write(&layer, "other").unwrap();
    let table = [
        ("missing.tar", "can't read it"),
        ("cut.tar", "cut off"),
        ("cut-head.tar", "cut off"),
        ("gzip.tar", "compressed"),
        ("bzip2.tar", "compressed"),
        ("xz.tar", "compressed"),
        ("zstd.tar", "compressed"),
        ("holes.tar", "index.json is stored with holes"),
        ("binary.tar", "not a tar archive"),
        ("outside", "it has no ../secret.json"),
        ("text.tar", "not a tar archive"),
        ("empty.tar", "it has no index.json"),
        ("none", "it has no index.json"),
        ("tag", "`b c` is not a tag"),
        ("Upper", "`Upper` is not a repository's name"),
        ("good", "it is damaged"),
    ];
    for (name, word) in table {
        let error = Archive::open(path(name).to_str().unwrap()).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(word), "{name}: {error}");
        assert!(!error.contains(|c: char| c.is_control() || c == '\u{fffd}'), "{error:?}");
    }
    fs::remove_file(&layer).unwrap();
    let error = Archive::open(path("good").to_str().unwrap()).unwrap_err().to_string();
    assert!(error.contains("it has no blobs/sha256/"), "{error}");
}

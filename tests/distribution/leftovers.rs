//! What another registry, or its crash, may have left in a store: read without complaint, and healed by the next push.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::support::{
    http::Repository,
    image::{Image, sha256},
    server::{Launch, Program, Server},
    store,
};

const NAME: &str = "left/over";

/// A store with one image under the tag `1`, served by nobody.
struct Scene {
    root: tempfile::TempDir,
    image: Image,
}

impl Scene {
    fn new() -> Self {
        let (root, image) = (tempfile::tempdir().unwrap(), Image::new(1, "amd64"));
        let server = wharf(root.path());
        server.http().repository(NAME).push("1", &image);
        server.stop();
        Self { root, image }
    }

    /// A path in the repository.
    fn at(&self, path: &str) -> PathBuf {
        store::repository(self.root.path(), NAME).join(path)
    }

    fn revision_link(&self) -> PathBuf {
        self.at(&format!("_manifests/revisions/{}/link", self.image.manifest().digest().replace(':', "/")))
    }

    fn layer(&self) -> &str {
        self.image.blobs().next().unwrap().digest()
    }

    fn layer_link(&self) -> PathBuf {
        self.at(&format!("_layers/{}/link", self.layer().replace(':', "/")))
    }

    fn write(&self, path: &str, content: &[u8]) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Serves the store, has it looked at, and then requires that the same push makes everything right again.
    #[track_caller]
    fn look(&self, look: impl FnOnce(&Repository)) {
        let server = wharf(self.root.path());
        let repository = server.http().repository(NAME);
        look(&repository);
        repository.push("1", &self.image);
        repository.expect_image("1", &self.image);
        assert!(repository.tags().contains(&"1".to_owned()));
    }
}

fn wharf(root: &Path) -> Server {
    Launch::new(Program::Wharf, root).start()
}

#[test]
fn a_tag_directory_without_current_link_is_no_tag() {
    let scene = Scene::new();
    fs::create_dir_all(scene.at("_manifests/tags/half/current")).unwrap();
    fs::create_dir_all(scene.at("_manifests/tags/bare")).unwrap();
    scene.look(|repository| {
        assert_eq!(repository.tags(), ["1"]);
        assert_eq!(repository.get("manifests/half").expect(404).code(), "MANIFEST_UNKNOWN");
        assert_eq!(repository.get("manifests/bare").expect(404).code(), "MANIFEST_UNKNOWN");
        repository.push_manifest("half", scene.image.manifest());
        repository.expect_image("half", &scene.image);
    });
}

#[test]
fn a_tag_whose_current_link_is_empty_is_unknown() {
    let scene = Scene::new();
    scene.write("_manifests/tags/1/current/link", b"");
    scene.look(|repository| {
        assert_eq!(repository.get("manifests/1").expect(404).code(), "MANIFEST_UNKNOWN");
        repository.expect_image(scene.image.manifest().digest(), &scene.image);
    });
}

#[test]
fn a_tag_without_its_history_is_read_and_deleted() {
    let scene = Scene::new();
    fs::remove_dir_all(scene.at("_manifests/tags/1/index")).unwrap();
    scene.look(|repository| {
        repository.expect_image("1", &scene.image);
        repository.delete("manifests/1").expect(202);
        repository.get("manifests/1").expect(404);
    });
}

#[test]
fn a_revision_whose_link_is_empty_is_unknown() {
    let scene = Scene::new();
    fs::write(scene.revision_link(), b"").unwrap();
    scene.look(|repository| {
        let answer = repository.get(&format!("manifests/{}", scene.image.manifest().digest())).expect(404);
        assert_eq!(answer.code(), "MANIFEST_UNKNOWN");
    });
}

#[test]
fn a_membership_whose_link_is_empty_is_unknown() {
    let scene = Scene::new();
    fs::write(scene.layer_link(), b"").unwrap();
    scene.look(|repository| {
        assert_eq!(repository.get(&format!("blobs/{}", scene.layer())).expect(404).code(), "BLOB_UNKNOWN");
    });
}

#[test]
fn links_whose_data_is_missing_answer_404() {
    let scene = Scene::new();
    for digest in [scene.layer(), scene.image.manifest().digest()] {
        fs::remove_file(store::blob(scene.root.path(), digest)).unwrap();
    }
    scene.look(|repository| {
        assert_eq!(repository.get(&format!("blobs/{}", scene.layer())).expect(404).code(), "BLOB_UNKNOWN");
        repository.head(&format!("blobs/{}", scene.layer())).expect(404);
        assert_eq!(repository.get("manifests/1").expect(404).code(), "MANIFEST_UNKNOWN");
        assert_eq!(repository.tags(), ["1"]);
    });
}

#[test]
fn data_that_is_empty_answers_404() {
    let scene = Scene::new();
    for digest in [scene.layer(), scene.image.manifest().digest()] {
        fs::write(store::blob(scene.root.path(), digest), b"").unwrap();
    }
    scene.look(|repository| {
        repository.head(&format!("blobs/{}", scene.layer())).expect(404);
        repository.get(&format!("blobs/{}", scene.layer())).expect(404);
        repository.get("manifests/1").expect(404);
    });
}

#[test]
fn a_repository_without_tags_is_listed_with_none() {
    let scene = Scene::new();
    fs::remove_dir_all(scene.at("_manifests/tags")).unwrap();
    scene.look(|repository| {
        assert!(repository.tags().is_empty());
        repository.expect_image(scene.image.manifest().digest(), &scene.image);
    });
}

#[test]
fn a_repository_with_nothing_but_memberships_is_no_fault() {
    let scene = Scene::new();
    fs::remove_dir_all(scene.at("_manifests")).unwrap();
    scene.look(|repository| {
        repository.get(&format!("blobs/{}", scene.layer())).expect(200);
        repository.get("manifests/1").expect(404);
    });
}

#[test]
fn uploads_of_another_registry_are_never_resumed() {
    let scene = Scene::new();
    let id = "6ec4a26a-0a40-4b9c-8ed8-1d4a6b5c7f10";
    scene.write(&format!("_uploads/{id}/data"), b"half of it");
    scene.write(&format!("_uploads/{id}/startedat"), b"2020-01-01T00:00:00Z");
    scene.write(&format!("_uploads/{id}/hashstates/sha256/10"), b"state");
    scene.look(|repository| {
        let answer = repository.get(&format!("blobs/uploads/{id}")).expect(404);
        assert_eq!(answer.code(), "BLOB_UPLOAD_UNKNOWN");
        repository.expect_image("1", &scene.image);
    });
}

#[test]
fn strange_files_are_passed_over() {
    let scene = Scene::new();
    fs::write(scene.root.path().join("scheduler-state.json"), b"{}").unwrap();
    scene.write("_manifests/tags/1/current/link.tmp", b"");
    scene.write("_layers/sha256/x.tmp", b"");
    fs::write(store::tree(scene.root.path()).join("repositories/stray.tmp"), b"").unwrap();
    scene.look(|repository| {
        repository.expect_image("1", &scene.image);
        assert_eq!(repository.tags(), ["1"]);
    });
}

#[test]
fn a_schema_1_manifest_is_served_as_it_is() {
    let scene = Scene::new();
    let body =
        br#"{"schemaVersion":1,"name":"left/over","tag":"old","architecture":"amd64","fsLayers":[],"history":[]}"#;
    let digest = sha256(body);
    let data = store::blob(scene.root.path(), &digest);
    fs::create_dir_all(data.parent().unwrap()).unwrap();
    fs::write(data, body).unwrap();
    let hex = digest.trim_start_matches("sha256:");
    for link in ["_manifests/tags/old/current".to_owned(), format!("_manifests/revisions/sha256/{hex}")] {
        scene.write(&format!("{link}/link"), digest.as_bytes());
    }
    scene.look(|repository| assert!(repository.manifest("old").expect(200).body == body[..]));
}

#[test]
fn leftovers_make_no_start_fail_and_no_log_shout() {
    let scene = Scene::new();
    scene.write("_manifests/tags/1/current/link", b"");
    fs::remove_file(store::blob(scene.root.path(), scene.layer())).unwrap();
    let server = wharf(scene.root.path());
    server.http().repository(NAME).get("manifests/1").expect(404);
    server.http().repository(NAME).get(&format!("blobs/{}", scene.layer())).expect(404);
    assert!(!server.log().contains("ERROR"), "{}", server.log());
}

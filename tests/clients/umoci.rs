//! Images that umoci makes, carried by skopeo.

use crate::{
    Scene,
    support::client::{self, Client},
};

#[test]
#[ignore = "needs umoci and skopeo: run ./test"]
fn an_image_made_by_umoci_comes_back_whole_needs_umoci_and_skopeo() {
    let scene = Scene::new("skopeo");
    let umoci = |arguments: &[&str]| client::run(client::command("umoci", scene.client.home()).args(arguments));
    umoci(&["init", "--layout", "made"]);
    umoci(&["new", "--image", "made:1"]);
    let note = scene.client.file("note", b"made by umoci\n");
    umoci(&["insert", "--rootless", "--image", "made:1", note.to_str().unwrap(), "/note"]);
    let name = format!("docker://{}", scene.name("um/made:1"));
    scene.client.run(["copy", "--dest-tls-verify=false", "oci:made:1", &name]);

    let there = Client::new("skopeo");
    there.run(["copy", "--src-tls-verify=false", &name, "oci:back:1"]);
    let unpack = ["unpack", "--rootless", "--image", "back:1", "bundle"];
    client::run(client::command("umoci", there.home()).args(unpack));
    assert_eq!(std::fs::read(there.home().join("bundle/rootfs/note")).unwrap(), b"made by umoci\n");
}

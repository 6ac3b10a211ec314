//! What one node of several does is seen by the others at once.

use reqwest::Method;

use crate::support::{
    gateway::Gateway,
    http::{Repository, send, try_send},
    image::{Blob, Image, Index, sha256},
    server::Server,
};

/// A store with two endpoints, and a node at each.
fn two_nodes() -> (Gateway, [Server; 2]) {
    let gateway = Gateway::start(2);
    let nodes = [gateway.node(0), gateway.node(1)];
    (gateway, nodes)
}

fn repositories(nodes: &[Server; 2], name: &str) -> [Repository; 2] {
    [0, 1].map(|node| nodes[node].http().repository(name))
}

#[test]
#[ignore = "needs versitygw: run ./test"]
fn each_node_sees_what_the_other_did_needs_versitygw() {
    let (_gateway, nodes) = two_nodes();
    let [one, two] = repositories(&nodes, "team/app");
    let (first, second, index) = (Image::new(1, "amd64"), Image::new(2, "amd64"), Index::two_platforms(3));
    one.push("v1", &first);
    two.expect_image("v1", &first);
    assert_eq!(two.registry().catalog(), ["team/app"]);
    // Names that lie between a name and the keys below it.
    for tag in ["v1-rc1", "v1.1", "0.1.20", "0.1.2"] {
        two.push_manifest(tag, first.manifest());
    }
    assert_eq!(one.tags(), ["0.1.2", "0.1.20", "v1", "v1-rc1", "v1.1"]);
    one.push("v1", &second);
    two.push_index("multi", &index);
    one.expect_index("multi", &index);
    two.expect_image("v1", &second);
    two.delete("manifests/v1-rc1").expect(202);
    one.manifest("v1-rc1").expect(404);
    one.expect_image("v1.1", &first);
    // The tags go with the manifest, and no others do.
    one.delete(&format!("manifests/{}", first.manifest().digest())).expect(202);
    assert_eq!(two.tags(), ["multi", "v1"]);
    two.manifest("v1.1").expect(404);
    for tag in [second.manifest().digest(), index.manifest().digest()] {
        two.delete(&format!("manifests/{tag}")).expect(202);
    }
    for image in index.images() {
        one.delete(&format!("manifests/{}", image.manifest().digest())).expect(202);
    }
    assert_eq!(two.registry().catalog(), Vec::<String>::new());
    one.push("v1", &first);
    assert_eq!(two.registry().catalog(), ["team/app"]);
}

#[test]
#[ignore = "needs versitygw: run ./test"]
fn any_node_goes_on_with_an_upload_needs_versitygw() {
    let (_gateway, nodes) = two_nodes();
    let [one, two] = repositories(&nodes, "parts");
    let blob = Blob::noise(7, 50_000_001);
    let location = one.begin();
    let mut sent = 0;
    for (at, end) in [1_000_000, 20_000_000, 20_000_007, 45_000_000].into_iter().enumerate() {
        let node = if at % 2 == 0 { &two } else { &one };
        let answer = node.patch(&location, &blob.bytes()[sent..end]).unwrap().expect(202);
        assert_eq!(answer.header("range").unwrap(), format!("0-{}", end - 1));
        sent = end;
    }
    let status = send(one.registry().request(Method::GET, &location)).expect(204);
    assert_eq!(status.header("range").unwrap(), format!("0-{}", sent - 1));
    one.finish(&location, blob.digest(), &blob.bytes()[sent..]).unwrap().expect(201);
    let answer = two.get(&format!("blobs/{}", blob.digest())).expect(200);
    assert!(answer.body == blob.bytes());
    send(two.registry().request(Method::GET, &location)).expect(404);
    let ranged =
        two.request(Method::GET, &format!("blobs/{}", blob.digest())).header("Range", "bytes=16777210-16777225");
    assert_eq!(send(ranged).expect(206).body, blob.bytes()[16_777_210..=16_777_225]);
}

#[test]
#[ignore = "needs versitygw: run ./test"]
fn of_two_nodes_that_work_on_one_upload_one_wins_needs_versitygw() {
    let (_gateway, nodes) = two_nodes();
    let [one, two] = repositories(&nodes, "races");
    for round in 0..20 {
        let location = one.begin();
        let pieces = [Blob::noise(round * 2, 3000), Blob::noise(round * 2 + 1, 3000)];
        let answers = std::thread::scope(|scope| {
            let patches = [(&one, &pieces[0]), (&two, &pieces[1])].map(|(node, piece)| {
                let location = &location;
                scope.spawn(move || node.patch(location, piece.bytes()).unwrap().status)
            });
            patches.map(|patch| patch.join().unwrap())
        });
        // Both may have been in time, one after the other.
        let kept: Vec<&Blob> =
            pieces.iter().zip(answers).filter(|(_, status)| *status == 202).map(|(piece, _)| piece).collect();
        assert!(!kept.is_empty() && answers.iter().all(|status| matches!(status, 202 | 409 | 416)), "{answers:?}");
        let orders = [kept.clone(), kept.into_iter().rev().collect::<Vec<_>>()];
        let ended = orders.iter().any(|order| {
            let bytes: Vec<u8> = order.iter().flat_map(|piece| piece.bytes()).copied().collect();
            two.finish(&location, &sha256(&bytes), b"").unwrap().status == 201
        });
        assert!(ended, "{answers:?}");
    }
}

#[test]
#[ignore = "needs versitygw: run ./test"]
fn no_push_of_a_tag_is_lost_needs_versitygw() {
    let (_gateway, nodes) = two_nodes();
    let images: Vec<Image> = (0..8).map(|seed| Image::new(seed, "amd64")).collect();
    let [one, two] = repositories(&nodes, "tags");
    for image in &images {
        image.blobs().for_each(|blob| one.push_blob(blob));
    }
    std::thread::scope(|scope| {
        for (at, image) in images.iter().enumerate() {
            let (node, other) = if at % 2 == 0 { (&one, &two) } else { (&two, &one) };
            scope.spawn(move || {
                for _ in 0..10 {
                    // One makes the tag that all share, and another takes its manifest away, with all tags of it.
                    node.push_manifest("shared", image.manifest());
                    node.push_manifest(&format!("own-{at}"), image.manifest());
                    node.expect_manifest(&format!("own-{at}"), image.manifest());
                    let answer = other.delete(&format!("manifests/{}", image.manifest().digest()));
                    assert!(matches!(answer.status, 202 | 404), "{}", answer.status);
                }
                node.push_manifest(&format!("own-{at}"), image.manifest());
            });
        }
    });
    for (at, image) in images.iter().enumerate() {
        two.expect_image(&format!("own-{at}"), image);
    }
    // A tag that is listed names a manifest that is there.
    for tag in one.tags() {
        one.manifest(&tag).expect(200);
    }
}

#[test]
#[ignore = "needs versitygw: run ./test"]
fn only_one_push_makes_a_tag_that_must_be_new_needs_versitygw() {
    let (_gateway, nodes) = two_nodes();
    let [one, two] = repositories(&nodes, "new");
    let images: Vec<Image> = (0..4).map(|seed| Image::new(seed, "amd64")).collect();
    for image in &images {
        image.blobs().for_each(|blob| one.push_blob(blob));
    }
    for round in 0..10 {
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let pushes: Vec<_> = images
                .iter()
                .enumerate()
                .map(|(at, image)| {
                    let node = if at % 2 == 0 { &one } else { &two };
                    scope.spawn(move || {
                        let request = node.request(Method::PUT, &format!("manifests/round-{round}"));
                        let request = request.header("Content-Type", image.manifest().media_type());
                        let request = request.header("If-None-Match", "*").body(image.manifest().bytes().to_vec());
                        try_send(request).unwrap().status
                    })
                })
                .collect();
            pushes.into_iter().map(|push| push.join().unwrap()).collect()
        });
        assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| matches!(status, 201 | 412)), "{statuses:?}");
    }
}

#[test]
#[ignore = "needs versitygw: run ./test"]
fn referrers_are_those_of_the_moment_needs_versitygw() {
    use serde_json::json;

    use crate::support::image::{IMAGE_MANIFEST, Manifest};

    let (_gateway, nodes) = two_nodes();
    let [one, two] = repositories(&nodes, "signed");
    let image = Image::new(1, "amd64");
    one.push("v1", &image);
    let (empty, subject) =
        (Blob::new(b"{}".to_vec(), "application/vnd.oci.empty.v1+json"), image.manifest().descriptor());
    one.push_blob(&empty);
    let referrer = |number: u32| {
        let body = json!({
            "schemaVersion": 2, "mediaType": IMAGE_MANIFEST, "artifactType": "application/vnd.test.signature",
            "config": empty.descriptor(), "layers": [], "subject": subject, "annotations": {"number": number.to_string()},
        });
        Manifest::new(&body, IMAGE_MANIFEST)
    };
    let listed = |node: &Repository| {
        let answer = node.get(&format!("referrers/{}", image.manifest().digest())).expect(200).json();
        let mut digests: Vec<String> = answer["manifests"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["digest"].as_str().unwrap().to_owned())
            .collect();
        digests.sort();
        digests
    };
    let referrers = [referrer(1), referrer(2), referrer(3)];
    let sorted = |of: &[Manifest]| {
        let mut digests: Vec<String> = of.iter().map(|one| one.digest().to_owned()).collect();
        digests.sort();
        digests
    };
    for (at, one_more) in referrers.iter().enumerate() {
        let node = if at % 2 == 0 { &one } else { &two };
        node.push_manifest(one_more.digest(), one_more);
        assert_eq!((listed(&one), listed(&two)), (sorted(&referrers[..=at]), sorted(&referrers[..=at])));
    }
    two.delete(&format!("manifests/{}", referrers[1].digest())).expect(202);
    let left = sorted(&[referrers[0].clone(), referrers[2].clone()]);
    assert_eq!((listed(&one), listed(&two)), (left.clone(), left));
}

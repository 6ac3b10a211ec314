//! Nodes that are killed at any moment: what was acknowledged is there.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{
    gateway::Gateway,
    image::{Blob, Image},
    wait::pass,
};

const ROUNDS: u64 = 20;

#[test]
#[ignore = "needs versitygw: run ./test"]
fn nothing_that_was_acknowledged_is_lost_with_a_node_needs_versitygw() {
    let gateway = Gateway::start(2);
    let survivor = gateway.node(1);
    for round in 0..ROUNDS {
        let node = gateway.node(0);
        let pushed = AtomicU64::new(0);
        let is_over = AtomicBool::new(false);
        let name = format!("killed/{round}");
        let (doomed, other) = (node.http().repository(&name), survivor.http().repository(&name));
        let image = |number: u64| Image::new(round * 1000 + number, "amd64");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let push = |number: u64| {
                    let image = image(number);
                    image.blobs().try_for_each(|blob| {
                        doomed.try_blob(blob).is_ok_and(|answer| answer.status == 201).then_some(())
                    })?;
                    let answer = doomed.try_manifest(&format!("n{number}"), image.manifest()).ok()?;
                    (answer.status == 201).then_some(())
                };
                while !is_over.load(SeqCst) && push(pushed.load(SeqCst)).is_some() {
                    pushed.fetch_add(1, SeqCst);
                }
            });
            pass(Duration::from_millis(300 + round * 37), "when the node is killed");
            node.signal_kill();
            is_over.store(true, SeqCst);
        });
        for number in 0..pushed.load(SeqCst) {
            other.expect_image(&format!("n{number}"), &image(number));
        }
        for tag in other.get("tags/list").json()["tags"].as_array().into_iter().flatten() {
            other.manifest(tag.as_str().unwrap()).expect(200);
        }
        drop(node);
    }
}

#[test]
#[ignore = "needs versitygw: run ./test"]
fn another_node_goes_on_with_the_upload_of_one_that_was_killed_needs_versitygw() {
    let gateway = Gateway::start(2);
    let blob = Blob::noise(9, 40_000_000);
    let (node, survivor) = (gateway.node(0), gateway.node(1));
    let location = node.http().repository("going-on").begin();
    let other = survivor.http().repository("going-on");
    node.http().repository("going-on").patch(&location, &blob.bytes()[..18_000_000]).unwrap().expect(202);
    node.kill();
    other.patch(&location, &blob.bytes()[18_000_000..30_000_000]).unwrap().expect(202);
    other.finish(&location, blob.digest(), &blob.bytes()[30_000_000..]).unwrap().expect(201);
    assert!(other.get(&format!("blobs/{}", blob.digest())).expect(200).body == blob.bytes());
}

#[test]
#[ignore = "needs versitygw: run ./test"]
fn a_node_that_stands_still_and_goes_on_loses_nothing_needs_versitygw() {
    let gateway = Gateway::start(2);
    let nodes = [gateway.node(0), gateway.node(1)];
    let process = Pid::from_raw(nodes[0].pid()).unwrap();
    let [stopped, other] = [0, 1].map(|node| nodes[node].http().repository("paused"));
    let images: Vec<Image> = (0..40).map(|number| Image::new(number, "amd64")).collect();
    std::thread::scope(|scope| {
        let pushes = scope.spawn(|| {
            for (number, image) in images.iter().enumerate() {
                stopped.push(&format!("n{number}"), image);
                stopped.push_manifest("shared", image.manifest());
            }
        });
        let mut round = 0;
        while !pushes.is_finished() {
            pass(Duration::from_millis(50 + round % 7 * 40), "when the node is stopped");
            kill_process(process, Signal::STOP).unwrap();
            // What the node was at is done by another one meanwhile.
            let image = Image::new(1000 + round, "amd64");
            other.push(&format!("other{round}"), &image);
            other.push_manifest("shared", image.manifest());
            if round % 3 == 0 {
                other.delete(&format!("manifests/{}", image.manifest().digest())).expect(202);
            }
            kill_process(process, Signal::CONT).unwrap();
            round += 1;
        }
    });
    for (number, image) in images.iter().enumerate() {
        other.expect_image(&format!("n{number}"), image);
    }
    for tag in stopped.tags() {
        other.manifest(&tag).expect(200);
    }
    for node in nodes {
        node.stop();
    }
    let checked = gateway.wharf(&["fsck"]);
    assert!(checked.status.success(), "{checked:?}");
}

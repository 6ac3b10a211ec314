//! A check while others push and delete.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
};

use crate::{
    support::{
        image::Image,
        server::Server,
        wait::{kill, pass},
    },
    wharf::{findings, fsck, wharf},
};

#[test]
fn what_is_under_way_is_no_damage() {
    let root = tempfile::tempdir().unwrap();
    let (server, over) = (Server::start(root.path()), AtomicBool::new(false));
    thread::scope(|scope| {
        for number in 0..3 {
            let repository = server.http().repository(&format!("busy/{}", number % 2));
            let over = &over;
            scope.spawn(move || {
                let mut round = 0;
                while !over.load(Relaxed) {
                    let image = Image::new(number * 10 + round % 5, "amd64");
                    repository.push(&format!("t{number}"), &image);
                    if round % 3 == 2 {
                        repository.delete(&format!("manifests/{}", image.manifest().digest())).expect(202);
                    }
                    round += 1;
                }
            });
        }
        let said = [&[][..], &["--repair"], &[], &["--repair"]].map(|options| fsck(root.path(), options));
        // Before anything is judged, or those who push would never end.
        over.store(true, Relaxed);
        for (code, said) in said {
            assert_eq!((code, findings(&said)), (0, vec![]));
        }
    });
    assert_eq!(fsck(root.path(), &[]).0, 0);
}

#[test]
fn a_slow_check_ends_with_its_command() {
    let root = tempfile::tempdir().unwrap();
    let server = Server::start(root.path());
    server.http().repository("team/app").push("latest", &Image::new(1, "amd64"));
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_wharf"));
    command.args(["fsck", "--rate", "100"]).env("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", root.path());
    let mut slow = command.spawn().unwrap();
    pass(std::time::Duration::from_millis(300), "the check has begun");
    kill(&mut slow);
    // It holds nobody up: neither another one, nor the server's end.
    assert!(wharf(root.path(), &["fsck"]).status.success());
    assert!(server.stop().success());
}

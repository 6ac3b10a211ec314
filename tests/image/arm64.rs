//! The image of the other architecture, by an emulator of its processor: `./image arm64` builds it.

use std::{fs, path::Path, process::Command};

use crate::{
    container::built,
    support::{
        client::{Client, run},
        image::Image,
        server::{Launch, Program},
    },
};

/// Runs the program that it is given instead of the one that follows.
const INSTEAD: &str = "program=$1; shift 2; exec qemu-aarch64 \"$program\" \"$@\"";

/// The program of the image.
fn program(directory: &Path) -> String {
    let unpack = "tar -xf \"$0\" && tar -xzf blobs/sha256/$(jq -r '.[0].Layers[0]' manifest.json | cut -d / -f 3)";
    run(Command::new("sh").args(["-ec", unpack]).arg(built("wharf-arm64.tar")).current_dir(directory));
    directory.join("bin/registry").to_str().unwrap().to_owned()
}

#[test]
#[ignore = "needs qemu-aarch64 and the image for arm64: run ./test --long"]
fn arm64_pushes_pulls_speaks_tls_and_ends_needs_emulator() {
    let (directory, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let program = program(directory.path());
    let launch = || Launch::new(Program::Wharf, store.path()).under(["sh", "-c", INSTEAD, "sh", &program]);

    let server = launch().start();
    let image = Image::gzipped(1, "arm64");
    server.http().repository("arm").push("1", &image);
    server.http().repository("arm").expect_image("1", &image);
    let healthcheck = format!("http://{}", server.addr());
    run(Command::new("qemu-aarch64").args([&program, "healthcheck", &healthcheck]));
    assert_eq!(server.stop().code(), Some(0));

    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let at = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    fs::write(at("tls.crt"), issued.cert.pem()).unwrap();
    fs::write(at("tls.key"), issued.signing_key.serialize_pem()).unwrap();
    let tls =
        launch().set("REGISTRY_HTTP_TLS_CERTIFICATE", &at("tls.crt")).set("REGISTRY_HTTP_TLS_KEY", &at("tls.key"));
    let server = tls.start();
    let url = format!("https://{}/v2/arm/tags/list", server.host());
    let tags = Client::new("curl").run(["--silent", "--show-error", "--fail", "--cacert", &at("tls.crt"), &url]);
    assert_eq!(tags.stdout.trim(), r#"{"name":"arm","tags":["1"]}"#);
    assert_eq!(server.stop().code(), Some(0));
}

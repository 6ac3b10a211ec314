//! nginx before the registry, with nothing set that Debian's own does not set: it speaks HTTP/1.0 to what is behind it.

use std::{
    fs,
    net::TcpStream,
    process::{Child, Command, Stdio},
};

use reqwest::Method;

use crate::{
    Scene,
    support::{
        client::find,
        http::{Registry, send},
        image::Image,
        server::free_port,
        wait::{eventually, kill},
    },
};

struct Nginx {
    child: Child,
    port: u16,
    _directory: tempfile::TempDir,
}

impl Nginx {
    fn before(scene: &Scene) -> Self {
        let (directory, port) = (tempfile::tempdir().unwrap(), free_port());
        let (here, behind) = (directory.path().display(), scene.server.addr());
        let settings = format!(
            "daemon off; master_process off; pid {here}/pid; error_log stderr;\nevents {{}}\n\
             http {{ access_log off; client_body_temp_path {here}/body; proxy_temp_path {here}/proxy; fastcgi_temp_path {here}/f; \
             uwsgi_temp_path {here}/u; scgi_temp_path {here}/s; client_max_body_size 0;\n\
             server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://{behind}; proxy_set_header Host $http_host; }} }} }}\n"
        );
        let file = directory.path().join("nginx.conf");
        fs::write(&file, settings).unwrap();
        let mut command = Command::new(find("nginx"));
        command.arg("-p").arg(directory.path()).arg("-c").arg(&file).stdin(Stdio::null());
        let child = command.spawn().unwrap();
        eventually("nginx listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self { child, port, _directory: directory }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        kill(&mut self.child);
    }
}

/// skopeo pushes as docker does: POST without a body, a PATCH in chunks, PUT.
#[test]
#[ignore = "needs nginx and skopeo: run ./test"]
fn report_a5_push_and_pull_through_nginx_needs_nginx_and_skopeo() {
    let scene = Scene::new("skopeo");
    let nginx = Nginx::before(&scene);
    let image = Image::gzipped(1, "amd64");
    image.write_layout(&scene.client.home().join("in"), "1");
    let name = format!("docker://localhost:{}/through/nginx:1", nginx.port);
    scene.client.run(["copy", "--dest-tls-verify=false", "oci:in:1", &name]);
    scene.server.http().repository("through/nginx").expect_image("1", &image);
    scene.client.run(["copy", "--src-tls-verify=false", &name, "oci:out:1"]);
    let digest = image.manifest().digest().trim_start_matches("sha256:");
    let copied = fs::read(scene.client.home().join("out/blobs/sha256").join(digest)).unwrap();
    assert!(copied == image.manifest().bytes());
}

/// In one request, in two, and in pieces; with a length of the body and in chunks.
#[test]
#[ignore = "needs nginx: run ./test"]
fn report_a5_every_way_of_a_push_through_nginx_needs_nginx() {
    let scene = Scene::new("skopeo");
    let nginx = Nginx::before(&scene);
    let http = Registry::new(&format!("http://127.0.0.1:{}", nginx.port));
    let image = Image::new(1, "amd64");
    for (blob, way) in image.blobs().flat_map(|blob| (0..3).map(move |way| (blob, way))) {
        let begin = || {
            let begun = send(http.request(Method::POST, "/v2/a/blobs/uploads/")).expect(202);
            begun.header("location").unwrap().to_owned()
        };
        let (bytes, digest) = (blob.bytes().to_vec(), blob.digest());
        match way {
            0 => {
                let single = format!("/v2/a/blobs/uploads/?digest={digest}");
                send(http.request(Method::POST, &single).body(bytes)).expect(201);
            }
            1 => {
                let put = format!("{}?digest={digest}", begin());
                send(http.request(Method::PUT, &put).body(bytes)).expect(201);
            }
            _ => {
                let session = begin();
                let chunked = reqwest::blocking::Body::new(std::io::Cursor::new(bytes));
                send(http.request(Method::PATCH, &session).body(chunked)).expect(202);
                send(http.request(Method::PUT, &format!("{session}?digest={digest}"))).expect(201);
            }
        }
    }
    http.repository("a").push_manifest("1", image.manifest());
    scene.server.http().repository("a").expect_image("1", &image);
}

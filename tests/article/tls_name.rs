//! Row 20: a registry by its name, over TLS.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use rcgen::{CertificateParams, KeyPair};

use crate::{
    registry::{HTPASSWD, PASSWORD, Protected, TOKEN, USER},
    support::{server::free_port, wait::pass},
    user::User,
};

const NAME: &str = "registry.example.test";
const HOSTS: &str = "/etc/hosts";

/// An engine asks for no certificate of who is in 127.0.0.0/8; of this address it does.
const ADDRESS: &str = "::1";

/// The name in the hosts file, taken out again when this is dropped. The file is written in place: in a container it
/// can't be replaced.
struct Hosts(String);

impl Hosts {
    fn with(name: &str) -> Self {
        let line = format!("{ADDRESS} {name} # of wharf's tests\n");
        let text = fs::read_to_string(HOSTS).unwrap();
        let separator = if text.ends_with('\n') { "" } else { "\n" };
        fs::write(HOSTS, format!("{text}{separator}{line}")).unwrap();
        pass(Duration::from_secs(6), "Go programs remember the file for five seconds");
        Self(line)
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        if let Ok(text) = fs::read_to_string(HOSTS) {
            drop(fs::write(HOSTS, text.replace(&self.0, "")));
        }
    }
}

/// The authority of a registry, where the engine looks for it; taken away again.
struct Trusted {
    directory: PathBuf,
    made: Vec<PathBuf>,
}

impl Trusted {
    fn new(host: &str, certificate: &str) -> Self {
        let directory = Path::new("/etc/docker/certs.d").join(host);
        let missing = directory.ancestors().take_while(|path| !path.exists()).map(Path::to_owned).collect();
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join("ca.crt"), certificate).unwrap();
        Self { directory, made: missing }
    }
}

impl Drop for Trusted {
    fn drop(&mut self) {
        drop(fs::remove_file(self.directory.join("ca.crt")));
        // Only what was not there before, the innermost first.
        for directory in &self.made {
            drop(fs::remove_dir(directory));
        }
    }
}

#[test]
#[ignore = "needs docker: run ./test"]
fn row_20_a_registry_by_its_tls_name_needs_docker() {
    let _hosts = Hosts::with(NAME);
    for settings in [HTPASSWD, TOKEN] {
        let port = free_port();
        let host = format!("{NAME}:{port}");
        let directory = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![NAME.to_owned()]).unwrap().self_signed(&key).unwrap();
        fs::write(directory.path().join("certificate"), certificate.pem()).unwrap();
        fs::write(directory.path().join("key"), key.serialize_pem()).unwrap();
        let tls = format!(
            "[http]\nhost = \"https://{host}\"\n[http.tls]\ncertificate = \"DIRECTORY/certificate\"\nkey = \"DIRECTORY/key\"\n"
        );
        let _registry = Protected::on(directory, &format!("[{ADDRESS}]:{port}"), &format!("{settings}{tls}"));
        let user = User::new();
        // Whoever does not trust the authority does not get as far as a password.
        let said = user.fail(&["login", "-u", USER, "-p", PASSWORD, &host]);
        assert!(said.contains("x509") || said.contains("certificate"), "{said}");
        let _trusted = Trusted::new(&host, &certificate.pem());
        user.login(&host, USER, PASSWORD);
        let image = format!("{host}/alpine:3.10");
        user.push(&image);
        user.pull(&image);
        let again = user.run(&["login", &host]).text();
        assert!(
            again.contains("Authenticating with existing credentials...") && again.contains("Login Succeeded"),
            "{again}"
        );
    }
}

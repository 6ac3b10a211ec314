//! The compose file.

use std::path::Path;

use crate::{
    container::engine,
    support::client::{Client, run},
};

#[test]
#[ignore = "needs docker-compose: run ./test"]
fn compose_starts_what_the_file_says_needs_docker() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/compose.yaml");
    let compose = Client::new("docker-compose");
    // The engine of the tests has no bridge.
    let isolated = compose.file("isolated.yaml", b"services: {registry: {network_mode: none}}\n");
    let compose = |words: &[&str]| {
        let files =
            ["--project-name", "compose", "--file", file.to_str().unwrap(), "--file", isolated.to_str().unwrap()];
        run(compose.command([&files[..], words].concat()).env("DOCKER_HOST", engine().socket()))
    };
    compose(&["up", "--detach"]);
    let id = compose(&["ps", "--quiet", "registry"]).stdout;
    let id = id.trim();
    let inspect = |template: &str| engine().run(&["inspect", "--format", template, id]).stdout;
    let limits = inspect("{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}}");
    assert_eq!(limits, "true [ALL] [no-new-privileges:true]\n");
    assert!(inspect("{{json .HostConfig.PortBindings}}").contains(r#"{"HostIp":"127.0.0.1","HostPort":"5000"}"#));
    assert_eq!(inspect("{{range .Mounts}}{{.Name}} {{.Destination}}{{end}}"), "compose_registry /var/lib/registry\n");
    crate::support::wait::eventually("healthy", || inspect("{{.State.Health.Status}}").trim() == "healthy");
    compose(&["down", "--volumes"]);
}

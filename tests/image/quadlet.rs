//! The Quadlet, run by podman as its generator would run it. Debian's podman is older than Quadlets, so the keys are
//! those of podman-systemd.unit(5), each with the option of `podman run` that it stands for there.

use std::{fs, path::Path};

use crate::{container::architecture, podman::Podman};

/// `[Container]` keys with their options.
const KEYS: [(&str, &str); 8] = [
    ("ContainerName", "--name"),
    ("PublishPort", "--publish"),
    ("Volume", "--volume"),
    ("Environment", "--env"),
    ("DropCapability", "--cap-drop"),
    ("ReadOnly", "--read-only"),
    ("NoNewPrivileges", "--security-opt=no-new-privileges"),
    ("Image", ""),
];

/// The keys and values of a section.
fn section<'a>(unit: &'a str, name: &str) -> Vec<(&'a str, &'a str)> {
    let lines = unit.lines().skip_while(|line| *line != format!("[{name}]")).skip(1);
    let lines =
        lines.take_while(|line| !line.starts_with('[')).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_once('=').unwrap()).collect()
}

#[test]
#[ignore = "needs podman: run ./test"]
fn podman_runs_what_the_quadlet_says_needs_podman() {
    let unit = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/wharf.container")).unwrap();
    let (mut options, mut image) = (Vec::new(), None);
    for (key, value) in section(&unit, "Container") {
        let (_, option) = KEYS.iter().find(|(known, _)| *known == key).unwrap_or_else(|| panic!("{key} is no key"));
        match (key, value) {
            ("Image", name) => image = Some(name),
            // This podman has no network.
            ("PublishPort", _) => {}
            (_, "true") => options.push(*option),
            (_, value) => options.extend([*option, value]),
        }
    }
    assert_eq!(section(&unit, "Install"), [("WantedBy", "default.target")]);
    let podman = Podman::new();
    podman.load(architecture());
    let image = image.unwrap();
    podman.serve(&[&options[..], &[image]].concat());
    podman.wait_until_healthy("wharf");
    assert_eq!(podman.run(&["inspect", "--format", "{{.HostConfig.ReadonlyRootfs}}", "wharf"]).trim(), "true");
}

//! Plugins of the docker engine, for which it asks the token server for `repository(plugin)`.

use std::fs;

use crate::{
    registry::{PASSWORD, Protected, TOKEN, USER},
    support::engine::busybox,
    user::User,
};

const CONFIG: &str = r#"{
    "description": "nothing", "documentation": "", "entrypoint": ["/bin/busybox", "sleep", "1"], "workdir": "",
    "interface": {"types": ["docker.dummy/1.0"], "socket": "dummy.sock"}, "network": {"type": "host"},
    "linux": {"capabilities": null, "allowAllDevices": false, "devices": null}, "mounts": null, "env": null,
    "propagatedMount": "", "ipchost": false, "pidhost": false, "args": {"name": "", "description": "", "settable": null, "value": null}
}"#;

/// Pushed, forgotten and installed again.
#[test]
#[ignore = "needs docker: run ./test"]
fn report_a6_a_plugin_is_pushed_with_a_token_needs_docker() {
    let (registry, user) = (Protected::new(TOKEN), User::new());
    user.login(&registry.host(), USER, PASSWORD);
    let (directory, name) = (tempfile::tempdir().unwrap(), format!("{}/plugins/nothing:1", registry.host()));
    let bin = directory.path().join("rootfs/bin");
    fs::create_dir_all(&bin).unwrap();
    fs::copy(busybox(), bin.join("busybox")).unwrap();
    fs::write(directory.path().join("config.json"), CONFIG).unwrap();
    user.run(&["plugin", "create", &name, directory.path().to_str().unwrap()]);
    user.run(&["plugin", "push", &name]);
    user.run(&["plugin", "rm", &name]);
    user.run(&["plugin", "install", "--disable", "--grant-all-permissions", &name]);
    let listed = user.run(&["plugin", "ls", "--format", "{{.Name}}"]).stdout;
    assert!(listed.lines().any(|line| line == name), "{listed}");
    user.run(&["plugin", "rm", &name]);
}

//! What scripts, charts and compose files expect of registry:2's image.

use std::{fs, os::unix::fs::PermissionsExt as _, time::Duration};

use crate::container::{Container, IMAGE, engine, say};

#[test]
#[ignore = "needs docker: run ./test"]
fn the_image_says_of_itself_what_registry_2_says_needs_docker() {
    let text = engine().run(&["image", "inspect", "--format", "{{json .Config}}", IMAGE]).stdout;
    let config: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(config["Entrypoint"], serde_json::json!(["/entrypoint.sh"]));
    assert_eq!(config["Cmd"], serde_json::json!(["/etc/docker/registry/config.yml"]));
    assert_eq!(config["ExposedPorts"], serde_json::json!({"5000/tcp": {}}));
    assert_eq!(config["Volumes"], serde_json::json!({"/var/lib/registry": {}}));
    assert_eq!(config["Healthcheck"]["Test"], serde_json::json!(["CMD", "/healthcheck.sh"]));
    assert_eq!(config["User"].as_str().unwrap_or_default(), "");
    for label in ["title", "version", "revision", "created", "licenses", "description"] {
        assert!(config["Labels"][format!("org.opencontainers.image.{label}")].is_string(), "{label}: {config}");
    }
}

#[test]
#[ignore = "needs docker: run ./test"]
fn words_start_what_they_mean_needs_docker() {
    let version = concat!("wharf ", env!("CARGO_PKG_VERSION"), "\n");
    let append = "echo mine >>/etc/ssl/certs/ca-certificates.crt && tail -n 1 /etc/ssl/cert.pem";
    let rows: [(&[&str], &str); 8] = [
        (&["--version"], version),
        (&["registry", "--version"], version),
        (&["/bin/registry", "--version"], version),
        (&["wharf", "--version"], version),
        (&["sh", "-c", "echo $0 $PATH"], "sh /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"),
        (&["sh", "-c", append], "mine\n"),
        (&["stat", "-c", "%a %u", "/var/lib/registry", "/tmp", "/bin/registry"], "1777 0\n1777 0\n755 0\n"),
        (&["sh", "-c", "id -un; id -u"], "root\n0\n"),
    ];
    for (words, said) in rows {
        assert_eq!(say(words).stdout, said, "{words:?}");
    }
    assert!(say(&["help"]).stdout.contains("garbage-collect"));
    assert!(say(&["serve", "--help"]).stdout.contains("--addr"));
    assert!(say(&["garbage-collect", "--help"]).stdout.contains("--dry-run"));
}

/// With any user and without privileges it reads and writes, and docker reports it as healthy.
#[test]
#[ignore = "needs docker: run ./test"]
fn it_runs_with_few_rights_needs_docker() {
    let hard = ["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"];
    let rows: [&[&str]; 4] = [&[], &["--user", "12345"], &hard, &[&hard[..], &["--user", "12345:54321"]].concat()];
    for options in rows {
        let container = Container::ready(&[&["--health-interval", "1s"], options].concat(), &[]);
        let begun =
            container.run(&["wget", "-S", "-O-", "--post-data", "", "http://localhost:5000/v2/a/blobs/uploads/"]);
        assert!(begun.stderr.contains("202 Accepted"), "{options:?}: {begun}");
        let catalog = container.run(&["wget", "-q", "-O-", "http://localhost:5000/v2/_catalog"]).stdout;
        assert_eq!(catalog.trim(), r#"{"repositories":[]}"#, "{options:?}");
        container.wait("healthy", || container.inspect("{{.State.Health.Status}}") == "healthy");
    }
}

/// A file or a directory that is mounted over one of the two places is used, whichever of them the command names. The
/// health check finds it too.
#[test]
#[ignore = "needs docker: run ./test"]
fn settings_are_mounted_in_either_place_needs_docker() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config.yml");
    fs::write(
        &file,
        "version: 0.1\nstorage: {filesystem: {rootdirectory: /var/lib/registry}}\nhttp: {addr: ':5007'}\n",
    )
    .unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let (file, directory) = (file.display(), directory.path().display());
    let mounts = [
        format!("{file}:/etc/docker/registry/config.yml:ro"),
        format!("{file}:/etc/distribution/config.yml:ro"),
        format!("{directory}:/etc/docker/registry:ro"),
        format!("{directory}:/etc/distribution"),
    ];
    let commands: [&[&str]; 3] =
        [&[], &["/etc/distribution/config.yml"], &["/bin/registry", "serve", "/etc/docker/registry/config.yml"]];
    for mount in &mounts {
        for command in commands {
            let container = Container::ready(&["--volume", mount], command);
            let answer = container.run(&["wget", "-q", "-O-", "http://localhost:5007/v2/"]);
            assert_eq!(answer.stdout.trim(), "{}", "{mount} {command:?}");
        }
    }
    let elsewhere = Container::ready(&["--volume", &format!("{file}:/mine.yml"), "--init"], &["/mine.yml"]);
    assert_eq!(elsewhere.run(&["wget", "-q", "-O-", "http://localhost:5007/v2/"]).stdout.trim(), "{}");
}

/// `docker stop` kills after 10 seconds. The registry ends before, while an upload pauses and other clients read.
#[test]
#[ignore = "needs docker: run ./test"]
fn it_ends_before_docker_kills_it_needs_docker() {
    let directory = tempfile::tempdir().unwrap();
    let open = directory.path().join("open.toml");
    fs::write(&open, "[storage.filesystem]\nrootdirectory = \"/var/lib/registry\"\n").unwrap();
    let mount = format!("{}:/open.toml:ro", open.display());
    let hang = concat!(
        r"{ printf 'POST /v2/a/blobs/uploads/?digest=sha256:%064d HTTP/1.1\r\nHost: a\r\n",
        r"Content-Length: 9\r\n\r\nx' 0; sleep 60; } | nc localhost 5000"
    );
    let load = "while :; do wget -q -O /dev/null http://localhost:5000/v2/_catalog; done";
    let rows: [(&[&str], &[&str]); 2] = [(&[], &[]), (&["--volume", &mount], &["/open.toml"])];
    for (options, words) in rows {
        let idle = Container::ready(options, words);
        assert!(idle.stop() < Duration::from_secs(5), "{words:?}: {}", idle.logs());
        assert_eq!(idle.inspect("{{.State.ExitCode}}"), "0", "{words:?}: {}", idle.logs());
        let busy = Container::ready(options, words);
        busy.run_behind(&["sh", "-c", hang]);
        for _ in 0..8 {
            busy.run_behind(&["sh", "-c", load]);
        }
        busy.wait("the upload", || busy.run(&["ls", "/var/lib/registry/wharf/uploads"]).stdout.contains('a'));
        let took = busy.stop();
        assert!(took > Duration::from_secs(5), "{words:?}: it did not wait for the upload: {}", busy.logs());
        assert_eq!(busy.inspect("{{.State.ExitCode}}"), "0", "{words:?}, after {took:?}: {}", busy.logs());
    }
}

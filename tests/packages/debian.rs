//! The package, installed into a Debian of its own: this machine gets nothing of it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use crate::{
    released::{SOURCES, name, released},
    support::client::{Client, Output, attempt, run},
};

/// A Debian with nothing but what every Debian has, and systemd. It is fetched once, for all runs and for all tests of
/// a run.
fn debian() -> &'static Path {
    static ARCHIVE: LazyLock<PathBuf> = LazyLock::new(|| {
        let archive = Path::new(SOURCES).join("target/debian.tar");
        if !archive.exists() {
            let release = fs::read_to_string("/etc/os-release").unwrap();
            let codename = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME=")).unwrap();
            let part = archive.with_extension("tar.part");
            let mut bootstrap = Command::new("mmdebstrap");
            bootstrap.args(["--variant=essential", "--include=systemd", "--format=tar", codename]).arg(&part);
            run(&mut bootstrap);
            fs::rename(part, &archive).unwrap();
        }
        archive
    });
    &ARCHIVE
}

/// An installation that is thrown away at the end.
struct Installation {
    root: tempfile::TempDir,
}

impl Installation {
    fn new() -> Self {
        assert!(rustix::process::geteuid().is_root(), "another root directory needs root: run ./test");
        let root = tempfile::tempdir().unwrap();
        run(Command::new("tar").arg("-C").arg(root.path()).args(["--numeric-owner", "-xf"]).arg(debian()));
        fs::copy(released("ARCH.deb"), root.path().join("wharf.deb")).unwrap();
        Self { root }
    }

    /// Runs a script in it, without a network, and without a view of other processes; all that it starts ends with it.
    fn attempt(&self, script: &str) -> Output {
        let mut unshare = Command::new("unshare");
        unshare.args(["--mount", "--net", "--pid", "--fork", "--kill-child"]);
        let mount = "mount -t proc proc \"$1/proc\"; exec chroot \"$1\" /bin/sh -ec \"$2\"";
        unshare.args(["sh", "-ec", mount, "sh"]).arg(self.root.path()).arg(script);
        unshare.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C.UTF-8");
        // systemctl changes files alone.
        unshare.env("SYSTEMD_OFFLINE", "1");
        attempt(&mut unshare)
    }

    fn run(&self, script: &str) -> String {
        let output = self.attempt(script);
        assert!(output.success, "failed: {output}");
        output.text()
    }

    fn has(&self, path: &str) -> bool {
        self.root.path().join(path).symlink_metadata().is_ok()
    }
}

#[test]
#[ignore = "needs lintian: run ./test"]
fn lintian_has_no_complaint_needs_release() {
    let shown = Client::new("lintian").run(["--fail-on", "error,warning", released("ARCH.deb").to_str().unwrap()]);
    assert!(shown.stdout.is_empty(), "{shown}");
}

/// The package is installed, and neither started nor enabled. The registry runs as the package's user, and systemd
/// finds no fault with the units.
#[test]
#[ignore = "needs root and mmdebstrap: run ./test"]
fn the_package_is_installed_and_waits_needs_release() {
    let debian = Installation::new();
    debian.run("dpkg -i wharf.deb");
    assert_eq!(
        debian.run("dpkg -V wharf; getent passwd wharf | cut -d: -f5-"),
        "wharf, a container registry:/var/lib/wharf:/usr/sbin/nologin\n"
    );
    assert!(debian.run("wharf --version").starts_with("wharf "));
    for unit in ["wharf.service", "wharf.socket"] {
        assert!(!debian.attempt(&format!("systemctl is-enabled {unit}")).success, "{unit} is enabled");
    }
    debian.run(
        "systemd-analyze verify --man=no /usr/lib/systemd/system/wharf.service /usr/lib/systemd/system/wharf.socket",
    );
    let serve = "
        # What StateDirectory= does.
        install -d -o wharf -m 700 /var/lib/wharf
        runuser -u wharf -- env REGISTRY_HTTP_NET=unix REGISTRY_HTTP_ADDR=/tmp/socket \
            wharf serve /etc/wharf/registry.toml --ready-file /tmp/ready 2>/tmp/log &
        tries=0
        until [ -e /tmp/ready ]; do
            tries=$((tries + 1)); [ $tries -lt 600 ] || { cat /tmp/log; exit 1; }
            sleep 0.1
        done
        REGISTRY_HTTP_NET=unix REGISTRY_HTTP_ADDR=/tmp/socket wharf healthcheck --config /etc/wharf/registry.toml
        stat -c %U /var/lib/wharf/*";
    let owners = debian.run(serve);
    assert!(!owners.is_empty() && owners.lines().all(|owner| owner == "wharf"), "{owners}");
}

/// Changed settings survive an upgrade and a removal; a purge takes them, and the images stay.
#[test]
#[ignore = "needs root and mmdebstrap: run ./test"]
fn the_package_leaves_what_is_the_users_needs_release() {
    let debian = Installation::new();
    debian.run("dpkg -i wharf.deb; echo '# mine' >>/etc/wharf/registry.toml; install -d -o wharf /var/lib/wharf");
    debian.run("systemctl enable wharf.service wharf.socket; dpkg -i wharf.deb; grep mine /etc/wharf/registry.toml");
    debian.run("dpkg --remove wharf");
    assert!(!debian.has("usr/bin/wharf") && debian.has("etc/wharf/registry.toml"));
    debian.run("dpkg --purge wharf");
    let rest = debian.run("find / -xdev -name '*wharf*' -not -path '/proc/*'");
    assert_eq!(rest.lines().collect::<std::collections::BTreeSet<_>>(), ["/var/lib/wharf", "/wharf.deb"].into());
}

/// The commands of docs/packages.md, in their order.
#[test]
#[ignore = "needs root and mmdebstrap: run ./test"]
fn the_archive_is_installed_as_the_page_says_needs_release() {
    let page = fs::read_to_string(Path::new(SOURCES).join("docs/packages.md")).unwrap();
    let commands = page.lines().skip_while(|line| *line != "## The archive").skip(1);
    let commands = commands.skip_while(|line| line.is_empty()).map_while(|line| line.strip_prefix("    "));
    let script = commands.collect::<Vec<_>>().join("\n");
    assert!(script.contains("systemctl daemon-reload"), "{script}");
    let debian = Installation::new();
    let (documented, archive) = ("wharf_0.1.0_linux_amd64", name("linux_ARCH"));
    fs::copy(released("linux_ARCH.tar.gz"), debian.root.path().join(format!("{archive}.tar.gz"))).unwrap();
    // No systemd runs there that could start it.
    debian.run(&script.replace(documented, &archive).replace("enable --now", "enable"));
    debian.run("systemd-analyze verify --man=no wharf.service wharf.socket; systemctl is-enabled wharf; id wharf");
    assert!(debian.has("usr/local/share/man/man1/wharf-serve.1"));
}

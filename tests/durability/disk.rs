//! A filesystem of the test's own, in a file.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::client::{find, run};

/// An ext4 filesystem, mounted for as long as this lives.
pub(crate) struct Disk {
    directory: tempfile::TempDir,
    options: &'static str,
}

impl Disk {
    /// `make` are further options of mkfs, `options` those of mount.
    pub(crate) fn new(bytes: u64, make: &[&str], options: &'static str) -> Self {
        assert!(rustix::process::geteuid().is_root(), "mounting needs root: run ./test as root");
        let disk = Self { directory: tempfile::tempdir().unwrap(), options };
        File::create(disk.image()).unwrap().set_len(bytes).unwrap();
        std::fs::create_dir(disk.path()).unwrap();
        run(Command::new(find("mkfs.ext4")).args(["-q", "-F", "-m", "0"]).args(make).arg(disk.image()));
        disk.mount();
        disk
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("mounted")
    }

    /// A directory on it for a store.
    pub(crate) fn store(&self) -> PathBuf {
        self.path().join("store")
    }

    /// Takes its power away: nothing that was not synced gets to the disk any more, the journal neither.
    pub(crate) fn cut(&self) {
        const SHUT_DOWN: &str = r#"open(my $dir, "<", $ARGV[0]) or die $!; my $flag = pack("L", 2); ioctl($dir, 0x8004587D, $flag) or die $!"#;
        run(Command::new("perl").args(["-e", SHUT_DOWN]).arg(self.path()));
    }

    /// Unmounts it and mounts it again, as a machine does that starts after a cut. Nobody may have a file open on it.
    pub(crate) fn remount(&self) {
        run(Command::new(find("umount")).arg(self.path()));
        self.mount();
    }

    fn mount(&self) {
        let options = format!("loop,{}", self.options);
        run(Command::new(find("mount")).args(["-o", &options]).arg(self.image()).arg(self.path()));
    }

    fn image(&self) -> PathBuf {
        self.directory.path().join("image")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let unmount = |path: &Path| Command::new(find("umount")).arg("--lazy").arg(path).status();
        if let Err(error) = unmount(&self.path()) {
            eprintln!("{} stays mounted: {error}", self.path().display());
        }
    }
}

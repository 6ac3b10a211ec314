//! Programs that start registry:2 for a test, a job or a cluster, with the name of wharf's image in its place.
//!
//! `table.rs` has a row for each way in which such a program starts a registry. Each row was read in the source that it
//! names. Two things differ from the source. The port of this machine is a free one, because others may use a fixed
//! one. The network is one of the test's own, because the engine of the tests has no default bridge.

mod start;
mod table;
mod uses;
mod wait;

use self::table::TABLE;

/// A way in which a program starts a registry, waits for it, and uses it.
struct Harness {
    name: &'static str,
    /// The files of its source, each with its repository and commit.
    source: &'static str,
    image: Image,
    /// The options of `docker create`. The options of all rows also publish port 5000, if the network is not that of
    /// the machine.
    options: &'static [&'static str],
    files: &'static [File],
    /// The user and password of its requests.
    login: Option<(&'static str, &'static str)>,
    wait: Wait,
    uses: &'static [Use],
}

impl Harness {
    /// A row with nothing but a name and a source.
    const fn new(name: &'static str, source: &'static str) -> Self {
        let (options, files, uses): (&[_], &[_], &[_]) = (&[], &[], &[]);
        Self { name, source, image: Image::Named, options, files, login: None, wait: Wait::Nothing, uses }
    }
}

/// Which image is started.
enum Image {
    Named,
    /// One that is built from a Dockerfile, of which these are the lines after `FROM`.
    Built(&'static str),
}

/// A file or a directory that is copied into the container.
enum File {
    BeforeStart(&'static str, &'static str),
    AfterStart(&'static str, &'static str),
    /// At this path, the store of a registry:2 with the image `stored:1`.
    Store(&'static str),
}

/// What a program waits for.
enum Wait {
    /// It does not wait. The first push comes after other steps, such as the start of a cluster.
    Nothing,
    /// A line of standard error that has this text.
    Log(&'static str),
    /// A line of standard error, from which it takes the port.
    PortInLog,
    /// The status 200 at a path.
    Http(&'static str),
    /// The same, but another answer than 200 is an error.
    FirstAnswer(&'static str),
    /// All exposed ports are open for another container.
    ExposedPorts,
    /// The port is open, as a command in the container sees it.
    PortInside,
    /// docker says that the container is healthy.
    Health,
}

/// What is done with the registry.
enum Use {
    /// docker pushes an image, removes it and pulls it again.
    PushAndPull,
    /// The status 200 at a path.
    Get(&'static str),
    /// Another container of the network reads a URL.
    GetFromContainer(&'static str),
    /// The image that was pushed is deleted by its digest.
    Delete,
    /// The container is restarted, and still has the image that was pushed.
    Restart,
    /// docker pulls an image that the copied store has.
    PullStored,
    /// docker pulls an image that only the registry at `http://upstream:5000` has.
    PullThrough,
    /// The container has these variables and no others, except `PATH`.
    Variables(&'static [&'static str]),
}

/// Runs the rows of a program, one after the other.
fn run(program: &str) {
    let rows = TABLE.iter().filter(|row| row.name.starts_with(program));
    let ran = rows
        .map(|row| {
            eprintln!("{}: {}", row.name, row.source);
            start::started(row).run();
        })
        .count();
    assert_ne!(ran, 0, "the table has no row of {program}");
}

#[test]
#[ignore = "needs docker: run ./test"]
fn github_services_start_it_needs_docker() {
    run("GitHub");
}

#[test]
#[ignore = "needs docker: run ./test"]
fn gitlab_services_start_it_needs_docker() {
    run("GitLab");
}

#[test]
#[ignore = "needs docker: run ./test"]
fn testcontainers_for_java_starts_it_needs_docker() {
    run("testcontainers-java");
}

#[test]
#[ignore = "needs docker: run ./test"]
fn testcontainers_for_go_starts_it_needs_docker() {
    run("testcontainers-go");
}

#[test]
#[ignore = "needs docker: run ./test"]
fn testcontainers_for_python_starts_it_needs_docker() {
    run("testcontainers-python");
}

#[test]
#[ignore = "needs docker: run ./test"]
fn testcontainers_for_rust_starts_it_needs_docker() {
    run("testcontainers-rs");
}

#[test]
#[ignore = "needs docker: run ./test"]
fn kind_starts_it_needs_docker() {
    run("kind");
}

#[test]
#[ignore = "needs docker: run ./test"]
fn k3d_starts_it_needs_docker() {
    run("k3d");
}

#[test]
#[ignore = "needs docker: run ./test"]
fn ctlptl_starts_it_needs_docker() {
    run("ctlptl");
}

#[test]
#[ignore = "needs docker: run ./test"]
fn minikube_starts_it_needs_docker() {
    run("minikube");
}

//! The rows.

use super::{File, Harness, Image, Use, Wait};

/// `testuser` with the password `testpassword`.
const TESTUSER: &str = "testuser:$2y$05$qk3DuG72AiQ9aGH5JDUv8e5WLQhHCAfOIgAZj8KUGDfZaPB86JZfG";
/// `foo` with the password `bar`, with the prefix that Python's bcrypt writes.
const FOO: &str = "foo:$2a$04$aInbDk3xF0psgWh33RvTHe4QcLem.XTZhFzGucR8LMaPkwCWJFAXa";

const GITHUB: &str = "actions/runner@258d6c857 src/Runner.Worker/\
                      {ContainerOperationProvider,Container/DockerCommandManager}.cs";
const GITLAB: &str = "gitlabhq/gitlab-runner@d79f3e7b8 executors/docker/docker.go, commands/helpers/health_check.go";
const JAVA: &str = "testcontainers/testcontainers-java@deb78e1e6 core/src/test/java/org/testcontainers/\
                    {DockerRegistryContainer,utility/AuthenticatedImagePullTest}.java";
const JAVA_PORTS: &str = "testcontainers/testcontainers-java@deb78e1e6 core/src/main/java/org/testcontainers/\
                          containers/wait/{strategy/HostPort,internal/InternalCommandPortListening}*.java";
const JAVA_HTTP: &str = "testcontainers/testcontainers-java@deb78e1e6 core/src/main/java/org/testcontainers/\
                         containers/wait/strategy/HttpWaitStrategy.java";
const GO: &str = "testcontainers/testcontainers-go@5dec9ddf8 modules/registry/{registry,options}.go";
const PYTHON: &str = "testcontainers/testcontainers-python@c958e40c src/testcontainers/community/registry/__init__.py";
const RUST: &str = "testcontainers/testcontainers-rs-modules-community@d69e3a0 src/cncf_distribution/mod.rs";
const KIND: &str = "kubernetes-sigs/kind@fed26882 site/static/examples/kind-with-registry.sh";
const K3D: &str = "k3d-io/k3d@46f3480d pkg/client/registry.go, pkg/runtimes/docker/translate.go, pkg/types/k3slogs.go";
const CTLPTL: &str = "tilt-dev/ctlptl@b92b38f pkg/registry/registry.go";
const MINIKUBE: &str = "kubernetes/minikube@eb25dbc703 deploy/addons/registry/, test/integration/addons_test.go";

/// k3d gives registries what its nodes need, and `--privileged` too. An engine that runs in a container can't give
/// that, and a registry needs none of those rights.
const K3D_OPTIONS: &[&str] = &[
    "--hostname",
    "k3d-registry",
    "--init",
    "--userns=host",
    "--tmpfs",
    "/run",
    "--tmpfs",
    "/var/run",
    "--restart=unless-stopped",
    "--label",
    "app=k3d",
    "--label",
    "k3d.role=registry",
    "-e",
    "REGISTRY_STORAGE_DELETE_ENABLED=true",
];

pub(super) const TABLE: &[Harness] = &[
    Harness {
        options: &["--network-alias", "registry", "-e", "GITHUB_ACTIONS=true", "-e", "CI=true"],
        wait: Wait::Health,
        uses: &[Use::GetFromContainer("http://registry:5000/v2/"), Use::PushAndPull],
        ..Harness::new("GitHub, services:", GITHUB)
    },
    // As docs/ci.md has it.
    Harness {
        options: &[
            "--network-alias",
            "registry",
            "--health-cmd",
            "registry healthcheck",
            "--health-interval",
            "1s",
            "-e",
            "REGISTRY_STORAGE=inmemory",
            "-e",
            "WHARF_USERS=ci:secret",
            "-e",
            "GITHUB_ACTIONS=true",
            "-e",
            "CI=true",
        ],
        login: Some(("ci", "secret")),
        wait: Wait::Health,
        uses: &[Use::PushAndPull],
        ..Harness::new("GitHub, services: with options and users", GITHUB)
    },
    // The public variables of the job are those of the service too.
    Harness {
        options: &[
            "--network-alias",
            "registry",
            "-e",
            "CI_SERVER=yes",
            "-e",
            "CI_REGISTRY=registry.gitlab.example",
            "-e",
            "REGISTRY_IMAGE=registry.gitlab.example/group/project",
            "-e",
            "REGISTRY_STORAGE=inmemory",
        ],
        wait: Wait::ExposedPorts,
        uses: &[Use::GetFromContainer("http://registry:5000/v2/"), Use::PushAndPull],
        ..Harness::new("GitLab, services:", GITLAB)
    },
    Harness {
        options: &["--network", "host", "-e", "REGISTRY_HTTP_ADDR=127.0.0.1:0"],
        wait: Wait::PortInLog,
        uses: &[Use::PushAndPull],
        ..Harness::new("testcontainers-java, DockerRegistryContainer", JAVA)
    },
    Harness {
        image: Image::Built(
            "RUN htpasswd -Bbn testuser notasecret > /htpasswd\n\
             ENV REGISTRY_AUTH=\"htpasswd\" REGISTRY_AUTH_HTPASSWD_PATH=\"/htpasswd\" \
             REGISTRY_AUTH_HTPASSWD_REALM=\"Test\"\n",
        ),
        options: &["--network", "host", "-e", "REGISTRY_HTTP_ADDR=127.0.0.1:0"],
        login: Some(("testuser", "notasecret")),
        wait: Wait::PortInLog,
        uses: &[Use::PushAndPull],
        ..Harness::new("testcontainers-java, AuthenticatedImagePullTest", JAVA)
    },
    Harness {
        wait: Wait::PortInside,
        uses: &[Use::PushAndPull],
        ..Harness::new("testcontainers-java, withExposedPorts and the default wait", JAVA_PORTS)
    },
    Harness {
        wait: Wait::Http("/v2/"),
        uses: &[Use::PushAndPull],
        ..Harness::new("testcontainers-java, Wait.forHttp", JAVA_HTTP)
    },
    Harness {
        options: &["-e", "REGISTRY_STORAGE_DELETE_ENABLED=true"],
        wait: Wait::Http("/"),
        uses: &[Use::Get("/v2/_catalog"), Use::PushAndPull, Use::Delete],
        ..Harness::new("testcontainers-go, Run", GO)
    },
    Harness {
        options: &[
            "-e",
            "REGISTRY_STORAGE_DELETE_ENABLED=true",
            "-e",
            "REGISTRY_AUTH=htpasswd",
            "-e",
            "REGISTRY_AUTH_HTPASSWD_REALM=Registry",
            "-e",
            "REGISTRY_AUTH_HTPASSWD_PATH=/auth/htpasswd",
            "-e",
            "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY=/data",
        ],
        files: &[File::BeforeStart("auth/htpasswd", TESTUSER), File::Store("data")],
        login: Some(("testuser", "testpassword")),
        wait: Wait::Http("/"),
        uses: &[Use::Get("/v2/_catalog"), Use::PullStored, Use::PushAndPull, Use::Delete],
        ..Harness::new("testcontainers-go, WithHtpasswd and WithData", GO)
    },
    Harness {
        wait: Wait::FirstAnswer("/v2"),
        uses: &[Use::Get("/v2/_catalog"), Use::PushAndPull],
        ..Harness::new("testcontainers-python, DockerRegistryContainer", PYTHON)
    },
    // `REGISTRY_AUTH` is not set, and the file comes after the start.
    Harness {
        options: &[
            "-e",
            "REGISTRY_AUTH_HTPASSWD_REALM=local-registry",
            "-e",
            "REGISTRY_AUTH_HTPASSWD_PATH=/htpasswd/credentials.txt",
        ],
        files: &[File::AfterStart("htpasswd/credentials.txt", FOO)],
        login: Some(("foo", "bar")),
        wait: Wait::FirstAnswer("/v2"),
        uses: &[Use::Get("/v2/_catalog"), Use::PushAndPull],
        ..Harness::new("testcontainers-python, with username and password", PYTHON)
    },
    Harness {
        wait: Wait::Log("listening on [::]:5000"),
        uses: &[Use::PushAndPull],
        ..Harness::new("testcontainers-rs, CncfDistribution", RUST)
    },
    // containerd on a node adds the name that an image has to the URL of the mirror.
    Harness {
        options: &["--restart=always", "--network-alias", "kind-registry"],
        uses: &[
            Use::PushAndPull,
            Use::GetFromContainer("http://kind-registry:5000/v2/pushed/manifests/1?ns=localhost%3A5001"),
            Use::Restart,
        ],
        ..Harness::new("kind, kind-with-registry.sh", KIND)
    },
    Harness {
        options: K3D_OPTIONS,
        wait: Wait::Log("listening on"),
        uses: &[Use::PushAndPull, Use::Restart],
        ..Harness::new("k3d, registry create", K3D)
    },
    Harness {
        options: &["--init", "-e", "REGISTRY_PROXY_REMOTEURL=http://upstream:5000", "--restart=unless-stopped"],
        wait: Wait::Log("listening on"),
        uses: &[Use::PullThrough],
        ..Harness::new("k3d, registry create --proxy-remote-url", K3D)
    },
    Harness {
        options: &[
            "--hostname",
            "ctlptl-registry",
            "--restart=always",
            "--label",
            "dev.tilt.ctlptl.role=registry",
            "-e",
            "REGISTRY_STORAGE_DELETE_ENABLED=true",
        ],
        // Another variable in the image would make ctlptl create the container again at each `apply`.
        uses: &[Use::Variables(&["REGISTRY_STORAGE_DELETE_ENABLED=true"]), Use::PushAndPull, Use::Delete],
        ..Harness::new("ctlptl, create registry", CTLPTL)
    },
    // Its Service is called `registry`, so Kubernetes sets variables that look like settings.
    Harness {
        options: &[
            "--network-alias",
            "registry.kube-system.svc.cluster.local",
            "-e",
            "REGISTRY_STORAGE_DELETE_ENABLED=true",
            "-e",
            "REGISTRY_PORT=tcp://10.96.12.3:80",
            "-e",
            "REGISTRY_PORT_80_TCP=tcp://10.96.12.3:80",
            "-e",
            "REGISTRY_PORT_443_TCP_ADDR=10.96.12.3",
            "-e",
            "REGISTRY_SERVICE_HOST=10.96.12.3",
            "-e",
            "REGISTRY_SERVICE_PORT=80",
            "-e",
            "REGISTRY_SERVICE_PORT_HTTPS=443",
        ],
        uses: &[
            Use::GetFromContainer("http://registry.kube-system.svc.cluster.local:5000"),
            Use::PushAndPull,
            Use::Delete,
        ],
        ..Harness::new("minikube, addons enable registry", MINIKUBE)
    },
];

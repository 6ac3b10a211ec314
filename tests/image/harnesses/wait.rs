//! Waits for a registry as a program does.

use super::{Wait, start::Started};
use crate::support::{client::Output, http::try_send};

pub(super) fn wait(started: &mut Started) {
    let container = &started.container;
    match started.row.wait {
        Wait::Nothing => container.wait("an answer", || started.status("/v2/") == Some(200)),
        Wait::Log(text) => container.wait(text, || container.errors().lines().any(|line| line.contains(text))),
        Wait::PortInLog => {
            let mut port = None;
            container.wait("a port", || {
                port = container.errors().lines().find_map(port_of);
                port.is_some()
            });
            started.port = port.unwrap_or_default();
        }
        Wait::Http(path) => container.wait(path, || started.status(path) == Some(200)),
        Wait::FirstAnswer(path) => {
            let mut status = None;
            container.wait(path, || {
                status = started.status(path);
                status.is_some()
            });
            assert_eq!(status, Some(200), "{path}: {}", container.logs());
        }
        Wait::ExposedPorts => {
            let ports: serde_json::Value =
                serde_json::from_str(&container.inspect("{{json .Config.ExposedPorts}}")).unwrap();
            let ports: Vec<_> =
                ports.as_object().unwrap().keys().filter_map(|port| port.strip_suffix("/tcp")).collect();
            let id = container.inspect("{{.Id}}");
            assert_eq!(ports, ["5000"]);
            for port in ports {
                let dial = ["nc", "-w", "5", &id[..12], port, "-e", "true"];
                container.wait("an open port", || started.beside(&dial).success);
            }
        }
        Wait::PortInside => {
            let script = "while true; do ( true && (grep -i ':0*1388' /proc/net/tcp* || nc -vz -w 1 localhost 5000 || \
                          /bin/bash -c '</dev/tcp/localhost/5000') ) && exit 0 || sleep 0.1; done";
            let listens: Output = container.run(&["/bin/sh", "-c", script]);
            assert!(listens.stdout.contains(":1388"), "{listens}");
        }
        Wait::Health => {
            let template = "{{if .Config.Healthcheck}}{{print .State.Health.Status}}{{end}}";
            container.wait("an end of `starting`", || container.inspect(template) != "starting");
            assert_eq!(container.inspect(template), "healthy", "{}", container.logs());
        }
    }
}

impl Started {
    /// The status of an answer, with the login of the row; `None` without an answer.
    pub(super) fn status(&self, path: &str) -> Option<u16> {
        let request = self.http().request(reqwest::Method::GET, path);
        let request = match self.row.login {
            Some((user, password)) => request.basic_auth(user, Some(password)),
            None => request,
        };
        try_send(request).ok().map(|answer| answer.status)
    }
}

/// What the expression `.*listening on .*:(\d+).*` finds in a line: the digits after the last colon that has some.
fn port_of(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("listening on ")?;
    let digits = |text: &str| text.chars().take_while(char::is_ascii_digit).collect::<String>();
    rest.split(':').skip(1).map(digits).filter(|digits| !digits.is_empty()).last()
}

#[test]
fn the_port_is_found_as_the_expression_finds_it() {
    for (line, port) in [
        ("2026-11-24T06:41:13.804503Z INFO  listening on 127.0.0.1:40123 service=registry", Some("40123")),
        ("listening on [::]:5000", Some("5000")),
        ("2026-11-24T06:41:13.804503Z INFO  settings read", None),
    ] {
        assert_eq!(port_of(line).as_deref(), port, "{line}");
    }
}

//! Uses a registry that a program started.

use reqwest::Method;

use super::{Use, start::Started};
use crate::{
    container::engine,
    support::{
        client::Output,
        http::{Answer, send},
    },
};

impl Started {
    /// Does what the row says.
    pub(super) fn run(mut self) {
        for used in self.row.uses {
            match used {
                Use::PushAndPull => self.push_and_pull(),
                Use::Get(path) => assert_eq!(self.status(path), Some(200), "{path}: {}", self.container.logs()),
                Use::GetFromContainer(url) => self.get_from_container(url),
                Use::Delete => self.delete(),
                Use::Restart => self.restart(),
                Use::PullStored => {
                    self.docker(&["pull", &self.image("stored:1")]);
                }
                Use::PullThrough => self.pull_through(),
                Use::Variables(expected) => self.expect_variables(expected),
            }
        }
    }

    fn image(&self, name: &str) -> String {
        format!("localhost:{}/{name}", self.port)
    }

    /// Runs docker, logged in as the row says.
    fn docker(&self, words: &[&str]) -> Output {
        let home = tempfile::tempdir().unwrap();
        let config = ["--config", home.path().to_str().unwrap()];
        if let Some((user, password)) = self.row.login {
            let host = self.image("");
            let login = ["login", "--username", user, "--password", password, host.trim_end_matches('/')];
            engine().run(&[&config, &login[..]].concat());
        }
        engine().run(&[&config, words].concat())
    }

    fn push_and_pull(&self) {
        let name = self.image("pushed:1");
        engine().run(&["tag", "alpine:3.10", &name]);
        self.docker(&["push", &name]);
        engine().run(&["rmi", &name]);
        self.docker(&["pull", &name]);
        assert_eq!(engine().image_id(&name), engine().image_id("alpine:3.10"));
        engine().run(&["rmi", &name]);
    }

    fn pull_through(&self) {
        let (_upstream, port) = self.another("upstream");
        let (there, here) = (format!("localhost:{port}/pulled:1"), self.image("pulled:1"));
        engine().run(&["tag", "alpine:3.10", &there]);
        engine().run(&["push", &there]);
        engine().run(&["rmi", &there]);
        self.docker(&["pull", &here]);
        assert_eq!(engine().image_id(&here), engine().image_id("alpine:3.10"));
        engine().run(&["rmi", &here]);
    }

    fn get_from_container(&self, url: &str) {
        let accept = "Accept: application/vnd.docker.distribution.manifest.v2+json";
        let mut last = None;
        self.container.wait(url, || {
            let got = self.beside(&["wget", "-S", "-O", "-", "--header", accept, url]);
            let is_there = got.success && got.stderr.contains("HTTP/1.1 200");
            last = Some(got.text());
            is_there
        });
        assert!(last.is_some());
    }

    fn delete(&self) {
        let digest = self.manifest(&Method::HEAD, "1").expect(200).header("docker-content-digest").unwrap().to_owned();
        self.manifest(&Method::DELETE, &digest).expect(202);
        self.manifest(&Method::HEAD, "1").expect(404);
    }

    fn manifest(&self, method: &Method, reference: &str) -> Answer {
        let request = self.http().request(method.clone(), &format!("/v2/pushed/manifests/{reference}"));
        let request = request.header("accept", "application/vnd.docker.distribution.manifest.v2+json");
        send(match self.row.login {
            Some((user, password)) => request.basic_auth(user, Some(password)),
            None => request,
        })
    }

    fn restart(&mut self) {
        self.container.restart();
        self.find_port();
        self.container.wait("an answer", || self.status("/v2/") == Some(200));
        self.docker(&["pull", &self.image("pushed:1")]);
    }

    fn expect_variables(&self, expected: &[&str]) {
        let text = self.container.inspect("{{json .Config.Env}}");
        let variables: Vec<String> = serde_json::from_str(&text).unwrap();
        let others: Vec<_> = variables.iter().filter(|variable| !variable.starts_with("PATH=")).collect();
        assert_eq!(others, expected);
    }
}

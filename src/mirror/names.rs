//! Which upstream a repository belongs to, and what its name is there.

use super::{Place, Settings};
use crate::oci::{Glob, RepositoryName};

/// The names of all upstreams.
#[derive(Debug)]
pub(super) struct Names {
    upstreams: Vec<UpstreamNames>,
    /// The values of `ns` that mean this registry.
    own: Vec<String>,
}

#[derive(Debug)]
struct UpstreamNames {
    place: Place,
    namespaces: Vec<String>,
    repositories: Vec<Glob>,
    is_docker_hub: bool,
}

impl Names {
    pub(super) fn new(upstreams: &[Settings], own: Vec<String>) -> Self {
        let names = |settings: &Settings| UpstreamNames {
            place: settings.place.clone(),
            namespaces: settings.namespaces.clone(),
            repositories: settings.repositories.clone(),
            is_docker_hub: settings.is_docker_hub(),
        };
        Self { upstreams: upstreams.iter().map(names).collect(), own }
    }

    /// The repository that a request means: that of the longest prefix in its path; else that of `ns`; else that at the
    /// root. `None`: `ns` means another registry than these and this one.
    pub(super) fn meant(&self, name: &RepositoryName, namespace: Option<&str>) -> Option<RepositoryName> {
        if let Some(upstream) = self.below(name) {
            return Some(self.upstreams[upstream].whole(name));
        }
        let namespace = namespace.filter(|namespace| !self.own.iter().any(|own| own == namespace));
        let Some(namespace) = namespace else {
            return Some(self.root().map_or_else(|| name.clone(), |root| self.upstreams[root].whole(name)));
        };
        let is_meant = |upstream: &&UpstreamNames| upstream.namespaces.iter().any(|known| known == namespace);
        let upstream = self.upstreams.iter().find(is_meant)?;
        match &upstream.place {
            Place::Root => Some(upstream.whole(name)),
            Place::Below(prefix) => format!("{prefix}/{name}").parse().ok().map(|name| upstream.whole(&name)),
        }
    }

    /// The upstream of a repository, and the name that it has there.
    pub(super) fn target<'a>(&self, name: &'a RepositoryName) -> Option<(usize, &'a str)> {
        let upstream = self.below(name).or_else(|| self.root())?;
        Some((upstream, self.upstreams[upstream].name_there(name)))
    }

    /// Whether a repository of an upstream may be fetched.
    pub(super) fn may_fetch(&self, upstream: usize, name_there: &str) -> bool {
        let patterns = &self.upstreams[upstream].repositories;
        let name_there = name_there.parse::<RepositoryName>();
        patterns.is_empty() || name_there.is_ok_and(|name| patterns.iter().any(|pattern| pattern.matches(&name)))
    }

    /// The upstream with the longest prefix that a name is below.
    fn below(&self, name: &RepositoryName) -> Option<usize> {
        let upstreams = self.upstreams.iter().enumerate();
        let lengths = upstreams.filter_map(|(at, upstream)| Some((upstream.prefix_of(name)?, at)));
        lengths.max().map(|(_, at)| at)
    }

    fn root(&self) -> Option<usize> {
        self.upstreams.iter().position(|upstream| upstream.place == Place::Root)
    }
}

impl UpstreamNames {
    /// How long the prefix is, if a name is below it.
    fn prefix_of(&self, name: &RepositoryName) -> Option<usize> {
        let Place::Below(prefix) = &self.place else { return None };
        let rest = name.as_str().strip_prefix(prefix.as_str())?;
        rest.starts_with('/').then(|| prefix.as_str().len())
    }

    fn name_there<'a>(&self, name: &'a RepositoryName) -> &'a str {
        let len = self.prefix_of(name).map_or(0, |len| len + 1);
        &name.as_str()[len..]
    }

    /// A name as Docker Hub has it: `library/` stands before the names of official images.
    fn whole(&self, name: &RepositoryName) -> RepositoryName {
        let there = self.name_there(name);
        if !self.is_docker_hub || there.contains('/') {
            return name.clone();
        }
        let before = &name.as_str()[..name.as_str().len() - there.len()];
        format!("{before}library/{there}").parse().unwrap_or_else(|_| name.clone())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    fn upstream(place: Option<&str>, namespaces: &[&str], repositories: &[&str]) -> UpstreamNames {
        UpstreamNames {
            place: place.map_or(Place::Root, |prefix| Place::Below(prefix.parse().unwrap())),
            namespaces: namespaces.iter().map(|namespace| (*namespace).to_owned()).collect(),
            repositories: repositories.iter().map(|pattern| pattern.parse().unwrap()).collect(),
            is_docker_hub: namespaces.contains(&"docker.io"),
        }
    }

    fn names(with_root: bool) -> Names {
        let mut upstreams = vec![
            upstream(Some("docker.io"), &["docker.io"], &[]),
            upstream(Some("ghcr.io"), &["ghcr.io"], &["org/**"]),
            upstream(Some("ghcr.io/special"), &["special.test"], &[]),
        ];
        if with_root {
            upstreams.push(upstream(None, &["quay.io"], &[]));
        }
        Names { upstreams, own: vec!["own.test".to_owned()] }
    }

    #[test]
    fn the_path_decides_then_ns_then_the_root() {
        let rows = [
            ("docker.io/library/alpine", None, Some("docker.io/library/alpine")),
            ("docker.io/alpine", None, Some("docker.io/library/alpine")),
            ("docker.io/alpine", Some("docker.io"), Some("docker.io/library/alpine")),
            ("library/alpine", Some("docker.io"), Some("docker.io/library/alpine")),
            ("alpine", Some("docker.io"), Some("docker.io/library/alpine")),
            ("org/app", Some("ghcr.io"), Some("ghcr.io/org/app")),
            ("ghcr.io/org/app", Some("docker.io"), Some("ghcr.io/org/app")),
            ("app", Some("special.test"), Some("ghcr.io/special/app")),
            ("app", Some("own.test"), Some("app")),
            ("app", None, Some("app")),
            ("app", Some("other.test"), None),
            ("docker.iox/app", None, Some("docker.iox/app")),
            ("docker.io", None, Some("docker.io")),
        ];
        for (name, namespace, expected) in rows {
            let meant = names(false).meant(&name.parse().unwrap(), namespace);
            assert_eq!(meant.as_ref().map(RepositoryName::as_str), expected, "{name} {namespace:?}");
        }
        assert_eq!(names(true).meant(&"app".parse().unwrap(), Some("quay.io")).unwrap().as_str(), "app");
    }

    #[test]
    fn a_repository_has_one_upstream() {
        let rows = [
            ("docker.io/library/alpine", false, Some((0, "library/alpine"))),
            ("ghcr.io/org/app", false, Some((1, "org/app"))),
            ("ghcr.io/special/app", false, Some((2, "app"))),
            ("app", false, None),
            ("docker.io", false, None),
            ("app", true, Some((3, "app"))),
        ];
        for (name, with_root, expected) in rows {
            assert_eq!(names(with_root).target(&name.parse().unwrap()), expected, "{name}");
        }
    }

    #[test]
    fn only_named_repositories_are_fetched() {
        for (name, there, expected) in [
            ("ghcr.io/org/app", "org/app", true),
            ("ghcr.io/other/app", "other/app", false),
            ("docker.io/x/y", "x/y", true),
        ] {
            let (names, name) = (names(false), name.parse().unwrap());
            assert_eq!(names.target(&name).unwrap().1, there);
            assert_eq!(names.may_fetch(names.target(&name).unwrap().0, there), expected, "{name}");
        }
    }
}

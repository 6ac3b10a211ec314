//! Values of `WWW-Authenticate`.

use super::realm::quoted;
use crate::oci::ResourceScope;

/// A [Basic challenge](https://www.rfc-editor.org/rfc/rfc7617#section-2).
pub(super) fn basic(realm: &str) -> String {
    format!("Basic realm={}", quoted(realm))
}

/// A Bearer challenge of the [distribution token
/// specification](https://distribution.github.io/distribution/spec/auth/token/).
pub(super) fn bearer(realm: &str, service: &str, wanted: &[ResourceScope], error: Option<&str>) -> String {
    let mut challenge = format!("Bearer realm={},service={}", quoted(realm), quoted(service));
    if !wanted.is_empty() {
        let scopes: Vec<String> = wanted.iter().map(ToString::to_string).collect();
        challenge.push_str(",scope=");
        challenge.push_str(&quoted(&scopes.join(" ")));
    }
    if let Some(error) = error {
        challenge.push_str(",error=");
        challenge.push_str(&quoted(error));
    }
    challenge
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that can't set up fails")]

    use super::*;

    #[test]
    fn challenges_are_exact() {
        let scope = |text: &str| text.parse::<ResourceScope>().unwrap();
        assert_eq!(basic("Registry Realm"), r#"Basic realm="Registry Realm""#);
        assert_eq!(
            bearer("https://auth.docker.io/token", "registry.docker.io", &[], None),
            r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io""#
        );
        let both = [scope("repository:b:pull,push"), scope("repository:a:pull")];
        assert_eq!(
            bearer("http://localhost:5000/token", "r", &both, Some("insufficient_scope")),
            r#"Bearer realm="http://localhost:5000/token",service="r",scope="repository:b:pull,push repository:a:pull",error="insufficient_scope""#
        );
    }
}

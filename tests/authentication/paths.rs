//! One resource has many spellings, and one set of rights.

use reqwest::Method;

use crate::{
    raw,
    site::{Mode, Site, basic},
    support::image::Image,
};

/// Rights are those of the decoded name, however it is written.
#[test]
fn report_p8_a_name_has_the_same_rights_in_every_spelling() {
    let rules = "[[access]]\nusers = [\"alice\"]\nrepositories = [\"a/**\"]\nactions = [\"pull\", \"push\", \"delete\"]\n\
                 [[access]]\nusers = [\"bob\"]\nrepositories = [\"b\"]\nactions = [\"pull\"]\n";
    let site = Site::with(Mode::Htpasswd, rules);
    site.user("alice").push("a/x", "1", &Image::new(1, "amd64"));
    let status = |user: &str, method: &str, path: &str| {
        let login = basic(user, &format!("{user}-pw"));
        let authorization = format!("Authorization: {login}");
        raw::exchange(&site, method, path, &["Host: x", "Content-Length: 0", &authorization]).status
    };
    for path in ["/v2/a/x/tags/list", "/v2/a%2Fx/tags/list", "/v2/%61/x%2Ftags/list", "/v2/%61%2f%78/manifests/1"] {
        assert_eq!(status("alice", "GET", path), 200, "{path}");
        assert_eq!(status("bob", "GET", path), 403, "{path}");
    }
    for path in ["/v2/a/x/blobs/uploads/", "/v2/a%2Fx/blobs/uploads/", "/v2/a%2Fx/blobs/uploads%2F"] {
        assert_eq!(status("alice", "POST", path), 202, "{path}");
        assert_eq!(status("bob", "POST", path), 403, "{path}");
    }
    // What would be allowed is not what is reached.
    for path in ["/v2/b/../a/x/tags/list", "/v2/b%2F..%2Fa%2Fx/tags/list", "/v2/b/%2e%2e/a/x/tags/list"] {
        assert_eq!(status("bob", "GET", path), 404, "{path}");
    }
    // A challenge names the decoded one.
    let site = Site::new(Mode::Token);
    let answer = crate::support::http::send(site.http().request(Method::GET, "/v2/a%2Fx/tags/list")).expect(401);
    assert!(answer.header("www-authenticate").unwrap().contains("repository:a/x:pull"), "{answer:?}");
}

/// What is open is open in every spelling, and nothing else becomes so.
#[test]
fn report_p8_what_is_open_is_told_by_the_decoded_path() {
    let site = Site::new(Mode::Htpasswd);
    for (path, status) in [
        ("/%68ealthz", 200),
        ("/healthz%2F", 401),
        ("/v2/%2e%2e/healthz", 401),
        ("/healthz/../v2/_catalog", 401),
        ("/healthz%2f..%2fv2%2f_catalog", 401),
        ("/%zz", 401),
        ("/%76%32/", 401),
        ("/v2/%5Fcatalog", 401),
    ] {
        assert_eq!(raw::exchange(&site, "GET", path, &["Host: x"]).status, status, "{path}");
    }
}

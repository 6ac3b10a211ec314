//! Rows 3 to 9 and 12: name and password.

use serde_json::json;

use crate::{
    registry::{HTPASSWD, PASSWORD, Protected, TOKEN, USER, write_users},
    support::server::{Launch, Program},
    user::User,
};

#[test]
#[ignore = "needs docker: run ./test"]
fn row_03_set_up_by_the_environment_needs_docker() {
    let directory = tempfile::tempdir().unwrap();
    let users = directory.path().join("htpasswd");
    write_users(&users);
    let server = Launch::new(Program::Wharf, &directory.path().join("store"))
        .set("REGISTRY_AUTH", "htpasswd")
        .set("REGISTRY_AUTH_HTPASSWD_REALM", "Registry Realm")
        .set("REGISTRY_AUTH_HTPASSWD_PATH", users.to_str().unwrap())
        .start();
    let user = User::new();
    user.fail_push(&format!("{}/alpine:3.10", server.host()));
    user.login(&server.host(), USER, PASSWORD);
    user.push(&format!("{}/alpine:3.10", server.host()));
}

#[test]
#[ignore = "needs docker: run ./test"]
fn row_04_the_basic_challenge_by_curl_needs_docker() {
    let registry = Protected::new(HTPASSWD);
    let fields = [
        ("Content-Type", "application/json; charset=utf-8"),
        ("Docker-Distribution-Api-Version", "registry/2.0"),
        ("Www-Authenticate", "Basic realm=\"Registry Realm\""),
        ("X-Content-Type-Options", "nosniff"),
        ("Content-Length", "87"),
    ];
    registry.curl(&["-I"], "/v2/").expect("401 Unauthorized", &fields);
    let body = "{\"errors\":[{\"code\":\"UNAUTHORIZED\",\"message\":\"authentication required\",\"detail\":null}]}\n";
    assert_eq!(registry.curl(&[], "/v2/").expect("401 Unauthorized", &fields).body, body);
}

#[test]
#[ignore = "needs docker: run ./test"]
fn row_05_basic_credentials_by_curl_needs_docker() {
    let registry = Protected::new(HTPASSWD);
    let fields = [
        ("Content-Length", "2"),
        ("Content-Type", "application/json; charset=utf-8"),
        ("Docker-Distribution-Api-Version", "registry/2.0"),
        ("X-Content-Type-Options", "nosniff"),
    ];
    let login = format!("{USER}:{PASSWORD}");
    registry.curl(&["-I", "-u", &login], "/v2/").expect("200 OK", &fields);
    assert_eq!(registry.curl(&["-u", &login], "/v2/").expect("200 OK", &fields).body, "{}");
}

#[test]
#[ignore = "needs docker: run ./test"]
fn row_06_log_in_four_ways_needs_docker() {
    for settings in [HTPASSWD, TOKEN] {
        let registry = Protected::new(settings);
        let host = registry.host();
        let typed = User::new().login_at_prompts(&host, USER, PASSWORD).text();
        assert!(typed.contains("Login Succeeded"), "{typed}");
        let by_stdin = User::new().login_by_stdin(&host, USER, PASSWORD);
        assert!(by_stdin.contains("Login Succeeded"), "{by_stdin}");
        let user = User::new();
        user.login(&host, USER, PASSWORD);
        let again = user.run(&["login", &host]);
        // One on standard error, the other on standard output.
        assert!(again.stderr.contains("Authenticating with existing credentials..."), "{again}");
        assert!(again.stdout.contains("Login Succeeded"), "{again}");
    }
}

#[test]
#[ignore = "needs docker: run ./test"]
fn row_07_log_in_through_the_engines_api_needs_docker() {
    let user = User::new();
    for settings in [HTPASSWD, TOKEN] {
        let registry = Protected::new(settings);
        let address = registry.url("/v2");
        let login = json!({"username": USER, "password": PASSWORD, "serveraddress": address});
        let with_mail =
            json!({"username": USER, "password": PASSWORD, "email": "x@example.com", "serveraddress": address});
        for body in [login, with_mail] {
            assert_eq!(user.auth(&body), "{\"IdentityToken\":\"\",\"Status\":\"Login Succeeded\"}\n");
        }
    }
}

/// The engine retries what it takes for a passing failure for most of a minute, and then says less: these very words
/// come at once.
#[test]
#[ignore = "needs docker: run ./test"]
fn row_08_a_wrong_password_needs_docker() {
    let user = User::new();
    for (settings, words) in [
        (HTPASSWD, "login attempt to URL/v2/ failed with status: 401 Unauthorized"),
        (TOKEN, "Get \"URL/v2/\": unauthorized: incorrect username or password"),
    ] {
        let registry = Protected::new(settings);
        let words = words.replace("URL", &registry.url(""));
        let body = json!({"username": USER, "password": "wrong", "serveraddress": registry.url("/v2")});
        let said: serde_json::Value = serde_json::from_str(&user.auth(&body)).unwrap();
        assert!(said["message"].as_str().unwrap().contains(&words), "{said}");
        let said = user.fail(&["login", "-u", USER, "-p", "wrong", &registry.host()]);
        assert!(said.contains(&words), "{said}");
        // Once for each of the two, and nothing again.
        let refused = registry.server.log().matches("status=401").count();
        assert!(refused <= 4, "{refused} refusals:\n{}", registry.server.log());
    }
}

#[test]
#[ignore = "needs docker: run ./test"]
fn row_09_push_then_list_needs_docker() {
    let (registry, user) = (Protected::new(HTPASSWD), User::new());
    user.login(&registry.host(), USER, PASSWORD);
    let said = user.push(&format!("{}/alpine:3.10", registry.host())).stdout;
    assert!(said.contains(": Pushed") && said.contains("3.10: digest: sha256:"), "{said}");
    let list = registry.curl(&["-u", &format!("{USER}:{PASSWORD}")], "/v2/_catalog").expect("200 OK", &[]);
    assert_eq!(list.body, "{\"repositories\":[\"alpine\"]}\n");
}

const GITHUB: &str = r#"
[auth]
message = "GitHub Docker Registry needs login"
content_type = "text/plain; charset=utf-8"
[auth.htpasswd]
realm = "GitHub Package Registry"
path = "DIRECTORY/htpasswd"
[http.headers]
Server = ["GitHub Registry"]
Content-Security-Policy = ["default-src 'none';"]
X-Frame-Options = ["DENY"]
X-Xss-Protection = ["1; mode=block"]
"#;

#[test]
#[ignore = "needs docker: run ./test"]
fn row_12_the_challenge_in_githubs_form_needs_docker() {
    let (registry, user) = (Protected::new(GITHUB), User::new());
    let fields = [
        ("Www-Authenticate", "Basic realm=\"GitHub Package Registry\""),
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", "84"),
        ("Server", "GitHub Registry"),
        ("Content-Security-Policy", "default-src 'none';"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("X-Xss-Protection", "1; mode=block"),
    ];
    registry.curl(&["-I"], "/v2/").expect("401 Unauthorized", &fields);
    let body = "{\"errors\":[{\"code\":\"UNAUTHORIZED\",\"message\":\"GitHub Docker Registry needs login\"}]}\n";
    assert_eq!(registry.curl(&[], "/v2/").expect("401 Unauthorized", &fields).body, body);
    // docker logs in and pushes all the same.
    user.login(&registry.host(), USER, PASSWORD);
    user.push(&format!("{}/alpine:3.10", registry.host()));
}

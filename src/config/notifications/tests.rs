#![allow(clippy::unwrap_used, reason = "a test")]

use super::super::load::tried;
use super::*;

/// The example of registry:2's own page of settings.
const YAML: &str = "
notifications:
  events:
    includereferences: true
  endpoints:
    - name: alistener
      disabled: false
      url: https://my.listener.com/event
      headers: {Authorization: [Bearer abc], X-Two: [a, b]}
      timeout: 500ms
      threshold: 5
      backoff: 2s
      ignoredmediatypes:
        - application/octet-stream
      ignore:
        mediatypes:
           - text/plain
        actions:
           - pull
    - name: other
      disabled: true
      url: https://other.example/
";

fn hidden(texts: &[&str]) -> Vec<Hidden> {
    texts.iter().map(|text| Hidden((*text).to_owned())).collect()
}

fn listener() -> EventEndpoint {
    EventEndpoint {
        name: "alistener".to_owned(),
        url: Url::parse("https://my.listener.com/event").unwrap(),
        headers: vec![("Authorization".to_owned(), hidden(&["Bearer abc"])), ("X-Two".to_owned(), hidden(&["a", "b"]))],
        timeout: Duration::from_millis(500),
        threshold: 5,
        backoff: Duration::from_secs(2),
        ignored_media_types: vec!["application/octet-stream".to_owned(), "text/plain".to_owned()],
        ignored_actions: vec!["pull".to_owned()],
        events: EventsForm::V1,
        secret: None,
        ca: None,
    }
}

#[test]
fn endpoints_are_read_as_registry2_reads_them() {
    let (config, errors, _) = tried("f.yml", YAML, &[]);
    assert_eq!(errors, Vec::<String>::new());
    assert_eq!(config.notifications.endpoints, [listener()]);
    assert!(config.notifications.include_references);
    assert_eq!(config.notifications.outbox_bytes, 64 << 20);
}

#[test]
fn variables_set_endpoints() {
    let variables = [
        ("REGISTRY_NOTIFICATIONS_ENDPOINTS_0_URL", "http://user:pass@h:1/x"),
        ("REGISTRY_NOTIFICATIONS_ENDPOINTS_0_HEADERS_X-A", "[b]"),
        ("REGISTRY_NOTIFICATIONS_ENDPOINTS_0_HEADERS_X-B_0", "c"),
        ("REGISTRY_NOTIFICATIONS_ENDPOINTS_0_IGNORE_ACTIONS_0", "pull"),
        ("REGISTRY_NOTIFICATIONS_ENDPOINTS_0_SECRET", "s"),
        ("REGISTRY_NOTIFICATIONS_ENDPOINTS_0_EVENTS", "v2"),
        ("REGISTRY_NOTIFICATIONS_ENDPOINTS_1_URL", "http://two/"),
        // The name that registry:2 takes.
        ("REGISTRY_NOTIFICATIONS_EVENTCONFIG_INCLUDEREFERENCES", "true"),
    ];
    let (config, errors, _) = tried("f.toml", "", &variables);
    assert_eq!(errors, Vec::<String>::new());
    assert!(config.notifications.include_references);
    let [first, second] = config.notifications.endpoints.as_slice() else { panic!("{config:?}") };
    assert_eq!((first.name.as_str(), first.events), ("h", EventsForm::V2));
    assert_eq!(first.headers, [("x-a".to_owned(), hidden(&["b"])), ("x-b".to_owned(), hidden(&["c"]))]);
    assert_eq!(first.ignored_actions, ["pull"]);
    assert_eq!(first.secret, Some(EventSecret::Value(Hidden("s".to_owned()))));
    assert_eq!((second.timeout, second.threshold, second.backoff), (DEFAULT_TIME, 10, DEFAULT_TIME));
    assert!(!format!("{:?}", first.headers).contains("\"b\"") && !format!("{:?}", first.secret).contains("\"s\""));
}

/// registry:2 reads nothing else of an endpoint that is disabled.
#[test]
fn a_disabled_endpoint_needs_no_url() {
    let yaml = "notifications: {endpoints: [{name: a, disabled: true, url: ''}, {disabled: true, timeout: later}]}";
    let (config, errors, _) = tried("f.yml", yaml, &[]);
    assert_eq!((config.notifications.endpoints, errors), (vec![], vec![]));
}

#[test]
fn says_what_is_wrong_with_an_endpoint() {
    let cases = [
        ("[{name = 'a'}]", "has no url"),
        ("[{url = 'my.listener.com:pass'}]", "this is not a URL"),
        ("[{url = 'http://a', timout = '1s'}]", "did you mean `notifications.endpoints.timeout`?"),
        ("[{url = 'http://a', events = 'v3'}]", "neither v1 nor v2"),
        ("[{url = 'http://a', threshold = 'x'}]", "whole number"),
        ("[{url = 'http://a', headers = 'x'}]", "a table was expected"),
        ("[{url = 'http://a', headers = {'X A' = 'b'}}]", "not the name of a header"),
        ("[{url = 'http://a', headers = {'Content-Length' = '1'}}]", "sets this header itself"),
        ("[{url = 'http://a', ignore = {action = 'pull'}}]", "neither mediatypes nor actions"),
        ("[{url = 'http://a', secret = 'a', secretfile = '/b'}]", "leave one of them out"),
        ("[{url = 'http://a'}, {url = 'http://a/b'}]", "two endpoints are called `a`"),
        ("'http://a'", "a list of tables was expected"),
    ];
    for (value, expected) in cases {
        let (_, errors, _) = tried("f.toml", &format!("[notifications]\nendpoints = {value}\n"), &[]);
        assert!(errors.len() == 1 && errors[0].contains(expected), "{value}: {errors:?}");
        assert!(!errors[0].contains("pass"), "{errors:?}");
    }
}

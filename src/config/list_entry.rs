//! Variables that set one entry of a list by its index: `REGISTRY_HTTP_TLS_CLIENTCAS_0`, as in registry:3.

use super::node::{Node, Value};
use super::values::Values;
use super::{Kind, table};

impl Values {
    /// Sets one entry of a list, or a part of a rule. `path` follows the name of the list: `0`, for a rule also
    /// `0_USERS` and `0_USERS_1`. An existing entry is replaced; the next index adds one.
    pub(super) fn put_item(&mut self, key: &'static str, path: &str, node: Node) {
        let place = node.source.clone();
        let most = match table::find(key).map(|setting| setting.kind) {
            Some(Kind::Rules) if key == "notifications.endpoints" => 4,
            Some(Kind::Rules) => 3,
            _ => 1,
        };
        let has_words = matches!(key, "retention" | "upstream");
        let steps = if has_words { steps_of_words(path) } else { path.split('_').collect() };
        let put = if node.value == Value::Null {
            Err("this is empty; an entry of the list needs a value".to_owned())
        } else if steps.len() > most {
            Err(format!("`{path}` is not a number: the entries of a list are numbered from 0"))
        } else {
            let list = self.set.entry(key).or_insert_with(|| Node { value: Value::Null, source: place.clone() });
            list.source = place.clone();
            put_in_list(list, &steps, node)
        };
        if let Err(problem) = put {
            self.bad::<()>(key, place, problem);
        }
    }

    /// Sets one entry of a list in a table of lists: `REGISTRY_HTTP_HEADERS_X-A_0`.
    pub(super) fn put_item_of_entry(&mut self, key: &'static str, name: &str, index: &str, node: Node) {
        let place = node.source.clone();
        let table = self.set.get(key).map(|node| &node.value);
        let entries = if let Some(Value::Table(entries)) = table { entries.as_slice() } else { &[] };
        let found = entries.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, list)| list.clone());
        let mut list = found.unwrap_or_else(|| Node { value: Value::Null, source: place.clone() });
        match put_in_list(&mut list, &[index], node) {
            Ok(()) => self.put_entry(key, name, list),
            Err(problem) => {
                let problem =
                    format!("{problem}; a value in brackets, [a, b], makes `{name}_{index}` a name of its own");
                self.bad::<()>(&format!("{key}.{name}"), place, problem);
            }
        }
    }
}

/// `0_KEEP_NEWEST`, `0_TAGS_1`: fields of retention and of upstreams have more words than one.
fn steps_of_words(path: &str) -> Vec<&str> {
    let Some((index, field)) = path.split_once('_') else { return vec![path] };
    match field.rsplit_once('_') {
        Some((list, item)) if item.bytes().all(|byte| byte.is_ascii_digit()) => vec![index, list, item],
        _ => vec![index, field],
    }
}

fn put_in_list(list: &mut Node, steps: &[&str], node: Node) -> Result<(), String> {
    let Some((step, rest)) = steps.split_first() else { return Ok(()) };
    let digits = !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit());
    let index: usize = step
        .parse()
        .ok()
        .filter(|_| digits)
        .ok_or_else(|| format!("`{step}` is not a number: the entries of a list are numbered from 0"))?;
    let mut items = match std::mem::replace(&mut list.value, Value::Null) {
        Value::Null => Vec::new(),
        Value::List(items) => items,
        // A single value is a list of one.
        value => vec![Node { value, source: list.source.clone() }],
    };
    let len = items.len();
    let put = if index > len {
        Err(format!("there is no entry {} before this one: entries are numbered from 0, without a gap", index - 1))
    } else {
        if index == len {
            items.push(Node { value: Value::Null, source: node.source.clone() });
        }
        put_in(&mut items[index], rest, node)
    };
    list.value = Value::List(items);
    put
}

/// Sets a rule or one of its lists.
fn put_in(item: &mut Node, steps: &[&str], node: Node) -> Result<(), String> {
    let Some((step, rest)) = steps.split_first() else {
        *item = node;
        return Ok(());
    };
    let name = step.to_lowercase();
    let mut entries = match std::mem::replace(&mut item.value, Value::Null) {
        Value::Null => Vec::new(),
        Value::Table(entries) => entries,
        value => {
            item.value = value;
            return Err(format!("`{name}` can't be set in {}", item.kind()));
        }
    };
    let at = entries.iter().position(|(other, _)| *other == name).unwrap_or_else(|| {
        entries.push((name, Node { value: Value::Null, source: node.source.clone() }));
        entries.len() - 1
    });
    let list = &mut entries[at].1;
    let is_numbered = rest.first().is_some_and(|step| step.bytes().all(|byte| byte.is_ascii_digit()));
    let put = match (rest, &list.value) {
        ([], _) => {
            *list = node;
            Ok(())
        }
        // A table in a table, such as the headers of an endpoint.
        (_, Value::Null | Value::Table(_)) if !is_numbered => put_in(list, rest, node),
        _ => put_in_list(list, rest, node),
    };
    item.value = Value::Table(entries);
    put
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::super::load::tried;
    use super::super::{Config, Kind, Setting, Status};
    use super::*;

    /// Two entries of each list, and what has to stand beside it.
    fn example(setting: &Setting) -> ([&'static str; 2], &'static str) {
        const TLS: &str = "http.tls.certificate: /c\nhttp.tls.key: /k";
        const USERS: &str = "auth.htpasswd.path: /f";
        const TOKEN: &str =
            "auth.token.realm: https://a.test\nauth.token.service: s\nauth.token.issuer: i\nauth.token.jwks: /j";
        match setting.key {
            "http.addr" => (["localhost:5001", "[::1]:5002"], ""),
            "http.trustedproxies" => (["10.0.0.0/8", "::1"], ""),
            "http.tls.clientcas" => (["/ca 0.crt", "/ca1.crt"], TLS),
            "auth.token.signingalgorithms" => (["RS256", "ES256"], TOKEN),
            "access" => (
                [
                    "{users: [a], repositories: [r], actions: [pull]}",
                    "{users: [b], repositories: [s], actions: [push]}",
                ],
                USERS,
            ),
            "health.file" => (["{file: /a}", "{file: /b}"], ""),
            "notifications.endpoints" => (["{url: 'http://a'}", "{url: 'http://b'}"], ""),
            "retention" => (["{repositories: [a], keep_newest: 1}", "{repositories: [b], pushed_within: 14d}"], ""),
            "upstream" => (["{prefix: a, url: 'http://a'}", "{prefix: b, url: 'http://b'}"], ""),
            "proxy.namespaces" => (["docker.io", "mirror.test"], "proxy.remoteurl: https://a"),
            "proxy.local_namespaces" => (["a.test", "b.test"], ""),
            "health.tcp" => (["{addr: 'a:1'}", "{addr: 'b:2'}"], ""),
            "health.http" => (["{uri: 'http://a'}", "{uri: 'http://b'}"], ""),
            "http.debug.addr" => (["localhost:5003", "[::1]:5004"], ""),
            other => panic!("{other} is a list without an example"),
        }
    }

    fn lists() -> impl Iterator<Item = &'static Setting> {
        let is_list = |kind| matches!(kind, Kind::Addresses | Kind::Networks | Kind::List | Kind::Rules);
        table::settings().filter(move |setting| setting.status == Status::Honoured && is_list(setting.kind))
    }

    fn with(beside: &str, setting: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
        let (config, errors, _) = tried("f.yml", &yaml(&format!("{beside}\n{setting}")), variables);
        if errors.is_empty() { Ok(config) } else { Err(errors.join("\n")) }
    }

    /// `a.b: value` as YAML nests it; both may be below one table.
    fn yaml(lines: &str) -> String {
        let mut tree = serde_json::Map::new();
        for line in lines.lines().filter(|line| !line.is_empty()) {
            let (key, value) = line.split_once(": ").unwrap();
            let mut at = &mut tree;
            let (tables, last) = key.rsplit_once('.').map_or((None, key), |(tables, last)| (Some(tables), last));
            for table in tables.into_iter().flat_map(|tables| tables.split('.')) {
                at = at.entry(table).or_insert_with(|| serde_json::json!({})).as_object_mut().unwrap();
            }
            at.insert(last.to_owned(), serde_json::Value::String(format!("\u{1}{value}\u{1}")));
        }
        // JSON is YAML, but for what stands in it as YAML already.
        let text = serde_json::to_string(&tree).unwrap();
        text.replace("\"\\u0001", "").replace("\\u0001\"", "").replace("\\\"", "\"")
    }

    /// However a list is written, it is the same list; what is written as none stops the start.
    #[test]
    fn report_a9_every_list_in_every_way_that_it_can_be_written() {
        let shown = |config: Config| format!("{config:?}");
        for setting in lists() {
            let ([one, two], beside) = example(setting);
            let key = setting.key;
            let quoted = |text: &str| if text.starts_with('{') { text.to_owned() } else { format!("'{text}'") };
            let list = format!("[{}, {}]", quoted(one), quoted(two));
            let expected = shown(with(beside, &format!("{key}: {list}"), &[]).unwrap());
            let name = setting.variable();
            let (zero, first) = (format!("{name}_0"), format!("{name}_1"));
            let ways: [(&str, Vec<(&str, &str)>); 6] = [
                ("whole", vec![(&name, &list)]),
                ("by number", vec![(&zero, one), (&first, two)]),
                ("in any order", vec![(&first, two), (&zero, one)]),
                ("one more", vec![(&first, two)]),
                ("another", vec![(&zero, one), (&first, two)]),
                ("over the whole", vec![(&name, &list), (&first, two)]),
            ];
            for (way, variables) in ways {
                let in_file = match way {
                    "one more" => format!("{key}: {}", quoted(one)),
                    "another" => format!("{key}: [{}, {}]", quoted(two), quoted(one)),
                    _ => String::new(),
                };
                let config =
                    with(beside, &in_file, &variables).unwrap_or_else(|errors| panic!("{key} {way}: {errors}"));
                assert_eq!(shown(config), expected, "{key}, {way}");
            }
            for (bad, value) in
                [("1", one), ("X", one), ("0_X_Y_Z", one), ("", one), ("-1", one), ("+0", one), ("0", "")]
            {
                let refused = with(beside, "", &[(&format!("{name}_{bad}"), value)]);
                assert!(refused.is_err(), "{name}_{bad}={value}: {refused:?}");
            }
            let table = format!("{key}: {{'0': {}}}", quoted(one));
            assert!(with(beside, &table, &[]).is_err(), "{table}");
            let numbered = format!("{key}_0: {}", quoted(one));
            assert!(with(beside, &numbered, &[]).is_err(), "{numbered}");
        }
    }

    #[test]
    fn report_a9_more_than_ten_entries_keep_their_order() {
        let names: Vec<_> = (0..12).map(|index| format!("REGISTRY_HTTP_TRUSTEDPROXIES_{index}")).collect();
        let values: Vec<_> = (0..12).map(|index| format!("10.0.0.{index}")).collect();
        let variables: Vec<_> =
            names.iter().zip(&values).map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let proxies = with("", "", &variables).unwrap().http.trusted_proxies;
        assert_eq!(
            format!("{proxies:?}"),
            format!("{:?}", with("", &format!("http.trustedproxies: {values:?}"), &[]).unwrap().http.trusted_proxies)
        );
    }

    #[test]
    fn report_a9_lists_that_have_a_name_and_rules() {
        let users = "auth.htpasswd.path: /f";
        let headers = |variables: &[(&str, &str)]| {
            with("http.headers: {X-B: [b]}", "", variables).map(|config| config.http.headers)
        };
        let list = |items: &[&str]| items.iter().map(ToString::to_string).collect::<Vec<_>>();
        let (a, b) = ("REGISTRY_HTTP_HEADERS_X-A", "REGISTRY_HTTP_HEADERS_X-B");
        let cases = [
            (vec![(format!("{a}_0"), "1"), (format!("{a}_1"), "2")], ("X-A", vec!["1", "2"])),
            (vec![(format!("{b}_1"), "c")], ("X-B", vec!["b", "c"])),
            (vec![(format!("{b}_0"), "c")], ("X-B", vec!["c"])),
            (vec![(format!("{a}_0"), "[1, 2]")], ("X-A_0", vec!["1", "2"])),
        ];
        for (variables, (name, expected)) in cases {
            let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), *value)).collect();
            let found = headers(&variables).unwrap();
            let found = found.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, list)| list);
            assert_eq!(found, Some(&list(&expected)), "{variables:?}");
        }
        let gap = headers(&[("REGISTRY_HTTP_HEADERS_X-A_7", "1")]).unwrap_err();
        assert!(gap.contains("no entry 6") && gap.contains("in brackets"), "{gap}");
        let rule = [
            ("REGISTRY_ACCESS_0_USERS_0", "alice"),
            ("REGISTRY_ACCESS_0_USERS_1", "bob"),
            ("REGISTRY_ACCESS_0_REPOSITORIES", "['**']"),
            ("REGISTRY_ACCESS_0_ACTIONS", "pull"),
        ];
        let config = with(users, "", &rule).unwrap();
        assert_eq!((config.access.len(), &config.access[0].users), (1, &list(&["alice", "bob"])));
        let misspelt = with(users, "", &[("REGISTRY_ACCESS_0_USER", "alice")]).unwrap_err();
        assert!(misspelt.contains("access.user"), "{misspelt}");
    }
}

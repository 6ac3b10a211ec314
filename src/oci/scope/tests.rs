#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::*;

fn actions(texts: &[&str]) -> Vec<ScopeAction> {
    texts.iter().map(|text| ScopeAction::from(*text)).collect()
}

#[test]
fn b30_scopes_are_parted_at_the_first_and_the_last_colon() {
    let table = [
        ("repository:a:pull", ResourceKind::Repository, "a", actions(&["pull"])),
        ("repository:a/b:push,pull", ResourceKind::Repository, "a/b", actions(&["push", "pull"])),
        ("repository:host:5000/x:pull", ResourceKind::Repository, "host:5000/x", actions(&["pull"])),
        ("repository:a:pull,pull,push,pull", ResourceKind::Repository, "a", actions(&["pull", "push"])),
        ("repository:a:*", ResourceKind::Repository, "a", vec![ScopeAction::All]),
        ("repository:a:*,pull", ResourceKind::Repository, "a", actions(&["*", "pull"])),
        ("repository:a:", ResourceKind::Repository, "a", Vec::new()),
        ("repository:a:,pull,,", ResourceKind::Repository, "a", actions(&["pull"])),
        ("repository:a:PULL,metadata_read", ResourceKind::Repository, "a", actions(&["PULL", "metadata_read"])),
        ("repository:A..b:create,delete", ResourceKind::Repository, "A..b", actions(&["create", "delete"])),
        ("registry:catalog:*", ResourceKind::Registry, "catalog", vec![ScopeAction::All]),
        ("repository(plugin):x:pull", ResourceKind::Repository, "x", actions(&["pull"])),
        ("repository(image):x:pull", ResourceKind::Repository, "x", actions(&["pull"])),
        ("registry(x):catalog:*", ResourceKind::Registry, "catalog", vec![ScopeAction::All]),
        ("thing(x):x:y", ResourceKind::Other("thing".into()), "x", vec![ScopeAction::Other("y".into())]),
        ("thing:x:y", ResourceKind::Other("thing".into()), "x", vec![ScopeAction::Other("y".into())]),
    ];
    for (text, kind, name, actions) in table {
        let expected = ResourceScope { kind, name: name.into(), actions };
        assert_eq!(text.parse(), Ok(expected), "{text}");
    }
    assert_eq!(ScopeAction::from("pull"), ScopeAction::Action(Action::Pull));
    assert_eq!(ScopeAction::from("PULL"), ScopeAction::Other("PULL".into()));
}

#[test]
fn b30_what_is_no_scope_is_an_error() {
    let bad = [
        "",
        ":",
        "::",
        "repository",
        "repository:a",
        "repository::pull",
        ":a:pull",
        "Repository:a:pull",
        "repository():a:pull",
        "(plugin):a:pull",
        "repository(plugin:a:pull",
        "repository(a)(b):x:pull",
        "repository:a b:pull",
        "repository:a\":pull",
        "repository:a\\:pull",
        "repository:a:pull\r\n",
        "repository:é:pull",
        "repository:a\0:pull",
    ];
    for bad in bad {
        assert_eq!(bad.parse::<ResourceScope>(), Err(InvalidScope), "{bad:?}");
    }
}

#[test]
fn b30_a_list_passes_over_nothing_but_spaces() {
    let scopes: Vec<_> = ResourceScope::parse_list("  repository:a:pull x  registry:catalog:* ").collect();
    assert_eq!(scopes, ["repository:a:pull".parse(), Err(InvalidScope), Ok(ResourceScope::catalog())]);
    assert_eq!(ResourceScope::parse_list("").count(), 0);
    assert_eq!(ResourceScope::parse_list(&"repository:a:pull ".repeat(200)).flatten().count(), 200);
}

#[test]
fn scopes_that_are_made_are_those_that_are_read() {
    let name: RepositoryName = "team/app".parse().unwrap();
    let made = ResourceScope::repository(&name, [Action::Pull, Action::Push, Action::Pull]);
    assert_eq!(made.to_string(), "repository:team/app:pull,push");
    assert_eq!(made.to_string().parse(), Ok(made));
    assert_eq!(ResourceScope::catalog().to_string(), "registry:catalog:*");
    for action in Action::ALL {
        assert_eq!(action.to_string().parse(), Ok(action));
    }
    assert!("Pull".parse::<Action>().is_err() && "*".parse::<Action>().is_err() && "".parse::<Action>().is_err());
}

proptest! {
    #[test]
    fn b30_any_text_that_is_a_scope_says_the_same_again(text in prop_oneof![".*", "[a:,()*\\\\\" ]{0,12}", "[a-z]{1,9}(\\([a-z]{1,5}\\))?:[a-z:/0-9]{1,9}:[a-z,*]{0,20}"]) {
        if let Ok(scope) = text.parse::<ResourceScope>() {
            let again = scope.to_string();
            prop_assert!(again.len() <= text.len());
            prop_assert!(!again.contains(['"', '\\', ' ']) && again.is_ascii());
            prop_assert_eq!(again.parse(), Ok(scope));
        }
        prop_assert!(ResourceScope::parse_list(&text).count() <= text.len());
    }
}

//! Guessing is slowed down, and nothing else is.

use reqwest::Method;

use crate::{
    site::{Mode, RULES, Site, basic},
    support::{
        http::{Answer, send},
        image::Image,
    },
};

/// A wrong login, by the way that the mode has.
fn guess(site: &Site, mode: Mode, user: &str, password: &str) -> Answer {
    match mode {
        Mode::Htpasswd => site.get("/v2/", &basic(user, password)),
        Mode::Token => site.token_answer("service=registry.example", Some(&basic(user, password))),
    }
}

#[test]
fn ten_guesses_and_then_a_pause() {
    for mode in Mode::BOTH {
        let site = Site::new(mode);
        site.user("alice").push("a", "1", &Image::new(1, "amd64"));
        let token = (mode == Mode::Token).then(|| site.bearer(Some("ro"), &["repository:a:pull"]));
        for number in 0..10 {
            guess(&site, mode, "alice", &format!("guess-{number}")).expect(401);
        }
        let answer = guess(&site, mode, "alice", "guess-10").expect(429);
        assert_eq!(answer.code(), "TOOMANYREQUESTS");
        let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=300).contains(&seconds), "{seconds}");
        // Not for another user from there, and not with the right password: it would tell which one is right.
        guess(&site, mode, "bob", "bob-pw").expect(429);
        // But always for who shows no credentials, or a token that holds.
        for _ in 0..30 {
            site.http().get("/v2/").expect(401);
            site.http().get("/v2/a/tags/list").expect(401);
            site.http().get("/healthz").expect(200);
            if mode == Mode::Token {
                site.token_answer("scope=repository:public/x:pull", None).expect(200);
            }
        }
        if let Some(token) = token {
            site.get("/v2/a/tags/list", &token).expect(200);
        }
    }
}

/// Behind a proxy that was named, one who guesses holds up nobody else, whatever it writes into the field itself;
/// without its name the field changes nothing.
#[test]
fn who_guesses_through_a_proxy_holds_up_nobody_else() {
    let ask = |site: &Site, forwarded: &str, password: &str| {
        let request = site.http().request(Method::GET, "/v2/").header("Authorization", basic("alice", password));
        send(request.header("X-Forwarded-For", forwarded))
    };
    let proxies = "[http]\ntrustedproxies = [\"127.0.0.0/8\", \"::1\"]\n";
    for (settings, others) in [(proxies, 200), ("", 429)] {
        let site = Site::with(Mode::Htpasswd, &format!("{settings}{RULES}"));
        for number in 0..10 {
            let forwarded = format!("198.51.100.{number}, 192.0.2.1");
            ask(&site, &forwarded, &format!("guess-{number}")).expect(401);
        }
        ask(&site, "198.51.100.99, 192.0.2.1", "guess-10").expect(429);
        ask(&site, "192.0.2.2", "alice-pw").expect(others);
    }
}

/// A push with a stale password comes with it dozens of times: it has guessed once.
#[test]
fn the_same_wrong_password_counts_once() {
    for mode in Mode::BOTH {
        let site = Site::new(mode);
        for _ in 0..60 {
            guess(&site, mode, "alice", "stale").expect(401);
        }
        guess(&site, mode, "alice", "alice-pw").expect(200);
    }
}

/// However a name is spelled, it is not another guesser; and what can't be read is no guess.
#[test]
fn c7_spellings_count_together_and_noise_not_at_all() {
    for mode in Mode::BOTH {
        let site = Site::new(mode);
        for _ in 0..30 {
            match mode {
                Mode::Htpasswd => site.get("/v2/", "Basic !!!").expect(401),
                Mode::Token => site.token_answer("", Some("Basic !!!")).expect(401),
            };
        }
        let names = ["Alice", "ALICE", "alice ", " alice", "alice\t", "alice\0", "a lice", "alicE", "aLice", "alIce"];
        for name in names {
            guess(&site, mode, name, "alice-pw").expect(401);
        }
        guess(&site, mode, "alice", "alice-pw").expect(429);
    }
}

/// Tokens are not guessed: a bad one costs nothing, and nobody is kept out for it.
#[test]
fn b12_bad_tokens_are_no_guesses() {
    let site = Site::new(Mode::Token);
    let good = site.bearer(Some("alice"), &[]);
    for number in 0..50 {
        site.get("/v2/", &format!("{good}{number}")).expect(401);
    }
    site.get("/v2/", &good).expect(200);
    site.token_answer("", Some(&basic("alice", "alice-pw"))).expect(200);
}

/// An identity token is a secret like a password, so guessing at it counts.
#[test]
fn identity_tokens_are_not_guessed_for_ever() {
    let site = Site::of(
        "[auth]\nmode = \"token\"\n[auth.token]\nidentity_tokens = true\n[auth.htpasswd]\npath = \"DIRECTORY/htpasswd\"\n",
    );
    let form =
        |number: usize| [("grant_type", "refresh_token".to_owned()), ("refresh_token", format!("wharf_{number}"))];
    let ask = |number| send(site.http().request(Method::POST, "/token").form(&form(number)));
    for number in 0..10 {
        ask(number).expect(401);
    }
    ask(10).expect(429);
}

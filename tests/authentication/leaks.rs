//! Secrets stay out of what is written: the log at its most talkative, and every answer.

use std::{
    io,
    sync::{Arc, Mutex},
};

use reqwest::Method;
use tracing_subscriber::fmt::MakeWriter;

use crate::{
    raw::exchange,
    site::{Mode, Site, basic, write_users},
    support::image::Image,
};

/// All that is logged, as bytes.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

/// Other tests write into it as well, which does no harm: their secrets are not looked for.
fn log() -> &'static Log {
    static LOG: std::sync::OnceLock<Log> = std::sync::OnceLock::new();
    LOG.get_or_init(|| {
        let log = Log::default();
        let subscriber =
            tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false).with_writer(log.clone());
        subscriber.json().init();
        log
    })
}

const CANARY: &str = "canary7f3a91";

#[test]
fn j1_no_secret_in_any_log_or_answer() {
    let log = log();
    let mut secrets = vec![format!("{CANARY}-pw"), CANARY.to_owned() + "-wrong"];
    let mut said = Vec::new();
    for mode in Mode::BOTH {
        let site = Site::with(mode, "");
        write_users(&site.path("htpasswd"), &[CANARY]);
        site.reload_rules(mode, "");
        let user = site.user(CANARY);
        user.push("x", "1", &Image::new(1, "amd64"));
        user.get("/v2/x/manifests/1").expect(200);
        let (right, wrong) = (basic(CANARY, &secrets[0]), basic(CANARY, &secrets[1]));
        let requests = [
            site.get("/v2/", &wrong),
            site.get("/v2/", "Bearer canary7f3a91-wrong"),
            site.get(&format!("/v2/?token={}", secrets[0]), &wrong),
            site.get("/v2/x/manifests/nothing", &right),
            site.token_answer(&format!("password={}", secrets[0]), Some(&wrong)),
            site.ask(Method::POST, &format!("/token?access_token={}", secrets[0]), &right),
        ];
        said.extend(requests.into_iter().map(|answer| format!("{answer:?}")));
        secrets.extend([right, wrong].map(|value| value.trim_start_matches("Basic ").to_owned()));
        if mode == Mode::Token {
            let token = site.bearer(Some(CANARY), &["repository:x:pull"]);
            site.get("/v2/x/manifests/1", &token).expect(200);
            let token = token.trim_start_matches("Bearer ");
            site.get(&format!("/v2/x/tags/list?token={token}"), &format!("Bearer {token}x")).expect(401);
            secrets.push(token.rsplit_once('.').unwrap().1.to_owned());
            secrets.push(token.to_owned());
        }
        let hash = std::fs::read_to_string(site.path("htpasswd")).unwrap();
        secrets.push(hash.trim_end().split_once(':').unwrap().1.to_owned());
    }
    let text = log.text();
    assert!(text.contains("wharf::access") && text.contains(CANARY), "nothing was logged");
    for secret in &secrets {
        assert!(!text.contains(secret), "{secret} is in the log");
        assert!(said.iter().all(|answer| !answer.contains(secret)), "{secret} is in an answer");
    }
}

/// One line a request, whatever stands in it.
#[test]
fn j2_nothing_breaks_a_line_of_the_log() {
    let log = log();
    let site = Site::new(Mode::Htpasswd);
    let host = format!("Host: localhost:{}", site.port());
    let injection = basic("forged\n{\"level\":\"ERROR\",\"fields\":{\"forged-line\":1}}\u{1b}[31m", "x");
    for target in ["/v2/x%0aforged-line/manifests/1", "/v2/x%1b[31m/tags/list", "/v2/x/manifests/%0d%0aforged-line"] {
        let reply = exchange(
            &site,
            "GET",
            target,
            &[&host, &format!("Authorization: {injection}"), "User-Agent: \u{1b}[31mforged-line"],
        );
        assert!([400, 401].contains(&reply.status), "{reply:?}");
    }
    let text = log.text();
    for line in text.lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
        assert!(
            !line.contains('\u{1b}') && !line.starts_with("{\"level\":\"ERROR\",\"fields\":{\"forged-line\""),
            "{line}"
        );
    }
}

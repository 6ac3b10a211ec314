//! Debian's Chromium without scripts, driven by its chromedriver ([WebDriver]).
//!
//! [WebDriver]: https://www.w3.org/TR/webdriver2/

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::{Method, blocking::Client};
use serde_json::{Value, json};

use crate::support::{
    client::find,
    wait::{eventually, kill},
};

/// A key, as `WebDriver` spells it.
pub(crate) const TAB: &str = "\u{e004}";
pub(crate) const ENTER: &str = "\u{e007}";

const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with one window.
pub(crate) struct Browser {
    driver: Child,
    session: String,
    client: Client,
    origin: String,
    _home: tempfile::TempDir,
}

impl Browser {
    /// One for the pages at an origin, which runs no script of any page.
    pub(crate) fn new(origin: &str) -> Self {
        Self::start(origin, &json!({"profile.managed_default_content_settings.javascript": 2}))
    }

    /// One that runs scripts: those of a test.
    pub(crate) fn with_scripts(origin: &str) -> Self {
        Self::start(origin, &json!({}))
    }

    fn start(origin: &str, preferences: &Value) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut driver = Command::new(find("chromedriver"))
            .args(["--port=0", "--log-level=SEVERE"])
            .env("HOME", home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.map_while(Result::ok).find_map(|line| {
            let port = line.strip_prefix("ChromeDriver was started successfully on port ")?;
            Some(port.trim_end_matches('.').to_owned())
        });
        let driver_origin = format!("http://127.0.0.1:{}", port.expect("chromedriver says its port"));
        // A loaded machine takes long to start a browser.
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(180)).build().unwrap();
        let profile = format!("--user-data-dir={}", home.path().join("profile").display());
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--window-size=1200,900",
            &profile,
        ];
        let options = json!({"binary": find("chromium"), "args": arguments, "prefs": preferences});
        let capabilities = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome", "goog:chromeOptions": options, "unhandledPromptBehavior": "ignore",
        }}});
        let mut browser = Self { driver, session: String::new(), client, origin: origin.to_owned(), _home: home };
        let begun = browser.ask(&Method::POST, &format!("{driver_origin}/session"), &capabilities);
        browser.session = format!("{driver_origin}/session/{}", begun["sessionId"].as_str().unwrap());
        browser
    }

    fn ask(&self, method: &Method, url: &str, body: &Value) -> Value {
        self.try_ask(method, url, body).unwrap_or_else(|error| panic!("{url} {body}: {error}"))
    }

    fn try_ask(&self, method: &Method, url: &str, body: &Value) -> Result<Value, String> {
        let request = self.client.request(method.clone(), url);
        let request = if *method == Method::POST { request.json(body) } else { request };
        let answer = request.send().map_err(|error| error.to_string())?;
        let is_success = answer.status().is_success();
        let value = answer.json::<Value>().map_err(|error| error.to_string())?["value"].take();
        if is_success { Ok(value) } else { Err(value.to_string()) }
    }

    fn command(&self, path: &str, body: &Value) -> Value {
        self.ask(&Method::POST, &format!("{}/{path}", self.session), body)
    }

    fn read(&self, path: &str) -> Result<Value, String> {
        self.try_ask(&Method::GET, &format!("{}/{path}", self.session), &Value::Null)
    }

    /// A command of the protocol beneath.
    fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.command("goog/cdp/execute", &json!({"cmd": command, "params": parameters}))
    }

    /// Goes to a path, or to a whole URL.
    pub(crate) fn go(&self, path: &str) {
        let url = if path.starts_with('/') { format!("{}{path}", self.origin) } else { path.to_owned() };
        self.command("url", &json!({"url": url}));
    }

    /// The path and query of the page that is shown.
    pub(crate) fn path(&self) -> String {
        let url = self.read("url").unwrap();
        url.as_str().unwrap().strip_prefix(&self.origin).unwrap_or_default().to_owned()
    }

    /// Waits until the page is one at this path.
    #[track_caller]
    pub(crate) fn expect_path(&self, path: &str) {
        eventually(&format!("{path}; it is {}", self.path()), || self.path() == path);
    }

    fn element(&self, selector: &str) -> Result<String, String> {
        let found = json!({"using": "css selector", "value": selector});
        let found = self.try_ask(&Method::POST, &format!("{}/element", self.session), &found)?;
        Ok(format!("element/{}", found[ELEMENT].as_str().unwrap()))
    }

    /// Waits for an element: of the page that a click leads to, it may be that the page is not there yet.
    #[track_caller]
    fn wait_for(&self, selector: &str) -> String {
        eventually(selector, || self.element(selector).is_ok());
        self.element(selector).unwrap()
    }

    /// Whether there is such an element.
    pub(crate) fn has(&self, selector: &str) -> bool {
        self.element(selector).is_ok()
    }

    /// The text of an element, as it is seen.
    #[track_caller]
    pub(crate) fn text(&self, selector: &str) -> String {
        let element = self.wait_for(selector);
        self.read(&format!("{element}/text")).unwrap().as_str().unwrap().to_owned()
    }

    /// Waits until the page shows a text.
    #[track_caller]
    pub(crate) fn expect_text(&self, text: &str) {
        let shown = || self.element("body").and_then(|body| self.read(&format!("{body}/text")));
        eventually(&format!("{text:?} in {:?}", shown()), || {
            shown().is_ok_and(|all| all.as_str().unwrap().contains(text))
        });
    }

    #[track_caller]
    pub(crate) fn click(&self, selector: &str) {
        let element = self.wait_for(selector);
        self.command(&format!("{element}/click"), &json!({}));
    }

    /// Clicks the link with this text.
    #[track_caller]
    pub(crate) fn follow(&self, text: &str) {
        let found = self.command("element", &json!({"using": "link text", "value": text}));
        self.command(&format!("element/{}/click", found[ELEMENT].as_str().unwrap()), &json!({}));
    }

    #[track_caller]
    pub(crate) fn fill(&self, selector: &str, text: &str) {
        let element = self.wait_for(selector);
        self.command(&format!("{element}/value"), &json!({"text": text}));
    }

    /// Presses and releases keys, one after another.
    pub(crate) fn press(&self, keys: &str) {
        let actions: Vec<_> = keys
            .chars()
            .flat_map(|key| [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})])
            .collect();
        self.command("actions", &json!({"actions": [{"type": "key", "id": "keyboard", "actions": actions}]}));
    }

    /// What has the focus: its text, else its name.
    pub(crate) fn focused(&self) -> String {
        let Ok(found) = self.read("element/active") else { return String::new() };
        let element = format!("element/{}", found[ELEMENT].as_str().unwrap_or_default());
        let read = |what: &str| self.read(&format!("{element}/{what}")).ok()?.as_str().map(ToOwned::to_owned);
        read("text").filter(|text| !text.is_empty()).or_else(|| read("attribute/id")).unwrap_or_default()
    }

    /// Moves the focus with the keyboard alone to what has this text or name.
    #[track_caller]
    pub(crate) fn tab_to(&self, name: &str) {
        let mut passed = Vec::new();
        for _ in 0..60 {
            self.press(TAB);
            let focused = self.focused();
            if focused == name {
                return;
            }
            passed.push(focused);
        }
        panic!("the keyboard does not reach {name}: {passed:?}");
    }

    /// As on a screen that is this wide.
    pub(crate) fn width(&self, width: u32) {
        let metrics = json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500});
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// How wide the page is: wider than the screen, it would have to be moved to the side.
    pub(crate) fn content_width(&self) -> f64 {
        let metrics = self.devtools("Page.getLayoutMetrics", &json!({}));
        metrics["cssContentSize"]["width"].as_f64().unwrap()
    }

    /// How wide an element is.
    pub(crate) fn element_width(&self, selector: &str) -> f64 {
        let element = self.wait_for(selector);
        self.read(&format!("{element}/rect")).unwrap()["width"].as_f64().unwrap()
    }

    /// In the colours of a light or a dark desktop.
    pub(crate) fn colours(&self, scheme: &str) {
        let feature = json!({"name": "prefers-color-scheme", "value": scheme});
        self.devtools("Emulation.setEmulatedMedia", &json!({"features": [feature]}));
    }

    /// Keeps the whole page as a picture, for people.
    pub(crate) fn picture(&self, name: &str) {
        let shot = self.devtools("Page.captureScreenshot", &json!({"captureBeyondViewport": true}));
        let directory = pictures();
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(format!("{name}.png")), STANDARD.decode(shot["data"].as_str().unwrap()).unwrap())
            .unwrap();
    }

    /// The result of a script of a test, which calls its last argument with it.
    pub(crate) fn evaluate(&self, script: &str) -> Value {
        self.command("execute/async", &json!({"script": script, "args": []}))
    }
}

/// Where the pictures are kept.
fn pictures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/ui-pictures")
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser ends with its session, and its driver after it.
        if !self.session.is_empty() {
            let _ = self.try_ask(&Method::DELETE, &self.session, &Value::Null);
        }
        kill(&mut self.driver);
    }
}

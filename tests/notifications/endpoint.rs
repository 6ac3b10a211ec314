//! An endpoint that notes what it is sent.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::support::{
    server::{Launch, Program},
    wait::eventually,
};

/// What an endpoint does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// It answers with this status, and notes the request if that is an acceptance.
    Answers(u16),
    /// It closes the connection.
    HangsUp,
    /// It takes the request and says nothing.
    IsSilent,
    /// It answers with 200 and a body that does not end.
    NeverEnds,
}

/// A request that was accepted.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The one event.
    pub(crate) fn event(&self) -> Value {
        let envelope: Value = serde_json::from_slice(&self.body).unwrap();
        let events = envelope["events"].as_array().unwrap();
        assert_eq!(events.len(), 1, "{envelope}");
        events[0].clone()
    }
}

struct State {
    mood: Mood,
    received: Vec<Received>,
}

/// An endpoint. It listens for as long as the test program runs.
#[derive(Clone)]
pub(crate) struct Endpoint {
    port: u16,
    state: Arc<Mutex<State>>,
}

impl Endpoint {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State { mood: Mood::Answers(200), received: Vec::new() }));
        let endpoint = Self { port, state };
        let this = endpoint.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let this = this.clone();
                thread::spawn(move || this.serve(stream.unwrap()));
            }
        });
        endpoint
    }

    pub(crate) fn set(&self, mood: Mood) {
        self.state.lock().unwrap().mood = mood;
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// wharf, a registry:2 or a registry:3 that reports to this endpoint; `more` are further fields of its settings.
    pub(crate) fn launch(&self, program: Program, root: &std::path::Path, more: &str) -> Launch {
        let endpoint = format!("{{name: hook, url: '{}', backoff: 100ms, threshold: 2{more}}}", self.url());
        let notifications = format!("{{events: {{includereferences: true}}, endpoints: [{endpoint}]}}");
        Launch::new(program, root).set("REGISTRY_NOTIFICATIONS", &notifications)
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.state.lock().unwrap().received.clone()
    }

    /// The events that were accepted, each once, in the order of their first arrival.
    pub(crate) fn events(&self) -> Vec<Value> {
        let mut events: Vec<Value> = Vec::new();
        for event in self.received().iter().map(Received::event) {
            if !events.iter().any(|other| other["id"] == event["id"]) {
                events.push(event);
            }
        }
        events
    }

    /// Waits for so many different events; all of them.
    #[track_caller]
    pub(crate) fn expect(&self, count: usize) -> Vec<Value> {
        eventually(&format!("{count} events, of {}", self.events().len()), || self.events().len() >= count);
        let events = self.events();
        assert_eq!(events.len(), count, "{events:#?}");
        events
    }

    /// Answers the requests of a connection.
    fn serve(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream);
        while let Some(received) = read(&mut reader) {
            let mood = self.state.lock().unwrap().mood;
            match mood {
                Mood::HangsUp => return,
                Mood::IsSilent => {
                    // Until the other side has enough.
                    let _ = reader.get_ref().set_read_timeout(Some(Duration::from_secs(60)));
                    let _ = reader.read(&mut [0]);
                    return;
                }
                Mood::NeverEnds => {
                    self.state.lock().unwrap().received.push(received);
                    let head = b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n";
                    let _ = reader.get_mut().write_all(head);
                    let _ = reader.get_ref().set_read_timeout(Some(Duration::from_secs(60)));
                    let _ = reader.read(&mut [0]);
                    return;
                }
                Mood::Answers(status) => {
                    if status < 400 {
                        self.state.lock().unwrap().received.push(received);
                    }
                    let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 2\r\nLocation: /x\r\n\r\nok");
                    if reader.get_mut().write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            }
        }
    }
}

/// Reads a request; `None` at the end of the connection.
fn read(reader: &mut BufReader<TcpStream>) -> Option<Received> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|len| *len > 0)?;
    // As a proxy it gets the whole URL.
    assert!(line.starts_with("POST ") && line.trim_end().ends_with("/hook HTTP/1.1"), "{line}");
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|len| *len > 0)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.push((name.to_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").unwrap().1.parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Received { headers, body })
}

/// The action, the repository and the tag or the digest of an event.
pub(crate) fn named(event: &Value) -> (String, String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let target = &event["target"];
    let name = if target["tag"].is_string() { &target["tag"] } else { &target["digest"] };
    (text(&event["action"]), text(&target["repository"]), text(name))
}

//! An answer of a server, read to its end.

use bytes::Bytes;
use reqwest::{RequestBuilder, header::HeaderMap};
use serde_json::Value;

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, body: response.bytes().await.unwrap() }
    }

    /// The one value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let values = self.all(name);
        assert!(values.len() <= 1, "{name} is there {} times", values.len());
        values.first().copied()
    }

    /// The one value of a header; empty if there is none.
    pub(crate) fn value(&self, name: &str) -> &str {
        self.header(name).unwrap_or_default()
    }

    /// All values of a header.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
    }

    /// The path of the next page, if there is one.
    pub(crate) fn next(&self) -> Option<String> {
        let link = self.header("link")?;
        let path = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\""));
        Some(path.unwrap_or_else(|| panic!("{link}")).to_owned())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The code of an error, which must have the form that clients read.
    pub(crate) fn code(&self) -> String {
        assert!(self.status >= 400, "no error: {self:?}");
        assert!(self.value("content-type").starts_with("application/json"), "{self:?}");
        let body = self.json();
        let errors = body["errors"].as_array().unwrap_or_else(|| panic!("{self:?}"));
        assert!(errors.iter().all(|error| error["code"] == errors[0]["code"]), "{self:?}");
        // Of what a manifest refers to and is missing, there is one for each.
        assert!(errors.len() == 1 || errors[0]["code"] == "MANIFEST_BLOB_UNKNOWN", "{self:?}");
        assert!(errors[0]["message"].as_str().is_some_and(|message| !message.is_empty()), "{self:?}");
        errors[0]["code"].as_str().unwrap_or_else(|| panic!("{self:?}")).to_owned()
    }

    /// Status and code of an error together.
    pub(crate) fn refusal(&self) -> (u16, String) {
        (self.status, self.code())
    }

    /// Fails, saying what came, unless the status is the one.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// Fails unless this is the refusal with this status and code.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) {
        assert_eq!(self.refusal(), (status, code.to_owned()), "{self:?}");
    }
}

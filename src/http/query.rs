//! The parameters after the `?`.

use actix_web::HttpRequest;
use url::form_urlencoded;

use super::HttpError;

/// The parameters of a request, decoded. One that is read as a single value must not be there twice: a check and the
/// work that it guards could then mean different ones.
#[derive(Debug)]
pub struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(raw: &str) -> Self {
        Self(form_urlencoded::parse(raw.as_bytes()).into_owned().collect())
    }

    /// The parameters of a request: those of its query, and before them those that a client appended to the path of an
    /// upload with `&`. Some clients know only registries whose `Location` has a query.
    pub(crate) fn of(request: &HttpRequest) -> Self {
        let appended = request.path().rsplit('/').next().and_then(|last| last.split_once('&')).map(|(_, query)| query);
        Self::parse(&[appended.unwrap_or_default(), request.query_string()].join("&"))
    }

    /// Whether a parameter is there.
    pub(crate) fn has(&self, parameter: &'static str) -> bool {
        self.all(parameter).next().is_some()
    }

    /// The value of a parameter that may be there once.
    ///
    /// # Errors
    /// [`HttpError::Ambiguous`] if it is there more than once.
    pub(crate) fn one(&self, parameter: &'static str) -> Result<Option<&str>, HttpError> {
        let mut values = self.all(parameter);
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => Err(HttpError::Ambiguous { parameter }),
        }
    }

    /// All values of a parameter, in their order.
    pub(crate) fn all<'a>(&'a self, parameter: &'static str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(name, _)| name == parameter).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    #[test]
    fn d8_a_parameter_that_means_one_thing_is_not_there_twice() {
        let query = Query::parse("mount=x&from=b&from=a&tag=1&tag=2");
        assert_eq!(query.one("mount").unwrap(), Some("x"));
        assert_eq!(query.one("digest").unwrap(), None);
        assert!(matches!(query.one("from"), Err(HttpError::Ambiguous { parameter: "from" })));
        assert_eq!(query.all("tag").collect::<Vec<_>>(), ["1", "2"]);
    }

    #[test]
    fn escapes_are_of_text() {
        assert_eq!(Query::parse("digest=sha256%3Aab").one("digest").unwrap(), Some("sha256:ab"));
        assert_eq!(Query::parse("from=a%00").one("from").unwrap(), Some("a\0"));
        assert_eq!(Query::parse("from=%ff").one("from").unwrap(), Some("\u{fffd}"));
    }
}

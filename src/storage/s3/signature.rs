//! AWS Signature Version 4, in the headers of a request.

use std::{collections::BTreeMap, time::SystemTime};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};

use super::settings::Credentials;
use crate::oci::{Algorithm, Digest};

const TIMESTAMP: &[BorrowedFormatItem] = format_description!("[year][month][day]T[hour][minute][second]Z");
const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The parts of a request that are signed.
pub(super) struct Signed<'a> {
    pub(super) method: &'a str,
    /// The path, percent-encoded.
    pub(super) path: &'a str,
    /// The query, percent-encoded, in byte order.
    pub(super) query: &'a str,
    /// The headers, with names in lower case.
    pub(super) headers: &'a BTreeMap<&'static str, String>,
    /// The SHA-256 of the body, in hex.
    pub(super) body: &'a str,
}

/// A moment in the form of `x-amz-date`.
pub(super) fn timestamp(moment: SystemTime) -> String {
    OffsetDateTime::from(moment).format(TIMESTAMP).unwrap_or_default()
}

/// The SHA-256 of `bytes`, in hex.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Digest::of(Algorithm::Sha256, bytes).hex().to_string()
}

impl Signed<'_> {
    /// The value of `Authorization`, at `timestamp`.
    pub(super) fn authorization(&self, credentials: &Credentials, region: &str, timestamp: &str) -> String {
        let names: Vec<&str> = self.headers.keys().copied().collect();
        let names = names.join(";");
        let headers = self.headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim()));
        let headers = headers.collect::<Vec<_>>().concat();
        let Self { method, path, query, body, .. } = self;
        let canonical = format!("{method}\n{path}\n{query}\n{headers}\n{names}\n{body}");
        let day = timestamp.split('T').next().unwrap_or_default();
        let scope = format!("{day}/{region}/s3/aws4_request");
        let text = format!("{ALGORITHM}\n{timestamp}\n{scope}\n{}", sha256(canonical.as_bytes()));
        let first = format!("AWS4{}", credentials.secret_key).into_bytes();
        let key = [day, region, "s3", "aws4_request"].iter().fold(first, |key, part| mac(&key, part));
        let signature = hex::encode(mac(&key, &text));
        format!("{ALGORITHM} Credential={}/{scope},SignedHeaders={names},Signature={signature}", credentials.access_key)
    }
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = <Hmac<Sha256>>::new_from_slice(key).unwrap_or_else(|_| unreachable!("HMAC takes keys of any length"));
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test")]

    use super::*;

    /// The examples of the [S3 API reference], with their keys.
    ///
    /// [S3 API reference]: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
    #[test]
    fn requests_are_signed_as_the_reference_does_it() {
        let credentials = Credentials {
            access_key: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            session_token: None,
        };
        let nothing = sha256(b"");
        let rows = [
            (
                ("/test.txt", "", Some(("range", "bytes=0-9"))),
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            ),
            (("/", "lifecycle=", None), "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
            (("/", "max-keys=2&prefix=J", None), "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
        ];
        for ((path, query, more), expected) in rows {
            let host = ("host", "examplebucket.s3.amazonaws.com");
            let amz = [("x-amz-content-sha256", nothing.as_str()), ("x-amz-date", "20130524T000000Z")];
            let headers: Vec<_> = [host].into_iter().chain(more).chain(amz).collect();
            let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
            let signed = Signed { method: "GET", path, query, headers: &headers, body: &nothing };
            let authorization = signed.authorization(&credentials, "us-east-1", "20130524T000000Z");
            assert!(authorization.ends_with(&format!("Signature={expected}")), "{path}?{query}: {authorization}");
        }
    }
}

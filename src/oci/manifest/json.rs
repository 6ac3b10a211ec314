//! JSON as a manifest may have it: nothing twice, nothing too deep or too many, and errors that name the field.

use std::{borrow::Cow, collections::BTreeMap, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::InvalidManifest;

/// How many fields of an object and how many elements of a list are read, so that a small body never takes much memory.
pub(super) const MAX_ENTRIES: usize = 10_000;

/// An object whose fields are not yet read.
pub(super) struct Object<'a> {
    /// Where it stands in the body; empty for the body itself.
    path: String,
    fields: BTreeMap<Cow<'a, str>, &'a RawValue>,
}

/// Reads a whole body, which must be one object.
pub(super) fn document(bytes: &[u8]) -> Result<Object<'_>, InvalidManifest> {
    let text = std::str::from_utf8(bytes).map_err(|_invalid| InvalidManifest("the body is not UTF-8".into()))?;
    if text.starts_with('\u{feff}') {
        return Err(InvalidManifest("the body starts with a byte order mark".into()));
    }
    // Values that are skipped later are examined only here: `RawValue` checks neither depth nor the range of numbers.
    serde_json::from_str::<WellFormed>(text)
        .map_err(|error| InvalidManifest(format!("the body is not JSON that can be read: {error}")))?;
    Object::read(text, String::new())
}

impl<'a> Object<'a> {
    fn read(text: &'a str, path: String) -> Result<Self, InvalidManifest> {
        let whole = if path.is_empty() { "the body" } else { &path };
        if !text.trim_ascii_start().starts_with('{') {
            return Err(InvalidManifest(format!("{whole} is not a JSON object")));
        }
        let Fields(fields) = serde_json::from_str(text)
            .map_err(|error| InvalidManifest(format!("{whole} can't be read: {}", reason(&error))))?;
        Ok(Self { path, fields })
    }

    /// The field as an error names it.
    pub(super) fn path_of(&self, field: &str) -> String {
        let field = shortened(field);
        if self.path.is_empty() { field } else { format!("{}.{field}", self.path) }
    }

    /// The names of all fields that are not `null`.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().filter(|(_name, value)| value.get() != "null").map(|(name, _value)| name.as_ref())
    }

    /// The field's text; `None` if there is no such field, or it is `null`: to most clients' languages that is the
    /// same.
    fn raw(&self, field: &str) -> Option<&'a str> {
        self.fields.get(field).map(|value| value.get()).filter(|text| *text != "null")
    }

    /// Whether there is such a field, and it is not `null`.
    pub(super) fn has(&self, field: &str) -> bool {
        self.raw(field).is_some()
    }

    /// Whether there is such a field, `null` or not.
    pub(super) fn has_even_null(&self, field: &str) -> bool {
        self.fields.contains_key(field)
    }

    /// A field that may be absent, of a form that `what` tells the client.
    pub(super) fn optional<T: DeserializeOwned>(&self, field: &str, what: &str) -> Result<Option<T>, InvalidManifest> {
        let value = self.raw(field).map(serde_json::from_str).transpose();
        value.map_err(|_error| InvalidManifest(format!("{} is not {what}", self.path_of(field))))
    }

    /// A field that must be there.
    pub(super) fn required<T: DeserializeOwned>(&self, field: &str, what: &str) -> Result<T, InvalidManifest> {
        self.optional(field, what)?.ok_or_else(|| InvalidManifest(format!("{} is missing", self.path_of(field))))
    }

    /// A field whose text has a grammar of its own.
    pub(super) fn parsed<T>(&self, field: &str) -> Result<T, InvalidManifest>
    where
        T: std::str::FromStr<Err: fmt::Display>,
    {
        let text: String = self.required(field, "a string")?;
        text.parse().map_err(|error| InvalidManifest(format!("{}: {error}", self.path_of(field))))
    }

    /// A field of strings by name.
    pub(super) fn texts(&self, field: &str) -> Result<BTreeMap<String, String>, InvalidManifest> {
        let Some(object) = self.object(field)? else { return Ok(BTreeMap::new()) };
        let names = object.names().map(ToOwned::to_owned);
        names.map(|name| Ok((name.clone(), object.required(&name, "a string")?))).collect()
    }

    /// A field that is an object.
    pub(super) fn object(&self, field: &str) -> Result<Option<Object<'a>>, InvalidManifest> {
        self.raw(field).map(|text| Object::read(text, self.path_of(field))).transpose()
    }

    /// Whether the field is a list; `false` also where there is none.
    pub(super) fn has_list(&self, field: &str) -> bool {
        self.raw(field).is_some_and(|text| text.starts_with('['))
    }

    /// A field that is a list of objects, each of which may still fail by itself.
    pub(super) fn objects(&self, field: &str) -> Result<Vec<Result<Object<'a>, InvalidManifest>>, InvalidManifest> {
        let path = self.path_of(field);
        let Some(text) = self.raw(field) else { return Ok(Vec::new()) };
        if !self.has_list(field) {
            return Err(InvalidManifest(format!("{path} is not a list")));
        }
        let Elements(elements) = serde_json::from_str(text)
            .map_err(|error| InvalidManifest(format!("{path} can't be read: {}", reason(&error))))?;
        let elements = elements.into_iter().enumerate();
        Ok(elements.map(|(index, element)| Object::read(element.get(), format!("{path}[{index}]"))).collect())
    }
}

/// The error without its line and column, which would be those within the field.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split_once(" at line ").map_or(text.clone(), |(reason, _position)| reason.to_owned())
}

/// The fields of an object, none of them twice.
struct Fields<'a>(BTreeMap<Cow<'a, str>, &'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;
        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = BTreeMap<Cow<'de, str>, &'de RawValue>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = BTreeMap::new();
                while let Some(Name(name)) = map.next_key()? {
                    if fields.contains_key(&name) {
                        return Err(A::Error::custom(format_args!("the field {:?} is there twice", shortened(&name))));
                    }
                    if fields.len() == MAX_ENTRIES {
                        return Err(A::Error::custom(format_args!("there are more than {MAX_ENTRIES} fields")));
                    }
                    fields.insert(name, map.next_value()?);
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(FieldsVisitor).map(Self)
    }
}

/// As much of a client's text as an error repeats.
pub(super) fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}

/// The name of a field, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// The elements of a list, not too many.
struct Elements<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Elements<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ElementsVisitor<'a>(PhantomData<&'a RawValue>);
        impl<'de> Visitor<'de> for ElementsVisitor<'de> {
            type Value = Vec<&'de RawValue>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = seq.next_element()? {
                    if elements.len() == MAX_ENTRIES {
                        return Err(A::Error::custom(format_args!("there are more than {MAX_ENTRIES} elements")));
                    }
                    elements.push(element);
                }
                Ok(elements)
            }
        }
        deserializer.deserialize_seq(ElementsVisitor(PhantomData)).map(Self)
    }
}

/// Any JSON, read through to its depth and thrown away.
struct WellFormed;

impl<'de> Deserialize<'de> for WellFormed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for WellFormed {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _value: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _value: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _value: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _value: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _value: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self, A::Error> {
        while seq.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        // A name is a string, whatever it says, and the check of escapes in strings comes with `WellFormed` as its
        // type.
        while map.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}

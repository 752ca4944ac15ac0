//! One thing that the CRM can be asked: method, path, parameters and body as templates, and how the answer differs.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

use super::answer::Answer;
use super::paging::Paging;
use super::template::{Hole, HoleName, Part, Template};

/// One thing that the CRM can be asked.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Table")]
pub struct Operation {
    /// How.
    pub method: Method,
    /// Where, below the base address.
    pub path: Path,
    /// What stands behind the `?`.
    pub query: BTreeMap<String, Parameter>,
    /// Further headers.
    pub headers: BTreeMap<String, Template>,
    /// What is posted.
    pub body: Option<Body>,
    /// What differs from `[answer]`.
    pub answer: Option<Answer>,
    /// What differs from `[paging]`.
    pub paging: Option<Paging>,
    /// The CRM can't be told what to send here, so it sends more than is wanted.
    pub over_shares: bool,
    /// Whether the answer has records, or ids to be fetched one by one.
    pub gives: Gives,
}

/// How something is asked. An operation has no method that changes or deletes by its meaning; only [`super::plant::Write`] has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET
    Get,
    /// POST to an address that reads, or to the one declared activity.
    Post,
    /// PUT, for [`super::plant`] only.
    Put,
    /// PATCH, for [`super::plant`] only.
    Patch,
    /// DELETE, for [`super::plant`] only.
    Delete,
}

impl Method {
    /// The word of HTTP.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// What an answer lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gives {
    /// Records.
    #[default]
    Records,
    /// Ids; `records` points at their list, or at the list of objects that have them.
    Ids,
}

/// A path below the base address: segments, each a template.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Path(Vec<Template>);

/// A parameter of a query or form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parameter {
    /// A text.
    Text(Template),
    /// JSON as text.
    Json(Tree),
    /// JSON as text in base64 (RFC 4648, section 4).
    Base64Json(Tree),
}

/// What is posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// JSON.
    Json(Tree),
    /// `application/x-www-form-urlencoded`
    Form(BTreeMap<String, Parameter>),
}

/// JSON whose strings are templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tree {
    /// A string, or the typed value of the hole that is the whole of it.
    Text(Template),
    /// A whole number.
    Number(i64),
    /// True or false.
    Flag(bool),
    /// A list.
    List(Vec<Tree>),
    /// An object.
    Table(BTreeMap<String, Tree>),
}

/// An operation as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    get: Option<Path>,
    post: Option<Path>,
    #[serde(default)]
    query: BTreeMap<String, Parameter>,
    #[serde(default)]
    headers: BTreeMap<String, Template>,
    json: Option<Tree>,
    form: Option<BTreeMap<String, Parameter>>,
    answer: Option<Answer>,
    paging: Option<Paging>,
    #[serde(default)]
    over_shares: bool,
    #[serde(default)]
    gives: Gives,
}

impl TryFrom<Table> for Operation {
    type Error = String;

    fn try_from(table: Table) -> Result<Self, Self::Error> {
        let (method, path) = match (table.get, table.post) {
            (Some(path), None) => (Method::Get, path),
            (None, Some(path)) => (Method::Post, path),
            _ => {
                return Err("an operation says `get = \"/path\"` or `post = \"/path\"`; the bridge has no other method"
                    .to_owned());
            }
        };
        let body = match (table.json, table.form) {
            (None, None) => None,
            (Some(tree), None) => Some(Body::Json(tree)),
            (None, Some(form)) => Some(Body::Form(form)),
            (Some(_), Some(_)) => return Err("a body is `json` or `form`, not both".to_owned()),
        };
        if method == Method::Get && body.is_some() {
            return Err("`get` has no body; did you mean `post`?".to_owned());
        }
        Ok(Self {
            method,
            path,
            query: table.query,
            headers: table.headers,
            body,
            answer: table.answer,
            paging: table.paging,
            over_shares: table.over_shares,
            gives: table.gives,
        })
    }
}

/// Where in a request a template stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spot {
    /// A segment of the path.
    Path,
    /// A parameter of query or form.
    Parameter,
    /// A string in JSON.
    Json,
    /// A header.
    Header,
}

impl Operation {
    /// All templates with their place, the names of the place for messages among them.
    #[must_use]
    pub fn templates(&self) -> Vec<(Spot, &Template)> {
        let mut all: Vec<(Spot, &Template)> =
            self.path.segments().iter().map(|segment| (Spot::Path, segment)).collect();
        all.extend(self.headers.values().map(|value| (Spot::Header, value)));
        self.query.values().for_each(|parameter| parameter.templates(&mut all));
        match &self.body {
            Some(Body::Json(tree)) => tree.templates(&mut all),
            Some(Body::Form(form)) => form.values().for_each(|parameter| parameter.templates(&mut all)),
            None => {}
        }
        all
    }

    /// Whether that hole stands somewhere.
    #[must_use]
    pub fn has(&self, name: &HoleName) -> bool {
        self.holes().any(|hole| hole.name == *name)
    }

    /// All holes.
    pub fn holes(&self) -> impl Iterator<Item = &Hole> {
        self.templates().into_iter().flat_map(|(_, template)| {
            template.parts().iter().filter_map(|part| match part {
                Part::Hole(hole) => Some(hole),
                Part::Text(_) => None,
            })
        })
    }
}

impl Parameter {
    fn templates<'a>(&'a self, all: &mut Vec<(Spot, &'a Template)>) {
        match self {
            Self::Text(template) => all.push((Spot::Parameter, template)),
            Self::Json(tree) | Self::Base64Json(tree) => tree.templates(all),
        }
    }
}

impl Tree {
    fn templates<'a>(&'a self, all: &mut Vec<(Spot, &'a Template)>) {
        match self {
            Self::Text(template) => all.push((Spot::Json, template)),
            Self::Number(_) | Self::Flag(_) => {}
            Self::List(items) => items.iter().for_each(|item| item.templates(all)),
            Self::Table(members) => members.values().for_each(|member| member.templates(all)),
        }
    }
}

impl Path {
    /// The segments.
    #[must_use]
    pub fn segments(&self) -> &[Template] {
        &self.0
    }

    /// Reads a path.
    ///
    /// # Errors
    /// A sentence, if it could lead elsewhere than below the base address.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fault = || {
            format!(
                "`{text}`: a path begins with `/`, has plain segments and holes, and neither `..`, `*`, `?` nor a host"
            )
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-~()$@:=',".contains(c);
        let rest = text.strip_prefix('/').ok_or_else(fault)?;
        let mut segments = Vec::new();
        for segment in rest.split('/') {
            let template = Template::parse(segment)?;
            let well_formed = template.parts().iter().all(|part| match part {
                Part::Text(text) => text.chars().all(plain),
                Part::Hole(_) => true,
            });
            let last_of_root = rest.is_empty();
            let is_dots = matches!(segment, "." | "..");
            // A slash at the end makes an empty last segment, which some CRMs insist on.
            let empty_inside = segment.is_empty() && !last_of_root && !rest.ends_with('/');
            if !well_formed || is_dots || empty_inside {
                return Err(fault());
            }
            segments.push(template);
        }
        if segments.iter().rev().skip(1).any(Template::is_empty) {
            return Err(fault());
        }
        Ok(Self(segments))
    }
}

impl<'de> Deserialize<'de> for Path {
    fn deserialize<D: Deserializer<'de>>(toml: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(toml)?).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Parameter {
    fn deserialize<D: Deserializer<'de>>(toml: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        struct Wrapped {
            json: Option<Tree>,
            base64_json: Option<Tree>,
        }
        struct OneOf;
        impl<'de> Visitor<'de> for OneOf {
            type Value = Parameter;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a whole number, true, false, { json = … } or { base64-json = … }")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Parameter, E> {
                Template::parse(text).map(Parameter::Text).map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Parameter, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Parameter, E> {
                self.visit_str(if flag { "true" } else { "false" })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Parameter, A::Error> {
                let wrapped = Wrapped::deserialize(MapAccessDeserializer::new(map))?;
                match (wrapped.json, wrapped.base64_json) {
                    (Some(tree), None) => Ok(Parameter::Json(tree)),
                    (None, Some(tree)) => Ok(Parameter::Base64Json(tree)),
                    _ => Err(de::Error::custom("a parameter is a text, { json = … } or { base64-json = … }")),
                }
            }
        }
        toml.deserialize_any(OneOf)
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(toml: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Tree;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a whole number, true, false, a list or a table")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Tree, E> {
                Template::parse(text).map(Tree::Text).map_err(E::custom)
            }

            fn visit_i64<E>(self, number: i64) -> Result<Tree, E> {
                Ok(Tree::Number(number))
            }

            fn visit_bool<E>(self, flag: bool) -> Result<Tree, E> {
                Ok(Tree::Flag(flag))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(Tree::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, member)) = map.next_entry()? {
                    members.insert(name, member);
                }
                Ok(Tree::Table(members))
            }
        }
        toml.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_below_the_base_address() {
        for path in [
            "/a/b",
            "/contacts({id})",
            "/{database}/rest/model/party.party/{id}",
            "/rpc/",
            "/rest/{user}/{secret}/crm.contact.get.json",
        ] {
            assert!(Path::parse(path).is_ok(), "{path}");
        }
        for path in [
            "a",
            "",
            "//elsewhere.example/",
            "https://elsewhere.example/",
            "/a/../b",
            "/a?x=1",
            "/*",
            "/a b",
            "/a//b",
            "/a#b",
            "/./a",
            "/a%2e",
            "/a\\b",
        ] {
            assert!(Path::parse(path).is_err(), "{path}");
        }
    }

    #[test]
    fn an_operation_only_reads() {
        let error = toml::from_str::<Operation>("delete = \"/x\"").unwrap_err();
        assert!(error.message().contains("unknown field `delete`"), "{error}");
        assert!(
            toml::from_str::<Operation>("get = \"/x\"\njson = {}").unwrap_err().message().contains("post")
        );
        assert!(toml::from_str::<Operation>("get = \"/x\"\npost = \"/x\"").is_err());
    }
}

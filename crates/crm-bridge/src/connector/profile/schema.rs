//! The JSON schema of profiles (draft 2020-12), for editors. A test compares its keys with those that the reader knows.

mod plant;
mod webhook;

use serde_json::{Map, Value, json};

/// The schema.
#[must_use]
pub fn schema() -> Value {
    let mut root = object(ROOT, &["profile", "auth", "person"]);
    let defs: Map<String, Value> = TABLES
        .iter()
        .chain(plant::TABLES)
        .chain(webhook::TABLES)
        .map(|(name, keys, required)| ((*name).to_owned(), object(keys, required)))
        .collect();
    let mut defs = Value::Object(defs);
    if let Some(all) = defs.as_object_mut() {
        all.extend(shapes());
    }
    if let Some(root) = root.as_object_mut() {
        root.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        root.insert("title".to_owned(), json!("Guichet connector profile, grammar 2"));
        root.insert("$defs".to_owned(), defs);
    }
    root
}

/// A key, what may stand there, and what it is for.
type Key = (&'static str, Kind, &'static str);
/// A table: its name, its keys, and those that must be there.
type Table = (&'static str, &'static [Key], &'static [&'static str]);

/// What may stand behind a key.
#[derive(Clone, Copy)]
enum Kind {
    /// One of the tables or shapes.
    Is(&'static str),
    /// A list of them.
    List(&'static str),
    /// Names of the author's choice, each with one of them.
    Named(&'static str),
    /// One of these words.
    Word(&'static [&'static str]),
    Text,
    Texts,
    Flag,
    Whole,
    Statuses,
}

impl Kind {
    fn schema(self) -> Value {
        let reference = |name: &str| json!({ "$ref": format!("#/$defs/{name}") });
        match self {
            Self::Is(name) => reference(name),
            Self::List(name) => json!({ "type": "array", "items": reference(name) }),
            Self::Named(name) => json!({ "type": "object", "additionalProperties": reference(name) }),
            Self::Word(words) => json!({ "enum": words }),
            Self::Text => json!({ "type": "string" }),
            Self::Texts => json!({ "type": "array", "items": { "type": "string" } }),
            Self::Flag => json!({ "type": "boolean" }),
            Self::Whole => json!({ "type": "integer", "minimum": 0 }),
            Self::Statuses => {
                json!({ "type": "array", "items": { "type": "integer", "minimum": 200, "maximum": 599 } })
            }
        }
    }
}

fn object(keys: &[Key], required: &[&str]) -> Value {
    let properties: Map<String, Value> = keys
        .iter()
        .map(|(key, kind, description)| {
            let mut schema = kind.schema();
            if let Some(schema) = schema.as_object_mut() {
                schema.insert("description".to_owned(), json!(description));
            }
            ((*key).to_owned(), schema)
        })
        .collect();
    json!({ "type": "object", "additionalProperties": false, "properties": properties, "required": required })
}

use Kind::{Flag, Is, List, Named, Statuses, Text, Texts, Whole, Word};

const ROOT: &[Key] = &[
    ("profile", Is("head"), "Name, title, and what is verified how"),
    ("settings", Named("text"), "What the administrator fills in under [crm.settings]: name and description"),
    ("host", Is("host"), "Which hosts"),
    ("auth", Is("auth"), "How the bridge proves who it is"),
    ("time", Is("time"), "How times are written"),
    ("select", Is("select"), "How wanted members are named"),
    ("limits", Is("limits"), "How often the CRM may be asked"),
    ("answer", Is("answer"), "Where things are in answers"),
    ("paging", Is("paging"), "How lists are cut into pages"),
    ("person", Is("person"), "Where people are"),
    ("company", Is("company"), "Where their organisations are"),
    ("webhook", Is("webhook"), "What the CRM may send by itself"),
    ("metadata", Is("metadata"), "What the CRM's fields are called"),
    ("probe", Is("operation"), "A cheap request to see whether all is well"),
    ("activity", Is("operation"), "The one request that writes: what happened to a ticket"),
    ("deny", Is("deny"), "What this CRM has that support must never see"),
    ("plant", Is("plant"), "How `crm-bridge prove` puts markers into a sandbox of the CRM"),
];

const FORMATS: Kind = Word(&["rfc3339", "date-time", "unix-s", "unix-ms", "typed-object", "compact"]);
const HASHES: Kind = Word(&["sha1", "sha256", "sha512"]);

const TABLES: &[Table] = &[
    (
        "head",
        &[
            ("name", Text, "Lower-case letters, digits and `-`"),
            ("title", Text, "Name of the CRM, for people"),
            ("grammar", Whole, "Version of the grammar: 2"),
            ("run", Texts, "What was run against the real CRM"),
            ("source", Texts, "What was read in the CRM's source"),
            ("documentation", Texts, "What is from documentation only"),
            ("known", Texts, "What is common knowledge and to be checked"),
            ("rights", Text, "Which rights the bridge's user in the CRM should have"),
            ("sensitive_prefixes", Texts, "Beginnings of member names that are always sensitive here"),
        ],
        &["name", "title", "grammar"],
    ),
    (
        "host",
        &[
            ("base", Is("template"), "The base address if crm.base_url is empty"),
            ("from_token", Is("from_token"), "The base address comes with the token"),
            ("also", Texts, "Ends of further host names that a next link may name"),
        ],
        &[],
    ),
    (
        "from_token",
        &[
            ("at", Is("pointer"), "Where it is in the token answer"),
            ("suffixes", Texts, "What the host's name may end in"),
        ],
        &["at", "suffixes"],
    ),
    (
        "auth",
        &[
            ("kind", Word(&["headers", "basic", "in-path", "oauth2", "hmac", "login"]), "In which way"),
            ("headers", Named("template"), "headers, login: the headers"),
            ("user", Is("template"), "basic, oauth2: the user"),
            ("password", Is("template"), "basic, oauth2: the password"),
            (
                "grant",
                Word(&["client-credentials", "refresh-token", "password"]),
                "oauth2: what a token is given for",
            ),
            ("token", Text, "oauth2: where tokens are given; login: where the session is in the answer"),
            ("client", Word(&["body", "basic"]), "oauth2: where the client says who it is"),
            ("client_id", Is("template"), "oauth2: the client"),
            ("client_secret", Is("template"), "oauth2: its secret"),
            ("scope", Is("template"), "oauth2: the scope"),
            ("extra", Named("template"), "oauth2: further parameters"),
            (
                "refresh",
                Is("template"),
                "oauth2: the first refresh token, such as \"{secret.refresh_token}\"",
            ),
            ("rotates", Flag, "oauth2: each answer ends the old refresh token"),
            ("lifetime_s", Whole, "oauth2, login: how long a token lives if nobody says"),
            ("header", Text, "oauth2, hmac: the header"),
            ("value", Text, "oauth2: the header's value; hmac: how the digest is written"),
            ("in", Text, "oauth2: \"query:name\" or \"body:name\" instead of a header"),
            ("algorithm", HASHES, "hmac: the hash"),
            ("message", Is("template"), "hmac: what is signed"),
            ("key", Is("template"), "hmac: the name of the key"),
            ("request", Is("operation"), "login: the request"),
            ("cookie", Text, "login: the cookie"),
        ],
        &["kind"],
    ),
    (
        "time",
        &[
            ("format", FORMATS, "How times are written in answers"),
            ("requests", FORMATS, "How they are written in requests, if differently"),
            ("zone", Is("template"), "Zone of formats that name none"),
            ("overlap_s", Whole, "By how much a question for changes looks back further"),
            ("inclusive", Flag, "Whether \"changed since\" includes the instant"),
        ],
        &[],
    ),
    (
        "select",
        &[
            ("below", Is("pointer"), "Names are seen from here"),
            ("depth", Word(&["dotted", "top"]), "How deep names go"),
            ("separator", Text, "What stands between the parts of a name"),
            ("none", Flag, "This CRM can't be told what to send"),
        ],
        &[],
    ),
    (
        "limits",
        &[
            ("throttled", List("throttled"), "Answers that say \"too often\""),
            ("wait", List("wait"), "Headers that say when to come back"),
            ("requests", Whole, "So many requests ..."),
            ("per_ms", Whole, "... in so many milliseconds"),
            ("burst", Whole, "So many at once after a rest"),
            ("at_once", Whole, "Requests under way at once"),
        ],
        &[],
    ),
    (
        "throttled",
        &[
            ("status", Whole, "Its status"),
            ("at", Is("pointer"), "Where the code is in its body"),
            ("is", Texts, "The codes that mean it"),
        ],
        &["status"],
    ),
    (
        "wait",
        &[
            ("header", Text, "Its name"),
            ("unit", Word(&["s", "ms", "epoch-s", "epoch-ms"]), "What its number counts"),
        ],
        &["header", "unit"],
    ),
    (
        "answer",
        &[
            ("records", Is("pointer"), "Where the list of records is"),
            ("within", Is("pointer"), "Where the record is in an entry"),
            ("record", Is("pointer"), "Where the record is in an answer for one"),
            ("id", Is("pointer"), "Where the id is in a tombstone, if not where it is in a record"),
            (
                "merged_into",
                Is("pointer"),
                "Where a tombstone says into which record this one was merged, if ordinary records have no such member",
            ),
            ("empty", Statuses, "Statuses that say \"nothing\""),
            ("missing", Statuses, "Statuses that say \"no such record\""),
            ("unchanged", Statuses, "Statuses that say \"nothing has changed\""),
            ("errors", List("error"), "What makes an answer with status 200 an error"),
        ],
        &[],
    ),
    (
        "error",
        &[
            ("at", Is("pointer"), "The member to look at"),
            ("is", Is("literal"), "The value that means an error"),
            ("code", Is("pointer"), "Where the code is"),
        ],
        &["at"],
    ),
    (
        "paging",
        &[
            (
                "kind",
                Word(&["single", "offset", "page", "cursor", "next-link", "link-header", "keyset", "range"]),
                "In which way",
            ),
            ("size_max", Whole, "Most records a page can have"),
            ("first", Whole, "Number of the first page"),
            ("next", Is("pointer"), "Where the next cursor or link is"),
            ("delta", Is("pointer"), "Where the last page has the mark for the next time; for `gone`"),
            ("total", Is("pointer"), "Where an answer says how many records there are on all pages"),
            ("more", Is("pointer"), "A member that is false on the last page"),
            ("keys", Texts, "Further query parameters that a next link may have"),
            ("paths", Texts, "Beginnings of paths that a next link may have"),
            ("cap", Whole, "Records after which the CRM stops"),
        ],
        &["kind"],
    ),
    (
        "person",
        &[
            ("id", Is("pointer"), "Where the id is in a record"),
            ("updated_at", Is("pointer"), "Where the time of the last change is"),
            ("deleted", Is("flagged"), "What says that a record is deleted"),
            ("merged_into", Is("pointer"), "Where the id of the record is that this one was merged into"),
            (
                "merged_from",
                Is("sources"),
                "Where the ids are of the records that were merged into this one, such as a text with `;` between",
            ),
            ("one", Is("operation"), "One record by its id"),
            ("by_email", Is("operation"), "Records with an address"),
            ("by_phone", Is("operation"), "Records with a number"),
            ("page", Is("operation"), "Any records, in an order that stays"),
            ("changed", Is("operation"), "Records changed since"),
            ("gone", Is("operation"), "Ids deleted since"),
            ("match", Is("match"), "Where addresses and numbers are"),
            ("fields", Named("sources"), "Where each field of the policy is"),
            ("child", List("child"), "Records of other kinds whose change changes a person"),
        ],
        &["id", "one", "by_email", "page", "match"],
    ),
    (
        "company",
        &[
            ("at", Is("pointer"), "Where it is in the person's record"),
            ("link", Is("pointer"), "Where its id is in the person's record"),
            ("id", Is("pointer"), "Where the id is in its own record"),
            ("updated_at", Is("pointer"), "Where the time of the last change is"),
            ("one", Is("operation"), "One by its id"),
            ("page", Is("operation"), "Any, in an order that stays"),
            ("changed", Is("operation"), "Those changed since"),
            ("fields", Named("sources"), "Where each field of the policy is"),
        ],
        &[],
    ),
    (
        "operation",
        &[
            ("get", Text, "GET /path"),
            ("post", Text, "POST /path"),
            ("query", Named("parameter"), "What stands behind the `?`"),
            ("headers", Named("template"), "Further headers"),
            ("json", Is("tree"), "The body, as JSON whose strings are templates"),
            ("form", Named("parameter"), "The body, as form"),
            ("answer", Is("answer"), "What differs from [answer]"),
            ("paging", Is("paging"), "What it has instead of [paging]"),
            ("over_shares", Flag, "The CRM can't be told what to send here"),
            ("gives", Word(&["records", "ids"]), "What the answer lists"),
        ],
        &[],
    ),
    (
        "match",
        &[("email", Is("sources"), "Mail addresses"), ("phone", Is("sources"), "Phone numbers")],
        &["email"],
    ),
    (
        "child",
        &[
            ("name", Text, "What they are"),
            ("changed", Is("operation"), "Those changed since"),
            ("id", Is("pointer"), "Where the id is"),
            ("updated_at", Is("pointer"), "Where the time of the last change is"),
            ("parent", Is("pointer"), "Where the id of the person is"),
            ("parents", Is("sources"), "Where the ids of several people are, instead"),
        ],
        &["name", "changed", "id"],
    ),
    ("flagged", &[("at", Is("pointer"), "The member"), ("is", Is("literal"), "Its value")], &["at", "is"]),
    (
        "source",
        &[
            ("at", Is("pointer"), "The member"),
            ("each", Is("pointer"), "A list"),
            ("where", Named("texts"), "Member of an entry and the texts it may have"),
            ("in", Is("pointer"), "A list inside an entry"),
            ("take", Is("pointer"), "Where the value is in an entry"),
            ("join", List("pointer"), "Several members"),
            ("with", Text, "What stands between them"),
            (
                "as",
                Word(&["plain", "label", "digits", "flag", "unix-s", "unix-ms", "date-time"]),
                "What is made of it",
            ),
            ("words", Named("text"), "Ids and the words they stand for"),
            ("label", Text, "What people call a field whose name says nothing"),
        ],
        &[],
    ),
    (
        "metadata",
        &[
            ("request", Is("operation"), "Asks for the fields of people"),
            ("company", Is("operation"), "Asks for the fields of companies; the answer is built alike"),
            ("records", Is("pointer"), "Where the list of fields is"),
            (
                "name",
                Is("pointers"),
                "Where a field's name is, or its several names; without it the fields are members of an object",
            ),
            ("label", Is("pointers"), "Where a field's label is, or its several labels"),
        ],
        &["request", "label"],
    ),
    (
        "deny",
        &[
            ("words", Texts, "Further words for the deny lexicon"),
            ("paths", Texts, "Nothing at or below may be a field"),
        ],
        &[],
    ),
];

/// What is no table.
fn shapes() -> Map<String, Value> {
    let text = || json!({ "type": "string" });
    let wrapped = |key: &str| json!({ "type": "object", "additionalProperties": false, "required": [key], "properties": { key: { "$ref": "#/$defs/tree" } } });
    let shapes = json!({
        "text": text(),
        "template": { "type": "string", "description": "A text with holes, such as \"Bearer {secret}\"" },
        "pointer": { "type": "string", "pattern": "^(/[^/*~ ]+)*$" },
        "pointers": { "anyOf": [{ "$ref": "#/$defs/pointer" }, { "type": "array", "items": { "$ref": "#/$defs/pointer" } }] },
        "literal": { "type": ["string", "integer", "boolean"] },
        "texts": { "anyOf": [{ "type": ["string", "integer", "boolean"] }, { "type": "array", "items": { "type": ["string", "integer"] } }] },
        "signed": { "type": "array", "items": { "enum": ["method", "uri", "body", "timestamp", "id"] } },
        "tree": { "type": ["string", "integer", "boolean", "array", "object"] },
        "parameter": { "anyOf": [{ "type": ["string", "integer", "boolean"] }, wrapped("json"), wrapped("base64-json")] },
        "one_source": { "anyOf": [{ "$ref": "#/$defs/pointer" }, { "$ref": "#/$defs/source" }] },
        "sources": { "anyOf": [{ "$ref": "#/$defs/one_source" }, { "type": "array", "items": { "$ref": "#/$defs/one_source" } }] },
    });
    match shapes {
        Value::Object(shapes) => shapes,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;

    use super::*;
    use crate::connector::profile::{self, BUILT_IN, Profile};

    /// The names between backquotes behind "expected" or "there are".
    fn named_in(message: &str) -> Vec<String> {
        let list = message.split_once("expected ").or_else(|| message.split_once("there are ")).unwrap().1;
        let mut names: Vec<String> = list.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        names.sort();
        names
    }

    fn keys_of<T: DeserializeOwned>() -> Vec<String> {
        let error = toml::from_str::<T>("bogus_key = 1").err().unwrap();
        named_in(error.message())
    }

    fn keys_in(text: &str) -> Vec<String> {
        let errors = Profile::load(text).err().unwrap();
        named_in(&errors.iter().find(|error| error.message.contains("bogus_key")).unwrap().message)
    }

    fn in_schema(table: &str) -> Vec<String> {
        let schema = schema();
        let table = if table.is_empty() { &schema } else { &schema["$defs"][table] };
        let mut keys: Vec<String> = table["properties"].as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    }

    #[test]
    fn the_schema_has_the_keys_that_the_reader_knows() {
        for (table, known) in [
            ("head", keys_of::<profile::Head>()),
            ("host", keys_of::<profile::Hosts>()),
            ("from_token", keys_of::<profile::HostFromToken>()),
            ("auth", keys_of::<profile::auth::Auth>()),
            ("time", keys_of::<profile::time::Time>()),
            ("select", keys_of::<profile::Selection>()),
            ("limits", keys_of::<profile::limits::Limits>()),
            ("throttled", keys_of::<profile::limits::Throttled>()),
            ("wait", keys_of::<profile::limits::Wait>()),
            ("answer", keys_of::<profile::answer::Answer>()),
            ("error", keys_of::<profile::answer::ErrorRule>()),
            ("paging", keys_of::<profile::paging::Paging>()),
            ("operation", keys_of::<profile::Operation>()),
            ("match", keys_of::<profile::Match>()),
            ("child", keys_of::<profile::Child>()),
            ("flagged", keys_of::<profile::Flagged>()),
            ("source", keys_of::<profile::Source>()),
            ("webhook", keys_of::<profile::webhook::Webhook>()),
            ("hook_kind", keys_of::<profile::webhook::HookKind>()),
            ("renew", keys_of::<profile::webhook::Renew>()),
            ("signature", keys_of::<profile::webhook::Signature>()),
            ("stamp", keys_of::<profile::webhook::SignedAt>()),
            ("metadata", keys_of::<profile::Metadata>()),
            ("deny", keys_of::<profile::Deny>()),
            ("plant", keys_of::<profile::plant::Plant>()),
            ("plant_marker", keys_of::<profile::plant::PlantMarker>()),
            ("plant_record", keys_of::<profile::plant::PlantRecord>()),
            ("look_up", keys_of::<profile::plant::LookUp>()),
            ("write", keys_of::<profile::plant::Write>()),
            ("", keys_in("bogus_key = 1")),
            ("person", keys_in("[person]\nbogus_key = 1")),
            ("company", keys_in("[company]\nbogus_key = 1")),
        ] {
            assert_eq!(in_schema(table), known, "[{table}]");
        }
    }

    /// Only what the schema uses: references, objects, lists, words, types.
    fn fits(schema: &Value, rule: &Value, value: &Value) -> Result<(), String> {
        if let Some(reference) = rule["$ref"].as_str() {
            return fits(schema, schema.pointer(reference.trim_start_matches('#')).unwrap(), value);
        }
        if let Some(rules) = rule["anyOf"].as_array() {
            let fitting = rules.iter().any(|rule| fits(schema, rule, value).is_ok());
            return if fitting { Ok(()) } else { Err(format!("{value} fits nothing of {rules:?}")) };
        }
        if let Some(words) = rule["enum"].as_array() {
            return if words.contains(value) { Ok(()) } else { Err(format!("{value} is none of {words:?}")) };
        }
        let kind = match value {
            Value::String(_) => "string",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "integer",
            Value::Array(_) => "array",
            _ => "object",
        };
        let allowed = match &rule["type"] {
            Value::String(one) => one == kind,
            Value::Array(all) => all.contains(&json!(kind)),
            _ => true,
        };
        if !allowed {
            return Err(format!("{value} is a {kind}, not a {}", rule["type"]));
        }
        if let Some(items) = value.as_array().filter(|_| rule["items"].is_object()) {
            items.iter().try_for_each(|item| fits(schema, &rule["items"], item))?;
        }
        for (key, value) in value.as_object().into_iter().flatten() {
            match (&rule["properties"][key], &rule["additionalProperties"]) {
                (Value::Object(_), _) => fits(schema, &rule["properties"][key], value)?,
                (_, Value::Bool(false)) => return Err(format!("unknown key {key}")),
                (_, Value::Object(_)) => fits(schema, &rule["additionalProperties"], value)?,
                _ => {}
            }
        }
        for key in rule["required"].as_array().into_iter().flatten() {
            if value.get(key.as_str().unwrap()).is_none() {
                return Err(format!("{key} is missing"));
            }
        }
        Ok(())
    }

    #[test]
    fn every_profile_that_ships_fits_the_schema() {
        let schema = schema();
        for (name, text) in BUILT_IN {
            let value = serde_json::to_value(toml::from_str::<toml::Value>(text).unwrap()).unwrap();
            fits(&schema, &schema, &value).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        }
    }
}

//! The rows of `[webhook]`.

use super::Kind::{Flag, Is, Text, Texts, Whole, Word};
use super::{HASHES, Table};

pub(super) const TABLES: &[Table] = &[
    (
        "webhook",
        &[
            ("body", Word(&["json", "form"]), "How the body is written"),
            ("events", Is("pointer"), "Where the list of events is"),
            ("id", Text, "Where the id is in an event"),
            ("kind", Is("hook_kind"), "Which kind of event it is"),
            ("answer_within_ms", Whole, "How long the CRM waits"),
            ("signature", Is("signature"), "How the sender proves who it is"),
            ("renew", Is("renew"), "How the subscription is renewed, where it runs out"),
        ],
        &["body", "id", "kind", "signature"],
    ),
    (
        "renew",
        &[
            ("request", Is("write"), "What is sent: post, put or patch; it names no record"),
            ("lasts_s", Whole, "For how long the CRM is asked to keep it: {webhook.until}"),
            ("every_s", Whole, "How often it is renewed; after half of its life unless given"),
            ("good", Is("flagged"), "What an answer says that means yes"),
            ("until", Is("pointer"), "Where the answer says until when it lasts"),
        ],
        &["request", "lasts_s"],
    ),
    (
        "hook_kind",
        &[
            ("at", Text, "Where it says so"),
            ("person", Texts, "A person was made or changed"),
            ("company", Texts, "A company was made or changed"),
            ("deleted", Texts, "A person was deleted"),
        ],
        &[],
    ),
    (
        "signature",
        &[
            ("kind", Word(&["hmac", "token", "basic", "none"]), "In which way"),
            ("algorithm", HASHES, "The hash"),
            (
                "encoding",
                Word(&["hex", "base64", "base64-id-hex", "base64-id-raw"]),
                "How the digest is written",
            ),
            ("header", Text, "The header that carries it"),
            ("prefix", Text, "What stands before the digest"),
            ("field", Text, "The digest's name, where the header is a list of name=value"),
            ("several", Flag, "Whether the header has several digests with blanks between"),
            ("key", Word(&["text", "base64"]), "How the shared key is written"),
            ("id_header", Text, "The header with the delivery's id, where that is signed"),
            ("signed", Is("signed"), "What is signed, in this order"),
            ("separator", Text, "What stands between the parts"),
            ("timestamp", Is("stamp"), "When it was signed"),
            ("query", Text, "The query parameter that carries the token"),
            ("at", Is("pointer"), "Where the token is in a JSON body"),
            ("form", Text, "The key of a form that carries the token"),
        ],
        &["kind"],
    ),
    (
        "stamp",
        &[
            ("header", Text, "The header that says so"),
            ("field", Text, "The stamp's name, where the header is a list of name=value"),
            ("unit", Word(&["s", "ms"]), "What it counts"),
            ("window_s", Whole, "How far it may be from now"),
        ],
        &["header", "unit"],
    ),
];

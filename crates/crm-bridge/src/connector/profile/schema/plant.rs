//! The rows of `[plant]`.

use super::Kind::{Is, List, Named, Text, Word};
use super::Table;

pub(super) const TABLES: &[Table] = &[
    (
        "plant",
        &[
            ("rights", Text, "Which rights the key for planting needs"),
            ("key", Text, "Which of the secrets by name that key stands for; the secret, if not given"),
            ("headers", Named("template"), "The headers in which that key goes, if not as [auth] says"),
            ("markers", Named("plant_marker"), "Values that are made anew for each run"),
            ("record", List("plant_record"), "What is made, in this order"),
        ],
        &["rights", "markers", "record"],
    ),
    (
        "plant_marker",
        &[
            ("kind", Word(&["text", "name", "email", "phone", "amount", "iban"]), "What it looks like"),
            ("field", Text, "The field of the policy that it comes to stand in"),
            (
                "hidden",
                Word(&["deals", "money", "accounts", "notes", "staff", "scores", "misplaced", "other"]),
                "What it is a secret of",
            ),
        ],
        &["kind"],
    ),
    (
        "plant_record",
        &[
            ("name", Text, "How later requests name its id: {made.name}"),
            ("make", Is("write"), "Makes it"),
            ("id", Is("pointer"), "Where the new id is in the answer; /id unless given"),
            (
                "link",
                List("write"),
                "What is to be done once it is made, such as linking it to another record",
            ),
            ("read", Is("write"), "Shows it with everything"),
            ("deleted", Is("flagged"), "What says in the answer of `read` that it lies in the CRM's bin"),
            ("close", Is("write"), "What has to be done before it can be taken out, such as cancelling"),
            ("remove", Is("write"), "Takes it out again"),
            ("stays", Text, "Why the CRM can't take it out; `remove` then empties it"),
            ("look_up", Is("look_up"), "By which markers this person is looked up"),
        ],
        &["name", "make", "remove"],
    ),
    (
        "look_up",
        &[
            ("email", Text, "The marker that is the address"),
            ("phone", Text, "The marker that is the number"),
        ],
        &["email"],
    ),
    (
        "write",
        &[
            ("get", Text, "GET /path"),
            ("post", Text, "POST /path"),
            ("put", Text, "PUT /path"),
            ("patch", Text, "PATCH /path"),
            ("delete", Text, "DELETE /path"),
            ("query", Named("parameter"), "What stands behind the `?`"),
            ("headers", Named("template"), "Further headers"),
            ("json", Is("tree"), "The body, as JSON whose strings are templates"),
            ("form", Named("parameter"), "The body, as form"),
            ("answer", Is("answer"), "What differs from [answer]"),
        ],
        &[],
    ),
];

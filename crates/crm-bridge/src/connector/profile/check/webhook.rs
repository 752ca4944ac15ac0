//! What belongs together in `[webhook]`.

use super::Checker;
use crate::connector::pointer::Pointer;
use crate::connector::profile::webhook::{HookBody, KeyEncoding, SignatureKind, SignedPart};

impl Checker<'_> {
    pub(super) fn webhook(&mut self) {
        let Some(webhook) = &self.profile.webhook else { return };
        let pointers = std::iter::once(&webhook.id).chain(webhook.kind.at.iter());
        for text in pointers {
            let is_pointer = Pointer::try_from(text.clone()).is_ok_and(|at| !at.segments().is_empty());
            let is_key =
                !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "[]_-.".contains(c));
            let (right, message) = match webhook.body {
                HookBody::Json => (is_pointer, "in JSON this is a pointer such as \"/objectId\""),
                HookBody::Form => (is_key, "in a form this is a key such as \"data[FIELDS][ID]\""),
            };
            self.require(right, "webhook", message);
        }
        let kind = &webhook.kind;
        let words = !(kind.person.is_empty() && kind.company.is_empty() && kind.deleted.is_empty());
        self.require(kind.at.is_some() == words, "webhook.kind", "`at` and the words belong together");
        let signature = &webhook.signature;
        let carriers = [
            signature.header.is_some(),
            signature.query.is_some(),
            signature.at.is_some(),
            signature.form.is_some(),
        ];
        let carriers = carriers.iter().filter(|given| **given).count();
        let (sound, message) = match signature.kind {
            SignatureKind::Hmac => (
                signature.header.is_some()
                    && carriers == 1
                    && signature.algorithm.is_some()
                    && signature.encoding.is_some(),
                "a digest needs `header`, `algorithm` and `encoding`",
            ),
            SignatureKind::Token => {
                (carriers == 1, "a token is in one of `header`, `query`, `at` and `form`")
            }
            SignatureKind::Basic | SignatureKind::None => (carriers == 0, "this kind has no further keys"),
        };
        self.require(sound, "webhook.signature", message);
        let signs_body = signature.signed.is_empty() || signature.signed.contains(&SignedPart::Body);
        self.require(signs_body, "webhook.signature", "what is signed includes the body");
        let stamped = !signature.signed.contains(&SignedPart::Timestamp) || signature.timestamp.is_some();
        self.require(stamped, "webhook.signature", "a signed time stamp needs `timestamp`");
        let bound = signature.timestamp.is_none() || signature.signed.contains(&SignedPart::Timestamp);
        self.require(
            bound,
            "webhook.signature.timestamp",
            "anybody can renew a time stamp that is not signed: add \"timestamp\" to `signed`, or leave `timestamp` out",
        );
        let identified = signature.signed.contains(&SignedPart::Id) == signature.id_header.is_some();
        self.require(identified, "webhook.signature", "`id_header` and \"id\" in `signed` belong together");
        let of_digests = signature.kind == SignatureKind::Hmac
            || (signature.field.is_none()
                && !signature.several
                && signature.key == KeyEncoding::Text
                && signature.signed.is_empty()
                && signature.timestamp.is_none());
        let message = "`field`, `several`, `key`, `signed` and `timestamp` belong to kind = \"hmac\"";
        self.require(of_digests, "webhook.signature", message);
        let one_way = signature.field.is_none() || !signature.several;
        self.require(
            one_way,
            "webhook.signature",
            "a list of digests is written with `field` or with `several`",
        );
    }
}

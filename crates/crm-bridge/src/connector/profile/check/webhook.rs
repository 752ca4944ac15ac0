//! What belongs together in `[webhook]`.

use super::Checker;
use crate::connector::pointer::Pointer;
use crate::connector::profile::Purpose;
use crate::connector::profile::operation::Method;
use crate::connector::profile::template::{Escape, HookHole};
use crate::connector::profile::webhook::{HookBody, KeyEncoding, Renew, SignatureKind, SignedPart};

/// Shorter lives than these would keep the bridge busy with nothing else, longer ones need no renewal.
const LIFE_S: std::ops::RangeInclusive<u32> = 600..=31_536_000;
const EVERY_S_MIN: u32 = 60;

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
        if let Some(renew) = &webhook.renew {
            self.renewal(renew);
        }
    }

    fn renewal(&mut self, renew: &Renew) {
        const PLACE: &str = "webhook.renew.request";
        let operation = renew.request.operation();
        let writes = matches!(operation.method, Method::Post | Method::Put | Method::Patch);
        self.require(writes, PLACE, "a subscription is renewed by `post`, `put` or `patch`");
        self.require(
            LIFE_S.contains(&renew.lasts_s),
            "webhook.renew.lasts_s",
            "a subscription that is renewed lasts at least ten minutes and at most a year",
        );
        let in_time = renew.every_s.is_none_or(|every| (EVERY_S_MIN..renew.lasts_s).contains(&every));
        self.require(
            in_time,
            "webhook.renew.every_s",
            "renew it at least every `lasts_s`, or it runs out, and at most once a minute",
        );
        for name in operation.headers.keys() {
            self.header_name("webhook.renew.request.headers", name);
        }
        for (spot, template) in operation.templates() {
            self.template(Purpose::Renew, PLACE, spot, template);
        }
    }

    /// Whether something of the subscription may stand there; `whole` if it is a whole parameter or member.
    pub(super) fn hook_hole(
        &self,
        purpose: Purpose,
        whole: bool,
        escape: Option<Escape>,
        hole: HookHole,
    ) -> Result<(), String> {
        let token =
            self.profile.webhook.as_ref().is_some_and(|hook| hook.signature.kind == SignatureKind::Token);
        let message = match hole {
            _ if purpose != Purpose::Renew => "belongs to [webhook.renew]",
            _ if !whole || escape.is_some() => "this is a whole parameter or member, without an escape",
            HookHole::Key if !token => "the CRM is told the key only where it is a token (kind = \"token\")",
            _ => return Ok(()),
        };
        Err(message.to_owned())
    }
}

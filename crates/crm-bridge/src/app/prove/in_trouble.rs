//! Drives the bridge while its CRM fails.

use super::child::Home;
use super::drive::{Asker, Known};
use super::stub::{Stub, WAYS};
use super::wire::Tape;
use super::{ProveError, Run, Seen};
use crate::policy::Role;

impl Run<'_> {
    /// After a power cut, while the CRM fails in every way; then as before.
    pub(super) async fn in_trouble(
        &self,
        home: &mut Home,
        tape: &mut Tape,
        seen: &mut Seen,
        known: &[Known],
    ) -> Result<(), ProveError> {
        let order = self.order;
        let mut stub_host = String::new();
        (order.say)("driving it again after it was killed, with a CRM that fails");
        if order.profile.host.from_token.is_some() {
            seen.not(
                "a CRM that fails",
                "its address comes with the token, so no other can be put in its place",
            );
        } else {
            let stub = Stub::start(&self.secrets()).await?;
            // To the bridge this is its CRM that has moved there; below it moves back.
            let moved = [("CRM__BASE_URL", stub.url.as_str()), ("CRM__MOVED_FROM", order.host)];
            let bridge = home.start(&moved).await?;
            stub_host = stub.host().to_owned();
            for way in 0..WAYS.len() {
                stub.fail(way);
                let mut asker = Asker {
                    address: &bridge.address,
                    signer: &home.signer,
                    policy: order.policy,
                    tape: &mut *tape,
                };
                for one in known {
                    for role in Role::ALL {
                        asker.card(one, role).await?;
                    }
                }
                asker.unknown_now(way as u64).await?;
            }
            let mut asker = Asker {
                address: &bridge.address,
                signer: &home.signer,
                policy: order.policy,
                tape: &mut *tape,
            };
            asker.open_doors().await?;
            bridge.stop().await?;
            seen.did(&format!("a CRM that fails with all it knows in what it says: {}", WAYS.join(", ")));
        }
        self.stale(home, tape, seen, known, &stub_host).await?;
        let bridge = home.start(&[]).await?;
        let mut asker = Asker { address: &bridge.address, signer: &home.signer, policy: order.policy, tape };
        for one in known {
            asker.card(one, Role::Line1).await?;
        }
        asker.open_doors().await?;
        bridge.stop().await?;
        seen.did("a restart after the bridge was killed, and one after it was asked to stop");
        Ok(())
    }

    /// Kept cards while the CRM can't be read. In the place of another CRM they are not believed, so it stays the same one here and
    /// the bridge is told to read no answer.
    async fn stale(
        &self,
        home: &mut Home,
        tape: &mut Tape,
        seen: &mut Seen,
        known: &[Known],
        moved_from: &str,
    ) -> Result<(), ProveError> {
        let unread = [("LIMITS__ANSWER_BYTES_MAX", "1"), ("CRM__MOVED_FROM", moved_from)];
        let bridge = home.start(&unread).await?;
        let mut asker = Asker {
            address: &bridge.address,
            signer: &home.signer,
            policy: self.order.policy,
            tape: &mut *tape,
        };
        let mut shown = 0;
        for one in known {
            for role in Role::ALL {
                let card = asker.card(one, role).await?;
                shown += usize::from(card.status == 200 && card.json()["stale"] == true);
            }
        }
        bridge.stop().await?;
        if shown == known.len() * Role::ALL.len() {
            seen.did("kept cards for each role while no answer of the CRM could be read");
        } else {
            seen.not(
                "kept cards for each role while no answer of the CRM could be read",
                "none were kept, or they had passed their age: see cache.age_max_s",
            );
        }
        Ok(())
    }
}

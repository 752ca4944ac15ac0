//! The walls between the CRM and the rest, one by one. In every program that ships all of them stand, and the answer is
//! a constant: the switch below exists only in a test build with the feature `sabotage`, so that it can be measured what
//! each wall holds back alone (`tests/suite/leaks`, `walls.json`).

#[cfg(all(feature = "sabotage", not(debug_assertions)))]
compile_error!("the feature `sabotage` takes walls away and must never be in an optimised build");

macro_rules! walls {
    ($($wall:ident $id:literal $says:literal),+ $(,)?) => {
        /// One wall. Where it stands in the code, one line asks [`Walls::stands`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "sabotage", derive(serde::Deserialize))]
        pub enum Wall {$(
            #[doc = $says]
            #[cfg_attr(feature = "sabotage", serde(rename = $id))]
            $wall,
        )+}

        impl Wall {
            /// All of them, in the order in which a value would meet them.
            pub const ALL: &'static [Self] = &[$(Self::$wall),+];

            /// The word in settings and reports.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self {
                    $(Self::$wall => $id,)+
                }
            }

            /// What it does, in a sentence for a data owner.
            #[must_use]
            pub const fn says(self) -> &'static str {
                match self {
                    $(Self::$wall => $says,)+
                }
            }
        }
    };
}

walls! {
    Lexicon "lexicon" "A field policy that lists money, bank accounts, contracts or other words of the deny lexicon is refused.",
    Input "input" "Only a well-formed mail address or phone number is looked up.",
    Escape "escape" "An address is written into a request so that it can't change the question around it.",
    Ask "ask" "The CRM is asked for the listed fields only.",
    Redirect "redirect" "A redirect of the CRM is not followed.",
    Pin "pin" "An address that the CRM names is followed only where the request itself could have led.",
    Hosts "hosts" "Nothing is sent to a host that neither the settings nor the CRM's profile names.",
    Private "private" "A host that the CRM names does not lead into the own network.",
    Unread "unread" "The text of an error of the CRM is not read.",
    Parse "parse" "Of an answer only the listed members are read; everything else is skipped without being built.",
    Names "names" "The name of a member is remembered only if it is short and plain.",
    Echo "echo" "An answer to a question for one record must be about that record.",
    Hit "hit" "Somebody is found only if the record really has the address that was looked up.",
    Living "living" "Somebody whom the CRM marks as deleted or merged is not found; of a merged record it is the one who stays.",
    Tombstone "tombstone" "Of a record that the CRM marks as deleted or merged no value is taken, whoever finds it.",
    Type "type" "A value must be of the type that the policy says; nothing passes as it is.",
    Tripwire "tripwire" "A text that looks like a bank account, a payment card, money or a key is withheld, whatever its field.",
    Identity "identity" "A card is made only of the record whose id the customer has.",
    Seal "seal" "What is kept is encrypted with a key that is not in the database.",
    Unsealed "unsealed" "What is not encrypted is not written.",
    Erase "erase" "What is kept of a customer goes when the CRM says that the customer is gone.",
    Age "age" "What is kept is not shown beyond its age.",
    Sweep "sweep" "What is kept is removed when it has its age.",
    Peer "peer" "Only machines that the settings name may ask for customers at all.",
    Signature "signature" "A question needs a grant that the ticket service has signed.",
    Expiry "expiry" "A grant is good for one minute.",
    Grant "grant" "What is asked must be what was granted: ticket, customer, field.",
    Link "link" "A customer is shown only for a ticket that the bridge itself has resolved to this customer.",
    Budget "budget" "An operator sees no more different customers in an hour and a day than the budget allows.",
    Ceiling "ceiling" "All operators together see no more different customers in an hour than the ceiling allows.",
    View "view" "Each role is given its own view: some fields in clear, some masked, the rest not at all.",
    Exit "exit" "What is about to leave is compared once more with the policy, by code that did not make it.",
    Closed "closed" "Logs and answers name the reason of a trouble from a fixed list, never in the CRM's words.",
    Hook "hook" "A delivery that the CRM has not signed just now is turned away.",
    Hint "hint" "Of a delivery nothing is taken but ids; what changed is asked for.",
    Belongs "belongs" "Of a ticket's news nothing is kept under a customer whom the bridge did not resolve for that ticket.",
    Owner "owner" "The CRM reads a ticket only if the bridge has resolved its customer for it.",
    Keeps "keeps" "Of a ticket only what the ticket policy lists is kept.",
    Tells "tells" "Of a ticket only what the ticket policy lists is told.",
}

/// The state of the walls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walls {
    #[cfg(feature = "sabotage")]
    down: u64,
}

/// The walls that a test takes away.
#[cfg(feature = "sabotage")]
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sabotage {
    /// By their words.
    pub without: Vec<Wall>,
}

impl Walls {
    /// All of them stand.
    #[must_use]
    pub const fn standing() -> Self {
        Self {
            #[cfg(feature = "sabotage")]
            down: 0,
        }
    }

    /// Whether a wall stands. Always, unless a test build has taken it away.
    #[must_use]
    #[inline]
    pub const fn stands(self, wall: Wall) -> bool {
        #[cfg(feature = "sabotage")]
        return self.down & (1 << wall as u64) == 0;
        #[cfg(not(feature = "sabotage"))]
        {
            let _ = wall;
            true
        }
    }

    /// All but those.
    #[cfg(feature = "sabotage")]
    #[must_use]
    pub fn without(walls: &[Wall]) -> Self {
        Self { down: walls.iter().fold(0, |down, wall| down | (1 << *wall as u64)) }
    }
}

//! The tables of the copy and its progress, as the queries see them.

diesel::table! {
    feeds (name) {
        name -> Text,
        phase -> Text,
        mark -> Nullable<Text>,
        since -> Nullable<BigInt>,
        newest -> Nullable<BigInt>,
        run_started_at -> Nullable<BigInt>,
        ended_well_at -> Nullable<BigInt>,
        trouble -> Nullable<Text>,
        trouble_at -> Nullable<BigInt>,
        records -> BigInt,
        expected -> Nullable<BigInt>,
        pass -> BigInt,
        plan -> Text,
    }
}

diesel::table! {
    leases (name) {
        name -> Text,
        holder -> Text,
        ends_at -> BigInt,
    }
}

diesel::table! {
    mirror (position) {
        position -> BigInt,
        crm_id -> Text,
        as_of -> BigInt,
        policy -> BigInt,
        pass -> BigInt,
        addresses -> Binary,
        sealed -> Binary,
    }
}

diesel::table! {
    mirror_addresses (address, position) {
        address -> BigInt,
        position -> BigInt,
    }
}

diesel::table! {
    mirror_blocks (number) {
        number -> BigInt,
        highest -> Nullable<BigInt>,
        entries -> Binary,
    }
}

diesel::table! {
    mirror_policies (number) {
        number -> BigInt,
        hash -> Text,
    }
}

diesel::table! {
    hints (crm_id) {
        crm_id -> Text,
        due_at -> BigInt,
        attempts -> BigInt,
        heard_at -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    feeds,
    leases,
    mirror,
    mirror_addresses,
    mirror_blocks,
    mirror_policies,
    hints
);

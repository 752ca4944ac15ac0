//! The tables of both databases, as the queries see them. A test compares this with what the migrations make.

diesel::table! {
    customers (customer_ref) {
        customer_ref -> Text,
        source -> Text,
        crm_id -> Text,
        minted_at -> BigInt,
        erased_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    address_links (address_hash, customer_ref) {
        address_hash -> Binary,
        customer_ref -> Text,
        seen_at -> BigInt,
    }
}

diesel::table! {
    ticket_links (ticket, customer_ref) {
        ticket -> BigInt,
        customer_ref -> Text,
        resolved_at -> BigInt,
    }
}

diesel::table! {
    cards (customer_ref) {
        customer_ref -> Text,
        sealed -> Binary,
        policy_hash -> Text,
        as_of -> BigInt,
    }
}

diesel::table! {
    access_log (seq) {
        seq -> BigInt,
        at -> BigInt,
        action -> Text,
        operator -> Text,
        role -> Text,
        ticket -> BigInt,
        customer_ref -> Text,
        shown -> Text,
        masked -> Text,
        policy_hash -> Text,
        as_of -> Nullable<BigInt>,
        stale -> Bool,
        request_id -> Text,
    }
}

diesel::allow_tables_to_appear_in_same_query!(customers, address_links, ticket_links, cards, access_log);

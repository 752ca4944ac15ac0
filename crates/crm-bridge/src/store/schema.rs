//! The tables of both databases, as the queries see them. A test compares this with what the migrations make.

diesel::table! {
    customers (customer_ref) {
        customer_ref -> Text,
        source -> Text,
        crm_id -> Text,
        minted_at -> BigInt,
        erased_at -> Nullable<BigInt>,
        merged_into -> Nullable<Text>,
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
    customer_changes (number) {
        number -> BigInt,
        at -> BigInt,
        customer_ref -> Text,
        into_ref -> Nullable<Text>,
    }
}

diesel::table! {
    crm_tokens (source) {
        source -> Text,
        sealed -> Nullable<Binary>,
        generation -> BigInt,
        state -> Text,
        lease_owner -> Nullable<Text>,
        lease_until -> BigInt,
        changed_at -> BigInt,
    }
}

diesel::table! {
    crm_addresses (source) {
        source -> Text,
        host -> Text,
        address -> Text,
        noted_at -> BigInt,
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
    viewing_budgets (operator) {
        operator -> Text,
        role -> Text,
        hour_at -> BigInt,
        hour_used -> BigInt,
        day_at -> BigInt,
        day_used -> BigInt,
        glass_used -> BigInt,
    }
}

diesel::table! {
    viewed_customers (operator, customer_ref) {
        operator -> Text,
        customer_ref -> Text,
        hour_at -> BigInt,
        day_at -> BigInt,
        ticket -> BigInt,
    }
}

diesel::table! {
    looks (id) {
        id -> Text,
        at -> BigInt,
        action -> Text,
        operator -> Text,
        role -> Text,
        ticket -> BigInt,
        customer_ref -> Text,
        shown -> Text,
        policy -> BigInt,
        ground -> Nullable<Text>,
        reason -> Nullable<Text>,
    }
}

diesel::table! {
    tallies (operator, rule) {
        operator -> Text,
        rule -> Text,
        since -> BigInt,
        last_at -> BigInt,
        last_ticket -> BigInt,
        counted -> BigInt,
    }
}

diesel::table! {
    notices (id) {
        id -> Text,
        at -> BigInt,
        about -> Text,
        is_anomaly -> Bool,
        news -> Text,
        operator -> Nullable<Text>,
        ticket -> Nullable<BigInt>,
        customer_ref -> Nullable<Text>,
        since -> BigInt,
        counted -> BigInt,
        threshold -> BigInt,
        ground -> Nullable<Text>,
        reason -> Nullable<Text>,
        acknowledged_by -> Nullable<Text>,
        acknowledged_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    policy_versions (hash) {
        hash -> Text,
        name -> Text,
        number -> BigInt,
        body -> Text,
        kept_at -> BigInt,
        kept_by -> Text,
    }
}

diesel::table! {
    policy_approvals (hash, approver) {
        hash -> Text,
        approver -> Text,
        key_id -> Text,
        signature -> Text,
        at -> BigInt,
    }
}

diesel::table! {
    policy_activations (seq) {
        seq -> BigInt,
        hash -> Text,
        grounds -> Text,
        activated_by -> Text,
        at -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(viewing_budgets, viewed_customers);
diesel::allow_tables_to_appear_in_same_query!(customers, address_links, ticket_links, cards);

diesel::table! {
    tickets (ticket) {
        ticket -> BigInt,
        customer_ref -> Nullable<Text>,
        sequence -> BigInt,
        subject -> Nullable<Text>,
        status -> Nullable<Text>,
        priority -> Nullable<Text>,
        line -> Nullable<BigInt>,
        created_at -> Nullable<BigInt>,
        updated_at -> Nullable<BigInt>,
        resolved_at -> Nullable<BigInt>,
        rating -> Nullable<BigInt>,
        public_messages -> Nullable<BigInt>,
    }
}

diesel::table! {
    ticket_feed (seq) {
        seq -> BigInt,
        ticket -> BigInt,
        sequence -> BigInt,
        customer_ref -> Text,
        change -> Text,
        at -> BigInt,
        subject -> Nullable<Text>,
        status -> Nullable<Text>,
        priority -> Nullable<Text>,
        line -> Nullable<BigInt>,
        created_at -> Nullable<BigInt>,
        updated_at -> Nullable<BigInt>,
        resolved_at -> Nullable<BigInt>,
        rating -> Nullable<BigInt>,
        public_messages -> Nullable<BigInt>,
    }
}

diesel::table! {
    ticket_feed_head (id) {
        id -> BigInt,
        last -> BigInt,
        forgotten -> BigInt,
    }
}

diesel::table! {
    crm_keys (id) {
        id -> Text,
        name -> Text,
        secret_hash -> Binary,
        scopes -> Text,
        created_at -> BigInt,
        last_used_at -> Nullable<BigInt>,
        revoked_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    crm_orders (key_id, idempotency_key) {
        key_id -> Text,
        idempotency_key -> Text,
        fingerprint -> Text,
        order_id -> Text,
        customer_ref -> Text,
        ticket -> Nullable<BigInt>,
        adopted -> Nullable<BigInt>,
        created_at -> BigInt,
    }
}

diesel::table! {
    crm_webhooks (id) {
        id -> Text,
        url -> Text,
        created_at -> BigInt,
        stopped_at -> Nullable<BigInt>,
        stopped_why -> Nullable<Text>,
    }
}

diesel::table! {
    deliveries (target, seq) {
        target -> Text,
        seq -> BigInt,
        ticket -> BigInt,
        attempts -> Integer,
        next_at -> BigInt,
        claimed_until -> Nullable<BigInt>,
        dead -> Bool,
        last_error -> Nullable<Text>,
    }
}

diesel::allow_tables_to_appear_in_same_query!(customers, tickets);
diesel::allow_tables_to_appear_in_same_query!(customers, ticket_feed);
diesel::allow_tables_to_appear_in_same_query!(ticket_links, tickets);
diesel::allow_tables_to_appear_in_same_query!(ticket_links, ticket_feed);
diesel::allow_tables_to_appear_in_same_query!(deliveries, ticket_feed);
diesel::allow_tables_to_appear_in_same_query!(deliveries, crm_webhooks);

//! The tables of both databases, as the queries see them. A test compares this with what the migrations make.
#![expect(
    missing_docs,
    reason = "the macro emits public items without doc comments; the migrations say what each column is"
)]

diesel::table! {
    operators (id) {
        id -> Text,
        email -> Text,
        email_folded -> Text,
        name -> Text,
        role -> Text,
        password_hash -> Text,
        locale -> Nullable<Text>,
        active -> Bool,
        created_at -> BigInt,
        version -> BigInt,
    }
}

diesel::table! {
    sessions (token_hash) {
        token_hash -> Text,
        operator_id -> Text,
        created_at -> BigInt,
        last_seen_at -> BigInt,
        expires_at -> BigInt,
    }
}

diesel::table! {
    api_keys (id) {
        id -> Text,
        name -> Text,
        secret_hash -> Text,
        role -> Text,
        scopes -> Text,
        created_by -> Text,
        created_at -> BigInt,
        last_used_at -> Nullable<BigInt>,
        revoked_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    queues (id) {
        id -> Text,
        name -> Text,
        name_folded -> Text,
        position -> Integer,
        active -> Bool,
    }
}

diesel::table! {
    requesters (id) {
        id -> Text,
        name -> Text,
        email -> Text,
        email_folded -> Text,
        phone -> Nullable<Text>,
        created_at -> BigInt,
    }
}

diesel::table! {
    tickets (number) {
        number -> BigInt,
        subject -> Text,
        status -> Text,
        is_open -> Bool,
        priority -> Text,
        priority_rank -> Integer,
        line -> Integer,
        queue_id -> Text,
        assignee_id -> Nullable<Text>,
        requester_id -> Text,
        channel -> Text,
        tags -> Text,
        customer_state -> Text,
        customer_ref -> Nullable<Text>,
        created_at -> BigInt,
        updated_at -> BigInt,
        last_message_at -> BigInt,
        last_request_at -> BigInt,
        resolved_at -> Nullable<BigInt>,
        version -> BigInt,
    }
}

diesel::table! {
    ticket_tags (tag, ticket) {
        tag -> Text,
        ticket -> BigInt,
    }
}

diesel::table! {
    customer_candidates (ticket, customer_ref) {
        ticket -> BigInt,
        customer_ref -> Text,
        position -> Integer,
    }
}

diesel::table! {
    customer_feed (id) {
        id -> BigInt,
        after -> BigInt,
    }
}

diesel::table! {
    oversight_marks (name) {
        name -> Text,
        value -> Text,
    }
}

diesel::table! {
    ticket_reads (operator_id, ticket) {
        operator_id -> Text,
        ticket -> BigInt,
        seen_at -> BigInt,
    }
}

diesel::table! {
    messages (id) {
        id -> Text,
        ticket -> BigInt,
        kind -> Text,
        operator_id -> Nullable<Text>,
        author_name -> Text,
        html -> Text,
        plain -> Text,
        channel -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    attachments (id) {
        id -> Text,
        ticket -> Nullable<BigInt>,
        message_id -> Nullable<Text>,
        uploaded_by -> Text,
        name -> Text,
        media_type -> Text,
        bytes -> BigInt,
        sha256 -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    ticket_events (id) {
        id -> Text,
        ticket -> BigInt,
        at -> BigInt,
        actor_kind -> Text,
        actor_name -> Text,
        kind -> Text,
        changes -> Text,
        note -> Nullable<Text>,
    }
}

diesel::table! {
    ticket_outbox (ticket, sequence) {
        ticket -> BigInt,
        sequence -> BigInt,
        event -> Text,
    }
}

diesel::table! {
    open_counts (line, assignee_id) {
        line -> Integer,
        assignee_id -> Text,
        tickets -> BigInt,
    }
}

diesel::table! {
    idempotency_keys (caller, key) {
        caller -> Text,
        key -> Text,
        fingerprint -> Text,
        status -> Integer,
        body -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    jobs (id) {
        id -> Text,
        kind -> Text,
        payload -> Text,
        run_at -> BigInt,
        attempts -> Integer,
        claimed_by -> Nullable<Text>,
        claimed_until -> Nullable<BigInt>,
        last_error -> Nullable<Text>,
        dead -> Bool,
    }
}

diesel::joinable!(sessions -> operators (operator_id));
diesel::joinable!(api_keys -> operators (created_by));
diesel::joinable!(tickets -> queues (queue_id));
diesel::joinable!(tickets -> operators (assignee_id));
diesel::joinable!(tickets -> requesters (requester_id));
diesel::joinable!(ticket_tags -> tickets (ticket));
diesel::joinable!(customer_candidates -> tickets (ticket));
diesel::joinable!(ticket_reads -> operators (operator_id));
diesel::joinable!(ticket_reads -> tickets (ticket));
diesel::joinable!(messages -> tickets (ticket));
diesel::joinable!(messages -> operators (operator_id));
diesel::joinable!(attachments -> tickets (ticket));
diesel::joinable!(attachments -> messages (message_id));
diesel::joinable!(ticket_events -> tickets (ticket));

diesel::allow_tables_to_appear_in_same_query!(
    operators,
    sessions,
    api_keys,
    queues,
    requesters,
    tickets,
    ticket_tags,
    customer_candidates,
    customer_feed,
    oversight_marks,
    ticket_reads,
    messages,
    attachments,
    ticket_events,
    open_counts,
    idempotency_keys,
    jobs,
);

//! Tables of the store, with types that SQLite and MySQL both have. Times are Unix seconds unless the name says ms.
#![expect(missing_docs, reason = "columns are explained in migrations/")]

diesel::table! {
    /// One finished call; its state is what a person sees.
    calls (id) {
        id -> Text,
        started_at -> BigInt,
        ended_at -> BigInt,
        direction -> Text,
        client -> Nullable<Text>,
        outcome -> Text,
        state -> Text,
        reason -> Text,
        next_at -> Nullable<BigInt>,
        fingerprint -> Text,
        call_json -> Text,
        rows_json -> Text,
        plan_json -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    /// Every linkedid of a call, so that a merged call is found by any of them.
    call_linkedids (linkedid) {
        linkedid -> Text,
        call_id -> Text,
    }
}

diesel::table! {
    /// Delivery: what is to be done in the CRM, each exactly once.
    actions (id) {
        id -> BigInt,
        call_id -> Text,
        position -> Integer,
        kind -> Text,
        dedupe_key -> Text,
        payload -> Text,
        state -> Text,
        reason -> Text,
        attempts -> Integer,
        next_at -> BigInt,
        result -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    /// Requests sent for a call, and the answers, for explain.
    requests (id) {
        id -> BigInt,
        call_id -> Text,
        action_id -> Nullable<BigInt>,
        sent_at_ms -> BigInt,
        method -> Text,
        path -> Text,
        body -> Text,
        status -> Integer,
        answer -> Text,
        took_ms -> Integer,
    }
}

diesel::table! {
    /// Contacts and companies.
    directory_entities (kind, id) {
        kind -> Text,
        id -> BigInt,
        name -> Text,
        responsible -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
        phones -> Text,
    }
}

diesel::table! {
    /// Open leads.
    directory_leads (id) {
        id -> BigInt,
        pipeline -> BigInt,
        status -> BigInt,
        responsible -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    /// Which leads hang on whom.
    directory_lead_links (lead_id, kind, entity_id) {
        lead_id -> BigInt,
        kind -> Text,
        entity_id -> BigInt,
    }
}

diesel::table! {
    /// How far each reader has come.
    cursors (name) {
        name -> Text,
        value -> Text,
        updated_at -> BigInt,
    }
}

diesel::table! {
    /// Tokens and keys made at run time.
    secrets (name) {
        name -> Text,
        value -> Text,
        updated_at -> BigInt,
    }
}

diesel::table! {
    /// Which node does what only one may do.
    leases (name) {
        name -> Text,
        holder -> Text,
        until -> BigInt,
    }
}

diesel::table! {
    /// CDR rows already taken, for tables without a key.
    seen_rows (fingerprint) {
        fingerprint -> Text,
        seen_at -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    calls,
    call_linkedids,
    actions,
    requests,
    directory_entities,
    directory_leads,
    directory_lead_links,
    cursors,
    secrets,
    leases,
    seen_rows
);

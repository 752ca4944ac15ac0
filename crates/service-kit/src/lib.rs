//! Plumbing of both services without business: configuration, problems, tokens, time, ids, secrets.
